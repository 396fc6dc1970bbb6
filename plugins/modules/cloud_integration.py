#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloud_integration
version_added: 1.0.0
short_description: Tell Kubecost or OpenCost in a cluster where billing data is
description:
  - Manages the objects by which the workload finds billing data. These are its namespace, the Secret with C(cloud-integration.json), and the annotation
    of its ServiceAccount.
  - The Secret may have entries of others. Entries that this module did not make, and other keys of the Secret, stay as they are. An entry that has the
    account and the bucket of one of ours, but other settings, is refused.
  - What is in the Secret is read, put together and written within the module. Neither the result nor the diff shows a value of it.
  - Nothing is sent when nothing differs.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  state:
    description:
      - V(present) writes the objects. V(absent) takes away what this module made, and nothing else; the namespace stays.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description:
      - Namespace of the workload. It is made when it is missing.
    type: str
    required: true
  secret:
    description:
      - Name of the Secret.
    type: str
    default: cloud-integration
  key:
    description:
      - Key in the Secret.
    type: str
    default: cloud-integration.json
  form:
    description:
      - Form of the document, see the filter P(kubestrap.aws.cloud_integration#filter).
    type: str
    choices: [legacy, athena]
    default: athena
  payers:
    description:
      - The payers, as the filter P(kubestrap.aws.cloud_integration#filter) takes them.
    type: list
    elements: dict
    default: []
  others:
    description:
      - Entries of other clouds, as JSON. Those that are not in the form O(form) are rewritten in it. They may hold keys.
      - Give them as one text (filter P(ansible.builtin.to_json#filter)). Of a mapping, Ansible would hide each word in all of its output.
    type: json
  service_account:
    description:
      - The ServiceAccount of the workload. Leave it out where it is managed elsewhere.
    type: dict
    suboptions:
      name:
        description:
          - Name of the ServiceAccount.
        type: str
        required: true
      created_by:
        description:
          - With V(chart) the chart makes and annotates it; one that Helm could not take over is refused.
          - With V(kubestrap) it is made when it is missing, and annotated.
          - With V(existing) it has to be there; only the annotations are added.
        type: str
        choices: [chart, kubestrap, existing]
        default: chart
      annotations:
        description:
          - The annotations that it needs. One that is there with another value, and was not written by this module, is refused.
        type: dict
        default: {}
      release:
        description:
          - Helm release that makes it, with O(service_account.created_by=chart). Leave it out where Helm does not install the chart.
        type: str
attributes:
  diff_mode:
    details:
      - Entries and fields that differ are shown by name. No value is shown.
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.kubernetes
notes:
  - In the cluster it takes the verbs C(get), C(create), C(patch) and C(delete) on C(secrets) and C(serviceaccounts), C(get) and C(create) on
    C(namespaces). Without C(get) on C(namespaces) the namespace has to be there.
  - A Secret that this module made has the label C(app.kubernetes.io/managed-by=kubestrap.aws). Which entries it made is in the Secret's annotation
    C(kubestrap.aws/cloud-integration), by account and bucket.
seealso:
  - plugin: kubestrap.aws.cloud_integration
    plugin_type: filter
  - module: kubestrap.aws.workload_identity_probe
  - plugin: kubestrap.aws.eks_token
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Tell Kubecost where the billing data is
  kubestrap.aws.cloud_integration:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    namespace: kubecost
    payers:
      - account_id: "111111111111"
        bucket: acme-billing-results/kubecost
        region: us-east-1
        database: billing
        table: kubecost
        workgroup: kubecost
        role_arn: arn:aws:iam::111111111111:role/kubecost-cur-access
    service_account:
      name: kubecost
      created_by: kubestrap
      annotations:
        eks.amazonaws.com/role-arn: arn:aws:iam::222222222222:role/kubecost
  register: integration

- name: Take away what was made
  kubestrap.aws.cloud_integration:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    namespace: kubecost
    service_account:
      name: kubecost
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: str
  sample: [make the namespace kubecost, write the Secret cloud-integration in the namespace kubecost]
checksum:
  description:
    - SHA-256 of the whole document and of the annotations that the ServiceAccount needs. Pods do not see it when a Secret or an annotation changes; with
      this value in an annotation of theirs they are started anew when it changes, and only then.
  returned: O(state=present)
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
kept:
  description: Why something stays that was to go.
  returned: O(state=absent)
  type: list
  elements: str
  sample: [the Secret cloud-integration has entries that are not ours]
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._integration_objects import (
    Wanted,
    plan,
    plan_absent,
    read,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_for,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_objects import ACCOUNT_ARGUMENTS, account_of, apply
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import check_kubernetes_name
from ansible_collections.kubestrap.aws.plugins.module_utils.cloud_integration import build

ARGUMENTS = dict(
    state=dict(type="str", choices=["present", "absent"], default="present"),
    **KUBERNETES_ARGUMENTS,
    namespace=dict(type="str", required=True),
    secret=dict(type="str", default="cloud-integration", no_log=False),
    key=dict(type="str", default="cloud-integration.json", no_log=False),
    form=dict(type="str", choices=["legacy", "athena"], default="athena"),
    payers=dict(type="list", elements="dict", default=[]),
    others=dict(type="json", no_log=True),
    service_account=dict(type="dict", options=ACCOUNT_ARGUMENTS),
)


def wanted_of(params):
    """The objects that the task asks for.

    :raises AnsibleAWSError: names the option that is wrong
    """
    check_kubernetes_name("namespace", params["namespace"], "namespace")
    check_kubernetes_name("secret", params["secret"], "secret")
    account = params["service_account"] and account_of("service_account", params["service_account"])
    document = {}
    if params["state"] == "present":
        try:
            others = json.loads(params["others"] or "{}")
        except ValueError:
            refuse("others", "...", "is not JSON", "Give it as one text, by the filter to_json")
        document = build(params["payers"], params["form"], others)
    return Wanted(
        namespace=params["namespace"],
        secret=params["secret"],
        key=params["key"],
        form=params["form"],
        document=document,
        account=account,
    )


def run(params, check_mode):
    """What the module returns."""
    wanted = wanted_of(params)
    kube = kube_for(params)
    present = params["state"] == "present"
    planned = (plan if present else plan_absent)(read(kube, wanted), wanted)
    if not check_mode:
        apply(kube, planned.changes)
    result = {
        "changed": bool(planned.changes),
        "changes": [change.summary for change in planned.changes],
        **({"checksum": planned.checksum} if present else {"kept": list(planned.kept)}),
    }
    if planned.changes:
        result["diff"] = {"prepared": "".join(f"{line}\n" for line in planned.lines)}
    return result


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        **KUBERNETES_RULES,
    )
    try:
        result = run(module.params, module.check_mode)
    except (AnsibleAWSError, KubeError) as e:
        module.fail_json(msg=str(e))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
