# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the crawler of a report has to run, and what is in its way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _cur_crawler as crawler
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_existing import Existing
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import Delivery, ReportPlace, TableId
from botocore.stub import Stubber

TARGET = TableId("athenacurcfn_kubecost", "kubecost", "eu-west-1", "111111111111", "aws")
PLACE = ReportPlace("example-reports", "cur", "kubecost")
TABLE = {"Name": "kubecost", "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "string"}]}}
DELIVERY = Delivery("2026-01", [{"name": "a", "type": "string"}])
OWNER = {"managed-by": "example"}
READY = {"Name": "AWSCURCrawler-kubecost", "State": "READY", "LastCrawl": {"Status": "SUCCEEDED"}}
STACK = {"StackName": "s", "StackStatus": "CREATE_COMPLETE", "Tags": [{"Key": "managed-by", "Value": "example"}]}


def found(**members: Any) -> crawler.Found:
    """A crawler whose table shows all, with other members; those of `existing` by their own name."""
    existing = {"table": TABLE, "delivery": DELIVERY, "partition_missing": False}
    existing |= {name: members.pop(name) for name in list(members) if name in existing}
    values = {"crawler": READY, "stack": STACK, "template": "x", "database": True, **members}
    return crawler.Found(existing=Existing(**existing), **values)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, None),
        ({"delivery": None, "table": None}, None),
        ({"table": None}, "there is no table yet"),
        ({"partition_missing": True}, "the month 2026-01 is no partition yet"),
        (
            {"delivery": Delivery("2026-01", [{"name": "b", "type": "string"}])},
            "the table has not got the column b yet",
        ),
    ],
)
def test_when_it_has_to_run(members: dict[str, Any], reason: str | None) -> None:
    assert crawler.reason_to_run(found(**members)) == reason


def changes(wanted: bool = True, **members: Any) -> list[str]:
    """What would be done."""
    plan = crawler.plan_run(found(**members), {}, PLACE, wanted, 300)
    return [change.summary for change in plan.changes]


def test_it_is_run_with_a_reason_only() -> None:
    run = ["run the Glue crawler AWSCURCrawler-kubecost, because there is no table yet"]
    assert changes(table=None) == run
    # Check mode, before the stack has made it.
    assert changes(table=None, crawler=None) == run
    assert changes(table=None, crawler=None, template=None) == changes(table=None, wanted=False) == changes() == []


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
def test_a_stack_that_is_broken_is_told(status: str) -> None:
    with pytest.raises(AnsibleAWSError, match=f"stack_name: 's' .*{status}.*delete it, and run this again"):
        crawler.check_stack(found(stack={**STACK, "StackStatus": status}), TARGET, "s")


def test_a_database_that_is_in_the_way_is_told() -> None:
    with pytest.raises(AnsibleAWSError, match="database: 'athenacurcfn_kubecost' exists already in eu-west-1"):
        crawler.check_stack(found(crawler=None, stack=None), TARGET, "s")


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"stack": None},
        {"crawler": None, "stack": {**STACK, "StackStatus": "CREATE_IN_PROGRESS"}},
        {"crawler": None, "stack": None, "database": False},
    ],
)
def test_what_is_in_no_ones_way(members: dict[str, Any]) -> None:
    crawler.check_stack(found(**members), TARGET, "s")


def test_what_is_returned() -> None:
    shape = crawler.shape(found(), PLACE, OWNER)
    assert shape["stack"] == {"name": "s", "status": "CREATE_COMPLETE", "owned": True}
    assert (shape["exists"], shape["state"], shape["last_status"], shape["template"]) == (
        True, "READY", "SUCCEEDED", None,
    )  # fmt: skip
    assert crawler.shape(found(stack={**STACK, "Tags": []}), PLACE, OWNER)["stack"]["owned"] is False
    nothing = crawler.shape(found(crawler=None, stack=None), PLACE, OWNER)
    assert (nothing["exists"], nothing["stack"], nothing["template"]) == (False, None, "x")


@pytest.fixture
def connection() -> AwsConnection:
    """One with credentials that nobody accepts."""
    credentials = {"aws_access_key_id": "example-access-key", "aws_secret_access_key": "example-secret-key"}
    return AwsConnection("eu-west-1", None, credentials)


@pytest.fixture
def glue(connection: AwsConnection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Glue's API, and no time between two questions."""
    monkeypatch.setattr(crawler.time, "sleep", lambda _seconds: None)
    with Stubber(connection.client("glue")) as stubber:
        yield stubber


def run(connection: AwsConnection, timeout: int = 300) -> None:
    """Run it."""
    (change,) = crawler.plan_run(found(table=None), {}, PLACE, True, timeout).changes
    assert change.function is not None
    change.function(connection)


def test_its_end_is_waited_for(connection: AwsConnection, glue: Stubber) -> None:
    glue.add_response("start_crawler", {})
    glue.add_response("get_crawler", {"Crawler": {"State": "RUNNING"}})
    glue.add_response("get_crawler", {"Crawler": READY})
    run(connection)
    glue.assert_no_pending_responses()


def test_one_that_runs_already_is_waited_for(connection: AwsConnection, glue: Stubber) -> None:
    glue.add_client_error("start_crawler", "CrawlerRunningException")
    glue.add_response("get_crawler", {"Crawler": READY})
    run(connection)
    glue.add_response("start_crawler", {})
    run(connection, timeout=0)
    glue.assert_no_pending_responses()


def test_one_that_fails_is_told_with_glues_own_words(connection: AwsConnection, glue: Stubber) -> None:
    last = {"Status": "FAILED", "ErrorMessage": "Insufficient Lake Formation permission(s)"}
    glue.add_response("start_crawler", {})
    glue.add_response("get_crawler", {"Crawler": {"State": "READY", "LastCrawl": last}})
    with pytest.raises(AnsibleAWSError, match="AWSCURCrawler-kubecost failed: Insufficient Lake Formation"):
        run(connection)


def test_what_does_not_exist_is_none(connection: AwsConnection, glue: Stubber) -> None:
    glue.add_client_error("get_crawler", "EntityNotFoundException")
    assert crawler._crawler(connection, "x") is None
    with Stubber(connection.client("cloudformation")) as stacks:
        stacks.add_client_error("describe_stacks", "ValidationError", "Stack with id s does not exist")
        stacks.add_response(
            "describe_stacks",
            {"Stacks": [{"StackName": "s", "StackStatus": "CREATE_COMPLETE", "CreationTime": "2026-01-01T00:00:00Z"}]},
        )
        assert crawler._stack(connection, "s") is None
        assert (crawler._stack(connection, "s") or {})["StackName"] == "s"
