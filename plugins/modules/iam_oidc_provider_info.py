#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_oidc_provider_info
version_added: 1.0.0
short_description: Look at IAM OpenID Connect providers
description:
  - Returns the OpenID Connect provider of an issuer, or all providers of the account.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  url:
    description:
      - The issuer, as M(kubestrap.aws.eks_cluster_info) returns it. It starts with V(https://) and has no port.
    type: str
  arn:
    description:
      - ARN of the provider.
    type: str
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.iam_oidc_provider
"""

EXAMPLES = r"""
- name: Look at the provider of an issuer
  kubestrap.aws.iam_oidc_provider_info:
    url: https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
  register: found

- name: Look at all providers of the account
  kubestrap.aws.iam_oidc_provider_info:
  register: all_found
"""

RETURN = r"""
oidc_providers:
  description: The providers, by ARN; an empty list when there is none.
  returned: always
  type: list
  elements: dict
  contains:
    arn:
      description: ARN of the provider.
      type: str
      returned: always
      sample: arn:aws:iam::222222222222:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
    url:
      description: The issuer, with its scheme.
      type: str
      returned: always
      sample: https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
    client_ids:
      description: The audiences, sorted.
      type: list
      elements: str
      returned: always
      sample: [sts.amazonaws.com]
    thumbprints:
      description: Thumbprints that IAM has stored.
      type: list
      elements: str
      returned: always
      sample: [9e99a48a9960b14926bb7f3b02e22da2b0ab7280]
    tags:
      description: Tags of the provider.
      type: dict
      returned: always
      sample: {team: platform}
    create_date:
      description: When it was created, ISO 8601.
      type: str
      returned: always
      sample: "2026-01-31T12:00:00+00:00"
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._iam_oidc import check_url, provider_arn
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_oidc_info import read_all, read_some
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            url=dict(type="str"),
            arn=dict(type="str"),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
        ),
        mutually_exclusive=[("url", "arn")],
    )
    connection, url, arn = module.connection, module.params["url"], module.params["arn"]

    def read():
        if url:
            check_url(url)
            return read_some(connection, [provider_arn(connection.partition, module.account_id, url)])
        return read_some(connection, [arn]) if arn else read_all(connection)

    module.exit_json(changed=False, oidc_providers=module.guard(read))


if __name__ == "__main__":
    main()
