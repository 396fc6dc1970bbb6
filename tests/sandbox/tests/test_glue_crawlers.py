# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A crawler makes of a delivered report what AWS' makes: the table, its columns, its months."""

from __future__ import annotations

import time

from sandbox.tests.billing_tools import PAYER, definition, report_bucket, unique
from sandbox.tests.gateway_tools import policy


def deliver(gateway, report, months, until):
    """Deliver these months."""
    request = {"account_id": PAYER, "report_name": report, "months": months, "until": until, "rows": 60}
    gateway.control("/_sandbox/deliver", request)


def ready(glue, name):
    """Wait for the end of a crawl."""
    deadline = time.monotonic() + 20
    while glue.get_crawler(Name=name)["Crawler"]["State"] != "READY":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_crawl_makes_table_and_partitions(gateway):
    bucket, report = report_bucket(gateway), unique("report")
    gateway.client("cur", "payer").put_report_definition(ReportDefinition=definition(bucket, report))
    glue = gateway.client("glue", "payer")
    iam = gateway.client("iam", "payer")
    name, database = unique("crawler"), unique("crawled").replace("-", "_")
    trust = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "glue.amazonaws.com"}})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    glue.create_database(DatabaseInput={"Name": database})
    path = f"s3://{bucket}/cur/{report}/{report}"
    glue.create_crawler(Name=name, Role=role, DatabaseName=database, Targets={"S3Targets": [{"Path": path}]})

    glue.start_crawler(Name=name)
    ready(glue, name)
    assert glue.get_tables(DatabaseName=database)["TableList"] == []

    deliver(gateway, report, months=2, until="2024-05-15")
    glue.start_crawler(Name=name)
    ready(glue, name)
    (table,) = glue.get_tables(DatabaseName=database)["TableList"]
    assert table["Name"] == report.replace("-", "_")
    assert table["PartitionKeys"] == [{"Name": "year", "Type": "string"}, {"Name": "month", "Type": "string"}]
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert columns["line_item_usage_start_date"] == "timestamp"
    assert columns["line_item_unblended_cost"] == "double"
    assert not {"year", "month"} & set(columns)

    deliver(gateway, report, months=1, until="2024-06-15")
    glue.start_crawler(Name=name)
    ready(glue, name)
    partitions = glue.get_partitions(DatabaseName=database, TableName=table["Name"])["Partitions"]
    assert sorted(partition["Values"] for partition in partitions) == [["2024", "4"], ["2024", "5"], ["2024", "6"]]
    assert partitions[0]["StorageDescriptor"]["Location"].startswith(f"{path}/year=2024/month=")
    assert glue.get_crawler(Name=name)["Crawler"]["LastCrawl"]["Status"] == "SUCCEEDED"
