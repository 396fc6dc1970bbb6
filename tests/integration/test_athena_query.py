# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries of delivered billing data, long ones too: what is returned, what is shown meanwhile, what is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from integration.playbook import Result, run_playbook
from integration.world import World, text
from sandbox.client import Sandbox


@pytest.fixture(scope="module")
def world(gateway_sandbox: Sandbox) -> World:
    """A payer to whom AWS has delivered."""
    made = World(gateway_sandbox, "query-world")
    made.make_buckets()
    made.make_report()
    made.deliver()
    made.make_table()
    return made


@pytest.fixture
def slow(gateway_sandbox: Sandbox) -> Iterator[None]:
    """Queries that take more time than one start of the module waits."""
    gateway_sandbox.settings({"athena_query_seconds": 7})
    yield
    gateway_sandbox.settings({"athena_query_seconds": 0})


def query(
    world: World, sql: str | None, check: bool = False, task: dict[str, Any] | None = None, **options: Any
) -> Result:
    """Run one query in the world by a playbook."""
    given = {
        "query": sql,
        "region": "us-east-1",
        "database": world.database,
        "workgroup": world.name,
        "output_location": world.output_location,
        **options,
    }
    given = {name: value for name, value in given.items() if value is not None}
    tasks = [{"name": "Query", "kubestrap.aws.athena_query": given, **(task or {})}]
    plays = [{"name": "Query", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    return run_playbook(plays, world.sandbox, "payer", check=check)


def test_rows_of_the_billing_data(world: World) -> None:
    sql = (
        f"SELECT line_item_product_code AS product, sum(line_item_unblended_cost) AS cost, count(*) AS number "
        f"FROM {world.table} GROUP BY line_item_product_code ORDER BY number DESC"
    )
    result = query(world, sql)
    assert result.ok, result.report
    assert not result.changed
    seen = result.task("Query").result["query"]
    assert [column["type"] for column in seen["columns"]] == ["varchar", "double", "bigint"]
    assert sum(int(row["number"]) for row in seen["rows"]) > 100
    assert float(seen["rows"][0]["cost"]) > 0
    assert seen["data_scanned_in_bytes"] > 0
    assert seen["output_location"].startswith(f"{world.output_location}/")
    assert result.count(kind="query") == 1
    assert not result.writes


def test_check_mode_calls_nothing(world: World) -> None:
    result = query(world, "SELECT 1", check=True)
    assert result.ok, result.report
    assert result.task("Query").result["query"]["state"] == "NOT_STARTED"
    assert result.count(service="athena") == 0


def test_the_columns_that_kubecost_asks_for(world: World) -> None:
    sql = (
        "SELECT column_name FROM information_schema.columns "
        f"WHERE table_schema = '{world.database}' AND table_name = '{world.table}'"
    )
    names = {row["column_name"] for row in query(world, sql).task("Query").result["query"]["rows"]}
    assert {"line_item_resource_id", "year", "month"} <= names


def test_a_limit_of_the_workgroup_cancels_a_query_and_says_so(world: World) -> None:
    name, athena, s3 = f"{world.name}-limited", world.payer.client("athena"), world.payer.client("s3")
    athena.create_work_group(Name=name, Configuration={"BytesScannedCutoffPerQuery": 10_000_000})
    big = {"Bucket": world.report_bucket, "Key": f"reports/{world.name}/{world.name}/year=2020/month=1/big.parquet"}
    s3.put_object(**big, Body=b"\0" * 11_000_000)
    try:
        result = query(world, f"SELECT count(*) FROM {world.table}", workgroup=name)
    finally:
        s3.delete_object(**big)
    assert not result.ok
    message = result.task("Query").result["msg"]
    assert "ended as CANCELLED: Bytes scanned limit was exceeded" in message
    assert "Raise bytes_scanned_cutoff_per_query of the workgroup" in message


def test_who_may_not_read_the_data_is_told_what_is_missing(world: World) -> None:
    iam, name = world.payer.client("iam"), f"{world.name}-blind"
    everybody = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=text([everybody]))
    results = [f"arn:aws:s3:::{world.results_bucket}{end}" for end in ("", "/*")]
    rights = [
        {"Effect": "Allow", "Action": ["athena:*", "glue:*"], "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*", "Resource": results},
    ]
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=text(rights))
    keys = world.payer.client("sts").assume_role(RoleArn=f"arn:aws:iam::111111111111:role/{name}", RoleSessionName="me")
    given = {
        "profile": "",
        "access_key": keys["Credentials"]["AccessKeyId"],
        "secret_key": keys["Credentials"]["SecretAccessKey"],
        "session_token": keys["Credentials"]["SessionToken"],
    }
    result = query(world, f"SELECT line_item_resource_id FROM {world.table}", **given)
    message = result.task("Query").result["msg"]
    assert "ended as FAILED: Permission denied on S3 path: s3://query-world-report/" in message
    assert f"assumed-role/{name}/me is not authorized to perform: s3:" in message
    assert message.endswith(
        "Allow s3:ListBucket and s3:GetObject on the bucket of the data, and kms:Decrypt on its key"
    )


@pytest.mark.usefixtures("slow")
def test_a_long_query_shows_that_it_is_alive(world: World) -> None:
    result = query(world, "SELECT 42 AS answer")
    assert result.ok, result.report
    seen = result.task("Query").result["query"]
    assert seen["rows"] == [{"answer": "42"}]
    line = f"localhost: Athena query {seen['query_execution_id']} is RUNNING, "
    assert line in result.stderr
    assert " s of at most 300 s, 0 MB scanned" in result.stderr
    assert line not in result.stdout, "which is JSON here, and stays it"
    assert result.count(kind="query") == 1, "each step follows the same query"


@pytest.mark.usefixtures("slow")
def test_when_the_time_is_up_the_state_is_returned_and_the_query_goes_on(world: World) -> None:
    result = query(world, "SELECT 42 AS answer", wait_timeout=1)
    assert result.ok, result.report
    seen = result.task("Query").result["query"]
    assert seen["state"] == "RUNNING"
    assert seen["rows"] == []

    followed = query(world, None, query_execution_id=seen["query_execution_id"])
    assert followed.task("Query").result["query"]["rows"] == [{"answer": "42"}]
    assert followed.count(kind="query") == 0


@pytest.mark.usefixtures("slow")
def test_under_no_log_nothing_is_shown(world: World) -> None:
    result = query(world, "SELECT 'a-customers-name' AS name", task={"no_log": True})
    assert result.ok, result.report
    assert "Athena query" not in result.stderr
    assert "a-customers-name" not in result.stdout + result.stderr
    assert result.count(operation="GetQueryExecution") > 1, "it was waited for"


def workgroup_calls(world: World, **options: Any) -> list[str]:
    """Operations of Athena for one task with a workgroup."""
    given = {"name": f"{world.name}-calls", "region": "us-east-1", "account_id": "111111111111", **options}
    tasks = [{"name": "Workgroup", "kubestrap.aws.athena_workgroup": given}]
    plays = [{"name": "Workgroup", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    result = run_playbook(plays, world.sandbox, "payer")
    assert result.ok, result.report
    assert result.count(operation="GetCallerIdentity") == 0
    return sorted(call["operation"] for call in result.calls if call["service"] == "athena")


def test_the_tags_of_a_workgroup_are_read_only_when_they_are_needed(world: World) -> None:
    owned = {"managed-by": "example"}
    get, tags = "GetWorkGroup", "ListTagsForResource"
    assert workgroup_calls(world, ownership_tags=owned) == ["CreateWorkGroup", get, get]
    assert workgroup_calls(world, ownership_tags=owned, requester_pays_enabled=False) == [get]
    assert workgroup_calls(world, ownership_tags=owned, tags={}) == [get, tags]
    assert workgroup_calls(world, state="absent", ownership_tags=owned) == ["DeleteWorkGroup", get, get, tags, tags]
    assert workgroup_calls(world, state="absent") == [get]
