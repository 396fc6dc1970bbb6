# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workgroups and where results go."""

from __future__ import annotations

import pytest
from sandbox.tests.billing_tools import PAYER, delivered_table, failure, limited, make_bucket, refused, run, unique

OTHER = "222222222222"
MEGABYTES = 1_000_000


@pytest.fixture(scope="module")
def athena(gateway):
    """The payer's Athena."""
    return gateway.client("athena", "payer")


@pytest.fixture(scope="module")
def table(gateway):
    """Three months of a report, with its table."""
    return delivered_table(gateway)


def workgroup(athena, **configuration):
    """A new workgroup's name."""
    name = unique("group")
    athena.create_work_group(Name=name, Configuration=configuration)
    return name


def configuration(athena, name):
    """What it is set to."""
    return athena.get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]


def test_client_location_and_its_absence(athena, table):
    for location in (f"s3://{table.results}", f"s3://{table.results}/", f"s3://{table.results}/a/b"):
        execution = run(athena, table, "SELECT 1", ResultConfiguration={"OutputLocation": location})
        assert execution["Status"]["State"] == "SUCCEEDED"
        assert execution["ResultConfiguration"]["OutputLocation"] == (
            f"{location.rstrip('/')}/{execution['QueryExecutionId']}.csv"
        )
    with refused("InvalidRequestException", "No output location provided"):
        run(athena, table, "SELECT 1", ResultConfiguration={})


@pytest.mark.parametrize("location", ["my-bucket/path", "https://my-bucket/", "s3:/my-bucket", "s3://"])
def test_location_must_be_an_s3_url(athena, table, location):
    with refused("InvalidRequestException", "outputLocation is not a valid S3 path."):
        run(athena, table, "SELECT 1", ResultConfiguration={"OutputLocation": location})
    with refused("InvalidRequestException", "outputLocation is not a valid S3 path."):
        workgroup(athena, ResultConfiguration={"OutputLocation": location})


def test_enforced_location_wins(gateway, athena, table):
    mine = make_bucket(gateway, unique("group-results"))
    for enforced, winner in ((True, mine), (False, table.results)):
        name = workgroup(
            athena,
            EnforceWorkGroupConfiguration=enforced,
            ResultConfiguration={"OutputLocation": f"s3://{mine}/group/"},
        )
        execution = run(athena, table, "SELECT 1", WorkGroup=name)
        assert execution["ResultConfiguration"]["OutputLocation"].split("/")[2] == winner
        key = execution["ResultConfiguration"]["OutputLocation"].split("/", 3)[3]
        gateway.client("s3", "payer").head_object(Bucket=winner, Key=key)
        execution = run(athena, table, "SELECT 1", WorkGroup=name, ResultConfiguration={})
        assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{mine}/group/")


def test_managed_results_have_no_place_in_s3(athena, table):
    name = workgroup(athena, ManagedQueryResultsConfiguration={"Enabled": True})
    place = {"OutputLocation": f"s3://{table.results}/"}
    with refused("InvalidRequestException", "ManagedQueryResultsConfiguration and ResultConfiguration cannot be set"):
        run(athena, table, "SELECT 1", WorkGroup=name, ResultConfiguration=place)
    execution = run(athena, table, "SELECT 1", WorkGroup=name, ResultConfiguration={})
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert "ResultConfiguration" not in execution
    found = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert len(found["ResultSet"]["Rows"]) == 2
    with refused("InvalidRequestException", "managed query results"):
        athena.update_work_group(WorkGroup=name, ConfigurationUpdates={"ResultConfigurationUpdates": place})
    off = {"ManagedQueryResultsConfigurationUpdates": {"Enabled": False}, "ResultConfigurationUpdates": place}
    athena.update_work_group(WorkGroup=name, ConfigurationUpdates=off)
    assert run(athena, table, "SELECT 1", WorkGroup=name)["Status"]["State"] == "SUCCEEDED"


def test_results_bucket_must_be_there(athena, table):
    with refused("InvalidRequestException", "Unable to verify/create output bucket no-such-bucket-y"):
        run(athena, table, "SELECT 1", ResultConfiguration={"OutputLocation": "s3://no-such-bucket-y/"})


def test_results_bucket_in_another_region(gateway, athena, table):
    far = make_bucket(gateway, unique("far"), region="eu-west-1")
    reason = failure(athena, table, "SELECT 1", ResultConfiguration={"OutputLocation": f"s3://{far}/"})
    assert "is in the same region" in reason
    there = gateway.client("athena", "payer", "eu-west-1")
    execution = run(there, table, "SELECT 1", ResultConfiguration={"OutputLocation": f"s3://{far}/"})
    assert execution["Status"]["State"] == "SUCCEEDED"


def test_expected_bucket_owner(athena, table):
    place = {"OutputLocation": f"s3://{table.results}/"}
    assert (
        run(athena, table, "SELECT 1", ResultConfiguration={**place, "ExpectedBucketOwner": PAYER})["Status"]["State"]
        == "SUCCEEDED"
    )
    assert "Access denied when writing output to url" in failure(
        athena, table, "SELECT 1", ResultConfiguration={**place, "ExpectedBucketOwner": OTHER}
    )
    name = workgroup(athena, ResultConfiguration={**place, "ExpectedBucketOwner": OTHER})
    assert "Access denied when writing output" in failure(athena, table, "SELECT 1", WorkGroup=name)


def test_scan_limit(gateway, athena, table):
    big = f"cur/{table.report}/{table.report}/year=2024/month=2/big.parquet"
    gateway.client("s3", "payer").put_object(Bucket=table.bucket, Key=big, Body=b"\0" * 11 * MEGABYTES)
    name = workgroup(athena, BytesScannedCutoffPerQuery=10 * MEGABYTES)
    query = f"SELECT count(*) FROM {table.name}"
    try:
        execution = run(athena, table, query, WorkGroup=name)
        assert execution["Status"]["State"] == "CANCELLED"
        assert execution["Status"]["StateChangeReason"] == "Bytes scanned limit was exceeded"
        assert run(athena, table, query + " WHERE month = '3'", WorkGroup=name)["Status"]["State"] == "SUCCEEDED"
        athena.update_work_group(WorkGroup=name, ConfigurationUpdates={"RemoveBytesScannedCutoffPerQuery": True})
        assert run(athena, table, query, WorkGroup=name)["Status"]["State"] == "FAILED"  # the file is no Parquet
    finally:
        gateway.client("s3", "payer").delete_object(Bucket=table.bucket, Key=big)


def test_new_workgroup(athena, table):
    name = unique("group")
    athena.create_work_group(
        Name=name,
        Description="for reports",
        Tags=[{"Key": "team", "Value": "finance"}],
        Configuration={"ResultConfiguration": {"OutputLocation": f"s3://{table.results}/x/"}},
    )
    found = athena.get_work_group(WorkGroup=name)["WorkGroup"]
    assert (found["State"], found["Description"]) == ("ENABLED", "for reports")
    assert found["Configuration"] == {
        "ResultConfiguration": {"OutputLocation": f"s3://{table.results}/x/"},
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "RequesterPaysEnabled": False,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
    }
    arn = f"arn:aws:athena:us-east-1:{PAYER}:workgroup/{name}"
    assert athena.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "finance"}]
    athena.tag_resource(ResourceARN=arn, Tags=[{"Key": "env", "Value": "prod"}])
    athena.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert athena.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "env", "Value": "prod"}]
    with refused("ResourceNotFoundException"):
        athena.list_tags_for_resource(ResourceARN=arn + "-x")
    with refused("InvalidRequestException", "already created"):
        athena.create_work_group(Name=name)


@pytest.mark.parametrize(
    "bad",
    [
        {"BytesScannedCutoffPerQuery": 9_999_999},
        {"ResultConfiguration": {"ExpectedBucketOwner": "1234"}},
        {"ResultConfiguration": {"EncryptionConfiguration": {"EncryptionOption": "SSE_KMS"}}},
    ],
    ids=str,
)
def test_bad_configuration(gateway, bad):
    # boto3 would refuse some of these itself.
    athena = limited(gateway, {"Effect": "Allow", "Action": "*", "Resource": "*"})("athena", parameter_validation=False)
    with refused("InvalidRequestException"):
        workgroup(athena, **bad)
    name = workgroup(athena)
    updates = {
        "ResultConfigurationUpdates" if key == "ResultConfiguration" else key: value for key, value in bad.items()
    }
    with refused("InvalidRequestException"):
        athena.update_work_group(WorkGroup=name, ConfigurationUpdates=updates)


def test_bad_name(athena):
    with refused("InvalidRequestException"):
        athena.create_work_group(Name="my group")


def test_update_sets_and_removes(athena, table):
    full = {
        "OutputLocation": f"s3://{table.results}/x/",
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
        "ExpectedBucketOwner": PAYER,
        "AclConfiguration": {"S3AclOption": "BUCKET_OWNER_FULL_CONTROL"},
    }
    name = workgroup(athena)
    athena.update_work_group(
        WorkGroup=name,
        Description="new",
        ConfigurationUpdates={
            "ResultConfigurationUpdates": full,
            "BytesScannedCutoffPerQuery": 20 * MEGABYTES,
            "EnforceWorkGroupConfiguration": False,
        },
    )
    found = configuration(athena, name)
    assert found["ResultConfiguration"] == full
    assert (found["BytesScannedCutoffPerQuery"], found["EnforceWorkGroupConfiguration"]) == (20 * MEGABYTES, False)
    for field in full:
        athena.update_work_group(
            WorkGroup=name, ConfigurationUpdates={"ResultConfigurationUpdates": {f"Remove{field}": True}}
        )
        assert field not in configuration(athena, name).get("ResultConfiguration", {})
    assert athena.get_work_group(WorkGroup=name)["WorkGroup"]["Description"] == "new"
    with refused("InvalidRequestException", "not found"):
        athena.update_work_group(WorkGroup="unknown")


def test_disabled_and_unknown_workgroups_take_no_queries(athena, table):
    name = workgroup(athena)
    athena.update_work_group(WorkGroup=name, State="DISABLED")
    with refused("InvalidRequestException", "disabled"):
        run(athena, table, "SELECT 1", WorkGroup=name)
    for call in (
        lambda: run(athena, table, "SELECT 1", WorkGroup="unknown"),
        lambda: athena.get_work_group(WorkGroup="unknown"),
    ):
        with refused("InvalidRequestException", "not found"):
            call()


def test_delete(athena, table):
    name = workgroup(athena)
    query_id = run(athena, table, "SELECT 1", WorkGroup=name)["QueryExecutionId"]
    with refused("InvalidRequestException", "not empty"):
        athena.delete_work_group(WorkGroup=name)
    athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)
    for call in (
        lambda: athena.get_work_group(WorkGroup=name),
        lambda: athena.delete_work_group(WorkGroup=name),
        lambda: athena.get_query_execution(QueryExecutionId=query_id),
        lambda: athena.delete_work_group(WorkGroup="primary"),
    ):
        with refused("InvalidRequestException"):
            call()
    athena.delete_work_group(WorkGroup=workgroup(athena))
