# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading an IAM user with its inline policies and access keys, all calls side by side.

IAM API reference: GetUser (which has boundary and tags), GetUserPolicy, ListUserPolicies, ListAccessKeys and
GetAccessKeyLastUsed; before a deletion also ListAttachedUserPolicies and ListGroupsForUser.
"""

from __future__ import annotations

import functools
import typing as t
from datetime import UTC, datetime

from ansible_collections.amazon.aws.plugins.module_utils.iam import get_iam_access_keys, get_iam_user
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ._access_key_rotation import NOT_YET, Key
from ._connection import AwsConnection
from ._errors import error_handler
from ._iam_principal import read_other_policies
from ._plan import gather

_IamError = error_handler("NoSuchEntity")

# IAM does not tell since when a key is inactive. A tag of the user does: the key's id, a space, the time.
INACTIVE_TAG = "kubestrap.aws/access-key-inactive-since"

# user_name, arn, path, user_id, create_date, permissions_boundary, tags, inline_policies (name -> document),
# access_keys, and what else was read
User = dict[str, t.Any]


def read(
    connection: AwsConnection,
    name: str,
    policy_names: t.Collection[str] = (),
    all_names: bool = False,
    only_key_too: bool = True,
) -> User | None:
    """The user, ``None`` when it does not exist.

    :param policy_names: the inline policies to read, one call each; those that do not exist are left out
    :param all_names: whether the names of all inline policies are read too (one call), as ``inline_policy_names``
    :param only_key_too: whether it is read of an only key, too, when it was last used (one call). Nothing follows from
        it: of two keys it tells which one is not needed any more
    """
    iam = connection.client("iam")
    reads: dict[str, t.Callable[[], t.Any]] = {
        "user": functools.partial(get_iam_user, iam, name, normalize=False),
        "keys": functools.partial(_read_keys, iam, name, only_key_too),
    }
    for policy in policy_names:
        reads[f"policy {policy}"] = functools.partial(_get_policy, iam, name, policy)
    if all_names:
        reads["names"] = functools.partial(_list, iam, "list_user_policies", "PolicyNames", name)
    found = gather(reads)
    if found["user"] is None:
        return None
    user = _user(found["user"], found["keys"])
    documents = {policy: found[f"policy {policy}"] for policy in policy_names}
    user["inline_policies"] = {policy: document for policy, document in documents.items() if document is not None}
    if all_names:
        user["inline_policy_names"] = sorted(found["names"] or [])
    return user


def read_others(connection: AwsConnection, name: str, known: t.Collection[str]) -> dict[str, dict[str, t.Any]]:
    """The other inline policies of the user, which share its quota: name -> document.

    :param known: those that were read already
    :returns: none where these credentials may not look; IAM then has the last word
    """
    iam = connection.client("iam")
    names = functools.partial(_list, iam, "list_user_policies", "PolicyNames", name)
    return read_other_policies(names, functools.partial(_get_policy, iam, name), known)


def read_to_delete(connection: AwsConnection, name: str) -> User | None:
    """The user with all that has to leave before it can be deleted (five calls, and one for each key).

    :returns: ``inline_policy_names``, ``managed_policy_arns``, ``groups`` (names) and ``keys`` are complete; ``None``
        when the user does not exist
    """
    iam = connection.client("iam")
    found = gather(
        {
            "user": functools.partial(get_iam_user, iam, name, normalize=False),
            "keys": functools.partial(_read_keys, iam, name),
            "inline": functools.partial(_list, iam, "list_user_policies", "PolicyNames", name),
            "attached": functools.partial(_list, iam, "list_attached_user_policies", "AttachedPolicies", name),
            "groups": functools.partial(_list, iam, "list_groups_for_user", "Groups", name),
        }
    )
    if found["user"] is None:
        return None
    user = _user(found["user"], found["keys"])
    user["inline_policy_names"] = sorted(found["inline"] or [])
    user["managed_policy_arns"] = sorted(policy["PolicyArn"] for policy in found["attached"] or [])
    user["groups"] = sorted(group["GroupName"] for group in found["groups"] or [])
    return user


def keys_of(user: User | None) -> list[Key]:
    """The keys of a user, as they were read or as they will be."""
    return [
        Key(
            id=key["access_key_id"] or NOT_YET,
            active=key["status"] == "Active",
            created=datetime.fromisoformat(key["create_date"]),
            last_used=_time(key["last_used"]),
            inactive_since=_time(key["inactive_since"]),
        )
        for key in (user or {}).get("access_keys", [])
    ]


def describe_key(key: Key) -> dict[str, t.Any]:
    """A key in the form in which it is read."""
    return {
        "access_key_id": key.id or None,
        "status": "Active" if key.active else "Inactive",
        "create_date": _text(key.created),
        "last_used": _text(key.last_used),
        "inactive_since": _text(key.inactive_since),
    }


def inactive_tag(keys: t.Iterable[Key]) -> str:
    """The value of our tag for these keys, empty when none is inactive. No run leaves two that are."""
    return "".join(f"{key.id} {_text(key.inactive_since)}" for key in keys if key.inactive_since)


def _user(found: dict[str, t.Any], keys: list[dict[str, t.Any]]) -> User:
    tags = boto3_tag_list_to_ansible_dict(found.get("Tags", []))
    for key in keys:
        noted = _noted(tags.get(INACTIVE_TAG, ""), key["access_key_id"])
        key["inactive_since"] = None if key["status"] == "Active" else noted
    return {
        "user_name": found["UserName"],
        "arn": found["Arn"],
        "path": found["Path"],
        "user_id": found["UserId"],
        "create_date": found["CreateDate"].isoformat(),
        "permissions_boundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        "tags": tags,
        "access_keys": keys,
    }


def _noted(tag: str, key_id: str) -> str | None:
    """Since when this key is inactive, as our tag says; ``None`` when it is about another key, or was altered."""
    of, _space, since = tag.partition(" ")
    if of != key_id:
        return None
    try:
        time = datetime.fromisoformat(since)
    except ValueError:
        return None
    return since if time.tzinfo else None


def _read_keys(iam: t.Any, name: str, only_key_too: bool = True) -> list[dict[str, t.Any]]:
    keys = get_iam_access_keys(iam, name)
    ids = [key["access_key_id"] for key in keys] if len(keys) > 1 or only_key_too else []
    last_used = gather({key_id: functools.partial(_get_last_used, iam, key_id) for key_id in ids})
    return [
        {
            "access_key_id": key["access_key_id"],
            "status": key["status"],
            "create_date": _text(_time(key["create_date"])),
            "last_used": _text(last_used.get(key["access_key_id"])),
        }
        for key in keys
    ]


@_IamError.list_error_handler("read when an access key was last used")
def _get_last_used(iam: t.Any, key_id: str) -> datetime | None:
    return iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"].get("LastUsedDate")


@_IamError.list_error_handler("read an inline policy of the user")
def _get_policy(iam: t.Any, name: str, policy: str) -> dict[str, t.Any] | None:
    return iam.get_user_policy(UserName=name, PolicyName=policy)["PolicyDocument"]


@_IamError.list_error_handler("list what belongs to the user")
def _list(iam: t.Any, method: str, key: str, name: str) -> list[t.Any] | None:
    return iam.get_paginator(method).paginate(UserName=name).build_full_result().get(key, [])


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat(timespec="seconds") if time else None
