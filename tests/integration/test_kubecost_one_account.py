# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Payer and cluster in one account: one role with the rights of the reader, and no chain; also beside another payer.

Cluster `single` has Kubecost 3 and reads the payer of its own account. Cluster `single2` has Kubecost 2 and reads that
one and a payer elsewhere.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from integration.installation import CHARTS, Installation, Run
from sandbox.client import Sandbox

PAYER, PAYER2, ONE, TWO = "single-payer", "single-payer2", "single", "single2"


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Installation:
    """Two clusters; the first payer is their own account."""
    made = Installation(sandbox, "single", number=14, payers=2, clusters=2)
    made.vars[PAYER] = {"kubestrap_aws_profile": "single-cluster", "kubestrap_account_id": made.cluster_account}
    made.vars[TWO] |= {
        "kubecost_payers": [PAYER, PAYER2],
        "kubecost_generation": "2",
        "kubecost_chart_ref": str(CHARTS / "cost-analyzer"),
    }
    return made


class Story:
    """The runs in their order, and what was looked at between them."""

    def __init__(self, place: Installation) -> None:
        self.predicted = place.run("kubecost", check=True)
        self.first = place.run("kubecost")
        for payer in (PAYER, PAYER2):
            place.deliver(payer)
        self.finish = place.run("kubecost")
        self.policies = {cluster: policy(place, cluster) for cluster in (ONE, TWO)}
        self.entries = {cluster: entries(place, cluster) for cluster in (ONE, TWO)}
        self.readers = {payer: readers(place, payer) for payer in (PAYER, PAYER2)}
        self.gone = place.run("teardown")

    @property
    def runs(self) -> list[Run]:
        """All of them."""
        return [value for value in vars(self).values() if isinstance(value, Run)]


def policy(place: Installation, cluster: str) -> list[dict[str, Any]]:
    """The statements of a cluster's role."""
    iam = place.cluster_aws().client("iam")
    name = {"RoleName": f"kubecost-{cluster}", "PolicyName": "billing-data"}
    return iam.get_role_policy(**name)["PolicyDocument"]["Statement"]


def entries(place: Installation, cluster: str) -> list[dict[str, Any]]:
    """The AWS entries in the Secret of a cluster."""
    secret = place.core(cluster).read_namespaced_secret("cloud-integration", "kubecost")
    aws = json.loads(base64.b64decode(secret.data["cloud-integration.json"]))["aws"]
    return aws["athena"] if isinstance(aws, dict) else aws


def readers(place: Installation, payer: str) -> str:
    """The trust of the role that reads a payer's data, empty when there is no such role."""
    iam = place.payer_aws(payer).client("iam")
    roles = {role["RoleName"]: role["AssumeRolePolicyDocument"] for role in iam.list_roles()["Roles"]}
    return json.dumps(roles.get("kubecost-cur-access", ""))


@pytest.fixture(scope="module")
def story(place: Installation) -> Story:
    """All runs."""
    return Story(place)


def test_every_run_ends_well(story: Story) -> None:
    for run in story.runs:
        assert run.ok, run.report


def test_check_mode_predicts_what_the_run_then_does(story: Story) -> None:
    assert story.predicted.writes == story.predicted.kube_writes == []
    assert story.predicted.changes == story.first.changes


def test_the_role_of_the_cluster_reads_by_itself(place: Installation, story: Story) -> None:
    sids = {statement["Sid"] for statement in story.policies[ONE]}
    assert {"ReadReport", "WriteResults", "RunQueries", "ReadCatalog"} <= sids
    assert "AssumeRoles" not in sids
    (entry,) = story.entries[ONE]
    assert entry["account"] == place.cluster_account
    assert entry["authorizer"] == {"authorizerType": "AWSServiceAccount"}


def test_the_proof_has_no_chain_and_has_rows(story: Story) -> None:
    links = story.finish.links(ONE)
    assert "payer role" not in links
    assert set(links.values()) == {"ok"}
    assert "query" in links
    assert story.finish.outcome(ONE)["state"] == "done"


def test_a_payer_elsewhere_stands_beside_it(place: Installation, story: Story) -> None:
    statements = {statement["Sid"]: statement for statement in story.policies[TWO]}
    assert statements["AssumeRoles"]["Resource"] == [place.reader_arn(PAYER2)]
    assert "ReadReport" in statements
    roles = {entry["projectID"]: entry.get("masterPayerARN", "") for entry in story.entries[TWO]}
    assert roles == {place.cluster_account: "", place.account(PAYER2): place.reader_arn(PAYER2)}
    proof = story.finish.outcome(TWO)["proof"]
    assert [link for link, _state, _detail in proof].count("payer role") == 1
    assert [link for link, _state, _detail in proof].count("query") == 2
    assert {state for _link, state, _detail in proof} == {"ok"}


def test_only_the_payer_elsewhere_has_a_role_for_readers(place: Installation, story: Story) -> None:
    assert story.readers[PAYER] == '""'
    assert f'"{place.role_arn(TWO)}"' in story.readers[PAYER2]
    assert f'"{place.role_arn(ONE)}"' not in story.readers[PAYER2]


def test_all_of_it_goes(place: Installation, story: Story) -> None:
    roles = {role["RoleName"] for role in place.cluster_aws().client("iam").list_roles()["Roles"]}
    assert roles == {"operator", "eks-cluster"}
    for cluster in (ONE, TWO):
        assert "delete the Secret cloud-integration" in story.gone.changes[cluster]
