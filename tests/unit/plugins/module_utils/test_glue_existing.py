# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a table or view of somebody else serves, and what is below it."""

from __future__ import annotations

import base64
import copy
import datetime
import json
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _glue_existing as existing
from ansible_collections.kubestrap.aws.plugins.module_utils._cur_schema import base_columns
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import Delivery, ReportPlace, TableId

TARGET = TableId("finops", "bill", "eu-west-1", "111111111111", "aws")
PLACE = ReportPlace("example-reports", "cur", "kubecost")
COLUMNS = [{"Name": column["name"], "Type": column["type"]} for column in base_columns()]
KEYS = [{"Name": "year", "Type": "string"}, {"Name": "month", "Type": "string"}]
TABLE: dict[str, Any] = {
    "Name": "bill",
    "TableType": "EXTERNAL_TABLE",
    "StorageDescriptor": {"Location": PLACE.location.rstrip("/"), "Columns": COLUMNS},
    "PartitionKeys": KEYS,
}


def view(sql: str, columns: list[dict[str, str]] | None = None, schema: str | None = None) -> dict[str, Any]:
    """A view as Athena keeps it."""
    document = {"originalSql": sql, "catalog": "awsdatacatalog", **({"schema": schema} if schema else {})}
    text = base64.b64encode(json.dumps(document).encode()).decode()
    return {
        "Name": "bill",
        "TableType": "VIRTUAL_VIEW",
        "StorageDescriptor": {"Columns": columns or [*COLUMNS, *KEYS], "Location": ""},
        "PartitionKeys": [],
        "ViewOriginalText": f"/* Presto View: {text} */",
    }


def problems(table: dict[str, Any], below: dict[str, Any] | None = None) -> list[str]:
    """What does not serve, in 2026."""
    tables = {TARGET.name: table} if below is None else below
    return existing.differences(existing.Existing(table, tables), PLACE, 2026)


def changed(**members: Any) -> dict[str, Any]:
    """The good table with other members; those of the storage by their own name."""
    table = copy.deepcopy(TABLE)
    for name, value in members.items():
        (table["StorageDescriptor"] if name in table["StorageDescriptor"] else table)[name] = value
    return table


class TestFit:
    def test_a_table_as_a_crawler_makes_it_fits(self) -> None:
        assert problems(TABLE) == []

    def test_what_does_not_exist_is_no_difference(self) -> None:
        assert existing.differences(existing.Existing(None), PLACE, 2026) == []

    def test_further_keys_do_no_harm_and_a_folder_above_the_report_serves(self) -> None:
        further = [{"Name": "report", "Type": "string"}, *KEYS]
        assert problems(changed(PartitionKeys=further, Location="s3://example-reports/cur/kubecost")) == []
        assert problems(changed(Location="s3://example-reports/cur/")) == []

    @pytest.mark.parametrize(
        ("members", "said"),
        [
            ({"Columns": [c for c in COLUMNS if c["Name"] != "line_item_resource_id"]}, "no column line_item_resource"),
            ({"PartitionKeys": KEYS[:1]}, "it has no partition key month"),
            ({"PartitionKeys": []}, "it has no partition key year"),
            ({"PartitionKeys": [KEYS[0], {"Name": "month", "Type": "int"}]}, "its month is of type int, not string"),
            ({"Location": "s3://other/cur/kubecost/x"}, "its location is s3://other/cur/kubecost/x/, not"),
            ({"Location": "s3://example-reports/"}, "its location is s3://example-reports/, not"),
            ({"Location": "s3://example-reports/cur/kubecost/kubecost/year=2026"}, "its location is"),
            ({"TargetTable": {"CatalogId": "9", "DatabaseName": "a", "Name": "b"}}, "a link to the table a.b of"),
            (
                {"Parameters": {"projection.enabled": "true", "projection.month.digits": "2"}},
                "its projection of month is not 1 to 12 without a leading zero",
            ),
        ],
    )  # fmt: skip
    def test_what_does_not_serve_is_named(self, members: dict[str, Any], said: str) -> None:
        assert said in " ".join(problems(changed(**members)))

    def test_a_view_needs_year_and_month_as_columns_and_tables_over_the_report(self) -> None:
        base = {"finops.raw": TABLE}
        assert problems(view("SELECT * FROM raw"), base) == []
        assert problems(view("SELECT * FROM raw", COLUMNS), base) == [
            "it has no column year",
            "it has no column month",
        ]
        other = {"finops.raw": changed(Location="s3://other/x")}
        assert problems(view("SELECT * FROM raw"), other) == [
            f"its location is s3://other/x/, not {PLACE.location} (of finops.raw)"
        ]
        assert "none of the tables that it reads" in problems(view("SELECT 1"), {})[0]


@pytest.mark.parametrize(
    ("sql", "sources"),
    [
        ("SELECT * FROM raw", [("finops", "raw")]),
        ('SELECT * FROM "Lake"."Raw" r WHERE r.x = \'FROM nowhere\'', [("lake", "raw")]),
        ("SELECT * FROM awsdatacatalog.lake.raw -- FROM other\nLIMIT 1", [("lake", "raw")]),
        ("SELECT a.* FROM raw a JOIN tags b ON a.x = b.x", [("finops", "raw"), ("finops", "tags")]),
        (
            "SELECT * FROM one, lake.two t, three WHERE a IN (1, 2)",
            [("finops", "one"), ("lake", "two"), ("finops", "three")],
        ),
        ("WITH x AS (SELECT * FROM raw), y (a) AS (SELECT 1 FROM x) SELECT * FROM y", [("finops", "raw")]),
        (
            # A function is no table; that it does not exist is seen later.
            "SELECT EXTRACT(YEAR FROM start), * FROM raw CROSS JOIN UNNEST(tags) AS u (v)",
            [("finops", "raw"), ("finops", "unnest")],
        ),
        ("SELECT a IS DISTINCT FROM b FROM (SELECT * FROM `raw`)", [("finops", "raw")]),
        ("SELECT 1", []),
    ],
)
def test_what_a_view_reads(sql: str, sources: list[tuple[str, str]]) -> None:
    assert existing.view_sources(view(sql), "finops") == sources


def test_names_without_a_database_are_of_the_one_in_which_the_view_was_made() -> None:
    assert existing.view_sources(view("SELECT * FROM raw", schema="lake"), "finops") == [("lake", "raw")]
    plain = {"ViewOriginalText": "SELECT * FROM raw"}
    assert existing.view_sources(plain, "finops") == [("finops", "raw")]
    assert existing.view_sources({"ViewOriginalText": "/* Presto View: bm90IGpzb24= */"}, "finops") == []


def read(monkeypatch: pytest.MonkeyPatch, tables: dict[str, Any], **options: Any) -> existing.Existing:
    """What is read of a catalog with these tables."""
    monkeypatch.setattr(existing, "read_table", lambda _connection, target: tables.get(target.name))
    monkeypatch.setattr(existing, "read_delivery", lambda *_arguments: options.get("delivery"))
    monkeypatch.setattr(existing, "_has_partition", lambda *_arguments: options.get("partition", True))
    return existing.read_existing(None, TARGET, PLACE, datetime.date(2026, 1, 31))  # type: ignore[arg-type]


def test_a_table_is_its_own_base(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, {TARGET.name: TABLE})
    assert (list(found.tables), existing.base_tables(found), found.partition_missing) == ([TARGET.name], [], False)


def test_views_over_views_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {
        TARGET.name: view("SELECT * FROM middle JOIN UNNEST(x) ON true"),
        "finops.middle": view("SELECT * FROM lake.raw"),
        "lake.raw": TABLE,
    }
    assert existing.base_tables(read(monkeypatch, tables)) == ["finops.middle", "lake.raw"]


def test_a_view_over_itself_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {TARGET.name: view("SELECT * FROM bill")}
    assert existing.base_tables(read(monkeypatch, tables)) == []


def test_a_month_that_is_no_partition_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = Delivery("2026-01", [])
    assert read(monkeypatch, {TARGET.name: TABLE}, delivery=delivery, partition=False).partition_missing
    assert not read(monkeypatch, {TARGET.name: TABLE}, delivery=delivery).partition_missing
    projected = changed(Parameters={"projection.enabled": "true"})
    assert not read(monkeypatch, {TARGET.name: projected}, delivery=delivery, partition=False).partition_missing
    missing = read(monkeypatch, {}, delivery=delivery, partition=False)
    assert (missing.table, missing.delivery) == (None, delivery)
