# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from a trust policy: the right cause for each of the usual mistakes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import trust
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_trust import Claims, claims_of, judge
from ansible_collections.kubestrap.aws.plugins.module_utils.policies import document

HOST = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
OTHER_HOST = "oidc.eks.eu-west-1.amazonaws.com/id/FEDCBA9876543210FEDCBA9876543210"
PROVIDER = f"arn:aws:iam::222222222222:oidc-provider/{HOST}"
SUBJECT = "system:serviceaccount:kubecost:kubecost"
CLAIMS = Claims(f"https://{HOST}", SUBJECT, ("sts.amazonaws.com",))


def ours(*subjects: str, host: str = HOST, **more: Any) -> list[dict[str, Any]]:
    provider = f"arn:aws:iam::222222222222:oidc-provider/{host}"
    return trust.irsa_trust(oidc_provider_arn=provider, issuer=host, subjects=list(subjects), **more)


def opinion(statements: list[dict[str, Any]], claims: Claims = CLAIMS):
    return judge(document(statements), claims, PROVIDER)


@pytest.mark.parametrize(
    "subjects",
    [
        [SUBJECT],
        ["system:serviceaccount:kubecost:*"],
        ["system:serviceaccount:other:x", SUBJECT],
        ["system:serviceaccount:kube????:kubecost"],
    ],
)
def test_our_own_trust_lets_the_token_in(subjects: list[str]) -> None:
    assert opinion(ours(*subjects)).matches is True


def test_one_statement_of_several_is_enough() -> None:
    assert opinion(ours("system:serviceaccount:a:b") + ours(SUBJECT)).matches is True
    assert opinion(ours(SUBJECT, host=OTHER_HOST) + ours(SUBJECT)).matches is True


def test_another_service_account_is_named_with_both_names() -> None:
    found = opinion(ours("system:serviceaccount:kubecost:kubecost-cost-analyzer"))
    assert found.matches is False
    assert "names system:serviceaccount:kubecost:kubecost-cost-analyzer" in found.reason
    assert "the ServiceAccount is kubecost:kubecost" in found.reason
    assert f"name {SUBJECT} under {HOST}:sub" in found.change


def test_all_the_others_are_named_when_there_are_several_statements() -> None:
    found = opinion(ours("system:serviceaccount:a:b") + ours("system:serviceaccount:c:d"))
    assert "system:serviceaccount:a:b and system:serviceaccount:c:d" in found.reason


def test_a_wildcard_under_string_equals_is_recognised() -> None:
    (statement,) = ours(SUBJECT)
    statement["Condition"]["StringEquals"][f"{HOST}:sub"] = "system:serviceaccount:kubecost:*"
    found = opinion([statement])
    assert found.matches is False
    assert "ordinary characters" in found.reason
    assert "under StringLike" in found.change


def test_another_cluster_is_named_with_both_issuers() -> None:
    found = opinion(ours(SUBJECT, host=OTHER_HOST))
    assert found.matches is False
    assert OTHER_HOST in found.reason
    assert f"https://{HOST}" in found.reason
    assert PROVIDER in found.change


def test_another_audience() -> None:
    found = opinion(ours(SUBJECT, audience="sts.amazon.com"))
    assert found.matches is False
    assert "demands the audience sts.amazon.com, but the token is for sts.amazonaws.com" in found.reason


def test_condition_keys_of_another_issuer() -> None:
    (statement,) = ours(SUBJECT)
    statement["Condition"] = {"StringEquals": {f"{OTHER_HOST}:sub": SUBJECT}}
    found = opinion([statement])
    assert found.matches is False
    assert "a key of another issuer" in found.reason
    assert f"Write {HOST}:sub instead" in found.change


def test_a_trust_that_has_nothing_to_do_with_tokens() -> None:
    found = opinion(trust.workload_role_trust(role_arns=["arn:aws:iam::222222222222:role/a"]))
    assert found.matches is False
    assert "sts:AssumeRoleWithWebIdentity" in found.reason


def test_an_empty_trust() -> None:
    assert judge({}, CLAIMS, PROVIDER).matches is False


@pytest.mark.parametrize(
    "condition", [{"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}]
)
def test_a_condition_that_is_not_understood_is_left_to_aws(condition: dict[str, Any]) -> None:
    (statement,) = ours(SUBJECT)
    for operator, block in condition.items():
        statement["Condition"].setdefault(operator, {}).update(block)
    found = opinion([statement])
    assert found.matches is None
    assert "only AWS can judge" in found.reason


def test_a_deny_is_left_to_aws() -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity"}
    assert opinion([*ours(SUBJECT), deny]).matches is None


def test_conditions_without_a_subject_let_every_service_account_in() -> None:
    (statement,) = ours(SUBJECT)
    del statement["Condition"]["StringEquals"][f"{HOST}:sub"]
    assert opinion([statement]).matches is True


def test_brackets_are_no_wildcards() -> None:
    (statement,) = ours(SUBJECT)
    statement["Condition"] = {"StringLike": {f"{HOST}:sub": "system:serviceaccount:kubecos[t]:kubecost"}}
    assert opinion([statement]).matches is False


@pytest.mark.parametrize("audience", ["sts.amazonaws.com", ["sts.amazonaws.com"]])
def test_the_claims_of_a_token(audience: Any) -> None:
    payload = {"iss": f"https://{HOST}", "sub": SUBJECT, "aud": audience, "exp": 1900000000}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "RS256"}, payload)
    ]
    claims = claims_of(".".join([*parts, "c2lnbmF0dXJl"]))
    assert claims == CLAIMS
    assert claims.host == HOST
    assert claims.service_account == "kubecost:kubecost"
