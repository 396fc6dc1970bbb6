# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubecost 1, 2 and 3 side by side: each is installed and proved in its own way, and upgraded without a gap.

The tests run in the order of the file, over one payer with three clusters.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.chart_server import PASSWORD, USERNAME, ChartServer
from integration.installation import CHARTS, Installation, Run
from sandbox.client import Sandbox

PAYER, ONE, TWO, THREE = "generations-payer", "generations", "generations2", "generations3"
CHART_OF = {"1": "cost-analyzer-1", "2": "cost-analyzer", "3": "kubecost"}
CHECKSUM = "kubestrap.aws/cloud-integration-checksum"
OLD, NEW = "kubecost-cost-analyzer", "kubecost"


def wants(place: Installation, cluster: str, generation: str, chart: str = "") -> None:
    """Write a generation, and its chart unless another one is named, into the inventory."""
    for name in [name for name in place.vars[cluster] if name.startswith("kubecost_chart_")]:
        del place.vars[cluster][name]
    ref = str(CHARTS / (chart or CHART_OF[generation]))
    place.vars[cluster] |= {"kubecost_generation": generation, "kubecost_chart_ref": ref}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartServer]:
    """Chart 1 in a Helm repository that wants a password."""
    with ChartServer(CHARTS / CHART_OF["1"], tmp_path_factory.mktemp("repository")) as server:
        yield server


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartServer]:
    """Chart 2 in an OCI registry that wants a password."""
    with ChartServer(CHARTS / CHART_OF["2"], tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def place(sandbox: Sandbox, repository: ChartServer, registry: ChartServer) -> Installation:
    """One payer, and a cluster for each generation. The third chart is a folder."""
    made = Installation(sandbox, "generations", number=13, clusters=3)
    for cluster, generation in ((ONE, "1"), (TWO, "2"), (THREE, "3")):
        wants(made, cluster, generation)
        made.vars[cluster]["kubecost_image_registry"] = "registry.invalid/mirror"
    password = {"kubecost_chart_username": USERNAME, "kubecost_chart_password": PASSWORD}
    made.vars[ONE] |= {
        **password, "kubecost_chart_ref": "", "kubecost_chart_repo_url": repository.repository,
        "kubecost_chart_ca_file": repository.ca_file, "kubecost_chart_digest": repository.archive_digest,
    }  # fmt: skip
    made.vars[TWO] |= {
        **password, "kubecost_chart_ref": registry.registry, "kubecost_chart_digest": registry.digest,
        "kubecost_chart_ca_file": registry.ca_file,
    }  # fmt: skip
    return made


@pytest.fixture(scope="module")
def installed(place: Installation) -> Run:
    """The first run."""
    run = place.run("kubecost", arguments=("-vv",))
    assert run.ok, run.report
    return run


def living(place: Installation, cluster: str) -> dict[str, Any]:
    """Pods of the namespace that are not on their way out, by their uid."""
    return {pod.metadata.uid: pod for pod in place.pods(cluster) if not pod.metadata.deletion_timestamp}


def subjects(place: Installation, cluster: str, role: str = "") -> list[str]:
    """ServiceAccounts that the role of a cluster trusts."""
    iam = place.cluster_aws().client("iam")
    trust = iam.get_role(RoleName=role or f"kubecost-{cluster}")["Role"]["AssumeRolePolicyDocument"]
    found = [
        value.rpartition(":")[2]
        for statement in trust["Statement"]
        for key, value in statement["Condition"]["StringEquals"].items()
        if key.endswith(":sub")
    ]
    return sorted(found)


@pytest.mark.parametrize(
    ("cluster", "account", "app", "container"),
    [
        (ONE, OLD, "cost-analyzer", "cost-model"),
        (TWO, OLD, "cost-analyzer", "cloud-cost"),
        (THREE, NEW, "cloud-cost", "cloud-cost"),
    ],
)
def test_each_generation_is_proved_in_its_own_way(
    place: Installation, installed: Run, cluster: str, account: str, app: str, container: str
) -> None:
    assert installed.outcome(cluster)["state"] == "pending"
    assert installed.links(cluster) == {**dict.fromkeys(installed.links(cluster), "ok"), "query": "pending"}
    assert {"pods", "release", "service account"} <= set(installed.links(cluster))
    assert subjects(place, cluster) == [account]
    readers = [pod for pod in living(place, cluster).values() if pod.metadata.labels["app"] == app]
    (reader,) = [pod for pod in readers if container in [each.name for each in pod.spec.containers]]
    assert reader.spec.service_account_name == account
    assert CHECKSUM in reader.metadata.annotations
    assert all(each.image.startswith("registry.invalid/mirror/") for each in reader.spec.containers)
    volumes = [volume.secret.secret_name for volume in reader.spec.volumes if volume.secret]
    assert "cloud-integration" in volumes


@pytest.mark.parametrize(("cluster", "form"), [(ONE, list), (TWO, list), (THREE, dict)])
def test_each_generation_gets_its_form_of_the_secret(
    place: Installation, installed: Run, cluster: str, form: type
) -> None:
    secret = place.core(cluster).read_namespaced_secret("cloud-integration", "kubecost")
    assert isinstance(json.loads(base64.b64decode(secret.data["cloud-integration.json"]))["aws"], form)


def test_charts_come_from_behind_a_password_that_nobody_sees(
    installed: Run, repository: ChartServer, registry: ChartServer
) -> None:
    assert ("/charts/cost-analyzer-1.108.1.tgz", True) in repository.requests
    assert (f"/v2/mirror/cost-analyzer/manifests/{registry.digest}", True) in registry.requests
    results = json.dumps([task.result for task in installed.tasks], default=str)
    everything = installed.stdout + installed.stderr + results
    assert PASSWORD not in everything
    assert base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode() not in everything
    for cluster, ref in ((ONE, "/cache/cost-analyzer-1.108.1.tgz"), (TWO, f"{registry.registry}@{registry.digest}")):
        command = installed.task("kubestrap.aws.kubecost : Install or update the release", cluster).result["command"]
        assert f"{ref}'" in command
        folder = installed.task("kubestrap.aws.kubecost : Make a folder that nobody else can read", cluster)
        assert not Path(folder.result["path"]).exists()


def test_a_chart_of_another_digest_is_not_installed(
    place: Installation, installed: Run, repository: ChartServer
) -> None:
    place.vars[ONE]["kubecost_chart_digest"] = f"sha256:{'0' * 64}"
    run = place.run("kubecost", limit=f"{PAYER},{ONE}")
    assert run.rc == 2
    assert f"is not that of the chart cost-analyzer 1.108.1 in {repository.repository}" in run.notes(ONE)
    assert repository.archive_digest in run.notes(ONE)
    assert run.kube_writes == []


def test_what_cannot_follow_is_named_before_the_first_write(place: Installation, installed: Run) -> None:
    wants(place, ONE, "3")
    wants(place, TWO, "2", chart="cost-analyzer-1")
    wants(place, THREE, "2")

    run = place.run("kubecost")

    assert run.rc == 2
    assert (
        "kubecost_generation: '3' cannot follow the release kubecost, which is the chart cost-analyzer 1." in run.report
    )
    assert "is the chart cost-analyzer 1.108.1, not one of generation 2 (cost-analyzer 2.x)" in run.report
    assert "kubecost_generation: '2' is older than the release kubecost, which is the chart kubecost 3." in run.report
    assert (run.writes, run.kube_writes) == ([], [])


@pytest.fixture(scope="module")
def before(place: Installation, installed: Run) -> dict[str, set[str]]:
    """The pods before the upgrade."""
    return {cluster: set(living(place, cluster)) for cluster in place.clusters}


@pytest.fixture(scope="module")
def upgraded(place: Installation, before: dict[str, set[str]]) -> Run:
    """1 -> 2 and 2 -> 3; 3 stays as it is. A dry run said the same before."""
    wants(place, ONE, "2")
    wants(place, TWO, "3")
    wants(place, THREE, "3")
    predicted = place.run("kubecost", check=True)
    assert predicted.ok, predicted.report
    assert (predicted.writes, predicted.kube_writes) == ([], [])
    run = place.run("kubecost")
    assert run.ok, run.report
    assert run.changes == predicted.changes
    return run


def test_the_next_generation_is_proved(place: Installation, upgraded: Run) -> None:
    for cluster, generation, account in ((ONE, "2", OLD), (TWO, "3", NEW)):
        assert upgraded.links(cluster) == {**dict.fromkeys(upgraded.links(cluster), "ok"), "query": "pending"}
        assert "install or update the release kubecost" in upgraded.changes[cluster]
        release = upgraded.task("kubestrap.aws.kubecost : Install or update the release", cluster).result["status"]
        assert release["chart"].startswith({"2": "cost-analyzer-2.", "3": "kubecost-3."}[generation])
        assert account in {pod.spec.service_account_name for pod in living(place, cluster).values()}


def test_old_and_new_pods_are_both_trusted_during_the_upgrade(place: Installation, upgraded: Run) -> None:
    assert subjects(place, TWO) == [NEW, OLD]
    assert subjects(place, ONE) == [OLD], "1 and 2 have the same name for it"
    names = [task.name.rpartition(" : ")[2] for task in upgraded.tasks if task.host == TWO]
    trusted = names.index("Make the role that the ServiceAccounts take")
    assert trusted < names.index("Install or update the release")


def test_pods_restart_only_where_something_changed(
    place: Installation, upgraded: Run, before: dict[str, set[str]]
) -> None:
    assert upgraded.changes[THREE] == []
    assert set(living(place, THREE)) == before[THREE]
    assert not set(living(place, ONE)) & before[ONE]


@pytest.fixture(scope="module")
def after(place: Installation, upgraded: Run) -> Run:
    """The run after the upgrade. Meanwhile the third cluster was given a role of another name."""
    place.vars[THREE]["kubecost_role_name"] = "costs"
    run = place.run("kubecost")
    assert run.ok, run.report
    return run


def test_the_next_run_takes_the_old_one_out_of_the_trust(place: Installation, after: Run) -> None:
    assert subjects(place, TWO) == [NEW]
    assert after.changes[TWO] == [f"update the trust policy of the role kubecost-{TWO}"]
    assert after.changes[ONE] == []


def test_another_role_on_the_service_account_restarts_the_pods(
    place: Installation, after: Run, before: dict[str, set[str]]
) -> None:
    # The agent of FinOps has a ServiceAccount of its own, and stays.
    pods = {uid: pod for uid, pod in living(place, THREE).items() if pod.spec.service_account_name == NEW}
    assert len(pods) > 1
    assert not set(pods) & before[THREE]
    (reader,) = [pod for pod in pods.values() if pod.metadata.labels["app"] == "cloud-cost"]
    role = f"arn:aws:iam::{place.cluster_account}:role/costs"
    assert role in [variable.value for each in reader.spec.containers for variable in each.env]
    assert after.links(THREE)["pods"] == "ok"


def test_a_release_that_failed_is_installed_again(place: Installation, after: Run) -> None:
    here = f"{PAYER},{THREE}"
    place.vars[THREE]["kubecost_values"] = {"global": {"podAnnotations": {"team": "finops"}}}
    failed = place.run("kubecost", limit=here, extra_vars={"kubecost_helm_timeout": "1ms"})
    assert failed.rc == 2
    assert "Failure when executing Helm command" in failed.notes(THREE)

    run = place.run("kubecost", limit=here)

    assert run.ok, run.report
    seen = run.task("kubestrap.aws.kubecost : Look at the cluster", THREE).result["preflight"]["release"]
    assert seen["status"] == "failed"
    assert "has failed. It is installed again" in run.stdout
    assert run.links(THREE)["release"] == "ok"
    assert "install or update the release kubecost" in run.changes[THREE]
