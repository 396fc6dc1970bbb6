# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a KMS key as a task wants it, or has it deleted. Pure: no call; reading is in ``_kms_key``."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list

from . import policies
from ._connection import AwsConnection
from ._identifiers import refuse
from ._kms_key import PENDING_DELETION, Key
from ._ownership import creation_tags, is_foreign, keep_foreign, kept_tags
from ._plan import Change, Plan
from ._statements import Statement, check_statements, merge
from ._storage_sharing import Sharing, key_statements, sharing
from ._tags import plan_tags
from .storage_policies import ALIAS_TAG, KEY_SID

# KMS' quota "Key policy document size", in bytes.
_POLICY_SIZE = 32768


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a task; ``None`` means: leave it as it is.

    :ivar enable_key_rotation: ``False`` leaves the rotation as it is
    :ivar region: of the key; needed with ``shared_with``
    """

    description: str | None = None
    enable_key_rotation: bool = True
    policy_statements: t.Sequence[Statement] | None = None
    absent_policy_sids: t.Sequence[str] | None = None
    shared_with: t.Sequence[str] | None = None
    absent_shared_with: t.Sequence[str] | None = None
    purge_shared_with: bool = False
    region: str = ""
    tags: dict[str, str] | None = None
    purge_tags: bool = True
    ownership_tags: dict[str, str] | None = None

    def check(self, alias: str, pending_window_in_days: int = 30) -> None:
        """Refuse bad input before any call.

        :raises AnsibleAWSError: names the option, the value and what to write
        """
        if not re.fullmatch(r"alias/[A-Za-z0-9/_-]{1,250}", alias):
            write = "Write alias/ and letters, digits or characters of /_-, for example alias/example-thanos"
            refuse("alias", alias, "is not an alias of a key", write)
        if alias.startswith("alias/aws/"):
            refuse("alias", alias, "belongs to AWS", "Write another one, for example alias/example-thanos")
        if self.description is not None and len(self.description) > 8192:
            refuse("description", self.description, f"has {len(self.description)} characters", "Write at most 8192")
        check_statements("policy_statements", self.policy_statements)
        if self.sharing:
            self.sharing.check()
        if not 7 <= pending_window_in_days <= 30:
            refuse("pending_window_in_days", pending_window_in_days, "is not allowed", "Write 7 to 30 days")

    @property
    def sharing(self) -> Sharing | None:
        """What is said of those who use the key, if anything is."""
        return sharing(self.shared_with, self.absent_shared_with, self.purge_shared_with)


def account_statement(partition: str, account_id: str) -> Statement:
    """The statement that KMS gives every key: IAM of the account says who may use it. Without it nobody could."""
    return {
        "Sid": "AccountUsesIam",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }


def plan_present(alias: str, current: Key | None, settings: Settings, partition: str, account_id: str) -> Plan:
    """What makes the key exist with these settings.

    :raises AnsibleAWSError: a key of that alias cannot be used
    """
    if current is None:
        return _plan_new(alias, settings, account_statement(partition, account_id))
    _refuse_unusable(current, settings)
    target = {"KeyId": current["key_id"]}
    after = dict(current)
    changes: list[Change] = []

    def change(what: str, method: str, **params: t.Any) -> Change:
        return Change(f"{what} the key {alias}", "kms", method, {**target, **params})

    if current["key_state"] == PENDING_DELETION:
        changes.append(change("cancel the deletion of", "cancel_key_deletion"))
    if current["key_state"] != "Enabled":
        changes.append(change("enable", "enable_key"))
        after["key_state"] = "Enabled"
    if not current["aliased"]:
        params = {"AliasName": alias, "TargetKeyId": current["key_id"]}
        changes.append(Change(f"create the alias {alias}", "kms", "create_alias", params))
        after["aliased"] = True
    if settings.enable_key_rotation and not current["enable_key_rotation"]:
        changes.append(change("enable the yearly rotation of", "enable_key_rotation"))
        after["enable_key_rotation"] = True
    if settings.description is not None and settings.description != current["description"]:
        changes.append(change("describe", "update_key_description", Description=settings.description))
        after["description"] = settings.description
    policy = _policy(alias, current["policy"], settings)
    if policy is not current["policy"]:
        changes.append(change("set the policy of", "put_key_policy", PolicyName="default", Policy=json.dumps(policy)))
        after["policy"] = policy
    more, after["tags"] = plan_tags(
        current["tags"],
        kept_tags(settings.tags, settings.ownership_tags, current["tags"]),
        settings.purge_tags,
        tag=lambda new: change("tag", "tag_resource", Tags=_tag_list(new)),
        untag=lambda keys: change("remove tags from", "untag_resource", TagKeys=keys),
    )
    return Plan(current, after, [*changes, *more])


def plan_absent(
    alias: str, current: Key | None, pending_window_in_days: int, ownership_tags: dict[str, str] | None = None
) -> Plan:
    """What has the key deleted, unless it lacks the ownership tags. KMS waits some days, in which that can be undone.

    :param current: as read; one that is on its way out already, without an alias, is taken for gone
    """
    if current is None or (current["key_state"] == PENDING_DELETION and not current["aliased"]):
        return Plan(None, None)
    kept = keep_foreign(current, current["tags"], ownership_tags, f"the key {alias}")
    if kept:
        return kept
    changes = []
    if current["key_state"] != PENDING_DELETION:
        params = {"KeyId": current["key_id"], "PendingWindowInDays": pending_window_in_days}
        summary = f"have the key {alias} deleted in {pending_window_in_days} days"
        changes.append(Change(summary, "kms", "schedule_key_deletion", params))
    # Last: a run that was cut off before finds the key by it.
    if current["aliased"]:
        summary = f"delete the alias {alias}"
        changes.append(Change(summary, "kms", "delete_alias", {"AliasName": alias}, done_codes=("NotFoundException",)))
    return Plan(current, None, changes)


def _plan_new(alias: str, settings: Settings, account: Statement) -> Plan:
    tags = creation_tags(settings.tags, settings.ownership_tags)
    policy = _policy(alias, {"Version": policies.VERSION, "Statement": [account]}, settings)
    after: Key = {
        "alias": alias,
        # AWS chooses the id, so that nothing can be said of it before.
        "arn": None,
        "key_id": None,
        "description": settings.description or "",
        "key_state": "Enabled",
        "key_spec": "SYMMETRIC_DEFAULT",
        "enable_key_rotation": settings.enable_key_rotation,
        "policy": policy,
        "tags": tags,
        "aliased": True,
    }
    made: list[str] = []

    def create(connection: AwsConnection) -> t.Any:
        answer = connection.client("kms").create_key(
            Description=settings.description or "",
            Policy=json.dumps(policy),
            Tags=_tag_list({**tags, ALIAS_TAG: alias}),
        )
        made.append(answer["KeyMetadata"]["KeyId"])
        return answer

    def with_key(method: str, key: str, **params: t.Any) -> t.Callable[[AwsConnection], t.Any]:
        return lambda connection: getattr(connection.client("kms"), method)(**{key: made[0]}, **params)

    changes = [
        Change(f"create the key {alias}", "kms", "create_key", function=create),
        Change(
            f"create the alias {alias}",
            "kms",
            "create_alias",
            function=with_key("create_alias", "TargetKeyId", AliasName=alias),
            retry_codes=("NotFoundException",),
        ),
    ]
    if settings.enable_key_rotation:
        rotate = with_key("enable_key_rotation", "KeyId")
        summary = f"enable the yearly rotation of the key {alias}"
        changes.append(
            Change(summary, "kms", "enable_key_rotation", function=rotate, retry_codes=("NotFoundException",))
        )
    return Plan(None, after, changes)


def _refuse_unusable(current: Key, settings: Settings) -> None:
    alias = current["alias"]
    if current["key_spec"] != "SYMMETRIC_DEFAULT":
        problem = f"is an alias of a key of the kind {current['key_spec']}, and S3 uses symmetric keys only"
        refuse("alias", alias, problem, "Write another alias, of a symmetric key or of none")
    if current["key_state"] in ("Enabled", "Creating"):
        return
    if is_foreign(current["tags"], settings.ownership_tags):
        problem = f"is an alias of a key that is {current['key_state']}, and that this collection did not make"
        refuse("alias", alias, problem, "Have its owner enable it, or write another alias")
    if current["key_state"] not in ("Disabled", PENDING_DELETION):
        problem = f"is an alias of a key that is {current['key_state']}"
        refuse("alias", alias, problem, "Write another alias, or see in KMS what the key waits for")


def _policy(alias: str, current: dict[str, t.Any], settings: Settings) -> dict[str, t.Any]:
    """The policy after the merge; the current one itself when nothing differs."""
    wanted, gone = list(settings.policy_statements or ()), list(settings.absent_policy_sids or ())
    if settings.sharing:
        wanted += key_statements(current, settings.sharing, region=settings.region)
        gone.append(KEY_SID)
    merged = merge(current, wanted, gone)
    if merged is None:
        write = "Leave at least one statement, such as the account's own"
        refuse("absent_policy_sids", alias, "would be a key without a policy", write)
    size = policies.size(merged)
    if merged is not current and size > _POLICY_SIZE:
        problem = f"would get a policy of {size} characters; KMS allows {_POLICY_SIZE}"
        write = "Write one role with * in its name for many, or remove those that are gone (absent_shared_with)"
        option = "shared_with" if settings.shared_with else "policy_statements"
        refuse(option, alias, problem, write if settings.shared_with else "Write fewer or shorter statements")
    return merged


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return ansible_dict_to_boto3_tag_list(tags, tag_name_key_name="TagKey", tag_value_key_name="TagValue")
