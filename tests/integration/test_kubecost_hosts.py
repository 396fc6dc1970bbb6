# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several payers and clusters in one run: a failure stays with its host, and a limited run takes nothing from others.

The tests run in the order of the file, over one installation: cluster `hosts` reads one payer, `hosts2` reads both.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from integration.installation import Installation
from integration.playbook import run_playbook
from sandbox.client import Sandbox

PAYER, PAYER2, ONE, TWO = "hosts-payer", "hosts-payer2", "hosts", "hosts2"


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Installation:
    """Two payers and two clusters, all empty."""
    made = Installation(sandbox, "hosts", number=5, payers=2, clusters=2)
    made.vars[TWO]["kubecost_payers"] = [PAYER, PAYER2]
    return made


def trusted_by(place: Installation, payer: str) -> str:
    """The trust of the payer's role as text."""
    iam = place.payer_aws(payer).client("iam")
    return json.dumps(iam.get_role(RoleName="kubecost-cur-access")["Role"]["AssumeRolePolicyDocument"])


def integration(place: Installation, cluster: str) -> list[dict[str, Any]]:
    """The accounts in the Secret of a cluster."""
    secret = place.core(cluster).read_namespaced_secret("cloud-integration", "kubecost")
    return json.loads(base64.b64decode(secret.data["cloud-integration.json"]))["aws"]["athena"]


@pytest.mark.parametrize("missing", ["payers", "clusters"])
def test_an_inventory_without_a_group_is_refused(place: Installation, missing: str) -> None:
    """It would match no host, and end green without having done anything."""
    inventory = {name: group for name, group in place.inventory().items() if name != missing}

    run = run_playbook("kubestrap.aws.kubecost", place.sandbox, inventory=inventory)

    assert run.rc == 2, run.report
    assert f"no hosts in the group '{missing}'" in run.report
    assert run.calls == []


def test_more_readers_than_a_trust_has_room_for_are_told_before_the_first_write(place: Installation) -> None:
    place.vars[PAYER]["billing_data_trust_size_limit"] = 450  # a second reader is too many
    run = place.run("kubecost")
    del place.vars[PAYER]["billing_data_trust_size_limit"]
    assert run.rc == 2
    assert f"kubecost_payers: {PAYER} would have 2 readers, and the trust of its role " in run.report
    assert f"{PAYER2} would have" not in run.report
    assert (run.writes, run.kube_writes) == ([], [])


def test_a_payer_that_fails_does_not_stop_the_other_one_and_its_cluster(place: Installation) -> None:
    account_id = place.account(PAYER2)
    place.sandbox.faults([{"service": "glue", "operation": "CreateDatabase", "account_id": account_id, "status": 500}])

    run = place.run("kubecost")
    place.sandbox.faults()

    assert run.rc == 2
    states = {host: run.outcome(host)["state"] for host in (PAYER, PAYER2, ONE, TWO)}
    assert states == {PAYER: "pending", PAYER2: "failed", ONE: "pending", TWO: "failed"}
    assert "Make the Glue table over the report" in run.notes(PAYER2)
    assert "CreateDatabase" in run.notes(PAYER2)
    assert f"The billing data of {PAYER2} is not set up" in run.notes(TWO)
    assert run.links(ONE)["payer role"] == "ok"
    (end,) = [task for task in run.tasks if task.name.endswith("End the run as failed when a host has failed")]
    assert end.failed
    assert end.result["msg"].startswith(f"Not finished: {PAYER2}, {TWO}.")
    assert place.role_arn(TWO) not in {role["Arn"] for role in place.cluster_aws().client("iam").list_roles()["Roles"]}


def test_a_cluster_that_fails_does_not_stop_the_other_one(place: Installation) -> None:
    """It fails because of a Secret of somebody else, which stays as it is."""
    core = place.core(TWO)
    core.create_namespace({"metadata": {"name": "kubecost"}})
    theirs = {"metadata": {"name": "cloud-integration"}, "stringData": {"cloud-integration.json": "no JSON"}}
    core.create_namespaced_secret("kubecost", theirs)

    run = place.run("kubecost")

    assert run.rc == 2
    states = {host: run.outcome(host)["state"] for host in (PAYER, PAYER2, ONE, TWO)}
    assert states == {PAYER: "pending", PAYER2: "pending", ONE: "pending", TWO: "failed"}
    assert "secret: 'cloud-integration'" in run.notes(TWO)
    assert "that this collection did not make" in run.notes(TWO)
    assert run.changes[ONE] == []
    assert "Not finished: hosts2." in run.stdout
    secret = core.read_namespaced_secret("cloud-integration", "kubecost")
    assert base64.b64decode(secret.data["cloud-integration.json"]) == b"no JSON"
    core.delete_namespaced_secret("cloud-integration", "kubecost")


def test_a_limited_run_leaves_the_other_cluster_its_place_in_the_trust(place: Installation) -> None:
    assert f'"{place.role_arn(ONE)}"' in trusted_by(place, PAYER)

    run = place.run("kubecost", limit=f"{TWO},{PAYER},{PAYER2}")

    assert run.ok, run.report
    assert {task.host for task in run.tasks} == {TWO, PAYER, PAYER2}
    assert run.outcome(TWO)["state"] == "pending"
    for cluster in (ONE, TWO):
        assert f'"{place.role_arn(cluster)}"' in trusted_by(place, PAYER)
    assert f'"{place.role_arn(ONE)}"' not in trusted_by(place, PAYER2)
    assert run.changes[PAYER] == []


def test_two_payers_are_in_one_secret(place: Installation) -> None:
    entries = integration(place, TWO)
    assert [entry["account"] for entry in entries] == [place.account(PAYER), place.account(PAYER2)]
    assert [entry["authorizer"]["roleARN"] for entry in entries] == [place.reader_arn(PAYER), place.reader_arn(PAYER2)]
    assert [entry["account"] for entry in integration(place, ONE)] == [place.account(PAYER)]


def test_a_cluster_without_its_payer_says_so(place: Installation) -> None:
    run = place.run("kubecost", limit=TWO)

    assert run.rc == 2
    assert f"The billing data of {PAYER}, {PAYER2} is not set up in this run" in run.notes(TWO)
    assert "run without --limit" in run.notes(TWO)
    assert run.writes == []
    assert run.kube_writes == []
