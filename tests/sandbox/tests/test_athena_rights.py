# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A query has the rights of its caller: on the workgroup, the catalog, the data, the results and their keys."""

from __future__ import annotations

import copy
import json

import pytest
from sandbox.tests.billing_tools import (
    PARQUET,
    PAYER,
    delivered_table,
    failure,
    finished,
    limited,
    make_bucket,
    refused,
    rows,
    run,
    unique,
)

OTHER = "222222222222"
QUERY = "SELECT count(*) FROM {table} WHERE year = '2024' AND month = '5'"


@pytest.fixture(scope="module")
def table(gateway):
    """Three months of a report, with its table."""
    return delivered_table(gateway)


def statements(table, workgroup="primary"):
    """The rights that a reader of the report needs, statement by statement."""
    glue = f"arn:aws:glue:us-east-1:{PAYER}"
    return {
        "list": {"Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": f"arn:aws:s3:::{table.bucket}"},
        "read": {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{table.bucket}/cur/*"},
        "results bucket": {"Action": "s3:GetBucketLocation", "Resource": f"arn:aws:s3:::{table.results}"},
        "results": {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{table.results}/athena/*"},
        "queries": {
            "Action": ["athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults"],
            "Resource": f"arn:aws:athena:us-east-1:{PAYER}:workgroup/{workgroup}",
        },
        "catalog": {
            "Action": ["glue:GetDatabase", "glue:GetTable", "glue:GetPartitions"],
            "Resource": [
                f"{glue}:catalog",
                f"{glue}:database/{table.database}",
                f"{glue}:table/{table.database}/{table.name}",
            ],
        },
    }


def reader(gateway, parts, account=PAYER):
    """Athena for a role with these statements."""
    return limited(gateway, *({"Effect": "Allow", **part} for part in parts.values()), account=account)("athena")


def without(parts, name, field, value):
    """The statements, one of them lacking an action or resource."""
    changed = copy.deepcopy(parts)
    changed[name][field] = [entry for entry in changed[name][field] if entry != value]
    return changed


def test_least_rights_are_enough(gateway, table):
    athena = reader(gateway, statements(table))
    assert rows(athena, table, QUERY.format(table=table.name)) != [["0"]]
    assert (
        len(
            rows(
                athena,
                table,
                "SELECT column_name FROM information_schema.columns WHERE table_schema = "
                f"'{table.database}' AND table_name = '{table.name}'",
            )
        )
        > 100
    )


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "list",
            "Permission denied on S3 path: s3://{bucket}/cur/{report}/{report}/year=2024/month=5. User: {user} is not "
            "authorized to perform: s3:ListBucket on resource: arn:aws:s3:::{bucket} ",
        ),
        (
            "read",
            "is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::{bucket}/cur/{report}/{report}/year=",
        ),
        (
            "catalog",
            "Insufficient permissions to execute the query. User: {user} is not authorized to perform: "
            "glue:GetDatabase on resource: arn:aws:glue:us-east-1:111111111111:catalog ",
        ),
    ],
)
def test_statement_taken_away_fails_the_query(gateway, table, statement, reason):
    parts = statements(table)
    del parts[statement]
    found = failure(reader(gateway, parts), table, QUERY.format(table=table.name))
    user = found.split("User: ")[1].split(" ")[0]
    assert user.startswith(f"arn:aws:sts::{PAYER}:assumed-role/limited-")
    assert reason.format(bucket=table.bucket, report=table.report, user=user) in found


@pytest.mark.parametrize("action", ["glue:GetDatabase", "glue:GetTable"])
def test_catalog_action_taken_away(gateway, table, action):
    athena = reader(gateway, without(statements(table), "catalog", "Action", action))
    assert f"not authorized to perform: {action} on resource: " in failure(
        athena, table, QUERY.format(table=table.name)
    )
    assert f"not authorized to perform: {action} on resource: " in failure(
        athena,
        table,
        "SELECT column_name FROM information_schema.columns WHERE table_schema = "
        f"'{table.database}' AND table_name = '{table.name}'",
    )


@pytest.mark.parametrize("level", [0, 1, 2])
def test_catalog_level_taken_away(gateway, table, level):
    resource = statements(table)["catalog"]["Resource"][level]
    athena = reader(gateway, without(statements(table), "catalog", "Resource", resource))
    assert f"on resource: {resource} " in failure(athena, table, QUERY.format(table=table.name))


def test_registered_partitions_need_get_partitions(gateway, table):
    name = unique("registered").replace("-", "_")
    gateway.client("glue", "payer").create_table(
        DatabaseName=table.database, TableInput=table.input(name, Parameters={})
    )
    parts = statements(table)
    parts["catalog"]["Resource"][2] = f"arn:aws:glue:us-east-1:{PAYER}:table/{table.database}/{name}"
    assert rows(reader(gateway, parts), table, QUERY.format(table=name)) == [["0"]]
    less = reader(gateway, without(parts, "catalog", "Action", "glue:GetPartitions"))
    assert "glue:GetPartitions" in failure(less, table, QUERY.format(table=name))


def test_workgroup_rights(gateway, table):
    parts = statements(table)
    del parts["queries"]
    with refused("AccessDeniedException", "athena:StartQueryExecution"):
        run(reader(gateway, parts), table, "SELECT 1")
    other = reader(gateway, statements(table, "another"))
    with refused("AccessDeniedException", "workgroup/primary"):
        run(other, table, "SELECT 1")
    query_id = run(gateway.client("athena", "payer"), table, "SELECT 1")["QueryExecutionId"]
    for call in (other.get_query_execution, other.get_query_results):
        with refused("AccessDeniedException"):
            call(QueryExecutionId=query_id)
    assert reader(gateway, statements(table)).get_query_execution(QueryExecutionId=query_id)


def test_results_bucket_rights(gateway, table):
    parts = statements(table)
    del parts["results bucket"]
    with refused("InvalidRequestException", f"Unable to verify/create output bucket {table.results}"):
        run(reader(gateway, parts), table, "SELECT 1")
    reason = failure(
        reader(gateway, without(statements(table), "results", "Action", "s3:PutObject")), table, "SELECT 1"
    )
    assert reason.startswith(f"Access denied when writing output to url: s3://{table.results}/athena/")
    assert "s3:PutObject on resource: arn:aws:s3:::" in reason
    athena = reader(gateway, without(statements(table), "results", "Action", "s3:GetObject"))
    query_id = run(athena, table, "SELECT 1")["QueryExecutionId"]
    with refused("AccessDeniedException", "s3:GetObject"):
        athena.get_query_results(QueryExecutionId=query_id)


def test_results_elsewhere_are_refused(gateway, table):
    athena = reader(gateway, statements(table))
    reason = failure(athena, table, "SELECT 1", ResultConfiguration={"OutputLocation": f"s3://{table.results}/other/"})
    assert f"arn:aws:s3:::{table.results}/other/" in reason


def test_bucket_policy_may_deny_the_query(gateway, table):
    name = unique("guarded")
    make_bucket(
        gateway,
        name,
        policy={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:PutObject",
                    "Resource": f"arn:aws:s3:::{name}/*",
                    "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}},
                }
            ],
        },
    )
    parts = statements(table)
    for part in ("results", "results bucket"):
        parts[part]["Resource"] = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    athena = reader(gateway, parts)
    place = {"OutputLocation": f"s3://{name}/"}
    assert "Access denied when writing output" in failure(athena, table, "SELECT 1", ResultConfiguration=place)
    assert (
        run(
            athena,
            table,
            "SELECT 1",
            ResultConfiguration={**place, "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}},
        )["Status"]["State"]
        == "SUCCEEDED"
    )


@pytest.mark.parametrize("policy", ["none", "of the account", "another account"])
def test_data_of_another_account_needs_its_bucket_policy(gateway, table, policy):
    """The table's data lies in a bucket of another account; both sides must allow."""
    bucket = make_bucket(gateway, unique("foreign"), OTHER)
    source = gateway.client("s3", PAYER).get_object(
        Bucket=table.bucket,
        Key=f"cur/{table.report}/{table.report}/year=2024/month=5/{table.report}-00001.snappy.parquet",
    )
    foreign = gateway.client("s3", OTHER)
    foreign.put_object(Bucket=bucket, Key="data/part.parquet", Body=source["Body"].read())
    if policy != "none":
        who = PAYER if policy == "of the account" else "333333333333"
        foreign.put_bucket_policy(
            Bucket=bucket,
            Policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": f"arn:aws:iam::{who}:root"},
                            "Action": ["s3:ListBucket", "s3:GetObject"],
                            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                        }
                    ],
                }
            ),
        )
    name = unique("foreign").replace("-", "_")
    gateway.client("glue", "payer").create_table(
        DatabaseName=table.database,
        TableInput=table.input(
            name,
            PartitionKeys=[],
            Parameters={},
            StorageDescriptor={"Columns": table.columns, "Location": f"s3://{bucket}/data/", **PARQUET},
        ),
    )
    parts = statements(table)
    parts["catalog"]["Resource"][2] = f"arn:aws:glue:us-east-1:{PAYER}:table/{table.database}/*"
    query = f"SELECT count(*) FROM {name}"
    assert "s3:ListBucket" in failure(reader(gateway, parts), table, query)
    parts["foreign"] = {
        "Action": ["s3:ListBucket", "s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    athena = reader(gateway, parts)
    if policy == "of the account":
        assert rows(athena, table, query) != [["0"]]
    else:
        assert f"Permission denied on S3 path: s3://{bucket}/data." in failure(athena, table, query)


@pytest.fixture(scope="module")
def key(gateway):
    """A customer key that leaves all to IAM."""
    return gateway.client("kms", PAYER).create_key(
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": f"arn:aws:iam::{PAYER}:root"},
                        "Action": "kms:*",
                        "Resource": "*",
                    }
                ],
            }
        )
    )["KeyMetadata"]["Arn"]


@pytest.mark.parametrize("by", ["client", "workgroup", "bucket"])
def test_results_by_a_customer_key(gateway, table, key, by):
    results = make_bucket(gateway, unique("sealed"))
    encryption = {"EncryptionOption": "SSE_KMS", "KmsKey": key}
    options = {"ResultConfiguration": {"OutputLocation": f"s3://{results}/"}}
    admin = gateway.client("athena", "payer")
    group = "primary"
    if by == "client":
        options["ResultConfiguration"]["EncryptionConfiguration"] = encryption
    elif by == "workgroup":
        group = options["WorkGroup"] = unique("sealed")
        admin.create_work_group(
            Name=group,
            Configuration={
                "ResultConfiguration": {"OutputLocation": f"s3://{results}/", "EncryptionConfiguration": encryption}
            },
        )
    else:
        gateway.client("s3", PAYER).put_bucket_encryption(
            Bucket=results,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]
            },
        )
    parts = statements(table, group)
    for part in ("results", "results bucket"):
        parts[part]["Resource"] = [f"arn:aws:s3:::{results}", f"arn:aws:s3:::{results}/*"]
    use = {
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": key,
        "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
    }
    assert "kms:GenerateDataKey" in failure(reader(gateway, parts), table, "SELECT 1", **options)
    assert "kms:Decrypt" in failure(
        reader(gateway, {**parts, "key": {**use, "Action": "kms:GenerateDataKey"}}), table, "SELECT 1", **options
    )
    execution = run(reader(gateway, {**parts, "key": use}), table, "SELECT 1", **options)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    head = gateway.client("s3", "payer").head_object(Bucket=results, Key=f"{execution['QueryExecutionId']}.csv")
    assert head["SSEKMSKeyId"] == key
    with refused("AccessDeniedException", "kms:Decrypt"):
        reader(gateway, parts).get_query_results(QueryExecutionId=execution["QueryExecutionId"])


def test_data_by_a_customer_key(gateway, table, key):
    s3 = gateway.client("s3", PAYER)
    path = f"cur/{table.report}/{table.report}/year=2024/month=5/{table.report}-00001.snappy.parquet"
    plain = s3.get_object(Bucket=table.bucket, Key=path)["Body"].read()
    s3.put_object(Bucket=table.bucket, Key=path, Body=plain, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    try:
        reason = failure(reader(gateway, statements(table)), table, QUERY.format(table=table.name))
        assert "Permission denied on S3 path" in reason and f"kms:Decrypt on resource: {key}" in reason
        parts = {**statements(table), "key": {"Action": "kms:Decrypt", "Resource": key}}
        assert rows(reader(gateway, parts), table, QUERY.format(table=table.name)) != [["0"]]
    finally:
        s3.put_object(Bucket=table.bucket, Key=path, Body=plain)


def test_refused_query_shows_in_its_execution_only(gateway, table):
    """StartQueryExecution itself succeeds: who does not look at the execution does not see the refusal."""
    parts = statements(table)
    del parts["read"]
    athena = reader(gateway, parts)
    started = athena.start_query_execution(
        QueryString=QUERY.format(table=table.name),
        QueryExecutionContext={"Database": table.database},
        ResultConfiguration={"OutputLocation": f"s3://{table.results}/athena/"},
    )
    assert finished(athena, started["QueryExecutionId"])["Status"]["State"] == "FAILED"
