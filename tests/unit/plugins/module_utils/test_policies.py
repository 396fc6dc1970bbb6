# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies, word for word, in every partition, and within IAM's limits."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import policies

READER = {
    "partition": "aws",
    "region": "eu-west-1",
    "account_id": "111111111111",
    "report_bucket": "acme-billing-report",
    "report_prefix": "reports",
    "results_bucket": "acme-billing-results",
    "results_prefix": "kubecost",
    "workgroup": "kubecost",
    "database": "billing",
    "table": "kubecost",
}
REPORT_KEY = "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
RESULTS_KEY = "arn:aws:kms:eu-west-1:111111111111:key/5678abcd-12ab-34cd-56ef-1234567890ab"
PARTITIONS = {"aws": "eu-west-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def sids(statements: list[dict[str, Any]]) -> list[str]:
    return [statement["Sid"] for statement in statements]


def test_billing_data_reader_word_for_word() -> None:
    assert policies.billing_data_reader(**READER) == [
        {
            "Sid": "ListReportBucket",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
            "Resource": "arn:aws:s3:::acme-billing-report",
        },
        {
            "Sid": "ReadReport",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": "arn:aws:s3:::acme-billing-report/reports/*",
        },
        {
            "Sid": "ListResultsBucket",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            "Resource": "arn:aws:s3:::acme-billing-results",
        },
        {
            "Sid": "WriteResults",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            "Resource": "arn:aws:s3:::acme-billing-results/kubecost/*",
        },
        {
            "Sid": "RunQueries",
            "Effect": "Allow",
            "Action": [
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:GetWorkGroup",
            ],
            "Resource": "arn:aws:athena:eu-west-1:111111111111:workgroup/kubecost",
        },
        {
            "Sid": "ReadCatalog",
            "Effect": "Allow",
            "Action": [
                "glue:GetDatabase",
                "glue:GetDatabases",
                "glue:GetTable",
                "glue:GetTables",
                "glue:GetPartition",
                "glue:GetPartitions",
                "glue:BatchGetPartition",
            ],
            "Resource": [
                "arn:aws:glue:eu-west-1:111111111111:catalog",
                "arn:aws:glue:eu-west-1:111111111111:database/billing",
                "arn:aws:glue:eu-west-1:111111111111:table/billing/kubecost",
            ],
        },
    ]


def test_billing_data_reader_with_customer_keys_uses_them_through_s3_only() -> None:
    statements = policies.billing_data_reader(**READER, report_kms_key_arn=REPORT_KEY, results_kms_key_arn=RESULTS_KEY)
    assert statements[6:] == [
        {
            "Sid": "DecryptReport",
            "Effect": "Allow",
            "Action": ["kms:Decrypt"],
            "Resource": REPORT_KEY,
            "Condition": {"StringEquals": {"kms:ViaService": ["s3.eu-west-1.amazonaws.com"]}},
        },
        {
            "Sid": "EncryptResults",
            "Effect": "Allow",
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": RESULTS_KEY,
            "Condition": {"StringEquals": {"kms:ViaService": ["s3.eu-west-1.amazonaws.com"]}},
        },
    ]


def test_a_key_of_another_region_is_used_through_s3_of_that_region() -> None:
    key = REPORT_KEY.replace("eu-west-1", "us-east-1")
    statement = policies.billing_data_reader(**READER, report_kms_key_arn=key)[-1]
    assert statement["Condition"]["StringEquals"]["kms:ViaService"] == ["s3.us-east-1.amazonaws.com"]


def test_billing_data_reader_writes_nothing_to_the_report_bucket_and_uses_no_wildcard_action() -> None:
    statements = policies.billing_data_reader(**READER)
    on_report = [s for s in statements if "acme-billing-report" in json.dumps(s["Resource"])]
    assert {action for s in on_report for action in s["Action"]} == {
        "s3:ListBucket",
        "s3:GetBucketLocation",
        "s3:GetObject",
    }
    assert not [action for s in statements for action in s["Action"] if "*" in action]
    assert "*" not in [s["Resource"] for s in statements]


@pytest.mark.parametrize("given", ["", "/"])
def test_no_prefix_means_the_whole_bucket(given: str) -> None:
    statements = policies.billing_data_reader(**READER | {"results_prefix": given})
    assert statements[3]["Resource"] == "arn:aws:s3:::acme-billing-results/*"


@pytest.mark.parametrize("given", ["reports/", "/reports", "/reports/"])
def test_slashes_around_a_prefix_do_not_matter(given: str) -> None:
    statements = policies.billing_data_reader(**READER | {"report_prefix": given})
    assert statements[1]["Resource"] == "arn:aws:s3:::acme-billing-report/reports/*"


def test_readers_of_a_view_read_the_tables_below_it() -> None:
    bases = ["lake.raw", "billing.tags"]
    plain, wide = (policies.billing_data_reader(**READER, base_tables=names)[-1]["Resource"] for names in ([], bases))
    assert [arn for arn in wide if arn not in plain] == [
        "arn:aws:glue:eu-west-1:111111111111:database/lake",
        "arn:aws:glue:eu-west-1:111111111111:table/lake/raw",
        "arn:aws:glue:eu-west-1:111111111111:table/billing/tags",
    ]


@pytest.mark.parametrize("name", ["raw", "lake.*", "lake.raw.x", ".raw", "lake/x.raw"])
def test_a_base_table_has_a_database_and_no_wildcard(name: str) -> None:
    with pytest.raises(AnsibleAWSError, match=f"base_tables: '{re.escape(name)}' is not a table"):
        policies.billing_data_reader(**READER, base_tables=[name])


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("report_bucket", "s3://acme-billing-report", "without s3://"),
        ("results_bucket", "arn:aws:s3:::acme", "without s3://"),
        ("report_bucket", "", "is not the name of a bucket"),
        ("results_bucket", "acme-*", "is not the name of a bucket"),
        ("report_prefix", "rep*", "must not have a wildcard"),
        ("workgroup", "*", "is not a name"),
        ("database", "", "is not a name"),
        ("table", "billing/kubecost", "is not a name"),
        ("region", "*", "is not a name"),
        ("account_id", "1402433619", "YAML takes leading zeros"),
        ("report_kms_key_arn", "alias/report", "is not an ARN of KMS"),
    ],
)
def test_billing_data_reader_refuses(option: str, value: str, said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=re.escape(said)) as error:
        policies.billing_data_reader(**READER | {option: value})
    assert str(error.value).startswith(f"{option}: ")


def test_assume_role_word_for_word() -> None:
    roles = ["arn:aws:iam::333333333333:role/b", "arn:aws:iam::111111111111:role/a", "arn:aws:iam::111111111111:role/a"]
    assert policies.assume_role(role_arns=roles) == [
        {
            "Sid": "AssumeRoles",
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Resource": ["arn:aws:iam::111111111111:role/a", "arn:aws:iam::333333333333:role/b"],
        }
    ]


@pytest.mark.parametrize("roles", [[], ["*"], ["kubecost"], ["arn:aws:s3:::bucket"], ["arn:aws:iam::111111111111:"]])
def test_assume_role_refuses(roles: list[str]) -> None:
    with pytest.raises(AnsibleAWSError, match=r"^role_arns: "):
        policies.assume_role(role_arns=roles)


def test_account_tags_word_for_word() -> None:
    assert policies.account_tags() == [
        {
            "Sid": "ReadAccountTags",
            "Effect": "Allow",
            "Action": ["organizations:ListAccounts", "organizations:ListTagsForResource"],
            "Resource": "*",
        }
    ]


def test_billing_report_delivery_word_for_word() -> None:
    principal = {"Service": "billingreports.amazonaws.com"}
    condition = {
        "StringEquals": {"aws:SourceAccount": "111111111111"},
        "ArnLike": {"aws:SourceArn": "arn:aws:cur:us-east-1:111111111111:definition/*"},
    }
    arguments = {"bucket": "acme-billing-report", "account_id": "111111111111", "partition": "aws"}
    assert policies.billing_report_delivery(**arguments) == [
        {
            "Sid": "BillingReportsCheckBucket",
            "Effect": "Allow",
            "Principal": principal,
            "Action": ["s3:GetBucketAcl", "s3:GetBucketPolicy"],
            "Resource": "arn:aws:s3:::acme-billing-report",
            "Condition": condition,
        },
        {
            "Sid": "BillingReportsDeliver",
            "Effect": "Allow",
            "Principal": principal,
            "Action": ["s3:PutObject"],
            "Resource": "arn:aws:s3:::acme-billing-report/*",
            "Condition": condition,
        },
    ]


def test_in_china_billing_lives_in_cn_northwest_1() -> None:
    statement = policies.billing_report_delivery(bucket="acme", account_id="111111111111", partition="aws-cn")[0]
    source = statement["Condition"]["ArnLike"]["aws:SourceArn"]
    assert source == "arn:aws-cn:cur:cn-northwest-1:111111111111:definition/*"


def test_a_partition_without_reports_of_its_own_is_refused_by_name() -> None:
    with pytest.raises(AnsibleAWSError, match="partition: 'aws-us-gov' has no Cost and Usage Reports"):
        policies.billing_report_delivery(bucket="acme", account_id="111111111111", partition="aws-us-gov")


def test_tls_only_word_for_word() -> None:
    assert policies.tls_only(bucket="acme", partition="aws-cn") == [
        {
            "Sid": "DenyInsecureTransport",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws-cn:s3:::acme", "arn:aws-cn:s3:::acme/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_no_arn_of_another_partition_gets_in(partition: str) -> None:
    key = REPORT_KEY.replace("arn:aws:", f"arn:{partition}:").replace("eu-west-1", PARTITIONS[partition])
    reader = READER | {"partition": partition, "region": PARTITIONS[partition]}
    made = [
        policies.billing_data_reader(**reader, report_kms_key_arn=key, results_kms_key_arn=key),
        policies.tls_only(bucket="acme", partition=partition),
        policies.assume_role(role_arns=[f"arn:{partition}:iam::111111111111:role/a"]),
    ]
    if partition in policies.BILLING_REGIONS:
        made.append(policies.billing_report_delivery(bucket="acme", account_id="111111111111", partition=partition))
    found = set(re.findall(r"arn:([a-z-]+):", json.dumps(made)))
    assert found == {partition}


def test_in_china_s3_calls_kms_under_either_suffix() -> None:
    key = REPORT_KEY.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1")
    statement = policies.billing_data_reader(**READER | {"partition": "aws-cn"}, report_kms_key_arn=key)[-1]
    assert statement["Condition"]["StringEquals"]["kms:ViaService"] == [
        "s3.cn-north-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
    ]


def test_a_workload_reads_payers_elsewhere_by_their_roles_and_those_of_its_own_account_without() -> None:
    roles = ["arn:aws:iam::111111111111:role/a"]
    reader = policies.billing_data_reader(**READER)
    assert policies.billing_data_workload(role_arns=roles) == policies.assume_role(role_arns=roles)
    assert policies.billing_data_workload(reader_statements=[reader]) == reader
    both = policies.billing_data_workload(role_arns=roles, reader_statements=[reader, reader])
    assert both[0] == policies.assume_role(role_arns=roles)[0]
    assert len(set(sids(both))) == len(both) == 1 + 2 * len(reader)
    assert "ReadReport2" in sids(both)
    with pytest.raises(AnsibleAWSError, match="role_arns"):
        policies.billing_data_workload()


def test_the_size_is_what_iam_counts() -> None:
    statements = policies.assume_role(role_arns=["arn:aws:iam::111111111111:role/a"])
    compact = (
        '{"Version":"2012-10-17","Statement":[{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole",'
        '"sts:TagSession"],"Resource":["arn:aws:iam::111111111111:role/a"]}]}'
    )
    assert policies.size(statements) == policies.size(policies.document(statements)) == len(compact)


def test_the_largest_policy_leaves_room_beside_it_in_the_role() -> None:
    names = {"report_bucket": "b" * 63, "results_bucket": "r" * 63, "workgroup": "w" * 128, "database": "d" * 128}
    statements = policies.billing_data_reader(
        **READER | names, report_kms_key_arn=REPORT_KEY, results_kms_key_arn=RESULTS_KEY
    )
    assert policies.size(statements) < policies.ROLE_INLINE_POLICIES_SIZE / 3
    assert policies.size(statements) < policies.MANAGED_POLICY_SIZE


@pytest.mark.parametrize("name", policies.POLICIES)
def test_every_policy_takes_keywords_only_and_is_documented(name: str) -> None:
    function = policies.POLICIES[name]
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY}
    assert function.__doc__


def test_sids_are_unique_and_letters_and_digits_only() -> None:
    reader = policies.billing_data_reader(**READER, report_kms_key_arn=REPORT_KEY, results_kms_key_arn=RESULTS_KEY)
    of_a_role = sids(reader) + sids(policies.assume_role(role_arns=["arn:aws:iam::1:role/a"]))
    of_a_role += sids(policies.account_tags())
    of_a_bucket = sids(policies.tls_only(bucket="acme", partition="aws"))
    of_a_bucket += sids(policies.billing_report_delivery(bucket="acme", account_id="111111111111", partition="aws"))
    for group in (of_a_role, of_a_bucket):
        assert len(group) == len(set(group))
        assert all(re.fullmatch(r"[0-9A-Za-z]+", sid) for sid in group)


def test_billing_may_use_a_key_for_reports_of_one_account() -> None:
    (statement,) = policies.billing_report_key(account_id="111111111111")
    assert statement["Principal"] == {"Service": "billingreports.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111111111111"}}
    assert policies.admits_service(policies.document([statement]), policies.BILLING_SERVICE, statement["Action"])


@pytest.mark.parametrize(
    ("statement", "admitted"),
    [
        ({}, True),
        ({"Action": "kms:*"}, True),
        ({"Action": ["kms:GenerateDataKey*", "kms:Decrypt"]}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": ["a.amazonaws.com", "billingreports.amazonaws.com"]}}, True),
        ({"Action": "kms:Decrypt"}, False),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"AWS": "arn:aws:iam::111111111111:root"}}, False),
    ],
)
def test_what_admits_a_service(statement: dict[str, Any], admitted: bool) -> None:
    (good,) = policies.billing_report_key(account_id="111111111111")
    policy = {"Statement": {**good, **statement}}
    actions = ["kms:GenerateDataKey", "kms:Decrypt"]
    assert policies.admits_service(policy, policies.BILLING_SERVICE, actions) is admitted
