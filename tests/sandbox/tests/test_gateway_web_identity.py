# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AssumeRoleWithWebIdentity takes exactly the tokens that STS takes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore import UNSIGNED
from sandbox.tests.gateway_tools import CLUSTER, PAYER, Issuer, allow, make_role, refused

SUBJECT = "system:serviceaccount:finops:kubecost"


@dataclass
class Workload:
    """A cluster's issuer with its provider, and a role that its ServiceAccount may take."""

    issuer: Issuer
    provider_arn: str
    role_arn: str
    exchange: Callable[..., Any]


def trust(
    account: str,
    issuer: Issuer,
    subject: str = SUBJECT,
    audience: str = "sts.amazonaws.com",
    operator: str = "StringEquals",
) -> dict[str, Any]:
    host = issuer.url.removeprefix("https://")
    condition: dict[str, dict[str, str]] = {"StringEquals": {f"{host}:aud": audience}}
    condition.setdefault(operator, {})[f"{host}:sub"] = subject
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{host}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }


@pytest.fixture
def workload(gateway: Any) -> Workload:
    issuer = new_issuer()
    gateway.control("/_sandbox/issuers", {"issuer": issuer.url, "jwks": issuer.jwks})
    provider = gateway.client("iam", CLUSTER).create_open_id_connect_provider(
        Url=issuer.url, ClientIDList=["sts.amazonaws.com"]
    )["OpenIDConnectProviderArn"]
    role = make_role(gateway, CLUSTER, [trust(CLUSTER, issuer)], [allow("s3:ListAllMyBuckets", "*")])
    return Workload(issuer, provider, role, exchanger(gateway))


def new_issuer() -> Issuer:
    return Issuer(f"https://oidc.eks.eu-west-1.amazonaws.com/id/{uuid.uuid4().hex.upper()}")


def exchanger(gateway: Any) -> Callable[..., Any]:
    sts = gateway.client_with("sts", {}, "eu-west-1", signature_version=UNSIGNED, parameter_validation=False)

    def exchange(role_arn: str, token: str, **options: Any) -> Any:
        return sts.assume_role_with_web_identity(
            **{"RoleArn": role_arn, "RoleSessionName": "pod", "WebIdentityToken": token, **options}
        )

    return exchange


def test_the_token_of_the_service_account_takes_the_role(gateway: Any, workload: Workload) -> None:
    answer = workload.exchange(workload.role_arn, workload.issuer.token())
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Audience"] == "sts.amazonaws.com"
    assert answer["Provider"] == workload.provider_arn
    found = answer["Credentials"]
    keys = {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }
    arn = gateway.client_with("sts", keys).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{CLUSTER}:assumed-role/{workload.role_arn.rsplit('/', 1)[-1]}/pod"
    gateway.client_with("s3", keys).list_buckets()
    assert refused(gateway.client_with("iam", keys).list_roles).code == "AccessDenied"


def test_another_subject_is_refused(workload: Workload) -> None:
    error = refused(
        workload.exchange, role_arn=workload.role_arn, token=workload.issuer.token("system:serviceaccount:finops:other")
    )
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == "Not authorized to perform sts:AssumeRoleWithWebIdentity"


def test_a_wildcard_needs_string_like(gateway: Any, workload: Workload) -> None:
    wildcard = "system:serviceaccount:finops:kube*"
    like = make_role(gateway, CLUSTER, [trust(CLUSTER, workload.issuer, wildcard, operator="StringLike")], [])
    assert workload.exchange(like, workload.issuer.token())
    equals = make_role(gateway, CLUSTER, [trust(CLUSTER, workload.issuer, wildcard)], [])
    assert refused(workload.exchange, role_arn=equals, token=workload.issuer.token()).code == "AccessDenied"


def test_a_trust_for_another_audience_refuses(gateway: Any, workload: Workload) -> None:
    role = make_role(gateway, CLUSTER, [trust(CLUSTER, workload.issuer, audience="vault")], [])
    assert refused(workload.exchange, role_arn=role, token=workload.issuer.token()).code == "AccessDenied"


def test_an_audience_that_the_provider_does_not_list_is_refused(gateway: Any, workload: Workload) -> None:
    token = workload.issuer.token(aud=["vault"])
    error = refused(workload.exchange, role_arn=workload.role_arn, token=token)
    assert (error.code, error.message, error.status) == ("InvalidIdentityToken", "Incorrect token audience", 400)
    gateway.client("iam", CLUSTER).add_client_id_to_open_id_connect_provider(
        OpenIDConnectProviderArn=workload.provider_arn, ClientID="vault"
    )
    role = make_role(gateway, CLUSTER, [trust(CLUSTER, workload.issuer, audience="vault")], [])
    assert workload.exchange(role, token)["Audience"] == "vault"


def test_an_expired_token_is_refused(workload: Workload) -> None:
    error = refused(
        workload.exchange, role_arn=workload.role_arn, token=workload.issuer.token(exp=int(time.time()) - 1)
    )
    assert (error.code, error.status) == ("ExpiredTokenException", 400)


def test_a_forged_token_is_refused(workload: Workload) -> None:
    forger = Issuer(workload.issuer.url)
    error = refused(workload.exchange, role_arn=workload.role_arn, token=forger.token())
    assert (error.code, error.status) == ("InvalidIdentityToken", 400)
    assert "could not be validated" in error.message


def test_a_key_that_the_issuer_does_not_publish_is_refused(workload: Workload) -> None:
    error = refused(workload.exchange, role_arn=workload.role_arn, token=workload.issuer.token(kid="key-2"))
    assert error.code == "InvalidIdentityToken" and "Couldn't retrieve verification key" in error.message


def test_an_issuer_whose_keys_cannot_be_had_is_refused(gateway: Any, workload: Workload) -> None:
    silent = new_issuer()
    gateway.client("iam", CLUSTER).create_open_id_connect_provider(Url=silent.url, ClientIDList=["sts.amazonaws.com"])
    role = make_role(gateway, CLUSTER, [trust(CLUSTER, silent)], [])
    error = refused(workload.exchange, role_arn=role, token=silent.token())
    assert error.code == "InvalidIdentityToken" and "Couldn't retrieve verification key" in error.message


def test_what_is_no_token_is_refused(workload: Workload) -> None:
    for token in ("not-a-token", "a.b.c", workload.issuer.token().rsplit(".", 1)[0]):
        error = refused(workload.exchange, role_arn=workload.role_arn, token=token)
        assert error.code == "InvalidIdentityToken" and "not a valid JWT" in error.message


def test_a_deleted_provider_is_missed(gateway: Any, workload: Workload) -> None:
    assert workload.exchange(workload.role_arn, workload.issuer.token())
    gateway.client("iam", CLUSTER).delete_open_id_connect_provider(OpenIDConnectProviderArn=workload.provider_arn)
    error = refused(workload.exchange, role_arn=workload.role_arn, token=workload.issuer.token())
    assert (error.code, error.status) == ("InvalidIdentityToken", 400)
    assert error.message == f"No OpenIDConnect provider found in your account for {workload.issuer.url}"


def test_the_provider_is_looked_for_in_the_roles_account(gateway: Any, workload: Workload) -> None:
    role = make_role(gateway, PAYER, [trust(PAYER, workload.issuer)], [])
    error = refused(workload.exchange, role_arn=role, token=workload.issuer.token())
    assert error.code == "InvalidIdentityToken" and "No OpenIDConnect provider found" in error.message
    gateway.client("iam", PAYER).create_open_id_connect_provider(
        Url=workload.issuer.url, ClientIDList=["sts.amazonaws.com"]
    )
    assert workload.exchange(role, workload.issuer.token())


def test_a_role_that_does_not_exist_is_refused_like_a_mismatch(workload: Workload) -> None:
    error = refused(workload.exchange, role_arn=f"arn:aws:iam::{CLUSTER}:role/nobody", token=workload.issuer.token())
    assert (error.code, error.message) == ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


def test_session_name_and_length_are_checked(workload: Workload) -> None:
    token = workload.issuer.token()
    for options in (
        {"RoleSessionName": "a b"},
        {"RoleSessionName": "x"},
        {"DurationSeconds": 899},
        {"DurationSeconds": 3601},
    ):
        error = refused(workload.exchange, role_arn=workload.role_arn, token=token, **options)
        assert error.code == "ValidationError"
    assert workload.exchange(workload.role_arn, token, DurationSeconds=3600, RoleSessionName="pod@finops.1")
