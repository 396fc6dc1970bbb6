#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: kubecost_workload_info
version_added: 1.0.0
short_description: Find what an installed Kubecost or OpenCost is wired to
description:
  - Looks for the workload of a release that reads billing data, and says which ServiceAccount, IAM role and Secret it has, and which payer accounts the
    Secret names.
  - It does not matter who installed the release, and how. It is recognised by the label C(app.kubernetes.io/instance), which every chart writes.
  - Returns no access key and no other secret value.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  namespace:
    description:
      - Namespace of the release.
    type: str
    default: kubecost
  release:
    description:
      - Name of the release.
    type: str
    default: kubecost
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.kubernetes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - No call to AWS is made, unless the API server refuses the token. Then the text of the error names the caller.
  - In the cluster it takes the verbs C(get) on C(serviceaccounts) and C(secrets), and C(list) on C(deployments), C(statefulsets) and C(secrets).
seealso:
  - module: kubestrap.aws.workload_identity_probe
"""

EXAMPLES = r"""
- name: Find what Kubecost is wired to
  kubestrap.aws.kubecost_workload_info:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ lookup('kubestrap.aws.eks_ca_file', cluster.certificate_authority_data) }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', cluster.name, region=cluster.region) }}"
    namespace: kubecost
    release: kubecost
  register: found
"""

RETURN = r"""
kubecost_workload:
  description: What was found.
  returned: always
  type: dict
  contains:
    workload:
      description: The workload that reads billing data; V(null) when the release has none.
      type: dict
      contains:
        kind:
          description: V(Deployment) or V(StatefulSet).
          type: str
          sample: Deployment
        name:
          description: Its name.
          type: str
          sample: kubecost-cloud-cost
        container:
          description: The container that reads.
          type: str
          sample: cloud-cost
        chart:
          description: Chart and version that made it, empty when it does not say.
          type: str
          sample: kubecost-3.2.4
        service_account:
          description: Its ServiceAccount.
          type: str
          sample: kubecost
        secret_name:
          description: The Secret with the cloud integration, empty when none is mounted.
          type: str
          sample: cloud-integration
        secret_key:
          description: Key in that Secret.
          type: str
          sample: cloud-integration.json
        label_selectors:
          description: Labels that select its pods.
          type: list
          elements: str
          sample: ["app=cloud-cost"]
    role_arn:
      description: The role in the ServiceAccount's annotation, empty for none.
      type: str
      sample: arn:aws:iam::222222222222:role/kubecost-prod
    helm_release:
      description: Name of the release when Helm has a record of it, else V(null). Argo CD leaves none.
      type: str
      sample: kubecost
    entries:
      description: The payers that the cloud integration names.
      type: list
      elements: dict
      contains:
        account_id:
          description: Account of Athena and Glue.
          type: str
          sample: "111111111111"
        bucket:
          description: Where Athena writes results, as it stands in the Secret.
          type: str
          sample: s3://acme-results/kubecost
        region:
          description: Region of Athena.
          type: str
          sample: us-east-1
        database:
          description: Glue database.
          type: str
          sample: athenacurcfn_kubecost
        table:
          description: Glue table.
          type: str
          sample: kubecost
        workgroup:
          description: Athena workgroup.
          type: str
          sample: kubecost
        catalog:
          description: Data catalog of Athena, empty for the default one.
          type: str
          sample: ""
        role_arn:
          description: The payer's role, empty when the workload's own role reads.
          type: str
          sample: arn:aws:iam::111111111111:role/kubecost-cur-access
        authorizer:
          description: V(service_account), V(access_key), or another type as it stands in the Secret.
          type: str
          sample: service_account
    other_clouds:
      description: Other clouds with an entry in the cloud integration.
      type: list
      elements: str
      sample: []
    links:
      description: What is missing, in the form of the links of M(kubestrap.aws.workload_identity_probe). Empty when all was found.
      type: list
      elements: dict
      sample: []
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kubecost_workload import find
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import check_kubernetes_name
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            **KUBERNETES_ARGUMENTS,
            namespace=dict(type="str", default="kubecost"),
            release=dict(type="str", default="kubecost"),
        ),
        **KUBERNETES_RULES,
    )
    namespace, release = module.params["namespace"], module.params["release"]

    def check_names():
        check_kubernetes_name("namespace", namespace, "namespace")
        check_kubernetes_name("release", release, "helm release")

    module.guard(check_names)
    kube = kube_of(module)
    try:
        found = find(kube, namespace, release)
    except KubeError as e:
        module.fail_json(msg=str(e))
    module.exit_json(changed=False, kubecost_workload=found)


if __name__ == "__main__":
    main()
