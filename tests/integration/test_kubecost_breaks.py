# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody breaks by hand: verify names it and what to change, and the playbook kubecost mends it.

Two payers and two clusters, one for each, so that a verification shows two breaks that would hide each other. The
tests run in the order of the file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.installation import CALLS_OF_A_CLUSTER, Installation, Run
from sandbox.client import Sandbox

PAYER, PAYER2, ONE, TWO = "broken-payer", "broken-payer2", "broken", "broken2"
STRANGER = "system:serviceaccount:kubecost:somebody-else"
COLUMN = "line_item_unblended_cost"


class Vandal:
    """Breaks one thing each; ``mend`` takes back what was done to roles since the last time."""

    def __init__(self, place: Installation) -> None:
        self.place = place
        self.cluster = place.cluster_aws().client("iam")
        self.payers = {payer: place.payer_aws(payer) for payer in place.payers}
        self._undo: list[Callable[[], Any]] = []

    def mend(self) -> None:
        """Roles and policies are again as they were."""
        while self._undo:
            self._undo.pop()()

    def trust_another_service_account(self, cluster: str) -> None:
        """The trust of the cluster's role names another ServiceAccount."""
        self._edit_trust(self.cluster, f"kubecost-{cluster}", "system:serviceaccount:kubecost:kubecost", STRANGER)

    def trust_another_role(self, payer: str, cluster: str) -> None:
        """The trust of the payer's role has lost the cluster's role."""
        iam, role = self.payers[payer].client("iam"), self.place.role_arn(cluster)
        self._edit_trust(iam, "kubecost-cur-access", role, f"{role}-of-yesterday")

    def take_policy(self, cluster: str) -> None:
        """The cluster's role may not take the payer's role."""
        name = {"RoleName": f"kubecost-{cluster}", "PolicyName": "billing-data"}
        document = json.dumps(self.cluster.get_role_policy(**name)["PolicyDocument"])
        self._undo.append(lambda: self.cluster.put_role_policy(**name, PolicyDocument=document))
        self.cluster.delete_role_policy(**name)

    def delete_provider(self, cluster: str) -> None:
        """The OpenID Connect provider of the cluster's issuer is gone."""
        issuer = self.place.sandbox.state["clusters"][cluster]["issuer"].removeprefix("https://")
        arn = f"arn:aws:iam::{self.place.cluster_account}:oidc-provider/{issuer}"
        self.cluster.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)

    def edit_secret(self, cluster: str) -> None:
        """Somebody edits the Secret: another database."""
        core = self.place.core(cluster)
        secret = core.read_namespaced_secret("cloud-integration", "kubecost")
        text = base64.b64decode(secret.data["cloud-integration.json"]).decode()
        data = {
            "cloud-integration.json": base64.b64encode(
                text.replace("athenacurcfn_", "not-athenacurcfn_").encode()
            ).decode()
        }
        core.patch_namespaced_secret("cloud-integration", "kubecost", {"data": data})

    def drop_column(self, payer: str) -> None:
        """The table loses a column that Kubecost needs."""
        glue = self.payers[payer].client("glue")
        name = {"DatabaseName": "athenacurcfn_kubecost"}
        table = glue.get_table(**name, Name="kubecost")["Table"]
        taken = ("Name", "TableType", "StorageDescriptor", "PartitionKeys", "Parameters", "Description")
        wanted = {key: table[key] for key in taken if key in table}
        columns = wanted["StorageDescriptor"]["Columns"]
        wanted["StorageDescriptor"]["Columns"] = [column for column in columns if column["Name"] != COLUMN]
        glue.update_table(**name, TableInput=wanted)

    def take_results_rights(self, payer: str) -> None:
        """The payer's role may not write results of queries."""
        iam = self.payers[payer].client("iam")
        name = {"RoleName": "kubecost-cur-access", "PolicyName": "billing-data-reader"}
        policy = iam.get_role_policy(**name)["PolicyDocument"]
        policy["Statement"] = [statement for statement in policy["Statement"] if statement["Sid"] != "WriteResults"]
        iam.put_role_policy(**name, PolicyDocument=json.dumps(policy))

    def _edit_trust(self, iam: Any, role: str, old: str, new: str) -> None:
        document = json.dumps(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
        assert f'"{old}"' in document
        self._undo.append(lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=document))
        edited = document.replace(f'"{old}"', f'"{new}"')
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=edited)


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Installation:
    """Kubecost on two clusters, billing data delivered."""
    made = Installation(sandbox, "broken", number=4, payers=2, clusters=2)
    made.vars[TWO]["kubecost_payers"] = [PAYER2]
    run = made.run("kubecost")
    assert run.ok, run.report
    for payer in made.payers:
        made.deliver(payer)
    return made


@pytest.fixture(scope="module")
def vandal(place: Installation) -> Vandal:
    """Who breaks it."""
    return Vandal(place)


def verify(place: Installation) -> Run:
    """A verification that finds something: it fails, names both clusters, and changes nothing."""
    run = place.run("verify")
    assert run.rc == 2, run.report
    assert run.writes == []
    assert run.kube_writes == []
    for host in (ONE, TWO):
        assert run.outcome(host)["state"] == "denied"
    assert f"Not finished: {ONE}, {TWO}" in run.stdout
    return run


def explained(run: Run, host: str, link: str, cause: str, change: str) -> None:
    """The link failed, and the summary says why and what to change."""
    assert run.links(host)[link] == "failed"
    assert cause in run.notes(host)
    assert change in run.notes(host)
    assert cause in run.stdout


def test_a_foreign_trust_an_edited_secret_and_a_lost_policy(place: Installation, vandal: Vandal) -> None:
    vandal.trust_another_service_account(ONE)
    vandal.edit_secret(ONE)
    vandal.take_policy(TWO)

    run = verify(place)

    explained(run, ONE, "trust", f"names {STRANGER}, but the ServiceAccount is kubecost:kubecost", "name system:")
    explained(run, ONE, "secret", "aws.athena[0].database", "restart")
    assert run.links(ONE)["query"] == "skipped"
    explained(run, TWO, "payer role", f"policies of {place.role_arn(TWO)} do not allow", "Allow sts:AssumeRole")
    assert any("trust policy" in change for change in run.changes[ONE])
    assert any("inline policy billing-data" in change for change in run.changes[TWO])
    assert "not-athenacurcfn" not in run.stdout, "the Secret's content is shown"


def test_a_provider_that_is_gone_and_a_payer_that_trusts_another_role(place: Installation, vandal: Vandal) -> None:
    vandal.mend()
    vandal.delete_provider(ONE)
    vandal.trust_another_role(PAYER2, TWO)

    run = verify(place)

    issuer = place.sandbox.state["clusters"][ONE]["issuer"]
    explained(run, ONE, "role", f"has no OpenID Connect provider for {issuer}", "Register the issuer in account")
    assert any(issuer.removeprefix("https://") in change for change in run.changes[ONE])
    explained(run, TWO, "payer role", f"the trust policy of {place.reader_arn(PAYER2)} does not name", "payer's side")
    assert any("trust policy" in change for change in run.changes[PAYER2])


def test_a_lost_column_and_lost_rights(place: Installation, vandal: Vandal) -> None:
    vandal.mend()
    iam = place.cluster_aws().client("iam")
    iam.create_open_id_connect_provider(
        Url=place.sandbox.state["clusters"][ONE]["issuer"], ClientIDList=["sts.amazonaws.com"]
    )
    vandal.take_results_rights(PAYER)
    vandal.drop_column(PAYER2)

    run = verify(place)

    explained(run, ONE, "query", "s3:PutObject on arn:aws:s3:::kubestrap-athena-", "billing_data_reader")
    assert any("inline policy billing-data-reader" in change for change in run.changes[PAYER])
    explained(run, TWO, "table", f"missing: {COLUMN}", "payer's half")
    assert any("table athenacurcfn_kubecost.kubecost" in change for change in run.changes[PAYER2])


def test_the_playbook_mends_all_of_it_at_once(place: Installation, vandal: Vandal) -> None:
    vandal.trust_another_service_account(ONE)
    vandal.delete_provider(ONE)
    vandal.take_policy(TWO)
    vandal.trust_another_role(PAYER2, TWO)

    run = place.run("kubecost")

    assert run.ok, run.report
    for host in (ONE, TWO):
        assert run.outcome(host)["state"] == "done"
        assert set(run.links(host).values()) == {"ok"}
    assert "write the Secret cloud-integration in the namespace kubecost" in run.changes[ONE]
    data = place.core(ONE).read_namespaced_secret("cloud-integration", "kubecost").data
    assert b"not-athenacurcfn" not in base64.b64decode(data["cloud-integration.json"])

    verified = place.run("verify")
    assert verified.ok, verified.report
    assert verified.changes == {host: [] for host in (*place.payers, *place.clusters)}
    assert {verified.outcome(host)["state"] for host in verified.changes} == {"fits"}
    # Two clusters cost twice what one does, and no more than that.
    assert 5 * 2 < place.calls_of_clusters(verified) <= CALLS_OF_A_CLUSTER * 2


def test_what_differs_but_works_has_an_exit_code_of_its_own(
    place: Installation, vandal: Vandal, tmp_path: Path
) -> None:
    """And a cluster without payers in the inventory is taken as it is found."""
    iam = place.cluster_aws().client("iam")
    iam.put_role_policy(
        RoleName=f"kubecost-{ONE}",
        PolicyName="billing-data",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": place.reader_arn(PAYER)}],
            }
        ),
    )
    del place.vars[TWO]["kubecost_payers"]
    report = tmp_path / "verification.json"

    run = place.run("verify", extra_vars={"kubestrap_verification_file": str(report)})

    assert run.rc == 4, run.report
    assert run.writes == []
    assert run.kube_writes == []
    document = json.loads(report.read_text())
    assert (document["kind"], document["version"], document["verdict"]) == ("kubestrap.aws/verification", 1, "differs")
    assert document["hosts"][ONE]["verdict"] == "differs"
    assert any("billing-data" in difference for difference in document["hosts"][ONE]["differences"])
    assert document["hosts"][TWO]["verdict"] == "fits"
    assert {link["state"] for host in (ONE, TWO) for link in document["hosts"][host]["links"]} == {"ok"}
    assert set(run.links(TWO)) == set(run.links(ONE))
