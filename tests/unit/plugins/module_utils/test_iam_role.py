# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a role: which calls are made, and what becomes of their answers."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any
from urllib.parse import quote

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role import read, read_to_delete

DOCUMENT = {"Version": "2012-10-17", "Statement": []}
ROLE = {
    "Path": "/",
    "RoleName": "reader",
    "RoleId": "AROAEXAMPLEEXAMPLE00",
    "Arn": "arn:aws:iam::222222222222:role/reader",
    "CreateDate": datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC),
    "AssumeRolePolicyDocument": quote(json.dumps(DOCUMENT)),
}
READ = {
    "name": "reader",
    "arn": "arn:aws:iam::222222222222:role/reader",
    "path": "/",
    "role_id": "AROAEXAMPLEEXAMPLE00",
    "create_date": "2026-01-31T12:00:00+00:00",
    "description": "",
    "max_session_duration": 3600,
    "permissions_boundary": "",
    "tags": {},
    "assume_role_policy_document": DOCUMENT,
}


@pytest.fixture
def connection() -> AwsConnection:
    keys = {"aws_access_key_id": "not-a-key-id", "aws_secret_access_key": "not-a-secret-key"}
    return AwsConnection(region="eu-west-1", params=keys)


def answer(connection: AwsConnection, answers: dict[str, Any]) -> list[str]:
    """Have IAM answer by operation, since reads run side by side; the list fills with the operations called.

    :param answers: operation -> an answer, or the code of an error
    """
    called: list[str] = []

    def before_call(model: Any, **_kwargs: Any) -> Any:
        called.append(model.name)
        said = answers[model.name]
        if isinstance(said, str):
            return _Response(404), {"Error": {"Code": said, "Message": ""}, "ResponseMetadata": {}}
        return _Response(200), copy.deepcopy(said)  # botocore decodes the documents in it

    connection.client("iam").meta.events.register("before-call.iam", before_call)
    return called


class _Response:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def test_the_role_alone(connection: AwsConnection) -> None:
    called = answer(connection, {"GetRole": {"Role": ROLE}})

    assert read(connection, "reader") == {**READ, "inline_policies": {}}
    assert called == ["GetRole"]


def test_everything_of_a_role(connection: AwsConnection) -> None:
    boundary = "arn:aws:iam::222222222222:policy/boundary"
    full = {
        **ROLE,
        "Description": "Reads",
        "MaxSessionDuration": 7200,
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary},
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    called = answer(
        connection,
        {
            "GetRole": {"Role": full},
            "GetRolePolicy": {"PolicyDocument": quote(json.dumps(DOCUMENT))},
            "ListAttachedRolePolicies": {"AttachedPolicies": [{"PolicyArn": "z"}, {"PolicyArn": "a"}]},
        },
    )

    assert read(connection, "reader", ["p", "q"], attached=True) == {
        **READ,
        "description": "Reads",
        "max_session_duration": 7200,
        "permissions_boundary": boundary,
        "tags": {"a": "b"},
        "inline_policies": {"p": DOCUMENT, "q": DOCUMENT},
        "managed_policy_arns": ["a", "z"],
    }
    assert sorted(called) == ["GetRole", "GetRolePolicy", "GetRolePolicy", "ListAttachedRolePolicies"]


def test_a_policy_that_is_not_there(connection: AwsConnection) -> None:
    answer(
        connection,
        {"GetRole": {"Role": ROLE}, "GetRolePolicy": "NoSuchEntity"},
    )

    role = read(connection, "reader", ["p"])

    assert role is not None
    assert role["inline_policies"] == {}


def test_a_role_that_is_not_there(connection: AwsConnection) -> None:
    operations = (
        "GetRole",
        "GetRolePolicy",
        "ListRolePolicies",
        "ListAttachedRolePolicies",
        "ListInstanceProfilesForRole",
    )
    answer(connection, dict.fromkeys(operations, "NoSuchEntity"))

    assert read(connection, "reader", ["p"], attached=True) is None
    assert read_to_delete(connection, "reader") is None


def test_a_role_to_delete(connection: AwsConnection) -> None:
    called = answer(
        connection,
        {
            "GetRole": {"Role": ROLE},
            "ListRolePolicies": {"PolicyNames": ["q", "p"]},
            "ListAttachedRolePolicies": {"AttachedPolicies": []},
            "ListInstanceProfilesForRole": {"InstanceProfiles": [{"InstanceProfileName": "nodes"}]},
        },
    )

    assert read_to_delete(connection, "reader") == {
        **READ,
        "inline_policy_names": ["p", "q"],
        "managed_policy_arns": [],
        "instance_profiles": ["nodes"],
    }
    assert len(called) == 4


def test_a_refusal(connection: AwsConnection) -> None:
    answer(connection, {"GetRole": "AccessDenied"})

    with pytest.raises(AnsibleAWSError, match="Failed to read the role: .*AccessDenied"):
        read(connection, "reader")
