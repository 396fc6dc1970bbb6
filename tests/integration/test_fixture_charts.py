# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture charts with the real helm: what they make of a release is what kubecost_chart says, and they refuse what
it says that the vendor's charts refuse."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from integration.files import COLLECTION
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from sandbox import toolchain
from sandbox.client import Sandbox

_AnsibleCollectionFinder(paths=os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":"))._install()

from ansible_collections.kubestrap.aws.plugins.module_utils import kubecost_chart, kubecost_values  # noqa: E402

CHARTS = COLLECTION / "tests/fixtures/charts"
CHART_OF = {"1": CHARTS / "cost-analyzer-1", "2": CHARTS / "cost-analyzer", "3": CHARTS / "kubecost"}
ROLE = "arn:aws:iam::222222222222:role/kubecost-demo"
SECRET, STORE, PRODUCT_KEY = "cloud-integration", "bucket-config", "enterprise"
LONG = "a-release-of-which-the-name-has-exactly-fifty-three-c"

Helm = Callable[..., subprocess.CompletedProcess[str]]
Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Runs helm with values on its standard input."""
    program = toolchain.ensure_programs() / "helm"
    home = tmp_path_factory.mktemp("helm")
    homes = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: str | Path, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(program), *map(str, arguments), *(["--values", "-"] if values is not None else [])]
        return subprocess.run(
            command,
            input=yaml.safe_dump(values) if values is not None else None,
            env={**os.environ, **homes},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def wired(
    generation: str, release: str = "kubecost", user: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """The values that the collection would install with."""
    wiring = {
        "generation": generation,
        "release": release,
        "cluster_id": "prod-eu",
        "cloud_integration_secret": SECRET,
        "service_account": {"annotations": {"eks.amazonaws.com/role-arn": ROLE}},
        "checksum": "one",
        "user_values": user or {},
    }
    return kubecost_values.build({**wiring, **more})


def facts(generation: str, release: str, values: dict[str, Any], namespace: str = "finops") -> dict[str, Any]:
    return kubecost_chart.facts(
        {"generation": generation, "release": release, "namespace": namespace, "values": values}
    )


def rendered(helm: Helm, generation: str, release: str, values: dict[str, Any]) -> Objects:
    """The objects by kind and name."""
    made = helm("template", release, CHART_OF[generation], "--namespace", "finops", values=values)
    assert made.returncode == 0, made.stderr
    objects = [document for document in yaml.safe_load_all(made.stdout) if document]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def nested(dotted: str, value: Any) -> dict[str, Any]:
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize("generation", CHART_OF)
def test_the_charts_are_those_of_their_generation(helm: Helm, generation: str) -> None:
    known = kubecost_chart.GENERATIONS[generation]
    chart = yaml.safe_load((CHART_OF[generation] / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["name"], chart["version"]) == (known.chart, known.version)
    lint = helm("lint", "--strict", CHART_OF[generation])
    assert lint.returncode == 0, lint.stdout


# (generation, release, the user's values)
INSTALLS = [
    ("1", "kubecost", {}),
    ("1", LONG, {}),
    ("1", "costs", {"nameOverride": "kc", "serviceAccount": {"name": ""}}),
    ("2", "kubecost", {}),
    ("2", "my-cost-analyzer", {}),
    ("2", LONG, {}),
    (
        "2",
        "costs",
        {
            "kubecostAggregator": {"deployMethod": "statefulset"},
            "kubecostModel": {"federatedStorageConfigSecret": STORE},
        },
    ),
    ("2", "costs", {"nameOverride": "kc"}),
    ("3", "kubecost", {}),
    ("3", "costs", {"fullnameOverride": "money"}),
    ("3", "costs", {"nameOverride": "kc", "localStore": {"enabled": False}}),
    ("3", LONG, {}),
    ("3", "finopsagent", {}),
]


@pytest.mark.parametrize(("generation", "release", "user"), INSTALLS)
def test_what_the_facts_say_is_what_helm_renders(
    helm: Helm, generation: str, release: str, user: dict[str, Any]
) -> None:
    values = wired(generation, release, user)
    said, objects = facts(generation, release, user), rendered(helm, generation, release, values)

    account = objects["ServiceAccount", said["service_account_name"]]
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": ROLE}
    readers = [each for each in objects.values() if mounts(each, SECRET)]
    assert [(each["kind"], each["metadata"]["name"]) for each in readers if selects(each, said["pod_labels"])] == [
        (each["kind"], each["name"]) for each in said["workloads"]
    ]
    for reader in said["workloads"]:
        template = objects[reader["kind"], reader["name"]]["spec"]["template"]
        assert template["spec"]["serviceAccountName"] == said["service_account_name"]
        assert template["metadata"]["annotations"][said["checksum_annotation"]] == "one"
        container = next(each for each in template["spec"]["containers"] if each["name"] == reader["container"])
        assert "cloud-integration" in [mount["name"] for mount in container["volumeMounts"]]
    if said["finops_agent_service_account_name"]:
        agent = objects["ServiceAccount", said["finops_agent_service_account_name"]]
        assert "annotations" not in agent["metadata"], "the agent takes nothing from the chart's own ServiceAccount"


def mounts(workload: dict[str, Any], secret: str) -> bool:
    """Has the workload a volume of this Secret's key cloud-integration.json?"""
    spec = workload.get("spec", {}).get("template", {}).get("spec", {})
    volumes = [volume["secret"] for volume in spec.get("volumes", []) if "secret" in volume]
    items = [item["key"] for volume in volumes if volume["secretName"] == secret for item in volume.get("items", [])]
    return items == [kubecost_chart.SECRET_KEY]


def selects(workload: dict[str, Any], labels: dict[str, str]) -> bool:
    """Would these labels select the workload's pods?"""
    return labels.items() <= workload["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("generation", CHART_OF)
def test_images_come_from_the_registry(helm: Helm, generation: str) -> None:
    """With the values of the collection all of them; with the chart's own values none."""
    registry = "registry.example.com/mirror"
    for values, expected in ((wired(generation, image_registry=registry), True), (wired(generation), False)):
        workloads = [each for each in rendered(helm, generation, "kubecost", values).values() if "spec" in each]
        pods = [each["spec"]["template"]["spec"] for each in workloads if "template" in each["spec"]]
        images = [container["image"] for pod in pods for container in pod["containers"]]
        # Not Kubecost's own: the user's values name it.
        images = [image for image in images if "prometheus" not in image]
        assert images
        assert {image.startswith(f"{registry}/") for image in images} == {expected}


def test_the_labels_leave_the_other_pods_out(helm: Helm) -> None:
    labels = facts("3", "kubecost", {})["pod_labels"]
    objects = rendered(helm, "3", "kubecost", wired("3"))
    workloads = [each for each in objects.values() if each["kind"] in ("Deployment", "StatefulSet")]
    assert len(workloads) == 6
    assert [each["metadata"]["name"] for each in workloads if selects(each, labels)] == ["kubecost-cloud-cost"]


def test_the_agents_role_goes_to_the_agent(helm: Helm) -> None:
    agent = {"annotations": {"eks.amazonaws.com/role-arn": ROLE}}
    objects = rendered(helm, "3", "kubecost", wired("3", finops_agent_service_account=agent))
    assert objects["ServiceAccount", "kubecost-finopsagent"]["metadata"]["annotations"] == agent["annotations"]


@pytest.mark.parametrize("generation", CHART_OF)
def test_a_service_account_that_others_make_is_not_made(helm: Helm, generation: str) -> None:
    values = wired(generation, service_account={"create": False, "name": "reader"})
    objects = rendered(helm, generation, "kubecost", values)
    assert ("ServiceAccount", "reader") not in objects
    reader = facts(generation, "kubecost", values)["workloads"][0]
    spec = objects[reader["kind"], reader["name"]]["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "reader"


@pytest.mark.parametrize(
    ("generation", "dotted"),
    [(number, dotted) for number in CHART_OF for dotted in kubecost_chart.GENERATIONS[number].refused],
)
def test_the_chart_refuses_the_value(helm: Helm, generation: str, dotted: str) -> None:
    """Alone, without our wiring: it is the chart that refuses."""
    made = helm("template", "kubecost", CHART_OF[generation], values=nested(dotted, "set"))
    assert made.returncode != 0
    assert dotted.split(".")[0] in made.stderr
    parent = ".".join(dotted.split(".")[: 2 if dotted.startswith("global.") else 1])
    accepted = helm("template", "kubecost", CHART_OF[generation], values=nested(parent, None))
    assert accepted.returncode == 0, accepted.stderr


@pytest.mark.parametrize("dotted", kubecost_chart.GENERATIONS["3"].ignored)
def test_the_chart_passes_over_the_value_in_silence(helm: Helm, dotted: str) -> None:
    assert rendered(helm, "3", "kubecost", nested(dotted, "set")) == rendered(helm, "3", "kubecost", {})


@pytest.mark.parametrize("generation", ["1", "2"])
@pytest.mark.parametrize("dotted", kubecost_chart.GENERATIONS["2"].rivals)
def test_charts_1_and_2_refuse_a_second_source(helm: Helm, generation: str, dotted: str) -> None:
    values = wired(generation)
    values["kubecostProductConfigs"][dotted.split(".")[1]] = "set"
    made = helm("template", "kubecost", CHART_OF[generation], values=values)
    assert made.returncode != 0 and "mutually exclusive" in made.stderr


@pytest.mark.parametrize("dotted", kubecost_chart.GENERATIONS["3"].rivals)
def test_chart_3_writes_a_second_source_into_our_secret(helm: Helm, dotted: str) -> None:
    values = wired("3")
    values["cloudCost"][dotted.split(".")[1]] = "{}"
    assert ("Secret", SECRET) in rendered(helm, "3", "kubecost", values)
    assert ("Secret", SECRET) not in rendered(helm, "3", "kubecost", wired("3"))


@pytest.mark.parametrize(
    ("generation", "values"),
    [
        ("2", {"serviceAccount": {"create": "true"}}),
        ("2", {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": 222222222222}}}),
        ("2", {"kubecostAggregator": {"deployMethod": "daemonset"}}),
        ("1", {"thanos": {"store": {"enabled": "true"}}}),
        ("1", {"prometheus": {"server": {"extraVolumes": {"name": "object-store-volume"}}}}),
        ("2", {"kubecostAggregator": {"deployMethod": "statefulset"}}),
        (
            "2",
            {
                "kubecostAggregator": {"deployMethod": "statefulset"},
                "kubecostModel": {"federatedStorageConfigSecret": STORE},
            },
        ),
        ("2", {"kubecostModel": {"federatedStorageConfigSecret": STORE}}),
        ("2", {"federatedETL": {"agentOnly": "true"}}),
        ("3", {"global": {"federatedStorage": {"fileName": 1}}}),
        ("3", {"localStore": {"enabled": "false"}}),
        ("2", {"kubecostProductConfigs": {"athenaProjectID": 111111111111}}),
        ("3", {"global": {"clusterId": ""}}),
        ("3", {"global": {"clusterId": 12}}),
        ("3", {"kubecostProductConfigs": {"productKey": {"enabled": True}}}),
        ("3", {"cloudCost": {"cloudIntegrationSecret": ["cloud-integration"]}}),
    ],
)
def test_other_values_that_are_refused(helm: Helm, generation: str, values: dict[str, Any]) -> None:
    assert helm("template", "kubecost", CHART_OF[generation], values=values).returncode != 0


def stored(
    generation: str, release: str = "kubecost", user: dict[str, Any] | None = None, **store: Any
) -> dict[str, Any]:
    """The values of a cluster that is wired for storage; a primary has a cloud integration too."""
    object_store = {"secret": STORE, "checksum": "one", **store}
    if generation == "1":
        object_store.setdefault("service_account", "thanos")
    billing = {} if store.get("part") == "agent" else {"cloud_integration_secret": SECRET, "checksum": "one"}
    missing = {"cloud_integration_secret": "", "checksum": "", **billing}
    return wired(generation, release, user, object_store=object_store, **missing)


def storage_facts(generation: str, release: str, user: dict[str, Any], **store: Any) -> dict[str, Any]:
    described = {"generation": generation, "release": release, "namespace": "finops", "values": user}
    account = {"service_account": "thanos"} if generation == "1" else {}
    return kubecost_chart.facts({**described, "object_store": {"secret": STORE, **account, **store}})["object_store"]


def opens(workload: dict[str, Any]) -> str:
    """Name of the volume of the bucket's Secret in a workload's pods."""
    volumes = workload.get("spec", {}).get("template", {}).get("spec", {}).get("volumes") or []
    return next((each["name"] for each in volumes if each.get("secret", {}).get("secretName") == STORE), "")


# (generation, release, the user's values)
STORAGES = [
    ("1", "kubecost", {}),
    ("1", LONG, {"thanos": {"compact": {"enabled": False}}}),
    ("1", "my-thanos", {"prometheus": {"nameOverride": "prom"}}),
    ("2", "kubecost", {}),
    ("2", LONG, {"nameOverride": "kc"}),
    ("3", "kubecost", {}),
    ("3", "finopsagent", {}),
    ("3", "costs", {"finopsagent": {"fullnameOverride": "agent"}, "fullnameOverride": "money"}),
    ("3", "costs", {"clusterController": {"enabled": False}}),
]


@pytest.mark.parametrize("part", ["primary", "agent"])
@pytest.mark.parametrize(("generation", "release", "user"), STORAGES)
def test_who_opens_the_bucket_is_what_helm_renders(
    helm: Helm, generation: str, release: str, user: dict[str, Any], part: str
) -> None:
    values, said = stored(generation, release, user, part=part), storage_facts(generation, release, user, part=part)
    objects = rendered(helm, generation, release, values)
    assert {(each["kind"], each["name"]) for each in said["workloads"]} == {
        key for key, each in objects.items() if opens(each)
    }
    for each in said["workloads"]:
        template = objects[each["kind"], each["name"]]["spec"]["template"]
        assert template["spec"].get("serviceAccountName", "default") == each["service_account"]
        assert template["metadata"]["annotations"][said["checksum_annotation"]] == "one"
        container = next(one for one in template["spec"]["containers"] if one["name"] == each["container"])
        assert opens(objects[each["kind"], each["name"]]) in [mount["name"] for mount in container["volumeMounts"]]
    for account in said["service_accounts"]:
        made = objects.get(("ServiceAccount", account["name"]))
        assert (made is not None) == (account["created_by"] == "chart")
        assert made is None or made["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": ROLE}
    # The values say the same as the wiring does.
    assert (
        kubecost_chart.facts({"generation": generation, "release": release, "namespace": "finops", "values": values})[
            "object_store"
        ]
        == said
    )


@pytest.mark.parametrize(("generation", "release", "user"), STORAGES)
def test_who_reads_billing_data_beside_the_storage(
    helm: Helm, generation: str, release: str, user: dict[str, Any]
) -> None:
    described = {"generation": generation, "release": release, "namespace": "finops", "values": user}
    said = kubecost_chart.facts({**described, "object_store": {"part": "primary"}})
    objects = rendered(helm, generation, release, stored(generation, release, user))
    readers = [each for each in objects.values() if mounts(each, SECRET) and selects(each, said["pod_labels"])]
    assert [(each["kind"], each["metadata"]["name"]) for each in readers] == [
        (each["kind"], each["name"]) for each in said["workloads"]
    ]


def test_subcharts_do_not_read_the_annotations_of_all_pods(helm: Helm) -> None:
    """Which is why their pods are marked by keys of their own."""
    everywhere = {"global": {"podAnnotations": {"team": "finops"}}}
    for generation, unmarked in (("1", {"thanos", "prometheus"}), ("3", {"finopsagent"})):
        said = storage_facts(generation, "kubecost", {})
        objects = rendered(helm, generation, "kubecost", stored(generation, "kubecost", everywhere))
        for each in said["workloads"]:
            annotations = objects[each["kind"], each["name"]]["spec"]["template"]["metadata"]["annotations"]
            assert ("team" in annotations) != any(name in each["name"] for name in unmarked)


@pytest.mark.parametrize(
    ("generation", "workloads"),
    [
        ("1", {"kubecost-cost-analyzer"}),
        ("2", {"kubecost-cost-analyzer", "kubecost-aggregator"}),
        ("3", {"kubecost-aggregator"}),
    ],
)
def test_the_product_key_is_mounted(helm: Helm, generation: str, workloads: set[str]) -> None:
    file = storage_facts(generation, "kubecost", {})["product_key_file"]
    volume = {
        "name": "productkey-secret",
        "secret": {"secretName": PRODUCT_KEY, "items": [{"key": file, "path": file}]},
    }
    for secret, expected in ((PRODUCT_KEY, workloads), ("", set())):
        objects = rendered(helm, generation, "kubecost", stored(generation, product_key_secret=secret))
        pods = {
            name: each["spec"]["template"]["spec"]
            for (_kind, name), each in objects.items()
            if "template" in each.get("spec", {})
        }
        assert {name for name, pod in pods.items() if volume in pod.get("volumes", [])} == expected


@pytest.mark.parametrize(
    ("generation", "left"),
    [
        ("1", {"kubecost-cost-analyzer", "kubecost-prometheus-server"}),
        ("2", {"kubecost-cost-analyzer"}),
        ("3", {"kubecost-finopsagent", "kubecost-cluster-controller"}),
    ],
)
def test_an_agent_runs_little(helm: Helm, generation: str, left: set[str]) -> None:
    objects = rendered(helm, generation, "kubecost", stored(generation, part="agent"))
    assert {name for kind, name in objects if kind in ("Deployment", "StatefulSet")} == left
    assert {name for kind, name in rendered(helm, generation, "kubecost", stored(generation))} > left


def test_an_inline_file_beside_the_secret(helm: Helm) -> None:
    """Chart 2 ends with an error, chart 3 takes the Secret without a word."""
    values = stored("2")
    values["kubecostModel"]["federatedStorageConfig"] = "type: S3"
    made = helm("template", "kubecost", CHART_OF["2"], values=values)
    assert made.returncode != 0 and "mutually exclusive" in made.stderr
    values = stored("3")
    without = rendered(helm, "3", "kubecost", values)
    values["global"]["federatedStorage"]["config"] = "type: S3"
    beside = rendered(helm, "3", "kubecost", values)
    assert without.keys() == beside.keys()
    assert opens(beside["StatefulSet", "kubecost-aggregator"])


@pytest.mark.parametrize("generation", CHART_OF)
def test_a_cluster_for_storage_only_is_accepted(helm: Helm, generation: str) -> None:
    values = wired(
        generation, cloud_integration_secret="", checksum="", object_store={"secret": STORE, "checksum": "one"}
    )
    objects = rendered(helm, generation, "kubecost", values)
    assert any(opens(each) for each in objects.values())
    assert not any(mounts(each, SECRET) for each in objects.values())


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
