# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two owners: each runs a half with an inventory of its own, and two small documents go to and fro.

Cluster `owners` reads one payer, `owners2` (in another region) reads two. The cluster's owner comes first, when there
is no billing data yet. The tests look at what the runs of the story left behind.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.installation import Installation, Run
from sandbox.client import Sandbox

PAYER, PAYER2, ONE, TWO = "owners-payer", "owners-payer2", "owners", "owners2"
ELSEWHERE = "ap-southeast-2"
BILLING, READERS = "kubestrap.aws/billing-data", "kubestrap.aws/readers"
# Host -> what it says about its document.
SAYS = {
    PAYER: "'far', which reads owners-payer, is a cluster in the partition aws-cn, and the payer is in aws",
    PAYER2: "broken.yml: this is not YAML: expected ',' or ']'",
    "bad-version": "kubestrap_hand_off_billing.version: '2' is not the version 1 that is understood here",
    "bad-kind": "is the kind of a readers document, not of a billing document: they are mixed up",
    "bad-key": "kubestrap_hand_off_billing.password: '1234' is a foreign key",
    "bad-name": "payer-mian is neither in the group payers nor in the billing document",
    "bad-partition": "'payer-cn' of bad-partition is a payer in the partition aws-cn, and the cluster is in aws",
}


class Story:
    """The runs in their order, and what was there in between.

    :ivar said: the readers document after each run of the cluster half, the billing document after each of the payer's
    """

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.place = place = Installation(sandbox, "owners", number=15, payers=2, clusters=2, regions={TWO: ELSEWHERE})
        place.vars[TWO]["kubecost_payers"] = [PAYER, PAYER2]
        self.readers_file, self.billing_file = folder / "readers.yml", folder / "billing.yml"

        self.predicted = self.half("clusters", check=True)
        self.nothing_written = not self.readers_file.exists()
        self.early = self.half("clusters")
        assert self.early.ok, self.early.report
        self.early_readers = self.readers()
        self.roles_early = {role["RoleName"] for role in place.cluster_aws().client("iam").list_roles()["Roles"]}
        self.secrets_early = [
            secret.metadata.name for secret in place.core(ONE).list_namespaced_secret("kubecost").items
        ]

        # The second payer's owner does not have the readers document yet.
        self.alone = self.half("payers", limit=PAYER2, without="kubestrap_hand_off_readers_file")
        self.roles_alone = roles(place, PAYER2)
        # A workflow of AWX: what a job has set is an extra variable of the next.
        known: dict[str, Any] = {
            "without": "kubestrap_hand_off_readers_file",
            "extra_vars": {"kubestrap_hand_off_readers": self.early_readers},
        }
        self.payers_predicted = self.half("payers", check=True, **known)
        self.payers = self.half("payers", **known)
        self.billing = yaml.safe_load(self.billing_file.read_text())

        # IAM fails at the first cluster of the first batch; what a policy forbids the preflight would see.
        broken = {"service": "iam", "operation": "PutRolePolicy", "account_id": place.cluster_account}
        sandbox.faults([{**broken, "status": 500}])
        batches = {"kubestrap_serial": 1, "kubestrap_max_fail_percentage": 0}
        self.stopped = self.half("clusters", extra_vars=batches)
        sandbox.faults()

        known = {
            "without": "kubestrap_hand_off_billing_file",
            "extra_vars": {"kubestrap_hand_off_billing": self.billing},
        }
        self.complete_predicted = self.half("clusters", check=True, **known)
        self.complete = self.half("clusters", **known)

        place.vars[ONE]["kubecost_state"] = "absent"
        place.vars["nowhere"] = {**place.vars[TWO], "kubestrap_eks_cluster_name": "nowhere"}
        place.clusters.append("nowhere")
        self.refused = self.half("clusters", limit=f"{ONE},nowhere")
        self.left_out = self.half("clusters", limit=f"{ONE},nowhere", extra_vars={"kubestrap_leave_out_refused": True})
        place.clusters.remove("nowhere")
        self.late_readers = self.readers()
        del place.vars[ONE]["kubecost_state"]
        self.trusted_before = trusted_by(place, PAYER)
        self.left = self.half("payers", limit=PAYER)
        self.trusted_after = trusted_by(place, PAYER)
        self.bad = self.run_with_bad_documents(folder / "broken.yml")

    def run_with_bad_documents(self, broken: Path) -> Run:
        """Both halves, with one mistake for each host."""
        place, version_1 = self.place, {"version": 1}
        broken.write_text("version: 1\nkind: [kubestrap.aws/readers\n")
        china = json.dumps(self.billing["payers"][PAYER]).replace("arn:aws:", "arn:aws-cn:")
        china = china.replace("us-east-1", "cn-north-1").replace('"partition": "aws"', '"partition": "aws-cn"')
        far = {"version": 1, "kind": BILLING, "payers": {"payer-cn": json.loads(china)}}
        reader = {**self.early_readers["clusters"][TWO], "partition": "aws-cn", "payers": [PAYER]}
        reader["role_arn"] = reader["role_arn"].replace("arn:aws:", "arn:aws-cn:")
        handed_over: dict[str, dict[str, Any]] = {
            "bad-version": {"kubestrap_hand_off_billing": {**self.billing, "version": 2}},
            "bad-kind": {"kubestrap_hand_off_billing": self.early_readers},
            "bad-key": {"kubestrap_hand_off_billing": {**self.billing, "password": "1234"}},
            "bad-name": {"kubestrap_hand_off_billing": far, "kubecost_payers": [PAYER, "payer-mian"]},
            "bad-partition": {"kubestrap_hand_off_billing": far, "kubecost_payers": ["payer-cn"]},
        }
        clusters = {host: {**place.vars[TWO], **changed} for host, changed in handed_over.items()}
        payers = {
            PAYER: {
                **place.vars[PAYER],
                "kubestrap_hand_off_readers": {**version_1, "kind": READERS, "clusters": {"far": reader}},
            },
            PAYER2: {**place.vars[PAYER2], "kubestrap_hand_off_readers_file": str(broken)},
        }
        inventory = {"payers": {"hosts": payers}, "clusters": {"hosts": {TWO: place.vars[TWO], **clusters}}}
        return place.run("kubecost", inventory=inventory)

    def half(self, group: str, without: str = "", **options: Any) -> Run:
        """One owner's run: an inventory with one group only."""
        files = {
            "kubestrap_hand_off_readers_file": str(self.readers_file),
            "kubestrap_hand_off_billing_file": str(self.billing_file),
        }
        hosts = self.place.inventory()[group]
        known = {name: value for name, value in files.items() if name != without}
        inventory = {group: {**hosts, "vars": known}}
        return self.place.run(f"kubecost_{group.removesuffix('s')}", inventory=inventory, **options)

    def readers(self) -> dict[str, Any]:
        """The readers document."""
        return yaml.safe_load(self.readers_file.read_text())


@pytest.fixture(scope="module")
def story(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """All runs."""
    return Story(sandbox, tmp_path_factory.mktemp("hand-off"))


def roles(place: Installation, payer: str) -> set[str]:
    """Names of the roles in a payer's account."""
    return {role["RoleName"] for role in place.payer_aws(payer).client("iam").list_roles()["Roles"]}


def trusted_by(place: Installation, payer: str) -> set[str]:
    """The roles that the trust of a payer's role names."""
    role = place.payer_aws(payer).client("iam").get_role(RoleName="kubecost-cur-access")["Role"]
    statements = role["AssumeRolePolicyDocument"]["Statement"]
    return {statement["Condition"]["ArnEquals"]["aws:PrincipalArn"] for statement in statements}


def test_the_cluster_half_comes_first_and_says_what_it_needs(story: Story) -> None:
    place, run = story.place, story.early
    assert run.ok, run.report
    for cluster, payers in ((ONE, PAYER), (TWO, f"{PAYER}, {PAYER2}")):
        assert run.outcome(cluster)["state"] == "pending"
        assert f"Needs the billing data of {payers}. Its owner runs kubestrap.aws.kubecost_payer" in run.notes(cluster)
    assert {f"kubecost-{ONE}", f"kubecost-{TWO}"} <= story.roles_early
    assert "cloud-integration" not in story.secrets_early
    assert not [name for name in story.secrets_early if name.startswith("sh.helm")]
    assert story.early_readers == {
        "version": 1,
        "kind": "kubestrap.aws/readers",
        "clusters": {
            cluster: {
                "account_id": place.cluster_account,
                "partition": "aws",
                "role_arn": place.role_arn(cluster),
                "payers": payers,
                "leaving": False,
            }
            for cluster, payers in ((ONE, [PAYER]), (TWO, [PAYER, PAYER2]))
        },
    }


def test_check_mode_of_a_half_predicts_and_writes_nothing(story: Story) -> None:
    assert story.predicted.ok, story.predicted.report
    assert story.predicted.writes == []
    assert story.predicted.kube_writes == []
    assert story.nothing_written
    assert story.predicted.changes == story.early.changes
    assert sorted(story.predicted.changed_steps) == sorted(story.early.changed_steps)


def test_the_payer_half_alone_makes_all_but_the_role(story: Story) -> None:
    run = story.alone
    assert run.ok, run.report
    assert {task.host for task in run.tasks} == {PAYER2}
    assert run.outcome(PAYER2)["state"] == "pending"
    assert "Needs to know which clusters read it" in run.notes(PAYER2)
    assert "kubecost-cur-access" not in story.roles_alone
    assert [write for write in run.writes if write.startswith("cur:PutReportDefinition")]


def test_the_payer_half_trusts_whom_the_readers_document_names(story: Story) -> None:
    run, place = story.payers, story.place
    assert run.ok, run.report
    assert run.notes(PAYER).startswith("AWS has not delivered the report kubecost yet")
    assert "Needs to know" not in run.notes(PAYER)
    assert {place.role_arn(TWO)} == trusted_by(place, PAYER2)
    assert place.role_arn(TWO) in trusted_by(place, PAYER)
    assert story.billing["kind"] == "kubestrap.aws/billing-data"
    entry = story.billing["payers"][PAYER2]
    assert entry["reader_role_arn"] == place.reader_arn(PAYER2)
    assert entry["delivered"] is False
    assert not {"changes", "notes"} & set(entry)
    assert set(story.billing["payers"]) == {PAYER, PAYER2}


def test_the_batches_stop_where_too_many_have_failed(story: Story) -> None:
    run = story.stopped
    assert run.rc == 2
    assert run.outcome(ONE)["state"] == "failed"
    assert "PutRolePolicy" in run.notes(ONE)
    with pytest.raises(KeyError):
        run.outcome(TWO)
    assert f"Not finished: {ONE}, {TWO}." in run.stdout


def test_with_the_billing_document_the_cluster_half_completes(story: Story) -> None:
    run, place = story.complete, story.place
    assert run.ok, run.report
    for cluster in (ONE, TWO):
        assert run.links(cluster) == {**{link: "ok" for link in run.links(cluster)}, "query": "pending"}
        assert "Needs" not in run.notes(cluster)
    # An endpoint of STS in another region than the payer's.
    assert place.pods(TWO)


def test_check_mode_predicts_how_each_half_goes_on_from_what_is_half_made(story: Story) -> None:
    """One payer has all but its role, the other one nothing; the clusters have roles, one of them without policy."""
    for predicted, done in ((story.payers_predicted, story.payers), (story.complete_predicted, story.complete)):
        assert predicted.ok, predicted.report
        assert (predicted.writes, predicted.kube_writes) == ([], [])
        assert predicted.changes == done.changes
        assert sorted(predicted.changed_steps) == sorted(done.changed_steps)
        assert len({tuple(changes) for changes in done.changes.values()}) == 2, "both hosts had the same to do"


def test_a_refused_host_ends_the_run_or_is_left_out(story: Story) -> None:
    assert story.refused.rc == story.left_out.rc == 2
    assert story.refused.writes == story.refused.kube_writes == []
    assert "Nothing was written. Mend what is said above of nowhere" in story.refused.report
    assert story.left_out.outcome(ONE)["state"] == "done"
    assert "'nowhere' is not a cluster of account" in story.left_out.report
    assert "Not finished: nowhere." in story.left_out.stdout


def test_a_cluster_that_goes_is_leaving_and_nobody_is_forgotten(story: Story) -> None:
    assert {name: entry["leaving"] for name, entry in story.late_readers["clusters"].items()} == {ONE: True, TWO: False}
    assert story.late_readers["clusters"][TWO] == story.early_readers["clusters"][TWO]


def test_the_payer_half_lets_go_of_who_is_leaving(story: Story) -> None:
    place = story.place
    assert story.left.ok, story.left.report
    assert story.trusted_before == {place.role_arn(ONE), place.role_arn(TWO)}
    assert story.trusted_after == {place.role_arn(TWO)}


def test_bad_documents_are_refused_before_the_first_write(story: Story) -> None:
    """Those of all hosts at once, payers and clusters."""
    run = story.bad
    assert run.rc == 2
    assert run.writes == run.kube_writes == []
    said = {task.host: task.result["msg"] for task in run.tasks if task.failed}
    assert set(said) == {*SAYS, TWO}
    for host, text in SAYS.items():
        assert text in said[host]
    assert said[TWO].startswith("Nothing was written. Mend what is said above of ")
    named = (
        said[TWO].removeprefix("Nothing was written. Mend what is said above of ").partition(", and run this again")[0]
    )
    assert set(named.split(", ")) == set(SAYS)


def test_no_document_has_a_secret(story: Story) -> None:
    said = json.dumps([story.billing, story.early_readers])
    assert "ASIA" not in said
    assert "token" not in said.lower()
