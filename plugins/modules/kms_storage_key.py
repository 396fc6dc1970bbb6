#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: kms_storage_key
version_added: 1.0.0
short_description: Manage a KMS key for buckets in one step
description:
  - Makes a symmetric customer key with its alias, policy, rotation and tags. It is known by its alias.
  - Statements of the key policy are merged by their Sid, so that several tasks can own parts of it. A new key has the statement that leaves it to IAM of
    the account, as KMS' own default.
  - A run that was cut off between key and alias leaves no second key behind. The next one finds the key by a tag.
  - With O(state=absent) KMS deletes the key after some days. Until then O(state=present) takes that back, and makes what it encrypts readable again.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  alias:
    description:
      - Alias of the key, with or without V(alias/) in front of it.
    type: str
    required: true
  state:
    description:
      - Whether the key exists.
      - What it has encrypted cannot be read without it. A key that was not made with O(ownership_tags) stays.
    type: str
    choices: [present, absent]
    default: present
  description:
    description:
      - What the key is for.
    type: str
  enable_key_rotation:
    description:
      - Whether KMS renews the key's material each year. V(false) leaves it as it is.
    type: bool
    default: true
  policy_statements:
    description:
      - Statements of the key policy. Each has a Sid and takes the place of the one with this Sid. All other statements are kept.
    type: list
    elements: dict
  absent_policy_sids:
    description:
      - Sids of statements that are removed from the key policy, unless they are in O(policy_statements).
      - A V(*) at the end stands for all Sids that begin so.
    type: list
    elements: str
  shared_with:
    description:
      - ARNs of roles and users that use the key through S3, with V(*) in their names where wanted. They get what the document V(object_storage_key) of
        the lookup P(kubestrap.aws.iam_document#lookup) says.
      - Those of the key's own account need no entry while the policy leaves the key to IAM.
      - Those that are let in already and are not named here stay, so that several tasks can each let in a part of them.
    type: list
    elements: str
  absent_shared_with:
    description:
      - ARNs of roles and users that lose their place, unless they are in O(shared_with).
    type: list
    elements: str
  purge_shared_with:
    description:
      - Whether all that O(shared_with) does not name lose their place.
    type: bool
    default: false
  pending_window_in_days:
    description:
      - With O(state=absent), after how many days KMS deletes the key, 7 to 30.
    type: int
    default: 30
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
  - KMS replaces a key policy as a whole. With O(shared_with), one that was changed is read again after a second, and what another run has overwritten
    meanwhile is written again.
  - Where the alias does not exist, the tags of all keys of the account in this region are read.
seealso:
  - module: amazon.aws.kms_key
  - module: kubestrap.aws.s3_storage_bucket
  - plugin: kubestrap.aws.iam_document
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: A key for a bucket that roles of another account use
  kubestrap.aws.kms_storage_key:
    alias: example-thanos
    region: eu-west-1
    shared_with:
      - arn:aws:iam::222222222222:role/thanos-prod-eu
    tags:
      team: platform
  register: key

- name: Have it deleted in a week
  kubestrap.aws.kms_storage_key:
    alias: example-thanos
    region: eu-west-1
    state: absent
    pending_window_in_days: 7
"""

RETURN = r"""
kms_storage_key:
  description: The key as it is after the task, in check mode as it would be; V(null) when it is absent.
  returned: always
  type: dict
  contains:
    alias:
      description: Its alias.
      type: str
      returned: when the key exists
      sample: alias/example-thanos
    aliased:
      description: Whether the alias exists. V(false) only between a run that was cut off and the next one, in check mode.
      type: bool
      returned: when the key exists
      sample: true
    arn:
      description: Its ARN. AWS chooses it, so that it is V(null) in check mode for a key that would be made.
      type: str
      returned: when the key exists
      sample: arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key_id:
      description: Its id; V(null) as the ARN is.
      type: str
      returned: when the key exists
      sample: 1234abcd-12ab-34cd-56ef-1234567890ab
    key_state:
      description: Its state.
      type: str
      returned: when the key exists
      sample: Enabled
    key_spec:
      description: Its kind.
      type: str
      returned: when the key exists
      sample: SYMMETRIC_DEFAULT
    description:
      description: What it is for.
      type: str
      returned: when the key exists
      sample: ""
    enable_key_rotation:
      description: Whether its material is renewed each year.
      type: bool
      returned: when the key exists
      sample: true
    policy:
      description: The key policy.
      type: dict
      returned: when the key exists
      sample: {Version: "2012-10-17", Statement: []}
    tags:
      description: Its tags.
      type: dict
      returned: when the key exists
      sample: {team: platform}
kept:
  description: Why the key stays although O(state=absent).
  returned: when it was not made with O(ownership_tags)
  type: str
  sample: the key alias/example-thanos was not made by this collection (no tag managed-by=kubestrap.aws)
changes:
  description: What was done, or would be done in check mode, one line per call.
  returned: always
  type: list
  elements: str
  sample: ["set the policy of the key alias/example-thanos"]
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._kms_key import PENDING_DELETION, read
from ansible_collections.kubestrap.aws.plugins.module_utils._kms_key_plan import Settings, plan_absent, plan_present
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan

SETTINGS = dict(
    description=dict(type="str"),
    enable_key_rotation=dict(type="bool", default=True, no_log=False),
    policy_statements=dict(type="list", elements="dict"),
    absent_policy_sids=dict(type="list", elements="str"),
    shared_with=dict(type="list", elements="str"),
    absent_shared_with=dict(type="list", elements="str"),
    purge_shared_with=dict(type="bool", default=False),
    tags=dict(type="dict", aliases=["resource_tags"]),
    purge_tags=dict(type="bool", default=True),
    **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
)


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            alias=dict(type="str", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            pending_window_in_days=dict(type="int", default=30),
            **SETTINGS,
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
        ),
    )
    params = module.params
    options = {option: params[option] for option in SETTINGS}
    settings = Settings(**options, region=module.connection.region or "")
    alias = f"alias/{params['alias'].removeprefix('alias/')}"
    module.guard(lambda: settings.check(alias, params["pending_window_in_days"]))
    module.guard(lambda: check_region(module.connection.region))

    def plan(current) -> Plan:
        if params["state"] == "absent":
            return plan_absent(alias, current, params["pending_window_in_days"], settings.ownership_tags)
        return plan_present(alias, current, settings, module.connection.partition, module.account_id)

    shared = ["put_key_policy"] if params["state"] == "present" and settings.sharing else []
    module.manage("kms_storage_key", lambda: seen(read(module.connection, alias), params["state"]), plan, shared=shared)


def check_region(region: str | None) -> None:
    """A key is in one region, that of the buckets.

    :raises AnsibleAWSError: there is none
    """
    if not region:
        refuse("region", region, "is not a region", "Set the region of the buckets, for example eu-west-1")


def seen(key, state):
    """The key as the task looks at it: one that is on its way out is there only for a task that wants it back."""
    gone = key and key["key_state"] == PENDING_DELETION and not key["aliased"]
    return None if gone and state == "absent" else key


if __name__ == "__main__":
    main()
