# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of the fixture charts in the sandbox' cluster: what they demand, and which pods a checksum replaces."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.fixture_charts import (
    CHART_OF,
    SECRET,
    STORE,
    Helm,
    facts,
    storage_facts,
    stored,
    wired,
)
from integration.world import kubecost_chart
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from sandbox.client import Sandbox


class Cluster:
    """The sandbox' cluster: a namespace of the test's own, and helm in it."""

    def __init__(self, sandbox: Sandbox, helm: Helm, namespace: str) -> None:
        self._kubeconfig = sandbox.state["clusters"]["demo"]["admin_kubeconfig"]
        self._helm, self.namespace = helm, namespace
        self.core = client.CoreV1Api(config.new_client_from_config(self._kubeconfig))

    def helm(self, *arguments: str | Path, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        where = ("--kubeconfig", self._kubeconfig, "--namespace", self.namespace)
        return self._helm(*arguments, *where, values=values)

    def install(self, generation: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        chart = CHART_OF[generation]
        return self.helm("upgrade", "--install", "kubecost", chart, "--wait", "--timeout", "120s", values=values)

    def write_secret(self) -> None:
        metadata = client.V1ObjectMeta(name=SECRET)
        body = client.V1Secret(metadata=metadata, string_data={kubecost_chart.SECRET_KEY: json.dumps({"aws": {}})})
        self.core.create_namespaced_secret(self.namespace, body)

    def write_store(self, file_name: str) -> None:
        """The Secret of the bucket, and the ServiceAccount that chart 1 does not make."""
        body = client.V1Secret(metadata=client.V1ObjectMeta(name=STORE), string_data={file_name: "type: S3"})
        self.core.create_namespaced_secret(self.namespace, body)
        account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="thanos"))
        self.core.create_namespaced_service_account(self.namespace, account)

    def pods(self, selector: str) -> list[Any]:
        """The pods that are not on their way out."""
        found = self.core.list_namespaced_pod(self.namespace, label_selector=selector).items
        return [pod for pod in found if not pod.metadata.deletion_timestamp]


@pytest.fixture
def cluster(sandbox: Sandbox, helm: Helm, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    namespace = f"charts-{request.node.callspec.params['generation']}"
    made = Cluster(sandbox, helm, namespace)
    made.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace)))
    yield made
    made.helm("uninstall", "kubecost", "--ignore-not-found")
    made.core.delete_namespace(namespace)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            made.core.read_namespace(namespace)
        except ApiException as e:
            assert e.status == 404
            return
        time.sleep(0.5)
    raise AssertionError(f"the namespace {namespace} is still there")


@pytest.mark.parametrize("generation", CHART_OF)
def test_a_release_in_the_cluster(cluster: Cluster, generation: str) -> None:
    values, said = wired(generation), facts(generation, "kubecost", {}, cluster.namespace)
    if generation == "2":
        without = cluster.install(generation, values)
        assert without.returncode != 0
        assert f"The cloud integration secret '{SECRET}' does not exist" in without.stderr
    cluster.write_secret()

    first = cluster.install(generation, values)
    assert first.returncode == 0, first.stderr
    before = cluster.pods(said["pod_selector"])
    assert len(before) == 1
    assert before[0].spec.service_account_name == said["service_account_name"]
    assert before[0].metadata.annotations[said["checksum_annotation"]] == "one"
    claims = cluster.core.list_namespaced_persistent_volume_claim(cluster.namespace).items
    assert claims and {claim.status.phase for claim in claims} == {"Bound"}

    again = cluster.install(generation, values)
    assert again.returncode == 0, again.stderr
    assert [pod.metadata.uid for pod in cluster.pods(said["pod_selector"])] == [before[0].metadata.uid]

    changed = cluster.install(generation, wired(generation, checksum="two"))
    assert changed.returncode == 0, changed.stderr
    after = cluster.pods(said["pod_selector"])
    assert [pod.metadata.annotations[said["checksum_annotation"]] for pod in after] == ["two"]
    assert after[0].metadata.uid != before[0].metadata.uid


@pytest.mark.parametrize("generation", CHART_OF)
def test_pods_that_open_the_bucket_are_rolled_in_the_cluster(cluster: Cluster, generation: str) -> None:
    said = storage_facts(generation, "kubecost", {})
    if generation != "1":
        cluster.write_secret()
        without = cluster.install(generation, stored(generation))
        assert without.returncode != 0 and f"storage config secret '{STORE}' does not exist" in without.stderr
    else:
        cluster.write_secret()
    cluster.write_store(said["file_name"])

    def opening() -> dict[str, str]:
        """UID of each pod that opens the bucket -> its checksum."""
        pods = [
            pod for pod in cluster.pods("") if any(v.secret and v.secret.secret_name == STORE for v in pod.spec.volumes)
        ]
        assert {pod.spec.service_account_name for pod in pods} == {each["name"] for each in said["service_accounts"]}
        return {pod.metadata.uid: (pod.metadata.annotations or {}).get(said["checksum_annotation"]) for pod in pods}

    first = cluster.install(generation, stored(generation))
    assert first.returncode == 0, first.stderr
    before = opening()
    assert len(before) == len(said["workloads"]) and set(before.values()) == {"one"}

    again = cluster.install(generation, stored(generation))
    assert again.returncode == 0, again.stderr
    assert opening() == before

    changed = cluster.install(generation, stored(generation, checksum="two"))
    assert changed.returncode == 0, changed.stderr
    after = opening()
    assert set(after.values()) == {"two"} and not before.keys() & after.keys()
