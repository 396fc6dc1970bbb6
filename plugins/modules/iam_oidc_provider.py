#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_oidc_provider
version_added: 1.0.0
short_description: Manage an IAM OpenID Connect provider
description:
  - Registers the OpenID Connect issuer of an EKS cluster in IAM, so that roles can trust the tokens of its ServiceAccounts (IRSA).
  - Does what C(eksctl utils associate-iam-oidc-provider) does. The thumbprint is left to IAM, which knows the certificate authorities of EKS.
  - A provider is shared by all roles of the account that trust the cluster. Remove it only when no role needs it any more.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  url:
    description:
      - The issuer, as M(kubestrap.aws.eks_cluster_info) returns it. It starts with V(https://) and has no port.
    type: str
    required: true
  client_ids:
    description:
      - Audiences that a token may name.
    type: list
    elements: str
    default: [sts.amazonaws.com]
  purge_client_ids:
    description:
      - Whether audiences that are not in O(client_ids) are removed.
    type: bool
    default: false
  state:
    description:
      - Whether the provider exists.
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
  - module: kubestrap.aws.iam_oidc_provider_info
  - module: kubestrap.aws.eks_cluster_info
"""

EXAMPLES = r"""
- name: Register the issuer of the cluster
  kubestrap.aws.iam_oidc_provider:
    url: https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
    tags:
      team: platform
  register: provider

- name: Take the provider away
  kubestrap.aws.iam_oidc_provider:
    url: https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
    state: absent
"""

RETURN = r"""
oidc_provider:
  description: The provider as it is after the task, in check mode as it would be; V(null) when it is absent.
  returned: always
  type: dict
  contains:
    arn:
      description: ARN of the provider; it follows from account and issuer, so check mode knows it too.
      type: str
      returned: when the provider exists
      sample: arn:aws:iam::222222222222:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
    url:
      description: The issuer, with its scheme.
      type: str
      returned: when the provider exists
      sample: https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
    client_ids:
      description: The audiences, sorted.
      type: list
      elements: str
      returned: when the provider exists
      sample: [sts.amazonaws.com]
    thumbprints:
      description: Thumbprints that IAM has stored.
      type: list
      elements: str
      returned: when the provider existed or was created, not in check mode before its creation
      sample: [9e99a48a9960b14926bb7f3b02e22da2b0ab7280]
    tags:
      description: Tags of the provider.
      type: dict
      returned: when the provider exists
      sample: {team: platform}
    create_date:
      description: When it was created, ISO 8601.
      type: str
      returned: when the provider existed or was created, not in check mode before its creation
      sample: "2026-01-31T12:00:00+00:00"
kept:
  description: Why the provider stays although O(state=absent).
  returned: when it was not made with O(ownership_tags)
  type: str
  sample: the OpenID Connect provider arn:aws:iam::222222222222:oidc-provider/... was not made by this collection
changes:
  description: What was done, or would be done in check mode, one line per call.
  returned: always
  type: list
  elements: str
  sample: ["add the audience sts.amazonaws.com to arn:aws:iam::222222222222:oidc-provider/..."]
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._iam_oidc import (
    check_url,
    plan_absent,
    plan_present,
    provider_arn,
    read,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            url=dict(type="str", required=True),
            client_ids=dict(type="list", elements="str", default=["sts.amazonaws.com"]),
            purge_client_ids=dict(type="bool", default=False),
            tags=dict(type="dict", aliases=["resource_tags"]),
            purge_tags=dict(type="bool", default=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
            **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
        ),
    )
    params = module.params
    module.guard(lambda: check_url(params["url"]))
    connection = module.connection
    arn = module.guard(lambda: provider_arn(connection.partition, module.account_id, params["url"]))

    def plan(current) -> Plan:
        if params["state"] == "absent":
            return plan_absent(current, arn, params["ownership_tags"])
        options = ("url", "client_ids", "purge_client_ids", "tags", "purge_tags", "ownership_tags")
        return plan_present(current, arn, **{option: params[option] for option in options})

    module.manage("oidc_provider", lambda: read(connection, arn), plan)


if __name__ == "__main__":
    main()
