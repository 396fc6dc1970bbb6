# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a user: which calls are made, and what becomes of their answers."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any
from urllib.parse import quote

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._access_key_rotation import NOT_YET, Key
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user import (
    INACTIVE_TAG,
    describe_key,
    inactive_tag,
    keys_of,
    read,
    read_to_delete,
)

DOCUMENT = {"Version": "2012-10-17", "Statement": []}
MADE = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
LATER = MADE + datetime.timedelta(days=1)
USER = {
    "Path": "/",
    "UserName": "thanos",
    "UserId": "AIDAEXAMPLEEXAMPLE00",
    "Arn": "arn:aws:iam::222222222222:user/thanos",
    "CreateDate": MADE,
}
READ = {
    "user_name": "thanos",
    "arn": "arn:aws:iam::222222222222:user/thanos",
    "path": "/",
    "user_id": "AIDAEXAMPLEEXAMPLE00",
    "create_date": "2026-01-31T12:00:00+00:00",
    "permissions_boundary": "",
    "tags": {},
    "access_keys": [],
}
ONE = {"AccessKeyId": "AKIAEXAMPLE00ONE", "Status": "Active", "CreateDate": LATER, "UserName": "thanos"}
TWO = {"AccessKeyId": "AKIAEXAMPLE00TWO", "Status": "Inactive", "CreateDate": MADE, "UserName": "thanos"}
NEVER = {"AccessKeyLastUsed": {"Region": "N/A", "ServiceName": "N/A"}, "UserName": "thanos"}
USED = {"AccessKeyLastUsed": {"LastUsedDate": LATER, "Region": "eu-west-1", "ServiceName": "s3"}, "UserName": "thanos"}
NO_KEYS = {"AccessKeyMetadata": [], "IsTruncated": False}


@pytest.fixture
def connection() -> AwsConnection:
    keys = {"aws_access_key_id": "not-a-key-id", "aws_secret_access_key": "not-a-secret-key"}
    return AwsConnection(region="eu-west-1", params=keys)


def answer(connection: AwsConnection, answers: dict[str, Any]) -> list[str]:
    """Have IAM answer by operation, since reads run side by side; the list fills with the operations called.

    :param answers: operation -> an answer, the code of an error, or a function of the request's body
    """
    called: list[str] = []

    def before_call(model: Any, params: dict[str, Any], **_kwargs: Any) -> Any:
        called.append(model.name)
        said = answers[model.name]
        said = said(params["body"]) if callable(said) else said
        if isinstance(said, str):
            return _Response(404), {"Error": {"Code": said, "Message": ""}, "ResponseMetadata": {}}
        return _Response(200), copy.deepcopy(said)  # botocore decodes the documents in it

    connection.client("iam").meta.events.register("before-call.iam", before_call)
    return called


class _Response:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def test_a_user_without_anything(connection: AwsConnection) -> None:
    called = answer(connection, {"GetUser": {"User": USER}, "ListAccessKeys": NO_KEYS})

    assert read(connection, "thanos") == {**READ, "inline_policies": {}}
    assert sorted(called) == ["GetUser", "ListAccessKeys"]


def test_everything_of_a_user(connection: AwsConnection) -> None:
    boundary = "arn:aws:iam::222222222222:policy/boundary"
    noted = "AKIAEXAMPLE00TWO 2026-02-03T00:00:00+00:00"
    tags = {"team": "platform", INACTIVE_TAG: noted}
    full = {
        **USER,
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary},
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    called = answer(
        connection,
        {
            "GetUser": {"User": full},
            "ListAccessKeys": {"AccessKeyMetadata": [ONE, TWO], "IsTruncated": False},
            "GetAccessKeyLastUsed": lambda body: USED if body["AccessKeyId"] == "AKIAEXAMPLE00ONE" else NEVER,
            "GetUserPolicy": lambda body: (
                {"PolicyDocument": quote(json.dumps(DOCUMENT))} if body["PolicyName"] == "here" else "NoSuchEntity"
            ),
            "ListUserPolicies": {"PolicyNames": ["more", "here"], "IsTruncated": False},
        },
    )

    user = read(connection, "thanos", ["here", "gone"], all_names=True)

    assert user == {
        **READ,
        "permissions_boundary": boundary,
        "tags": tags,
        "inline_policies": {"here": DOCUMENT},
        "inline_policy_names": ["here", "more"],
        "access_keys": [
            {
                "access_key_id": "AKIAEXAMPLE00TWO",
                "status": "Inactive",
                "create_date": "2026-01-31T12:00:00+00:00",
                "last_used": None,
                "inactive_since": "2026-02-03T00:00:00+00:00",
            },
            {
                "access_key_id": "AKIAEXAMPLE00ONE",
                "status": "Active",
                "create_date": "2026-02-01T12:00:00+00:00",
                "last_used": "2026-02-01T12:00:00+00:00",
                "inactive_since": None,
            },
        ],
    }
    assert len(called) == 7
    keys = keys_of(user)
    assert keys == [
        Key("AKIAEXAMPLE00TWO", False, MADE, None, datetime.datetime(2026, 2, 3, tzinfo=datetime.UTC)),
        Key("AKIAEXAMPLE00ONE", True, LATER, LATER),
    ]
    assert [describe_key(key) for key in keys] == user["access_keys"]
    assert inactive_tag(keys) == noted


@pytest.mark.parametrize(
    ("status", "tag", "since"),
    [
        ("Inactive", "AKIAEXAMPLE00ONE 2026-02-03T00:00:00+00:00", "2026-02-03T00:00:00+00:00"),
        ("Active", "AKIAEXAMPLE00ONE 2026-02-03T00:00:00+00:00", None),  # somebody made it active again
        ("Inactive", "AKIAEXAMPLE0ELSE 2026-02-03T00:00:00+00:00", None),
        ("Inactive", "AKIAEXAMPLE00ONE yesterday", None),
        ("Inactive", "AKIAEXAMPLE00ONE 2026-02-03", None),  # without a time zone it cannot be compared
        ("Inactive", "AKIAEXAMPLE00ONE", None),
        ("Inactive", "", None),
    ],
)
def test_since_when_a_key_is_inactive(status: str, tag: str, since: str | None, connection: AwsConnection) -> None:
    answer(
        connection,
        {
            "GetUser": {"User": {**USER, "Tags": [{"Key": INACTIVE_TAG, "Value": tag}] if tag else []}},
            "ListAccessKeys": {"AccessKeyMetadata": [{**ONE, "Status": status}], "IsTruncated": False},
            "GetAccessKeyLastUsed": "NoSuchEntity",  # deleted a moment ago
        },
    )

    user = read(connection, "thanos")

    assert user
    assert user["access_keys"][0]["inactive_since"] == since
    assert user["access_keys"][0]["last_used"] is None


@pytest.mark.parametrize(("keys", "asked"), [([ONE], 0), ([ONE, TWO], 2)])
def test_of_an_only_key_nobody_has_to_know_when_it_was_used(
    keys: list[dict[str, Any]], asked: int, connection: AwsConnection
) -> None:
    listed = {"AccessKeyMetadata": keys, "IsTruncated": False}
    called = answer(connection, {"GetUser": {"User": USER}, "ListAccessKeys": listed, "GetAccessKeyLastUsed": USED})

    user = read(connection, "thanos", only_key_too=False)

    assert called.count("GetAccessKeyLastUsed") == asked
    assert user
    assert [bool(key["last_used"]) for key in user["access_keys"]] == [asked > 0] * len(keys)


def test_a_user_who_does_not_exist(connection: AwsConnection) -> None:
    operations = ("GetUser", "GetUserPolicy", "ListAccessKeys", "ListUserPolicies")
    answer(connection, dict.fromkeys((*operations, "ListAttachedUserPolicies", "ListGroupsForUser"), "NoSuchEntity"))

    assert read(connection, "thanos", ["here"], all_names=True) is None
    assert read_to_delete(connection, "thanos") is None


def test_what_has_to_leave_before_a_deletion(connection: AwsConnection) -> None:
    called = answer(
        connection,
        {
            "GetUser": {"User": USER},
            "ListAccessKeys": {"AccessKeyMetadata": [ONE], "IsTruncated": False},
            "GetAccessKeyLastUsed": USED,
            "ListUserPolicies": {"PolicyNames": ["b", "a"], "IsTruncated": False},
            "ListAttachedUserPolicies": {"AttachedPolicies": [{"PolicyArn": "arn:1"}], "IsTruncated": False},
            "ListGroupsForUser": {
                "Groups": [{"GroupName": "g", "Path": "/", "GroupId": "1", "Arn": "arn:g", "CreateDate": MADE}],
                "IsTruncated": False,
            },
        },
    )

    user = read_to_delete(connection, "thanos")

    assert user
    assert {**user, "access_keys": []} == {
        **READ,
        "inline_policy_names": ["a", "b"],
        "managed_policy_arns": ["arn:1"],
        "groups": ["g"],
    }
    assert [key.id for key in keys_of(user)] == ["AKIAEXAMPLE00ONE"]
    assert len(called) == 6


def test_a_refused_call_names_what_was_read(connection: AwsConnection) -> None:
    answer(connection, {"GetUser": {"User": USER}, "ListAccessKeys": "AccessDenied"})

    with pytest.raises(AnsibleAWSError, match="access keys"):
        read(connection, "thanos")


def test_a_key_that_is_yet_to_be_made() -> None:
    described = describe_key(Key(NOT_YET, True, MADE))

    assert described["access_key_id"] is None
    assert keys_of({"access_keys": [described]}) == [Key(NOT_YET, True, MADE)]
    assert keys_of(None) == []
    assert inactive_tag([Key("AKIAEXAMPLE00ONE", True, MADE)]) == ""
