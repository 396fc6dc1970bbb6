# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture charts with a bucket: who opens it is what kubecost_chart says, and so is what an agent leaves out."""

from __future__ import annotations

from typing import Any

import pytest
from integration.fixture_charts import (
    CHART_OF,
    LONG,
    PRODUCT_KEY,
    ROLE,
    SECRET,
    STORE,
    Helm,
    mounts,
    opens,
    rendered,
    selects,
    storage_facts,
    stored,
    wired,
)
from integration.world import kubecost_chart

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
