# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What IAM's simulation means. That it is asked for the right things is tests/integration's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_rights import (
    DOCUMENTS,
    check_rights,
    context_of,
    needed,
)
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::111111111111:role/operator"
SESSION = "arn:aws:sts::111111111111:assumed-role/operator/me"
PROVIDER = "arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB"
MAKE = "arn:aws:iam::111111111111:role/kubecost"
CLUSTER = "kubecost_cluster_operator"
STATEMENTS = [
    {"Sid": "Read", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::a"},
    {"Sid": "Make", "Effect": "Allow", "Action": ["iam:CreateRole", "iam:UpdateRole"], "Resource": [MAKE]},
    {
        "Sid": "Issuer",
        "Effect": "Allow",
        "Action": ["iam:GetOpenIDConnectProvider"],
        "Resource": "arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.*",
    },
]


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said AWS"}}, "Any")


class Iam:
    """IAM that denies some actions. ``answers`` are further members of their results."""

    def __init__(self, denied: dict[str, dict[str, Any]] | None = None, **raising: Exception | None) -> None:
        self.denied = denied or {}
        self.raising = raising
        self.asked: list[dict[str, Any]] = []

    region = "eu-west-1"

    def client(self, _service: str, _region: str | None = None) -> Iam:
        return self

    def get_paginator(self, _name: str) -> Iam:
        return self

    def paginate(self, **params: Any) -> Any:
        self.asked.append(params)
        problem = self.raising.get("simulate")
        if problem and not params["PolicySourceArn"].endswith("role/team/operator"):
            raise problem
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": "implicitDeny" if action in self.denied else "allowed",
                **self.denied.get(action, {}),
            }
            for action in params["ActionNames"]
            for resource in params["ResourceArns"]
        ]
        yield {"EvaluationResults": results[:1]}
        yield {"EvaluationResults": results[1:]}

    def get_role(self, RoleName: str) -> Any:
        if isinstance(self.raising.get("role"), Exception):
            raise self.raising["role"]
        return {"Role": {"Arn": ROLE.replace("role/", "role/team/"), "RoleName": RoleName}}

    def get_user(self, UserName: str) -> Any:
        if isinstance(self.raising.get("user"), Exception):
            raise self.raising["user"]
        return {"User": {"UserName": UserName}}


def check(iam: Iam, arn: str = SESSION) -> tuple[list[str], list[str]]:
    return check_rights(iam, arn, STATEMENTS, CLUSTER, {"team": "a"}, [PROVIDER])


def test_a_first_run_needs_what_is_no_repair_on_resources_that_are_known() -> None:
    assert needed(STATEMENTS, CLUSTER, [PROVIDER]) == [
        ("s3:ListBucket", "arn:aws:s3:::a"),
        ("iam:CreateRole", MAKE),
        ("iam:GetOpenIDConnectProvider", PROVIDER),
    ]
    assert needed(STATEMENTS, CLUSTER)[-1][1].endswith("oidc.eks.eu-west-1.kubestrap")
    key = {"Sid": "K", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": "arn:aws:kms:eu-west-1:1:key/a"}
    assert needed([key], CLUSTER) == []


def test_keys_of_conditions_that_are_known() -> None:
    condition = {"StringEquals": {"iam:PermissionsBoundary": "arn:b"}}
    assert context_of([{**STATEMENTS[1], "Condition": condition}], {"team": "a"}) == [
        {"ContextKeyName": "aws:RequestTag/team", "ContextKeyValues": ["a"], "ContextKeyType": "string"},
        {"ContextKeyName": "aws:TagKeys", "ContextKeyValues": ["team"], "ContextKeyType": "stringList"},
        {"ContextKeyName": "aws:SecureTransport", "ContextKeyValues": ["true"], "ContextKeyType": "boolean"},
        {"ContextKeyName": "iam:PermissionsBoundary", "ContextKeyValues": ["arn:b"], "ContextKeyType": "string"},
    ]


def test_all_is_allowed() -> None:
    iam = Iam()
    assert check(iam) == ([], [])
    (asked,) = iam.asked
    assert asked["PolicySourceArn"] == ROLE
    assert asked["ResourceArns"] == ["arn:aws:s3:::a", MAKE, PROVIDER]


def test_a_user_is_asked_about_as_it_is() -> None:
    iam = Iam()
    assert check(iam, "arn:aws:iam::111111111111:user/team/me") == ([], [])
    assert iam.asked[0]["PolicySourceArn"] == "arn:aws:iam::111111111111:user/team/me"


def test_what_is_denied_is_named_with_resource_and_reason() -> None:
    (problem,), notes = check(Iam({"s3:ListBucket": {}, "iam:GetOpenIDConnectProvider": {}}))
    assert notes == []
    assert problem.startswith(f"kubestrap_aws_profile: '{ROLE}' lacks rights that this run needs: s3:ListBucket on ")
    assert "s3:ListBucket on arn:aws:s3:::a (no policy allows it); iam:GetOpenIDConnectProvider on " in problem
    assert "'kubecost_cluster_operator'" in problem and "kubestrap_check_rights to false" in problem


def test_who_denies_is_named() -> None:
    reasons = {
        "a policy of the organisation": {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}},
        "its permissions boundary": {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}},
        "a policy denies it": {"EvalDecision": "explicitDeny"},
    }
    for said, result in reasons.items():
        (problem,), _notes = check(Iam({"s3:ListBucket": result}))
        assert f"s3:ListBucket on arn:aws:s3:::a ({said}" in problem


def test_results_by_resource_are_read_too() -> None:
    single = {"EvalResourceName": "arn:aws:s3:::a", "EvalResourceDecision": "explicitDeny"}
    answer = {"EvalDecision": "allowed", "EvalResourceName": "*", "ResourceSpecificResults": [single]}
    (problem,), _notes = check(Iam({"s3:ListBucket": answer}))
    assert "s3:ListBucket on arn:aws:s3:::a (a policy denies it)" in problem


def test_what_depends_on_unknown_keys_is_a_note() -> None:
    problems, (note,) = check(Iam({"s3:ListBucket": {"MissingContextValues": ["aws:RequestedRegion"]}}))
    assert problems == []
    assert note.startswith(
        f"Whether {ROLE} may call s3:ListBucket could not be seen before the calls: it depends on aws:"
    )


def test_what_exists_need_not_be_made() -> None:
    denied = {"iam:CreateRole": {}}
    assert check(Iam(denied)) == ([], [])
    (problem,), _notes = check(Iam(denied, role=error("NoSuchEntity")))
    assert f"iam:CreateRole on {MAKE}" in problem


def test_a_role_with_a_path_is_found() -> None:
    iam = Iam(simulate=error("NoSuchEntity"))
    assert check(iam) == ([], [])
    assert [params["PolicySourceArn"] for params in iam.asked] == [ROLE, ROLE.replace("role/", "role/team/")]


def test_who_may_not_ask_is_told_what_was_not_seen() -> None:
    problems, (note,) = check(Iam(simulate=error("AccessDenied")))
    assert problems == []
    assert note.startswith(
        f"The rights of {ROLE} were not checked before the first write: these credentials may not ask"
    )
    assert "lookup('kubestrap.aws.iam_document', 'kubecost_cluster_operator', ...)" in note
    _problems, (note,) = check(Iam(simulate=error("Throttling")))
    assert "said AWS" in note


def test_root_cannot_be_simulated() -> None:
    iam = Iam()
    problems, (note,) = check(iam, "arn:aws:iam::111111111111:root")
    assert (problems, iam.asked) == ([], [])
    assert "roles and users only" in note


PLACE = {"partition": "aws", "account_id": "111111111111", "extent": "run"}
BUCKET = "workload_storage_operator"
WORKLOAD = "object_storage_workload_operator"
PARAMETERS: dict[str, dict[str, Any]] = {
    BUCKET: {"region": "eu-west-1", "bucket": "blocks", "kms_key_alias": "blocks"},
    "irsa": {"identity_method": "irsa", "region": "eu-west-1", "cluster_name": "prod", "role_name": "thanos"},
    "access_key": {"identity_method": "access_key", "user_name": "thanos"},
}
PARAMETERS["both"] = {**PARAMETERS["irsa"], **PARAMETERS["access_key"], "with_role": True}


def of_storage(which: str, **more: Any) -> tuple[str, list[dict[str, Any]]]:
    """Document and statements."""
    document = BUCKET if which == BUCKET else WORKLOAD
    return document, DOCUMENTS[document](**PLACE, **PARAMETERS[which], **more)


def actions(which: str, **more: Any) -> set[str]:
    document, statements = of_storage(which, **more)
    return {action for action, _resource in needed(statements, document)}


def test_what_a_first_run_needs_for_a_bucket_with_a_key_of_its_own() -> None:
    assert actions(BUCKET) == {
        "kms:CreateKey",
        "kms:ListKeys",
        "s3:CreateBucket",
        "s3:GetBucketOwnershipControls",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "s3:PutBucketPolicy",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:TagResource",
    }
    assert actions(BUCKET, versioning=True) - actions(BUCKET) == {"s3:GetBucketVersioning", "s3:PutBucketVersioning"}


def test_what_a_first_run_needs_for_a_user_with_a_key() -> None:
    """Neither what rotates it later nor what takes away."""
    assert actions("access_key") == {
        "iam:CreateAccessKey",
        "iam:CreateUser",
        "iam:GetUser",
        "iam:GetUserPolicy",
        "iam:ListAccessKeys",
        "iam:ListUserPolicies",
        "iam:PutUserPolicy",
        "iam:TagUser",
    }
    assert actions("access_key", cluster_name="prod", region="eu-west-1") - actions("access_key") == {
        "eks:DescribeCluster"
    }


def test_a_workloads_role_needs_what_that_of_kubecost_does() -> None:
    parameters = {name: value for name, value in PARAMETERS["irsa"].items() if name != "identity_method"}
    statements = DOCUMENTS[CLUSTER](**PLACE, **parameters)
    assert actions("irsa") == {action for action, _resource in needed(statements, CLUSTER)}


def test_kubecost_with_a_key_and_billing_data_needs_both() -> None:
    assert actions("both") == actions("irsa") | actions("access_key")


@pytest.mark.parametrize(("which", "denied"), [(BUCKET, "kms:CreateKey"), ("access_key", "iam:CreateAccessKey")])
def test_a_right_to_storage_that_is_missing_is_named(which: str, denied: str) -> None:
    document, statements = of_storage(which)
    assert check_rights(Iam(), SESSION, statements, document, {}) == ([], [])
    (problem,), notes = check_rights(Iam({denied: {}}), SESSION, statements, document, {})
    assert notes == []
    assert f"{denied} on " in problem and f"'{document}'" in problem


def test_the_tag_of_a_key_that_is_made_is_known_before_the_call() -> None:
    iam = Iam()
    document, statements = of_storage(BUCKET)
    check_rights(iam, SESSION, statements, document, {})
    assert {
        "ContextKeyName": "aws:RequestTag/kubestrap.aws/alias",
        "ContextKeyValues": ["alias/blocks"],
        "ContextKeyType": "string",
    } in iam.asked[0]["ContextEntries"]


def test_a_user_that_exists_need_not_be_made() -> None:
    document, statements = of_storage("access_key")
    denied: dict[str, Any] = {"iam:CreateUser": {}, "iam:TagUser": {}}
    assert check_rights(Iam(denied), SESSION, statements, document, {}) == ([], [])
    (problem,), _notes = check_rights(Iam(denied, user=error("NoSuchEntity")), SESSION, statements, document, {})
    assert "iam:CreateUser, iam:TagUser on arn:aws:iam::111111111111:user/thanos" in problem


def test_a_bucket_that_exists_need_not_be_made() -> None:
    document, statements = of_storage(BUCKET)
    denied: dict[str, Any] = {"s3:CreateBucket": {}}
    assert check_rights(Iam(denied), SESSION, statements, document, {}, buckets={"blocks": True}) == ([], [])
    (problem,), _notes = check_rights(Iam(denied), SESSION, statements, document, {}, buckets={"blocks": False})
    assert "s3:CreateBucket on arn:aws:s3:::blocks" in problem
