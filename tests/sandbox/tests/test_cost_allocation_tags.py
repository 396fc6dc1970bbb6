# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost allocation tags are activated as AWS activates them, and are columns of what is delivered then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sandbox.billing.columns import OWN_TAGS
from sandbox.tests.billing_tools import PAYER, definition, limited, read_json, refused, report_bucket, rows, unique
from sandbox.tests.billing_tools import delivered_table as table_of

OTHER = "222222222222"
STANDALONE = "333333333333"
THIS_MONTH = f"{datetime.now(UTC):%Y-%m}-01T00:00:00Z"
GUIDE = ["kubernetes_namespace", "kubernetes_deployment", "kubernetes_label_app.kubernetes.io/name"]


def months_ago(number: int, day: int = 1) -> str:
    """A day of a month, that many months ago."""
    now = datetime.now(UTC)
    index = now.year * 12 + now.month - 1 - number
    return f"{index // 12}-{index % 12 + 1:02}-{day:02}T00:00:00Z"


def play(gateway: Any, **body: Any) -> dict[str, Any]:
    """What billing has seen, and time."""
    return gateway.control("/_sandbox/cost-allocation-tags", body)


@pytest.fixture
def ce(gateway: Any) -> Iterator[Any]:
    """The payer's, which nobody has activated anything in."""
    play(gateway, reset=True)
    yield gateway.client("ce", "payer")
    play(gateway, reset=True, seen=list(OWN_TAGS))
    activate(gateway.client("ce", "payer"), *OWN_TAGS)


def activate(ce: Any, *keys: str, status: str = "Active") -> list[dict[str, str]]:
    """The errors of a call that activates keys."""
    entries = [{"TagKey": key, "Status": status} for key in keys]
    return ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=entries)["Errors"]


def statuses(ce: Any, **filters: Any) -> dict[str, str]:
    """The known keys."""
    return {tag["TagKey"]: tag["Status"] for tag in ce.list_cost_allocation_tags(**filters)["CostAllocationTags"]}


def backfill(ce: Any, start: str = THIS_MONTH) -> dict[str, str]:
    """Ask for one."""
    return ce.start_cost_allocation_tag_backfill(BackfillFrom=start)["BackfillRequest"]


def history(ce: Any) -> list[str]:
    """How the backfills are."""
    return [entry["BackfillStatus"] for entry in ce.list_cost_allocation_tag_backfill_history()["BackfillRequests"]]


def test_the_sandbox_has_its_own_keys_activated(gateway: Any) -> None:
    found = statuses(gateway.client("ce", STANDALONE), Status="Active")
    assert found == dict.fromkeys(OWN_TAGS, "Active")


def test_a_key_is_unknown_until_billing_has_seen_it(gateway: Any, ce: Any) -> None:
    assert activate(ce, "team") == [
        {
            "TagKey": "team",
            "Code": "TagKeysNotFoundException",
            "Message": "Failed to update Cost Allocation Tag: team",
        }
    ]
    assert statuses(ce, TagKeys=["team"]) == {}
    play(gateway, seen=["team"])
    assert statuses(ce, TagKeys=["team"]) == {"team": "Inactive"}
    assert activate(ce, "team") == []
    assert statuses(ce, TagKeys=["team"]) == {"team": "Active"}


def test_what_fails_is_said_by_key_and_the_others_are_done(gateway: Any, ce: Any) -> None:
    play(gateway, seen=["a", "b"], refuse={"b": ["Broken", "b is broken"]})
    errors = activate(ce, "a", "b", "c")
    assert [(error["TagKey"], error["Code"]) for error in errors] == [
        ("b", "Broken"),
        ("c", "TagKeysNotFoundException"),
    ]
    assert statuses(ce, Status="Active") == {"a": "Active"}
    play(gateway, refuse={})
    assert activate(ce, "b") == []


def test_a_call_takes_20_keys(gateway: Any, ce: Any) -> None:
    keys = [f"key-{number}" for number in range(21)]
    play(gateway, seen=keys)
    assert activate(ce, *keys[:20]) == []
    with refused("ValidationException", "Member must have length less than or equal to 20"):
        activate(ce, *keys)
    assert statuses(ce, TagKeys=keys[20:]) == {"key-20": "Inactive"}


def test_shapes_are_those_of_the_model(gateway: Any, ce: Any) -> None:
    with refused("ValidationException", "enum value set: [Active, Inactive]"):
        activate(ce, "team", status="on")
    with refused("ValidationException", "less than or equal to 100"):
        statuses(ce, TagKeys=[str(number) for number in range(101)])
    with refused("ValidationException", "less than or equal to 1000"):
        statuses(ce, MaxResults=1001)
    with refused("ValidationException", "regular expression"):
        backfill(ce, "from the first of January")


def test_dates_and_types(gateway: Any, ce: Any) -> None:
    play(gateway, seen=["team", "aws:eks:cluster-name"])
    [team] = ce.list_cost_allocation_tags(TagKeys=["team"])["CostAllocationTags"]
    assert team == {"TagKey": "team", "Type": "UserDefined", "Status": "Inactive"}
    assert activate(ce, "team", "aws:createdBy", "aws:eks:cluster-name") == []
    [team] = ce.list_cost_allocation_tags(TagKeys=["team"])["CostAllocationTags"]
    assert team["LastUpdatedDate"][:10] == f"{datetime.now(UTC):%Y-%m-%d}"
    assert set(statuses(ce, Type="AWSGenerated")) == {"aws:createdBy", "aws:eks:cluster-name"}
    assert set(statuses(ce, Type="UserDefined")) == {"team"}


def test_pages(gateway: Any, ce: Any) -> None:
    keys = {f"key-{number}" for number in range(150)}
    play(gateway, seen=sorted(keys))
    first = ce.list_cost_allocation_tags(Type="UserDefined")
    second = ce.list_cost_allocation_tags(Type="UserDefined", NextToken=first["NextToken"])
    assert len(first["CostAllocationTags"]) == 100 and "NextToken" not in second
    assert {tag["TagKey"] for page in (first, second) for tag in page["CostAllocationTags"]} == keys
    assert len(ce.list_cost_allocation_tags(MaxResults=7)["CostAllocationTags"]) == 7
    with refused("InvalidNextTokenException"):
        ce.list_cost_allocation_tags(NextToken="another")


def test_a_member_may_not_and_a_standalone_account_may(gateway: Any, ce: Any) -> None:
    member = gateway.client("ce", "cluster")
    linked = "Linked account doesn't have access to cost allocation tags."
    with refused("AccessDeniedException", f"Failed to list Cost Allocation Tags: {linked}"):
        statuses(member)
    with refused("AccessDeniedException", f"Failed to update Cost Allocation Tag: {linked}"):
        activate(member, "team")
    with refused("AccessDeniedException", linked):
        backfill(member)
    with refused("AccessDeniedException", linked):
        history(member)
    organization = gateway.client("organizations", OTHER)
    assert organization.describe_organization()["Organization"]["MasterAccountId"] == PAYER

    gateway.control("/_sandbox/settings", {"standalone_accounts": [OTHER]})
    try:
        assert "team" in statuses(member)
        with refused("AWSOrganizationsNotInUseException"):
            organization.describe_organization()
        accounts = gateway.client("organizations", PAYER).list_accounts()["Accounts"]
        assert OTHER not in [account["Id"] for account in accounts]
    finally:
        gateway.control("/_sandbox/settings", {"standalone_accounts": []})
    assert "aws:createdBy" in statuses(gateway.client("ce", STANDALONE))


def test_it_takes_rights(gateway: Any, ce: Any) -> None:
    statement = {"Effect": "Allow", "Action": "ce:ListCostAllocationTags", "Resource": "*"}
    reader = limited(gateway, statement)("ce")
    assert statuses(reader)
    with refused("AccessDeniedException", "ce:UpdateCostAllocationTagsStatus"):
        activate(reader, "team")
    with refused("AccessDeniedException", "ce:StartCostAllocationTagBackfill"):
        backfill(reader)
    with refused("AccessDeniedException", "ce:ListCostAllocationTagBackfillHistory"):
        history(reader)


def test_the_service_is_in_one_region(gateway: Any, ce: Any) -> None:
    with refused("InvalidSignatureException"):
        statuses(gateway.client("ce", "payer", "eu-west-1"))


@pytest.mark.parametrize("start", [months_ago(1, 2), months_ago(13), months_ago(-1), months_ago(0).replace("0Z", "1Z")])
def test_a_backfill_starts_with_a_month_of_the_last_twelve(ce: Any, start: str) -> None:
    with refused("ValidationException"):
        backfill(ce, start)
    assert history(ce) == []


@pytest.mark.parametrize("start", [months_ago(12), THIS_MONTH])
def test_a_backfill_may_start_there(ce: Any, start: str) -> None:
    assert backfill(ce, start)["BackfillFrom"] == start


def test_one_backfill_at_a_time_and_one_in_24_hours(gateway: Any, ce: Any) -> None:
    started = backfill(ce)
    assert started["BackfillStatus"] == "PROCESSING" and "CompletedAt" not in started
    with refused("BackfillLimitExceededException", "already in progress"):
        backfill(ce)
    [ended] = play(gateway, backfill="SUCCEEDED")["backfills"]
    assert ended["CompletedAt"] and history(ce) == ["SUCCEEDED"]
    with refused("LimitExceededException"):
        backfill(ce)
    play(gateway, hours=23)
    with refused("LimitExceededException"):
        backfill(ce)
    play(gateway, hours=1)
    backfill(ce)
    play(gateway, backfill="FAILED")
    assert history(ce) == ["FAILED", "SUCCEEDED"]
    with pytest.raises(RuntimeError, match="no backfill runs"):
        play(gateway, backfill="FAILED")


def test_a_backfill_ends_by_itself_within_a_day(gateway: Any, ce: Any) -> None:
    backfill(ce)
    play(gateway, hours=23)
    assert history(ce) == ["PROCESSING"]
    play(gateway, hours=2)
    assert history(ce) == ["SUCCEEDED"]


def test_activated_keys_are_columns_of_the_next_delivery(gateway: Any, ce: Any) -> None:
    table = table_of(gateway, keep_report=True, rows=2700)
    path = f"cur/{table.report}/20240501-20240601/{table.report}-Manifest.json"

    def columns() -> set[str]:
        listed = read_json(gateway, table.bucket, path)["columns"]
        return {column["name"] for column in listed if column["name"].startswith("resource_tags_")}

    def deliver() -> None:
        body = {"account_id": PAYER, "report_name": table.report, "until": "2024-05-14", "rows": 2700}
        assert gateway.control("/_sandbox/deliver", body)["status"] == "SUCCESS"

    assert columns() == set()
    # Billing has seen the tags of the resources, in the month of the delivery.
    [found] = ce.list_cost_allocation_tags(TagKeys=GUIDE[:1])["CostAllocationTags"]
    assert (found["Status"], found["LastUsedDate"]) == ("Inactive", "2024-05-01T00:00:00Z")
    assert activate(ce, *GUIDE, "aws:eks:cluster-name") == []
    assert columns() == set()
    deliver()
    assert columns() == {
        "resource_tags_aws_eks_cluster_name",
        "resource_tags_user_kubernetes_namespace",
        "resource_tags_user_kubernetes_deployment",
        "resource_tags_user_kubernetes_label_app_kubernetes_io_name",
    }
    glue = gateway.client("glue", "payer")
    table.columns += [{"Name": name, "Type": "string"} for name in sorted(columns())]
    glue.update_table(DatabaseName=table.database, TableInput=table.input())
    query = (
        f"SELECT DISTINCT resource_tags_user_kubernetes_namespace FROM {table.name} "
        "WHERE resource_tags_user_kubernetes_deployment = 'orders'"
    )
    assert rows(gateway.client("athena", "payer"), table, query) == [["shop"]]
    activate(ce, "kubernetes_deployment", status="Inactive")
    deliver()
    assert "resource_tags_user_kubernetes_deployment" not in columns()
    gateway.client("cur", "payer").delete_report_definition(ReportName=table.report)


def test_a_members_report_has_the_tags_of_its_payer(gateway: Any, ce: Any) -> None:
    play(gateway, seen=["payers-choice"])
    activate(ce, "payers-choice")
    bucket, name = report_bucket(gateway, OTHER), unique("members")
    gateway.client("cur", OTHER).put_report_definition(ReportDefinition=definition(bucket, name))
    body = {"account_id": OTHER, "report_name": name, "until": "2024-05-14", "rows": 90}
    assert gateway.control("/_sandbox/deliver", body)["status"] == "SUCCESS"
    listed = read_json(gateway, bucket, f"cur/{name}/20240501-20240601/{name}-Manifest.json", OTHER)["columns"]
    tags = [column["name"] for column in listed if column["name"].startswith("resource_tags_")]
    assert tags == ["resource_tags_user_payers_choice"]
    gateway.client("cur", OTHER).delete_report_definition(ReportName=name)


def test_a_request_to_play_is_checked(gateway: Any) -> None:
    with pytest.raises(RuntimeError, match="does not know minutes; it knows account_id"):
        play(gateway, minutes=3)
