# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wiring of object storage as Helm values: word for word by generation and part, with and without billing data and
product key, and every value of a user that cannot stand beside it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _kubecost_storage_values as subject
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_chart import value_at
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_values import build

ROLE = {"eks.amazonaws.com/role-arn": "arn:aws:iam::222222222222:role/kubecost-prod-eu"}
MARK = {"kubestrap.aws/object-store-checksum": "one"}
BILLING = {"kubestrap.aws/cloud-integration-checksum": "two"}
ON, OFF = {"enabled": True}, {"enabled": False}


def wired(
    generation: str, user: dict[str, Any] | None = None, billing: bool = False, more: Any = None, **store: Any
) -> dict[str, Any]:
    """The values; without ``billing`` of a cluster that is wired for storage only."""
    wiring = {
        "generation": generation,
        "release": "kubecost",
        "cluster_id": "prod-eu",
        "service_account": {"annotations": ROLE},
        "object_store": {"secret": "store", "checksum": "one", **store},
        "user_values": user or {},
        **({"cloud_integration_secret": "cloud-integration", "checksum": "two"} if billing else {}),
        **(more or {}),
    }
    return build(wiring)


def refused(generation: str, user: dict[str, Any] | None = None, **more: Any) -> str:
    with pytest.raises(AnsibleAWSError) as error:
        wired(generation, user, **more)
    return str(error.value)


def nested(dotted: str, value: Any) -> dict[str, Any]:
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return value


SIDECAR = {
    "name": "thanos-sidecar",
    "image": "thanosio/thanos:v0.32.5",
    "args": [
        "sidecar",
        "--tsdb.path=/data/",
        "--prometheus.url=http://127.0.0.1:9090",
        "--objstore.config-file=/etc/config/object-store.yaml",
        "--min-time=-3h",
    ],
    "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "ports": [{"name": "http", "containerPort": 10902}, {"name": "grpc", "containerPort": 10901}],
    "volumeMounts": [
        {"name": "config-volume", "mountPath": "/etc/prometheus"},
        {"name": "storage-volume", "mountPath": "/data", "subPath": ""},
        {"name": "object-store-volume", "mountPath": "/etc/config"},
    ],
}
VOLUME = {"name": "object-store-volume", "secret": {"secretName": "store"}}
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
def test_an_agent_reads_no_billing_data(generation: str) -> None:
    said = refused(generation, part="agent", billing=True)
    assert said.startswith("cloud_integration_secret: 'cloud-integration' has no place beside object_store.part: agent")


@pytest.mark.parametrize("generation", ["1", "2", "3"])
@pytest.mark.parametrize("part", ["primary", "agent"])
def test_the_product_key(generation: str, part: str) -> None:
    without = wired(generation, part=part)
    values = wired(generation, part=part, product_key_secret="enterprise")
    assert "productKey" not in without.get("kubecostProductConfigs", {})
    assert values["kubecostProductConfigs"]["productKey"] == {"enabled": True, "secretname": "enterprise"}
    assert value_at(without, "global.acknowledged") is None
    assert value_at(values, "global.acknowledged") is (True if generation == "3" else None)


@pytest.mark.parametrize("name", ["key", "mountPath"])
def test_a_second_product_key_is_refused_and_not_shown(name: str) -> None:
    user = nested(f"kubecostProductConfigs.productKey.{name}", "very-secret")
    said = refused("2", user, product_key_secret="enterprise")
    assert said.startswith(f"user_values.kubecostProductConfigs.productKey.{name}: '...' is a second product key")
    assert wired("2", user)["kubecostProductConfigs"]["productKey"] == {name: "very-secret"}


@pytest.mark.parametrize(
    ("generation", "dotted"),
    [(number, dotted) for number, sources in subject._SECOND_SOURCES.items() for dotted in sources],
)
def test_an_inline_file_is_a_second_source_and_not_shown(generation: str, dotted: str) -> None:
    said = refused(generation, nested(dotted, "secret_key: very-secret"))
    assert said.startswith(f"user_values.{dotted}: '...' is a second source of the object store's file. Leave it out")
    assert wired(generation, nested(dotted, ""))


@pytest.mark.parametrize(
    ("generation", "part", "dotted", "theirs"),
    [
        ("1", "primary", "global.thanos.enabled", False),
        ("1", "primary", "thanos.store.enabled", False),
        ("1", "primary", "thanos.storeSecretName", "mine"),
        ("1", "primary", "thanos.bucket.serviceAccount", "mine"),
        ("1", "primary", "prometheus.serviceAccounts.server.create", True),
        ("1", "primary", "global.prometheus.enabled", False),
        ("1", "primary", "prometheus.server.extraArgs", {"storage.tsdb.max-block-duration": "1d"}),
        ("1", "agent", "global.thanos.enabled", True),
        ("2", "primary", "federatedETL.agentOnly", True),
        ("2", "primary", "kubecostAggregator.deployMethod", "singlepod"),
        ("2", "primary", "kubecostModel.federatedStorageConfigSecret", "mine"),
        ("2", "agent", "kubecostAggregator.deployMethod", "statefulset"),
        ("3", "primary", "aggregator.enabled", False),
        ("3", "primary", "localStore.enabled", True),
        ("3", "primary", "global.federatedStorage.existingSecret", "mine"),
        ("3", "primary", "global.federatedStorage.fileName", "mine.yaml"),
        ("3", "agent", "frontend.enabled", True),
        ("3", "agent", "finopsagent.enabled", False),
        ("3", "agent", "finopsagent.serviceAccount.create", False),
    ],
)
def test_a_contradiction_is_named(generation: str, part: str, dotted: str, theirs: Any) -> None:
    store = {"part": part, **({"service_account": "thanos"} if generation == "1" else {})}
    said = refused(generation, nested(dotted, theirs), **store)
    assert said.startswith(f"user_values.{dotted}") and "contradicts the wiring, which needs" in said


@pytest.mark.parametrize(
    ("generation", "dotted"), [("2", "kubecostAggregator.serviceAccountName"), ("3", "aggregator.serviceAccountName")]
)
def test_an_account_that_no_role_trusts(generation: str, dotted: str) -> None:
    assert refused(generation, nested(dotted, "mine")).startswith(
        f"user_values.{dotted}: 'mine' contradicts the wiring"
    )
    name = "kubecost" if generation == "3" else "kubecost-cost-analyzer"
    assert value_at(wired(generation, nested(dotted, name)), dotted) == name


@pytest.mark.parametrize(
    ("part", "dotted"), [("primary", "agent"), ("primary", "cloudAgent"), ("agent", "federatedETL.primaryCluster")]
)
def test_values_that_give_generation_2_another_part(part: str, dotted: str) -> None:
    said = refused("2", nested(dotted, True), part=part)
    assert said.startswith(f"user_values.{dotted}: 'True' makes the cluster no {part}")
    assert wired("2", nested(dotted, False), part=part)


def test_what_is_so_unless_the_user_says_otherwise() -> None:
    user = {
        "thanos": {"compact": {"enabled": False}, "bucket": {"enabled": False}},
        "prometheus": {"server": {"retention": "3d"}},
    }
    values = wired("1", user)
    assert values["thanos"]["compact"]["enabled"] is values["thanos"]["bucket"]["enabled"] is False
    assert values["prometheus"]["server"]["retention"] == "3d"
    assert wired("3", {"finopsagent": {"enabled": False}})["finopsagent"]["enabled"] is False


def test_lists_of_the_user_are_kept_and_not_changed() -> None:
    mine = {"name": "certificates", "configMap": {"name": "certificates"}}
    proxy = {"name": "proxy", "image": "registry.example.com/proxy:1"}
    user = {"prometheus": {"server": {"extraVolumes": [mine], "sidecarContainers": [proxy]}}}
    before = copy.deepcopy(user)
    server = wired("1", user)["prometheus"]["server"]
    assert server["extraVolumes"] == [mine, VOLUME]
    assert server["sidecarContainers"] == [proxy, SIDECAR]
    assert user == before


def test_ours_is_not_put_there_twice() -> None:
    once = wired("1")
    server = {name: once["prometheus"]["server"][name] for name in ("extraVolumes", "sidecarContainers")}
    again = wired("1", {"prometheus": {"server": server}})
    assert again["prometheus"]["server"] == once["prometheus"]["server"]


def test_a_sidecar_with_settings_of_the_users() -> None:
    theirs = {"name": "thanos-sidecar", "image": "registry.example.com/thanos:v0.32.5", "resources": {"limits": {}}}
    values = wired("1", {"prometheus": {"server": {"sidecarContainers": [theirs]}}})
    assert values["prometheus"]["server"]["sidecarContainers"] == [{**SIDECAR, **theirs}]


def test_the_sidecar_has_the_image_of_thanos() -> None:
    image = {"repository": "registry.example.com/thanosio/thanos", "tag": "v0.32.5-1"}
    sidecar = wired("1", {"thanos": {"image": image}})["prometheus"]["server"]["sidecarContainers"][0]
    assert sidecar["image"] == "registry.example.com/thanosio/thanos:v0.32.5-1"


@pytest.mark.parametrize(
    ("name", "entries", "said"),
    [
        (
            "extraVolumes",
            [{**VOLUME, "secret": {"secretName": "other"}}],
            "extraVolumes: '{'name': 'object-store-volume'",
        ),
        ("extraVolumes", {"a": 1}, "extraVolumes: '{'a': 1}' is not a list"),
        (
            "sidecarContainers",
            [{"name": "thanos-sidecar", "args": ["sidecar"]}],
            "sidecarContainers.thanos-sidecar.args:",
        ),
        ("sidecarContainers", [{"name": "thanos-sidecar", "args": None}], "sidecarContainers.thanos-sidecar.args:"),
        (
            "sidecarContainers",
            [{"name": "thanos-sidecar", "volumeMounts": [{"name": "object-store-volume", "mountPath": "/mnt"}]}],
            "sidecarContainers.thanos-sidecar.volumeMounts:",
        ),
    ],
)
def test_entries_that_contradict(name: str, entries: Any, said: str) -> None:
    assert f"user_values.prometheus.server.{said}" in refused("1", {"prometheus": {"server": {name: entries}}})


def test_annotations_of_the_users_stay_beside_ours() -> None:
    theirs = {"team": "finops"}
    values = wired(
        "1", {"thanos": {"store": {"annotations": theirs}}, **nested("prometheus.server.podAnnotations", theirs)}
    )
    assert values["thanos"]["store"]["annotations"] == {**theirs, **MARK}
    assert values["prometheus"]["server"]["podAnnotations"] == {**theirs, **MARK}
    values = wired("3", {"finopsagent": {"podAnnotations": theirs}})
    assert values["finopsagent"]["podAnnotations"] == {**theirs, **MARK}


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


def test_the_cluster_controller_has_our_role_beside_the_users_annotations() -> None:
    theirs = nested("clusterController.serviceAccount.annotations", {"team": "finops"})
    assert wired("3", theirs)["clusterController"]["serviceAccount"]["annotations"] == {"team": "finops", **ROLE}
    assert wired("3", {"clusterController": OFF})["clusterController"] == OFF
    assert "clusterController" not in wired("3", more={"service_account": {}})


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ({"secret": ""}, "object_store.secret: '' is missing. Name the Secret that holds the file"),
        ({"part": "reader"}, "object_store.part: 'reader' is no part of a cluster"),
        ({"bucket": "b"}, "object_store: 'bucket' is not a key of it"),
    ],
)
def test_storage_that_is_refused(store: dict[str, Any], said: str) -> None:
    assert said in refused("3", **store)


def test_a_wiring_for_nothing() -> None:
    said = refused("3", more={"object_store": {}})
    assert said.startswith(
        "cloud_integration_secret: '' is missing, and so is object_store. Write cloud_integration_secret"
    )


def test_a_checksum_of_a_cloud_integration_that_is_not_there() -> None:
    assert refused("3", more={"checksum": "two"}).startswith("checksum: 'two' is that of the cloud integration")
