# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust policies, word for word, and the Sids by which they grow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import policies, trust

HOST = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
OTHER_HOST = "oidc.eks.eu-west-1.amazonaws.com/id/FEDCBA9876543210FEDCBA9876543210"
PROVIDER = f"arn:aws:iam::222222222222:oidc-provider/{HOST}"
KUBECOST = "system:serviceaccount:kubecost:kubecost"
ROLE = "arn:aws:iam::222222222222:role/kubecost"


def irsa(*subjects: str, host: str = HOST) -> list[dict]:
    provider = f"arn:aws:iam::222222222222:oidc-provider/{host}"
    return trust.irsa_trust(oidc_provider_arn=provider, issuer=f"https://{host}", subjects=list(subjects))


def test_one_service_account_word_for_word() -> None:
    assert irsa(KUBECOST) == [
        {
            "Sid": "IrsaKubecostKubecost559c9447",
            "Effect": "Allow",
            "Principal": {"Federated": PROVIDER},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{HOST}:aud": "sts.amazonaws.com", f"{HOST}:sub": KUBECOST}},
        }
    ]


def test_each_service_account_has_a_statement_of_its_own() -> None:
    """Which is the same with whomever it comes, so that one can leave and the others stay."""
    agent = trust.subject("kubecost", "kubecost-finopsagent")
    assert irsa(agent, KUBECOST, agent) == [*irsa(KUBECOST), *irsa(agent)]
    assert policies.size({"Statement": irsa(agent, KUBECOST, f"{KUBECOST}-a", f"{KUBECOST}-b")}) < 2048


def test_a_wildcard_goes_under_string_like_and_the_audience_does_not() -> None:
    (statement,) = irsa("system:serviceaccount:db:shards-*-patroni")
    assert statement["Condition"] == {
        "StringEquals": {f"{HOST}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{HOST}:sub": "system:serviceaccount:db:shards-*-patroni"},
    }


def test_exact_names_and_wildcards_get_a_statement_each() -> None:
    exact, pattern = irsa("system:serviceaccount:db:shards-*", KUBECOST)
    assert exact["Condition"]["StringEquals"][f"{HOST}:sub"] == KUBECOST
    assert "StringLike" not in exact["Condition"]
    assert pattern["Condition"]["StringLike"] == {f"{HOST}:sub": "system:serviceaccount:db:shards-*"}
    assert exact["Sid"] != pattern["Sid"]


def test_the_issuer_may_come_without_its_scheme() -> None:
    arguments = {"oidc_provider_arn": PROVIDER, "subjects": [KUBECOST]}
    assert trust.irsa_trust(issuer=HOST, **arguments) == trust.irsa_trust(issuer=f"https://{HOST}", **arguments)


def test_sids_tell_clusters_namespaces_and_accounts_apart_and_are_stable() -> None:
    made = [
        irsa(KUBECOST)[0]["Sid"],
        irsa(KUBECOST, host=OTHER_HOST)[0]["Sid"],
        irsa("system:serviceaccount:kubecost:other")[0]["Sid"],
        irsa("system:serviceaccount:other:kubecost")[0]["Sid"],
        irsa("system:serviceaccount:kube-cost:kubecost")[0]["Sid"],
    ]
    assert len(set(made)) == len(made)
    assert made[0] == irsa(KUBECOST)[0]["Sid"]
    assert all(re.fullmatch(r"[0-9A-Za-z]{1,64}", sid) for sid in made)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"subjects": []}, "subjects: '[]' is empty"),
        ({"subjects": ["kubecost:kubecost"]}, "Write system:serviceaccount:NAMESPACE:NAME"),
        ({"subjects": ["*"]}, "is not a ServiceAccount"),
        ({"issuer": f"https://{OTHER_HOST}"}, "is not the provider of the issuer"),
        ({"issuer": ""}, "is not the provider of the issuer"),
    ],
)
def test_irsa_trust_refuses(arguments: dict, said: str) -> None:
    good = {"oidc_provider_arn": PROVIDER, "issuer": f"https://{HOST}", "subjects": [KUBECOST]}
    with pytest.raises(AnsibleAWSError, match=re.escape(said)):
        trust.irsa_trust(**good | arguments)


def test_a_workloads_role_word_for_word() -> None:
    assert trust.workload_role_trust(role_arns=[ROLE]) == [
        {
            "Sid": "Role222222222222af67cc98",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}},
        }
    ]


def test_roles_of_a_path_and_of_another_partition() -> None:
    arn = "arn:aws-cn:iam::222222222222:role/finops/kubecost"
    (statement,) = trust.workload_role_trust(role_arns=[arn])
    assert statement["Principal"] == {"AWS": "arn:aws-cn:iam::222222222222:root"}
    assert statement["Condition"] == {"ArnEquals": {"aws:PrincipalArn": arn}}


def test_a_user_with_an_access_key() -> None:
    arn = "arn:aws:iam::222222222222:user/finops/kubecost"
    (statement,) = trust.workload_role_trust(role_arns=[arn])
    assert statement["Principal"] == {"AWS": "arn:aws:iam::222222222222:root"}
    assert statement["Condition"] == {"ArnEquals": {"aws:PrincipalArn": arn}}


def test_a_fleet_by_wildcard_is_one_statement() -> None:
    arn = "arn:aws:iam::222222222222:role/kubecost-*"
    (statement,) = trust.workload_role_trust(role_arns=[arn])
    assert statement["Condition"] == {"ArnLike": {"aws:PrincipalArn": arn}}


def test_each_role_has_a_sid_of_its_own_so_that_runs_only_add() -> None:
    arns = [f"arn:aws:iam::{account}:role/{name}" for account in ("222222222222", "333333333333") for name in "ab"]
    together = trust.workload_role_trust(role_arns=arns)
    alone = [statement for arn in arns for statement in trust.workload_role_trust(role_arns=[arn])]
    assert together == alone
    assert len({statement["Sid"] for statement in together}) == 4


def test_eight_clusters_fit_into_the_default_limit() -> None:
    arns = [f"arn:aws:iam::222222222222:role/kubecost-cluster-{number}" for number in range(8)]
    statements = trust.workload_role_trust(role_arns=arns)
    assert policies.size(statements) <= policies.TRUST_POLICY_SIZE


@pytest.mark.parametrize(
    "arn", ["kubecost", "arn:aws:iam::222222222222:group/kubecost", "arn:aws:iam::*:role/kubecost", "*"]
)
def test_workload_role_trust_refuses(arn: str) -> None:
    with pytest.raises(AnsibleAWSError, match=r"^role_arns: "):
        trust.workload_role_trust(role_arns=[arn])


def test_nobody_at_all_is_refused() -> None:
    with pytest.raises(AnsibleAWSError, match="is empty"):
        trust.workload_role_trust(role_arns=[])


def test_the_sid_tells_readers_from_others() -> None:
    arn = "arn:aws:iam::222222222222:role/kubecost-prod"
    (statement,) = trust.workload_role_trust(role_arns=[arn])
    assert trust.reader_sid(arn) == statement["Sid"]
    assert trust.is_reader_sid(statement["Sid"])
    assert not any(trust.is_reader_sid(sid) for sid in ("", "Ours", "Role222222222222", f"{statement['Sid']}x"))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (trust.workload_role_trust(role_arns=["arn:aws:iam::222222222222:role/a"])[0],
         ["arn:aws:iam::222222222222:role/a"]),
        (trust.workload_role_trust(role_arns=["arn:aws:iam::222222222222:role/a-*"])[0],
         ["arn:aws:iam::222222222222:role/a-*"]),
        ({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root", "Service": ["ec2.amazonaws.com"]}},
         ["arn:aws:iam::1:root", "ec2.amazonaws.com"]),
        ({"Effect": "Allow", "Principal": "*"}, ["*"]),
        ({"Effect": "Allow", "Principal": {"AWS": "1"}, "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}, ["1"]),
        ({"Effect": "Deny", "Principal": "*"}, []),
    ],
)  # fmt: skip
def test_whom_a_statement_lets_in(statement: dict[str, Any], expected: list[str]) -> None:
    assert trust.principals(statement) == expected
