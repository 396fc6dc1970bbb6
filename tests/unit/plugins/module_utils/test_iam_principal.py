# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles and users have in common: names that IAM refuses, and calls that differ in one word."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_principal import (
    check_path,
    check_policy_arn,
    check_policy_names,
    check_principal_name,
    delete_policy,
    documents_of,
    plan_boundary,
    principal_arn,
    put_policies,
)

KINDS = pytest.mark.parametrize(("kind", "key"), [("role", "RoleName"), ("user", "UserName")])
BOUNDARY = "arn:aws:iam::222222222222:policy/boundary"
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


def test_arns() -> None:
    assert principal_arn("user", "aws", "222222222222", "/", "thanos") == "arn:aws:iam::222222222222:user/thanos"
    found = principal_arn("role", "aws-cn", "222222222222", "/a/b/", "reader")
    assert found == "arn:aws-cn:iam::222222222222:role/a/b/reader"


@pytest.mark.parametrize(
    ("name", "says"),
    [("x" * 65, "has 65 characters; IAM allows 64"), ("a/b", "is not a name of a user"), ("", "is not a name of a")],
)
def test_names_that_iam_refuses(name: str, says: str) -> None:
    with pytest.raises(AnsibleAWSError, match=says):
        check_principal_name("user", "user_name", name)


def test_what_iam_takes() -> None:
    check_principal_name("role", "name", "kubecost-prod_eu+1=,.@")
    check_path("path", "/")
    check_path("path", "/kubestrap/eu/")
    check_policy_arn("permissions_boundary", BOUNDARY)
    check_policy_arn("permissions_boundary", "arn:aws-cn:iam::aws:policy/ReadOnlyAccess")
    check_policy_names(["billing-data", "x" * 128])


@pytest.mark.parametrize("path", ["", "kubestrap", "/kubestrap", "/a//b/", f"/{'x' * 512}/"])
def test_paths_that_iam_refuses(path: str) -> None:
    with pytest.raises(AnsibleAWSError, match="is not a path of IAM"):
        check_path("path", path)


@pytest.mark.parametrize("arn", ["boundary", "arn:aws:iam::222222222222:role/x", "arn:aws:iam::1:policy/x"])
def test_policies_that_are_none(arn: str) -> None:
    with pytest.raises(AnsibleAWSError, match="is not the ARN of a managed policy"):
        check_policy_arn("permissions_boundary", arn)


@pytest.mark.parametrize("name", ["", "a b", "x" * 129])
def test_names_of_policies_that_iam_refuses(name: str) -> None:
    with pytest.raises(AnsibleAWSError, match="is not a name of a policy"):
        check_policy_names([name])


def test_documents() -> None:
    assert documents_of(None) == {}
    assert documents_of({"read": READ["Statement"]}) == {"read": READ}
    with pytest.raises(AnsibleAWSError, match="inline_policies: 'read'"):
        documents_of({"read": "no JSON"})


@KINDS
def test_the_boundary(kind: Any, key: str) -> None:
    current: dict[str, Any] = {"permissions_boundary": ""}
    after = dict(current)
    assert plan_boundary(kind, "x", None, current, after) == plan_boundary(kind, "x", "", current, after) == []
    (put,) = plan_boundary(kind, "x", BOUNDARY, current, after)
    assert (put.method, put.params) == (
        f"put_{kind}_permissions_boundary",
        {key: "x", "PermissionsBoundary": BOUNDARY},
    )
    assert after == {"permissions_boundary": BOUNDARY}
    (remove,) = plan_boundary(kind, "x", "", after, current)
    assert (remove.method, remove.params) == (f"delete_{kind}_permissions_boundary", {key: "x"})


@KINDS
def test_inline_policies(kind: Any, key: str) -> None:
    other = {**READ, "Statement": []}
    changes, after = put_policies(kind, "x", {"same": READ, "stranger": READ}, {"same": READ, "new": READ})
    assert [change.method for change in changes] == [f"put_{kind}_policy"]
    assert changes[0].params[key] == "x"
    assert changes[0].params["PolicyName"] == "new"
    assert after == {"same": READ, "stranger": READ, "new": READ}
    changed, after = put_policies(kind, "x", {"same": other}, {"same": READ})
    assert len(changed) == 1
    assert after == {"same": READ}
    gone = delete_policy(kind, "x", "old")
    assert (gone.method, gone.params) == (f"delete_{kind}_policy", {key: "x", "PolicyName": "old"})
    assert gone.done_codes == ("NoSuchEntity",)
