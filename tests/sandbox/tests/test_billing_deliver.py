# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`deliver` writes what AWS Billing writes, and only where it may."""

from __future__ import annotations

import json

import pytest
from sandbox.tests.billing_tools import (
    PAYER,
    billing_policy,
    definition,
    delivered_table,
    make_bucket,
    read_json,
    report_bucket,
    rows,
    unique,
)


def keys(gateway, bucket, prefix=""):
    """The keys of a bucket."""
    found = gateway.client("s3", PAYER).list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for entry in found.get("Contents", [])]


def ordered(gateway, **changes):
    """A report definition of its own, in the payer account."""
    bucket, name = report_bucket(gateway), unique("report")
    gateway.client("cur", "payer").put_report_definition(ReportDefinition=definition(bucket, name, **changes))
    return bucket, name


def described(gateway, name):
    """The definition of that name."""
    pages = gateway.client("cur", "payer").get_paginator("describe_report_definitions").paginate()
    return next(report for page in pages for report in page["ReportDefinitions"] if report["ReportName"] == name)


def delivery(gateway, name, **changes):
    """Deliver it, up to 2024-05-14."""
    return gateway.control(
        "/_sandbox/deliver", {"account_id": PAYER, "report_name": name, "until": "2024-05-14", "rows": 300, **changes}
    )


@pytest.fixture(autouse=True)
def no_reports_left(gateway):
    """An account has ten reports at most."""
    yield
    cur = gateway.client("cur", PAYER)
    for page in cur.get_paginator("describe_report_definitions").paginate():
        for report in page["ReportDefinitions"]:
            cur.delete_report_definition(ReportName=report["ReportName"])


@pytest.fixture(scope="module")
def table(gateway):
    """A delivered report of the default size with its table."""
    return delivered_table(gateway, rows=3000)


def test_nothing_is_there_until_it_is_delivered(gateway):
    bucket, name = ordered(gateway)
    assert keys(gateway, bucket) == ["aws-programmatic-access-test-object"]
    answer = delivery(gateway, name)
    root, report = f"cur/{name}", name
    assert keys(gateway, bucket) == sorted(
        [
            "aws-programmatic-access-test-object",
            f"{root}/crawler-cfn.yml",
            f"{root}/cost_and_usage_data_status/cost_and_usage_data_status.parquet",
            *(f"{root}/{report}/year=2024/month={month}/{report}-00001.snappy.parquet" for month in (3, 4, 5)),
            *(
                f"{root}/{folder}/{report}-{what}"
                for folder in ("20240301-20240401", "20240401-20240501", "20240501-20240601")
                for what in ("Manifest.json", "create-table.sql")
            ),
        ]
    )
    assert answer["status"] == "SUCCESS"
    found = described(gateway, name)
    assert found["ReportStatus"] == {"lastStatus": "SUCCESS", "lastDelivery": answer["last_delivery"]}


def test_months_over_the_turn_of_a_year_are_not_padded(gateway):
    bucket, name = ordered(gateway)
    delivery(gateway, name, until="2024-01-31", months=2)
    data = keys(gateway, bucket, f"cur/{name}/{name}/")
    assert [key.split("/")[3:5] for key in data] == [["year=2023", "month=12"], ["year=2024", "month=1"]]


def test_manifest_and_sql_name_the_columns(gateway):
    bucket, name = ordered(gateway)
    delivery(gateway, name)
    manifest = read_json(gateway, bucket, f"cur/{name}/20240501-20240601/{name}-Manifest.json")
    assert manifest["reportKeys"] == [f"cur/{name}/{name}/year=2024/month=5/{name}-00001.snappy.parquet"]
    assert manifest["billingPeriod"] == {"start": "20240501T000000.000Z", "end": "20240601T000000.000Z"}
    assert (manifest["account"], manifest["bucket"], manifest["contentType"]) == (PAYER, bucket, "Parquet")
    kinds = {column["name"]: (column["category"], column["type"]) for column in manifest["columns"]}
    assert kinds["line_item_usage_start_date"] == ("lineItem", "TIMESTAMP")
    assert kinds["line_item_unblended_cost"] == ("lineItem", "DOUBLE")
    assert kinds["resource_tags_user_alpha_eksctl_io_cluster_name"] == ("resourceTags", "STRING")
    body = (
        gateway.client("s3", PAYER)
        .get_object(Bucket=bucket, Key=f"cur/{name}/20240501-20240601/{name}-create-table.sql")["Body"]
        .read()
        .decode()
    )
    assert all(f"{column['name']} {column['type']}" in body for column in manifest["columns"])
    assert "PARTITIONED BY" in body and f"LOCATION 's3://{bucket}/cur/{name}/{name}/'" in body


def test_crawler_template_comes_once(gateway):
    bucket, name = ordered(gateway)
    delivery(gateway, name)
    s3 = gateway.client("s3", PAYER)
    text = s3.get_object(Bucket=bucket, Key=f"cur/{name}/crawler-cfn.yml")["Body"].read().decode()
    table = name.replace("-", "_")
    assert f"athenacurcfn_{table}" in text and f"Name: AWSCURCrawler-{name}" in text
    assert f"s3://{bucket}/cur/{name}/{name}'" in text
    s3.put_object(Bucket=bucket, Key=f"cur/{name}/crawler-cfn.yml", Body=b"mine")
    delivery(gateway, name)
    assert s3.get_object(Bucket=bucket, Key=f"cur/{name}/crawler-cfn.yml")["Body"].read() == b"mine"


def test_the_same_seed_gives_the_same_bytes(gateway):
    def data(**changes):
        bucket, name = ordered(gateway)
        delivery(gateway, name, months=1, **changes)
        key = f"cur/{name}/{name}/year=2024/month=5/{name}-00001.snappy.parquet"
        return gateway.client("s3", PAYER).get_object(Bucket=bucket, Key=key)["Body"].read()

    first = data(seed=7)
    assert data(seed=7) == first
    assert data(seed=8) != first


def test_a_later_delivery_keeps_the_days_before(gateway):
    table = delivered_table(gateway, keep_report=True, rows=300)
    athena = gateway.client("athena", "payer")
    query = (
        f"SELECT line_item_resource_id, line_item_unblended_cost FROM {table.name} WHERE month = '5' AND "
        "line_item_line_item_type = 'Usage' AND line_item_usage_start_date < date '2024-05-10' ORDER BY 1, 2"
    )
    before = rows(athena, table, query)
    delivery(gateway, table.report, until="2024-05-20")
    assert rows(athena, table, query) == before
    assert rows(athena, table, f"SELECT max(line_item_usage_start_date) FROM {table.name}") == [
        ["2024-05-20 00:00:00.000"]
    ]


def test_columns_follow_tags_and_schema_elements(gateway):
    bucket, name = ordered(gateway, AdditionalSchemaElements=["RESOURCES", "SPLIT_COST_ALLOCATION_DATA"])

    def columns():
        path = f"cur/{name}/20240501-20240601/{name}-Manifest.json"
        return {column["name"] for column in read_json(gateway, bucket, path)["columns"]}

    delivery(gateway, name)
    first = columns()
    delivery(gateway, name, tags=["cost-center", "kubernetes_label_app.kubernetes.io/name", "userID"])
    assert columns() - first == {
        "resource_tags_user_cost_center",
        "resource_tags_user_user_i_d",
        "resource_tags_user_kubernetes_label_app_kubernetes_io_name",
    }
    assert {"split_line_item_split_cost", "resource_tags_aws_eks_namespace", "line_item_resource_id"} <= first
    delivery(gateway, name, discounts=False)
    assert first - columns() == {
        "line_item_net_unblended_cost",
        "line_item_net_unblended_rate",
        "reservation_net_effective_cost",
        "savings_plan_net_savings_plan_effective_cost",
    }
    bucket, name = ordered(gateway, AdditionalSchemaElements=[])
    delivery(gateway, name)
    assert "line_item_resource_id" not in columns()


def test_rows_are_a_bill(gateway, table):
    athena = gateway.client("athena", "payer")

    def distinct(column):
        return {value for [value] in rows(athena, table, f"SELECT DISTINCT {column} FROM {table.name}")}

    assert {
        "Usage",
        "DiscountedUsage",
        "SavingsPlanCoveredUsage",
        "Tax",
        "Credit",
        "Refund",
        "RIFee",
        "EdpDiscount",
        "SavingsPlanRecurringFee",
        "Fee",
    } == distinct("line_item_line_item_type")
    assert {"AmazonEKS", "AmazonEC2", "AmazonS3", "AmazonRDS", "AWSDataTransfer"} <= distinct("line_item_product_code")
    assert distinct("line_item_usage_account_id") == {PAYER, "222222222222"}
    assert distinct("bill_payer_account_id") == {PAYER}
    assert {"eu-west-1", "us-east-1"} <= distinct("product_region_code")
    assert "demo" in distinct("resource_tags_aws_eks_cluster_name")
    assert {"kubecost", "shop"} <= distinct("resource_tags_user_kubernetes_namespace")
    [[count, cost, ids]] = rows(
        athena,
        table,
        f"SELECT count(*), sum(line_item_unblended_cost), count(DISTINCT identity_line_item_id) FROM {table.name}",
    )
    assert 2000 < int(count) == int(ids) < 3500 and float(cost) > 100
    wrong = rows(
        athena,
        table,
        "SELECT count(*) FROM " + table.name + " WHERE month <> "
        "cast(month(line_item_usage_start_date) AS varchar) OR "
        "year <> cast(year(line_item_usage_start_date) AS varchar)",
    )
    assert wrong == [["0"]]


def test_status_table_is_ready(gateway, table):
    glue = gateway.client("glue", "payer")
    wanted = table.input("status_table", PartitionKeys=[], Parameters={})
    wanted["StorageDescriptor"] = {
        **wanted["StorageDescriptor"],
        "Columns": [{"Name": "status", "Type": "string"}],
        "Location": f"s3://{table.bucket}/cur/{table.report}/cost_and_usage_data_status/",
    }
    glue.create_table(DatabaseName=table.database, TableInput=wanted)
    assert rows(gateway.client("athena", "payer"), table, "SELECT status FROM status_table") == [["READY"]]


@pytest.mark.parametrize("unit", ["HOURLY", "MONTHLY"])
def test_time_units(gateway, unit):
    bucket, name = ordered(gateway, TimeUnit=unit)
    answer = delivery(gateway, name, months=1)
    assert answer["status"] == "SUCCESS" and answer["rows"] > (100 if unit == "HOURLY" else 10)


def test_delivery_waits_for_the_policy(gateway):
    bucket, name = ordered(gateway)
    s3 = gateway.client("s3", PAYER)
    before = keys(gateway, bucket)
    for broken in (
        billing_policy(bucket, "222222222222"),
        {"Version": "2012-10-17", "Statement": billing_policy(bucket)["Statement"][:1]},
        json.loads(json.dumps(billing_policy(bucket)).replace(f"{bucket}/*", f"{bucket}/elsewhere/*")),
    ):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(broken))
        assert delivery(gateway, name)["status"] == "ERROR_PERMISSIONS"
        assert keys(gateway, bucket) == before
        found = described(gateway, name)
        assert found["ReportStatus"] == {"lastStatus": "ERROR_PERMISSIONS"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(billing_policy(bucket)))
    assert delivery(gateway, name)["status"] == "SUCCESS"


@pytest.mark.parametrize("admitted", [True, False])
def test_customer_key_must_admit_billing(gateway, admitted):
    bucket, name = ordered(gateway)
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{PAYER}:root"}, "Action": "kms:*", "Resource": "*"}
    billing = {
        "Effect": "Allow",
        "Principal": {"Service": "billingreports.amazonaws.com"},
        "Resource": "*",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Condition": {"StringEquals": {"aws:SourceAccount": PAYER}},
    }
    key = gateway.client("kms", PAYER).create_key(
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [root, billing] if admitted else [root]})
    )["KeyMetadata"]["Arn"]
    gateway.client("s3", PAYER).put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]
        },
    )
    assert delivery(gateway, name)["status"] == ("SUCCESS" if admitted else "ERROR_PERMISSIONS")


def test_bucket_is_gone(gateway):
    bucket, name = ordered(gateway)
    s3 = gateway.client("s3", PAYER)
    s3.delete_object(Bucket=bucket, Key="aws-programmatic-access-test-object")
    s3.delete_bucket(Bucket=bucket)
    assert delivery(gateway, name)["status"] == "ERROR_NO_BUCKET"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"report_name": "unknown"}, "has no report unknown"),
        ({"report_name": "x", "month": 3}, "does not know month"),
        ({}, "needs report_name"),
        ({"report_name": "x", "months": 0}, "months must be"),
    ],
)
def test_deliver_says_what_is_wrong(gateway, body, text):
    with pytest.raises(RuntimeError, match=text):
        gateway.control("/_sandbox/deliver", {"account_id": PAYER, **body})


def test_report_without_athena_is_not_delivered(gateway):
    bucket, name = unique("plain"), unique("report")
    make_bucket(gateway, bucket, policy=billing_policy(bucket))
    gateway.client("cur", "payer").put_report_definition(
        ReportDefinition=definition(
            bucket,
            name,
            Format="textORcsv",
            Compression="GZIP",
            AdditionalArtifacts=[],
            ReportVersioning="CREATE_NEW_REPORT",
        )
    )
    with pytest.raises(RuntimeError, match="ATHENA"):
        delivery(gateway, name)
