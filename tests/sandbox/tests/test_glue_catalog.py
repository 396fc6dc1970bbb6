# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Glue catalog answers and refuses as AWS' does."""

from __future__ import annotations

import pytest
from sandbox.tests.billing_tools import PARQUET, PAYER, limited, refused, unique

CATALOG = f"arn:aws:glue:us-east-1:{PAYER}"


@pytest.fixture(scope="module")
def glue(gateway):
    """The payer's Glue."""
    return gateway.client("glue", "payer")


@pytest.fixture
def database(glue):
    """A new database."""
    name = unique("db").replace("-", "_")
    glue.create_database(DatabaseInput={"Name": name}, Tags={"team": "finance"})
    return name


def table(name="costs", **changes):
    """A TableInput."""
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet"},
        "PartitionKeys": [{"Name": "year", "Type": "string"}, {"Name": "month", "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [{"Name": "cost", "Type": "double"}],
            "Location": "s3://bucket/costs/",
            **PARQUET,
        },
        **changes,
    }


def test_databases(glue, database):
    with refused("AlreadyExistsException"):
        glue.create_database(DatabaseInput={"Name": database})
    assert glue.get_database(Name=database.upper())["Database"]["Name"] == database
    assert not {"Description", "LocationUri"} & set(glue.get_database(Name=database)["Database"])
    for call in (
        lambda: glue.get_database(Name="unknown"),
        lambda: glue.delete_database(Name="unknown"),
        lambda: glue.create_table(DatabaseName="unknown", TableInput=table()),
        lambda: glue.get_table(DatabaseName="unknown", Name="costs"),
        lambda: glue.get_tables(DatabaseName="unknown"),
    ):
        with refused("EntityNotFoundException"):
            call()
    glue.create_table(DatabaseName=database, TableInput=table())
    glue.delete_database(Name=database)
    with refused("EntityNotFoundException"):
        glue.get_table(DatabaseName=database, Name="costs")


def test_database_tags(glue, database):
    arn = f"{CATALOG}:database/{database}"
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"team": "finance"}
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"env": "prod"})
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["team"])
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"env": "prod"}
    with refused("EntityNotFoundException"):
        glue.get_tags(ResourceArn=f"{CATALOG}:database/unknown")
    with refused("InvalidInputException"):
        glue.tag_resource(ResourceArn=f"{CATALOG}:table/{database}/costs", TagsToAdd={"a": "b"})


def test_tables(glue, database):
    glue.create_table(DatabaseName=database, TableInput=table("Costs"))
    with refused("AlreadyExistsException"):
        glue.create_table(DatabaseName=database, TableInput=table())
    found = glue.get_table(DatabaseName=database, Name="COSTS")["Table"]
    assert (found["Name"], found["VersionId"], found["DatabaseName"]) == ("costs", "1", database)
    assert not {"ViewOriginalText", "Owner", "Description"} & set(found), "what is not set is left out"
    assert "Owner" not in glue.get_tables(DatabaseName=database)["TableList"][0]
    glue.update_table(DatabaseName=database, TableInput=table(Parameters={"projection.enabled": "true"}))
    found = glue.get_table(DatabaseName=database, Name="costs")["Table"]
    assert (found["VersionId"], found["Parameters"]) == ("2", {"projection.enabled": "true"})
    glue.update_table(DatabaseName=database, TableInput={"Name": "costs"})
    found = glue.get_table(DatabaseName=database, Name="costs")["Table"]
    assert (found["Parameters"], found.get("PartitionKeys")) == ({}, [])
    with refused("ConcurrentModificationException"):
        glue.update_table(DatabaseName=database, TableInput=table(), VersionId="1")
    with refused("EntityNotFoundException"):
        glue.update_table(DatabaseName=database, TableInput=table("unknown"))
    glue.delete_table(DatabaseName=database, Name="costs")
    with refused("EntityNotFoundException"):
        glue.delete_table(DatabaseName=database, Name="costs")


@pytest.mark.parametrize("columns", [["cost", "cost"], ["cost", "Cost"], ["cost", "year"]])
def test_a_column_is_there_once(glue, database, columns):
    storage = {**table()["StorageDescriptor"], "Columns": [{"Name": name, "Type": "string"} for name in columns]}
    with refused("InvalidInputException", "Duplicate columns"):
        glue.create_table(DatabaseName=database, TableInput=table(StorageDescriptor=storage))


def test_partitions(glue, database):
    glue.create_table(DatabaseName=database, TableInput=table())
    part = {"Values": ["2024", "5"], "StorageDescriptor": {"Location": "s3://bucket/costs/x/"}}
    where = {"DatabaseName": database, "TableName": "costs"}
    glue.create_partition(**where, PartitionInput=part)
    with refused("AlreadyExistsException"):
        glue.create_partition(**where, PartitionInput=part)
    with refused("InvalidInputException", "number of partition keys"):
        glue.create_partition(**where, PartitionInput={"Values": ["2024"]})
    assert [entry["Values"] for entry in glue.get_partitions(**where)["Partitions"]] == [["2024", "5"]]
    assert glue.get_partition(**where, PartitionValues=["2024", "5"])["Partition"]["Values"] == ["2024", "5"]
    for call in (
        lambda: glue.get_partition(**where, PartitionValues=["2024", "6"]),
        lambda: glue.delete_partition(**where, PartitionValues=["2024", "6"]),
        lambda: glue.get_partitions(DatabaseName=database, TableName="unknown"),
        lambda: glue.create_partition(DatabaseName=database, TableName="unknown", PartitionInput=part),
    ):
        with refused("EntityNotFoundException"):
            call()
    glue.delete_partition(**where, PartitionValues=["2024", "5"])
    assert glue.get_partitions(**where)["Partitions"] == []


def test_accounts_and_regions_have_their_own_catalogs(gateway, database):
    for client in (gateway.client("glue", "cluster"), gateway.client("glue", "payer", "eu-west-1")):
        with refused("EntityNotFoundException"):
            client.get_database(Name=database)


@pytest.mark.parametrize("missing", [None, "catalog", "database", "table"])
def test_rights_on_every_level(gateway, glue, database, missing):
    glue.create_table(DatabaseName=database, TableInput=table())
    resources = {
        "catalog": f"{CATALOG}:catalog",
        "database": f"{CATALOG}:database/{database}",
        "table": f"{CATALOG}:table/{database}/costs",
    }
    allowed = [arn for level, arn in resources.items() if level != missing]
    client = limited(gateway, {"Effect": "Allow", "Action": "glue:GetTable", "Resource": allowed})("glue")
    if missing is None:
        assert client.get_table(DatabaseName=database, Name="costs")["Table"]["Name"] == "costs"
    else:
        with refused("AccessDeniedException", f"glue:GetTable on resource: {resources[missing]}"):
            client.get_table(DatabaseName=database, Name="costs")


def test_database_rights_do_not_need_tables(gateway, database):
    client = limited(
        gateway,
        {"Effect": "Allow", "Action": "glue:*", "Resource": [f"{CATALOG}:catalog", f"{CATALOG}:database/{database}"]},
    )("glue")
    assert client.get_database(Name=database)["Database"]["Name"] == database
    with refused("AccessDeniedException", f"glue:DeleteDatabase on resource: {CATALOG}:table/{database}/*"):
        client.delete_database(Name=database)
