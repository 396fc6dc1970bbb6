# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every IAM document both ways: what the workload does passes with it, and fails with each right taken away.

So a right that is missing is seen, and one that nothing needs is seen too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from integration.both_ways import DENIED, Statements, code, rights, take, without
from integration.world import ATHENA_REGION, CLUSTER, PAYER, AwsConnection, World, policies, text, trust
from sandbox.client import Sandbox

# --- billing_data_reader


@pytest.fixture(scope="module")
def delivered(gateway_sandbox: Sandbox) -> World:
    """The payer's half, with a delivered report."""
    world = World(gateway_sandbox, "both-ways")
    world.make_buckets()
    world.make_report()
    world.make_table()
    world.make_workload_role(own_account(CLUSTER))
    world.make_reader()
    world.deliver()
    return world


def own_account(account_id: str) -> Statements:
    """A trust that lets everyone of an account in."""
    principal = {"AWS": f"arn:aws:iam::{account_id}:root"}
    return [{"Sid": "Account", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]


@pytest.fixture(scope="module")
def reader(delivered: World) -> AwsConnection:
    """A session of the payer's role, taken as Kubecost takes it. Its rights are those of the role at each moment."""
    return take(take(delivered.cluster, delivered.workload_arn), delivered.reader_arn)


@pytest.fixture
def policy(delivered: World) -> Iterator[Statements]:
    """The document that the role has; given back afterwards."""
    statements = policies.billing_data_reader(**delivered.reader_parameters())
    yield statements
    delivered.set_reader_policy(statements)


def query(world: World, reader: AwsConnection) -> str:
    """Run the query of the proof; an empty text when it returned its row, else what refused it."""
    from ansible_collections.kubestrap.aws.plugins.module_utils._athena_query import run_query

    sql = f'SELECT line_item_resource_id FROM "{world.database}"."{world.table}" LIMIT 1'
    place = {"database": world.database, "workgroup": world.name, "output_location": world.output_location}
    try:
        done = run_query(reader, sql, region=ATHENA_REGION, timeout=60, **place)
    except ClientError as error:
        return str(error)
    return "" if done.state == "SUCCEEDED" and done.rows else done.reason or done.state


READER = policies.billing_data_reader(
    partition="aws", region="us-east-1", account_id=PAYER, report_bucket="r", report_prefix="p", results_bucket="o",
    results_prefix="k", workgroup="w", database="d", table="t",
)  # fmt: skip
# What neither Athena nor Kubecost's clients call in a small query, but large results, cancelled builds and the UI do.
BESIDE_THE_QUERY = {
    ("ListReportBucket", "s3:GetBucketLocation"),
    ("ListResultsBucket", "s3:ListBucket"),
    ("ListResultsBucket", "s3:ListBucketMultipartUploads"),
    ("WriteResults", "s3:AbortMultipartUpload"),
    ("WriteResults", "s3:ListMultipartUploadParts"),
    ("RunQueries", "athena:StopQueryExecution"),
    ("RunQueries", "athena:GetWorkGroup"),
    ("ReadCatalog", "glue:GetDatabases"),
    ("ReadCatalog", "glue:GetTables"),
    ("ReadCatalog", "glue:GetPartition"),
    ("ReadCatalog", "glue:GetPartitions"),
    ("ReadCatalog", "glue:BatchGetPartition"),
}


def test_the_query_passes_with_the_policy(delivered: World, reader: AwsConnection, policy: Statements) -> None:
    delivered.set_reader_policy(policy)
    assert query(delivered, reader) == ""


def test_the_query_passes_with_the_policy_of_a_workload_in_the_payers_account(
    delivered: World, reader: AwsConnection, policy: Statements
) -> None:
    """The second payer of the account has a table of its own; its statements stand beside those of the first one."""
    other = policies.billing_data_reader(**delivered.reader_parameters() | {"table": "another"})
    both = policies.billing_data_workload(reader_statements=[other, policy])
    delivered.set_reader_policy(both)
    assert query(delivered, reader) == ""
    for sid in ("ReadCatalog", "ReadCatalog2"):
        delivered.set_reader_policy(without(both, sid))
        assert (query(delivered, reader) == "") == (sid == "ReadCatalog")


@pytest.mark.parametrize("sid", [statement["Sid"] for statement in READER])
def test_the_query_fails_without_each_statement(
    delivered: World, reader: AwsConnection, policy: Statements, sid: str
) -> None:
    delivered.set_reader_policy(without(policy, sid))
    refusal = query(delivered, reader)
    assert any(word in refusal for word in ("not authorized", "denied", "verify/create output bucket")), refusal


@pytest.mark.parametrize(("sid", "action"), sorted(set(rights(READER)) - BESIDE_THE_QUERY))
def test_the_query_fails_without_each_action_that_it_needs(
    delivered: World, reader: AwsConnection, policy: Statements, sid: str, action: str
) -> None:
    delivered.set_reader_policy(without(policy, sid, action))
    assert query(delivered, reader) != ""


@pytest.fixture(scope="module")
def upload(delivered: World) -> str:
    """Id of an unfinished multipart upload in the results bucket."""
    s3 = delivered.payer.client("s3")
    return s3.create_multipart_upload(Bucket=delivered.results_bucket, Key="kubecost/large")["UploadId"]


def calls(world: World, reader: AwsConnection, upload: str) -> dict[tuple[str, str], Callable[[], Any]]:
    """A call for each right: it is refused for want of this right, and for nothing else."""
    s3, athena = reader.client("s3"), reader.client("athena", ATHENA_REGION)
    glue = reader.client("glue", ATHENA_REGION)
    report, results = {"Bucket": world.report_bucket}, {"Bucket": world.results_bucket}
    own, part = {**results, "Key": "kubecost/object"}, {**results, "Key": "kubecost/large", "UploadId": upload}
    table = {"DatabaseName": world.database, "TableName": world.table}
    month = {"Values": ["2026", "1"]}
    manifest = f"reports/{world.name}/{world.name}-Manifest.json"
    found = world.payer.client("s3").list_objects_v2(**report, Prefix="reports/")["Contents"]
    manifest = next(entry["Key"] for entry in found if entry["Key"].endswith("-Manifest.json"))
    query_id = start(world, world.payer)
    place = {"WorkGroup": world.name, "ResultConfiguration": {"OutputLocation": world.output_location}}
    return {
        ("ListReportBucket", "s3:ListBucket"): lambda: s3.list_objects_v2(**report),
        ("ListReportBucket", "s3:GetBucketLocation"): lambda: s3.get_bucket_location(**report),
        ("ReadReport", "s3:GetObject"): lambda: s3.get_object(**report, Key=manifest),
        ("ListResultsBucket", "s3:ListBucket"): lambda: s3.list_objects_v2(**results),
        ("ListResultsBucket", "s3:GetBucketLocation"): lambda: s3.get_bucket_location(**results),
        ("ListResultsBucket", "s3:ListBucketMultipartUploads"): lambda: s3.list_multipart_uploads(**results),
        ("WriteResults", "s3:PutObject"): lambda: s3.put_object(**own, Body=b"x"),
        ("WriteResults", "s3:GetObject"): lambda: s3.get_object(**own),
        ("WriteResults", "s3:ListMultipartUploadParts"): lambda: s3.list_parts(**part),
        ("WriteResults", "s3:AbortMultipartUpload"): lambda: s3.abort_multipart_upload(**part),
        ("RunQueries", "athena:StartQueryExecution"): lambda: athena.start_query_execution(
            QueryString="SELECT 1", **place
        ),
        ("RunQueries", "athena:GetQueryExecution"): lambda: athena.get_query_execution(QueryExecutionId=query_id),
        ("RunQueries", "athena:GetQueryResults"): lambda: athena.get_query_results(QueryExecutionId=query_id),
        ("RunQueries", "athena:StopQueryExecution"): lambda: athena.stop_query_execution(QueryExecutionId=query_id),
        ("RunQueries", "athena:GetWorkGroup"): lambda: athena.get_work_group(WorkGroup=world.name),
        ("ReadCatalog", "glue:GetDatabase"): lambda: glue.get_database(Name=world.database),
        ("ReadCatalog", "glue:GetDatabases"): glue.get_databases,
        ("ReadCatalog", "glue:GetTable"): lambda: glue.get_table(DatabaseName=world.database, Name=world.table),
        ("ReadCatalog", "glue:GetTables"): lambda: glue.get_tables(DatabaseName=world.database),
        ("ReadCatalog", "glue:GetPartition"): lambda: glue.get_partition(**table, PartitionValues=month["Values"]),
        ("ReadCatalog", "glue:GetPartitions"): lambda: glue.get_partitions(**table),
        ("ReadCatalog", "glue:BatchGetPartition"): lambda: glue.batch_get_partition(**table, PartitionsToGet=[month]),
    }


def start(world: World, connection: AwsConnection) -> str:
    """Id of a query that has ended."""
    from ansible_collections.kubestrap.aws.plugins.module_utils._athena_query import run_query

    place = {"workgroup": world.name, "output_location": world.output_location}
    return run_query(connection, "SELECT 1", region=ATHENA_REGION, timeout=60, **place).id


def test_each_right_of_the_reader_is_needed_for_its_call(
    delivered: World, reader: AwsConnection, policy: Statements, upload: str
) -> None:
    made = calls(delivered, reader, upload)
    assert set(made) == set(rights(policy)), "a right without a call"
    problems = []
    for (sid, action), call in made.items():
        delivered.set_reader_policy(without(policy, sid, action))
        if (refused := code(call)) not in DENIED:
            problems.append(f"without {action} of {sid} the call ends with '{refused}'")
        delivered.set_reader_policy(policy)
        if (refused := code(call)) in DENIED:
            problems.append(f"with {action} of {sid} the call ends with '{refused}'")
    assert problems == []


def test_the_reader_reaches_nothing_else(delivered: World, reader: AwsConnection, policy: Statements) -> None:
    delivered.set_reader_policy(policy)
    s3, athena = reader.client("s3"), reader.client("athena", ATHENA_REGION)
    glue = reader.client("glue", ATHENA_REGION)
    delivered.payer.client("s3").put_object(Bucket=delivered.report_bucket, Key="other/secret", Body=b"x")
    report, results = delivered.report_bucket, delivered.results_bucket
    location = {"OutputLocation": delivered.output_location}
    forbidden = {
        "write into the report": lambda: s3.put_object(Bucket=report, Key="reports/x", Body=b"x"),
        "delete the report": lambda: s3.delete_object(Bucket=report, Key="reports/x"),
        "read beside the report": lambda: s3.get_object(Bucket=report, Key="other/secret"),
        "write beside the results": lambda: s3.put_object(Bucket=results, Key="x", Body=b"x"),
        "delete results": lambda: s3.delete_object(Bucket=results, Key="kubecost/object"),
        "use another workgroup": lambda: athena.start_query_execution(
            QueryString="SELECT 1", ResultConfiguration=location
        ),
        "read another table": lambda: glue.get_table(DatabaseName=delivered.database, Name="another"),
        "delete the table": lambda: glue.delete_table(DatabaseName=delivered.database, Name=delivered.table),
    }
    assert {name for name, call in forbidden.items() if code(call) not in DENIED} == set()


# --- account_tags


def test_account_tags(delivered: World, reader: AwsConnection, policy: Statements) -> None:
    organizations = reader.client("organizations", ATHENA_REGION)
    needed = {
        "organizations:ListAccounts": organizations.list_accounts,
        "organizations:ListTagsForResource": lambda: organizations.list_tags_for_resource(ResourceId=CLUSTER),
    }
    tags = policies.account_tags()
    assert set(needed) == set(tags[0]["Action"])
    for action, call in needed.items():
        delivered.set_reader_policy([*policy, *tags])
        assert code(call) == ""
        delivered.set_reader_policy([*policy, *without(tags, "ReadAccountTags", action)])
        assert code(call) in DENIED


# --- customer keys


@pytest.mark.parametrize(
    ("option", "bucket", "sid"),
    [
        ("report_kms_key_arn", "report_bucket", "DecryptReport"),
        ("results_kms_key_arn", "results_bucket", "EncryptResults"),
    ],
)
def test_customer_keys(gateway_sandbox: Sandbox, option: str, bucket: str, sid: str) -> None:
    world = World(gateway_sandbox, f"key-{uuid.uuid4().hex[:8]}")
    world.make_buckets()
    key = world.payer.client("kms").create_key(Policy=text(key_policy()))["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    world.payer.client("s3").put_bucket_encryption(
        Bucket=getattr(world, bucket), ServerSideEncryptionConfiguration={"Rules": [rule | {"BucketKeyEnabled": True}]}
    )
    world.make_report()
    world.make_table()
    world.make_workload_role(own_account(CLUSTER))
    world.make_reader()
    world.deliver()
    reader = take(take(world.cluster, world.workload_arn), world.reader_arn)
    statements = policies.billing_data_reader(**world.reader_parameters(), **{option: key})

    world.set_reader_policy(statements)
    assert query(world, reader) == ""
    for _sid, action in rights([s for s in statements if s["Sid"] == sid]):
        world.set_reader_policy(without(statements, sid, action))
        assert action in query(world, reader)
    # Through S3 only: the key itself cannot be used by the role.
    world.set_reader_policy(statements)
    assert code(lambda: reader.client("kms", ATHENA_REGION).generate_data_key(KeyId=key, KeySpec="AES_256")) in DENIED
    world.payer.client("cur").delete_report_definition(ReportName=world.name)


def key_policy(billing: Statements | None = None) -> Statements:
    """The key is left to IAM, and AWS Billing may use it."""
    account = {"AWS": f"arn:aws:iam::{PAYER}:root"}
    left = {"Sid": "Account", "Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"}
    return [left, *(policies.billing_report_key(account_id=PAYER) if billing is None else billing)]


def test_billing_delivers_into_an_encrypted_bucket_only_with_each_right_on_the_key(gateway_sandbox: Sandbox) -> None:
    world = World(gateway_sandbox, f"bill-{uuid.uuid4().hex[:8]}")
    world.make_buckets()
    world.make_report()
    kms = world.payer.client("kms")
    key = kms.create_key(Policy=text(key_policy()))["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    world.payer.client("s3").put_bucket_encryption(
        Bucket=world.report_bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    good = policies.billing_report_key(account_id=PAYER)

    def delivered(statements: Statements) -> str:
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=text(key_policy(statements)))
        request = {"account_id": PAYER, "report_name": world.name, "months": 1, "rows": 20}
        return gateway_sandbox.deliver(**request)["status"]

    assert delivered(good) == "SUCCESS"
    for sid, action in rights(good):
        assert delivered(without(good, sid, action)) == "ERROR_PERMISSIONS", action
    assert delivered(policies.billing_report_key(account_id=CLUSTER)) == "ERROR_PERMISSIONS"
    world.payer.client("cur").delete_report_definition(ReportName=world.name)


# --- the chain of roles: assume_role on one side, workload_role_trust on the other


def test_the_chain_needs_both_sides(delivered: World) -> None:
    world = delivered
    mine, theirs = (
        policies.assume_role(role_arns=[world.reader_arn]),
        trust.workload_role_trust(role_arns=[world.workload_arn]),
    )
    workload = take(world.cluster, world.workload_arn)
    nobody = trust.workload_role_trust(role_arns=[f"{world.workload_arn}-other"])
    session_tags = {
        "Tags": [{"Key": "kubernetes-namespace", "Value": "kubecost"}],
        "TransitiveTagKeys": ["kubernetes-namespace"],
    }

    def attempt(workload_policy: Statements, reader_trust: Statements, **options: Any) -> str:
        world.set_workload_policy(workload_policy)
        world.set_reader_trust(reader_trust)
        return code(lambda: take(workload, world.reader_arn, **options))

    other = policies.assume_role(role_arns=[f"{world.reader_arn}-other"])
    assert attempt(mine, theirs) == ""
    assert attempt(other, theirs) in DENIED
    assert attempt(mine, nobody) in DENIED
    # Session tags, as EKS Pod Identity has them, need TagSession on either side.
    sid, trusted = mine[0]["Sid"], theirs[0]["Sid"]
    assert attempt(mine, theirs, **session_tags) == ""
    assert attempt(without(mine, sid, "sts:TagSession"), theirs, **session_tags) in DENIED
    assert attempt(mine, without(theirs, trusted, "sts:TagSession"), **session_tags) in DENIED
    assert attempt(without(mine, sid, "sts:AssumeRole"), theirs) in DENIED
    assert attempt(mine, without(theirs, trusted, "sts:AssumeRole")) in DENIED
    assert attempt(mine, theirs) == ""


def test_a_trust_by_wildcard_lets_a_fleet_in_and_nobody_else(delivered: World) -> None:
    workload = take(delivered.cluster, delivered.workload_arn)
    delivered.set_workload_policy(policies.assume_role(role_arns=[delivered.reader_arn]))
    for pattern, expected in ((f"{delivered.workload_arn[:-3]}*", ""), (f"{delivered.workload_arn}-*", "AccessDenied")):
        delivered.set_reader_trust(trust.workload_role_trust(role_arns=[pattern]))
        assert code(lambda: take(workload, delivered.reader_arn)) == expected
    delivered.set_reader_trust(trust.workload_role_trust(role_arns=[delivered.workload_arn]))


def test_the_trust_holds_before_the_trusted_role_exists(delivered: World) -> None:
    """A role as principal would be refused: MalformedPolicyDocument."""
    delivered.set_reader_trust(trust.workload_role_trust(role_arns=[f"arn:aws:iam::{CLUSTER}:role/not-made-yet"]))
    delivered.set_reader_trust(trust.workload_role_trust(role_arns=[delivered.workload_arn]))


# --- bucket policies


def test_billing_delivers_only_with_each_right(gateway_sandbox: Sandbox) -> None:
    world = World(gateway_sandbox, f"delivery-{uuid.uuid4().hex[:8]}")
    world.make_buckets()
    s3, cur = world.payer.client("s3"), world.payer.client("cur")

    def attempt(statements: Statements) -> str:
        s3.put_bucket_policy(Bucket=world.report_bucket, Policy=text(statements))
        refused = code(world.make_report)
        if not refused:
            cur.delete_report_definition(ReportName=world.name)
        return refused

    good = world.delivery()
    tls = policies.tls_only(bucket=world.report_bucket, partition="aws")
    assert attempt(good) == ""
    assert attempt([*tls, *good]) == ""
    for sid, action in rights(good):
        assert attempt(without(good, sid, action)) == "ValidationException", action
    other = {"bucket": world.report_bucket, "account_id": CLUSTER, "partition": "aws"}
    assert attempt(policies.billing_report_delivery(**other)) == "ValidationException"


def test_calls_without_tls_are_refused(delivered: World) -> None:
    """The sandbox has no port without TLS, so IAM's own simulator is told how the call came."""
    (statement,) = policies.tls_only(bucket=delivered.report_bucket, partition="aws")
    deny = {key: value for key, value in statement.items() if key != "Principal"}
    everything = {"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    bucket = f"arn:aws:s3:::{delivered.report_bucket}"

    def decisions(secure: str, statements: Statements, *resources: str) -> set[str]:
        context = {"ContextKeyName": "aws:SecureTransport", "ContextKeyType": "boolean", "ContextKeyValues": [secure]}
        answer = delivered.payer.client("iam").simulate_custom_policy(
            PolicyInputList=[text(statements)],
            ActionNames=["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
            ResourceArns=list(resources),
            ContextEntries=[context],
        )
        return {result["EvalDecision"] for result in answer["EvaluationResults"]}

    assert decisions("false", [everything, deny], bucket, f"{bucket}/x") == {"explicitDeny"}
    assert decisions("true", [everything, deny], bucket, f"{bucket}/x") == {"allowed"}
    assert decisions("false", [everything], bucket, f"{bucket}/x") == {"allowed"}
    assert decisions("false", [everything, deny], "arn:aws:s3:::another") == {"allowed"}


def test_a_bucket_with_the_policy_is_used_over_tls(delivered: World) -> None:
    statements = policies.tls_only(bucket=delivered.results_bucket, partition="aws")
    s3 = delivered.payer.client("s3")
    s3.put_bucket_policy(Bucket=delivered.results_bucket, Policy=text(statements))
    s3.put_object(Bucket=delivered.results_bucket, Key="over-tls", Body=b"x")
    s3.delete_bucket_policy(Bucket=delivered.results_bucket)


def test_every_document_is_tested() -> None:
    """A document that is added shows up here. irsa_trust is test_irsa_trust's."""
    tested = {
        "account_tags", "assume_role", "billing_data_reader", "billing_data_workload", "billing_report_delivery",
        "billing_report_key",
        "irsa_trust", "tls_only", "workload_role_trust",
    }  # fmt: skip
    assert {*policies.POLICIES, *trust.TRUSTS} == tested
