# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust that irsa_trust makes, both ways: its ServiceAccounts are let in, and no other subject or audience."""

from __future__ import annotations

import pytest
from integration.both_ways import code
from integration.world import World, trust
from sandbox.client import Sandbox


@pytest.fixture(scope="module")
def workload(sandbox: Sandbox) -> World:
    """The cluster's half, with a real API server."""
    world = World(sandbox, "trusts")
    world.make_provider()
    world.make_service_account()
    world.make_workload_role(world.irsa())
    return world


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ([], ""),
        (["system:serviceaccount:trusts:another", "system:serviceaccount:trusts:kubecost"], ""),
        (["system:serviceaccount:trusts:kube*"], ""),
        (["system:serviceaccount:trusts:another", "system:serviceaccount:*:kubecost"], ""),
        (["system:serviceaccount:trusts:another"], "AccessDenied"),
        (["system:serviceaccount:another:kubecost"], "AccessDenied"),
        (["system:serviceaccount:trusts:kubecost-*"], "AccessDenied"),
    ],
)
def test_irsa_trust_lets_its_service_accounts_in(workload: World, subjects: list[str], expected: str) -> None:
    workload.set_workload_trust(workload.irsa(*subjects))
    assert exchange(workload, workload.token()) == expected


def test_irsa_trust_checks_the_audience(workload: World) -> None:
    own = [trust.subject(workload.namespace, workload.service_account)]
    provider = {"oidc_provider_arn": workload.provider_arn, "issuer": workload.issuer, "subjects": own}
    workload.cluster.client("iam").add_client_id_to_open_id_connect_provider(
        OpenIDConnectProviderArn=workload.provider_arn, ClientID="another.example"
    )
    workload.set_workload_trust(trust.irsa_trust(**provider))
    assert exchange(workload, workload.token(audience="another.example")) == "AccessDenied"
    workload.set_workload_trust(trust.irsa_trust(**provider, audience="another.example"))
    assert exchange(workload, workload.token(audience="another.example")) == ""
    workload.set_workload_trust(trust.irsa_trust(**provider))
    assert exchange(workload, workload.token()) == ""


def exchange(world: World, token: str) -> str:
    """The error code of taking the role with a token."""
    return code(
        lambda: world.cluster.client("sts").assume_role_with_web_identity(
            RoleArn=world.workload_arn, RoleSessionName="trusts", WebIdentityToken=token
        )
    )
