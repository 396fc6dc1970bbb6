#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_workload_role
version_added: 1.0.0
short_description: Manage an IAM role with its trust and policies in one step
description:
  - Makes a role that workloads take, with its trust policy, inline and managed policies, permissions boundary and tags.
  - Several tasks can own parts of one role. Statements of the trust are merged by their Sid, inline policies by their name. What a task does not name is kept.
  - Settings that the task does not set are neither read nor changed.
  - IAM replaces a trust policy as a whole. A trust that was changed is read again after a second, and what another run has overwritten
    meanwhile is written again.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  name:
    description:
      - Name of the role, at most 64 characters, unique in its account whatever its path.
    type: str
    required: true
  state:
    description:
      - Whether the role exists. V(absent) deletes its inline policies with it, detaches managed ones, and takes it out of instance profiles.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - Path of the role, with a slash at both ends. A role without it is created in V(/).
      - IAM cannot move a role, so another path than that of an existing role is an error.
    type: str
  description:
    description:
      - Description of the role.
    type: str
  permissions_boundary:
    description:
      - ARN of the managed policy that bounds what the role may do. An empty string removes the boundary.
    type: str
  max_session_duration:
    description:
      - Seconds that a session of the role may last, 3600 to 43200. A new role has 3600.
    type: int
  trust_statements:
    description:
      - Statements that say who may take the role. Each has a Sid and takes the place of the one with this Sid. A new role needs one.
    type: list
    elements: dict
  absent_trust_sids:
    description:
      - Sids of statements that are removed from the trust.
      - With O(state=absent), from the trust of a role that is kept.
    type: list
    elements: str
  purge_trust_statements:
    description:
      - Whether statements that are not in O(trust_statements) are removed.
    type: bool
    default: false
  trust_size_limit:
    description:
      - Characters that the trust policy may have. AWS raises this quota on request; write the raised one here.
    type: int
    default: 2048
  inline_policies:
    description:
      - Inline policies, name to document. A document is a dictionary, JSON text, or the list of its statements.
      - All inline policies of a role may have 10,240 characters together. Where one is put, those that the task does not name are read too
        (C(iam:ListRolePolicies), C(iam:GetRolePolicy)), and what would not fit is refused before anything is changed.
    type: dict
  absent_inline_policies:
    description:
      - Names of inline policies that are deleted.
    type: list
    elements: str
  managed_policy_arns:
    description:
      - ARNs of managed policies that are attached.
    type: list
    elements: str
  purge_managed_policies:
    description:
      - Whether managed policies that are not in O(managed_policy_arns) are detached.
    type: bool
    default: false
  wait:
    description:
      - Whether the task waits until IAM knows a new role. That it can be taken may last seconds longer, which only an attempt shows.
    type: bool
    default: true
  only_inline_policies:
    description:
      - With O(state=absent), the inline policies of one concern. The role goes with them when no other policy is left on it and it was made with
        O(ownership_tags). Otherwise only these policies go, and the result says in RV(kept) why the role stays.
    type: list
    elements: str
  share_trust:
    description:
      - With O(state=absent), whether the statements of O(absent_trust_sids) stay as long as another inline policy is on the role.
        Another concern may need the same ones.
    type: bool
    default: false
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - kubestrap.aws.ownership
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
seealso:
  - module: amazon.aws.iam_role_info
  - module: kubestrap.aws.iam_oidc_provider
  - plugin: kubestrap.aws.iam_document
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: A role that a ServiceAccount takes and that may read one bucket
  kubestrap.aws.iam_workload_role:
    name: example-reader
    path: /workloads/
    trust_statements:
      - Sid: ClusterProd
        Effect: Allow
        Principal:
          Federated: arn:aws:iam::222222222222:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF
        Action: sts:AssumeRoleWithWebIdentity
        Condition:
          StringEquals:
            oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF:aud: sts.amazonaws.com
            oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF:sub: system:serviceaccount:shop:reader
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

- name: Give the same role one more policy, and leave the rest as it is
  kubestrap.aws.iam_workload_role:
    name: example-reader
    inline_policies:
      list-catalogue:
        - Effect: Allow
          Action: s3:ListBucket
          Resource: arn:aws:s3:::example-catalogue

- name: Trust the cluster no more
  kubestrap.aws.iam_workload_role:
    name: example-reader
    absent_trust_sids: [ClusterProd]
    trust_statements:
      - Sid: Account
        Effect: Allow
        Principal:
          AWS: arn:aws:iam::222222222222:root
        Action: sts:AssumeRole

- name: Take the role away
  kubestrap.aws.iam_workload_role:
    name: example-reader
    state: absent
"""

RETURN = r"""
iam_workload_role:
  description: The role as it is after the task, in check mode as it would be; V(null) when it is absent.
  returned: always
  type: dict
  contains:
    name:
      description: Name of the role.
      type: str
      returned: when the role exists
      sample: example-reader
    arn:
      description: ARN of the role; it follows from account, path and name, so check mode knows it too.
      type: str
      returned: when the role exists
      sample: arn:aws:iam::222222222222:role/workloads/example-reader
    path:
      description: Path of the role.
      type: str
      returned: when the role exists
      sample: /workloads/
    role_id:
      description: The id that AWS gave to the role. A role that is deleted and created again has another one.
      type: str
      returned: when the role existed or was created, not in check mode before its creation
      sample: AROAEXAMPLEEXAMPLE
    create_date:
      description: When it was created, ISO 8601.
      type: str
      returned: when the role existed or was created, not in check mode before its creation
      sample: "2026-01-31T12:00:00+00:00"
    description:
      description: Description of the role, empty for none.
      type: str
      returned: when the role exists
      sample: Reads the catalogue
    max_session_duration:
      description: Seconds that a session may last.
      type: int
      returned: when the role exists
      sample: 3600
    permissions_boundary:
      description: ARN of the permissions boundary, empty for none.
      type: str
      returned: when the role exists
      sample: arn:aws:iam::222222222222:policy/boundary
    assume_role_policy_document:
      description: The trust policy.
      type: dict
      returned: when the role exists
      sample: {Version: "2012-10-17", Statement: []}
    inline_policies:
      description: The inline policies that the task names, name to document.
      type: dict
      returned: with O(state=present)
      sample: {read-catalogue: {Version: "2012-10-17", Statement: []}}
    managed_policy_arns:
      description: ARNs of the attached managed policies, sorted.
      type: list
      elements: str
      returned: with O(managed_policy_arns), and with O(state=absent) when the role is kept
      sample: ["arn:aws:iam::222222222222:policy/common"]
    inline_policy_names:
      description: Names of all inline policies.
      type: list
      elements: str
      returned: with O(state=absent) when the role is kept
      sample: [read-catalogue]
    instance_profiles:
      description: Names of the instance profiles that have the role.
      type: list
      elements: str
      returned: with O(state=absent) when the role is kept
      sample: []
    tags:
      description: Tags of the role.
      type: dict
      returned: when the role exists
      sample: {team: platform}
kept:
  description: Why the role stays although O(state=absent).
  returned: when it was not made with O(ownership_tags), or has other policies than O(only_inline_policies)
  type: str
  sample: the role example-reader was not made by this collection (no tag managed-by=example)
changes:
  description: What was done, or would be done in check mode, one line per call.
  returned: always
  type: list
  elements: str
  sample: ["update the trust policy of the role example-reader"]
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role import read, read_others, read_to_delete
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role_plan import plan_absent, plan_present
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role_settings import Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule

SETTINGS = dict(
    path=dict(type="str"),
    description=dict(type="str"),
    permissions_boundary=dict(type="str"),
    max_session_duration=dict(type="int"),
    trust_statements=dict(type="list", elements="dict"),
    absent_trust_sids=dict(type="list", elements="str"),
    purge_trust_statements=dict(type="bool", default=False),
    trust_size_limit=dict(type="int", default=2048),
    inline_policies=dict(type="dict"),
    absent_inline_policies=dict(type="list", elements="str"),
    managed_policy_arns=dict(type="list", elements="str"),
    purge_managed_policies=dict(type="bool", default=False),
    tags=dict(type="dict", aliases=["resource_tags"]),
    purge_tags=dict(type="bool", default=True),
    **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
)


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            wait=dict(type="bool", default=True),
            only_inline_policies=dict(type="list", elements="str"),
            share_trust=dict(type="bool", default=False),
            **SETTINGS,
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
        ),
    )
    params = module.params
    name = params["name"]
    settings = Settings(**{option: params[option] for option in SETTINGS})
    module.guard(lambda: settings.check(name))
    connection = module.connection

    if params["state"] == "absent":
        module.manage(
            "iam_workload_role",
            lambda: read_to_delete(connection, name),
            lambda current: plan_absent(
                name,
                current,
                params["ownership_tags"],
                params["only_inline_policies"],
                settings.absent_trust_sids,
                params["share_trust"],
            ),
        )

    def plan(current):
        arn = module.principal_arn("role", current, settings.path, name)
        planned = plan_present(name, arn, current, settings, params["wait"])
        # All inline policies of a role share one quota. What else it has matters only where one is put.
        if current and any(change.method == "put_role_policy" for change in planned.changes):
            others = read_others(connection, name, settings.policy_names)
            return plan_present(name, arn, current, settings, params["wait"], others)
        return planned

    attached = settings.managed_policy_arns is not None
    module.manage(
        "iam_workload_role",
        lambda: read(connection, name, settings.policy_names, attached),
        plan,
        shared=["update_assume_role_policy"],
    )


if __name__ == "__main__":
    main()
