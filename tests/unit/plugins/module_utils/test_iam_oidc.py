# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenID Connect providers: what is read of one, and what is done to it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_oidc import (
    check_url,
    issuer_host,
    plan_absent,
    plan_present,
    provider_arn,
    read,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan
from botocore.stub import Stubber

URL = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
ARN = f"arn:aws:iam::222222222222:oidc-provider/{URL.removeprefix('https://')}"
TARGET = {"OpenIDConnectProviderArn": ARN}


def existing(**settings: Any) -> dict[str, Any]:
    return {
        "arn": ARN,
        "url": URL,
        "client_ids": ["sts.amazonaws.com"],
        "thumbprints": ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"],
        "tags": {},
        "create_date": "2026-01-31T12:00:00+00:00",
        **settings,
    }


def present(current: dict[str, Any] | None, client_ids: Any = ("sts.amazonaws.com",), **settings: Any) -> Plan:
    return plan_present(current, ARN, URL, list(client_ids), **settings)


def calls(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    assert {change.service for change in plan.changes} <= {"iam"}
    return [(change.method, dict(change.params)) for change in plan.changes]


def test_the_arn_follows_from_the_issuer() -> None:
    assert provider_arn("aws", "222222222222", URL) == ARN
    assert provider_arn("aws-cn", "222222222222", f"{URL}/").startswith("arn:aws-cn:iam::")
    assert issuer_host("https://example.com/") == "example.com"


def test_from_nothing() -> None:
    plan = present(None, tags={"team": "platform"}, ownership_tags={"managed-by": "example"})

    assert calls(plan) == [
        (
            "create_open_id_connect_provider",
            {
                "Url": URL,
                "ClientIDList": ["sts.amazonaws.com"],
                "Tags": [{"Key": "team", "Value": "platform"}, {"Key": "managed-by", "Value": "example"}],
            },
        )
    ]
    assert plan.after == {
        "arn": ARN,
        "url": URL,
        "client_ids": ["sts.amazonaws.com"],
        "tags": {"team": "platform", "managed-by": "example"},
    }
    assert "Tags" not in calls(present(None))[0][1]


def test_no_change() -> None:
    current = existing(client_ids=["sts.amazonaws.com", "vault"], tags={"a": "1"})

    plan = present(current)

    assert not plan.changed
    assert plan.after == current


@pytest.mark.parametrize(
    ("current", "settings", "expected"),
    [
        (
            {"client_ids": []},
            {},
            ("add_client_id_to_open_id_connect_provider", {**TARGET, "ClientID": "sts.amazonaws.com"}),
        ),
        (
            {"client_ids": ["sts.amazonaws.com", "vault"]},
            {"purge_client_ids": True},
            ("remove_client_id_from_open_id_connect_provider", {**TARGET, "ClientID": "vault"}),
        ),
        (
            {"tags": {"a": "1"}},
            {"tags": {"a": "2"}},
            ("tag_open_id_connect_provider", {**TARGET, "Tags": [{"Key": "a", "Value": "2"}]}),
        ),
        ({"tags": {"a": "1"}}, {"tags": {}}, ("untag_open_id_connect_provider", {**TARGET, "TagKeys": ["a"]})),
    ],
)
def test_each_difference_alone(current: dict[str, Any], settings: dict[str, Any], expected: tuple[str, Any]) -> None:
    plan = present(existing(**current), **settings)

    assert calls(plan) == [expected]
    assert plan.after is not None
    assert not present(plan.after, **settings).changed


@pytest.mark.parametrize(
    ("tags", "settings"),
    [
        ({"a": "1", "b": "2"}, {"tags": {"a": "1"}, "purge_tags": False}),
        ({"managed-by": "x"}, {"tags": {}, "ownership_tags": {"managed-by": "x"}}),
        ({}, {"tags": {}, "ownership_tags": {"managed-by": "x"}}),
        ({"aws:x": "1"}, {"tags": {}}),
    ],
)
def test_tags_of_others_are_kept(tags: dict[str, str], settings: dict[str, Any]) -> None:
    assert not present(existing(tags=tags), **settings).changed


def test_absent() -> None:
    ownership = {"managed-by": "example"}
    plan = plan_absent(existing(), ARN)
    kept = plan_absent(existing(), ARN, ownership)

    assert not plan_absent(None, ARN).changed
    assert calls(plan) == [("delete_open_id_connect_provider", TARGET)]
    assert plan.changes[0].done_codes == ("NoSuchEntity",)
    assert plan.after is None
    assert not kept.changed
    assert kept.kept is not None and "was not made by this collection" in kept.kept
    assert plan_absent(existing(tags=ownership), ARN, ownership).changed


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("oidc.example.com/id/1", "it must start with https://"),
        ("http://oidc.example.com", "it must start with https://"),
        ("https://", "it must start with https://"),
        ("https://oidc.example.com:443/id", "it must not have a port"),
        ("https://oidc.example.com/?a=b", "it must not have a query"),
        ("https://oidc.example.com/#a", "it must not have a query or a fragment"),
        (f"https://oidc.example.com/{'x' * 255}", "longer than 255"),
    ],
)
def test_what_is_no_issuer(url: str, problem: str) -> None:
    with pytest.raises(AnsibleAWSError, match=f"^url: .*{problem}"):
        check_url(url)


def test_an_issuer() -> None:
    check_url(URL)


@pytest.fixture
def connection() -> AwsConnection:
    keys = {"aws_access_key_id": "not-a-key-id", "aws_secret_access_key": "not-a-secret-key"}
    return AwsConnection(region="eu-west-1", params=keys)


@pytest.fixture
def iam(connection: AwsConnection) -> Any:
    with Stubber(connection.client("iam")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


ANSWER = {
    "Url": URL.removeprefix("https://"),
    "ClientIDList": ["vault", "sts.amazonaws.com"],
    "ThumbprintList": ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"],
    "CreateDate": datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC),
    "Tags": [{"Key": "a", "Value": "b"}],
}


def test_reading_one(connection: AwsConnection, iam: Stubber) -> None:
    iam.add_response("get_open_id_connect_provider", ANSWER, TARGET)
    iam.add_client_error("get_open_id_connect_provider", "NoSuchEntity")
    iam.add_client_error("get_open_id_connect_provider", "AccessDenied")

    assert read(connection, ARN) == existing(client_ids=["sts.amazonaws.com", "vault"], tags={"a": "b"})
    assert read(connection, ARN) is None
    with pytest.raises(AnsibleAWSError, match="Failed to read the OpenID Connect provider"):
        read(connection, ARN)
