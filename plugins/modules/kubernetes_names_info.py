#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: kubernetes_names_info
version_added: 1.0.0
short_description: Look which names exist in a cluster
description:
  - Says which of the given names of namespaces, workloads, services, pods and containers exist in a cluster, in which namespaces.
  - Reads names only, of no kind but those that are given. Of containers, whose names are within pods, it reads the pods.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  names:
    description:
      - What to look for, as one or more dictionaries of kind to names, such as RV(kubestrap.aws.tagged_resources_info#module:names) of several accounts.
      - Kinds are V(namespace), V(deployment), V(daemonset), V(statefulset), V(controller) (any of those three, a Job or a CronJob), V(service), V(pod) and
        V(container).
    type: list
    elements: dict
    required: true
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.kubernetes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - No call to AWS is made, unless the API server refuses the token. Then the text of the error names the caller.
  - In the cluster it takes the verb C(list) on the kinds that are looked for, in all namespaces.
seealso:
  - module: kubestrap.aws.tagged_resources_info
"""

EXAMPLES = r"""
- name: Look whether what tags name is there
  kubestrap.aws.kubernetes_names_info:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ lookup('kubestrap.aws.eks_ca_file', cluster.certificate_authority_data) }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', cluster.name, region=cluster.region) }}"
    names:
      - {namespace: [kube-system, shop], deployment: [orders]}
  register: found

- name: Show the namespaces that exist
  ansible.builtin.debug:
    msg: "{{ found.kubernetes_names.namespace | map(attribute='name') | join(', ') }}"
"""

RETURN = r"""
kubernetes_names:
  description: What exists, by kind, each with C(namespace) (empty for a namespace itself) and C(name). A kind of which no name was given is not there.
  returned: always
  type: dict
  sample:
    deployment: [{namespace: shop, name: orders}]
    namespace: [{namespace: "", name: shop}]
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_lookup import existing, merged
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(**KUBERNETES_ARGUMENTS, names=dict(type="list", elements="dict", required=True)),
        **KUBERNETES_RULES,
    )
    names = module.guard(lambda: merged("names", module.params["names"]))
    kube = kube_of(module)
    try:
        found = existing(kube, names)
    except KubeError as e:
        module.fail_json(msg=str(e))
    module.exit_json(changed=False, kubernetes_names=found)


if __name__ == "__main__":
    main()
