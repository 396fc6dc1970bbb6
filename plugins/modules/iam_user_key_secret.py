#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_user_key_secret
version_added: 1.0.0
short_description: Keep the access key of an IAM user in a Secret
description:
  - Manages an IAM user with its inline policies, and its access key in two keys of a Secret, as StackGres' backups read it.
  - The key is made and written into the Secret within the module. Its secret is in no variable, no result, no diff and no file.
  - It is replaced in several runs. When it is older than O(max_age), a second key is made and written into the Secret. Once nothing has used the first for
    O(settle_hours), it is made inactive, and after as many hours more deleted. See M(kubestrap.aws.iam_user_access_key).
  - A Secret that lost its key, or was deleted, gets a new key. Nothing is sent when nothing differs. Other keys of the Secret stay as they are.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  state:
    description:
      - V(present) makes user, key and Secret. V(absent) takes away what this module made, and nothing else. The namespace stays.
    type: str
    choices: [present, absent]
    default: present
  user_name:
    description:
      - Name of the user, unique in its account. One that was not made with O(ownership_tags) is refused, since others may use its keys.
    type: str
    required: true
  namespace:
    description:
      - Namespace of the Secret. It is made when it is missing.
    type: str
    required: true
  secret:
    description:
      - Name of the Secret. One whose keys this module did not write is refused.
    type: str
    required: true
  access_key_id_key:
    description:
      - Key in it that has the id.
    type: str
    default: accessKeyId
  secret_access_key_key:
    description:
      - Key in it that has the secret.
    type: str
    default: secretAccessKey
  path:
    description:
      - Path of the user, with a slash at both ends. A user without it is created in V(/).
    type: str
  permissions_boundary:
    description:
      - ARN of the managed policy that bounds what the user may do. An empty string removes the boundary.
    type: str
  inline_policies:
    description:
      - Inline policies, name to document, such as the document C(stackgres_backup_workload) of the lookup P(kubestrap.aws.iam_document#lookup). The user
        has these and no others. IAM allows 2048 characters for all of them together.
    type: dict
  tags:
    description:
      - Tags of the user. Others are removed.
    type: dict
  max_age:
    description:
      - Days after which the key is replaced. Without it a key is kept for ever.
      - V(0) replaces it now; it is meant for one run, such as after a key was leaked.
    type: int
  settle_hours:
    description:
      - How many hours nothing may have used a key that was replaced before it is made inactive, and again before it is deleted.
    type: int
    default: 24
  input_name:
    description:
      - What O(secret) is called in messages; a role gives the name of its variable.
    type: str
    default: secret
  ownership_tags:
    description:
      - Tags that are given to the user only when the task creates it. One that existed before never gets them, and is refused.
      - With O(state=absent) only a user that carries them is deleted. Another one is kept, and RV(kept) says so.
    type: dict
attributes:
  diff_mode:
    details:
      - Of the Secret it is shown that it is written. No value is shown.
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.kubernetes
  - kubestrap.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - In the cluster it takes the verbs C(get), C(create), C(patch) and C(delete) on C(secrets), C(get) and C(create) on C(namespaces). Without C(get) on
    C(namespaces) the namespace has to be there.
  - A Secret that this module made has the label C(app.kubernetes.io/managed-by=kubestrap.aws). Which of its keys it writes is in the Secret's annotation
    C(kubestrap.aws/access-key).
  - Before a key is made, the API server is asked whether it would take the Secret (a dry run). When it refuses the Secret afterwards all the same, the next
    run takes the new key away and makes another one.
  - It makes the calls of M(kubestrap.aws.iam_user_access_key).
seealso:
  - module: kubestrap.aws.iam_user_access_key
  - module: kubestrap.aws.object_store_secret
    description: The same for workloads that read a YAML.
  - module: kubestrap.aws.object_storage_probe
"""

EXAMPLES = r"""
- name: Give the backups of an SGCluster an access key
  kubestrap.aws.iam_user_key_secret:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    profile: cluster
    user_name: stackgres-backup-user
    namespace: databases
    secret: s3-backup-secret
    inline_policies:
      stackgres-backup: >-
        {{ lookup('kubestrap.aws.iam_document', 'stackgres_backup_workload', partition='aws', bucket='example-backups', namespace='databases',
                  cluster='orders') }}
    max_age: 90
    ownership_tags:
      managed-by: example
  register: key

- name: Take the Secret away, and the user with its keys
  kubestrap.aws.iam_user_key_secret:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    profile: cluster
    user_name: stackgres-backup-user
    namespace: databases
    secret: s3-backup-secret
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
  sample: [write the Secret s3-backup-secret in the namespace databases]
access_key_id:
  description: Id of the access key in the Secret; V(null) in check mode for one that would be made.
  returned: O(state=present)
  type: str
  sample: AKIAEXAMPLEEXAMPLE12
new_key:
  description: Whether this task made a key, or would make one in check mode.
  returned: O(state=present)
  type: bool
  sample: false
user_arn:
  description: ARN of the user.
  returned: O(state=present)
  type: str
  sample: arn:aws:iam::222222222222:user/stackgres-backup-user
rotation:
  description: Where the rotation of the key is after this task.
  returned: O(state=present)
  type: dict
  contains:
    state:
      description: V(current), V(old_key_active) or V(old_key_inactive), see M(kubestrap.aws.iam_user_access_key).
      type: str
      returned: always
      sample: current
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
kept:
  description: Why something stays that was to go.
  returned: O(state=absent)
  type: list
  elements: str
  sample: [the Secret s3-backup-secret has other keys]
"""

from datetime import UTC, datetime

from ansible_collections.kubestrap.aws.plugins.module_utils import _key_secret
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import USER_ARGUMENTS, Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_RULES,
    kube_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import (
    check_kubernetes_name,
    check_secret_key,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule

ARGUMENTS = dict(
    state=dict(type="str", choices=["present", "absent"], default="present"),
    **KUBERNETES_ARGUMENTS,
    **USER_ARGUMENTS,
    namespace=dict(type="str", required=True),
    secret=dict(type="str", required=True, no_log=False),
    access_key_id_key=dict(type="str", default="accessKeyId", no_log=False),
    secret_access_key_key=dict(type="str", default="secretAccessKey", no_log=False),
    input_name=dict(type="str", default="secret"),
    **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
    **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
)


def wanted_of(params):
    """What the task asks for.

    :raises AnsibleAWSError: names the option that is wrong
    """
    check_kubernetes_name("namespace", params["namespace"], "namespace")
    check_kubernetes_name(params["input_name"], params["secret"], "secret")
    for option in ("access_key_id_key", "secret_access_key_key"):
        check_secret_key(option, params[option])
    if params["access_key_id_key"] == params["secret_access_key_key"]:
        refuse("secret_access_key_key", params["secret_access_key_key"], "has the id already", "Write another key")
    wanted = _key_secret.Wanted(
        namespace=params["namespace"],
        secret=params["secret"],
        id_key=params["access_key_id_key"],
        secret_key=params["secret_access_key_key"],
        user=params["user_name"],
        settings=Settings.of(params),
        option=params["input_name"],
    )
    wanted.settings.check(wanted.user)
    return wanted


def run(module, kube, wanted):
    """What the module returns."""
    now, absent = datetime.now(UTC), module.params["state"] == "absent"
    connection = module.connection
    state = _key_secret.read(kube, connection, wanted, absent)
    if absent:
        planned = _key_secret.plan_absent(state, wanted)
    else:
        arn = module.principal_arn("user", state["user"], wanted.settings.path, wanted.user)
        planned = _key_secret.plan(state, wanted, arn, now)
    answers = [] if module.check_mode else _key_secret.apply(kube, connection, wanted, planned)
    result = {"changed": bool(planned.changes), "changes": planned.changes}
    if planned.changes:
        result["diff"] = planned.diff
    if absent:
        return {**result, "kept": list(planned.objects.kept)}
    return {**result, **_key_secret.told(planned, answers, now)}


def main():
    module = KubestrapAWSModule(argument_spec=ARGUMENTS, **KUBERNETES_RULES)
    wanted = module.guard(lambda: wanted_of(module.params))
    kube = kube_of(module)
    try:
        result = module.guard(lambda: run(module, kube, wanted))
    except KubeError as e:
        module.fail_json(msg=str(e))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
