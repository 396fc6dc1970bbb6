# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access keys of IAM users: at most two of them, when each was last used, and users who still have something.

MiniStack 1.5.33 resolves keys, checks their signatures and refuses inactive ones. It gives a user any number of keys,
does not note their use, takes a key away from whoever is named, and deletes a user who has inline policies or groups.
Source: API reference of IAM (CreateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed, DeleteUser), user guide, "IAM and
STS quotas".

For tests, POST /_sandbox/access-keys makes a key older: `{"access_key_id": ..., "created_hours_ago": 2400,
"last_used_hours_ago": 48}`; what is left out stays.
"""

from __future__ import annotations

import time
from typing import Any
from xml.sax.saxutils import escape

from ..aws_errors import aws_error, error_code
from ..call import Call, Response, xml_response
from ..identify import xml_namespace
from .registry import ANY, after, before

KEYS_PER_USER = 2
# With these a call has failed to say who it is, so that nobody has used the key.
_UNAUTHENTICATED = {
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "ConnectionCut",
}
# key id -> seconds since the epoch, region and service of its last use
_last_used: dict[str, tuple[float, str, str]] = {}


def setup(gateway: Any) -> None:
    """Let tests make a key older."""

    @gateway.control("/_sandbox/access-keys", "POST")
    def age(body: dict[str, Any]) -> dict[str, Any]:
        known, key_id = _key(body["access_key_id"]), body["access_key_id"]
        if known is None:
            raise ValueError(f"there is no access key {key_id}")
        now = time.time()
        if "created_hours_ago" in body:
            known["CreateDate"] = _date(now - body["created_hours_ago"] * 3600)
        if "last_used_hours_ago" in body:
            _last_used[key_id] = (now - body["last_used_hours_ago"] * 3600, "us-east-1", "s3")
        return {"access_key_id": key_id, "created": known["CreateDate"]}


@after(ANY, ANY, order=95)
def note_use(call: Call, response: Response, _gateway: Any) -> None:
    """Note who has signed; a call that is denied later has used its key too."""
    if not call.access_key.startswith("AKIA") or _key(call.access_key) is None:
        return
    code = error_code(response)
    if response.status < 400 or (code and code not in _UNAUTHENTICATED):
        _last_used[call.access_key] = (time.time(), call.region, call.notes.get("signing_name", call.service))


@before("iam", "GetAccessKeyLastUsed")
def last_used(call: Call, _gateway: Any) -> Response | None:
    """When, where and by which service, N/A for a key that was never used."""
    from ministack.services import iam

    key_id = call.params.get("AccessKeyId", "")
    known, used = iam._access_keys.get(key_id), _last_used.get(key_id)
    if known is None or used is None:
        return None  # MiniStack says NoSuchEntity, or N/A
    when, region, service = used
    return xml_response(
        f'<GetAccessKeyLastUsedResponse xmlns="{xml_namespace("iam")}"><GetAccessKeyLastUsedResult>'
        f"<UserName>{escape(known['UserName'])}</UserName><AccessKeyLastUsed>"
        f"<LastUsedDate>{_date(when)}</LastUsedDate><ServiceName>{escape(service)}</ServiceName>"
        f"<Region>{escape(region)}</Region></AccessKeyLastUsed></GetAccessKeyLastUsedResult>"
        "<ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ResponseMetadata>"
        "</GetAccessKeyLastUsedResponse>"
    )


@before("iam", "CreateAccessKey", order=30)
def two_keys(call: Call, _gateway: Any) -> Response | None:
    """A user has at most two keys, inactive ones counted."""
    if len(_keys_of(call.params.get("UserName", ""))) < KEYS_PER_USER:
        return None
    return aws_error(call, "LimitExceeded", f"Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}", 409)


@before("iam", "ListAccessKeys", order=30)
def of_a_user_who_exists(call: Call, _gateway: Any) -> Response | None:
    """NoSuchEntity instead of an empty list."""
    from ministack.services import iam

    user = call.params.get("UserName")
    if user and user not in iam._users:
        return aws_error(call, "NoSuchEntity", f"The user with name {user} cannot be found.", 404)
    return None


@before("iam", "DeleteAccessKey", order=30)
def own_keys(call: Call, _gateway: Any) -> Response | None:
    """A key is taken away from its own user only."""
    from ministack.services import iam

    user, key_id = call.params.get("UserName"), call.params.get("AccessKeyId", "")
    if user and iam._access_keys.get(key_id, {}).get("UserName", user) != user:
        return aws_error(call, "NoSuchEntity", f"The Access Key with id {key_id} cannot be found.", 404)
    return None


@before("iam", "DeleteUser", order=30)
def empty_users(call: Call, _gateway: Any) -> Response | None:
    """A user who has inline policies or is in a group stays; MiniStack looks at keys and attached policies."""
    from ministack.services import iam

    user = call.params.get("UserName", "")
    if iam._user_inline_policies.get(user):
        return aws_error(call, "DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
    if any(user in group.get("Users", ()) for group in iam._groups.values()):
        return aws_error(call, "DeleteConflict", "Cannot delete entity, must remove users from group first.", 409)
    return None


def _key(key_id: str) -> dict[str, Any] | None:
    """The key of this id, whatever its account."""
    from ministack.services import iam

    return next((key for (_account, known), key in list(iam._access_keys._data.items()) if known == key_id), None)


def _keys_of(user: str) -> list[str]:
    from ministack.services import iam

    return [key_id for key_id, key in iam._access_keys.items() if key["UserName"] == user]


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
