#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight_info
version_added: 1.0.0
short_description: Check credentials, names and access before anything is written
description:
  - Looks at everything that the inventory says of one host (a payer account or a cluster) and that AWS can confirm or refuse without a write.
  - Fails with all problems at once. Each names the variable, the value, and what to write instead.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  expected_account_id:
    description:
      - Account that the credentials must belong to, 12 digits in quotes. It is the value of C(kubestrap_account_id).
    type: raw
  account_required:
    description:
      - Whether O(expected_account_id) must be given.
    type: bool
    default: false
  buckets:
    description:
      - Buckets that will be made or used.
    type: list
    elements: dict
    default: []
    suboptions:
      option:
        description: Name of the variable that names the bucket, for the message.
        type: str
        required: true
      name:
        description: Name of the bucket.
        type: str
        required: true
  names:
    description:
      - Further names that are checked by their rules alone.
    type: list
    elements: dict
    default: []
    suboptions:
      option:
        description: Name of the variable, for the message.
        type: str
        required: true
      value:
        description: The name.
        type: str
        required: true
      kind:
        description: Whose rules it has to follow.
        type: str
        required: true
        choices: [report, report_prefix, iam_role, iam_path, workgroup, glue, namespace, helm release, secret, serviceaccount]
  cluster_name:
    description:
      - EKS cluster that must exist, have an issuer, and accept these credentials. Without it no cluster is looked at.
    type: str
  cluster_access:
    description:
      - Whether the API server of the cluster must accept a token made from these credentials.
    type: bool
    default: true
  helm_binary:
    description:
      - Helm program that must be there. Without it none is looked for.
    type: str
  problems:
    description:
      - What the caller has found wrong itself, one sentence each. It is reported together with the rest.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Check a payer account before anything is written
  kubestrap.aws.preflight_info:
    expected_account_id: "111111111111"
    account_required: true
    region: us-east-1
    buckets:
      - option: billing_data_report_bucket
        name: acme-cur-111111111111
    names:
      - {option: billing_data_report_name, kind: report, value: kubecost}
  register: payer

- name: Check a cluster
  kubestrap.aws.preflight_info:
    profile: cluster
    region: eu-west-1
    cluster_name: demo
    helm_binary: helm
  register: cluster
"""

RETURN = r"""
preflight:
  description: What was found.
  returned: always
  type: dict
  contains:
    account_id:
      description: Account of the credentials.
      type: str
      sample: "222222222222"
    arn:
      description: ARN of the caller.
      type: str
      sample: arn:aws:sts::222222222222:assumed-role/operator/session
    aws_partition:
      description: Partition of the caller.
      type: str
      sample: aws
    region:
      description: Region of the host.
      type: str
      sample: eu-west-1
    buckets:
      description: Name of each bucket, and whether it exists.
      type: dict
      sample: {acme-cur-111111111111: false}
    cluster:
      description: The cluster, as M(kubestrap.aws.eks_cluster_info) returns it; V(null) when none was asked for.
      type: dict
    helm:
      description: Path of the helm program.
      type: str
      sample: /usr/local/bin/helm
    problems:
      description: What has to be corrected, one sentence each. The module fails when there are any.
      type: list
      elements: str
"""

import tempfile
from base64 import b64decode

from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight import (
    check_access,
    check_aws,
    check_cluster,
    check_helm,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_names import (
    NAME_KINDS,
    check_account,
    check_name,
)


def look(module):
    """What the module returns below ``preflight``."""
    params = module.params
    account_problems = check_account(params["expected_account_id"], params["account_required"])
    account_id = None if account_problems else params["expected_account_id"]
    problems = [*params["problems"], *account_problems]
    for name in params["names"]:
        problems += check_name(name["option"], name["kind"], name["value"] or "")
    found = {"cluster": None, "helm": None}
    if params["helm_binary"]:
        found["helm"], missing = check_helm("kubestrap_helm_binary", params["helm_binary"])
        problems += missing
    connection = module.connection
    seen = check_aws(connection, account_id, params["buckets"])
    problems += seen["problems"]
    caller = seen["caller"]
    if seen["usable"] and params["cluster_name"] is not None:
        found["cluster"], wrong = check_cluster(connection, params["cluster_name"], caller["account"])
        problems += wrong or _access(module, connection, found["cluster"])
    caller = caller or {}
    return {
        "account_id": caller.get("account"),
        "arn": caller.get("arn"),
        "aws_partition": caller.get("partition"),
        "region": connection.region,
        "buckets": seen["buckets"],
        "problems": problems,
        **found,
    }


def _access(module, connection, cluster):
    if not module.params["cluster_access"]:
        return []
    with tempfile.NamedTemporaryFile(mode="wb", suffix=".pem") as ca_file:
        ca_file.write(b64decode(cluster["certificate_authority_data"]))
        ca_file.flush()
        return check_access(connection, cluster, ca_file.name)


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            expected_account_id=dict(type="raw"),
            account_required=dict(type="bool", default=False),
            buckets=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(option=dict(type="str", required=True), name=dict(type="str", required=True)),
            ),
            names=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(
                    option=dict(type="str", required=True),
                    value=dict(type="str", required=True),
                    kind=dict(type="str", required=True, choices=list(NAME_KINDS)),
                ),
            ),
            cluster_name=dict(type="str"),
            cluster_access=dict(type="bool", default=True),
            helm_binary=dict(type="str"),
            problems=dict(type="list", elements="str", default=[]),
        ),
    )
    preflight = module.guard(lambda: look(module))
    if preflight["problems"]:
        text = "\n".join(f"({n}) {problem}." for n, problem in enumerate(preflight["problems"], start=1))
        module.fail_json(msg=text if len(preflight["problems"]) > 1 else preflight["problems"][0], preflight=preflight)
    module.exit_json(changed=False, preflight=preflight)


if __name__ == "__main__":
    main()
