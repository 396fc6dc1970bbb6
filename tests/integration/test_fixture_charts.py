# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture charts with the real helm: what they make of a release is what kubecost_chart says, and they refuse what
it says that the vendor's charts refuse."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from integration.fixture_charts import (
    CHART_OF,
    LONG,
    ROLE,
    SECRET,
    STORE,
    Helm,
    facts,
    mounts,
    nested,
    rendered,
    selects,
    wired,
)
from integration.world import kubecost_chart


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
