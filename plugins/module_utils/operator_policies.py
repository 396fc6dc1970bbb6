# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What whoever runs the playbook ``kubecost`` may do: the least policy of the payer's half and of the cluster's half.

Pure functions with keyword arguments, as in ``policies``. Which actions are here follows from the calls that the
playbooks make (``tests/integration/test_operator_permissions.py`` compares them), from the changes that the modules
make when something was altered by hand, and from AWS' documentation where more than the call's own action is needed.
Everything is scoped to names. ``iam:PassRole`` is among them only where AWS' crawler makes the table
(``crawler_stack``), for the crawler's role and Glue alone: nothing else hands a role to a service.
"""

from __future__ import annotations

import typing as t

from ._cur_names import crawler_name
from ._identifiers import check_account_id, refuse
from ._s3_names import check_bucket_name
from .policies import BILLING_REGIONS, Statement, _use_key

# What a policy is enough for; each has all of the one before.
EXTENTS = ("check", "run", "teardown")
# The permissions boundary that a role or user has, or gets, can be demanded of these actions (service authorization
# reference).
_BOUNDED = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:CreateUser",
    "iam:DeleteRolePolicy",
    "iam:DeleteUserPolicy",
    "iam:DetachRolePolicy",
    "iam:DetachUserPolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
)

# What no run with the defaults calls as long as nobody else changes what was made: they put back what was altered by
# hand, take up tags that the inventory demands and changed descriptions, or belong to an option.
OCCASIONAL = frozenset(
    {
        "athena:ListTagsForResource",
        "athena:UpdateWorkGroup",
        "cur:ListTagsForResource",
        "cur:ModifyReportDefinition",
        "cur:TagResource",
        "glue:BatchCreatePartition",
        "glue:GetPartitions",
        "glue:GetTags",
        "glue:TagResource",
        "iam:AddClientIDToOpenIDConnectProvider",
        "iam:DeleteOpenIDConnectProvider",
        "iam:ListRolePolicies",
        "iam:PutRolePermissionsBoundary",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole",
        "s3:GetBucketTagging",
        "s3:GetEncryptionConfiguration",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutEncryptionConfiguration",
    }
)


def kubecost_payer_operator(
    *,
    partition: str,
    region: str,
    account_id: str,
    report_name: str,
    report_bucket: str,
    report_prefix: str,
    results_bucket: str,
    workgroup: str,
    database: str,
    role_name: str,
    iam_path: str = "/",
    permissions_boundary: str | None = None,
    report_kms_key_arn: str | None = None,
    results_kms_key_arn: str | None = None,
    report_expires: bool = False,
    crawler_stack: str | None = None,
    operator_arn: str | None = None,
    extent: str = "teardown",
    delete_data: bool = False,
) -> list[Statement]:
    """Set up, change and take away the billing data of a payer account.

    :param region: of buckets, workgroup, database and table
    :param workgroup: ``primary`` is read only
    :param role_name: the role that reads the billing data
    :param permissions_boundary: ARN of the policy without which no role may be made; ``None``: no boundary is demanded
    :param report_kms_key_arn, results_kms_key_arn: customer keys of the two buckets
    :param report_expires: whether delivered reports are deleted after some days (``billing_data_report_expiry_days``),
        or were until now
    :param crawler_stack: name of the CloudFormation stack of AWS' crawler (``billing_data_crawler_stack``), where that
        one makes the table; ``None``: no crawler is made
    :param operator_arn: role or user that gets this policy, so that it may look up its own rights; ``None``: it may not
    :param extent: one of ``EXTENTS``: ``check`` reads, ``run`` makes and changes, ``teardown`` takes away too
    :param delete_data: whether the delivered reports may be deleted (``billing_data_delete_data``)
    """
    check_account_id("account_id", account_id)
    check_bucket_name("report_bucket", report_bucket)
    check_bucket_name("results_bucket", results_bucket)
    names = {"region": region, "report_name": report_name, "workgroup": workgroup, "database": database}
    for option, value in {**names, "role_name": role_name}.items():
        _check_name(option, value)
    if partition not in BILLING_REGIONS:
        known = ", ".join(sorted(BILLING_REGIONS))
        refuse("partition", partition, "has no Cost and Usage Reports of its own", f"Use an account in one of: {known}")
    buckets = [f"arn:{partition}:s3:::{name}" for name in dict.fromkeys((report_bucket, results_bucket))]
    folder = "/".join(part for part in (report_prefix.strip("/"), report_name) if part)
    if any(character in folder for character in "*?"):
        refuse("report_prefix", report_prefix, "must not have a wildcard", "Write the folder, for example reports")
    definition = f"arn:{partition}:cur:{BILLING_REGIONS[partition]}:{account_id}:definition/{report_name}"
    group = f"arn:{partition}:athena:{region}:{account_id}:workgroup/{workgroup}"
    glue = f"arn:{partition}:glue:{region}:{account_id}"
    database_arn = f"{glue}:database/{database}"
    catalog = [f"{glue}:catalog", database_arn]
    tables = [*catalog, f"{glue}:table/{database}/*"]
    keys = bool(report_kms_key_arn or results_kms_key_arn)
    expiring = buckets if report_expires else buckets[-1:]
    statements = [
        _say(
            "ReadBuckets",
            buckets,
            [
                "s3:ListBucket",
                "s3:GetBucketOwnershipControls",
                "s3:GetBucketPolicy",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketTagging",
                "s3:GetLifecycleConfiguration",
                *(["s3:GetEncryptionConfiguration"] if keys else []),
            ],
        ),
        _say("ReadReport", f"{buckets[0]}/{folder}/*", ["s3:GetObject"]),
        # Actions that know no resources.
        _say(
            "ReadAccount",
            "*",
            ["cur:DescribeReportDefinitions", "iam:GetAccountSummary", "lakeformation:GetDataLakeSettings"],
        ),
        _say(
            "ReportDefinition",
            definition,
            _up_to(
                extent,
                ["cur:ListTagsForResource"],
                ["cur:PutReportDefinition", "cur:ModifyReportDefinition", "cur:TagResource"],
                ["cur:DeleteReportDefinition"],
            ),
        ),
        _say(
            "Workgroup",
            group,
            _up_to(
                "check" if workgroup == "primary" else extent,
                ["athena:GetWorkGroup", "athena:ListTagsForResource"],
                ["athena:CreateWorkGroup", "athena:UpdateWorkGroup", "athena:TagResource"],
                ["athena:DeleteWorkGroup"],
            ),
        ),
        _say("ReadDatabase", catalog, ["glue:GetDatabase"]),
        _say("ReadDatabaseTags", database_arn, ["glue:GetTags"]),
        _say("ReadTable", tables, ["glue:GetPartitions", "glue:GetTable"]),
        *_role_reads(partition, account_id, iam_path, role_name),
        *_own_rights(operator_arn),
    ]
    if report_kms_key_arn:
        statements += [
            _use_key("DecryptReport", "report_kms_key_arn", report_kms_key_arn, ["kms:Decrypt"]),
            _say("ReadKeyPolicy", report_kms_key_arn, ["kms:GetKeyPolicy"]),
        ]
    if _reaches(extent, "run"):
        statements += [
            _say(
                "MakeBuckets",
                buckets,
                [
                    "s3:CreateBucket",
                    "s3:PutBucketOwnershipControls",
                    "s3:PutBucketPolicy",
                    "s3:PutBucketPublicAccessBlock",
                    "s3:PutBucketTagging",
                    *(["s3:PutEncryptionConfiguration"] if keys else []),
                    "s3:TagResource",
                ],
            ),
            _say("SetLifecycle", expiring, ["s3:PutLifecycleConfiguration"]),
            _say("MakeDatabase", catalog, ["glue:CreateDatabase"]),
            _say("TagDatabase", database_arn, ["glue:TagResource"]),
            _say("MakeTable", tables, ["glue:BatchCreatePartition", "glue:CreateTable", "glue:UpdateTable"]),
            *_role_writes(partition, account_id, iam_path, role_name, permissions_boundary),
        ]
    if _reaches(extent, "teardown"):
        emptied = buckets if delete_data else buckets[-1:]
        statements += [
            _say("DeleteBuckets", buckets, ["s3:DeleteBucket", "s3:ListBucketVersions"]),
            _say("EmptyBuckets", [f"{bucket}/*" for bucket in emptied], ["s3:DeleteObject", "s3:DeleteObjectVersion"]),
            _say(
                "DeleteCatalog",
                [*tables, f"{glue}:userDefinedFunction/{database}/*"],
                ["glue:DeleteDatabase", "glue:DeleteTable", "glue:GetTables"],
            ),
            *_role_deletes(partition, account_id, iam_path, role_name, permissions_boundary),
        ]
    if crawler_stack:
        statements += _crawler(
            partition=partition,
            region=region,
            account_id=account_id,
            stack=crawler_stack,
            crawler=crawler_name(report_name),
            tables=tables,
            database=database,
            iam_path=iam_path,
            boundary=permissions_boundary,
            extent=extent,
        )
    return statements


def kubecost_cluster_operator(
    *,
    partition: str,
    region: str,
    account_id: str,
    cluster_name: str,
    role_name: str,
    issuer: str | None = None,
    iam_path: str = "/",
    permissions_boundary: str | None = None,
    operator_arn: str | None = None,
    extent: str = "teardown",
) -> list[Statement]:
    """Give Kubecost on one cluster its identity, change it and take it away. Rights in the cluster: RBAC, not here.

    :param region: of the cluster
    :param role_name: the role that Kubecost's ServiceAccount takes
    :param issuer: of the cluster; ``None``: any EKS cluster of the region
    :param permissions_boundary, operator_arn, extent: as of ``kubecost_payer_operator``
    """
    check_account_id("account_id", account_id)
    for option, value in {"region": region, "cluster_name": cluster_name, "role_name": role_name}.items():
        _check_name(option, value)
    host = issuer.removeprefix("https://") if issuer else f"oidc.eks.{region}.*"
    provider = f"arn:{partition}:iam::{account_id}:oidc-provider/{host}"
    statements = [
        _say(
            "ReadCluster", f"arn:{partition}:eks:{region}:{account_id}:cluster/{cluster_name}", ["eks:DescribeCluster"]
        ),
        _say("ReadIssuer", provider, ["iam:GetOpenIDConnectProvider"]),
        # It knows no resources.
        _say("ReadAccount", "*", ["iam:GetAccountSummary"]),
        *_role_reads(partition, account_id, iam_path, role_name),
        *_own_rights(operator_arn),
    ]
    if _reaches(extent, "run"):
        statements += [
            _say(
                "RegisterIssuer",
                provider,
                [
                    "iam:CreateOpenIDConnectProvider",
                    "iam:AddClientIDToOpenIDConnectProvider",
                    "iam:TagOpenIDConnectProvider",
                ],
            ),
            *_role_writes(partition, account_id, iam_path, role_name, permissions_boundary),
        ]
    if _reaches(extent, "teardown"):
        statements += [
            _say("DeleteIssuer", provider, ["iam:DeleteOpenIDConnectProvider"]),
            *_role_deletes(partition, account_id, iam_path, role_name, permissions_boundary),
        ]
    return statements


# Name, as lookup iam_document takes it -> function.
OPERATOR_POLICIES: dict[str, t.Callable[..., list[Statement]]] = {
    function.__name__: function for function in (kubecost_cluster_operator, kubecost_payer_operator)
}


# --- parts


def _say(sid: str, resource: str | list[str], actions: list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def _reaches(extent: str, wanted: str) -> bool:
    if extent not in EXTENTS:
        refuse("extent", extent, "is not known", f"Write one of: {', '.join(EXTENTS)}")
    return EXTENTS.index(extent) >= EXTENTS.index(wanted)


def _up_to(extent: str, *actions: list[str]) -> list[str]:
    """The actions of each extent up to this one."""
    return [action for wanted, own in zip(EXTENTS, actions, strict=True) if _reaches(extent, wanted) for action in own]


def _check_name(option: str, value: t.Any) -> None:
    """A part of an ARN: ``*`` would match all of them, and an empty one none or the wrong one."""
    if not value or any(character in str(value) for character in "*?:/ "):
        refuse(option, value, "is not a name", f"Write the {option} as AWS shows it")


def _role(partition: str, account_id: str, path: str, name: str) -> list[str]:
    """The role's ARN. A role that does not exist yet is asked for by its name alone, whatever path it will have."""
    base = f"arn:{partition}:iam::{account_id}:role"
    return [f"{base}{each}{name}" for each in dict.fromkeys((path, "/"))]


def _role_reads(partition: str, account_id: str, path: str, name: str) -> list[Statement]:
    return [
        _say(
            "ReadRole",
            _role(partition, account_id, path, name),
            ["iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies"],
        )
    ]


def _role_writes(partition: str, account_id: str, path: str, name: str, boundary: str | None) -> list[Statement]:
    actions = ["iam:CreateRole", "iam:PutRolePolicy", "iam:TagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"]
    if boundary:
        actions.append("iam:PutRolePermissionsBoundary")
    return _bounded("MakeRole", _role(partition, account_id, path, name)[:1], actions, boundary)


def _role_deletes(partition: str, account_id: str, path: str, name: str, boundary: str | None) -> list[Statement]:
    reads = ["iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole"]
    arns = _role(partition, account_id, path, name)
    return [
        _say("ReadRoleToDelete", arns, reads),
        *_bounded("DeleteRole", arns[:1], ["iam:DeleteRole", "iam:DeleteRolePolicy"], boundary),
    ]


# CloudFormation calls a role after stack and part of the template, cut to 64 characters with a suffix of its own; so
# much of the stack's name is left for certain.
_STACK_IN_ROLE = 20
# What the role of AWS' template is given; anything else may not be attached to it.
_CRAWLER_POLICY = "service-role/AWSGlueServiceRole"


def _crawler(
    *,
    partition: str,
    region: str,
    account_id: str,
    stack: str,
    crawler: str,
    tables: list[str],
    database: str,
    iam_path: str,
    boundary: str | None,
    extent: str,
) -> list[Statement]:
    """What the stack of AWS' crawler takes. CloudFormation makes its parts, and takes them back, with these rights."""
    _check_name("crawler_stack", stack)
    stack_arn = f"arn:{partition}:cloudformation:{region}:{account_id}:stack/{stack}/*"
    crawler_arn = f"arn:{partition}:glue:{region}:{account_id}:crawler/{crawler}"
    begin = f"{stack}-" if len(stack) < _STACK_IN_ROLE else stack[:_STACK_IN_ROLE]
    role = f"arn:{partition}:iam::{account_id}:role{iam_path}{begin}*"
    policy = {"StringEquals": {"iam:PolicyARN": f"arn:{partition}:iam::aws:policy/{_CRAWLER_POLICY}"}}
    pass_to = {"StringEquals": {"iam:PassedToService": "glue.amazonaws.com"}}
    statements = [
        _say(
            "CrawlerStack",
            stack_arn,
            _up_to(
                extent,
                ["cloudformation:DescribeStacks"],
                [
                    "cloudformation:CreateStack",
                    "cloudformation:DescribeStackEvents",
                    "cloudformation:ListStackResources",
                    "cloudformation:TagResource",
                ],
                ["cloudformation:DeleteStack"],
            ),
        ),
        _say("ReadCrawler", crawler_arn, ["glue:GetCrawler"]),
        _say("ReadMonths", tables, ["glue:GetPartition"]),
    ]
    if not _reaches(extent, "run"):
        return statements
    reads = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"]
    writes = ["iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:PutRolePolicy", "iam:TagRole"]
    attach = _bounded("AttachToCrawlerRole", [role], ["iam:AttachRolePolicy", "iam:DetachRolePolicy"], boundary)
    for statement in attach:
        limits = statement.get("Condition", {}).get("StringEquals", {})
        statement["Condition"] = {"StringEquals": {**limits, **policy["StringEquals"]}}
    statements += [
        _say(
            "MakeCrawler",
            crawler_arn,
            ["glue:CreateCrawler", "glue:DeleteCrawler", "glue:StartCrawler", "glue:StopCrawler", "glue:TagResource"],
        ),
        *_bounded("MakeCrawlerRole", [role], [*reads, *writes], boundary),
        *attach,
        {**_say("PassCrawlerRole", role, ["iam:PassRole"]), "Condition": pass_to},
    ]
    if not _reaches(extent, "teardown"):  # which may delete the catalog anyway
        functions = f"arn:{partition}:glue:{region}:{account_id}:userDefinedFunction/{database}/*"
        statements.append(_say("TakeBackCatalog", [*tables, functions], ["glue:DeleteDatabase", "glue:DeleteTable"]))
    return statements


def _bounded(sid: str, resource: list[str], actions: list[str], boundary: str | None) -> list[Statement]:
    """The statement; with a boundary two, so that what can demand the boundary does."""
    if not boundary:
        return [_say(sid, resource, actions)]
    demanding = [action for action in actions if action in _BOUNDED]
    others = [action for action in actions if action not in demanding]
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    return [
        {**_say(f"{sid}WithBoundary", resource, demanding), "Condition": condition},
        *([_say(sid, resource, others)] if others else []),
    ]


def _own_rights(operator_arn: str | None) -> list[Statement]:
    if operator_arn is None:
        return []
    if ":role/" not in operator_arn and ":user/" not in operator_arn:
        write = "Write the whole ARN, for example arn:aws:iam::111111111111:role/operator"
        refuse("operator_arn", operator_arn, "is not the ARN of a role or user", write)
    return [_say("ReadOwnRights", operator_arn, ["iam:GetRole", "iam:SimulatePrincipalPolicy"])]
