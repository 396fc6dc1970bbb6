# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes an IAM user with one access key as a task wants it, or takes it away.

Pure: no call, no clock. Reading is in ``_iam_user``, which key has its turn in ``_access_key_rotation``.
"""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import datetime

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list

from ._access_key_rotation import CREATE, DEACTIVATE, DELETE, NOT_YET, Step, decide, follow, look_ahead
from ._iam_principal import check_inline_size, delete_policy, plan_boundary, put_policies
from ._iam_user import INACTIVE_TAG, User, describe_key, inactive_tag, keys_of
from ._iam_user_settings import Settings
from ._identifiers import refuse
from ._ownership import creation_tags, is_foreign, keep_foreign, kept_tags
from ._plan import Change, Plan
from ._tags import plan_tags

# A user who was made a moment ago, and a key that was deleted a moment ago, are not seen everywhere at once.
_USER_NOT_YET = "NoSuchEntity: The user with name"
_KEY_STILL_THERE = "LimitExceeded: AccessKeysPerUser"


def plan_present(
    name: str,
    arn: str,
    current: User | None,
    settings: Settings,
    now: datetime,
    others: t.Mapping[str, dict[str, t.Any]] | None = None,
) -> Plan:
    """What makes the user exist with these settings, and what is done to its keys in this run.

    A key is made last: nothing that comes after it can fail and lose its secret.

    :param arn: of the user, computed
    :param current: as ``read`` returns it
    :param others: the inline policies that ``current`` lacks and that stay; needed where one is put, since all share
        one quota
    :raises AnsibleAWSError: the user is somebody else's or in another path, or has no room for a key that is needed or
        for its inline policies
    """
    if current is None:
        changes, after = _plan_new(name, arn, settings)
    else:
        _refuse_foreign(name, current, settings)
        after = dict(current)
        changes = plan_boundary("user", name, settings.permissions_boundary, current, after)
        changes += _plan_policies(name, current, settings, after, others)
    keys = keys_of(current)
    steps = decide(name, keys, settings.known_access_key_id or "", settings.rules, now)
    keys_after = follow(keys, steps, now)
    after["access_keys"] = [describe_key(key) for key in keys_after]
    making = [step for step in steps if step.action == CREATE]
    changes += [_key_change(name, step) for step in steps if step not in making]
    if current is not None:
        changes += _plan_tags(name, current, settings, inactive_tag(keys_after), after)
    changes += [_key_change(name, step) for step in making]
    if current is None:
        create, *others = changes
        changes = [create, *(dataclasses.replace(change, retry_codes=(_USER_NOT_YET,)) for change in others)]
    return Plan(current, after, changes)


def plan_absent(name: str, current: User | None, ownership_tags: dict[str, str] | None = None) -> Plan:
    """What takes the user away, with its keys and policies.

    :param current: as ``read_to_delete`` returns it
    """
    if current is None:
        return Plan(None, None)
    kept = keep_foreign(current, current["tags"], ownership_tags, f"the user {name}")
    if kept:
        return kept
    target = {"UserName": name}
    steps = [
        *(
            (f"delete the access key {key.id} of the user {name}", "delete_access_key", {"AccessKeyId": key.id})
            for key in keys_of(current)
        ),
        *(
            (f"delete the inline policy {policy} of the user {name}", "delete_user_policy", {"PolicyName": policy})
            for policy in current["inline_policy_names"]
        ),
        *(
            (f"detach {policy} from the user {name}", "detach_user_policy", {"PolicyArn": policy})
            for policy in current["managed_policy_arns"]
        ),
        *(
            (f"take the user {name} out of the group {group}", "remove_user_from_group", {"GroupName": group})
            for group in current["groups"]
        ),
    ]
    changes = [
        Change(summary, "iam", method, {**target, **params}, done_codes=("NoSuchEntity",))
        for summary, method, params in steps
    ]
    # What was deleted a moment ago may still be seen.
    delete = Change(
        f"delete the user {name}",
        "iam",
        "delete_user",
        target,
        retry_codes=("DeleteConflict",),
        attempts=5,
        done_codes=("NoSuchEntity",),
        hints={
            "DeleteConflict": "It has something that somebody else gave it, such as a password, an MFA device or a "
            "certificate. Take that away, and run this again"
        },
    )
    return Plan(current, None, [*changes, delete])


def outcome(planned: Plan, answers: t.Sequence[t.Any], settings: Settings, now: datetime) -> dict[str, t.Any]:
    """What the result says beside the user: the key to hold, its secret when it was just made, what comes next.

    :param answers: of the plan's calls; none in check mode, where the id of a new key is not known
    """
    keys = keys_of(planned.after)
    makes = bool(planned.changes) and planned.changes[-1].method == "create_access_key"
    held = NOT_YET if makes else settings.known_access_key_id or ""
    ahead = look_ahead(keys, held, settings.rules, now)
    made = answers[-1]["AccessKey"] if makes and answers else {}
    result: dict[str, t.Any] = {
        "access_key_id": made.get("AccessKeyId") if makes else held,
        "new_key": makes,
        "rotation": dataclasses.asdict(ahead),
    }
    if made:
        result["secret_access_key"] = made["SecretAccessKey"]
    return result


def _refuse_foreign(name: str, current: User, settings: Settings) -> None:
    """A user whom others use may have keys that others use, so it is not taken over."""
    if is_foreign(current["tags"], settings.ownership_tags):
        missing = ", ".join(f"{key}={value}" for key, value in (settings.ownership_tags or {}).items())
        refuse(
            "user_name",
            name,
            f"is a user whom this collection did not make ({current['arn']} has no tag {missing}); its keys may be in "
            "use elsewhere",
            f"Write another name. If nobody else uses it, give it the tag {missing} and run this again",
        )
    if settings.path is not None and current["path"] != settings.path:
        refuse(
            "path",
            settings.path,
            f"is not the path of the user {name}, which exists as {current['arn']}; another path would give it another "
            "ARN, which policies may name",
            f"Write {current['path']}, choose another name, or delete the user first",
        )


def _plan_new(name: str, arn: str, settings: Settings) -> tuple[list[Change], User]:
    tags = creation_tags(settings.tags, settings.ownership_tags)
    params: dict[str, t.Any] = {"UserName": name, "Path": settings.path or "/"}
    if settings.permissions_boundary:
        params["PermissionsBoundary"] = settings.permissions_boundary
    if tags:
        params["Tags"] = ansible_dict_to_boto3_tag_list(tags)
    after: User = {
        "user_name": name,
        "arn": arn,
        "path": params["Path"],
        "permissions_boundary": settings.permissions_boundary or "",
        "tags": tags,
        "inline_policies": {},
    }
    create = Change(
        f"create the user {name}",
        "iam",
        "create_user",
        params,
        waiter="user_exists",
        waiter_params={"UserName": name, "WaiterConfig": {"Delay": 1, "MaxAttempts": 60}},
    )
    return [create, *_plan_policies(name, dict(after), settings, after)], after


def _plan_policies(
    name: str,
    current: User,
    settings: Settings,
    after: User,
    others: t.Mapping[str, dict[str, t.Any]] | None = None,
) -> list[Change]:
    wanted, inline = settings.documents, dict(current["inline_policies"])
    strangers = [policy for policy in current.get("inline_policy_names", []) if policy not in wanted]
    for policy in strangers:
        inline.pop(policy, None)
    changes, after["inline_policies"] = put_policies("user", name, inline, wanted)
    if changes:
        check_inline_size("user", after["inline_policies"], dict(others or {}))
    # Strangers go first: all inline policies of a user share one small quota.
    changes = [*(delete_policy("user", name, policy) for policy in strangers), *changes]
    if settings.exclusive:
        after["inline_policy_names"] = sorted(wanted)
    return changes


def _plan_tags(name: str, current: User, settings: Settings, noted: str, after: User) -> list[Change]:
    """The user's tags, and the one of ours that notes since when a key is inactive."""

    def tag(tags: dict[str, str], summary: str = f"tag the user {name}") -> Change:
        return Change(summary, "iam", "tag_user", {"UserName": name, "Tags": ansible_dict_to_boto3_tag_list(tags)})

    def untag(keys: list[str], summary: str = f"remove tags from the user {name}") -> Change:
        return Change(summary, "iam", "untag_user", {"UserName": name, "TagKeys": keys})

    has = dict(current["tags"])
    before = has.pop(INACTIVE_TAG, "")
    wanted = kept_tags(settings.tags, settings.ownership_tags, has)
    changes, tags = plan_tags(has, wanted, settings.purge_tags, tag=tag, untag=untag)
    after["tags"] = {**(tags or {}), **({INACTIVE_TAG: noted} if noted else {})}
    if noted and noted != before:
        key_id = noted.partition(" ")[0]
        changes.append(tag({INACTIVE_TAG: noted}, f"note in a tag of the user {name} since when {key_id} is inactive"))
    elif before and not noted:
        changes.append(untag([INACTIVE_TAG], f"remove the note since when a key of the user {name} is inactive"))
    return changes


def _key_change(name: str, step: Step) -> Change:
    target = {"UserName": name, "AccessKeyId": step.key_id}
    if step.action == DELETE:
        summary = f"delete the access key {step.key_id} of the user {name} ({step.reason})"
        return Change(summary, "iam", "delete_access_key", target, done_codes=("NoSuchEntity",))
    if step.action == DEACTIVATE:
        summary = f"make the access key {step.key_id} of the user {name} inactive ({step.reason})"
        return Change(summary, "iam", "update_access_key", {**target, "Status": "Inactive"})
    return Change(
        f"make an access key for the user {name} ({step.reason})",
        "iam",
        "create_access_key",
        {"UserName": name},
        retry_codes=(_KEY_STILL_THERE,),
        attempts=5,
        hints={"LimitExceeded": "It has two keys already, which IAM did not show a moment ago. Run this again"},
    )
