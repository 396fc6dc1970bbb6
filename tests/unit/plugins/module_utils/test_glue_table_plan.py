# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a Glue table over a Cost and Usage Report, and what takes it away."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._cur_schema import base_columns
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import Delivery, Found, ReportPlace, TableId
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table_plan import (
    Settings,
    plan_absent,
    plan_present,
    resource_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan

TARGET = TableId("athenacurcfn_kubecost", "kubecost", "eu-west-1", "111111111111", "aws")
PLACE = ReportPlace("example-reports", "cur", "kubecost")
OWNER = {"managed-by": "example"}
DATABASE = {"Name": TARGET.database, "Parameters": OWNER}
TEAM = {"name": "resource_tags_user_team", "type": "string"}
DELIVERY = Delivery("2026-01", [*base_columns(), TEAM])
ARN = "arn:aws:glue:eu-west-1:111111111111:database/athenacurcfn_kubecost"
TIME = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)


def present(found: Found, **settings: Any) -> Plan:
    """The plan in 2026."""
    return plan_present(TARGET, found, PLACE, Settings(**settings), 2026)


def made(found: Found | None = None, ownership_tags: dict[str, str] | None = None) -> dict[str, Any]:
    """The table that we would make, as Glue would return it."""
    plan = present(found or Found(None, DATABASE), ownership_tags=ownership_tags)
    answer = copy.deepcopy(plan.changes[-1].params["TableInput"])
    return {**answer, "CreateTime": TIME, "VersionId": "7", "DatabaseName": TARGET.database, "CatalogId": "1"}


def update(found: Found, **options: Any) -> dict[str, Any]:
    """The TableInput of the only change."""
    (change,) = present(found, **options).changes
    assert change.method == "update_table"
    return change.params["TableInput"]


class TestPresent:
    def test_from_nothing(self) -> None:
        plan = present(Found(None, None, followed=True), ownership_tags=OWNER)
        database, table = plan.changes
        assert database.method == "create_database"
        assert database.params["DatabaseInput"]["Parameters"] == OWNER
        assert table.method == "create_table"
        given = table.params["TableInput"]
        assert given["TableType"] == "EXTERNAL_TABLE"
        assert given["Parameters"].items() >= OWNER.items()
        assert given["PartitionKeys"] == [{"Name": "year", "Type": "string"}, {"Name": "month", "Type": "string"}]
        assert given["StorageDescriptor"]["Location"] == "s3://example-reports/cur/kubecost/kubecost/"
        assert plan.after is not None
        assert plan.after["arn"] == "arn:aws:glue:eu-west-1:111111111111:table/athenacurcfn_kubecost/kubecost"
        assert plan.after["columns"] == base_columns()
        assert (plan.after["delivered"], plan.after["delivered_period"]) == (False, None)

    def test_partitions_are_computed(self) -> None:
        parameters = made()["Parameters"]
        assert parameters["projection.year.range"] == "2022,NOW"
        assert parameters["projection.month.range"] == "1,12"
        (create,) = present(Found(None, DATABASE), first_year=2024).changes
        assert create.params["TableInput"]["Parameters"]["projection.year.range"] == "2024,NOW"

    def test_other_years_are_an_update(self) -> None:
        parameters = update(Found(made()), first_year=2024)["Parameters"]
        assert parameters == {**made()["Parameters"], "projection.year.range": "2024,NOW"}
        table = made()
        table["Parameters"]["projection.year.range"] = "2020,NOW"
        assert present(Found(table)).changes == []

    def test_months_are_registered_instead(self) -> None:
        months = (datetime.date(2025, 12, 1), datetime.date(2026, 1, 1))
        found = Found(made(), months=months, registered=(("2025", "12"),))
        plan = present(found, partitions="registered")
        table, partitions = plan.changes
        parameters = table.params["TableInput"]["Parameters"]
        assert (parameters["projection.enabled"], parameters["kubestrap.partitions"]) == ("false", "registered")
        assert [entry["Values"] for entry in partitions.params["PartitionInputList"]] == [["2026", "1"]]
        assert (plan.after or {})["new_partitions"] == ["2026-01"]
        assert (plan.before or {})["new_partitions"] == []
        assert (resource_of(TARGET, Found(made()), found) or {})["new_partitions"] == ["2026-01"]

    def test_a_table_with_registered_months_keeps_them_until_it_is_told(self) -> None:
        table = made()
        table["Parameters"] |= {"projection.enabled": "false", "kubestrap.partitions": "registered"}
        assert present(Found(table)).changes == []
        parameters = update(Found(table), partitions="projected")["Parameters"]
        assert parameters == made()["Parameters"]
        other = made()
        other["Parameters"]["projection.enabled"] = "false"
        assert update(Found(other))["Parameters"] == made()["Parameters"]

    def test_a_new_table_with_registered_months(self) -> None:
        plan = present(Found(None, DATABASE, months=(datetime.date(2026, 1, 1),)), partitions="registered")
        assert [change.method for change in plan.changes] == ["create_table", "batch_create_partition"]
        assert (plan.after or {})["new_partitions"] == ["2026-01"]

    def test_a_new_database_has_its_tags_in_the_call_that_creates_it(self) -> None:
        plan = present(Found(None, None), tags={"team": "platform"}, ownership_tags=OWNER)
        create, _table = plan.changes
        assert create.params["Tags"] == {"team": "platform", **OWNER}
        assert plan.after is not None
        assert plan.after["database_tags"] == {"team": "platform", **OWNER}

    def test_ownership_tags_alone_are_tags_of_a_new_database_too(self) -> None:
        plan = present(Found(None, None), ownership_tags=OWNER)
        assert plan.changes[0].params["Tags"] == OWNER
        assert "database_tags" not in (plan.after or {})
        assert "Tags" not in present(Found(None, None)).changes[0].params

    @pytest.mark.parametrize(
        ("purge", "calls", "after"),
        [
            (
                True,
                {
                    "untag_resource": {"ResourceArn": ARN, "TagsToRemove": ["old"]},
                    "tag_resource": {"ResourceArn": ARN, "TagsToAdd": {"new": "1"}},
                },
                {"new": "1", **OWNER},
            ),
            (
                False,
                {"tag_resource": {"ResourceArn": ARN, "TagsToAdd": {"new": "1"}}},
                {"old": "1", "new": "1", **OWNER},
            ),
        ],
    )
    def test_tags_of_a_database_that_is_there(self, purge: bool, calls: Any, after: dict[str, str]) -> None:
        found = Found(made(), database_tags={"old": "1", **OWNER})
        plan = present(found, tags={"new": "1"}, purge_tags=purge, ownership_tags=OWNER)
        assert {change.method: change.params for change in plan.changes} == calls
        assert (plan.after or {})["database_tags"] == after
        assert plan.diff["before"] == {"database_tags": {"old": "1", **OWNER}}
        assert present(Found(made(), database_tags=after), tags={"new": "1"}, purge_tags=False).changes == []

    def test_a_database_of_another_gets_the_tags_before_the_table(self) -> None:
        plan = present(Found(None, {"Name": TARGET.database}, database_tags={}), tags={"a": "b"}, ownership_tags=OWNER)
        assert [change.method for change in plan.changes] == ["tag_resource", "create_table"]
        assert (plan.after or {})["database_tags"] == {"a": "b"}

    def test_tags_that_the_task_does_not_set_are_left(self) -> None:
        assert present(Found(made()), ownership_tags=OWNER).changes == []

    def test_in_a_database_that_is_there(self) -> None:
        found = Found(None, DATABASE, followed=True, delivery=DELIVERY)
        plan = present(found, create_database=False)
        assert [change.method for change in plan.changes] == ["create_table"]
        assert plan.after is not None
        assert TEAM in plan.after["columns"]
        assert plan.after["delivered_period"] == "2026-01"

    def test_without_a_database(self) -> None:
        with pytest.raises(AnsibleAWSError, match="database: 'athenacurcfn_kubecost' is not a Glue database"):
            present(Found(None, None), create_database=False)

    def test_no_change(self) -> None:
        found = Found(made())
        plan = present(found, ownership_tags=OWNER)
        assert plan.changes == []
        assert plan.after == resource_of(TARGET, found, found)
        assert plan.after is not None
        assert "delivered" not in plan.after

    def test_a_slash_less_is_no_other_location(self) -> None:
        table = made()
        table["StorageDescriptor"]["Location"] = table["StorageDescriptor"]["Location"].rstrip("/")
        assert present(Found(table)).changes == []

    def test_delivered_columns_are_added_and_none_is_lost(self) -> None:
        table = made()
        old = {"Name": "resource_tags_user_old", "Type": "string", "Comment": "of someone"}
        table["StorageDescriptor"]["Columns"].append(old)
        found = Found(table, followed=True, delivery=DELIVERY)
        columns = update(found)["StorageDescriptor"]["Columns"]
        assert columns[-2:] == [old, {"Name": TEAM["name"], "Type": "string"}]
        plan = present(found)
        assert (plan.after or {})["new_columns"] == [TEAM["name"]]
        assert plan.changes[0].params["VersionId"] == "7"

    def test_columns_that_are_needed_are_added(self) -> None:
        table = made()
        del table["StorageDescriptor"]["Columns"][0]
        (added,) = (present(Found(table)).after or {})["new_columns"]
        assert added == base_columns()[0]["name"]

    def test_an_update_gives_back_what_others_have_set(self) -> None:
        table = {**made(), "Owner": "someone", "Retention": 3}
        table["Parameters"] |= {"classification": "other", "mine": "1"}
        table["Parameters"].pop("projection.enabled")
        table["StorageDescriptor"]["SortColumns"] = []
        given = update(Found(table))
        assert (given["Owner"], given["Retention"]) == ("someone", 3)
        assert given["Parameters"].items() >= {"classification": "other", "mine": "1"}.items()
        assert given["Parameters"]["projection.enabled"] == "true"
        assert given["StorageDescriptor"]["SortColumns"] == []
        assert "CreateTime" not in given

    @pytest.mark.parametrize("empty", ["", None])
    def test_an_update_gives_back_nothing_empty(self, empty: str | None) -> None:
        found = Found({**made(), "Owner": empty}, delivery=DELIVERY)
        assert "Owner" not in update(found)

    def test_a_crawlers_table_is_taken_over(self) -> None:
        table = made()
        table["Parameters"] = {"CrawlerSchemaSerializerVersion": "1.0", "classification": "parquet"}
        given = update(Found(table), ownership_tags=OWNER)
        assert given["Parameters"]["projection.enabled"] == "true"
        assert "managed-by" not in given["Parameters"]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"location": "s3://other/"}, "its location is s3://other/, not s3://example-reports/"),
            (
                {"keys": [{"Name": "billing_period", "Type": "string"}]},
                "its partition keys are billing_period (string)",
            ),
            ({"keys": []}, "its partition keys are none, not year (string), month (string)"),
            ({"serde": "org.apache.hadoop.hive.serde2.OpenCSVSerde"}, "its SerDe is org.apache.hadoop.hive.serde2"),
        ],
    )
    def test_a_table_over_something_else(self, change: dict[str, Any], says: str) -> None:
        table = made()
        table["StorageDescriptor"]["Location"] = change.get("location", table["StorageDescriptor"]["Location"])
        table["PartitionKeys"] = change.get("keys", table["PartitionKeys"])
        if "serde" in change:
            table["StorageDescriptor"]["SerdeInfo"] = {"SerializationLibrary": change["serde"]}
        with pytest.raises(AnsibleAWSError) as refused:
            present(Found(table))
        assert says in str(refused.value)
        assert "Nothing was changed" in str(refused.value)
        given = update(Found(table), overwrite=True)
        wanted = made()
        assert given["StorageDescriptor"] == wanted["StorageDescriptor"]
        assert given["PartitionKeys"] == wanted["PartitionKeys"]


class TestAbsent:
    ours = made(ownership_tags=OWNER)

    def methods(self, found: Found) -> list[str]:
        return [change.method for change in plan_absent(TARGET, found, OWNER).changes]

    def test_table_and_database_go(self) -> None:
        assert self.methods(Found(self.ours, DATABASE)) == ["delete_table", "delete_database"]

    def test_it_is_gone(self) -> None:
        assert self.methods(Found(None, None)) == []

    def test_only_the_database_is_left(self) -> None:
        assert self.methods(Found(None, DATABASE)) == ["delete_database"]
        diff = plan_absent(TARGET, Found(None, DATABASE), OWNER).diff
        assert diff == {"before": {"database": TARGET.database}, "after": {}}

    def test_someone_else_made_the_table(self) -> None:
        plan = plan_absent(TARGET, Found(made(), DATABASE), OWNER)
        assert plan.changes == []
        assert "the Glue table athenacurcfn_kubecost.kubecost was not made by" in (plan.kept or "")

    def test_someone_else_made_the_database(self) -> None:
        plan = plan_absent(TARGET, Found(self.ours, {"Name": TARGET.database}), OWNER)
        assert [change.method for change in plan.changes] == ["delete_table"]
        assert "the Glue database athenacurcfn_kubecost was not made by" in (plan.kept or "")

    def test_the_database_has_other_tables(self) -> None:
        plan = plan_absent(TARGET, Found(self.ours, DATABASE, other_tables=True), OWNER)
        assert [change.method for change in plan.changes] == ["delete_table"]
        assert plan.kept == "the Glue database athenacurcfn_kubecost is not empty"

    def test_without_ownership_tags_nobody_knows_whose_the_database_is(self) -> None:
        (delete,) = plan_absent(TARGET, Found(self.ours, DATABASE)).changes
        assert delete.method == "delete_table"
