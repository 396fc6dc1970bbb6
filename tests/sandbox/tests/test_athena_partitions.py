# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which partitions and columns a query sees, and how many bytes it reads: the catalog decides, not the folders."""

from __future__ import annotations

import pytest
from sandbox.client import SandboxError
from sandbox.tests.billing_tools import delivered_table, failure, rows, run, unique

MONTHS = [["3"], ["4"], ["5"]]


@pytest.fixture(scope="module")
def athena(gateway):
    """The payer's Athena."""
    return gateway.client("athena", "payer")


@pytest.fixture(scope="module")
def table(gateway):
    """Three months of a report, with its table."""
    return delivered_table(gateway)


def another(gateway, table, parameters, **changes):
    """Another table over the same data, with these properties; its name."""
    name = unique("other").replace("-", "_")
    gateway.client("glue", "payer").create_table(
        DatabaseName=table.database, TableInput=table.input(name, Parameters=parameters, **changes)
    )
    return name


def months(athena, table, name, where=""):
    """The months that have rows."""
    return rows(athena, table, f"SELECT DISTINCT month FROM {name} {where} ORDER BY 1")


def test_projection_describes_the_partitions(gateway, athena, table):
    assert months(athena, table, table.name) == MONTHS
    name = another(gateway, table, table.projection(months="4,5"))
    assert months(athena, table, name) == [["4"], ["5"]]
    name = another(gateway, table, table.projection(years="2020,2023"))
    assert months(athena, table, name) == []
    name = another(gateway, table, {**table.projection(), "projection.month.interval": "2"})
    assert months(athena, table, name) == [["3"], ["5"]]


def test_projections_can_be_made_blind(gateway, athena, table):
    """What a table whose projection does not fit its files would show; registered partitions are seen all the same."""
    registered = another(gateway, table, {"projection.enabled": "false"})
    folder = f"{table.location}year=2024/month=5/"
    storage = {**table.input(registered)["StorageDescriptor"], "Location": folder}
    gateway.client("glue", "payer").create_partition(
        DatabaseName=table.database,
        TableName=registered,
        PartitionInput={"Values": ["2024", "5"], "StorageDescriptor": storage},
    )
    gateway.settings({"athena_partition_projection": False})
    try:
        assert months(athena, table, table.name) == []
        assert months(athena, table, registered) == [["5"]]
    finally:
        gateway.settings({"athena_partition_projection": True})
    assert months(athena, table, table.name) == MONTHS
    with pytest.raises(SandboxError, match="true or false"):
        gateway.settings({"athena_partition_projection": "no"})


def test_padded_months_find_nothing(gateway, athena, table):
    name = another(gateway, table, {**table.projection(), "projection.month.digits": "2"})
    assert months(athena, table, name) == []


def test_default_template_is_hive_style(gateway, athena, table):
    parameters = table.projection()
    del parameters["storage.location.template"]
    assert months(athena, table, another(gateway, table, parameters)) == MONTHS


def test_values_come_from_the_template_not_from_the_path(gateway, athena, table):
    keys = [{"Name": "y", "Type": "string"}, {"Name": "month", "Type": "int"}]
    parameters = {
        **table.projection(),
        "projection.y.type": "enum",
        "projection.y.values": "year=2024, year=2023",
        "storage.location.template": table.location + "${y}/month=${month}",
    }
    name = another(gateway, table, parameters, PartitionKeys=keys)
    assert rows(athena, table, f"SELECT DISTINCT y, month + 1 FROM {name} ORDER BY 2") == [
        ["year=2024", "4"],
        ["year=2024", "5"],
        ["year=2024", "6"],
    ]


def test_date_projection(gateway, athena, table):
    keys = [{"Name": "period", "Type": "string"}]
    base = {
        "projection.enabled": "TRUE",
        "projection.period.type": "date",
        "projection.period.format": "'year='yyyy'/month='M",
        "projection.period.interval": "1",
        "projection.period.interval.unit": "MONTHS",
        "storage.location.template": table.location + "${period}/",
    }
    name = another(gateway, table, {**base, "projection.period.range": "year=2024/month=4,NOW"}, PartitionKeys=keys)
    assert rows(athena, table, f"SELECT DISTINCT period FROM {name} ORDER BY 1") == [
        ["year=2024/month=4"],
        ["year=2024/month=5"],
    ]
    name = another(gateway, table, {**base, "projection.period.range": "NOW-1MONTHS,NOW"}, PartitionKeys=keys)
    assert rows(athena, table, f"SELECT count(*) FROM {name}") == [["0"]]


def test_years_may_be_dates_that_end_by_themselves(gateway, athena, table):
    years = {
        "projection.year.type": "date",
        "projection.year.format": "yyyy",
        "projection.year.range": "2022,NOW",
        "projection.year.interval": "1",
        "projection.year.interval.unit": "YEARS",
    }
    assert months(athena, table, another(gateway, table, {**table.projection(), **years})) == MONTHS
    name = another(gateway, table, {**table.projection(), **years, "projection.year.range": "2025,NOW"})
    assert months(athena, table, name) == []
    query = f"SELECT count(*) FROM {another(gateway, table, {**table.projection(), **years})} WHERE year = '2024'"
    assert rows(athena, table, query) != [["0"]]
    for needed in ("interval", "interval.unit"):
        parameters = {**table.projection(), **years}
        del parameters[f"projection.year.{needed}"]
        name = another(gateway, table, parameters)
        assert "Invalid projection of column year" in failure(athena, table, f"SELECT count(*) FROM {name}")


def test_injected_projection_needs_the_value(gateway, athena, table):
    parameters = {**table.projection(), "projection.month.type": "injected"}
    name = another(gateway, table, parameters)
    assert months(athena, table, name, "WHERE month = '4'") == [["4"]]
    assert months(athena, table, name, "WHERE month IN ('4', '5')") == [["4"], ["5"]]
    assert "injected projected partition column month" in failure(athena, table, f"SELECT count(*) FROM {name}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"projection.month.type": None}, "missing projection configuration: [month]"),
        ({"projection.month.range": None}, "Invalid projection of column month"),
        ({"projection.month.range": "12,1"}, "Invalid projection of column month"),
        ({"projection.month.type": "guess"}, "Invalid projection of column month"),
        ({"storage.location.template": "s3://bucket/year=${year}"}, "no placeholder for partition columns [month]"),
    ],
)
def test_broken_projection(gateway, athena, table, change, reason):
    parameters = {key: value for key, value in {**table.projection(), **change}.items() if value is not None}
    assert reason in failure(athena, table, f"SELECT count(*) FROM {another(gateway, table, parameters)}")


@pytest.mark.parametrize("enabled", [None, "false"])
def test_without_projection_only_registered_partitions_are_there(gateway, athena, table, enabled):
    parameters = {key: value for key, value in {**table.projection(), "projection.enabled": enabled}.items() if value}
    name = another(gateway, table, parameters)
    assert months(athena, table, name) == []
    storage = table.input()["StorageDescriptor"]
    gateway.client("glue", "payer").create_partition(
        DatabaseName=table.database,
        TableName=name,
        PartitionInput={
            "Values": ["2024", "4"],
            "StorageDescriptor": {**storage, "Location": table.location + "year=2024/month=4/"},
        },
    )
    assert months(athena, table, name) == [["4"]]


def test_bytes_are_those_of_the_partitions_that_are_read(gateway, athena, table):
    listed = gateway.client("s3", "payer").list_objects_v2(
        Bucket=table.bucket, Prefix=f"cur/{table.report}/{table.report}/"
    )["Contents"]
    sizes = {entry["Key"].split("month=")[1].split("/")[0]: entry["Size"] for entry in listed}

    def scanned(where):
        execution = run(athena, table, f"SELECT sum(line_item_unblended_cost) FROM {table.name} t {where}")
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        return execution["Statistics"]["DataScannedInBytes"]

    assert scanned("") == sum(sizes.values())
    assert scanned("WHERE year = '2024' AND month = '4'") == sizes["4"]
    assert (
        scanned("WHERE ((year = '2024' AND month = '4') OR (t.year = '2024' AND t.month = '5'))")
        == sizes["4"] + sizes["5"]
    )
    assert scanned("WHERE cast(month AS integer) >= 5 AND line_item_unblended_cost > 0") == sizes["5"]
    assert scanned("WHERE month = '4' OR line_item_unblended_cost > 0") == sum(sizes.values())
    assert scanned("WHERE year = '2023'") == 0


def test_columns_are_those_of_the_table(gateway, athena, table):
    columns = [
        *(column for column in table.columns if column["Name"] != "line_item_operation"),
        {"Name": "resource_tags_user_new", "Type": "string"},
    ]
    storage = {**table.input()["StorageDescriptor"], "Columns": columns}
    name = another(gateway, table, table.projection(), StorageDescriptor=storage)
    assert "Column 'line_item_operation' cannot be resolved" in failure(
        athena, table, f"SELECT line_item_operation FROM {name}"
    )
    [[count, known]] = rows(athena, table, f"SELECT count(*), count(resource_tags_user_new) FROM {name}")
    assert count != "0" and known == "0"


def test_type_that_does_not_fit_the_file(gateway, athena, table):
    columns = [
        {**column, "Type": "string"} if column["Name"] == "line_item_unblended_cost" else column
        for column in table.columns
    ]
    storage = {**table.input()["StorageDescriptor"], "Columns": columns}
    name = another(gateway, table, table.projection(), StorageDescriptor=storage)
    reason = failure(athena, table, f"SELECT max(line_item_unblended_cost) FROM {name}")
    assert reason.startswith("HIVE_BAD_DATA: Field line_item_unblended_cost's type DOUBLE in parquet file s3://")
    assert "incompatible with type varchar defined in table schema" in reason
    assert rows(athena, table, f"SELECT count(*) FROM {name}") != [["0"]]


def test_file_that_is_no_parquet(gateway, athena, table):
    gateway.client("s3", "payer").put_object(
        Bucket=table.bucket, Key=f"cur/{table.report}/{table.report}/year=2024/month=1/notes.txt", Body=b"hello"
    )
    try:
        assert "Not valid Parquet file" in failure(
            athena, table, f"SELECT count(*) FROM {table.name} WHERE month = '1'"
        )
        assert rows(athena, table, f"SELECT count(*) FROM {table.name} WHERE month = '3'") != [["0"]]
    finally:
        gateway.client("s3", "payer").delete_object(
            Bucket=table.bucket, Key=f"cur/{table.report}/{table.report}/year=2024/month=1/notes.txt"
        )


def test_location_in_a_bucket_that_is_not_there(gateway, athena, table):
    parameters = {
        **table.projection(),
        "storage.location.template": "s3://no-such-bucket-x/year=${year}/month=${month}",
    }
    assert "NoSuchBucket" in failure(athena, table, f"SELECT count(*) FROM {another(gateway, table, parameters)}")
