#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: athena_workgroup_info
version_added: 1.0.0
short_description: Read Athena workgroups
description:
  - Reads one workgroup or all workgroups of account and region.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  name:
    description:
      - Name of the workgroup. Without it all are read.
    type: str
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.athena_workgroup
"""

EXAMPLES = r"""
- name: Read where the queries of the account write their results
  kubestrap.aws.athena_workgroup_info:
    name: primary
    region: us-east-1
  register: primary
"""

RETURN = r"""
athena_workgroups:
  description: The workgroups; empty when there is none of this name.
  returned: always
  type: list
  elements: dict
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
      description: Tags of the workgroup.
      type: dict
      sample: {team: platform}
"""

import functools

from ansible_collections.kubestrap.aws.plugins.module_utils._athena_workgroup import (
    check_workgroup_name,
    read,
    read_names,
    workgroup_arn,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import gather


def look(module):
    """The workgroups that the task asks for."""
    connection, account_id, name = module.connection, module.account_id, module.params["name"]
    if name is not None:
        check_workgroup_name("name", name)
    names = read_names(connection) if name is None else [name]
    arns = {name: workgroup_arn(connection.partition, connection.region, account_id, name) for name in names}
    found = gather({name: functools.partial(read, connection, name, arn, with_tags=True) for name, arn in arns.items()})
    return [workgroup for workgroup in found.values() if workgroup is not None]


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(name=dict(type="str"), **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC),
    )
    module.exit_json(changed=False, athena_workgroups=module.guard(lambda: look(module)))


if __name__ == "__main__":
    main()
