# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wiring as Helm values: word for word by generation, and every value of a user that cannot stand beside it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_chart import GENERATIONS
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_values import KNOWN_KEYS, build

ANNOTATIONS = {"eks.amazonaws.com/role-arn": "arn:aws:iam::222222222222:role/kubecost-prod-eu"}
WIRING: dict[str, Any] = {
    "generation": "3",
    "release": "kubecost",
    "cluster_id": "prod-eu",
    "cloud_integration_secret": "cloud-integration",
    "service_account": {"annotations": ANNOTATIONS},
    "checksum": "7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730",
}
POD_ANNOTATIONS = {"kubestrap.aws/cloud-integration-checksum": WIRING["checksum"]}


def wired(user: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return build({**WIRING, "user_values": user or {}, **changes})


def refused(user: dict[str, Any] | None = None, **changes: Any) -> str:
    with pytest.raises(AnsibleAWSError) as error:
        wired(user, **changes)
    return str(error.value)


def nested(dotted: str, value: Any) -> dict[str, Any]:
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return value


def test_generation_3_word_for_word() -> None:
    assert wired() == {
        "global": {"clusterId": "prod-eu", "podAnnotations": POD_ANNOTATIONS},
        "serviceAccount": {"create": True, "name": "kubecost", "annotations": ANNOTATIONS},
        "cloudCost": {"enabled": True, "cloudIntegrationSecret": "cloud-integration"},
    }


@pytest.mark.parametrize("generation", ["1", "2", 2])
def test_generations_1_and_2_word_for_word(generation: Any) -> None:
    values = wired(generation=generation)
    configs = values["global"]["podAnnotations"].pop("kubestrap.aws/product-configs-checksum", "")
    assert len(configs) == (64 if generation == "1" else 0)
    assert values == {
        "global": {"podAnnotations": POD_ANNOTATIONS},
        "serviceAccount": {"create": True, "name": "kubecost-cost-analyzer", "annotations": ANNOTATIONS},
        "kubecostProductConfigs": {"clusterName": "prod-eu", "cloudIntegrationSecret": "cloud-integration"},
        "prometheus": {"server": {"global": {"external_labels": {"cluster_id": "prod-eu"}}}},
    }


def test_a_cluster_name_of_its_own() -> None:
    values = wired(generation="2", cluster_name="Production Europe")
    assert values["kubecostProductConfigs"]["clusterName"] == "Production Europe"
    assert values["prometheus"]["server"]["global"]["external_labels"]["cluster_id"] == "prod-eu"


@pytest.mark.parametrize("generation", ["1", "2", "3"])
def test_without_a_checksum_there_is_no_annotation(generation: str) -> None:
    assert "podAnnotations" not in wired(generation=generation, checksum="").get("global", {})


@pytest.mark.parametrize("generation", ["1", "2", "3"])
def test_a_release_that_was_there_before_is_marked_and_ours_is_not(generation: str) -> None:
    marked = wired(generation=generation, adopted=True)["global"]["podAnnotations"]
    ours = wired(generation=generation, adopted=False)["global"]["podAnnotations"]
    assert marked == {**ours, "kubestrap.aws/release": "adopted"}
    assert ours == wired(generation=generation)["global"]["podAnnotations"]


def test_a_service_account_that_others_make() -> None:
    values = wired(service_account={"create": False, "name": "reader"})
    assert values["serviceAccount"] == {"create": False, "name": "reader", "annotations": {}}


def test_the_name_follows_the_values_that_rename_things() -> None:
    assert wired({"fullnameOverride": "money"})["serviceAccount"]["name"] == "money"
    assert wired({"nameOverride": "kc"}, release="costs")["serviceAccount"]["name"] == "costs-kc"


def test_the_agent_gets_a_role_only_when_told() -> None:
    assert "finopsagent" not in wired()
    agent = {"name": "agent", "annotations": ANNOTATIONS}
    assert wired(finops_agent_service_account=agent)["finopsagent"] == {
        "serviceAccount": {"create": True, "name": "agent", "annotations": ANNOTATIONS}
    }
    assert "finops_agent_service_account" in refused(generation="2", finops_agent_service_account=agent)


def test_the_users_values_stay_under_ours() -> None:
    user = {
        "global": {"clusterId": "prod-eu", "podAnnotations": {"team": "finops"}, "annotations": {"a": "b"}},
        "serviceAccount": {"name": "", "annotations": {"team": "finops"}},
        "cloudCost": {"cloudIntegrationSecret": None, "refreshRateHours": "12"},
        "networkCosts": {"enabled": False},
        "finopsagent": {"serviceAccount": {"annotations": {"team": "finops"}}},
    }
    before = copy.deepcopy(user)
    assert wired(user) == {
        "global": {
            "clusterId": "prod-eu",
            "podAnnotations": {"team": "finops", **POD_ANNOTATIONS},
            "annotations": {"a": "b"},
        },
        "serviceAccount": {"create": True, "name": "kubecost", "annotations": {"team": "finops", **ANNOTATIONS}},
        "cloudCost": {"enabled": True, "cloudIntegrationSecret": "cloud-integration", "refreshRateHours": "12"},
        "networkCosts": {"enabled": False},
        "finopsagent": {"serviceAccount": {"annotations": {"team": "finops"}}},
    }
    assert user == before


@pytest.mark.parametrize(
    ("generation", "dotted", "theirs", "ours"),
    [
        ("3", "global.clusterId", "other", "prod-eu"),
        ("3", "cloudCost.cloudIntegrationSecret", "mine", "cloud-integration"),
        ("3", "cloudCost.enabled", False, "True"),
        ("3", "cloudCost.serviceAccountName", "mine", "kubecost"),
        ("3", "serviceAccount.create", False, "True"),
        ("3", "serviceAccount.name", "mine", "kubecost"),
        ("3", "serviceAccount", "mine", "{'create': True"),
        ("2", "kubecostProductConfigs.clusterName", "other", "prod-eu"),
        ("2", "kubecostProductConfigs.cloudIntegrationSecret", "mine", "cloud-integration"),
        ("2", "prometheus.server.global.external_labels.cluster_id", "cluster-one", "prod-eu"),
        ("2", "kubecostAggregator.cloudCost.serviceAccountName", "mine", "kubecost-cost-analyzer"),
        ("1", "serviceAccount.name", "mine", "kubecost-cost-analyzer"),
    ],
)
def test_a_contradiction_names_the_key_and_both_values(generation: str, dotted: str, theirs: Any, ours: str) -> None:
    said = refused(nested(dotted, theirs), generation=generation)
    assert said.startswith(f"user_values.{dotted}: '{theirs}' contradicts the wiring, which needs '{ours}")


def test_another_role_on_the_service_account_is_a_contradiction() -> None:
    mine = "arn:aws:iam::222222222222:role/mine"
    said = refused({"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": mine}}})
    assert said.startswith(rf"user_values.serviceAccount.annotations.eks\.amazonaws\.com/role-arn: '{mine}'")
    assert ANNOTATIONS["eks.amazonaws.com/role-arn"] in said


@pytest.mark.parametrize(
    ("generation", "dotted", "advice"),
    [(number, dotted, advice) for number, made in GENERATIONS.items() for dotted, advice in made.refused.items()],
)
def test_a_value_that_the_chart_refuses(generation: str, dotted: str, advice: str) -> None:
    said = refused(nested(dotted, "set"), generation=generation)
    assert said.startswith(f"user_values.{dotted}: 'set' is refused by the chart")
    assert advice in said


@pytest.mark.parametrize("dotted", GENERATIONS["3"].ignored)
def test_a_value_that_the_chart_passes_over_in_silence(dotted: str) -> None:
    said = refused(nested(dotted, "set"))
    assert said.startswith(f"user_values.{dotted}: 'set' is not read by the chart kubecost 3.x")


@pytest.mark.parametrize(
    ("generation", "dotted"),
    [(number, dotted) for number, made in GENERATIONS.items() for dotted in (*made.rivals, *made.beside)],
)
def test_a_second_source_of_the_cloud_integration(generation: str, dotted: str) -> None:
    said = refused(nested(dotted, "set"), generation=generation)
    assert said.startswith(f"user_values.{dotted}: 'set' is a second source of the cloud integration. Leave it out")


@pytest.mark.parametrize("generation", ["1", "2"])
def test_a_payer_role_beside_the_secret_is_named(generation: str) -> None:
    said = refused(nested("kubecostProductConfigs.masterPayerARN", "arn:aws:iam::1:role/x"), generation=generation)
    assert said.startswith("user_values.kubecostProductConfigs.masterPayerARN: 'arn:aws:iam::1:role/x' is a second")


def test_a_secret_and_inline_json_are_not_both_taken() -> None:
    both = {"cloudIntegrationSecret": "cloud-integration", "cloudIntegrationJSON": "{}"}
    assert "kubecostProductConfigs.cloudIntegrationJSON" in refused({"kubecostProductConfigs": both}, generation="2")
    assert "cloudCost.cloudIntegrationJSON" in refused({"cloudCost": both})


def test_pods_of_chart_1_are_rolled_by_a_change_of_what_it_configures_and_by_nothing_else() -> None:
    def annotations(**user: Any) -> dict[str, str]:
        return wired(user, generation="1")["global"]["podAnnotations"]

    assert annotations() == annotations(service={"port": 80})
    assert annotations() != annotations(kubecostProductConfigs={"defaultModelPricing": {"CPU": 1}})
    assert annotations() != wired(generation="1", cloud_integration_secret="other")["global"]["podAnnotations"]


def test_the_registry_of_the_images() -> None:
    registry = {"image_registry": "registry.example.com:5000/mirror/"}
    assert wired(**registry)["global"]["imageRegistry"] == "registry.example.com:5000/mirror"
    for generation in ("1", "2"):
        values = wired({"kubecostModel": {"resources": {}}}, generation=generation, **registry)
        assert values["kubecostModel"] == {
            "resources": {}, "image": "registry.example.com:5000/mirror/kubecost1/cost-model",
        }  # fmt: skip
        assert values["kubecostFrontend"]["image"] == "registry.example.com:5000/mirror/kubecost1/frontend"
    said = refused({"global": {"imageRegistry": "icr.io"}}, image_registry="registry.example.com")
    assert said.startswith("user_values.global.imageRegistry: 'icr.io' contradicts the wiring")
    assert "kubecostModel" not in wired(generation="1")


@pytest.mark.parametrize("registry", ["https://registry.example.com", "Registry", "a b", ["a"]])
def test_what_is_no_registry(registry: Any) -> None:
    assert "is not a registry of images" in refused(image_registry=registry)


def test_a_refused_value_that_is_off_is_let_through() -> None:
    # As the charts: they look for a value, not for a key.
    assert wired({"prometheus": {}, "federatedETL": None, "thanos": {"store": {"enabled": False}}})
    assert wired({"thanos": {"store": {"enabled": False}}}, generation="2")


@pytest.mark.parametrize(
    "user", [{"federatedETL": {"agentOnly": True}}, {"kubecostAggregator": {"deployMethod": "disabled"}}]
)
def test_values_without_a_reader_of_billing_data(user: dict[str, Any]) -> None:
    assert "turn off every pod that reads billing data" in refused(user, generation="2")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"generation": "4"}, "generation: '4' is not a generation of Kubecost"),
        ({"generation": None}, "generation: 'None' is missing"),
        ({"release": "Kubecost"}, "release: 'Kubecost' is not a name of a Helm release"),
        ({"cluster_id": ""}, "cluster_id: '' is missing. The wiring needs"),
        ({"cloud_integration_secret": "Cloud_Integration"}, "is not a name of a Secret that Kubernetes accepts"),
        ({"service_account": "reader"}, "service_account: 'reader' is not a mapping"),
        ({"service_account": {"role": "x"}}, "service_account: 'role' is not a key of a ServiceAccount"),
        ({"service_account": {"name": "Reader"}}, "service_account.name: 'Reader' is not a name of a ServiceAccount"),
        ({"service_account": {"create": False}}, "service_account.name: '' is missing"),
        ({"user_values": ["a"]}, "user_values: '['a']' is not a mapping"),
        ({"namespace": "kubecost"}, f"'namespace' is not a key of the wiring. The keys are: {', '.join(KNOWN_KEYS)}"),
    ],
)
def test_a_wiring_that_is_refused(changes: dict[str, Any], said: str) -> None:
    assert said in refused(**changes)


def test_what_is_no_wiring() -> None:
    with pytest.raises(AnsibleAWSError, match="is not a mapping. Write a mapping with the keys generation"):
        build("kubecost")
