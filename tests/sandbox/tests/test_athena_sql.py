# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Athena's SQL over delivered reports: OpenCost's and Kubecost's queries, types, failures, results."""

from __future__ import annotations

import base64
import json

import pytest
from sandbox.tests.billing_tools import delivered_table, failure, refused, rows, run

K8S_TAGS = (
    "resource_tags_aws_eks_cluster_name",
    "resource_tags_user_eks_cluster_name",
    "resource_tags_user_alpha_eksctl_io_cluster_name",
    "resource_tags_user_kubernetes_io_service_name",
    "resource_tags_user_kubernetes_io_created_for_pvc_name",
    "resource_tags_user_kubernetes_io_created_for_pv_name",
)


@pytest.fixture(scope="module")
def athena(gateway):
    """The payer's Athena."""
    return gateway.client("athena", "payer")


@pytest.fixture(scope="module")
def table(gateway):
    """Three months of a report, with its table."""
    return delivered_table(gateway)


def cloud_cost_query(name, columns, start, end, months, limit=None):
    """The query that OpenCost builds for a CUR 1.0 table with these columns (pkg/cloud/aws/athenaintegration.go)."""
    tags = [f'"{column}"' for column in columns if column.startswith("resource_tags_user_")]
    tags += [column for column in columns if column.startswith("resource_tags_aws_")]
    kubernetes = " OR ".join(
        ["line_item_product_code = 'AmazonEKS'", *(f"{column} <> ''" for column in K8S_TAGS if column in columns)]
    )
    grouped = [
        "DATE_TRUNC('day',line_item_usage_start_date) as usage_date",
        "line_item_resource_id",
        "bill_payer_account_id",
        "line_item_usage_account_id",
        "line_item_product_code",
        "line_item_usage_type",
        "product_region_code",
        "line_item_availability_zone",
        f"({kubernetes}) as is_kubernetes",
        *tags,
    ]
    net = "COALESCE(line_item_net_unblended_cost, line_item_unblended_cost, 0)"
    sums = [
        "SUM(CASE line_item_line_item_type WHEN 'EdpDiscount' THEN 0 WHEN 'PrivateRateDiscount' THEN 0 ELSE "
        "line_item_unblended_cost END) as list_cost",
        f"SUM({net}) as net_cost",
        "SUM(CASE line_item_line_item_type WHEN 'DiscountedUsage' THEN COALESCE(reservation_net_effective_cost, "
        "reservation_effective_cost, 0) WHEN 'SavingsPlanCoveredUsage' THEN "
        "COALESCE(savings_plan_net_savings_plan_effective_cost, savings_plan_savings_plan_effective_cost, 0) "
        f"ELSE {net} END) as amortized_net_cost",
        "SUM(CASE line_item_line_item_type WHEN 'DiscountedUsage' THEN reservation_effective_cost WHEN "
        "'SavingsPlanCoveredUsage' THEN savings_plan_savings_plan_effective_cost ELSE line_item_unblended_cost END) "
        "as amortized_cost",
    ]
    partitions = " OR ".join(f"(year = '{year}' AND month = '{month}')" for year, month in months)
    types = " OR ".join(
        f"line_item_line_item_type = '{kind}'"
        for kind in ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "EdpDiscount", "PrivateRateDiscount")
    )
    query = f"""
        SELECT {", ".join(grouped + sums)}
        FROM "{name}"
        WHERE ({partitions})
            AND line_item_usage_start_date >= date '{start}' AND line_item_usage_start_date < date '{end}'
            AND ({types})
        GROUP BY {", ".join(part.split(" as ")[0] for part in grouped)}
    """
    return query + (f" LIMIT {limit}" if limit else "")


def discovered(athena, table):
    """What OpenCost asks on every build."""
    return [
        name
        for [name] in rows(
            athena,
            table,
            "SELECT column_name FROM information_schema.columns WHERE "
            f"table_schema = '{table.database}' AND table_name = '{table.name}'",
        )
    ]


def test_column_discovery(athena, table):
    assert discovered(athena, table) == [*(column["Name"] for column in table.columns), "year", "month"]
    position = [column["Name"] for column in table.columns].index("line_item_usage_start_date") + 1
    found = rows(
        athena,
        table,
        "SELECT table_schema, table_name, ordinal_position, data_type FROM information_schema.columns "
        f"WHERE table_schema = '{table.database}' AND column_name IN ('line_item_usage_start_date', 'month')",
    )
    assert found == [
        [table.database, table.name, str(position), "timestamp(3)"],
        [table.database, table.name, str(len(table.columns) + 2), "varchar"],
    ]
    assert (
        rows(
            athena,
            table,
            "SELECT column_name FROM information_schema.columns WHERE table_schema = "
            f"'{table.database}' AND table_name = 'unknown'",
        )
        == []
    )


def test_cloud_cost_query(athena, table):
    query = cloud_cost_query(table.name, discovered(athena, table), "2024-04-28", "2024-05-03", [(2024, 4), (2024, 5)])
    execution = run(athena, table, query)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    answer = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"]
    kinds = {column["Name"]: column["Type"] for column in answer["ResultSetMetadata"]["ColumnInfo"]}
    assert kinds["usage_date"] == "timestamp" and kinds["is_kubernetes"] == "boolean" and kinds["list_cost"] == "double"
    header, *found = [[cell.get("VarCharValue") for cell in row["Data"]] for row in answer["Rows"]]
    assert header == list(kinds)
    days = {row[0] for row in found}
    assert days == {f"2024-{day} 00:00:00.000" for day in ("04-28", "04-29", "04-30", "05-01", "05-02")}
    assert {row[header.index("is_kubernetes")] for row in found} >= {"true", None}
    products = {row[header.index("line_item_product_code")] for row in found}
    assert "AmazonEKS" in products and "AWSSupportBusiness" not in products
    costs = [
        float(row[header.index("amortized_net_cost")])
        for row in found
        if row[header.index("line_item_product_code")] == "AmazonEKS"
    ]
    assert len(costs) == 5 and all(cost == pytest.approx(2.4 * 0.96) for cost in costs)
    [[total]] = rows(
        athena,
        table,
        f"SELECT SUM(line_item_unblended_cost) FROM {table.name} WHERE month = '5' AND "
        "line_item_usage_start_date = timestamp '2024-05-02 00:00:00' AND line_item_line_item_type LIKE '%Usage'",
    )
    of_day = sum(float(row[header.index("list_cost")]) for row in found if row[0] == "2024-05-02 00:00:00.000")
    assert of_day == pytest.approx(float(total))


def test_query_without_partitions_and_with_limit(athena, table):
    columns = discovered(athena, table)
    assert (
        len(rows(athena, table, cloud_cost_query(table.name, columns, "2024-05-01", "2024-05-04", [(2024, 5)], 1))) == 1
    )
    found = rows(
        athena,
        table,
        f"SELECT date_format(line_item_usage_start_date, '%Y-%m') AS period, count(*) FROM {table.name} "
        "WHERE date_format(line_item_usage_start_date, '%Y') = '2024' GROUP BY 1 ORDER BY 1",
    )
    assert [row[0] for row in found] == ["2024-03", "2024-04", "2024-05"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 1", "2"),
        ("7 / 2", "3"),
        ("7 / 2.0", "3.5"),
        ("'a' || 'b'", "ab"),
        ("cast(1.5 AS double)", "1.5"),
        ("0.00001e0", "1.0E-5"),
        ("12345678e0", "1.2345678E7"),
        ("cast(2 AS double)", "2.0"),
        ("true", "true"),
        ("NULL", None),
        ("date '2024-05-01'", "2024-05-01"),
        ("timestamp '2024-05-01 10:30:00'", "2024-05-01 10:30:00.000"),
        ("date_trunc('month', timestamp '2024-05-17 10:30:00')", "2024-05-01 00:00:00.000"),
        ("date_format(timestamp '2024-05-17 10:30:00', '%Y-%m-%d %H:%i')", "2024-05-17 10:30"),
        ("date_add('day', 2, date '2024-05-31')", "2024-06-02"),
        ("date_diff('day', date '2024-05-01', date '2024-06-01')", "31"),
        ("date_parse('2024-05', '%Y-%m')", "2024-05-01 00:00:00.000"),
        ("coalesce(NULL, 'x')", "x"),
        ("if(1 > 2, 'a', 'b')", "b"),
        ("element_at(map(ARRAY['a'], ARRAY['x']), 'a')", "x"),
        ("element_at(map(ARRAY['a'], ARRAY['x']), 'b')", None),
        ("element_at(ARRAY[1, 2], 2)", "2"),
        ("cardinality(ARRAY[1, 2])", "2"),
        ("ARRAY[1, 2]", "[1, 2]"),
        ("map(ARRAY['a'], ARRAY[1])", "{a=1}"),
        ("split_part('a:b', ':', 2)", "b"),
        ("regexp_like('i-0abc', '^i-')", "true"),
        ('json_extract_scalar(\'{"a": {"b": "c"}}\', \'$.a.b\')', "c"),
        ("try_cast('x' AS integer)", None),
        ("nullif('', '')", None),
        ("year(date '2024-05-01')", "2024"),
        ("replace('a-b', '-', '_')", "a_b"),
        ("cast(current_date AS varchar) >= '2024-01-01'", "true"),
        ("current_timestamp > timestamp '2024-01-01 00:00:00'", "true"),
    ],
    ids=str,
)
def test_expressions(athena, table, expression, value):
    assert rows(athena, table, f"SELECT {expression} AS value") == [[value]]


def test_with_union_and_subqueries(athena, table):
    query = f"""
        WITH costs AS (
            SELECT month, line_item_unblended_cost AS cost FROM "{table.database}"."{table.name}" WHERE year = '2024')
        SELECT month, count(*), sum(cost) FROM costs WHERE cost > (SELECT avg(cost) FROM costs) GROUP BY month
        UNION ALL SELECT 'all', count(*), max(c.cost) FROM (SELECT * FROM costs) c
        ORDER BY 1
    """
    assert [row[0] for row in rows(athena, table, query)] == ["3", "4", "5", "all"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT nope FROM {table}", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        (
            "SELECT 1\nFROM {table} WHERE product_region_kode = 'x'",
            "COLUMN_NOT_FOUND: line 2:{column}: Column 'product_region_kode' cannot be resolved",
        ),
        (
            "SELECT sum(line_item_unblended_cost) AS cost FROM {table} WHERE cost > 1",
            "Column 'cost' cannot be resolved",
        ),
        ("SELECT t.nope FROM {table} t", "COLUMN_NOT_FOUND: line 1:10: Column 't.nope' cannot be resolved"),
        ("SELECT x FROM (SELECT month FROM {table})", "Column 'x' cannot be resolved"),
        ("SELECT 1 FROM nope", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{database}.nope' does not exist"),
        ("SELECT 1 FROM nope.t", "SCHEMA_NOT_FOUND: line 1:20: Schema 'nope' does not exist"),
        (
            "SELECT 1 FROM {table} WHERE year = 2024",
            "TYPE_MISMATCH: line 1:{column}: Cannot apply operator: varchar = integer",
        ),
        (
            "SELECT 1 FROM {table} WHERE line_item_usage_start_date >= '2024-05-01'",
            "Cannot apply operator: timestamp(3) >= varchar(10)",
        ),
        ("SELECT no_function(month) FROM {table}", "FUNCTION_NOT_FOUND"),
        ("SELECT month, count(*) FROM {table}", "SYNTAX_ERROR"),
        ("SELECT cast(month || 'x' AS integer) FROM {table}", "INVALID_CAST_ARGUMENT"),
    ],
)
def test_failed_queries_say_why(athena, table, query, reason):
    text = query.format(table=table.name)
    place = text.split("\n")[-1]
    word = "product_region_kode" if "kode" in text else "year"
    assert reason.format(database=table.database, column=place.find(word) + 1) in failure(athena, table, text)


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT FROM", "SELECT 'a", "SELECT 1; SELECT 2"])
def test_malformed_queries_are_refused_at_once(athena, table, query):
    with refused("InvalidRequestException") as error:
        run(athena, table, query)
    assert error.value.response["AthenaErrorCode"] == "MALFORMED_QUERY"


def test_parameters(athena, table):
    query = f"SELECT count(*) FROM {table.name} WHERE month = ? AND line_item_unblended_cost > ?"
    [[count]] = rows(athena, table, query, ExecutionParameters=["'5'", "0"])
    [[expected]] = rows(
        athena, table, f"SELECT count(*) FROM {table.name} WHERE month = '5' AND line_item_unblended_cost > 0"
    )
    assert count == expected != "0"
    with refused("InvalidRequestException", "expected 2 but found 1"):
        run(athena, table, query, ExecutionParameters=["'5'"])


def test_view(gateway, athena, table):
    sql = f"SELECT month, sum(line_item_unblended_cost) AS cost FROM {table.name} GROUP BY month"
    text = base64.b64encode(
        json.dumps({"originalSql": sql, "catalog": "awsdatacatalog", "schema": table.database}).encode()
    )
    gateway.client("glue", "payer").create_table(
        DatabaseName=table.database,
        TableInput={
            "Name": "costs",
            "TableType": "VIRTUAL_VIEW",
            "ViewOriginalText": f"/* Presto View: {text.decode()} */",
            "ViewExpandedText": "/* Presto View */",
            "Parameters": {"presto_view": "true"},
            "StorageDescriptor": {"Columns": [{"Name": "month", "Type": "string"}, {"Name": "cost", "Type": "double"}]},
        },
    )
    assert [row[0] for row in rows(athena, table, "SELECT month FROM costs WHERE cost > 0 ORDER BY month")] == [
        "3",
        "4",
        "5",
    ]
    assert "cannot be resolved" in failure(athena, table, "SELECT nope FROM costs")


def test_results_file_and_pages(gateway, athena, table):
    query = f"SELECT identity_line_item_id, line_item_tax_type, line_item_unblended_cost FROM {table.name} ORDER BY 1"
    execution = run(athena, table, query)
    query_id, location = execution["QueryExecutionId"], execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{table.results}/athena/{query_id}.csv"
    body = (
        gateway.client("s3", "payer")
        .get_object(Bucket=table.results, Key=f"athena/{query_id}.csv")["Body"]
        .read()
        .decode()
        .splitlines()
    )
    assert body[0] == '"identity_line_item_id","line_item_tax_type","line_item_unblended_cost"'
    gateway.client("s3", "payer").head_object(Bucket=table.results, Key=f"athena/{query_id}.csv.metadata")
    first = athena.get_query_results(QueryExecutionId=query_id, MaxResults=10)
    assert len(first["ResultSet"]["Rows"]) == 10 and first["NextToken"]
    assert first["ResultSet"]["Rows"][0]["Data"][0] == {"VarCharValue": "identity_line_item_id"}
    assert first["ResultSet"]["Rows"][1]["Data"][1] == {}
    second = athena.get_query_results(QueryExecutionId=query_id, MaxResults=10, NextToken=first["NextToken"])
    pages = athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=query_id, PaginationConfig={"PageSize": 300}
    )
    everything = [row for page in pages for row in page["ResultSet"]["Rows"]]
    assert everything[:20] == first["ResultSet"]["Rows"] + second["ResultSet"]["Rows"]
    assert len(everything) == len(body)
    ids = [row["Data"][0]["VarCharValue"] for row in everything[1:]]
    assert ids == sorted(set(ids))
    with refused("InvalidRequestException", "MaxResults"):
        athena.get_query_results(QueryExecutionId=query_id, MaxResults=1001)


def test_execution_of_a_query(athena, table):
    execution = run(athena, table, f"SELECT count(*) FROM {table.name}", ClientRequestToken="a" * 32)
    assert execution["Status"]["CompletionDateTime"] >= execution["Status"]["SubmissionDateTime"]
    assert execution["WorkGroup"] == "primary" and execution["StatementType"] == "DML"
    again = run(athena, table, f"SELECT count(*) FROM {table.name}", ClientRequestToken="a" * 32)
    assert again["QueryExecutionId"] == execution["QueryExecutionId"]
    assert rows(athena, table, "SELECT count(*)  FROM (VALUES 1, 2) AS t(x)") == [["2"]]


def test_results_of_failed_and_unknown_queries(athena, table):
    execution = run(athena, table, "SELECT nope FROM nope")
    with refused("InvalidRequestException", "Query did not finish successfully. Final query state: FAILED"):
        athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    for call in (athena.get_query_results, athena.get_query_execution):
        with refused("InvalidRequestException", "was not found"):
            call(QueryExecutionId="00000000-0000-4000-8000-000000000000")


def test_other_accounts_do_not_see_queries_and_tables(gateway, athena, table):
    execution = run(athena, table, "SELECT 1")
    other = gateway.client("athena", "cluster")
    with refused("InvalidRequestException", "was not found"):
        other.get_query_execution(QueryExecutionId=execution["QueryExecutionId"])
    with refused("InvalidRequestException", "Unable to verify/create output bucket"):
        run(other, table, f"SELECT 1 FROM {table.name}")


def test_table_metadata(athena, table):
    found = athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName=table.database, TableName=table.name)[
        "TableMetadata"
    ]
    assert [key["Name"] for key in found["PartitionKeys"]] == ["year", "month"]
    with refused("MetadataException"):
        athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName=table.database, TableName="unknown")
