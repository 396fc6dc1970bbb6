# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else installs the chart: from the files that are written for Argo CD or Flux, or in a way of their own.

For cluster `gitops` values and manifests are written; for `gitops2` nothing is, and its ServiceAccount was there.
There is no helm for the playbook. The test plays Argo CD: it renders the chart and applies it, which leaves no release.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.installation import CHARTS, Installation, Run
from integration.world import trust
from kubernetes import client, utils
from sandbox import toolchain
from sandbox.client import Sandbox

PAYER, ONE, TWO = "gitops-payer", "gitops", "gitops2"
ROLE = "eks.amazonaws.com/role-arn"
# Of generation 2: its ServiceAccount, and a pod that Argo CD has not taken away yet.
OLD = "kubecost-cost-analyzer"
OLD_POD = {
    "metadata": {"name": "old"},
    "spec": {"serviceAccountName": OLD, "containers": [{"name": "cost-model", "image": "registry.invalid/old"}]},
}
THEIRS = {"metadata": {"name": "finops", "annotations": {"owner": "team-finops"}, "labels": {"team": "finops"}}}


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Installation:
    """Two clusters, of which one has a ServiceAccount of somebody's."""
    made = Installation(sandbox, "gitops", number=24, clusters=2)
    for host in (ONE, TWO):
        made.vars[host]["kubestrap_helm_binary"] = "there-is-no-helm"
    made.vars[ONE] |= {"kubecost_deploy": "values", "kubecost_service_account_created_by": "kubestrap"}
    made.vars[TWO] |= {
        "kubecost_deploy": "none",
        "kubecost_service_account_created_by": "existing",
        "kubecost_service_account_name": "finops",
    }
    core = made.core(TWO)
    core.create_namespace({"metadata": {"name": "kubecost"}})
    core.create_namespaced_service_account("kubecost", THEIRS)
    return made


class Story:
    """The runs in their order, and what was looked at between them."""

    def __init__(self, place: Installation, folder: Path) -> None:
        self.folder = folder / ONE
        self.refused = place.run("kubecost")
        place.vars[ONE]["kubecost_output_directory"] = str(folder)
        self.predicted = place.run("kubecost", check=True)
        self.files_after_check = list(folder.rglob("*"))
        self.first = place.run("kubecost")
        self.files = {path.name: path.read_text() for path in self.folder.iterdir()}
        place.deliver()
        for cluster, values in ((ONE, yaml.safe_load(self.files["values.yaml"])), (TWO, own_values())):
            argo_cd(place, cluster, values)
        trust_older_generation(place)
        core = place.core(ONE)
        core.create_namespaced_service_account("kubecost", {"metadata": {"name": OLD}})
        core.create_namespaced_pod("kubecost", OLD_POD)
        self.finish = place.run("kubecost")
        self.trusted = subjects(place)
        core.delete_namespaced_pod("old", "kubecost", grace_period_seconds=0)
        self.later = place.run("kubecost", limit=f"{PAYER},{ONE}")
        self.trusted_later = subjects(place)
        self.files_again = {path.name: path.read_text() for path in self.folder.iterdir()}
        self.secret = place.core(ONE).read_namespaced_secret("cloud-integration", "kubecost")
        self.annotated = place.core(TWO).read_namespaced_service_account("finops", "kubecost")
        self.releases = [s for s in place.core(ONE).list_namespaced_secret("kubecost").items if "helm" in s.type]
        self.gone = place.run("teardown")
        self.left = place.core(TWO).read_namespaced_service_account("finops", "kubecost")

    @property
    def runs(self) -> list[Run]:
        """All that have to end well."""
        return [self.predicted, self.first, self.finish, self.later, self.gone]


def trust_older_generation(place: Installation) -> None:
    """Have the role trust the ServiceAccount of generation 2, as it does after an upgrade."""
    iam, name = place.cluster_aws().client("iam"), f"kubecost-{ONE}"
    issuer = place.sandbox.state["clusters"][ONE]["issuer"]
    provider = f"arn:aws:iam::{place.cluster_account}:oidc-provider/{issuer.removeprefix('https://')}"
    document = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    document["Statement"] += trust.irsa_trust(
        oidc_provider_arn=provider, issuer=issuer, subjects=[f"system:serviceaccount:kubecost:{OLD}"]
    )
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))


def subjects(place: Installation) -> set[str]:
    """ServiceAccounts that the role of the first cluster trusts."""
    role = place.cluster_aws().client("iam").get_role(RoleName=f"kubecost-{ONE}")["Role"]
    conditions = [s["Condition"]["StringEquals"] for s in role["AssumeRolePolicyDocument"]["Statement"]]
    return {value.rpartition(":")[2] for each in conditions for key, value in each.items() if key.endswith(":sub")}


def own_values() -> dict[str, Any]:
    """What the owners of the second cluster write themselves."""
    return {
        "serviceAccount": {"create": False, "name": "finops"},
        "global": {"clusterId": TWO},
        "cloudCost": {"enabled": True, "cloudIntegrationSecret": "cloud-integration"},
    }


def argo_cd(place: Installation, cluster: str, values: dict[str, Any]) -> None:
    """Render and apply, as Argo CD does, and wait until the pods are there."""
    helm = toolchain.ensure_programs() / "helm"
    command = [str(helm), "template", "kubecost", str(CHARTS / "kubecost"), "--namespace", "kubecost", "--values", "-"]
    rendered = subprocess.run(
        command, input=yaml.safe_dump(values), capture_output=True, text=True, timeout=120, check=True
    )
    kube = place.kube(cluster)
    for document in yaml.safe_load_all(rendered.stdout):
        if document:
            utils.create_from_dict(kube, document, namespace="kubecost")
    apps = client.AppsV1Api(kube)
    deadline = time.monotonic() + 120
    while not all(d.status.ready_replicas for d in apps.list_namespaced_deployment("kubecost").items):
        assert time.monotonic() < deadline, "the pods do not get ready"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def story(place: Installation, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """All runs."""
    return Story(place, tmp_path_factory.mktemp("gitops"))


def test_every_run_ends_well_without_helm(story: Story) -> None:
    for run in story.runs:
        assert run.ok, run.report


def test_files_without_a_folder_are_refused_before_the_first_write(story: Story) -> None:
    assert story.refused.rc == 2
    assert "kubecost_output_directory: '' is no folder" in story.refused.report
    assert story.refused.writes == story.refused.kube_writes == []


def test_check_mode_predicts_and_writes_no_file(story: Story) -> None:
    assert story.files_after_check == []
    assert story.predicted.writes == story.predicted.kube_writes == []
    assert story.predicted.changes == story.first.changes
    # A dry run makes no folder, so that nothing can be written into it; that it would be is among the changes.
    steps, done = set(story.predicted.changed_steps), set(story.first.changed_steps)
    assert (done - steps, steps - done) == ({(ONE, "Write values and manifests")}, set())
    assert f"write values and manifests into {story.folder}" in story.first.changes[ONE]
    assert "annotate the ServiceAccount finops" in story.first.changes[TWO]


def test_what_is_not_installed_yet_is_pending_with_what_comes_next(story: Story) -> None:
    for cluster in (ONE, TWO):
        assert story.first.outcome(cluster)["state"] == "pending"
        links = story.first.links(cluster)
        assert links["pods"] == "pending"
        assert links["payer role"] == links["secret"] == "ok"
        assert "release" not in links
    assert f"Have Argo CD or Flux install the chart with the files of {story.folder}" in story.first.notes(ONE)
    assert "with the ServiceAccount finops and the Secret cloud-integration" in story.first.notes(TWO)


def test_the_files_are_readable_and_name_the_secret_only(place: Installation, story: Story) -> None:
    assert sorted(story.files) == ["namespace.yaml", "service-account.yaml", "values.yaml"]
    assert story.files["values.yaml"].startswith("# Values of the chart kubecost ")
    values = yaml.safe_load(story.files["values.yaml"])
    assert values["cloudCost"]["cloudIntegrationSecret"] == "cloud-integration"
    assert values["serviceAccount"]["create"] is False
    account = yaml.safe_load(story.files["service-account.yaml"])
    assert account["metadata"]["annotations"] == {ROLE: place.role_arn(ONE)}
    assert yaml.safe_load(story.files["namespace.yaml"])["metadata"]["name"] == "kubecost"
    content = base64.b64decode(story.secret.data["cloud-integration.json"]).decode()
    for text in story.files.values():
        assert place.reader_arn() not in text
        assert story.secret.data["cloud-integration.json"] not in text
        assert content not in text


def test_the_proof_finds_the_pods_without_a_release(story: Story) -> None:
    assert story.releases == []
    for cluster in (ONE, TWO):
        assert set(story.finish.links(cluster).values()) == {"ok"}
        assert story.finish.outcome(cluster)["state"] == "done"
        assert story.finish.changes[cluster] == []
    assert story.files_again == story.files


def test_the_old_service_account_leaves_the_trust_with_its_last_pod(story: Story) -> None:
    assert story.trusted == {"kubecost", OLD}
    assert story.later.changes[ONE] == [f"update the trust policy of the role kubecost-{ONE}"]
    assert story.trusted_later == {"kubecost"}


def test_an_existing_service_account_gets_our_annotation_and_loses_only_that(place: Installation, story: Story) -> None:
    assert story.annotated.metadata.annotations == {"owner": "team-finops", ROLE: place.role_arn(TWO)}
    assert story.left.metadata.annotations == {"owner": "team-finops"}
    assert story.left.metadata.labels == {"team": "finops"}
    assert story.left.metadata.uid == story.annotated.metadata.uid


def test_teardown_leaves_kubecost_to_who_installed_it(place: Installation, story: Story) -> None:
    assert place.pods(ONE)
    assert "Remove it there" in story.gone.notes(ONE)
    assert "delete the ServiceAccount kubecost" in story.gone.changes[ONE]
    assert "take our annotation from the ServiceAccount finops" in story.gone.changes[TWO]
