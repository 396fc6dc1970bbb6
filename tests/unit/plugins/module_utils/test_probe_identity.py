# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patience, names, and what a role's trust is worth. The calls themselves are made in the sandbox."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_identity as identity
from ansible_collections.kubestrap.aws.plugins.module_utils import trust
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_trust import Claims
from ansible_collections.kubestrap.aws.plugins.module_utils.policies import document
from botocore.exceptions import ClientError

HOST = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
ROLE = "arn:aws:iam::222222222222:role/finops/kubecost"
CLAIMS = Claims(f"https://{HOST}", "system:serviceaccount:kubecost:kubecost", ("sts.amazonaws.com",))


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "AssumeRole")


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Refuses:
    """A call that is refused some times."""

    def __init__(self, times: int, code: str = "AccessDenied") -> None:
        self.left = times
        self.code = code
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise error(self.code)
        return "done"


def patience(seconds: float, clock: Clock) -> identity.Patience:
    return identity.Patience(seconds, clock, clock.sleep)


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "InvalidIdentityToken"])
def test_what_may_be_not_yet_is_repeated_with_growing_pauses(code: str) -> None:
    clock, call = Clock(), Refuses(5, code)
    assert patience(120, clock).call(call) == "done"
    assert clock.slept == [1, 2, 4, 8, 8]


def test_without_a_recent_change_nothing_is_repeated() -> None:
    clock, call = Clock(), Refuses(1)
    with pytest.raises(ClientError):
        patience(0, clock).call(call)
    assert (call.calls, clock.slept) == (1, [])


def test_the_window_ends() -> None:
    clock, call = Clock(), Refuses(1000)
    with pytest.raises(ClientError):
        patience(20, clock).call(call)
    assert sum(clock.slept) <= 20


def test_the_window_is_one_for_all_calls() -> None:
    clock = Clock()
    waiting = patience(20, clock)
    with pytest.raises(ClientError):
        waiting.call(Refuses(1000))
    second = Refuses(1000)
    with pytest.raises(ClientError):
        waiting.call(second)
    assert sum(clock.slept) <= 20
    assert second.calls < 4


@pytest.mark.parametrize("code", ["ExpiredTokenException", "ValidationError"])
def test_other_errors_are_never_repeated(code: str) -> None:
    clock, call = Clock(), Refuses(1, code)
    with pytest.raises(ClientError):
        patience(120, clock).call(call)
    assert call.calls == 1


def test_what_time_does_not_change_is_not_repeated() -> None:
    clock, call = Clock(), Refuses(1)
    with pytest.raises(ClientError):
        patience(120, clock).call(call, hopeless=lambda: True)
    assert call.calls == 1


# --- token


class Kube:
    """An API server with one answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: tuple[Any, ...] = ()

    def post(self, *path: str, body: dict[str, Any]) -> Any:
        self.asked = (path, body)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_token_is_asked_for_as_pods_get_theirs() -> None:
    kube = Kube({"status": {"token": "header.payload.signature"}})
    link, token = identity.mint_token(kube, "kubecost", "kubecost", "sts.amazonaws.com")
    path, body = kube.asked
    assert "/".join(path) == "api/v1/namespaces/kubecost/serviceaccounts/kubecost/token"
    assert body["spec"] == {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}
    assert (link.state, token) == ("ok", "header.payload.signature")
    assert "signature" not in str(link.result())


def test_no_service_account_no_token() -> None:
    link, token = identity.mint_token(Kube(None), "kubecost", "kubecost", "sts.amazonaws.com")
    assert (link.state, link.missing, token) == ("failed", True, None)


def test_a_refusal_of_the_api_server_is_the_links() -> None:
    refusal = KubeError("The API server refuses POST", "RBAC", "Allow it", 403)
    link, token = identity.mint_token(Kube(refusal), "kubecost", "kubecost", "sts.amazonaws.com")
    assert (link.detail, link.cause, link.change) == (refusal.detail, refusal.cause, refusal.change)
    assert token is None


# --- the role as it is read


class Iam:
    """The operator's connection, with one answer of GetRole."""

    def __init__(self, answer: Any, account: str = "222222222222") -> None:
        self.answer = answer
        self.caller = {"account": account}
        self.name = ""

    def client(self, _service: str) -> SimpleNamespace:
        return SimpleNamespace(get_role=self._get_role)

    def _get_role(self, RoleName: str) -> Any:
        self.name = RoleName
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Role": self.answer}


def role_with(statements: list[dict[str, Any]], arn: str = ROLE) -> dict[str, Any]:
    return {"Arn": arn, "AssumeRolePolicyDocument": document(statements)}


def ours(subject: str) -> list[dict[str, Any]]:
    provider = f"arn:aws:iam::222222222222:oidc-provider/{HOST}"
    return trust.irsa_trust(oidc_provider_arn=provider, issuer=HOST, subjects=[subject])


def test_the_trust_of_a_role_with_a_path() -> None:
    operator = Iam(role_with(ours(CLAIMS.subject)))
    role = identity.read_role(operator, ROLE)
    assert (role.state, operator.name) == ("found", "kubecost")
    assert identity.trust_link(role, ROLE, CLAIMS).state == "ok"


def test_a_trust_for_another_service_account() -> None:
    role = identity.read_role(Iam(role_with(ours("system:serviceaccount:other:other"))), ROLE)
    link = identity.trust_link(role, ROLE, CLAIMS)
    assert link.state == "failed"
    assert "names system:serviceaccount:other:other, but the ServiceAccount is kubecost:kubecost" in link.cause


def test_a_role_that_does_not_exist() -> None:
    role = identity.read_role(Iam(error("NoSuchEntity")), ROLE)
    link = identity.trust_link(role, ROLE, CLAIMS)
    assert (role.state, link.state, link.missing) == ("missing", "failed", True)


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        (Iam(error("AccessDenied")), "may not read it"),
        (Iam(error("NoSuchEntity"), account="333333333333"), "it is in account 222222222222"),
        (
            Iam(role_with([], arn="arn:aws:iam::333333333333:role/kubecost")),
            "see arn:aws:iam::333333333333:role/kubecost",
        ),
    ],
)
def test_a_role_that_cannot_be_seen_is_left_to_aws(operator: Iam, why: str) -> None:
    link = identity.trust_link(identity.read_role(operator, ROLE), ROLE, CLAIMS)
    assert link.state == "skipped"
    assert why in link.detail


@pytest.mark.parametrize("text", ["kubecost:kubecost", "a" * 300, "ns:with spaces/slash"])
def test_session_names_are_those_that_sts_takes(text: str) -> None:
    name = identity.session_name(text)
    assert 2 <= len(name) <= 64
    assert all(character.isalnum() or character in "_+=,.@-" for character in name)
