# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a role: from nothing, for each difference, for none, and to take it away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import trust
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role_plan import plan_absent, plan_present
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role_settings import Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan

NAME = "reader"
ARN = "arn:aws:iam::222222222222:role/reader"
TRUST = {
    "Sid": "Account",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
    "Action": "sts:AssumeRole",
}
OTHER_TRUST = {**TRUST, "Sid": "Other", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}}
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
WRITE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}
POLICY = "arn:aws:iam::222222222222:policy/common"
BOUNDARY = "arn:aws:iam::222222222222:policy/boundary"


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def existing(**settings: Any) -> dict[str, Any]:
    return {
        "name": NAME,
        "arn": ARN,
        "path": "/",
        "role_id": "AROAEXAMPLEEXAMPLE00",
        "create_date": "2026-01-31T12:00:00+00:00",
        "description": "",
        "max_session_duration": 3600,
        "permissions_boundary": "",
        "tags": {},
        "assume_role_policy_document": document(TRUST),
        "inline_policies": {},
        "managed_policy_arns": [],
        **settings,
    }


def present(current: dict[str, Any] | None, wait: bool = True, **settings: Any) -> Plan:
    return plan_present(NAME, ARN, current, Settings(**settings), wait)


def calls(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """Methods and parameters, those of the documents parsed and the role's name checked."""
    made = []
    for change in plan.changes:
        params = dict(change.params)
        assert change.service == "iam"
        assert params.pop("RoleName") == NAME
        for key in ("PolicyDocument", "AssumeRolePolicyDocument"):
            if key in params:
                params[key] = json.loads(params[key])
        made.append((change.method, params))
    return made


def test_from_nothing_with_the_least() -> None:
    plan = present(None, trust_statements=[TRUST])

    assert calls(plan) == [
        (
            "create_role",
            {"Path": "/", "AssumeRolePolicyDocument": document(TRUST), "MaxSessionDuration": 3600},
        )
    ]
    (create,) = plan.changes
    assert create.retry_codes == ("MalformedPolicyDocument: Invalid principal",)
    assert create.waiter == "role_exists"
    assert plan.before is None
    assert plan.after == {
        "name": NAME,
        "arn": ARN,
        "path": "/",
        "description": "",
        "max_session_duration": 3600,
        "permissions_boundary": "",
        "tags": {},
        "assume_role_policy_document": document(TRUST),
        "inline_policies": {},
    }


def test_from_nothing_with_everything() -> None:
    settings = {
        "path": "/kubestrap/",
        "description": "Reads",
        "permissions_boundary": BOUNDARY,
        "max_session_duration": 7200,
        "trust_statements": [TRUST, OTHER_TRUST],
        "inline_policies": {"read": READ, "write": json.dumps(WRITE), "more": READ["Statement"]},
        "managed_policy_arns": [POLICY],
        "tags": {"team": "platform"},
        "ownership_tags": {"managed-by": "example"},
    }

    plan = present(None, **settings)

    assert calls(plan) == [
        (
            "create_role",
            {
                "Path": "/kubestrap/",
                "AssumeRolePolicyDocument": document(TRUST, OTHER_TRUST),
                "MaxSessionDuration": 7200,
                "Description": "Reads",
                "PermissionsBoundary": BOUNDARY,
                "Tags": [{"Key": "team", "Value": "platform"}, {"Key": "managed-by", "Value": "example"}],
            },
        ),
        ("put_role_policy", {"PolicyName": "read", "PolicyDocument": READ}),
        ("put_role_policy", {"PolicyName": "write", "PolicyDocument": WRITE}),
        ("put_role_policy", {"PolicyName": "more", "PolicyDocument": READ}),
        ("attach_role_policy", {"PolicyArn": POLICY}),
    ]
    assert all(change.retry_codes for change in plan.changes)
    assert plan.after is not None
    # What was just planned is then no change.
    assert not present(plan.after, **settings).changed


def test_without_waiting() -> None:
    assert present(None, wait=False, trust_statements=[TRUST]).changes[0].waiter == ""


@pytest.mark.parametrize("statements", [None, []])
def test_a_new_role_needs_a_trust(statements: Any) -> None:
    with pytest.raises(AnsibleAWSError, match="trust_statements: 'reader' is a role that nobody would be trusted with"):
        present(None, trust_statements=statements)


def test_no_change() -> None:
    current = existing()

    for settings in ({}, {"trust_statements": [TRUST]}, {"path": "/", "description": "", "permissions_boundary": ""}):
        plan = present(current, **settings)
        assert not plan.changed
        assert plan.after == plan.before == current


@pytest.mark.parametrize(
    ("current", "settings", "expected"),
    [
        (
            {},
            {"trust_statements": [OTHER_TRUST]},
            ("update_assume_role_policy", {"PolicyDocument": document(TRUST, OTHER_TRUST)}),
        ),
        (
            {},
            {"trust_statements": [{**TRUST, "Action": ["sts:AssumeRole", "sts:TagSession"]}]},
            (
                "update_assume_role_policy",
                {"PolicyDocument": document({**TRUST, "Action": ["sts:AssumeRole", "sts:TagSession"]})},
            ),
        ),
        (
            {"assume_role_policy_document": document(TRUST, OTHER_TRUST)},
            {"absent_trust_sids": ["Account"]},
            ("update_assume_role_policy", {"PolicyDocument": document(OTHER_TRUST)}),
        ),
        (
            {"assume_role_policy_document": document(OTHER_TRUST, TRUST)},
            {"trust_statements": [TRUST], "purge_trust_statements": True},
            ("update_assume_role_policy", {"PolicyDocument": document(TRUST)}),
        ),
        # UpdateRole takes both, else it resets the one that it is not given.
        (
            {"description": "Old", "max_session_duration": 7200},
            {"description": "New"},
            ("update_role", {"Description": "New", "MaxSessionDuration": 7200}),
        ),
        (
            {"description": "Old"},
            {"max_session_duration": 7200},
            ("update_role", {"Description": "Old", "MaxSessionDuration": 7200}),
        ),
        (
            {},
            {"permissions_boundary": BOUNDARY},
            ("put_role_permissions_boundary", {"PermissionsBoundary": BOUNDARY}),
        ),
        (
            {"permissions_boundary": BOUNDARY},
            {"permissions_boundary": ""},
            ("delete_role_permissions_boundary", {}),
        ),
        (
            {"inline_policies": {"read": WRITE}},
            {"inline_policies": {"read": READ}},
            ("put_role_policy", {"PolicyName": "read", "PolicyDocument": READ}),
        ),
        (
            {"inline_policies": {"read": READ}},
            {"absent_inline_policies": ["read", "none"]},
            ("delete_role_policy", {"PolicyName": "read"}),
        ),
        ({}, {"managed_policy_arns": [POLICY]}, ("attach_role_policy", {"PolicyArn": POLICY})),
        (
            {"managed_policy_arns": [BOUNDARY, POLICY]},
            {"managed_policy_arns": [POLICY], "purge_managed_policies": True},
            ("detach_role_policy", {"PolicyArn": BOUNDARY}),
        ),
        (
            {"tags": {"a": "1"}},
            {"tags": {"a": "1", "b": "2"}},
            ("tag_role", {"Tags": [{"Key": "b", "Value": "2"}]}),
        ),
        ({"tags": {"a": "1"}}, {"tags": {}}, ("untag_role", {"TagKeys": ["a"]})),
    ],
)
def test_each_difference_alone(current: dict[str, Any], settings: dict[str, Any], expected: tuple[str, Any]) -> None:
    plan = present(existing(**current), **settings)

    assert calls(plan) == [expected]
    assert plan.after is not None
    assert len(plan.diff["before"]) == len(plan.diff["after"]) == 1
    assert not present(plan.after, **settings).changed


@pytest.mark.parametrize(
    ("current", "settings"),
    [
        ({"inline_policies": {"read": READ}}, {"inline_policies": {"read": READ["Statement"]}}),
        ({"managed_policy_arns": [BOUNDARY, POLICY]}, {"managed_policy_arns": [POLICY]}),
        ({"tags": {"a": "1", "b": "2"}}, {"tags": {"a": "1"}, "purge_tags": False}),
        ({"tags": {"managed-by": "x"}}, {"tags": {}, "ownership_tags": {"managed-by": "x"}}),
        ({"tags": {}}, {"tags": {}, "ownership_tags": {"managed-by": "x"}}),
        ({"tags": {"a": "1"}}, {"ownership_tags": {"managed-by": "x"}}),
        # IAM returns a single value where it was given a list of one.
        ({}, {"trust_statements": [{**TRUST, "Action": ["sts:AssumeRole"]}]}),
        # To purge everything takes a wish for something.
        ({}, {"purge_trust_statements": True}),
    ],
)
def test_what_strangers_own_is_kept(current: dict[str, Any], settings: dict[str, Any]) -> None:
    assert not present(existing(**current), **settings).changed


def test_the_last_trust_does_not_go() -> None:
    with pytest.raises(AnsibleAWSError, match="nobody would be trusted"):
        present(existing(), absent_trust_sids=["Account"])


def test_a_role_does_not_move() -> None:
    current = existing(path="/old/", arn="arn:aws:iam::222222222222:role/old/reader")

    with pytest.raises(AnsibleAWSError, match="^path: '/new/' is not the path of the role reader, .* Write /old/"):
        present(current, path="/new/")
    assert not present(current).changed


def cluster_trusts(number: int) -> list[dict[str, Any]]:
    """Trusts of as many clusters, as the collection writes them."""
    statements = []
    for cluster in range(number):
        issuer = f"oidc.eks.eu-west-1.amazonaws.com/id/{cluster:032X}"
        provider = f"arn:aws:iam::222222222222:oidc-provider/{issuer}"
        subject = trust.subject("kubecost", "kubecost-cost-analyzer")
        statements += trust.irsa_trust(oidc_provider_arn=provider, issuer=issuer, subjects=[subject])
    return statements


def test_a_trust_that_is_too_long_is_refused_with_its_size() -> None:
    four, five = cluster_trusts(4), cluster_trusts(5)

    with pytest.raises(
        AnsibleAWSError, match=r"a trust policy of 2\d\d\d characters with 5 statements; IAM allows 2048"
    ):
        present(None, trust_statements=five)
    # What is there already counts.
    with pytest.raises(AnsibleAWSError, match="with 5 statements"):
        present(existing(assume_role_policy_document=document(*four)), trust_statements=five[4:])
    assert present(None, trust_statements=five, trust_size_limit=4096).changed
    # A long one that exists is not our concern while nothing is added.
    assert not present(existing(assume_role_policy_document=document(*five)), trust_statements=four).changed


def to_delete(**settings: Any) -> dict[str, Any]:
    return existing(inline_policy_names=[], instance_profiles=[], **settings)


def test_absent() -> None:
    plan = plan_absent(NAME, to_delete())

    assert not plan_absent(NAME, None).changed
    assert calls(plan) == [("delete_role", {})]
    assert plan.after is None
    assert plan.changes[0].done_codes == ("NoSuchEntity",)
    assert plan.changes[0].retry_codes == ("DeleteConflict",)


def test_what_hangs_on_it_goes_first() -> None:
    current = {
        **to_delete(managed_policy_arns=[POLICY]),
        "inline_policy_names": ["read", "write"],
        "instance_profiles": ["nodes"],
    }

    assert calls(plan_absent(NAME, current)) == [
        ("remove_role_from_instance_profile", {"InstanceProfileName": "nodes"}),
        ("detach_role_policy", {"PolicyArn": POLICY}),
        ("delete_role_policy", {"PolicyName": "read"}),
        ("delete_role_policy", {"PolicyName": "write"}),
        ("delete_role", {}),
    ]


def test_what_others_made_stays() -> None:
    kept = plan_absent(NAME, to_delete(), ownership_tags={"managed-by": "example"})
    ours = plan_absent(NAME, to_delete(tags={"managed-by": "example"}), ownership_tags={"managed-by": "example"})

    assert not kept.changed
    assert kept.kept == "the role reader was not made by this collection (no tag managed-by=example)"
    assert ours.changed
