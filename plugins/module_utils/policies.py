# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every IAM and bucket policy of the collection, as pure functions. Trust policies: ``trust``.

Each function takes keyword arguments only and returns a list of statements, each with a Sid by which statements of
several concerns can be merged. ``document`` makes a policy document of them. ARNs are built from the partition given,
never from a literal ``arn:aws:``.
"""

from __future__ import annotations

import fnmatch
import json
import typing as t

from ._identifiers import check_account_id, refuse

Statement = dict[str, t.Any]

VERSION = "2012-10-17"

# Characters without white space, as IAM counts them (IAM user guide, "IAM and AWS STS quotas"). The limit of a trust
# policy and of managed policies per role can be raised by AWS; the others are fixed.
TRUST_POLICY_SIZE = 2048
ROLE_INLINE_POLICIES_SIZE = 10240  # all inline policies of a role together
USER_INLINE_POLICIES_SIZE = 2048  # all inline policies of a user together
MANAGED_POLICY_SIZE = 6144
BUCKET_POLICY_SIZE = 20480

_KEY_EXAMPLE = "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BILLING_SERVICE = "billingreports.amazonaws.com"
# Where the Cost and Usage Report service lives, whatever the bucket's region is.
BILLING_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-northwest-1"}


def document(statements: t.Iterable[Statement]) -> dict[str, t.Any]:
    """The policy document of these statements."""
    return {"Version": VERSION, "Statement": list(statements)}


def size(policy: t.Mapping[str, t.Any] | t.Sequence[Statement]) -> int:
    """Length of a document (or of the document of these statements) in characters, as IAM counts it."""
    whole = policy if isinstance(policy, t.Mapping) else document(policy)
    return len(json.dumps(whole, separators=(",", ":"), ensure_ascii=False))


# --- of a workload's role


def assume_role(*, role_arns: list[str]) -> list[Statement]:
    """Take these roles, in this account or in another one, with the session's tags.

    EKS Pod Identity sets transitive tags on its sessions, so that a chained AssumeRole needs ``sts:TagSession`` too.
    Without such tags it changes nothing.
    """
    _need("role_arns", role_arns)
    for arn in role_arns:
        _check_arn("role_arns", arn, "iam", "arn:aws:iam::111111111111:role/kubecost-cur-access")
    return [_allow("AssumeRoles", ["sts:AssumeRole", "sts:TagSession"], sorted(set(role_arns)))]


def admits_service(policy: t.Mapping[str, t.Any], service: str, actions: t.Sequence[str]) -> bool:
    """Whether a resource's policy allows a service all these actions, its conditions aside.

    :param actions: as in ``Action``, such as ``kms:Decrypt``
    """
    statements = policy.get("Statement") or []
    allowed: list[str] = []
    for statement in [statements] if isinstance(statements, t.Mapping) else statements:
        principal = statement.get("Principal") or {}
        services = principal if isinstance(principal, str) else principal.get("Service") or []
        if statement.get("Effect") == "Allow" and {service, "*"} & set(_listed(services)):
            allowed += _listed(statement.get("Action") or [])
    patterns = [pattern.lower() for pattern in allowed]
    return all(any(fnmatch.fnmatchcase(action.lower(), pattern) for pattern in patterns) for action in actions)


def _listed(value: t.Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def billing_data_workload(
    *, role_arns: list[str] | None = None, reader_statements: list[list[Statement]] | None = None
) -> list[Statement]:
    """Read the billing data of payers: through their roles, and without one in the workload's own account.

    :param role_arns: the roles of payers in other accounts, which the workload takes
    :param reader_statements: for each payer in the workload's own account what ``billing_data_reader`` returns
    """
    own = reader_statements or []
    statements = assume_role(role_arns=role_arns) if role_arns or not own else []
    # A Sid has to be unique in its policy, and has letters and digits only.
    return statements + [
        {**statement, "Sid": f"{statement['Sid']}{number if number > 1 else ''}"}
        for number, of_payer in enumerate(own, start=1)
        for statement in of_payer
    ]


# --- of the payer role


def billing_data_reader(
    *,
    partition: str,
    region: str,
    account_id: str,
    report_bucket: str,
    report_prefix: str,
    results_bucket: str,
    results_prefix: str,
    workgroup: str,
    database: str,
    table: str,
    base_tables: t.Sequence[str] = (),
    report_kms_key_arn: str | None = None,
    results_kms_key_arn: str | None = None,
) -> list[Statement]:
    """Read one billing report through Athena: what the queries of Kubecost and OpenCost need, and no more.

    :param region: of workgroup, database and table
    :param account_id: the payer account, which owns workgroup, database and table
    :param report_prefix: below which the report lies; nothing else in the bucket can be read
    :param base_tables: ``database.table`` of what is below ``table`` where that is a view; Athena reads them too, with
        the reader's rights
    :param results_prefix: below which Athena writes its results; empty means the whole bucket
    :param report_kms_key_arn: customer key with which the report's objects are encrypted
    :param results_kms_key_arn: customer key with which the query results are encrypted
    """
    check_account_id("account_id", account_id)
    for option, bucket in (("report_bucket", report_bucket), ("results_bucket", results_bucket)):
        _check_bucket(option, bucket)
    # Each of these is a part of an ARN: '*' would match all of them, and an empty one none or the wrong one.
    names = {"region": region, "workgroup": workgroup, "database": database, "table": table}
    for option, value in names.items():
        if not value or any(character in value for character in "*?:/ "):
            refuse(option, value, "is not a name", f"Write the {option} as AWS shows it")

    glue = f"arn:{partition}:glue:{region}:{account_id}"
    read_report = _objects(partition, report_bucket, "report_prefix", report_prefix)
    write_results = _objects(partition, results_bucket, "results_prefix", results_prefix)
    statements = [
        _allow("ListReportBucket", ["s3:ListBucket", "s3:GetBucketLocation"], _bucket(partition, report_bucket)),
        _allow("ReadReport", ["s3:GetObject"], read_report),
        _allow(
            "ListResultsBucket",
            ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            _bucket(partition, results_bucket),
        ),
        _allow(
            "WriteResults",
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            write_results,
        ),
        _allow(
            "RunQueries",
            [
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:GetWorkGroup",
            ],
            f"arn:{partition}:athena:{region}:{account_id}:workgroup/{workgroup}",
        ),
        _allow(
            "ReadCatalog",
            [
                "glue:GetDatabase",
                "glue:GetDatabases",
                "glue:GetTable",
                "glue:GetTables",
                "glue:GetPartition",
                "glue:GetPartitions",
                "glue:BatchGetPartition",
            ],
            [f"{glue}:catalog", *_glue_tables(glue, [f"{database}.{table}", *base_tables])],
        ),
    ]
    if report_kms_key_arn:
        statements.append(_use_key("DecryptReport", "report_kms_key_arn", report_kms_key_arn, ["kms:Decrypt"]))
    if results_kms_key_arn:
        # Decrypt is needed for multipart uploads too, not only for reading.
        actions = ["kms:GenerateDataKey", "kms:Decrypt"]
        statements.append(_use_key("EncryptResults", "results_kms_key_arn", results_kms_key_arn, actions))
    return statements


def _glue_tables(glue: str, names: t.Sequence[str]) -> list[str]:
    """ARNs of tables and of their databases; ``names`` as ``database.table``, the first one is the reader's own."""
    for name in names:
        parts = name.split(".")
        if len(parts) != 2 or not all(parts) or any(character in name for character in "*?:/ "):
            refuse("base_tables", name, "is not a table", "Write it as database.table")
    databases = dict.fromkeys(name.split(".")[0] for name in names)
    tables = dict.fromkeys(name.replace(".", "/") for name in names)
    return [*(f"{glue}:database/{name}" for name in databases), *(f"{glue}:table/{name}" for name in tables)]


def account_tags() -> list[Statement]:
    """Read the accounts of the organisation and their tags. It has an effect in the management account (or a
    delegated administrator's) only."""
    return [_allow("ReadAccountTags", ["organizations:ListAccounts", "organizations:ListTagsForResource"], "*")]


# --- of a bucket


def billing_report_delivery(*, bucket: str, account_id: str, partition: str) -> list[Statement]:
    """Let AWS Billing deliver Cost and Usage Reports of this account into the bucket.

    The condition keeps other accounts' reports out. AWS publishes this policy with StringEquals, under which the ``*``
    of the source ARN is a literal character; ArnLike says what is meant.

    :param account_id: the payer account, which owns the report definitions
    """
    _check_bucket("bucket", bucket)
    check_account_id("account_id", account_id)
    if partition not in BILLING_REGIONS:
        known = ", ".join(sorted(BILLING_REGIONS))
        refuse("partition", partition, "has no Cost and Usage Reports of its own", f"Use an account in one of: {known}")
    source = f"arn:{partition}:cur:{BILLING_REGIONS[partition]}:{account_id}:definition/*"
    common = {
        "Principal": {"Service": BILLING_SERVICE},
        "Condition": {"StringEquals": {"aws:SourceAccount": account_id}, "ArnLike": {"aws:SourceArn": source}},
    }
    check = _allow("BillingReportsCheckBucket", ["s3:GetBucketAcl", "s3:GetBucketPolicy"], _bucket(partition, bucket))
    deliver = _allow("BillingReportsDeliver", ["s3:PutObject"], f"{_bucket(partition, bucket)}/*")
    return [{**check, **common}, {**deliver, **common}]


def billing_report_key(*, account_id: str) -> list[Statement]:
    """For the policy of a customer key: let AWS Billing encrypt the reports of this account with it.

    Needed where the report bucket is encrypted with that key; without it AWS delivers nothing.

    :param account_id: the payer account, which owns the report definitions
    """
    check_account_id("account_id", account_id)
    use = _allow("BillingReportsUseKey", ["kms:GenerateDataKey", "kms:Decrypt"], "*")
    principal = {"Service": BILLING_SERVICE}
    return [{**use, "Principal": principal, "Condition": {"StringEquals": {"aws:SourceAccount": account_id}}}]


def tls_only(*, bucket: str, partition: str) -> list[Statement]:
    """Refuse every call that does not come over TLS."""
    _check_bucket("bucket", bucket)
    arn = _bucket(partition, bucket)
    return [
        {
            "Sid": "DenyInsecureTransport",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


# Name, as lookup iam_document takes it -> function.
POLICIES: dict[str, t.Callable[..., list[Statement]]] = {
    function.__name__: function
    for function in (
        account_tags,
        assume_role,
        billing_data_reader,
        billing_data_workload,
        billing_report_delivery,
        billing_report_key,
        tls_only,
    )
}


# --- parts


def _allow(sid: str, actions: list[str], resource: str | list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def _bucket(partition: str, bucket: str) -> str:
    return f"arn:{partition}:s3:::{bucket}"


def _objects(partition: str, bucket: str, option: str, prefix: str) -> str:
    folder = prefix.strip("/")
    if any(character in folder for character in "*?"):
        refuse(option, prefix, "must not have a wildcard", "Write the folder, for example reports")
    return f"{_bucket(partition, bucket)}/{folder}/*" if folder else f"{_bucket(partition, bucket)}/*"


def check_key(option: str, arn: t.Any, region: str) -> None:
    """Refuse what is not the ARN of a KMS key in a region.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    _check_arn(option, arn, "kms", _KEY_EXAMPLE)
    actual, resource = str(arn).split(":")[3], str(arn).split(":", 5)[5]
    if not resource.startswith("key/"):
        refuse(
            option, arn, "is not a key; policies name keys, not aliases", f"Write its ARN, for example {_KEY_EXAMPLE}"
        )
    if actual != region:
        write = f"S3 uses keys of the bucket's region: write a key of {region}"
        refuse(option, arn, f"is a key in region {actual}, and the bucket is in {region}", write)


def _use_key(sid: str, option: str, key_arn: str, actions: list[str]) -> Statement:
    """Use a KMS key, through S3 only. A bucket's key is in the bucket's region, which the ARN tells."""
    _check_arn(option, key_arn, "kms", _KEY_EXAMPLE)
    _arn, partition, _service, region = key_arn.split(":")[:4]
    via = [f"s3.{region}.amazonaws.com"]
    if partition == "aws-cn":
        via.append(f"s3.{region}.amazonaws.com.cn")
    return {**_allow(sid, actions, key_arn), "Condition": {"StringEquals": {"kms:ViaService": via}}}


def _need(option: str, values: t.Any) -> None:
    if not values:
        refuse(option, values, "is empty", "Write at least one")


def _check_arn(option: str, arn: t.Any, service: str, example: str) -> None:
    parts = str(arn).split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or parts[2] != service or not parts[5]:
        refuse(option, arn, f"is not an ARN of {service.upper()}", f"Write the whole ARN, for example {example}")


def _check_bucket(option: str, bucket: t.Any) -> None:
    """Names only: a URL or an ARN would make an ARN that matches nothing."""
    if not bucket or any(character in str(bucket) for character in "/:*? "):
        refuse(
            option, bucket, "is not the name of a bucket", "Write the name alone, without s3:// and without a folder"
        )
