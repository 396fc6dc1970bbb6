#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_user_access_key
version_added: 1.0.0
short_description: Manage an IAM user of one workload and its access key, with rotation in two phases
description:
  - Makes an IAM user that has the rights of one workload and nothing else, and its access key.
  - The workload reads the key from a place of its own, such as a Kubernetes Secret. The task is told which key id is there, O(known_access_key_id),
    and returns a new key with its secret when there has to be one. Whoever calls it writes that key down and has the workload take it.
    The secret of a key that was made earlier is never returned; IAM tells it once.
  - A key is replaced in several runs. When it is older than O(max_age), a second key is made. Once the second one is the known one and nothing has used
    the first for O(settle_hours), the first is made inactive. After as many hours more without use it is deleted. Until then
    C(aws iam update-access-key --status Active) takes that back.
  - A known key that works is neither made inactive nor deleted, there are never more than two keys, and a run leaves at least one that works.
  - A run that ends before its key was written down does no harm. The key is deleted by the next run, since it is newer than the known one and
    nobody has used it.
  - When the known key is gone, inactive or empty, a new one is made. If there are two already, an inactive one goes first, then one that was never
    used, then the one that was not used for longest. Two keys that were both used within O(settle_hours) are left alone, and the task fails.
  - A user that was not made with O(ownership_tags) is refused, since others may use its keys.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  user_name:
    description:
      - Name of the user, at most 64 characters, unique in its account whatever its path.
    type: str
    required: true
  state:
    description:
      - Whether the user exists. V(absent) deletes its keys, also one that is in use, and its inline policies with it, detaches managed ones, and takes
        it out of groups.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - Path of the user, with a slash at both ends. A user without it is created in V(/).
      - Another path than that of an existing user is an error.
    type: str
  permissions_boundary:
    description:
      - ARN of the managed policy that bounds what the user may do. An empty string removes the boundary.
    type: str
  inline_policies:
    description:
      - Inline policies, name to document. A document is a dictionary, JSON text, or the list of its statements.
      - IAM allows 2048 characters for all of them together.
    type: dict
  purge_inline_policies:
    description:
      - Whether inline policies that are not in O(inline_policies) are deleted, where that option is set.
    type: bool
    default: true
  known_access_key_id:
    description:
      - Id of the access key that the workload holds now, empty when it holds none. It is no secret.
      - An id that is not one of this user's keys counts as none.
    type: str
  max_age:
    description:
      - Days after which the known key is replaced. Without it a key is kept for ever.
      - V(0) replaces it now; it is meant for one run, such as after a key was leaked.
    type: int
  settle_hours:
    description:
      - How many hours nothing may have used a key that was replaced before it is made inactive, and again before it is deleted.
      - It should be longer than the workload can go without using its key, and than the hours that IAM may take to show a use.
    type: int
    default: 24
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - kubestrap.aws.ownership
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
notes:
  - The result has the secret of a new key. Set C(no_log) on the task. In check mode no key is made, so there is none.
  - Since when a key is inactive stands in the tag C(kubestrap.aws/access-key-inactive-since) of the user, because IAM does not tell it. O(purge_tags)
    leaves it alone.
  - Two runs at the same time for one user take each other's new key for one that was left behind. The one that writes its key down last wins, or the
    next run makes a new one.
  - It calls C(iam:GetUser), C(iam:GetUserPolicy), C(iam:ListUserPolicies), C(iam:ListAccessKeys), C(iam:GetAccessKeyLastUsed), and for changes
    C(iam:CreateUser), C(iam:TagUser), C(iam:UntagUser), C(iam:PutUserPermissionsBoundary), C(iam:DeleteUserPermissionsBoundary), C(iam:PutUserPolicy),
    C(iam:DeleteUserPolicy), C(iam:CreateAccessKey), C(iam:UpdateAccessKey) and C(iam:DeleteAccessKey). With O(state=absent) it calls
    C(iam:ListAttachedUserPolicies), C(iam:ListGroupsForUser), C(iam:DetachUserPolicy), C(iam:RemoveUserFromGroup) and C(iam:DeleteUser) too.
seealso:
  - module: amazon.aws.iam_user
  - module: amazon.aws.iam_access_key
    description: Manages single keys of a user whom you manage by hand.
  - module: amazon.aws.iam_access_key_info
  - module: kubestrap.aws.iam_workload_role
    description: A role, which needs no key at all.
"""

EXAMPLES = r"""
- name: A user that may read one bucket, and its key
  kubestrap.aws.iam_user_access_key:
    user_name: example-reader
    path: /workloads/
    inline_policies:
      read-catalogue:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: s3:GetObject
            Resource: arn:aws:s3:::example-catalogue/*
    tags:
      team: platform
  register: reader
  no_log: true

# Write reader.secret_access_key to where the workload reads it, when reader.new_key says that there is a new one.

- name: Replace the key when it is older than 90 days, and take away the one before it
  kubestrap.aws.iam_user_access_key:
    user_name: example-reader
    known_access_key_id: "{{ reader.access_key_id }}"
    max_age: 90
  register: reader
  no_log: true

- name: Say what comes next
  ansible.builtin.debug:
    msg: "{{ reader.rotation.next }}"

- name: Take the user and its keys away
  kubestrap.aws.iam_user_access_key:
    user_name: example-reader
    state: absent
"""

RETURN = r"""
iam_user_access_key:
  description: The user as it is after the task, in check mode as it would be; V(null) when it is absent.
  returned: always
  type: dict
  contains:
    user_name:
      description: Name of the user.
      type: str
      returned: when the user exists
      sample: example-reader
    arn:
      description: ARN of the user; it follows from account, path and name, so check mode knows it too.
      type: str
      returned: when the user exists
      sample: arn:aws:iam::222222222222:user/workloads/example-reader
    path:
      description: Path of the user.
      type: str
      returned: when the user exists
      sample: /workloads/
    user_id:
      description: The id that AWS gave to the user. A user that is deleted and created again has another one.
      type: str
      returned: when the user existed or was created, not in check mode before its creation
      sample: AIDAEXAMPLEEXAMPLE
    create_date:
      description: When it was created, ISO 8601.
      type: str
      returned: when the user existed or was created, not in check mode before its creation
      sample: "2026-01-31T12:00:00+00:00"
    permissions_boundary:
      description: ARN of the permissions boundary, empty for none.
      type: str
      returned: when the user exists
      sample: arn:aws:iam::222222222222:policy/boundary
    inline_policies:
      description: The inline policies that the task names, name to document.
      type: dict
      returned: with O(state=present)
      sample: {read-catalogue: {Version: "2012-10-17", Statement: []}}
    inline_policy_names:
      description: Names of all inline policies.
      type: list
      elements: str
      returned: with O(inline_policies) and O(purge_inline_policies), and with O(state=absent) when the user is kept
      sample: [read-catalogue]
    managed_policy_arns:
      description: ARNs of the attached managed policies, sorted.
      type: list
      elements: str
      returned: with O(state=absent) when the user is kept
      sample: []
    groups:
      description: Names of the groups that the user is in.
      type: list
      elements: str
      returned: with O(state=absent) when the user is kept
      sample: []
    tags:
      description: Tags of the user.
      type: dict
      returned: when the user exists
      sample: {team: platform}
    access_keys:
      description: The access keys, the oldest one first.
      type: list
      elements: dict
      returned: when the user exists
      contains:
        access_key_id:
          description: Id of the key; V(null) in check mode for one that would be made.
          type: str
          returned: always
          sample: AKIAEXAMPLEEXAMPLE12
        status:
          description: V(Active) or V(Inactive).
          type: str
          returned: always
          sample: Active
        create_date:
          description: When it was made, ISO 8601.
          type: str
          returned: always
          sample: "2026-01-31T12:00:00+00:00"
        last_used:
          description: When it was last used, ISO 8601; V(null) when it never was.
          type: str
          returned: always
          sample: "2026-02-01T08:30:00+00:00"
        inactive_since:
          description: When a run made it inactive, or found it so, ISO 8601; V(null) for an active one.
          type: str
          returned: always
          sample: null
access_key_id:
  description:
    - Id of the key that the workload shall hold from now on. When RV(new_key) is true it is that of the new key, which is not known in check mode
      (V(null)); else it is O(known_access_key_id).
  returned: with O(state=present)
  type: str
  sample: AKIAEXAMPLEEXAMPLE12
new_key:
  description: Whether this task made a key, or would make one in check mode.
  returned: with O(state=present)
  type: bool
  sample: true
secret_access_key:
  description: Secret of the key that this task made. It cannot be had again.
  returned: when this task made a key
  type: str
  sample: not-a-secret-key
rotation:
  description: Where the rotation is after this task, provided that the workload then holds RV(access_key_id).
  returned: with O(state=present)
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
kept:
  description: Why the user stays although O(state=absent).
  returned: when it was not made with O(ownership_tags)
  type: str
  sample: the user example-reader was not made by this collection (no tag managed-by=example)
changes:
  description: What was done, or would be done in check mode, one line per call; of a key also why.
  returned: always
  type: list
  elements: str
  sample:
    - make an access key for the user example-reader (AKIAEXAMPLEEXAMPLE11 is 95 days old, max_age is 90 days)
"""

from datetime import UTC, datetime

from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user import read, read_others, read_to_delete
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_plan import outcome, plan_absent, plan_present
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule

SETTINGS = dict(
    path=dict(type="str"),
    permissions_boundary=dict(type="str"),
    inline_policies=dict(type="dict"),
    purge_inline_policies=dict(type="bool", default=True),
    known_access_key_id=dict(type="str", no_log=False),
    max_age=dict(type="int"),
    settle_hours=dict(type="int", default=24),
    tags=dict(type="dict", aliases=["resource_tags"]),
    purge_tags=dict(type="bool", default=True),
    **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
)


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            user_name=dict(type="str", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            **SETTINGS,
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
        ),
    )
    params = module.params
    name = params["user_name"]
    settings = Settings.of(params)
    module.guard(lambda: settings.check(name))
    connection = module.connection

    if params["state"] == "absent":
        module.manage(
            "iam_user_access_key",
            lambda: read_to_delete(connection, name),
            lambda current: plan_absent(name, current, params["ownership_tags"]),
        )

    now = datetime.now(UTC)

    def plan(current):
        arn = module.principal_arn("user", current, settings.path, name)
        planned = plan_present(name, arn, current, settings, now)
        # All inline policies of a user share one quota. What else it has matters only where it stays and one is put.
        put = any(change.method == "put_user_policy" for change in planned.changes)
        if current and put and not settings.exclusive:
            return plan_present(name, arn, current, settings, now, read_others(connection, name, settings.documents))
        return planned

    module.manage(
        "iam_user_access_key",
        lambda: read(connection, name, sorted(settings.documents), settings.exclusive),
        plan,
        outcome=lambda planned, answers: outcome(planned, answers, settings, now),
    )


if __name__ == "__main__":
    main()
