#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stackgres_cluster_info
version_added: 1.0.0
short_description: Find what there is of StackGres in a cluster
description:
  - Says which of StackGres' kinds the API serves, which version of the operator runs, and of each SGCluster that is asked for what matters to its backups.
    That is the object itself, the version of its images, its ServiceAccounts and the role in their annotation, its pods and what they have of AWS, backups
    that run, and its SGObjectStorage.
  - All is read side by side. Of Secrets the names of the keys are told, and no value.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  clusters:
    description:
      - The SGClusters. The filter P(kubestrap.aws.stackgres_backup_asked#filter) makes the list.
    type: list
    elements: dict
    required: true
    suboptions:
      namespace:
        description:
          - Namespace of the SGCluster.
        type: str
        required: true
      name:
        description:
          - Its name.
        type: str
        required: true
      sharded:
        description:
          - Whether it is an SGShardedCluster.
        type: bool
        default: false
      object_storage:
        description:
          - Name of its SGObjectStorage.
        type: str
        required: true
      secrets:
        description:
          - Names of Secrets whose keys are asked for.
        type: list
        elements: str
        default: []
      role_arn:
        description:
          - The role that its ServiceAccounts shall have, with O(wait_timeout).
        type: str
  operator_namespace:
    description:
      - Namespace of the operator.
    type: str
    default: stackgres
  wait_timeout:
    description:
      - Seconds to wait until the operator has annotated the ServiceAccounts of those that have a O(clusters[].role_arn). Whether it has is seen in the result.
    type: int
    default: 0
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.kubernetes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - No call to AWS is made, unless the API server refuses the token. Then the text of the error names the caller.
  - In the namespaces of the SGClusters it takes the verbs C(list) on C(sgclusters), C(sgshardedclusters), C(sgbackups), C(pods) and C(serviceaccounts), and
    C(get) on C(sgobjectstorages) and, for O(clusters[].secrets), on C(secrets). In that of the operator it takes C(list) on C(deployments).
seealso:
  - plugin: kubestrap.aws.stackgres_backup_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Find what there is of StackGres
  kubestrap.aws.stackgres_cluster_info:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ lookup('kubestrap.aws.eks_ca_file', cluster.certificate_authority_data) }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', cluster.name, region=cluster.region) }}"
    clusters: "{{ [{'namespace': 'databases', 'name': 'orders'}] | kubestrap.aws.stackgres_backup_asked }}"
  register: found
"""

RETURN = r"""
stackgres:
  description: What was found.
  returned: always
  type: dict
  contains:
    served:
      description: Plural name of each kind that the API serves, and its version. Empty without the CRDs.
      type: dict
      returned: always
      sample: {sgobjectstorages: v1beta1, sgclusters: v1, sgbackups: v1}
    operator:
      description: The operator; V(null) when its namespace has none.
      type: dict
      returned: always
      contains:
        name:
          description: Name of its Deployment.
          type: str
          sample: stackgres-operator
        namespace:
          description: Its namespace.
          type: str
          sample: stackgres
        version:
          description: Its version, empty when neither a label nor the image tells.
          type: str
          sample: 1.18.6
        image:
          description: Its image.
          type: str
          sample: quay.io/stackgres/operator:1.18.6
    clusters:
      description: The SGClusters, in the order of the option.
      type: list
      elements: dict
      returned: always
      contains:
        namespace:
          description: Namespace of the SGCluster.
          type: str
          sample: databases
        name:
          description: Its name.
          type: str
          sample: orders
        sharded:
          description: Whether it is an SGShardedCluster.
          type: bool
          sample: false
        namespace_exists:
          description: Whether the namespace is there.
          type: bool
          sample: true
        cluster:
          description: The object; V(null) when it does not exist.
          type: dict
        parts:
          description: The SGCluster, or those that the operator makes of an SGShardedCluster.
          type: list
          elements: str
          sample: [orders]
        version:
          description: The StackGres whose images it has, of several the oldest; empty when it is not marked yet.
          type: str
          sample: 1.18.6
        service_accounts:
          description: ServiceAccounts of its pods, with C(name) and C(role_arn) (empty for none).
          type: list
          elements: dict
          sample: [{name: orders-patroni, role_arn: "arn:aws:iam::222222222222:role/stackgres-orders"}]
        pods:
          description: Its living pods, with what the container C(patroni) has of AWS.
          type: list
          elements: dict
          sample:
            - name: orders-0
              cluster: orders
              service_account: orders-patroni
              role_arn: arn:aws:iam::222222222222:role/stackgres-orders
              region: eu-west-1
              pod_identity: false
              image: quay.io/ongres/patroni:v3.3.4-pg16.6-build-6.38
        running_backups:
          description: Names of SGBackups that run, of this one and of all that use its SGObjectStorage.
          type: list
          elements: str
          sample: []
        object_storage:
          description: The SGObjectStorage; V(null) when it does not exist.
          type: dict
        users:
          description: The SGClusters and SGShardedClusters whose backups go to it.
          type: list
          elements: str
          sample: [orders]
        secrets:
          description: Name of each Secret that was asked for, and the names of its keys; V(null) for one that does not exist.
          type: dict
          sample: {s3-backup-secret: [accessKeyId, secretAccessKey]}
"""

import time

from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import check_kubernetes_name
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_read import annotated, read

CLUSTER = dict(
    namespace=dict(type="str", required=True),
    name=dict(type="str", required=True),
    sharded=dict(type="bool", default=False),
    object_storage=dict(type="str", required=True),
    secrets=dict(type="list", elements="str", default=[], no_log=False),
    role_arn=dict(type="str"),
)
# The operator looks at an SGCluster again within seconds.
PAUSE_SECONDS = 1.0


def check(params):
    """Refuse what Kubernetes would refuse.

    :raises AnsibleAWSError: names the option and what to write
    """
    check_kubernetes_name("operator_namespace", params["operator_namespace"], "namespace")
    for one in params["clusters"]:
        check_kubernetes_name("clusters[].namespace", one["namespace"], "namespace")
        for option in ("name", "object_storage"):
            check_kubernetes_name(f"clusters[].{option}", one[option], "secret")
        for secret in one["secrets"]:
            check_kubernetes_name("clusters[].secrets", secret, "secret")


def found(kube, params):
    """What is there, after the wait that the task asks for.

    :raises KubeError: something cannot be read
    """
    deadline = time.monotonic() + params["wait_timeout"]
    while True:
        seen = read(kube, params["clusters"], params["operator_namespace"])
        done = all(annotated(one, there) for one, there in zip(params["clusters"], seen["clusters"], strict=True))
        if done or time.monotonic() >= deadline:
            return seen
        time.sleep(PAUSE_SECONDS)


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            **KUBERNETES_ARGUMENTS,
            clusters=dict(type="list", elements="dict", options=CLUSTER, required=True),
            operator_namespace=dict(type="str", default="stackgres"),
            wait_timeout=dict(type="int", default=0),
        ),
        **KUBERNETES_RULES,
    )
    module.guard(lambda: check(module.params))
    kube = kube_of(module)
    try:
        seen = found(kube, module.params)
    except KubeError as e:
        module.fail_json(msg=str(e))
    module.exit_json(changed=False, stackgres=seen)


if __name__ == "__main__":
    main()
