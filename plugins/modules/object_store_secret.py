#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: object_store_secret
version_added: 1.0.0
short_description: Give a workload in a cluster what it needs to open its bucket
description:
  - Manages the objects by which Thanos, or Kubecost's federated storage, opens its bucket. These are the namespace, the Secret with the object-store YAML,
    and the annotations of its ServiceAccounts.
  - The identity is the role of the ServiceAccounts, or an access key in the YAML. The key is one of an IAM user that this module manages (O(user)), or one
    that you have (O(key_pair), O(existing_secret)); the latter is used as it is, and never replaced or deleted.
  - The key of O(user) is made and written into the Secret within the module. Its secret is in no variable, no result and no diff.
  - It is replaced in several runs. When it is older than O(user.max_age), a second key is made and written into the Secret, and RV(checksum) changes, so that
    the pods can be started anew. Once nothing has used the first for O(user.settle_hours), it is made inactive, and after as many hours more deleted. See
    M(kubestrap.aws.iam_user_access_key).
  - A Secret that lost its key, its YAML, or was deleted, gets a new key. Nothing is sent when nothing differs.
  - Other keys of the Secret stay as they are.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  state:
    description:
      - V(present) writes the objects. V(absent) takes away what this module made, and nothing else; with O(user) also that user and its keys. The namespace
        stays, and so does what is in the bucket.
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
    required: true
  key:
    description:
      - Key in the Secret, such as V(federated-store.yaml) for Kubecost.
    type: str
    default: object-store.yaml
  adopt:
    description:
      - Whether the key O(key) of a Secret is overwritten when this module did not write it and it says something else. It is ours from then on, and goes
        with O(state=absent).
      - Without it such a Secret is refused; one that says the same is used and stays.
    type: bool
    default: false
  consumer:
    description:
      - Who reads the YAML. V(thanos_0_32) is Thanos 0.32, which comes with Kubecost 1; V(thanos) is a newer one; V(kubecost) is the federated storage of
        Kubecost 2 and 3.
      - Needed with O(state=present).
    type: str
    choices: [thanos, thanos_0_32, kubecost]
  config:
    description:
      - What the YAML says, by the options of the filter P(kubestrap.aws.object_store_yaml#filter), such as C(bucket), C(region) and C(prefix). Those that are
        null or empty are left out.
      - C(access_key), C(secret_key) and C(session_token) are refused here; use O(key_pair), which no output shows.
      - Either this or O(content) is needed with O(state=present).
    type: dict
  content:
    description:
      - The YAML itself, such as the text of a file that you have. It is checked as the filter P(kubestrap.aws.object_store_facts#filter) does, and
        written as it is, so that a key pair stands in it or not at all.
    type: str
  bucket_region:
    description:
      - Region of the bucket, when you know it. The YAML must not say otherwise.
    type: str
  key_pair:
    description:
      - A key pair that you have.
    type: dict
    suboptions:
      access_key:
        description:
          - Its id. A temporary one (V(ASIA...)) is refused for Kubecost.
        type: str
        required: true
      secret_key:
        description:
          - Its secret.
        type: str
        required: true
      session_token:
        description:
          - The session token of a temporary key. Thanos only.
        type: str
  existing_secret:
    description:
      - A Secret in O(namespace) that has a key pair. It is read and never changed.
    type: dict
    suboptions:
      name:
        description:
          - Name of the Secret.
        type: str
        required: true
      access_key_id_key:
        description:
          - Key in it that has the id.
        type: str
        default: AWS_ACCESS_KEY_ID
      secret_access_key_key:
        description:
          - Key in it that has the secret.
        type: str
        default: AWS_SECRET_ACCESS_KEY
      session_token_key:
        description:
          - Key in it that has the session token of a temporary key. Thanos only.
        type: str
  service_accounts:
    description:
      - The ServiceAccounts of all pods that open the bucket. Leave them out where they are managed elsewhere.
    type: list
    elements: dict
    default: []
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
          - Helm release that makes it, with V(chart). Leave it out where Helm does not install the chart.
        type: str
  input_names:
    description:
      - What inputs are called in messages; a role gives the names of its variables.
    type: dict
    suboptions:
      secret:
        description:
          - For O(secret).
        type: str
        default: secret
      adopt:
        description:
          - For O(adopt).
        type: str
        default: adopt
      config:
        description:
          - For O(config).
        type: str
        default: config
      content:
        description:
          - For O(content).
        type: str
        default: content
      key_pair:
        description:
          - For O(key_pair).
        type: str
        default: key_pair
      existing_secret:
        description:
          - For O(existing_secret).
        type: str
        default: existing_secret
      service_accounts:
        description:
          - For O(service_accounts).
        type: str
        default: service_accounts
      created_by:
        description:
          - For O(service_accounts[].created_by).
        type: str
        default: service_accounts.created_by
      role:
        description:
          - For the role that O(service_accounts[].annotations) name.
        type: str
        default: service_accounts.annotations
attributes:
  diff_mode:
    details:
      - Of the YAML the keys that differ are shown by name. No value is shown.
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.kubernetes
  - kubestrap.aws.account
  - kubestrap.aws.access_key_user
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - In the cluster it takes the verbs C(get), C(create), C(patch) and C(delete) on C(secrets) and C(serviceaccounts), C(get) and C(create) on
    C(namespaces). Without C(get) on C(namespaces) the namespace has to be there.
  - A Secret that this module made has the label C(app.kubernetes.io/managed-by=kubestrap.aws). Which of its keys it writes is in the Secret's annotation
    C(kubestrap.aws/object-store).
  - Before a key is made, the API server is asked whether it would take the Secret (a dry run). When it refuses the Secret afterwards all the same, the next
    run takes the new key away and makes another one.
  - With O(user) it makes the calls of M(kubestrap.aws.iam_user_access_key).
  - A task that no longer names O(user), because the workload has another identity now, leaves the user. Take it away by
    M(kubestrap.aws.iam_user_access_key) with O(kubestrap.aws.iam_user_access_key#module:state=absent), after the pods were started anew.
  - Whether a key works is not asked here; M(kubestrap.aws.object_storage_probe) proves it.
seealso:
  - module: kubestrap.aws.iam_user_access_key
  - module: kubestrap.aws.object_storage_probe
  - module: kubestrap.aws.cloud_integration
    description: The Secret with the billing data of Kubecost and OpenCost.
  - plugin: kubestrap.aws.object_store_yaml
    plugin_type: filter
  - plugin: kubestrap.aws.eks_token
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Tell Thanos where its bucket is, and give its pods a role
  kubestrap.aws.object_store_secret:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    namespace: thanos
    secret: thanos-object-store
    consumer: thanos
    config:
      bucket: example-thanos
      region: eu-west-1
      prefix: prod-eu
    service_accounts:
      - name: thanos-store
        created_by: kubestrap
        annotations:
          eks.amazonaws.com/role-arn: arn:aws:iam::222222222222:role/thanos
      - name: thanos-compact
        created_by: kubestrap
        annotations:
          eks.amazonaws.com/role-arn: arn:aws:iam::222222222222:role/thanos
  register: store

- name: Give Kubecost an access key of a user with one policy, replaced every 90 days
  kubestrap.aws.object_store_secret:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    profile: cluster
    namespace: kubecost
    secret: federated-store
    key: federated-store.yaml
    consumer: kubecost
    config:
      bucket: example-federated-store
      region: eu-west-1
    user:
      user_name: kubecost-federated-store
      inline_policies:
        object-storage: "{{ lookup('kubestrap.aws.iam_document', 'object_storage_workload', partition='aws', bucket='example-federated-store') }}"
      max_age: 90
    ownership_tags:
      managed-by: example
  register: store

- name: Say what comes next
  ansible.builtin.debug:
    msg: "{{ store.rotation.next }}"

- name: Take the Secret away, and the user with its keys
  kubestrap.aws.object_store_secret:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    profile: cluster
    namespace: kubecost
    secret: federated-store
    key: federated-store.yaml
    user:
      user_name: kubecost-federated-store
    ownership_tags:
      managed-by: example
    state: absent
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be done, one line per call; of a key also why.
  returned: success
  type: list
  elements: str
  sample: [make the namespace thanos, write the Secret thanos-object-store in the namespace thanos]
checksum:
  description:
    - SHA-256 of the YAML and of the annotations that the ServiceAccounts need. Pods do not see it when a Secret or an annotation changes; with this value in
      an annotation of theirs they are started anew when it changes, and only then.
    - When in check mode a key would be made, it is another one than now, and than it will be.
  returned: O(state=present)
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
access_key_id:
  description: Id of the access key in the YAML; V(null) when there is none, and in check mode for one that would be made.
  returned: O(state=present)
  type: str
  sample: AKIAEXAMPLEEXAMPLE12
left_access_key_id:
  description:
    - Id of the access key that the YAML had before, when it is no key of O(user). It is told once; the key stays, since pods may still hold it.
  returned: O(state=present)
  type: str
  sample: AKIAEXAMPLEEXAMPLE12
new_key:
  description: Whether this task made a key, or would make one in check mode.
  returned: O(state=present)
  type: bool
  sample: false
rotation:
  description: Where the rotation of the user's key is after this task; V(null) without O(user).
  returned: O(state=present)
  type: dict
  contains:
    state:
      description:
        - V(current) when there is one key, V(old_key_active) when another one has been replaced and may still be in use, V(old_key_inactive)
          when that one waits to be deleted.
      type: str
      returned: always
      sample: old_key_active
    next:
      description: What a later run does, and when, a sentence.
      type: str
      returned: always
      sample: A run after 2026-02-01 12:00 UTC makes the access key AKIAEXAMPLEEXAMPLE11 inactive, unless it is used before
    not_before:
      description: From when on, ISO 8601; V(null) when nothing is to come.
      type: str
      returned: always
      sample: "2026-02-01T12:00:00+00:00"
user_arn:
  description: ARN of the user, in check mode too; V(null) without O(user).
  returned: O(state=present)
  type: str
  sample: arn:aws:iam::222222222222:user/kubecost-federated-store
object_store:
  description: What the YAML says, as the filter P(kubestrap.aws.object_store_facts#filter) tells it. No secret is among it.
  returned: O(state=present)
  type: dict
  sample: {bucket: example-thanos, prefix: prod-eu, region: eu-west-1, has_keys: false, put_object_acl: false, notes: []}
proved:
  description:
    - Whether the annotation C(proof.kubestrap.aws/object-store) of the Secret is RV(checksum). Whoever has used the bucket with this identity writes it, and
      need not do so again while nothing changes.
  returned: O(state=present)
  type: bool
  sample: false
kept:
  description: Why something stays that was to go.
  returned: O(state=absent)
  type: list
  elements: str
  sample: [the Secret thanos-object-store has other keys]
"""

from datetime import UTC, datetime

from ansible_collections.kubestrap.aws.plugins.module_utils import _store_secret
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import USER_ARGUMENTS, Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import KeyPair
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_for,
    kube_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_objects import (
    ACCOUNT_ARGUMENTS,
    Inputs,
    account_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import (
    check_kubernetes_name,
    check_secret_key,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._store_secret_objects import Existing, Wanted
from ansible_collections.kubestrap.aws.plugins.module_utils._store_secret_text import PAIR_KEYS, Source

KEY_PAIR = dict(
    access_key=dict(type="str", required=True, no_log=False),  # an id; messages name it
    secret_key=dict(type="str", required=True, no_log=True),
    session_token=dict(type="str", no_log=True),
)
EXISTING_SECRET = dict(
    name=dict(type="str", required=True),
    access_key_id_key=dict(type="str", default="AWS_ACCESS_KEY_ID", no_log=False),
    secret_access_key_key=dict(type="str", default="AWS_SECRET_ACCESS_KEY", no_log=False),
    session_token_key=dict(type="str", no_log=False),
)
INPUT_NAMES = dict(
    secret=dict(type="str", default="secret", no_log=False),
    adopt=dict(type="str", default="adopt"),
    config=dict(type="str", default="config"),
    content=dict(type="str", default="content"),
    key_pair=dict(type="str", default="key_pair", no_log=False),
    existing_secret=dict(type="str", default="existing_secret", no_log=False),
    service_accounts=dict(type="str", default="service_accounts"),
    created_by=dict(type="str", default="service_accounts.created_by"),
    role=dict(type="str", default="service_accounts.annotations"),
)
ARGUMENTS = dict(
    state=dict(type="str", choices=["present", "absent"], default="present"),
    **KUBERNETES_ARGUMENTS,
    namespace=dict(type="str", required=True),
    secret=dict(type="str", required=True, no_log=False),
    key=dict(type="str", default="object-store.yaml", no_log=False),
    adopt=dict(type="bool", default=False),
    consumer=dict(type="str", choices=["thanos", "thanos_0_32", "kubecost"]),
    config=dict(type="dict"),
    content=dict(type="str", no_log=True),
    bucket_region=dict(type="str"),
    user=dict(type="dict", options=USER_ARGUMENTS),
    key_pair=dict(type="dict", options=KEY_PAIR, no_log=False),
    existing_secret=dict(type="dict", options=EXISTING_SECRET, no_log=False),
    service_accounts=dict(type="list", elements="dict", options=ACCOUNT_ARGUMENTS, default=[]),
    input_names=dict(type="dict", options=INPUT_NAMES),
    **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
    **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
)
RULES = dict(
    required_one_of=KUBERNETES_RULES["required_one_of"],
    required_together=KUBERNETES_RULES["required_together"],
    required_by=KUBERNETES_RULES["required_by"],
    mutually_exclusive=[
        *KUBERNETES_RULES["mutually_exclusive"],
        ("config", "content"),
        ("user", "key_pair", "existing_secret"),
        *(("content", identity) for identity in ("user", "key_pair", "existing_secret")),
    ],
    required_if=[("state", "present", ("consumer",)), ("state", "present", ("config", "content"), True)],
)


def inputs_of(params):
    """What inputs are called in messages."""
    defaults = {name: option["default"] for name, option in INPUT_NAMES.items()}
    return {**defaults, **{name: text for name, text in (params["input_names"] or {}).items() if text}}


def wanted_of(params):
    """The objects that the task asks for.

    :raises AnsibleAWSError: names the option that is wrong
    """
    inputs = inputs_of(params)
    check_kubernetes_name("namespace", params["namespace"], "namespace")
    check_kubernetes_name(inputs["secret"], params["secret"], "secret")
    check_secret_key("key", params["key"])
    option = inputs["service_accounts"]
    called = Inputs(account=option, name=option, created_by=inputs["created_by"], role=inputs["role"])
    accounts = tuple(account_of(option, account, called) for account in params["service_accounts"])
    names = [account.name for account in accounts]
    for name in names:
        if names.count(name) > 1:
            refuse(option, name, "is there twice", "Write each ServiceAccount once")
    existing = params["existing_secret"]
    if existing:
        check_kubernetes_name(f"{inputs['existing_secret']}.name", existing["name"], "secret")
    return Wanted(
        namespace=params["namespace"],
        secret=params["secret"],
        key=params["key"],
        accounts=accounts,
        adopt=params["adopt"],
        existing=Existing(**existing) if existing and params["state"] == "present" else None,
        inputs=inputs,
    )


def task_of(params):
    """What the task asks for.

    :raises AnsibleAWSError: names the option that is wrong
    """
    present = params["state"] == "present"
    source = Source(
        consumer=params["consumer"],
        config=params["config"],
        content=params["content"],
        region=params["bucket_region"] or "",
        inputs=inputs_of(params),
    )
    task = _store_secret.Task(
        wanted=wanted_of(params),
        source=source if present else None,
        pair=KeyPair(**params["key_pair"]) if params["key_pair"] and present else None,
        user=params["user"]["user_name"] if params["user"] else "",
        settings=Settings.of(params["user"] or {}, ownership_tags=params["ownership_tags"]),
    )
    task.check()
    return task


def run(module, kube, task):
    """What the module returns."""
    now = datetime.now(UTC)

    def connection():
        return module.connection

    state = _store_secret.read(kube, connection, task)
    if task.source:
        arn = module.principal_arn("user", state["user"], task.settings.path, task.user) if task.user else ""
        planned = _store_secret.plan(state, task, arn, now)
    else:
        planned = _store_secret.plan_absent(state, task)
    answers = []
    if not module.check_mode:
        planned, answers = _store_secret.apply(kube, connection, task, planned)
    result = {"changed": bool(planned.changes), "changes": planned.changes}
    if planned.changes:
        result["diff"] = planned.diff
    if not task.source:
        return {**result, "kept": list(planned.objects.kept)}
    return {**result, **_store_secret.told(planned, answers, now)}


def main():
    module = KubestrapAWSModule(argument_spec=ARGUMENTS, **RULES)
    params = module.params
    # Where they do not belong; they are refused, and must not be shown then.
    module.no_log_values.update(str(value) for value in map((params["config"] or {}).get, PAIR_KEYS) if value)
    task = module.guard(lambda: task_of(params))
    try:
        kube = kube_of(module) if task.user else kube_for(params)
        result = module.guard(lambda: run(module, kube, task))
    except KubeError as e:
        module.fail_json(msg=str(e))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
