# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that its owner has installed: its values are not lost in silence, it is wired, and stays when that ends.

One installation goes through all its states, a run each; the tests look at what the runs left behind.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import time
from typing import Any

import pytest
import yaml
from integration.installation import CHARTS, Installation, Run
from kubernetes import client
from sandbox import toolchain
from sandbox.client import Sandbox

PAYER, CLUSTER = "adoption-payer", "adoption"
CHECKSUM, MARK = "kubestrap.aws/cloud-integration-checksum", "kubestrap.aws/release"
PROXY = "http://agent:k7pQzwVt@proxy.invalid:3128"
THEIRS: dict[str, Any] = {
    "cloudCost": {"env": {"HTTPS_PROXY": PROXY}},
    "global": {"clusterId": CLUSTER, "podAnnotations": {"team": "finops"}},
}
NOT_WELL = ("refused", "interrupted")
GIVEN_BACK = "give the release kubecost its own values back"


@pytest.fixture(scope="module")
def place(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A payer that has delivered nothing yet, and a cluster with a Kubecost of its owner's."""
    made = Installation(sandbox, "adoption", number=29)
    home = tmp_path_factory.mktemp("helm")
    command = [
        str(toolchain.ensure_programs() / "helm"), "install", "kubecost", str(CHARTS / "kubecost"), "--wait",
        "--namespace", "kubecost", "--create-namespace", "--values", "-",
        "--kubeconfig", sandbox.state["clusters"][CLUSTER]["admin_kubeconfig"],
    ]  # fmt: skip
    homes = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    environment = {**os.environ, **homes}
    subprocess.run(command, input=yaml.safe_dump(THEIRS), env=environment, text=True, timeout=300, check=True)
    return made


def release(place: Installation) -> dict[str, Any]:
    """The newest revision as Helm keeps it: ``version``, ``status``, ``values``."""
    secrets = place.core().list_namespaced_secret("kubecost", label_selector="owner=helm,name=kubecost").items
    packed = max(secrets, key=lambda secret: int(secret.metadata.labels["version"])).data["release"]
    found = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(packed))))
    return {"version": found["version"], "status": found["info"]["status"], "values": found.get("config") or {}}


def state_of(place: Installation) -> dict[str, Any]:
    """What there is, read by other means than those of the collection."""
    core, apps = place.core(), client.AppsV1Api(place.kube())
    deadline = time.monotonic() + 60
    while not all(
        each.spec.replicas == each.status.replicas == each.status.updated_replicas
        for each in apps.list_namespaced_deployment("kubecost").items
    ):
        assert time.monotonic() < deadline, "pods of the revision before are left"
        time.sleep(0.5)
    pods = [pod for pod in place.pods() if not pod.metadata.deletion_timestamp]
    account = core.read_namespaced_service_account("kubecost", "kubecost")
    return {
        "release": release(place),
        "secrets": {secret.metadata.name for secret in core.list_namespaced_secret("kubecost").items},
        "pods": {pod.metadata.uid for pod in pods},
        "mounted": {v.secret.secret_name for pod in pods for v in pod.spec.volumes if v.secret},
        "annotations": account.metadata.annotations or {},
        "roles": {role["RoleName"] for role in place.cluster_aws().client("iam").list_roles()["Roles"]},
    }


def helm_waits(place: Installation) -> bool:
    """Whether Helm has given the release our values, and waits for the pods."""
    selector = "owner=helm,status=pending-upgrade"
    pending = place.core().list_namespaced_secret("kubecost", label_selector=selector).items
    templates = [
        each.spec.template.spec for each in client.AppsV1Api(place.kube()).list_namespaced_deployment("kubecost").items
    ]
    mounted = {volume.secret.secret_name for spec in templates for volume in spec.volumes or [] if volume.secret}
    return bool(pending) and "cloud-integration" in mounted


def make_old(place: Installation) -> None:
    """Make the newest revision one of so long ago that no run of Helm can be at work any more."""
    secrets = place.core().list_namespaced_secret("kubecost", label_selector="owner=helm,name=kubecost").items
    newest = max(secrets, key=lambda secret: int(secret.metadata.labels["version"])).metadata.name
    long_ago = str(int(time.time()) - 601)
    labels = {"metadata": {"labels": {"createdAt": long_ago, "modifiedAt": long_ago}}}
    place.core().patch_namespaced_secret(newest, "kubecost", labels)


class Story:
    """The runs in their order, and what was looked at between them."""

    def __init__(self, place: Installation) -> None:
        self.found = state_of(place)
        self.refused = place.run("kubecost", arguments=("-vv",))
        self.after_refusal = state_of(place)
        place.vars[CLUSTER]["kubecost_values"] = THEIRS
        self.predicted = place.run("kubecost", check=True)
        self.first = place.run("kubecost")
        self.adopted = state_of(place)
        self.second = place.run("kubecost")
        self.unchanged = state_of(place)
        self.leaving = place.run("teardown", check=True)
        self.gone = place.run("teardown")
        self.left = state_of(place)
        self.again = place.run("teardown")
        self.left_again = state_of(place)
        self.interrupted = place.run("kubecost", kill_when=lambda: helm_waits(place))
        self.half = release(place)
        make_old(place)
        self.completed = place.run("teardown")
        self.left_in_the_end = state_of(place)

    @property
    def runs(self) -> list[Run]:
        """All that have to end well."""
        return [value for name, value in vars(self).items() if isinstance(value, Run) and name not in NOT_WELL]


@pytest.fixture(scope="module")
def story(place: Installation) -> Story:
    """All runs."""
    return Story(place)


def test_every_run_but_the_first_ends_well(story: Story) -> None:
    for run in story.runs:
        assert run.ok, run.report


def test_values_that_would_be_lost_are_named_by_their_keys_before_the_first_write(story: Story) -> None:
    assert story.refused.rc == 2
    assert (
        "kubecost_values: the release kubecost in namespace kubecost was not installed by this" in story.refused.report
    )
    said = "lost or changed: cloudCost.env.HTTPS_PROXY, global.podAnnotations.team. Write them into kubecost_values"
    assert said in story.refused.report
    assert "kubecost_release_change: true" in story.refused.report
    assert (story.refused.writes, story.refused.kube_writes) == ([], [])
    assert story.after_refusal == story.found


def test_the_values_of_the_inventory_are_not_shown_by_the_preflight(story: Story) -> None:
    assert "k7pQzwVt" not in story.refused.stdout + story.refused.stderr
    for run in story.runs:
        looked = run.task("kubestrap.aws.kubecost : Look at the cluster", CLUSTER).result
        assert "k7pQzwVt" not in json.dumps(looked)
        # Nor is there more hidden than that: of a mapping each word would be.
        assert looked["preflight"]["cluster"]["name"] == CLUSTER


def test_with_them_in_the_inventory_the_release_is_wired_and_proved(place: Installation, story: Story) -> None:
    assert story.predicted.changes == story.first.changes
    assert "install or update the release kubecost" in story.first.changes[CLUSTER]
    links = story.first.links(CLUSTER)
    assert links == {**dict.fromkeys(links, "ok"), "query": "pending"}
    values = story.adopted["release"]["values"]
    assert values["cloudCost"]["env"] == THEIRS["cloudCost"]["env"]
    assert values["global"]["podAnnotations"].keys() == {"team", CHECKSUM, MARK}
    assert values["global"]["podAnnotations"][MARK] == "adopted"
    assert story.adopted["annotations"]["eks.amazonaws.com/role-arn"] == place.role_arn()
    assert "cloud-integration" in story.adopted["mounted"]


def test_the_second_run_changes_nothing(story: Story) -> None:
    """So it keeps the mark, although it sees nothing any more of what was there before."""
    assert story.second.changed_steps == []
    assert (story.second.writes, story.second.kube_writes) == ([], [])
    assert story.unchanged == story.adopted


def test_teardown_predicts_what_it_does(story: Story) -> None:
    assert (story.leaving.writes, story.leaving.kube_writes) == ([], [])
    assert story.leaving.changes == story.gone.changes
    assert GIVEN_BACK in story.gone.changes[CLUSTER]
    assert "remove the release kubecost" not in story.gone.changes[CLUSTER]
    for run in (story.leaving, story.gone):
        assert "Kept: the release kubecost was not installed by this collection." in run.notes(CLUSTER)


def test_teardown_gives_the_release_its_own_values_back_and_takes_away_what_is_ours(story: Story) -> None:
    left = story.left
    assert left["release"]["status"] == "deployed"
    assert left["release"]["values"] == THEIRS
    assert "cloud-integration" not in left["secrets"] | left["mounted"]
    assert "eks.amazonaws.com/role-arn" not in left["annotations"]
    assert len(left["pods"]) == len(story.found["pods"])
    assert f"kubecost-{CLUSTER}" not in left["roles"]


def test_teardown_after_an_adoption_that_was_cut_leaves_nothing_of_ours_in_the_pods(story: Story) -> None:
    assert story.interrupted.rc < 0
    assert story.half["status"] == "pending-upgrade"
    assert GIVEN_BACK in story.completed.changes[CLUSTER]
    left = story.left_in_the_end
    assert (left["release"]["status"], left["release"]["values"]) == ("deployed", THEIRS)
    assert "cloud-integration" not in left["secrets"] | left["mounted"]
    assert len(left["pods"]) == len(story.found["pods"])


def test_a_second_teardown_changes_nothing(story: Story) -> None:
    assert story.again.changes[CLUSTER] == []
    assert story.again.kube_writes == []
    assert "Kept: the release kubecost was not installed by this collection." in story.again.notes(CLUSTER)
    assert story.left_again == story.left
