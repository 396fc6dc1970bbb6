# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators' policies of the playbooks about tags: what is in them, and how narrow they are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import operator_tag_policies as tags
from ansible_collections.kubestrap.aws.plugins.module_utils.policies import billing_data_reader

BASE: dict[str, Any] = {"partition": "aws-cn", "account_id": "222222222222"}
BILLING = {
    "region": "cn-north-1",
    "report_bucket": "acme-cur",
    "report_prefix": "cur",
    "results_bucket": "acme-results",
    "results_prefix": "kubecost",
    "workgroup": "kubecost",
    "database": "billing",
    "table": "kubecost",
}


def by_sid(statements: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    assert len({statement["Sid"] for statement in statements}) == len(statements)
    return {statement["Sid"]: statement for statement in statements}


def test_an_account_and_a_cluster() -> None:
    assert list(by_sid(tags.tag_report_operator(**BASE))) == ["ListTagged"]
    found = by_sid(tags.tag_report_operator(**BASE, region="cn-north-1", cluster_name="demo"))
    assert found["ReadCluster"]["Resource"] == "arn:aws-cn:eks:cn-north-1:222222222222:cluster/demo"
    with pytest.raises(AnsibleAWSError, match="cluster_name: '\\*' is not a name"):
        tags.tag_report_operator(**BASE, region="cn-north-1", cluster_name="*")
    with pytest.raises(AnsibleAWSError, match="region: 'None' is not a name"):
        tags.tag_report_operator(**BASE, cluster_name="demo")


def test_a_payer_reads_what_a_reader_of_its_billing_data_reads() -> None:
    found = tags.tag_report_payer_operator(**BASE, **BILLING)
    assert list(by_sid(found))[:2] == ["ListTagged", "ReadActivation"]
    assert found[2:] == billing_data_reader(**BASE, **BILLING)


def test_each_service_has_its_own_right_to_tag() -> None:
    found = by_sid(tags.tag_apply_operator(**BASE, services=["rds", "s3", "rds"]))
    assert found["TagAnything"]["Action"] == ["tag:GetResources", "tag:TagResources"]
    assert found["TagRds"] == {
        "Sid": "TagRds",
        "Effect": "Allow",
        "Action": ["rds:AddTagsToResource"],
        "Resource": "arn:aws-cn:rds:*:222222222222:*",
    }
    assert found["TagS3"]["Resource"] == "arn:aws-cn:s3:::*"
    assert found["TagS3"]["Action"] == ["s3:GetBucketTagging", "s3:PutBucketTagging", "s3:ListBucket"]


def test_removing_is_extra() -> None:
    found = by_sid(tags.tag_apply_operator(**BASE, services=["rds", "cognito-idp"], remove=True))
    assert "tag:UntagResources" in found["TagAnything"]["Action"]
    assert found["TagRds"]["Action"] == ["rds:AddTagsToResource", "rds:RemoveTagsFromResource"]
    assert found["TagCognitoIdp"]["Action"] == ["cognito-idp:TagResource", "cognito-idp:UntagResource"]


@pytest.mark.parametrize("services", [[], "rds", ["*"], ["iam"], ["RDS"]])
def test_services_are_named(services: Any) -> None:
    with pytest.raises(AnsibleAWSError, match="services: "):
        tags.tag_apply_operator(**BASE, services=services)
