# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of billing, Glue and Athena have in common: a bucket with a report, a table over it, queries."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

PAYER = "111111111111"
_numbers = itertools.count(1)
PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
_TYPES = {"STRING": "string", "DOUBLE": "double", "TIMESTAMP": "timestamp"}


def unique(text: str) -> str:
    """A name that no other test uses."""
    return f"{text}-{next(_numbers)}-{time.time_ns() % 1_000_000_000}"


@contextlib.contextmanager
def refused(code: str, text: str = "") -> Iterator[Any]:
    """The AWS call inside must fail with this code, its message containing `text`."""
    with pytest.raises(ClientError) as error:
        yield error
    assert error.value.response["Error"]["Code"] == code, error.value.response["Error"]
    assert text in error.value.response["Error"].get("Message", ""), error.value.response["Error"]


def billing_policy(bucket: str, account: str = PAYER, operator: str = "ArnLike") -> dict[str, Any]:
    """The bucket policy that lets AWS deliver reports."""
    condition = {"StringEquals": {"aws:SourceAccount": account}}
    condition.setdefault(operator, {})["aws:SourceArn"] = f"arn:aws:cur:us-east-1:{account}:definition/*"
    principal = {"Service": "billingreports.amazonaws.com"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": principal,
                "Action": ["s3:GetBucketAcl", "s3:GetBucketPolicy"],
                "Resource": f"arn:aws:s3:::{bucket}",
                "Condition": condition,
            },
            {
                "Effect": "Allow",
                "Principal": principal,
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
                "Condition": condition,
            },
        ],
    }


def definition(bucket: str, name: str = "kubecost-cur", **changes: Any) -> dict[str, Any]:
    """A report as Kubecost needs it."""
    return {
        "ReportName": name,
        "TimeUnit": "DAILY",
        "Format": "Parquet",
        "Compression": "Parquet",
        "AdditionalSchemaElements": ["RESOURCES"],
        "S3Bucket": bucket,
        "S3Prefix": "cur",
        "S3Region": "us-east-1",
        "AdditionalArtifacts": ["ATHENA"],
        "RefreshClosedReports": True,
        "ReportVersioning": "OVERWRITE_REPORT",
        **changes,
    }


def make_bucket(
    gateway: Any, name: str, account: str = PAYER, region: str = "us-east-1", policy: dict[str, Any] | None = None
) -> str:
    """A bucket of an account; the policy is set as it stands."""
    s3 = gateway.client("s3", account, region)
    location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **location)
    if policy:
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    return name


def report_bucket(gateway: Any, account: str = PAYER) -> str:
    """A bucket into which billing may deliver."""
    name = unique("reports")
    return make_bucket(gateway, name, account, policy=billing_policy(name, account))


def read_json(gateway: Any, bucket: str, key: str, account: str = PAYER) -> Any:
    """An object that is JSON."""
    return json.load(gateway.client("s3", account).get_object(Bucket=bucket, Key=key)["Body"])


@dataclass
class Table:
    """A delivered report with its Glue table."""

    bucket: str
    results: str
    report: str
    database: str
    name: str
    columns: list[dict[str, str]]

    @property
    def location(self) -> str:
        """Where the table lies."""
        return f"s3://{self.bucket}/cur/{self.report}/{self.report}/"

    def projection(self, years: str = "2024,2024", months: str = "1,12") -> dict[str, str]:
        """Properties that describe its partitions."""
        return {
            "projection.enabled": "true",
            "projection.year.type": "integer",
            "projection.year.range": years,
            "projection.month.type": "integer",
            "projection.month.range": months,
            "storage.location.template": self.location + "year=${year}/month=${month}",
        }

    def input(self, name: str | None = None, **changes: Any) -> dict[str, Any]:
        """A TableInput; with projection unless `Parameters` says otherwise."""
        return {
            "Name": name or self.name,
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": {"Columns": self.columns, "Location": self.location, **PARQUET},
            "PartitionKeys": [{"Name": "year", "Type": "string"}, {"Name": "month", "Type": "string"}],
            "Parameters": self.projection(),
            **changes,
        }


def delivered_table(gateway: Any, keep_report: bool = False, **delivery: Any) -> Table:
    """A report for 3 months up to 2024-05-14, delivered, with a table over it; account payer, region us-east-1.

    The definition is deleted then (an account has ten at most), the data stay.
    """
    bucket = report_bucket(gateway)
    results = make_bucket(gateway, unique("results"))
    report = "kubecost-" + unique("cur")
    gateway.client("cur", "payer").put_report_definition(ReportDefinition=definition(bucket, report))
    answer = gateway.control(
        "/_sandbox/deliver",
        {"account_id": PAYER, "report_name": report, "months": 3, "until": "2024-05-14", "rows": 900, **delivery},
    )
    assert answer["status"] == "SUCCESS"
    if not keep_report:
        gateway.client("cur", "payer").delete_report_definition(ReportName=report)
    listed = read_json(gateway, bucket, f"cur/{report}/20240501-20240601/{report}-Manifest.json")["columns"]
    columns = [{"Name": column["name"], "Type": _TYPES[column["type"]]} for column in listed]
    name = report.replace("-", "_")
    table = Table(bucket, results, report, f"db_{name}", name, columns)
    glue = gateway.client("glue", "payer")
    glue.create_database(DatabaseInput={"Name": table.database})
    glue.create_table(DatabaseName=table.database, TableInput=table.input())
    return table


def run(athena: Any, table: Table, sql: str, **options: Any) -> dict[str, Any]:
    """Run a query to its end: the QueryExecution."""
    options.setdefault("ResultConfiguration", {"OutputLocation": f"s3://{table.results}/athena/"})
    started = athena.start_query_execution(
        QueryString=sql, QueryExecutionContext={"Database": table.database}, **options
    )
    return finished(athena, started["QueryExecutionId"])


def finished(athena: Any, query_id: str) -> dict[str, Any]:
    """Wait for a query to end."""
    found = wait_for(
        lambda: athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"],
        lambda execution: execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"),
    )
    assert "StateChangeReason" in found["Status"] or found["Status"]["State"] == "SUCCEEDED"
    return found


def rows(athena: Any, table: Table, sql: str, **options: Any) -> list[list[str | None]]:
    """The rows of a query that must succeed, without the header."""
    execution = run(athena, table, sql, **options)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution["QueryExecutionId"])
    found = [[cell.get("VarCharValue") for cell in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]]
    return found[1:]


def failure(athena: Any, table: Table, sql: str, state: str = "FAILED", **options: Any) -> str:
    """The reason of a query that must not succeed."""
    execution = run(athena, table, sql, **options)
    assert execution["Status"]["State"] == state, execution["Status"]
    return execution["Status"]["StateChangeReason"]


def wait_for(look: Callable[[], Any], enough: Callable[[Any], bool], seconds: float = 30) -> Any:
    """Look until it is enough."""
    deadline = time.monotonic() + seconds
    while not enough(found := look()):
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.02)
    return found


def limited(gateway: Any, *statements: dict[str, Any], account: str = PAYER) -> Callable[..., Any]:
    """Clients of a new role that has these statements only: `limited(gateway, ...)("athena")`."""
    iam = gateway.client("iam", account)
    name = unique("limited")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    iam.put_role_policy(
        RoleName=name,
        PolicyName="rights",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
    )
    keys = gateway.client("sts", account).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{name}", RoleSessionName="limited"
    )["Credentials"]

    def client(service: str, region: str = "us-east-1", **options: Any) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=gateway.endpoint_url,
            verify=gateway.ca_bundle,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            config=Config(s3={"addressing_style": "path"}, **options),
        )

    return client
