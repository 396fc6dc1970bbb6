#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: eks_cluster_info
version_added: 1.0.0
short_description: Read EKS clusters
description:
  - Reads what it takes to reach an EKS cluster and to give its ServiceAccounts IAM roles, namely endpoint, certificate authority, issuer and
    authentication mode.
  - A cluster that does not exist is not an error; the list is empty then.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  name:
    description:
      - Name of the cluster. Without it, all clusters of account and region are read.
    type: str
  include_addons:
    description:
      - Whether to read the EKS add-ons of the clusters, too. It takes a call for each add-on.
    type: bool
    default: false
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.iam_oidc_provider
  - plugin: kubestrap.aws.eks_token
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Read one cluster
  kubestrap.aws.eks_cluster_info:
    name: demo
    region: eu-west-1
  register: found

- name: Read all clusters with their add-ons
  kubestrap.aws.eks_cluster_info:
    region: eu-west-1
    include_addons: true
"""

RETURN = r"""
eks_clusters:
  description: The clusters, by name; empty when the cluster does not exist.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the cluster.
      type: str
      returned: always
      sample: demo
    arn:
      description: ARN of the cluster.
      type: str
      returned: always
      sample: arn:aws:eks:eu-west-1:222222222222:cluster/demo
    account_id:
      description: Account of the cluster.
      type: str
      returned: always
      sample: "222222222222"
    region:
      description: Region of the cluster.
      type: str
      returned: always
      sample: eu-west-1
    endpoint:
      description: URL of the API server; V(null) while the cluster is being created.
      type: str
      returned: always
      sample: https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com
    certificate_authority_data:
      description: Certificate authority of the API server in PEM, base64 encoded; V(null) while the cluster is being created.
      type: str
      returned: always
      sample: LS0tLS1CRUdJTi...
    issuer:
      description: Issuer of the tokens of the cluster's ServiceAccounts; V(null) when the cluster has none.
      type: str
      returned: always
      sample: https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
    oidc_provider_arn:
      description: The ARN that the OpenID Connect provider of this issuer has in the cluster's account, whether it exists or not.
      type: str
      returned: always
      sample: arn:aws:iam::222222222222:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
    endpoint_public_access:
      description: Whether the endpoint can be reached from outside the VPC.
      type: bool
      returned: always
      sample: true
    public_access_cidrs:
      description: The networks from which it can.
      type: list
      elements: str
      returned: always
      sample: [0.0.0.0/0]
    version:
      description: Version of Kubernetes.
      type: str
      returned: always
      sample: "1.36"
    status:
      description: Status of the cluster, such as V(ACTIVE) or V(CREATING).
      type: str
      returned: always
      sample: ACTIVE
    authentication_mode:
      description: How IAM principals get access, V(API), V(API_AND_CONFIG_MAP) or V(CONFIG_MAP).
      type: str
      returned: always
      sample: API
    tags:
      description: Tags of the cluster.
      type: dict
      returned: always
      sample: {team: platform}
    addons:
      description: The EKS add-ons, by name.
      type: list
      elements: dict
      returned: when O(include_addons) is set
      contains:
        name:
          description: Name of the add-on.
          type: str
          returned: always
          sample: eks-pod-identity-agent
        version:
          description: Version of the add-on.
          type: str
          returned: always
          sample: v1.3.10-eksbuild.1
        status:
          description: Status of the add-on.
          type: str
          returned: always
          sample: ACTIVE
        service_account_role_arn:
          description: Role of the add-on's ServiceAccount; V(null) when it has none.
          type: str
          returned: always
          sample: arn:aws:iam::222222222222:role/ebs-csi
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._eks_cluster import read, read_all
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def look(module):
    """The clusters that the task asks for."""
    name, include_addons = module.params["name"], module.params["include_addons"]
    if name is None:
        return read_all(module.connection, include_addons)
    cluster = read(module.connection, name, include_addons)
    return [cluster] if cluster else []


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            name=dict(type="str"),
            include_addons=dict(type="bool", default=False),
        ),
    )
    module.exit_json(changed=False, eks_clusters=module.guard(lambda: look(module)))


if __name__ == "__main__":
    main()
