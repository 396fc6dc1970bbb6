#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: athena_workgroup
version_added: 1.0.0
short_description: Manage an Athena workgroup
description:
  - Makes, changes and deletes an Athena workgroup, with where its results go and how much a query may scan.
  - The workgroup V(primary) of an account is shared by everybody. It is never deleted, and changed only with O(allow_primary).
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  name:
    description:
      - Name of the workgroup.
    type: str
    required: true
  description:
    description:
      - What the workgroup is for.
    type: str
  output_location:
    description:
      - Where results are written, V(s3://bucket/prefix/). The bucket must be in the region of the workgroup.
    type: str
  expected_bucket_owner:
    description:
      - Account that the results bucket must belong to. Queries fail when it belongs to another one.
    type: str
  encryption:
    description:
      - Encryption of the results.
    type: dict
    suboptions:
      encryption_option:
        description:
          - Kind of encryption.
        type: str
        choices: [SSE_S3, SSE_KMS, CSE_KMS]
        required: true
      kms_key:
        description:
          - ARN of the key, for V(SSE_KMS) and V(CSE_KMS) only.
        type: str
  enforce_workgroup_configuration:
    description:
      - Whether the settings of the workgroup win over those of the client. Then a location that the client sends is ignored.
      - A new workgroup gets V(true) where this is not set.
    type: bool
  bytes_scanned_cutoff_per_query:
    description:
      - Bytes after which a query is cancelled, at least V(10000000). V(0) takes the limit away.
    type: int
  publish_cloudwatch_metrics_enabled:
    description:
      - Whether metrics of the queries are published to CloudWatch.
      - A new workgroup gets V(true) where this is not set.
    type: bool
  requester_pays_enabled:
    description:
      - Whether queries may read buckets whose requester pays.
      - A new workgroup gets V(false) where this is not set.
    type: bool
  managed_query_results:
    description:
      - Whether Athena keeps the results itself, instead of in a bucket. V(false) turns that off, and V(true) takes an O(output_location) away.
      - Kubecost and OpenCost cannot use such a workgroup. They name a location with each query, which Athena then refuses.
    type: bool
  workgroup_state:
    description:
      - Whether queries can be run in the workgroup.
    type: str
    choices: [ENABLED, DISABLED]
  force:
    description:
      - Whether O(state=absent) also deletes a workgroup that has named queries or a history.
    type: bool
    default: false
  allow_primary:
    description:
      - Whether the workgroup V(primary) may be changed.
    type: bool
    default: false
  state:
    description:
      - Whether the workgroup exists.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - kubestrap.aws.ownership
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.athena_workgroup_info
  - module: kubestrap.aws.athena_query
"""

EXAMPLES = r"""
- name: Make a workgroup whose results go to one bucket, whatever the client asks for
  kubestrap.aws.athena_workgroup:
    name: kubecost
    region: us-east-1
    output_location: s3://acme-athena-results/kubecost/
    expected_bucket_owner: "111111111111"
    enforce_workgroup_configuration: true
    tags:
      team: platform

- name: Let no query scan more than 10 GB
  kubestrap.aws.athena_workgroup:
    name: kubecost
    region: us-east-1
    bytes_scanned_cutoff_per_query: 10000000000

- name: Delete the workgroup with its history
  kubestrap.aws.athena_workgroup:
    name: kubecost
    region: us-east-1
    state: absent
    force: true
"""

RETURN = r"""
athena_workgroup:
  description: The workgroup as it is after the task, in check mode as it would be; V(null) when it is absent.
  returned: always
  type: dict
  contains:
    arn:
      description: ARN of the workgroup.
      type: str
      sample: arn:aws:athena:us-east-1:111111111111:workgroup/kubecost
    name:
      description: Name of the workgroup.
      type: str
      sample: kubecost
    state:
      description: V(ENABLED) or V(DISABLED).
      type: str
      sample: ENABLED
    description:
      description: What the workgroup is for.
      type: str
      sample: Queries of the billing data
    output_location:
      description: Where results are written, V(null) when the workgroup has no location of its own.
      type: str
      sample: s3://acme-results/kubecost/
    effective_output_location:
      description:
        - Where results are written whatever the client asks for.
        - V(null) when the workgroup does not enforce its settings, has no location, or Athena keeps the results itself.
      type: str
      sample: s3://acme-results/kubecost/
    expected_bucket_owner:
      description: Account that the results bucket must belong to.
      type: str
      sample: "111111111111"
    encryption:
      description: Encryption of the results, with C(encryption_option) and for KMS C(kms_key).
      type: dict
      sample: {encryption_option: SSE_S3}
    enforce_workgroup_configuration:
      description: Whether the settings of the workgroup win over those of the client.
      type: bool
      sample: true
    bytes_scanned_cutoff_per_query:
      description: Bytes after which a query is cancelled; V(0) is no limit.
      type: int
      sample: 0
    publish_cloudwatch_metrics_enabled:
      description: Whether metrics are published.
      type: bool
      sample: false
    requester_pays_enabled:
      description: Whether queries may read buckets whose requester pays.
      type: bool
      sample: false
    managed_query_results:
      description: Whether Athena keeps the results itself. Then there is no location.
      type: bool
      sample: false
    tags:
      description: Tags of the workgroup; V(null) when the task did not need them (neither O(tags), nor O(ownership_tags) with O(state=absent)).
      type: dict
      sample: {team: platform}
kept:
  description: Why the workgroup stays although O(state=absent).
  returned: when it was not made with O(ownership_tags)
  type: str
  sample: the workgroup kubecost was not made by this collection (no tag managed-by=kubestrap.aws)
changes:
  description: What was done, or would be done in check mode, one line per call.
  returned: always
  type: list
  elements: str
  sample: ["create the workgroup kubecost"]
"""

import functools

from ansible_collections.kubestrap.aws.plugins.module_utils import _athena_workgroup as athena_workgroup
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import check_account_id, refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def check(params, settings):
    """Refuse an input before any call."""
    name, state = params["name"], params["state"]
    athena_workgroup.check_workgroup_name("name", name)
    settings.check()
    if settings.expected_bucket_owner is not None:
        check_account_id("expected_bucket_owner", settings.expected_bucket_owner)
    if name == athena_workgroup.PRIMARY and state == "absent":
        refuse("name", name, "is the account's own workgroup, which cannot be deleted", "Leave it out")
    if name == athena_workgroup.PRIMARY and not params["allow_primary"]:
        refuse(
            "name", name, "is shared by the whole account", "Write another name, or allow_primary: true to change it"
        )


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            description=dict(type="str"),
            output_location=dict(type="str"),
            expected_bucket_owner=dict(type="str"),
            encryption=dict(
                type="dict",
                options=dict(
                    encryption_option=dict(type="str", required=True, choices=["SSE_S3", "SSE_KMS", "CSE_KMS"]),
                    kms_key=dict(type="str", no_log=False),
                ),
            ),
            enforce_workgroup_configuration=dict(type="bool"),
            bytes_scanned_cutoff_per_query=dict(type="int"),
            publish_cloudwatch_metrics_enabled=dict(type="bool"),
            requester_pays_enabled=dict(type="bool"),
            managed_query_results=dict(type="bool"),
            workgroup_state=dict(type="str", choices=["ENABLED", "DISABLED"]),
            force=dict(type="bool", default=False),
            allow_primary=dict(type="bool", default=False),
            tags=dict(type="dict", aliases=["resource_tags"]),
            purge_tags=dict(type="bool", default=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
            **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
        ),
    )
    params = module.params
    same = (
        "description", "output_location", "expected_bucket_owner", "encryption", "enforce_workgroup_configuration",
        "bytes_scanned_cutoff_per_query", "publish_cloudwatch_metrics_enabled", "requester_pays_enabled",
        "managed_query_results",
        "tags", "purge_tags", "ownership_tags",
    )  # fmt: skip
    settings = athena_workgroup.Settings(state=params["workgroup_state"], **{option: params[option] for option in same})
    module.guard(lambda: check(params, settings))
    connection, name = module.connection, params["name"]
    arn = module.guard(
        lambda: athena_workgroup.workgroup_arn(connection.partition, connection.region, module.account_id, name)
    )
    # Tags are one call more. To make a resource asks for those of the task only, to delete one who made it.
    with_tags = bool(params["ownership_tags"]) if params["state"] == "absent" else params["tags"] is not None
    if params["state"] == "absent":
        plan = functools.partial(
            athena_workgroup.plan_absent, name=name, force=params["force"], ownership_tags=params["ownership_tags"]
        )
    else:
        plan = functools.partial(athena_workgroup.plan_present, name=name, arn=arn, settings=settings)
    module.manage("athena_workgroup", lambda: athena_workgroup.read(connection, name, arn, with_tags), plan)


if __name__ == "__main__":
    main()
