# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of cur are refused as AWS refuses them."""

from __future__ import annotations

import json

import pytest
from sandbox.tests.billing_tools import (
    PAYER,
    billing_policy,
    definition,
    limited,
    make_bucket,
    refused,
    report_bucket,
    unique,
)

OTHER = "222222222222"


@pytest.fixture(scope="module")
def bucket(gateway):
    """A bucket that admits billing."""
    return report_bucket(gateway)


@pytest.fixture
def cur(gateway):
    """The payer's cur, without reports before and after."""
    client = gateway.client("cur", "payer")
    clear(client)
    yield client
    clear(client)


def clear(client):
    """Delete all reports."""
    for page in client.get_paginator("describe_report_definitions").paginate():
        for report in page["ReportDefinitions"]:
            client.delete_report_definition(ReportName=report["ReportName"])


def test_report_is_accepted_and_described(gateway, cur, bucket):
    wanted = definition(bucket, "daily")
    cur.put_report_definition(ReportDefinition=wanted, Tags=[{"Key": "team", "Value": "finance"}])
    [found] = cur.describe_report_definitions()["ReportDefinitions"]
    assert {name: found[name] for name in wanted} == wanted
    assert "ReportStatus" not in found or not found["ReportStatus"]
    assert cur.list_tags_for_resource(ReportName="daily")["Tags"] == [{"Key": "team", "Value": "finance"}]
    keys = [entry["Key"] for entry in gateway.client("s3", "payer").list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["aws-programmatic-access-test-object"]


@pytest.mark.parametrize(
    "change",
    [
        {"Format": "textORcsv", "Compression": "GZIP"},
        {"Format": "Parquet", "Compression": "GZIP"},
        {"Format": "textORcsv", "Compression": "Parquet"},
        {"ReportVersioning": "CREATE_NEW_REPORT"},
        {"S3Prefix": ""},
        {"AdditionalArtifacts": ["ATHENA", "REDSHIFT"]},
        {"AdditionalArtifacts": ["ATHENA", "QUICKSIGHT"]},
        {"AdditionalArtifacts": ["REDSHIFT"]},
        {"ReportName": "my report"},
        {"ReportName": "x" * 257},
        {"S3Prefix": "with space"},
        {"TimeUnit": "WEEKLY"},
        {"S3Region": "il-central-1"},
        {"AdditionalSchemaElements": ["TAGS"]},
    ],
    ids=str,
)
def test_broken_definition_is_refused_without_text(cur, bucket, change):
    with refused("ValidationException") as error:
        cur.put_report_definition(ReportDefinition=definition(bucket, **change))
    assert not error.value.response["Error"].get("Message")
    assert cur.describe_report_definitions()["ReportDefinitions"] == []


def test_report_without_athena_may_be_csv_and_have_no_prefix(cur, bucket):
    cur.put_report_definition(
        ReportDefinition=definition(
            bucket,
            "csv",
            Format="textORcsv",
            Compression="GZIP",
            S3Prefix="",
            AdditionalArtifacts=["REDSHIFT", "QUICKSIGHT"],
            ReportVersioning="CREATE_NEW_REPORT",
        )
    )
    assert len(cur.describe_report_definitions()["ReportDefinitions"]) == 1


def test_other_regions_have_no_cur(gateway, cur, bucket):
    with refused("404", "cur.eu-west-1.amazonaws.com"):
        gateway.client("cur", "payer", "eu-west-1").describe_report_definitions()
    assert cur.describe_report_definitions()["ReportDefinitions"] == []


def test_name_is_there_once(cur, bucket):
    cur.put_report_definition(ReportDefinition=definition(bucket, "daily"))
    with refused("DuplicateReportNameException"):
        cur.put_report_definition(ReportDefinition=definition(bucket, "daily"))


def test_at_most_ten_reports_in_pages_of_five(cur, bucket):
    for number in range(10):
        cur.put_report_definition(ReportDefinition=definition(bucket, f"report-{number}"))
    with refused("ReportLimitReachedException"):
        cur.put_report_definition(ReportDefinition=definition(bucket, "report-10"))
    first = cur.describe_report_definitions()
    assert len(first["ReportDefinitions"]) == 5
    second = cur.describe_report_definitions(NextToken=first["NextToken"])
    assert len(second["ReportDefinitions"]) == 5 and "NextToken" not in second
    with refused("ValidationException"):
        cur.describe_report_definitions(MaxResults=10)
    pages = cur.get_paginator("describe_report_definitions").paginate()
    assert len({report["ReportName"] for page in pages for report in page["ReportDefinitions"]}) == 10


@pytest.mark.parametrize(
    "case",
    [
        "missing",
        "foreign",
        "no policy",
        "other account",
        "other report",
        "no check",
        "no put",
        "other region",
        "denied",
    ],
)
def test_bucket_must_admit_billing(gateway, cur, case):
    name = unique("bucket")
    policy = billing_policy(name)
    if case == "other account":
        policy = billing_policy(name, OTHER)
    elif case == "other report":
        policy = json.loads(json.dumps(policy).replace("definition/*", "definition/another"))
    elif case == "no check":
        policy["Statement"][0]["Action"] = ["s3:GetBucketAcl"]
    elif case == "no put":
        del policy["Statement"][1]
    elif case == "denied":
        policy["Statement"].append(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{name}/*",
                "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
            }
        )
    if case == "foreign":
        make_bucket(gateway, name, OTHER, policy=policy)
    elif case != "missing":
        region = "eu-west-1" if case == "other region" else "us-east-1"
        make_bucket(gateway, name, region=region, policy=None if case == "no policy" else policy)
    with refused("ValidationException", "Failed to verify customer bucket permission"):
        cur.put_report_definition(ReportDefinition=definition(name))


@pytest.mark.parametrize("case", ["ArnLike", "StringEquals as AWS publishes it", "this report", "TLS only"])
def test_bucket_that_admits_billing(gateway, cur, case):
    name = unique("bucket")
    policy = billing_policy(name, operator="StringEquals" if case.startswith("StringEquals") else "ArnLike")
    if case == "this report":
        policy = json.loads(json.dumps(policy).replace("definition/*", "definition/kubecost-cur"))
    if case == "TLS only":
        policy["Statement"].append(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": f"arn:aws:s3:::{name}/*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        )
    make_bucket(gateway, name, policy=policy)
    cur.put_report_definition(ReportDefinition=definition(name))
    assert len(cur.describe_report_definitions()["ReportDefinitions"]) == 1


def test_report_in_another_region_than_cur(gateway, cur):
    name = unique("bucket")
    make_bucket(gateway, name, region="eu-west-1", policy=billing_policy(name))
    cur.put_report_definition(ReportDefinition=definition(name, S3Region="eu-west-1"))
    assert cur.describe_report_definitions()["ReportDefinitions"][0]["S3Region"] == "eu-west-1"


def test_change_takes_the_full_definition(cur, bucket):
    cur.put_report_definition(ReportDefinition=definition(bucket, "daily"))
    cur.modify_report_definition(ReportName="daily", ReportDefinition=definition(bucket, "daily", S3Prefix="other"))
    assert cur.describe_report_definitions()["ReportDefinitions"][0]["S3Prefix"] == "other"
    for change in (
        {"S3Prefix": ""},
        {"TimeUnit": "HOURLY"},
        {"AdditionalSchemaElements": []},
        {"ReportName": "x"},
        {"ReportStatus": {"lastStatus": "SUCCESS"}},
    ):
        with refused("ValidationException"):
            cur.modify_report_definition(
                ReportName="daily", ReportDefinition=definition(bucket, **{"ReportName": "daily", **change})
            )
    with refused("ValidationException"):
        cur.modify_report_definition(ReportName="unknown", ReportDefinition=definition(bucket, "unknown"))
    assert cur.describe_report_definitions()["ReportDefinitions"][0]["TimeUnit"] == "DAILY"


def test_unknown_report_cannot_be_deleted(cur):
    with refused("ValidationException"):
        cur.delete_report_definition(ReportName="unknown")


def test_tags(cur, bucket):
    cur.put_report_definition(ReportDefinition=definition(bucket, "daily"), Tags=[{"Key": "a", "Value": "1"}])
    cur.tag_resource(ReportName="daily", Tags=[{"Key": "b", "Value": "2"}])
    cur.untag_resource(ReportName="daily", TagKeys=["a"])
    assert cur.list_tags_for_resource(ReportName="daily")["Tags"] == [{"Key": "b", "Value": "2"}]
    with refused("ResourceNotFoundException"):
        cur.list_tags_for_resource(ReportName="unknown")


def test_accounts_have_their_own_reports(gateway, cur, bucket):
    cur.put_report_definition(ReportDefinition=definition(bucket, "daily"))
    other = gateway.client("cur", "cluster")
    assert other.describe_report_definitions()["ReportDefinitions"] == []
    with refused("ValidationException"):
        other.delete_report_definition(ReportName="daily")
    with refused("ValidationException", "Failed to verify"):
        other.put_report_definition(ReportDefinition=definition(bucket, "daily"))
    assert len(cur.describe_report_definitions()["ReportDefinitions"]) == 1


@pytest.mark.parametrize("allowed", [True, False])
def test_rights_are_checked_on_the_report(gateway, cur, bucket, allowed):
    name = "daily" if allowed else "weekly"
    client = limited(
        gateway,
        {
            "Effect": "Allow",
            "Action": "cur:PutReportDefinition",
            "Resource": f"arn:aws:cur:us-east-1:{PAYER}:definition/{name}",
        },
    )("cur")
    if allowed:
        client.put_report_definition(ReportDefinition=definition(bucket, "daily"))
    else:
        with refused("AccessDeniedException", "cur:PutReportDefinition"):
            client.put_report_definition(ReportDefinition=definition(bucket, "daily"))
