# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wiring of object storage as Helm values: word for word by generation and part, with and without billing data and
product key."""

from __future__ import annotations

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_chart import value_at
from unit.kubecost_storage_wired import BILLING, MARK, OFF, ON, ROLE, SIDECAR, VOLUME, nested, refused, wired

SERVER = {
    "enabled": True,
    "global": {"external_labels": {"cluster_id": "prod-eu"}},
    "retention": "2w",
    "extraArgs": {"storage.tsdb.min-block-duration": "2h", "storage.tsdb.max-block-duration": "2h"},
    "extraVolumes": [VOLUME],
    "sidecarContainers": [SIDECAR],
    "podAnnotations": MARK,
}
# The guide's keys, with the name of the account that the guide lets one make.
GUIDE = {
    "prometheus.serviceAccounts.server.create": False,
    "prometheus.serviceAccounts.server.name": "thanos",
    "thanos.compact.serviceAccount": "thanos",
    "thanos.store.serviceAccount": "thanos",
    # Not in the guide, which forgets it: the page of the bucket opens the bucket too.
    "thanos.bucket.serviceAccount": "thanos",
}


@pytest.mark.parametrize("dotted", GUIDE)
def test_generation_1_has_what_the_guide_of_thanos_demands(dotted: str) -> None:
    assert value_at(wired("1", service_account="thanos"), dotted) == GUIDE[dotted]


def test_query_has_no_identity() -> None:
    values = wired("1", service_account="thanos")
    assert values["thanos"]["query"] == values["thanos"]["queryFrontend"] == ON


def test_a_primary_of_generation_1_word_for_word() -> None:
    values = wired("1", service_account="thanos")
    configs = values["global"].pop("podAnnotations")
    # The main pod does not open the bucket, and is rolled by its settings only.
    assert list(configs) == ["kubestrap.aws/product-configs-checksum"]
    part = {"enabled": True, "serviceAccount": "thanos", "annotations": MARK}
    assert values == {
        "global": {"prometheus": ON, "thanos": ON},
        "serviceAccount": {"create": True, "name": "kubecost-cost-analyzer", "annotations": ROLE},
        "kubecostProductConfigs": {"clusterName": "prod-eu"},
        "prometheus": {"serviceAccounts": {"server": {"create": False, "name": "thanos"}}, "server": SERVER},
        "thanos": {
            "storeSecretName": "store",
            "store": part,
            "compact": part,
            "bucket": part,
            "query": ON,
            "queryFrontend": ON,
        },
    }


def test_an_agent_of_generation_1_word_for_word() -> None:
    values = wired("1", part="agent", service_account="thanos")
    values["global"].pop("podAnnotations")
    assert values == {
        "global": {"prometheus": ON, "thanos": OFF},
        "serviceAccount": {"create": True, "name": "kubecost-cost-analyzer", "annotations": ROLE},
        "kubecostProductConfigs": {"clusterName": "prod-eu"},
        "prometheus": {"serviceAccounts": {"server": {"create": False, "name": "thanos"}}, "server": SERVER},
    }


def test_with_keys_in_the_file_generation_1_needs_no_account() -> None:
    values = wired("1")
    assert "serviceAccounts" not in values["prometheus"]
    assert values["thanos"]["store"] == {"enabled": True, "annotations": MARK}


def test_a_primary_of_generation_2_word_for_word() -> None:
    assert wired("2", billing=True) == {
        "global": {"podAnnotations": {**BILLING, **MARK}},
        "serviceAccount": {"create": True, "name": "kubecost-cost-analyzer", "annotations": ROLE},
        "kubecostProductConfigs": {"clusterName": "prod-eu", "cloudIntegrationSecret": "cloud-integration"},
        "prometheus": {"server": {"global": {"external_labels": {"cluster_id": "prod-eu"}}}},
        "kubecostModel": {"federatedStorageConfigSecret": "store"},
        "federatedETL": {"federatedCluster": True, "agentOnly": False},
        "kubecostAggregator": {"deployMethod": "statefulset"},
    }


def test_an_agent_of_generation_2_word_for_word() -> None:
    assert wired("2", part="agent") == {
        "global": {"podAnnotations": MARK},
        "serviceAccount": {"create": True, "name": "kubecost-cost-analyzer", "annotations": ROLE},
        "kubecostProductConfigs": {"clusterName": "prod-eu"},
        "prometheus": {"server": {"global": {"external_labels": {"cluster_id": "prod-eu"}}}},
        "kubecostModel": {"federatedStorageConfigSecret": "store"},
        "federatedETL": {"federatedCluster": True, "agentOnly": True},
        "kubecostAggregator": {"deployMethod": "disabled"},
    }


def test_a_primary_of_generation_3_word_for_word() -> None:
    assert wired("3", billing=True) == {
        "global": {
            "clusterId": "prod-eu",
            "federatedStorage": {"existingSecret": "store", "fileName": "federated-store.yaml"},
            "podAnnotations": {**BILLING, **MARK},
        },
        "serviceAccount": {"create": True, "name": "kubecost", "annotations": ROLE},
        "cloudCost": {"enabled": True, "cloudIntegrationSecret": "cloud-integration"},
        "aggregator": ON,
        "localStore": OFF,
        "finopsagent": {
            "enabled": True,
            "serviceAccount": {"create": True, "name": "kubecost-finopsagent", "annotations": ROLE},
            "podAnnotations": MARK,
        },
        "clusterController": {"serviceAccount": {"annotations": ROLE}},
    }


def test_an_agent_of_generation_3_word_for_word() -> None:
    assert wired("3", part="agent", key="store.yaml") == {
        "global": {
            "clusterId": "prod-eu",
            "federatedStorage": {"existingSecret": "store", "fileName": "store.yaml"},
            "podAnnotations": MARK,
        },
        "serviceAccount": {"create": True, "name": "kubecost", "annotations": ROLE},
        "cloudCost": OFF,
        "aggregator": OFF,
        "frontend": OFF,
        "forecasting": OFF,
        "localStore": OFF,
        "finopsagent": {
            "enabled": True,
            "serviceAccount": {"create": True, "name": "kubecost-finopsagent", "annotations": ROLE},
            "podAnnotations": MARK,
        },
        "clusterController": {"serviceAccount": {"annotations": ROLE}},
    }


@pytest.mark.parametrize("generation", ["1", "2", "3"])
@pytest.mark.parametrize("part", ["primary", "agent"])
def test_without_a_cloud_integration_there_is_no_value_of_one(generation: str, part: str) -> None:
    said = str(wired(generation, part=part))
    assert "cloudIntegration" not in said and "cloud-integration" not in said


def test_chart_2_would_fail_with_a_reader_and_no_cloud_integration() -> None:
    assert wired("2")["kubecostAggregator"] == {"deployMethod": "statefulset", "cloudCost": OFF}
    own = {"kubecostProductConfigs": {"cloudIntegrationSecret": "mine"}}
    assert wired("2", own)["kubecostAggregator"] == {"deployMethod": "statefulset"}
    said = refused("2", nested("kubecostAggregator.cloudCost.enabled", True))
    assert said.startswith("user_values.kubecostAggregator.cloudCost.enabled: 'True' contradicts the wiring")


@pytest.mark.parametrize("generation", ["1", "2", "3"])
def test_a_cluster_for_storage_only_may_have_the_users_own_billing_data(generation: str) -> None:
    key = {"1": "kubecostProductConfigs", "2": "kubecostProductConfigs", "3": "cloudCost"}[generation]
    own = {key: {"cloudIntegrationJSON": "{}"}}
    assert wired(generation, own)[key]["cloudIntegrationJSON"] == "{}"
    assert "is a second source" in refused(generation, own, billing=True)


@pytest.mark.parametrize("generation", ["1", "2", "3"])
@pytest.mark.parametrize("part", ["primary", "agent"])
def test_the_product_key(generation: str, part: str) -> None:
    without = wired(generation, part=part)
    values = wired(generation, part=part, product_key_secret="enterprise")
    assert "productKey" not in without.get("kubecostProductConfigs", {})
    assert values["kubecostProductConfigs"]["productKey"] == {"enabled": True, "secretname": "enterprise"}
    assert value_at(without, "global.acknowledged") is None
    assert value_at(values, "global.acknowledged") is (True if generation == "3" else None)


@pytest.mark.parametrize("generation", ["1", "2", "3"])
def test_without_a_checksum_no_pod_is_marked(generation: str) -> None:
    assert "checksum" not in str(wired(generation, checksum=""))


def test_main_pods_of_generation_1_are_rolled_by_the_product_key() -> None:
    name = "kubestrap.aws/product-configs-checksum"
    with_key, without = (
        wired("1", product_key_secret=secret)["global"]["podAnnotations"][name] for secret in ("a", "")
    )
    assert with_key != without


def test_the_agent_may_have_a_role_of_its_own() -> None:
    agent = {"name": "writer", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::222222222222:role/writer"}}
    made = wired("3", more={"finops_agent_service_account": agent})["finopsagent"]
    assert made["serviceAccount"] == {"create": True, **agent}
    assert wired("3", more={"finops_agent_service_account": {"annotations": {}}})["finopsagent"]["serviceAccount"] == {
        "create": True,
        "name": "kubecost-finopsagent",
        "annotations": {},
    }
