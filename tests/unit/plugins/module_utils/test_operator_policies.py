# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators' policies: what is in them at which extent, and how narrow they are.

Word for word they are on the page permissions.rst, which test_operator_policies_page.py compares.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import operator_policies, policies

PAYER = {
    "partition": "aws",
    "region": "us-east-1",
    "account_id": "111111111111",
    "report_name": "kubecost",
    "report_bucket": "kubestrap-cur-111111111111-us-east-1",
    "report_prefix": "cur",
    "results_bucket": "kubestrap-athena-111111111111-us-east-1",
    "workgroup": "kubecost",
    "database": "athenacurcfn_kubecost",
    "role_name": "kubecost-cur-access",
}
CLUSTER = {
    "partition": "aws",
    "region": "eu-west-1",
    "account_id": "222222222222",
    "cluster_name": "prod-eu",
    "role_name": "kubecost-prod-eu",
}
HALVES = {"kubecost_payer_operator": PAYER, "kubecost_cluster_operator": CLUSTER}
DATABASE = PAYER["database"]
BOUNDARY = "arn:aws:iam::111111111111:policy/boundary"
KEY = "arn:aws:kms:us-east-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def statements(half: str, **changed: Any) -> list[dict[str, Any]]:
    return operator_policies.OPERATOR_POLICIES[half](**{**HALVES[half], **changed})


def actions(half: str, **changed: Any) -> set[str]:
    return {action for statement in statements(half, **changed) for action in statement["Action"]}


def by_sid(half: str, **changed: Any) -> dict[str, dict[str, Any]]:
    found = statements(half, **changed)
    assert len({statement["Sid"] for statement in found}) == len(found)
    return {statement["Sid"]: statement for statement in found}


@pytest.mark.parametrize("half", HALVES)
def test_each_extent_has_all_of_the_one_before(half: str) -> None:
    check, run, teardown = (actions(half, extent=extent) for extent in operator_policies.EXTENTS)
    assert "iam:GetAccountSummary" in check
    assert check < run < teardown == actions(half)
    assert all(re.search(r":(Get|List|Describe)", action) for action in check)
    assert not any(":Delete" in action for action in run)
    assert all(re.search(r":(Delete|List|GetTables)", action) for action in teardown - run)


@pytest.mark.parametrize("half", HALVES)
def test_everything_is_scoped_to_names(half: str) -> None:
    for statement in statements(half, operator_arn="arn:aws:iam::111111111111:role/operator"):
        for resource in policies_resources(statement):
            if statement["Sid"] == "ReadAccount":
                assert resource == "*"  # these actions know no resources
            elif statement["Sid"].endswith("Issuer"):
                assert resource.endswith(":oidc-provider/oidc.eks.eu-west-1.*")
            else:
                assert "*" not in resource.removesuffix("/*")
        assert not any("*" in action or "PassRole" in action for action in statement["Action"])


def policies_resources(statement: dict[str, Any]) -> list[str]:
    resource = statement["Resource"]
    return [resource] if isinstance(resource, str) else resource


@pytest.mark.parametrize("half", HALVES)
def test_it_fits_into_one_managed_policy(half: str) -> None:
    everything = {"iam_path": "/kubecost/operators/", "permissions_boundary": BOUNDARY}
    if half == "kubecost_payer_operator":
        everything |= {"report_kms_key_arn": KEY, "results_kms_key_arn": KEY, "delete_data": True}
    assert policies.size(statements(half, **everything)) < policies.MANAGED_POLICY_SIZE


@pytest.mark.parametrize(
    ("partition", "region", "cur"), [("aws", "eu-west-1", "us-east-1"), ("aws-cn", "cn-north-1", "cn-northwest-1")]
)
def test_partitions(partition: str, region: str, cur: str) -> None:
    found = by_sid("kubecost_payer_operator", partition=partition, region=region)
    assert found["ReportDefinition"]["Resource"] == f"arn:{partition}:cur:{cur}:111111111111:definition/kubecost"
    arns = [arn for s in found.values() for arn in policies_resources(s) if arn != "*"]
    assert all(arn.startswith(f"arn:{partition}:") for arn in arns)
    assert found["Workgroup"]["Resource"].startswith(f"arn:{partition}:athena:{region}:")


def test_a_partition_without_reports() -> None:
    with pytest.raises(AnsibleAWSError, match="'aws-us-gov' has no Cost and Usage Reports of its own"):
        statements("kubecost_payer_operator", partition="aws-us-gov")
    assert statements("kubecost_cluster_operator", partition="aws-us-gov")


def test_only_results_are_emptied_unless_the_data_may_go() -> None:
    assert by_sid("kubecost_payer_operator")["EmptyBuckets"]["Resource"] == [
        "arn:aws:s3:::kubestrap-athena-111111111111-us-east-1/*"
    ]
    assert len(by_sid("kubecost_payer_operator", delete_data=True)["EmptyBuckets"]["Resource"]) == 2


def test_the_workgroup_primary_is_only_read() -> None:
    found = actions("kubecost_payer_operator", workgroup="primary")
    assert {action for action in found if action.startswith("athena:")} == {
        "athena:GetWorkGroup",
        "athena:ListTagsForResource",
    }


def test_a_role_with_a_path_is_asked_for_by_its_name_before_it_exists() -> None:
    found = by_sid("kubecost_cluster_operator", iam_path="/kubecost/")
    base = "arn:aws:iam::222222222222:role"
    assert found["ReadRole"]["Resource"] == [f"{base}/kubecost/kubecost-prod-eu", f"{base}/kubecost-prod-eu"]
    assert found["MakeRole"]["Resource"] == [f"{base}/kubecost/kubecost-prod-eu"]


@pytest.mark.parametrize("half", HALVES)
def test_a_boundary_is_demanded_wherever_iam_can_demand_it(half: str) -> None:
    found = by_sid(half, permissions_boundary=BOUNDARY)
    condition = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    assert found["MakeRoleWithBoundary"]["Action"] == [
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "iam:PutRolePermissionsBoundary",
    ]
    assert found["DeleteRoleWithBoundary"]["Action"] == ["iam:DeleteRolePolicy"]
    demanded = {sid for sid, statement in found.items() if statement.get("Condition") == condition}
    assert demanded == {"MakeRoleWithBoundary", "DeleteRoleWithBoundary"}
    assert "iam:PutRolePermissionsBoundary" not in actions(half)


def test_a_report_that_expires_has_a_lifecycle_too() -> None:
    assert len(by_sid("kubecost_payer_operator")["SetLifecycle"]["Resource"]) == 1
    assert len(by_sid("kubecost_payer_operator", report_expires=True)["SetLifecycle"]["Resource"]) == 2


def test_customer_keys() -> None:
    found = by_sid("kubecost_payer_operator", report_kms_key_arn=KEY)
    assert found["DecryptReport"]["Resource"] == KEY
    assert found["DecryptReport"]["Condition"]["StringEquals"] == {"kms:ViaService": ["s3.us-east-1.amazonaws.com"]}
    results = actions("kubecost_payer_operator", results_kms_key_arn=KEY)
    assert {"s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"} == results - actions(
        "kubecost_payer_operator"
    )


@pytest.mark.parametrize("half", HALVES)
def test_ones_own_rights_can_be_looked_up_where_it_is_said_whose(half: str) -> None:
    assert "ReadOwnRights" not in by_sid(half)
    own = "arn:aws:iam::111111111111:role/operator"
    assert by_sid(half, operator_arn=own, extent="check")["ReadOwnRights"]["Resource"] == own
    with pytest.raises(AnsibleAWSError, match="operator_arn: 'operator' is not the ARN of a role or user"):
        statements(half, operator_arn="operator")


STACK = "kubestrap-cur-crawler-kubecost"


def crawler(**changed: Any) -> dict[str, dict[str, Any]]:
    """The statements that a crawler adds."""
    changed = {"crawler_stack": STACK, **changed}
    plain = by_sid("kubecost_payer_operator", **{**changed, "crawler_stack": None})
    return {sid: found for sid, found in by_sid("kubecost_payer_operator", **changed).items() if sid not in plain}


def test_a_crawler_brings_rights_to_its_stack_its_role_and_itself_only() -> None:
    found = crawler()
    role = "arn:aws:iam::111111111111:role/kubestrap-cur-crawle*"
    glue = "arn:aws:glue:us-east-1:111111111111"
    assert {sid: policies_resources(statement) for sid, statement in found.items()} == {
        "CrawlerStack": [f"arn:aws:cloudformation:us-east-1:111111111111:stack/{STACK}/*"],
        "ReadCrawler": [f"{glue}:crawler/AWSCURCrawler-kubecost"],
        "ReadMonths": [f"{glue}:{end}" for end in ("catalog", f"database/{DATABASE}", f"table/{DATABASE}/*")],
        "MakeCrawler": [f"{glue}:crawler/AWSCURCrawler-kubecost"],
        "MakeCrawlerRole": [role],
        "AttachToCrawlerRole": [role],
        "PassCrawlerRole": [role],
    }


def test_the_role_of_a_crawler_is_passed_to_glue_alone_and_gets_one_policy() -> None:
    found = crawler()
    assert found["PassCrawlerRole"]["Action"] == ["iam:PassRole"]
    assert found["PassCrawlerRole"]["Condition"] == {"StringEquals": {"iam:PassedToService": "glue.amazonaws.com"}}
    policy = "arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole"
    assert found["AttachToCrawlerRole"]["Condition"] == {"StringEquals": {"iam:PolicyARN": policy}}
    bounded = crawler(permissions_boundary=BOUNDARY)
    boundary = {"iam:PermissionsBoundary": BOUNDARY}
    assert bounded["MakeCrawlerRoleWithBoundary"]["Condition"] == {"StringEquals": boundary}
    assert set(bounded["MakeCrawlerRoleWithBoundary"]["Action"]) >= {"iam:CreateRole", "iam:PutRolePolicy"}
    attach = bounded["AttachToCrawlerRoleWithBoundary"]["Condition"]
    assert attach == {"StringEquals": {**boundary, "iam:PolicyARN": policy}}
    assert "AttachToCrawlerRole" not in bounded


def test_what_cloudformation_takes_back_belongs_to_the_run() -> None:
    check, run, teardown = (crawler(extent=extent) for extent in operator_policies.EXTENTS)
    assert {action for statement in check.values() for action in statement["Action"]} == {
        "cloudformation:DescribeStacks",
        "glue:GetCrawler",
        "glue:GetPartition",
    }
    assert run["TakeBackCatalog"]["Action"] == ["glue:DeleteDatabase", "glue:DeleteTable"]
    assert "TakeBackCatalog" not in teardown
    assert "cloudformation:DeleteStack" not in run["CrawlerStack"]["Action"]
    assert "cloudformation:DeleteStack" in teardown["CrawlerStack"]["Action"]


def test_a_crawlers_role_has_the_path_and_the_whole_of_a_short_name() -> None:
    found = crawler(crawler_stack="cur", iam_path="/kubecost/")
    assert found["PassCrawlerRole"]["Resource"] == "arn:aws:iam::111111111111:role/kubecost/cur-*"


def test_with_a_crawler_it_fits_into_the_inline_policies_of_a_role() -> None:
    everything = {"iam_path": "/kubecost/operators/", "permissions_boundary": BOUNDARY, "crawler_stack": STACK}
    everything |= {"report_kms_key_arn": KEY, "results_kms_key_arn": KEY, "delete_data": True}
    assert policies.size(statements("kubecost_payer_operator", **everything)) < policies.ROLE_INLINE_POLICIES_SIZE


def test_the_issuer_alone_when_it_is_known() -> None:
    issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    for sid, statement in by_sid("kubecost_cluster_operator", issuer=issuer).items():
        if sid.endswith("Issuer"):
            assert statement["Resource"] == f"arn:aws:iam::222222222222:oidc-provider/{issuer[8:]}"


@pytest.mark.parametrize(
    ("half", "option", "value", "said"),
    [
        ("kubecost_payer_operator", "account_id", "1402433619", "has 10 digits"),
        ("kubecost_payer_operator", "report_bucket", "s3://acme", "is an S3 URL"),
        ("kubecost_payer_operator", "workgroup", "*", "is not a name"),
        ("kubecost_payer_operator", "report_prefix", "cur/*", "must not have a wildcard"),
        ("kubecost_payer_operator", "crawler_stack", "*", "is not a name"),
        ("kubecost_cluster_operator", "role_name", "", "is not a name"),
        ("kubecost_cluster_operator", "extent", "all", "Write one of: check, run, teardown"),
    ],
)
def test_input_that_would_make_another_policy_is_refused(half: str, option: str, value: str, said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=f"{option}: '{re.escape(value)}' .*{said}"):
        statements(half, **{option: value})
