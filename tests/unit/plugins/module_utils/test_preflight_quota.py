# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the summary of an account means for roles, providers and reports that do not exist yet."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_quota import check_reports, check_roles
from botocore.exceptions import ClientError

ACCOUNT = "222222222222"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0"


def error(code: str) -> ClientError:
    """A refusal of AWS."""
    return ClientError({"Error": {"Code": code, "Message": "said AWS"}}, "Operation")


class Iam:
    """IAM with one summary and some things; it counts what is asked."""

    def __init__(self, summary: Any, *there: str, otherwise: str = "NoSuchEntity") -> None:
        self.summary, self.there, self.otherwise = summary, there, otherwise
        self.asked: list[str] = []

    def client(self, service: str) -> Iam:
        assert service == "iam"
        return self

    def get_account_summary(self) -> Any:
        if isinstance(self.summary, Exception):
            raise self.summary
        return {"SummaryMap": self.summary}

    def get_role(self, RoleName: str) -> dict[str, Any]:
        return self._get(RoleName)

    def get_open_id_connect_provider(self, OpenIDConnectProviderArn: str) -> dict[str, Any]:
        return self._get(OpenIDConnectProviderArn)

    def _get(self, name: str) -> dict[str, Any]:
        self.asked.append(name)
        if name not in self.there:
            raise error(self.otherwise)
        return {"found": name}


def check(iam: Iam, *roles: str, partition: str = "aws", provider: str | None = None) -> Any:
    """What is found, said against it, and noted."""
    return check_roles(iam, ACCOUNT, partition, roles or ("kubecost-a",), provider)


def test_where_there_is_room_one_question_is_enough() -> None:
    iam = Iam({"Roles": 40, "RolesQuota": 1000, "Providers": 3})
    assert check(iam, provider=PROVIDER) == ({"roles_left": 960, "roles_needed": 0}, [], [])
    assert iam.asked == []


@pytest.mark.parametrize(
    ("used", "there", "left"), [(999, (), 1), (1000, ("kubecost-a",), 0), (1001, ("kubecost-a",), 0)]
)
def test_what_is_there_already_needs_no_room(used: int, there: tuple[str, ...], left: int) -> None:
    iam = Iam({"Roles": used, "RolesQuota": 1000}, *there)
    assert check(iam) == ({"roles_left": left, "roles_needed": 0 if there else 1}, [], [])


def test_a_role_without_room_is_refused_with_the_numbers_and_the_way() -> None:
    found, (problem,), notes = check(Iam({"Roles": 1000, "RolesQuota": 1000}))
    assert (found, notes) == ({"roles_left": 0, "roles_needed": 1}, [])
    assert problem.startswith(
        f"kubestrap_account_id: the account {ACCOUNT} has 1000 IAM roles, and its quota is 1000: "
    )
    assert "1 needed (kubecost-a), 0 left" in problem
    assert "Service Quotas, AWS Identity and Access Management (IAM), Roles per account, in us-east-1" in problem
    _found, (problem,), _notes = check(Iam({"Roles": 999, "RolesQuota": 1000}, "b"), "a", "b", "c")
    assert "2 needed (a, b, c), 1 left" in problem


def test_the_way_of_other_partitions() -> None:
    for partition, said in (
        ("aws-cn", "in cn-north-1"),
        ("aws-us-gov", "in us-gov-west-1"),
        ("aws-iso", "per account)"),
    ):
        _found, (problem,), _notes = check(Iam({"Roles": 1, "RolesQuota": 1}), partition=partition)
        assert said in problem and "us-east-1" not in problem


def test_what_may_not_be_looked_at_is_not_refused() -> None:
    found, problems, notes = check(Iam({"Roles": 1000, "RolesQuota": 1000}, otherwise="AccessDenied"))
    assert (found["roles_needed"], problems, notes) == (0, [], [])


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        (error("AccessDenied"), "these credentials may not call iam:GetAccountSummary"),
        (error("ServiceFailure"), "said AWS"),
        ({"Users": 3, "UsersQuota": 5000}, "IAM does not tell how many there are and may be"),
    ],
)
def test_what_cannot_be_seen_is_a_note(summary: Any, said: str) -> None:
    found, problems, (note,) = check(Iam(summary), provider=PROVIDER)
    assert (found, problems) == (None, [])
    assert note.startswith(f"Whether the account {ACCOUNT} has room for new IAM roles was not seen: ")
    assert said in note


def test_providers_have_a_quota_that_nobody_tells() -> None:
    full = {"Roles": 1, "RolesQuota": 1000, "Providers": 100}
    found, problems, (note,) = check(Iam(full), provider=PROVIDER)
    assert (found, problems) == ({"roles_left": 999, "roles_needed": 0}, [])
    assert f"The account {ACCOUNT} has 100 identity providers" in note
    assert "OpenID Connect providers per account, in us-east-1" in note
    assert check(Iam(full, PROVIDER), provider=PROVIDER)[2] == []
    assert check(Iam({**full, "Providers": 99}), provider=PROVIDER)[2] == []
    assert check(Iam(full))[2] == [], "a payer needs none"


def test_a_tenth_report_has_room_and_an_eleventh_has_not() -> None:
    assert check_reports(9, "kubecost") == []
    (problem,) = check_reports(10, "kubecost")
    assert problem.startswith("billing_data_report_name: 'kubecost' does not exist, and the account has 10 Cost and")
    assert "AWS allows 10" in problem and "kubestrap_check_quotas to false" in problem
