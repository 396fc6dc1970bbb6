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
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - kubestrap.aws.access_key_user
  - kubestrap.aws.kubernetes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - With O(user) each entry of O(payers) has the user's access key, in the place that O(form) has for it, in place of the ServiceAccount's identity. The key
    is made when it can be written down, told nowhere, and replaced as M(kubestrap.aws.iam_user_access_key) does.
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

- name: Tell Kubecost by an access key of a user that may take the payer's role
  kubestrap.aws.cloud_integration:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    profile: cluster
    region: eu-west-1
    namespace: kubecost
    secret: billing-by-key
    payers:
      - account_id: "111111111111"
        bucket: acme-billing-results/kubecost
        region: us-east-1
        database: billing
        table: kubecost
        workgroup: kubecost
        role_arn: arn:aws:iam::111111111111:role/kubecost-cur-access
    user:
      user_name: kubecost-billing
      inline_policies:
        billing-data: >-
          {{ lookup('kubestrap.aws.iam_document', 'assume_role', role_arns=['arn:aws:iam::111111111111:role/kubecost-cur-access']) }}
      max_age: 90
    ownership_tags: {managed-by: example}
  register: by_key

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
access_key_id:
  description: Id of the key that the workload has after the task; V(null) in check mode when it would be a new one.
  returned: with O(user) and O(state=present)
  type: str
  sample: AKIAIOSFODNN7EXAMPLE
new_key:
  description: Whether the key was made by this task.
  returned: with O(user) and O(state=present)
  type: bool
  sample: false
rotation:
  description: What becomes of the user's keys, as M(kubestrap.aws.iam_user_access_key) returns it.
  returned: with O(user) and O(state=present)
  type: dict
  sample: {state: current, next: "", not_before: null}
user_arn:
  description: ARN of the user, in check mode too.
  returned: with O(user) and O(state=present)
  type: str
  sample: arn:aws:iam::222222222222:user/kubecost-billing
kept:
  description: Why something stays that was to go.
  returned: O(state=absent)
  type: list
  elements: str
  sample: [the Secret cloud-integration has entries that are not ours]
"""

import json
from datetime import UTC, datetime

from ansible_collections.kubestrap.aws.plugins.module_utils import _integration_task
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import USER_ARGUMENTS, Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._integration_objects import Wanted
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_for,
    kube_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_objects import ACCOUNT_ARGUMENTS, account_of
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import check_kubernetes_name
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule

ARGUMENTS = dict(
    state=dict(type="str", choices=["present", "absent"], default="present"),
    **KUBERNETES_ARGUMENTS,
    namespace=dict(type="str", required=True),
    secret=dict(type="str", default="cloud-integration", no_log=False),
    key=dict(type="str", default="cloud-integration.json", no_log=False),
    form=dict(type="str", choices=["legacy", "athena"], default="athena"),
    payers=dict(type="list", elements="dict", default=[]),
    others=dict(type="json", no_log=True),
    user=dict(type="dict", options=USER_ARGUMENTS),
    service_account=dict(type="dict", options=ACCOUNT_ARGUMENTS),
    **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
    **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
)


def task_of(params):
    """What the task asks for.

    :raises AnsibleAWSError: names the option that is wrong
    """
    check_kubernetes_name("namespace", params["namespace"], "namespace")
    check_kubernetes_name("secret", params["secret"], "secret")
    account = params["service_account"] and account_of("service_account", params["service_account"])
    present, user, others = params["state"] == "present", params["user"], {}
    if present:
        try:
            others = json.loads(params["others"] or "{}")
        except ValueError:
            refuse("others", "...", "is not JSON", "Give it as one text, by the filter to_json")
    task = _integration_task.Task(
        wanted=Wanted(
            namespace=params["namespace"],
            secret=params["secret"],
            key=params["key"],
            form=params["form"],
            account=account,
        ),
        payers=params["payers"] if present else None,
        others=others,
        user=user["user_name"] if user else "",
        settings=Settings.of(user or {}, ownership_tags=params["ownership_tags"]),
    )
    task.check()
    return task


def run(module, kube, task):
    """What the module returns."""
    now = datetime.now(UTC)

    def connection():
        return module.connection

    present = task.payers is not None
    state = _integration_task.read(kube, connection, task)
    if present:
        arn = module.principal_arn("user", state["user"], task.settings.path, task.user) if task.user else ""
        planned = _integration_task.plan(state, task, arn, now)
    else:
        planned = _integration_task.plan_absent(state, task)
    answers = []
    if not module.check_mode:
        planned, answers = _integration_task.apply(kube, connection, task, planned)
    result = {"changed": bool(planned.changes), "changes": planned.changes}
    if planned.changes:
        result["diff"] = planned.diff
    if not present:
        return {**result, "kept": list(planned.objects.kept)}
    told = _integration_task.told(planned, answers, now)
    return {**result, "checksum": planned.objects.checksum, **told}


def main():
    module = KubestrapAWSModule(argument_spec=ARGUMENTS, **KUBERNETES_RULES)
    task = module.guard(lambda: task_of(module.params))
    try:
        kube = kube_of(module) if task.user else kube_for(module.params)
        result = module.guard(lambda: run(module, kube, task))
    except KubeError as e:
        module.fail_json(msg=str(e))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
