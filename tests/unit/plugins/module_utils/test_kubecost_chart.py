# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the charts make of a release. tests/integration/test_fixture_charts.py compares with what Helm renders."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_chart import (
    GENERATIONS,
    brings_integration,
    facts,
    fullname,
    generation_of,
    generation_of_chart,
)

LONG = "a-release-of-which-the-name-has-exactly-fifty-three-c"


def of(generation: Any, release: str = "kubecost", **values: Any) -> dict[str, Any]:
    return facts({"generation": generation, "release": release, "namespace": "finops", "values": values})


def test_all_facts_of_generation_3() -> None:
    assert of("3") == {
        "generation": "3",
        "release": "kubecost",
        "namespace": "finops",
        "chart_name": "kubecost",
        "chart_repo_url": "https://kubecost.github.io/kubecost/",
        "chart_version": "3.2.4",
        "cloud_integration_form": "athena",
        "secret_key": "cloud-integration.json",
        "secret_value_key": "cloudCost.cloudIntegrationSecret",
        "service_account_name": "kubecost",
        "service_account_subject": "system:serviceaccount:finops:kubecost",
        "finops_agent_service_account_name": "kubecost-finopsagent",
        "pod_labels": {
            "app.kubernetes.io/name": "cloud-cost",
            "app.kubernetes.io/instance": "kubecost",
            "app": "cloud-cost",
        },
        "pod_selector": "app.kubernetes.io/name=cloud-cost,app.kubernetes.io/instance=kubecost,app=cloud-cost",
        "workloads": [
            {"api_version": "apps/v1", "kind": "Deployment", "name": "kubecost-cloud-cost", "container": "cloud-cost"}
        ],
        "checksum_annotation": "kubestrap.aws/cloud-integration-checksum",
        # The lists in it are the subject of test_kubecost_storage.py.
        "object_store": {
            "part": "primary",
            "file_name": "federated-store.yaml",
            "product_key_file": "productkey.json",
            "checksum_annotation": "kubestrap.aws/object-store-checksum",
            "service_accounts": ANY,
            "workloads": ANY,
        },
    }


@pytest.mark.parametrize(("generation", "container"), [("1", "cost-model"), ("2", "cloud-cost"), (2, "cloud-cost")])
def test_generations_1_and_2_read_in_the_main_pod(generation: Any, container: str) -> None:
    made = of(generation)
    assert made["chart_name"] == "cost-analyzer"
    assert made["chart_repo_url"] == "https://kubecost.github.io/cost-analyzer/"
    assert made["cloud_integration_form"] == "legacy"
    assert made["secret_value_key"] == "kubecostProductConfigs.cloudIntegrationSecret"
    assert made["service_account_name"] == "kubecost-cost-analyzer"
    assert made["finops_agent_service_account_name"] is None
    assert made["pod_labels"]["app"] == made["pod_labels"]["app.kubernetes.io/name"] == "cost-analyzer"
    assert [(each["name"], each["container"]) for each in made["workloads"]] == [("kubecost-cost-analyzer", container)]


@pytest.mark.parametrize("number", GENERATIONS)
def test_the_version_of_a_chart_belongs_to_its_generation(number: str) -> None:
    assert GENERATIONS[number].version.startswith(f"{number}.")


@pytest.mark.parametrize(
    ("generation", "release", "values", "name"),
    [
        ("2", "kubecost", {}, "kubecost-cost-analyzer"),
        ("2", "my-cost-analyzer", {}, "my-cost-analyzer"),
        ("2", LONG, {}, f"{LONG}-cost-anal"),
        ("2", LONG[:-4], {}, f"{LONG[:-4]}-cost-analyzer"),
        ("3", "costs", {}, "costs-kubecost"),
        ("3", "kubecost-eu", {}, "kubecost-eu"),
        ("3", "costs", {"nameOverride": "kc"}, "costs-kc"),
        ("3", "costs-kc", {"nameOverride": "kc"}, "costs-kc"),
        ("3", "costs", {"fullnameOverride": "money"}, "money"),
        ("3", "costs", {"fullnameOverride": "m" * 62 + "-eu"}, "m" * 62),
    ],
)
def test_the_full_name(generation: str, release: str, values: dict[str, Any], name: str) -> None:
    assert fullname(generation, release, values) == name
    assert len(name) <= 63
    assert of(generation, release, **values)["service_account_name"] == name


@pytest.mark.parametrize(
    ("generation", "values", "name"),
    [
        ("3", {"serviceAccount": {"name": "reader"}}, "reader"),
        ("3", {"serviceAccount": {"create": False, "name": "reader"}}, "reader"),
        ("3", {"serviceAccount": {"create": False}}, "default"),
        ("3", {"serviceAccount": {"create": True, "name": ""}}, "kubecost"),
        ("3", {"serviceAccount": {"name": "other"}, "cloudCost": {"serviceAccountName": "reader"}}, "reader"),
        ("2", {"kubecostAggregator": {"cloudCost": {"serviceAccountName": "reader"}}}, "reader"),
        ("1", {"serviceAccount": {"name": "reader"}}, "reader"),
    ],
)
def test_the_service_account_of_the_readers(generation: str, values: dict[str, Any], name: str) -> None:
    assert of(generation, **values)["service_account_name"] == name


@pytest.mark.parametrize(
    ("release", "account", "name"),
    [
        ("costs", {}, "costs-finopsagent"),
        ("finopsagent", {}, "finopsagent"),
        ("costs", {"name": "agent"}, "agent"),
        ("costs", {"create": False}, "default"),
    ],
)
def test_the_agent_has_an_account_of_its_own(release: str, account: dict[str, Any], name: str) -> None:
    made = of("3", release, finopsagent={"serviceAccount": account})
    assert made["finops_agent_service_account_name"] == name


def test_chart_2_with_a_statefulset_reads_in_a_pod_of_its_own() -> None:
    made = of("2", kubecostAggregator={"deployMethod": "statefulset"})
    assert made["workloads"][0]["name"] == "kubecost-cloud-cost"
    assert made["pod_labels"]["app"] == "cloud-cost"


@pytest.mark.parametrize(
    ("generation", "values"),
    [
        ("2", {"federatedETL": {"agentOnly": True}}),
        ("2", {"kubecostAggregator": {"deployMethod": "statefulset", "cloudCost": {"enabled": False}}}),
        ("3", {"cloudCost": {"enabled": False}}),
    ],
)
def test_values_that_turn_the_readers_off(generation: str, values: dict[str, Any]) -> None:
    assert of(generation, **values)["workloads"] == []


@pytest.mark.parametrize(
    ("chart", "version", "generation"),
    [
        ("cost-analyzer", "1.108.1", "1"),
        ("cost-analyzer", "v2.9.7", "2"),
        ("kubecost", "3.0.0-rc.1", "3"),
        ("kubecost", "2.8.7", None),
        ("cost-analyzer", "3.0.0", None),
        ("kubecost", "4.0.0", None),
        ("opencost", "2.5.17", None),
        ("", "", None),
    ],
)
def test_the_generation_of_a_chart(chart: str, version: str, generation: str | None) -> None:
    assert generation_of_chart(chart, version) == generation


@pytest.mark.parametrize("value", ["4", 0, None, "", "v3", "3.2"])
def test_an_unknown_generation_is_refused(value: Any) -> None:
    with pytest.raises(AnsibleAWSError, match="Write one of: '1', '2', '3'"):
        generation_of("generation", value)
    with pytest.raises(AnsibleAWSError, match=f"generation: '{value}' is not a generation of Kubecost"):
        of(value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"release": "Kubecost"}, "release: 'Kubecost' is not a name of a Helm release"),
        ({"release": "r" * 54}, "it has 54 characters"),
        ({"namespace": "fin_ops"}, "namespace: 'fin_ops' is not a name of a Namespace"),
        ({"namespace": None}, "namespace: 'None' is not a name of a Namespace"),
        ({"chart": "kubecost"}, "does not describe a release"),
    ],
)
def test_a_release_that_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        facts({"generation": "3", "release": "kubecost", "namespace": "kubecost", **changes})
    assert said in str(error.value)


def test_what_is_no_release() -> None:
    with pytest.raises(AnsibleAWSError, match="does not describe a release. Write a mapping with the keys generation,"):
        facts("kubecost")


def test_a_part_of_the_storage_that_is_refused() -> None:
    with pytest.raises(AnsibleAWSError, match="object_store.part: 'reader' is no part of a cluster"):
        facts({"generation": "3", "release": "kubecost", "namespace": "kubecost", "object_store": {"part": "reader"}})


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_cloud_integration_of_the_users_own(generation: str) -> None:
    own = {"kubecostProductConfigs": {"cloudIntegrationSecret": "mine"}, "cloudCost": {"cloudIntegrationJSON": "{}"}}
    assert brings_integration(generation, own)
    assert not brings_integration(generation, {"cloudCost": {"cloudIntegrationSecret": ""}})
