# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What EKS adds to a control plane: the cluster object, access with AWS credentials, AWS identities for pods."""

from __future__ import annotations

import base64
import datetime
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import kubernetes.client as k8s
import pytest
from botocore.exceptions import ClientError
from sandbox.tests.clients import ClientSandbox, eks_token, new_namespace

CLUSTER_ACCOUNT = "222222222222"
REGION = "eu-west-1"
POLICY = "arn:aws:eks::aws:cluster-access-policy/"
_numbers = itertools.count(1)


@pytest.fixture
def core(sandbox: ClientSandbox) -> k8s.CoreV1Api:
    """The core API, as administrator."""
    return k8s.CoreV1Api(sandbox.kubernetes())


@pytest.fixture
def namespace(core: k8s.CoreV1Api) -> Iterator[str]:
    """A namespace of one's own."""
    name = new_namespace(core, "eks")
    yield name
    core.delete_namespace(name)


@pytest.fixture
def eks(sandbox: ClientSandbox) -> Any:
    """EKS, as the cluster account's operator."""
    return sandbox.client("eks", "cluster", REGION)


def trusted_by(
    principal: dict[str, str], action: str = "sts:AssumeRole", condition: dict[str, Any] | None = None
) -> str:
    """A trust policy."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def role(sandbox: ClientSandbox) -> str:
    """A fresh role of the cluster account, without any rights."""
    trust = trusted_by({"AWS": f"arn:aws:iam::{CLUSTER_ACCOUNT}:root"})
    name = f"someone-{next(_numbers)}"
    made = sandbox.client("iam", CLUSTER_ACCOUNT).create_role(
        RoleName=name, Path="/team/", AssumeRolePolicyDocument=trust
    )
    return made["Role"]["Arn"]


def session_keys(sandbox: ClientSandbox, role_arn: str) -> dict[str, str]:
    """Credentials of a role."""
    found = sandbox.client("sts", CLUSTER_ACCOUNT).assume_role(RoleArn=role_arn, RoleSessionName="someone")[
        "Credentials"
    ]
    return {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }


def token_of(sandbox: ClientSandbox, role_arn: str, cluster: str = "demo") -> str:
    """A token for the cluster, signed as that role."""
    return eks_token(sandbox.client_with("sts", session_keys(sandbox, role_arn), REGION), cluster)


def operators_token(sandbox: ClientSandbox, cluster: str = "demo", **options: Any) -> str:
    """A token for the cluster, signed as the cluster account's operator."""
    return eks_token(sandbox.session("cluster").client("sts", region_name=REGION), cluster, **options)


def who_is(sandbox: ClientSandbox, token: str) -> Any:
    """What the API server takes the bearer for; None when it answers 401."""
    try:
        return k8s.AuthenticationV1Api(sandbox.kubernetes(token)).create_self_subject_review({}).status.user_info
    except k8s.ApiException as refusal:
        assert refusal.status == 401, refusal
        return None


# -- the cluster object ---------------------------------------------------------------------------------------------


def test_describe_cluster_leads_to_the_api_server(sandbox: ClientSandbox, eks: Any) -> None:
    state = sandbox.state["clusters"]["demo"]
    found = eks.describe_cluster(name="demo")["cluster"]
    assert found["arn"] == f"arn:aws:eks:{REGION}:{CLUSTER_ACCOUNT}:cluster/demo"
    assert found["status"] == "ACTIVE"
    assert found["endpoint"] == state["endpoint"]
    assert found["identity"]["oidc"]["issuer"] == state["issuer"]
    assert base64.b64decode(found["certificateAuthority"]["data"]) == Path(state["ca_file"]).read_bytes()
    assert found["accessConfig"]["authenticationMode"] == "API_AND_CONFIG_MAP"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        sandbox.client("eks", "payer", REGION).describe_cluster(name="demo")


# -- tokens ---------------------------------------------------------------------------------------------------------


def test_the_creator_is_administrator(sandbox: ClientSandbox, core: k8s.CoreV1Api) -> None:
    token = operators_token(sandbox)
    user = who_is(sandbox, token)
    assert user.username.startswith(f"arn:aws:sts::{CLUSTER_ACCOUNT}:assumed-role/operator/")
    assert {"system:masters", "system:authenticated"} <= set(user.groups)
    name = (
        k8s.CoreV1Api(sandbox.kubernetes(token))
        .create_namespace({"metadata": {"generateName": "by-operator-"}})
        .metadata.name
    )
    core.delete_namespace(name)


@pytest.mark.parametrize(
    "host", ["sts.eu-west-1.amazonaws.com", "sts-fips.eu-west-1.amazonaws.com", "sts.eu-west-1.api.aws"]
)
def test_tokens_signed_for_aws_own_endpoints_are_accepted(sandbox: ClientSandbox, host: str) -> None:
    sts = sandbox.session("cluster").client("sts", region_name=REGION, endpoint_url=f"https://{host}")
    assert who_is(sandbox, eks_token(sts, "demo")) is not None


@pytest.mark.parametrize(
    "host", ["sts.us-east-1.amazonaws.com", "example.com", "sts.eu-west-1.amazonaws.com.example.com"]
)
def test_tokens_signed_for_another_host_are_refused(sandbox: ClientSandbox, host: str) -> None:
    sts = sandbox.session("cluster").client("sts", region_name=REGION, endpoint_url=f"https://{host}")
    assert who_is(sandbox, eks_token(sts, "demo")) is None


def test_a_token_of_another_cluster_is_refused(sandbox: ClientSandbox) -> None:
    assert who_is(sandbox, operators_token(sandbox, "another")) is None


@pytest.mark.parametrize(("minutes", "accepted"), [(-14, True), (-16, False), (10, False)])
def test_a_token_is_good_for_15_minutes(
    sandbox: ClientSandbox, monkeypatch: pytest.MonkeyPatch, minutes: int, accepted: bool
) -> None:
    operators_token(sandbox)  # the session's credentials are there before the clock is turned
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    with monkeypatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: then)
        token = operators_token(sandbox)
    assert (who_is(sandbox, token) is not None) is accepted


def test_a_longer_expiry_in_the_url_is_refused(sandbox: ClientSandbox) -> None:
    assert who_is(sandbox, operators_token(sandbox, expires=900)) is not None
    assert who_is(sandbox, operators_token(sandbox, expires=3600)) is None


def test_a_token_that_was_changed_is_refused(sandbox: ClientSandbox) -> None:
    def changed(old: str, new: str) -> str:
        encoded = operators_token(sandbox).removeprefix("k8s-aws-v1.")
        url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        assert old in url
        return "k8s-aws-v1." + base64.urlsafe_b64encode(url.replace(old, new).encode()).decode().rstrip("=")

    assert who_is(sandbox, changed("https", "https")) is not None
    assert who_is(sandbox, changed("https", "http")) is None
    assert who_is(sandbox, changed("X-Amz-Expires=60", "X-Amz-Expires=61")) is None
    assert who_is(sandbox, changed("GetCallerIdentity", "GetSessionToken")) is None
    assert who_is(sandbox, changed("Action=", "Other=1&Action=")) is None


def test_a_signature_without_the_cluster_header_is_refused(sandbox: ClientSandbox) -> None:
    url = sandbox.session("cluster").client("sts", region_name=REGION).generate_presigned_url("get_caller_identity")
    assert who_is(sandbox, "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")) is None


def test_unknown_credentials_are_refused(sandbox: ClientSandbox) -> None:
    made_up = {
        "aws_access_key_id": "ASIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }
    assert who_is(sandbox, eks_token(sandbox.client_with("sts", made_up, REGION), "demo")) is None


# -- access entries -------------------------------------------------------------------------------------------------


def test_without_an_access_entry_there_is_no_access(sandbox: ClientSandbox, role: str) -> None:
    assert who_is(sandbox, token_of(sandbox, role)) is None
    root = sandbox.client("sts", CLUSTER_ACCOUNT, REGION)
    assert who_is(sandbox, eks_token(root, "demo")) is None


def test_an_access_entry_gives_its_groups_and_nothing_else(
    sandbox: ClientSandbox, eks: Any, core: k8s.CoreV1Api, namespace: str, role: str
) -> None:
    eks.create_access_entry(clusterName="demo", principalArn=role, kubernetesGroups=["finops"], username="someone")
    user = who_is(sandbox, token_of(sandbox, role))
    assert user.username == "someone" and set(user.groups) == {"finops", "system:authenticated"}
    with pytest.raises(k8s.ApiException) as refusal:
        k8s.CoreV1Api(sandbox.kubernetes(token_of(sandbox, role))).list_namespaced_pod(namespace)
    assert refusal.value.status == 403
    eks.delete_access_entry(clusterName="demo", principalArn=role)
    assert who_is(sandbox, token_of(sandbox, role)) is None


def test_an_access_policy_gives_its_rights_in_its_namespaces(
    sandbox: ClientSandbox, eks: Any, core: k8s.CoreV1Api, namespace: str, role: str
) -> None:
    eks.create_access_entry(clusterName="demo", principalArn=role)
    scope = {"type": "namespace", "namespaces": [namespace]}
    eks.associate_access_policy(
        clusterName="demo", principalArn=role, policyArn=f"{POLICY}AmazonEKSEditPolicy", accessScope=scope
    )
    theirs = k8s.CoreV1Api(sandbox.kubernetes(token_of(sandbox, role)))
    theirs.create_namespaced_config_map(namespace, {"metadata": {"name": "allowed"}})
    for call in (
        lambda: theirs.create_namespaced_config_map("default", {"metadata": {"name": "elsewhere"}}),
        lambda: theirs.create_namespace({"metadata": {"name": "no-right-to"}}),
    ):
        with pytest.raises(k8s.ApiException) as refusal:
            call()
        assert refusal.value.status == 403
    eks.disassociate_access_policy(clusterName="demo", principalArn=role, policyArn=f"{POLICY}AmazonEKSEditPolicy")
    with pytest.raises(k8s.ApiException) as refusal:  # a new token: the API server remembers the other one for 10 s
        k8s.CoreV1Api(sandbox.kubernetes(token_of(sandbox, role))).create_namespaced_config_map(
            namespace, {"metadata": {"name": "no-more"}}
        )
    assert refusal.value.status == 403


def test_the_administrators_policy_makes_an_administrator(sandbox: ClientSandbox, eks: Any, role: str) -> None:
    eks.create_access_entry(clusterName="demo", principalArn=role)
    assert "system:masters" not in who_is(sandbox, token_of(sandbox, role)).groups
    eks.associate_access_policy(
        clusterName="demo",
        principalArn=role,
        policyArn=f"{POLICY}AmazonEKSClusterAdminPolicy",
        accessScope={"type": "cluster"},
    )
    assert "system:masters" in who_is(sandbox, token_of(sandbox, role)).groups


# -- service account tokens at STS ----------------------------------------------------------------------------------


def test_a_service_accounts_token_takes_the_role_that_names_it(
    sandbox: ClientSandbox, core: k8s.CoreV1Api, namespace: str
) -> None:
    issuer = sandbox.state["clusters"]["demo"]["issuer"].removeprefix("https://")
    iam = sandbox.client("iam", "cluster")
    providers = [entry["Arn"] for entry in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    provider = f"arn:aws:iam::{CLUSTER_ACCOUNT}:oidc-provider/{issuer}"
    if provider not in providers:
        iam.create_open_id_connect_provider(Url=f"https://{issuer}", ClientIDList=["sts.amazonaws.com"])
    condition = {
        "StringEquals": {
            f"{issuer}:sub": f"system:serviceaccount:{namespace}:kubecost",
            f"{issuer}:aud": "sts.amazonaws.com",
        }
    }
    trust = trusted_by({"Federated": provider}, "sts:AssumeRoleWithWebIdentity", condition)
    arn = iam.create_role(RoleName=f"kubecost-{next(_numbers)}", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    sts = sandbox.client_with("sts", {}, REGION)

    def assume(account: str, audience: str = "sts.amazonaws.com") -> str:
        body = {"spec": {"audiences": [audience], "expirationSeconds": 600}}
        token = core.create_namespaced_service_account_token(account, namespace, body).status.token
        taken = sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="proof", WebIdentityToken=token)
        return taken["AssumedRoleUser"]["Arn"]

    for account in ("kubecost", "other"):
        core.create_namespaced_service_account(namespace, {"metadata": {"name": account}})
    assert assume("kubecost").endswith("/proof")
    with pytest.raises(ClientError, match="AccessDenied"):
        assume("other")
    with pytest.raises(ClientError, match="InvalidIdentityToken"):
        assume("kubecost", "https://kubernetes.default.svc")
