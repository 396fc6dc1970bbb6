# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost allocation tags: what is refused before a call, what is read, and what is said of keys that AWS refuses."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _cost_allocation_tags as tags
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from botocore.stub import Stubber

REGION = "us-east-1"
TODAY = datetime.date(2026, 3, 15)
LINKED = "Failed to list Cost Allocation Tags: Linked account doesn't have access to cost allocation tags."


@pytest.fixture
def connection() -> AwsConnection:
    """One in a region in which the service is not."""
    credentials = {"aws_access_key_id": "example-access-key", "aws_secret_access_key": "example-secret-key"}
    return AwsConnection("eu-west-1", None, credentials)


@pytest.fixture
def api(connection: AwsConnection) -> Iterator[Stubber]:
    """The API that answers in us-east-1."""
    with Stubber(connection.client("ce", REGION)) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def entry(key: str, status: str = "Inactive", **more: str) -> dict[str, str]:
    """A tag as AWS lists it."""
    return {"TagKey": key, "Type": "UserDefined", "Status": status, **more}


def test_the_region_of_the_service(connection: AwsConnection) -> None:
    assert tags.service_region(connection) == "us-east-1"
    assert tags.service_region(AwsConnection("cn-north-1")) == "cn-northwest-1"
    with pytest.raises(AnsibleAWSError, match="aws-us-gov, which has no cost allocation tags"):
        tags.service_region(AwsConnection("us-gov-west-1"))


def test_good_keys() -> None:
    good = ["kubernetes_label_app.kubernetes.io/name", "aws:createdBy", "user:team", "Team", "team", "k" * 128]
    tags.check_tag_keys("tag_keys", good)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([""], "tag_keys: '' is empty"),
        ([" "], "tag_keys: ' ' is empty"),
        (["a", "b", "a"], "tag_keys: 'a' is there more than once. Write each key once"),
        (["k" * 129], "has 129 characters"),
        (["resource_tags_user_team"], "is a column of the report, not the key of a tag"),
        (["resourceTags/user:team"], "is a column of the report, not the key of a tag"),
    ],
)
def test_bad_keys(keys: list[str], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        tags.check_tag_keys("tag_keys", keys)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["2026-03-01", "2025-01-01", "1999-12-01"])
def test_good_dates(text: str) -> None:
    tags.check_backfill_from("backfill.from", text, TODAY)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-03-02", "'2026-03-02' is not the first of a month. Write 2026-03-01"),
        ("2026-04-01", "'2026-04-01' is in the future. Write the first of a month that has begun, for example 2026-03"),
        ("2026-13-01", "'2026-13-01' is not a date. Write the first of a month, for example 2026-03-01"),
        ("20260301", "'20260301' is not a date"),
        ("2026-03-01T00:00:00Z", "is not a date"),
        ("January", "'January' is not a date"),
    ],
)
def test_bad_dates(text: str, said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        tags.check_backfill_from("backfill.from", text, TODAY)
    assert str(error.value).startswith("backfill.from: ") and said in str(error.value)


def test_aws_goes_back_twelve_months() -> None:
    tags.check_backfill_age("backfill.from", "2025-03-01", TODAY)
    with pytest.raises(AnsibleAWSError, match="more than twelve months ago.*Write 2025-03-01 or later"):
        tags.check_backfill_age("backfill.from", "2025-02-01", TODAY)


def test_tags_are_read_in_pages(connection: AwsConnection, api: Stubber) -> None:
    asked = {"TagKeys": ["team", "gone", "shop"], "MaxResults": 1000}
    first = {"CostAllocationTags": [entry("shop", "Active", LastUpdatedDate="2026-03-04T10:00:00Z")], "NextToken": "2"}
    api.add_response("list_cost_allocation_tags", first, asked)
    second = {"CostAllocationTags": [entry("team", LastUsedDate="2026-02-01T00:00:00Z")]}
    api.add_response("list_cost_allocation_tags", second, {**asked, "NextToken": "2"})

    found = tags.read(connection, REGION, ["team", "gone", "shop"])

    assert found.pending(["team", "gone", "shop"]) == ["gone"]
    assert list(found.tags.values()) == [
        {
            "tag_key": "team",
            "type": "UserDefined",
            "status": "inactive",
            "last_updated_date": None,
            "last_used_date": "2026-02-01T00:00:00Z",
        },
        {
            "tag_key": "shop",
            "type": "UserDefined",
            "status": "active",
            "last_updated_date": "2026-03-04T10:00:00Z",
            "last_used_date": None,
        },
    ]


def test_a_call_asks_for_100_keys(connection: AwsConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def some(_connection: Any, _region: str, TagKeys: list[str]) -> list[dict[str, str]]:
        asked.append(len(TagKeys))
        return [{"tag_key": key} for key in TagKeys]

    monkeypatch.setattr(tags, "read_tags", some)
    keys = [f"key-{number}" for number in range(201)]
    assert list(tags.read(connection, REGION, keys).tags) == keys
    assert sorted(asked) == [1, 100, 100]


def test_without_keys_nothing_is_asked(connection: AwsConnection, api: Stubber) -> None:
    assert tags.read(connection, REGION, []) == tags.Found({}, [])


def test_backfills_the_last_one_first(connection: AwsConnection, api: Stubber) -> None:
    def request(start: str, asked: str, **more: str) -> dict[str, str]:
        return {"BackfillFrom": f"{start}T00:00:00Z", "RequestedAt": asked, "BackfillStatus": "SUCCEEDED", **more}

    method = "list_cost_allocation_tag_backfill_history"
    older = request("2026-01-01", "2026-02-01T00:00:00Z", CompletedAt="2026-02-01T09:00:00Z")
    api.add_response(method, {"BackfillRequests": [older], "NextToken": "2"}, {"MaxResults": 1000})
    newer = request("2026-02-01", "2026-03-01T01:00:00+01:00")
    api.add_response(method, {"BackfillRequests": [newer]}, {"MaxResults": 1000, "NextToken": "2"})
    found = tags.read(connection, REGION, [], with_backfills=True).backfills
    assert [backfill["from"] for backfill in found] == ["2026-02-01", "2026-01-01"]
    assert found[1] == {
        "from": "2026-01-01",
        "status": "SUCCEEDED",
        "requested_at": "2026-02-01T00:00:00Z",
        "completed_at": "2026-02-01T09:00:00Z",
    }


def test_a_member_is_told_whose_the_tags_are(connection: AwsConnection, api: Stubber) -> None:
    api.add_client_error("list_cost_allocation_tags", "AccessDeniedException", LINKED)
    with Stubber(connection.client("organizations", REGION)) as organizations:
        organizations.add_response("describe_organization", {"Organization": {"MasterAccountId": "111111111111"}})
        with pytest.raises(AnsibleAWSError) as error:
            tags.read(connection, REGION, ["team"])
    assert "Failed to read the cost allocation tags. This account is a member" in str(error.value)
    assert "those of its management account 111111111111. Run this with credentials of that" in str(error.value)


def test_a_member_that_may_not_ask_for_it_is_told_without(connection: AwsConnection, api: Stubber) -> None:
    api.add_client_error("list_cost_allocation_tags", "AccessDeniedException", LINKED)
    with Stubber(connection.client("organizations", REGION)) as organizations:
        organizations.add_client_error("describe_organization", "AccessDeniedException")
        with pytest.raises(AnsibleAWSError, match="those of its management account. Run this"):
            tags.read(connection, REGION, ["team"])


def test_who_has_no_right_is_no_member(connection: AwsConnection, api: Stubber) -> None:
    api.add_client_error("list_cost_allocation_tags", "AccessDeniedException", "is not authorized to perform")
    with pytest.raises(AnsibleAWSError) as error:
        tags.read(connection, REGION, ["team"])
    assert "Failed to read the cost allocation tags" in str(error.value)
    assert "management account" not in str(error.value)


def test_a_call_changes_20_keys_and_all_get_their_turn(connection: AwsConnection, api: Stubber) -> None:
    keys = [f"key-{number}" for number in range(21)]
    calls = [[{"TagKey": key, "Status": "Active"} for key in some] for some in (keys[:20], keys[20:])]
    refusal = {"TagKey": "key-3", "Code": "Broken", "Message": "it is broken"}
    method = "update_cost_allocation_tags_status"
    api.add_response(method, {"Errors": [refusal]}, {"CostAllocationTagsStatus": calls[0]})
    api.add_response(method, {"Errors": []}, {"CostAllocationTagsStatus": calls[1]})
    with pytest.raises(AnsibleAWSError) as error:
        tags.update(connection, REGION, keys, "active")
    assert str(error.value) == (
        "AWS refused to make these cost allocation tags active: key-3: it is broken (Broken). "
        "The other 20 are active now"
    )


def test_what_aws_takes_is_no_error(connection: AwsConnection, api: Stubber) -> None:
    expected = {"CostAllocationTagsStatus": [{"TagKey": "team", "Status": "Inactive"}]}
    api.add_response("update_cost_allocation_tags_status", {"Errors": []}, expected)
    tags.update(connection, REGION, ["team"], "inactive")
