# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which statements are run, how a query is followed, and what its end means. The calls are tests/integration's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._athena_query import (
    Query,
    check_reading,
    fetch,
    follow,
    hint_of,
    start,
)

ID = "5c1a7a4e-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "select 1;",
        "  \n-- all of it\nSELECT 'a; -- b', \"c;d\" FROM t /* ; */ ;\n",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "(SELECT 1) UNION (SELECT 2)",
        "SELECT 'it''s; fine'",
        "SELECT 1 FROM `a;b`",
        "VALUES (1), (2)",
    ],
)
def test_statements_that_only_read(sql: str) -> None:
    check_reading("query", sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "/* SELECT */ INSERT INTO t SELECT 1",
        "-- SELECT\nDROP TABLE t",
        "CREATE TABLE t AS SELECT 1",
        "UNLOAD (SELECT 1) TO 's3://b/' WITH (format = 'PARQUET')",
        "SELECTED",
        # They read, but Athena runs them as DDL, with other results.
        "SHOW TABLES",
        "DESCRIBE t",
        "",
    ],
)
def test_statements_that_do_more(sql: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        check_reading("query", sql)
    assert error.value.message.startswith(f"query: '{sql}' is not a query that only reads. Write a SELECT")


@pytest.mark.parametrize(
    "sql", ["SELECT 1; SELECT 2", "SELECT '--'; DROP TABLE t", "SELECT '/*'; DROP TABLE t -- */", "SELECT 1;;"]
)
def test_more_than_one_statement(sql: str) -> None:
    with pytest.raises(AnsibleAWSError, match="holds more than one statement. Write one: Athena runs one"):
        check_reading("query", sql)


class Athena:
    """An Athena that answers with what it was given, and keeps what it was asked."""

    def __init__(self, states: list[str] | None = None, pages: list[dict[str, Any]] | None = None) -> None:
        self.states = states or []
        self.pages = pages or []
        self.asked: list[dict[str, Any]] = []

    def client(self, service: str, region: str | None = None) -> Athena:
        assert service == "athena"
        return self

    def start_query_execution(self, **params: Any) -> dict[str, str]:
        self.asked.append(params)
        return {"QueryExecutionId": ID}

    def get_query_execution(self, QueryExecutionId: str) -> dict[str, Any]:
        self.asked.append({"id": QueryExecutionId})
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {
            "QueryExecution": {
                "Status": {"State": state, "StateChangeReason": f"because {state}"},
                "Statistics": {"DataScannedInBytes": 7, "EngineExecutionTimeInMillis": 8},
                "ResultConfiguration": {"OutputLocation": "s3://acme/x.csv"},
            }
        }

    def get_paginator(self, operation: str) -> Athena:
        assert operation == "get_query_results"
        return self

    def paginate(self, **params: Any) -> list[dict[str, Any]]:
        self.asked.append(params)
        return self.pages


def page(*rows: list[str | None], types: tuple[str, ...] = ("varchar", "integer")) -> dict[str, Any]:
    """A page of results with columns a and b."""
    columns = [{"Name": name, "Type": kind} for name, kind in zip("ab", types, strict=True)]
    data = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows]
    return {"ResultSet": {"ResultSetMetadata": {"ColumnInfo": columns}, "Rows": data}}


def test_only_what_is_given_is_sent() -> None:
    athena = Athena()
    assert start(athena, "SELECT 1", workgroup="w", database=None, output_location="s3://acme/") == ID
    assert athena.asked == [
        {"QueryString": "SELECT 1", "WorkGroup": "w", "ResultConfiguration": {"OutputLocation": "s3://acme/"}}
    ]
    start(athena, "SELECT 1", database="d", catalog="c", expected_bucket_owner="111111111111")
    assert athena.asked[1] == {
        "QueryString": "SELECT 1",
        "QueryExecutionContext": {"Database": "d", "Catalog": "c"},
        "ResultConfiguration": {"ExpectedBucketOwner": "111111111111"},
    }


class Clock:
    """Time that passes only while one sleeps."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def follow_it(states: list[str], timeout: float) -> tuple[Query, float, int]:
    """The query, how long it was waited for, how often it was looked at."""
    athena, clock = Athena(states), Clock()
    query = follow(athena, ID, timeout=timeout, sleep=clock.sleep, clock=clock)
    return query, clock.now, len(athena.asked)


def test_a_query_is_followed_to_its_end() -> None:
    query, _seconds, looks = follow_it(["QUEUED", "RUNNING", "SUCCEEDED"], 300)
    assert looks == 3
    assert query == Query(ID, "SUCCEEDED", "because SUCCEEDED", 7, 8, "s3://acme/x.csv")
    assert query.ended


def test_when_the_time_is_up_the_state_is_returned() -> None:
    query, seconds, looks = follow_it(["RUNNING"], 10)
    assert (query.state, query.ended) == ("RUNNING", False)
    assert seconds <= 10
    assert 4 <= looks <= 10, "neither once nor all the time"


def test_no_time_is_one_look() -> None:
    query, seconds, looks = follow_it(["RUNNING"], 0)
    assert (query.state, seconds, looks) == ("RUNNING", 0.0, 1)


def test_rows_have_the_names_of_the_columns() -> None:
    athena = Athena(pages=[page(["a", "b"], ["x", "1"], [None, "2"])])
    query = fetch(athena, Query(ID, "SUCCEEDED"), max_rows=5)
    assert query.columns == [{"name": "a", "type": "varchar"}, {"name": "b", "type": "integer"}]
    assert query.rows == [{"a": "x", "b": "1"}, {"a": None, "b": "2"}]
    assert athena.asked == [{"QueryExecutionId": ID, "PaginationConfig": {"MaxItems": 6, "PageSize": 6}}]


def test_rows_of_several_pages_have_one_head() -> None:
    athena = Athena(pages=[page(["a", "b"], ["x", "1"]), page(["a", "b"], ["y", "2"])])
    query = fetch(athena, Query(ID, "SUCCEEDED"), max_rows=2000)
    assert [row["a"] for row in query.rows] == ["x", "a", "y"], "a row that looks like the head is one"
    assert athena.asked[0]["PaginationConfig"]["PageSize"] == 1000


def test_what_show_answers_has_no_head() -> None:
    query = fetch(Athena(pages=[page(["t1", ""], ["t2", ""])]), Query(ID, "SUCCEEDED"), max_rows=1)
    assert query.rows == [{"a": "t1", "b": ""}]


@pytest.mark.parametrize(("state", "most"), [("FAILED", 10), ("RUNNING", 10), ("SUCCEEDED", 0), ("SUCCEEDED", -1)])
def test_where_there_are_no_rows_none_are_asked_for(state: str, most: int) -> None:
    athena = Athena()
    assert fetch(athena, Query(ID, state), max_rows=most).rows == []
    assert not athena.asked


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved or requester is not authorized", "glue_cur_table"),
        ("TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.a.b' does not exist", "names of database and table"),
        ("SCHEMA_NOT_FOUND: line 1:15: Schema 'a' does not exist", "name of the database"),
        ("Insufficient Lake Formation permission(s) on t (Error Code: AccessDeniedException)", "in Lake Formation"),
        ("Permission denied on S3 path: s3://acme/a", "s3:ListBucket and s3:GetObject"),
        ("Access denied when writing output to url: s3://acme/x.csv", "s3:PutObject on the results bucket"),
        ("No output location provided. An output location is required", "Set output_location"),
        ("Unable to verify/create output bucket acme", "must exist"),
        ("The S3 location provided to save your query results is invalid.", "in the region of the query"),
        ("Bytes scanned limit was exceeded", "Raise bytes_scanned_cutoff_per_query"),
        ("User: x is not authorized to perform: glue:GetTable on resource: y", "Allow that action"),
        ("Something (Error Code: AccessDenied)", "Allow the call"),
    ],
)
def test_what_to_do_about_a_reason(reason: str, hint: str) -> None:
    assert hint in (Query(ID, "FAILED", reason).hint or "")
    assert hint_of(reason) == Query(ID, "FAILED", reason).hint


def test_where_we_know_no_more_than_athena() -> None:
    assert Query(ID, "FAILED", "GENERIC_INTERNAL_ERROR: null").hint is None
