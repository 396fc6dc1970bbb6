# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators' policies of object storage: what is in them at which extent, and how narrow they are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import (
    operator_policies,
    operator_storage_policies,
    policies,
)

ACCOUNT = "222222222222"
BASE = {"partition": "aws", "region": "eu-west-1", "account_id": ACCOUNT}
BUCKET = {**BASE, "bucket": "acme-thanos"}
IRSA = {**BASE, "identity_method": "irsa", "cluster_name": "prod-eu", "role_name": "thanos", "bucket": "acme-thanos"}
KEY = {"partition": "aws", "account_id": ACCOUNT, "identity_method": "access_key", "user_name": "thanos"}
# name of the case -> document and its parameters
CASES = {
    "bucket": ("workload_storage_operator", BUCKET),
    "own key": ("workload_storage_operator", {**BUCKET, "kms_key_alias": "acme-thanos", "delete_data": True}),
    "role": ("object_storage_workload_operator", IRSA),
    "user": ("object_storage_workload_operator", {**KEY, "bucket": "acme-thanos", "prefix": "prod-eu"}),
    "both": ("object_storage_workload_operator", {**IRSA, **KEY, "with_role": True}),
}
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
ALIAS = f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/acme-thanos"


def statements(case: str, **changed: Any) -> list[dict[str, Any]]:
    name, parameters = CASES[case]
    return operator_storage_policies.OPERATOR_STORAGE_POLICIES[name](**{**parameters, **changed})


def by_sid(case: str, **changed: Any) -> dict[str, dict[str, Any]]:
    found = statements(case, **changed)
    assert len({statement["Sid"] for statement in found}) == len(found)
    return {statement["Sid"]: statement for statement in found}


def actions(case: str, **changed: Any) -> set[str]:
    return {action for statement in statements(case, **changed) for action in statement["Action"]}


def resources(statement: dict[str, Any]) -> list[str]:
    resource = statement["Resource"]
    return [resource] if isinstance(resource, str) else resource


@pytest.mark.parametrize("case", CASES)
def test_each_extent_has_all_of_the_one_before(case: str) -> None:
    check, run, teardown = (actions(case, extent=extent) for extent in operator_policies.EXTENTS)
    assert check < run < teardown == actions(case)
    assert all(re.search(r":(Get|List|Describe|Simulate)", action) for action in check)
    # What a run deletes: policies that are not wanted any more, a key that was replaced, the probe's own object.
    deletes = {action for action in run if ":Delete" in action}
    assert deletes <= {"iam:DeleteUserPolicy", "iam:DeleteAccessKey", "s3:DeleteObject", "s3:DeleteObjectVersion"}
    assert all(re.search(r":(Delete|Detach|List|Schedule)", action) for action in teardown - run)


@pytest.mark.parametrize("case", CASES)
def test_everything_is_scoped_to_names(case: str) -> None:
    for statement in statements(case, operator_arn=f"arn:aws:iam::{ACCOUNT}:role/operator"):
        sid = statement["Sid"]
        for resource in resources(statement):
            if sid in ("ReadAccount", "FindKey", "MakeKey"):  # these know no resources, or not yet
                assert resource == "*"
            elif sid in ("ReadKey", "ChangeKey"):
                assert resource in (f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*", ALIAS)
            elif sid.endswith("Issuer"):
                assert resource.endswith(":oidc-provider/oidc.eks.eu-west-1.*")
            else:
                assert "*" not in resource.removesuffix("/*")
        assert not any("*" in action or "PassRole" in action for action in statement["Action"])


def test_only_the_bucket_s_own_key_can_be_changed() -> None:
    found = by_sid("own key")
    tag = "kubestrap.aws/alias"
    assert found["ChangeKey"]["Condition"] == {"StringEquals": {f"aws:ResourceTag/{tag}": "alias/acme-thanos"}}
    assert found["MakeKey"]["Condition"] == {"StringEquals": {f"aws:RequestTag/{tag}": "alias/acme-thanos"}}
    free = [s for s in found.values() if "Condition" not in s and any(a.startswith("kms:") for a in s["Action"])]
    assert {action for s in free for action in s["Action"]} == {
        "kms:CreateAlias",
        "kms:DeleteAlias",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListKeys",
        "kms:ListResourceTags",
    }
    assert found["Alias"]["Resource"] == ALIAS
    assert statements("own key", kms_key_alias="alias/acme-thanos") == statements("own key")


def test_a_key_that_is_given_takes_no_right() -> None:
    assert not any(action.startswith("kms:") for action in actions("bucket"))
    assert "s3:PutEncryptionConfiguration" in actions("bucket", extent="run")


def test_options_of_the_bucket_bring_their_own_rights_only() -> None:
    assert actions("bucket", versioning=True) - actions("bucket") == {
        "s3:GetBucketVersioning",
        "s3:PutBucketVersioning",
    }
    assert actions("bucket", object_lock=True) - actions("bucket") == {
        "s3:GetBucketObjectLockConfiguration",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketVersioning",
    }
    assert "EmptyBucket" not in by_sid("bucket")
    assert by_sid("bucket", delete_data=True)["EmptyBucket"]["Resource"] == "arn:aws:s3:::acme-thanos/*"


def test_a_role_is_made_with_the_rights_of_the_cluster_s_operator() -> None:
    cluster = operator_policies.kubecost_cluster_operator(**BASE, cluster_name="prod-eu", role_name="thanos")
    assert statements("role", bucket=None) == cluster


def test_a_user_and_its_keys() -> None:
    found = by_sid("user", iam_path="/storage/")
    base = f"arn:aws:iam::{ACCOUNT}:user"
    assert found["ReadUser"]["Resource"] == [f"{base}/storage/thanos", f"{base}/thanos"]
    assert resources(found["MakeUser"]) == resources(found["MakeAccessKey"]) == [f"{base}/storage/thanos"]
    assert "ReadCluster" not in found
    with_cluster = by_sid("user", region="eu-west-1", cluster_name="prod-eu")
    assert with_cluster["ReadCluster"]["Resource"] == f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/prod-eu"


def test_two_users_are_made_alike() -> None:
    one, both = by_sid("user"), by_sid("user", user_names=["billing"])
    for sid in ("ReadUser", "MakeUser", "MakeAccessKey", "ReadUserToDelete", "DeleteUser"):
        assert resources(both[sid]) == [f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("thanos", "billing")]
        assert both[sid]["Action"] == one[sid]["Action"]
    with pytest.raises(AnsibleAWSError, match=r"user_names: 'b\*' is not a name"):
        statements("user", user_names=["b*"])


def test_a_boundary_is_demanded_of_users_too_and_nobody_may_take_it_away() -> None:
    found = by_sid("user", permissions_boundary=BOUNDARY)
    condition = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    demanded = {sid: statement["Action"] for sid, statement in found.items() if statement.get("Condition") == condition}
    assert demanded == {
        "MakeUserWithBoundary": [
            "iam:CreateUser",
            "iam:DeleteUserPolicy",
            "iam:PutUserPolicy",
            "iam:PutUserPermissionsBoundary",
        ],
        "DeleteUserWithBoundary": ["iam:DetachUserPolicy"],
    }
    everything = actions("user", permissions_boundary=BOUNDARY) | actions("user")
    assert not {action for action in everything if action.startswith("iam:Delete") and "Boundary" in action}


def test_the_probe_s_object_alone_can_be_swept_away() -> None:
    assert by_sid("user")["SweepProbe"]["Resource"] == [
        "arn:aws:s3:::acme-thanos/prod-eu/kubestrap-probe/*",
        "arn:aws:s3:::acme-thanos/kubestrap-probe/*",
    ]
    assert by_sid("role")["SweepProbe"]["Resource"] == ["arn:aws:s3:::acme-thanos/kubestrap-probe/*"]
    assert not any(action.startswith("s3:") for action in actions("user", bucket=None))
    assert "SweepProbe" not in by_sid("user", extent="check")
    assert "s3:GetObjectRetention" in by_sid("user", object_lock=True)["SweepProbe"]["Action"]
    assert by_sid("role")["ExplainIdentity"]["Resource"] == [f"arn:aws:iam::{ACCOUNT}:role/thanos"]


@pytest.mark.parametrize("case", CASES)
def test_it_fits_into_one_managed_policy(case: str) -> None:
    more: dict[str, Any] = {"operator_arn": f"arn:aws:iam::{ACCOUNT}:role/operator", "object_lock": True}
    if case in ("role", "user"):
        more |= {"iam_path": "/kubestrap/operators/", "permissions_boundary": BOUNDARY}
    assert policies.size(statements(case, **more)) < policies.MANAGED_POLICY_SIZE


def test_partitions() -> None:
    for case in CASES:
        arns = [arn for s in statements(case, partition="aws-cn") for arn in resources(s) if arn != "*"]
        assert all(arn.startswith("arn:aws-cn:") for arn in arns)


@pytest.mark.parametrize(
    ("case", "option", "value", "said"),
    [
        ("bucket", "account_id", "1402433619", "has 10 digits"),
        ("bucket", "bucket", "s3://acme", "is an S3 URL"),
        ("bucket", "region", "*", "is not a name"),
        ("own key", "kms_key_alias", "acme:*", "is not an alias of a key"),
        ("role", "role_name", None, "is not a name"),
        ("role", "cluster_name", "*", "is not a name"),
        ("role", "identity_method", "pod_identity", "Write one of: irsa, access_key"),
        ("user", "user_name", "*", "is not a name"),
        ("user", "prefix", "prod-*", "must not have a wildcard"),
        ("user", "extent", "all", "Write one of: check, run, teardown"),
    ],
)
def test_input_that_would_make_another_policy_is_refused(case: str, option: str, value: Any, said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=f"{option}: '?{re.escape(str(value))}'? .*{said}"):
        statements(case, **{option: value})


def test_a_workload_with_a_key_and_a_role_needs_the_rights_to_both() -> None:
    """Kubecost keeps its data with a key, and reads billing data by a role."""
    both = by_sid("both", bucket=None, operator_arn=f"arn:aws:iam::{ACCOUNT}:role/operator")
    role = by_sid("role", bucket=None, operator_arn=f"arn:aws:iam::{ACCOUNT}:role/operator")
    user = by_sid("user", bucket=None)
    assert both == {**role, **user}
    for missing in ("role_name", "cluster_name", "user_name"):
        with pytest.raises(AnsibleAWSError, match=missing):
            by_sid("both", **{missing: None})
