# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods open the bucket, and as whom, by generation, part and values.
tests/integration/test_fixture_charts_storage.py compares with what Helm renders."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _kubecost_storage as subject
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_chart import facts

LONG = "a-release-of-which-the-name-has-exactly-fifty-three-c"


def of(
    generation: str, release: str = "kubecost", values: dict[str, Any] | None = None, **store: Any
) -> dict[str, Any]:
    """The facts of object storage; with ``store`` those of a cluster that is wired for it."""
    wired = {"object_store": store} if store else {}
    described = {"generation": generation, "release": release, "namespace": "finops", "values": values or {}}
    return facts({**described, **wired})["object_store"]


def opening(made: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(each["kind"], each["name"], each["container"], each["service_account"]) for each in made["workloads"]]


def accounts(made: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["created_by"] for each in made["service_accounts"]}


def test_generation_1_is_prometheus_and_the_parts_of_thanos_that_read() -> None:
    made = of("1")
    assert (made["file_name"], made["part"]) == ("object-store.yaml", "primary")
    assert opening(made) == [
        ("Deployment", "kubecost-prometheus-server", "thanos-sidecar", "kubecost-prometheus-server"),
        ("Deployment", "kubecost-thanos-store", "thanos-store", "default"),
        ("Deployment", "kubecost-thanos-compact", "thanos-compact", "default"),
        ("Deployment", "kubecost-thanos-bucket", "thanos-bucket", "default"),
    ]
    assert accounts(made) == {"kubecost-prometheus-server": "chart", "default": "kubernetes"}


def test_generation_1_with_one_account_for_all_of_them() -> None:
    made = of("1", service_account="kubecost-thanos")
    assert {each[3] for each in opening(made)} == {"kubecost-thanos"}
    assert made["service_accounts"] == [
        {
            "name": "kubecost-thanos",
            "subject": "system:serviceaccount:finops:kubecost-thanos",
            "created_by": "other",
        }
    ]


def test_an_agent_of_generation_1_has_the_sidecar_only() -> None:
    assert opening(of("1", part="agent", service_account="writer")) == [
        ("Deployment", "kubecost-prometheus-server", "thanos-sidecar", "writer")
    ]
    assert of("1", values={"global": {"thanos": {"enabled": False}}})["part"] == "agent"


def test_parts_of_thanos_that_the_user_turns_off_do_not_open_the_bucket() -> None:
    off = {"thanos": {"compact": {"enabled": False}, "bucket": {"enabled": False}}}
    assert [each[1] for each in opening(of("1", values=off))] == ["kubecost-prometheus-server", "kubecost-thanos-store"]


@pytest.mark.parametrize(
    ("release", "values", "names"),
    [
        ("my-thanos", {}, ["my-thanos-prometheus-server", "my-thanos-store"]),
        ("prometheus", {}, ["prometheus-server", "prometheus-thanos-store"]),
        (LONG, {}, [f"{LONG}-prometheu", f"{LONG}-tha-store"]),
        (
            "kc",
            {"prometheus": {"nameOverride": "prom"}, "thanos": {"nameOverride": "th"}},
            ["kc-prom-server", "kc-th-store"],
        ),
        ("kc", {"prometheus": {"server": {"fullnameOverride": "tsdb"}}}, ["tsdb", "kc-thanos-store"]),
    ],
)
def test_names_of_the_subcharts_of_generation_1(release: str, values: dict[str, Any], names: list[str]) -> None:
    found = [each[1] for each in opening(of("1", release, values))]
    assert found[:2] == names
    assert all(len(name) <= 63 for name in found)


@pytest.mark.parametrize(
    ("server", "name", "made_by"),
    [
        ({"create": True, "name": "prom"}, "prom", "chart"),
        ({"create": False, "name": "prom"}, "prom", "other"),
        ({"create": False}, "default", "kubernetes"),
    ],
)
def test_the_account_of_prometheus(server: dict[str, Any], name: str, made_by: str) -> None:
    made = of("1", values={"prometheus": {"serviceAccounts": {"server": server}}}, part="agent")
    assert accounts(made) == {name: made_by}


def test_prometheus_as_a_statefulset() -> None:
    made = of("1", values={"prometheus": {"server": {"statefulSet": {"enabled": True}}}}, part="agent")
    assert made["workloads"][0]["kind"] == "StatefulSet"


def test_generation_2_is_three_workloads_with_the_charts_account() -> None:
    made = of("2")
    assert made["file_name"] == "federated-store.yaml"
    assert opening(made) == [
        ("Deployment", "kubecost-cost-analyzer", "cost-model", "kubecost-cost-analyzer"),
        ("StatefulSet", "kubecost-aggregator", "aggregator", "kubecost-cost-analyzer"),
        ("Deployment", "kubecost-cloud-cost", "cloud-cost", "kubecost-cost-analyzer"),
    ]
    assert accounts(made) == {"kubecost-cost-analyzer": "chart"}


@pytest.mark.parametrize(
    ("values", "store"),
    [({}, {"part": "agent"}), ({"federatedETL": {"agentOnly": True}}, {}), ({"agent": True}, {})],
)
def test_an_agent_of_generation_2_is_the_main_pod(values: dict[str, Any], store: dict[str, str]) -> None:
    made = of("2", values=values, **store)
    assert made["part"] == "agent"
    assert [each[1] for each in opening(made)] == ["kubecost-cost-analyzer"]


def test_generation_2_without_a_cloud_integration_has_no_reader() -> None:
    release = {"generation": "2", "release": "kubecost", "namespace": "finops", "object_store": {"part": "primary"}}
    made = facts({**release, "cloud_integration": False})
    assert [each["name"] for each in made["object_store"]["workloads"]] == [
        "kubecost-cost-analyzer",
        "kubecost-aggregator",
    ]
    assert made["workloads"] == []
    theirs = {"kubecostProductConfigs": {"cloudIntegrationSecret": "mine"}}
    made = facts({**release, "cloud_integration": False, "values": theirs})
    assert [each["name"] for each in made["workloads"]] == ["kubecost-cloud-cost"]


def test_storage_moves_the_reader_of_billing_data_in_generation_2() -> None:
    release = {"generation": "2", "release": "kubecost", "namespace": "finops"}
    assert facts(release)["workloads"][0]["name"] == "kubecost-cost-analyzer"
    wired = facts({**release, "object_store": {"secret": "federated-store"}})
    assert wired["workloads"][0]["name"] == "kubecost-cloud-cost"
    assert wired["pod_labels"]["app"] == "cloud-cost"


def test_generation_3_is_four_workloads_with_three_accounts() -> None:
    made = of("3")
    assert opening(made) == [
        ("StatefulSet", "kubecost-aggregator", "aggregator", "kubecost"),
        ("Deployment", "kubecost-cloud-cost", "cloud-cost", "kubecost"),
        ("Deployment", "kubecost-finopsagent", "finops-agent", "kubecost-finopsagent"),
        ("Deployment", "kubecost-cluster-controller", "kubecost-cluster-controller", "kubecost-cluster-controller"),
    ]
    assert accounts(made) == {
        "kubecost": "chart",
        "kubecost-finopsagent": "chart",
        "kubecost-cluster-controller": "chart",
    }


def test_an_agent_of_generation_3_is_finops_agent_and_cluster_controller() -> None:
    for made in (of("3", part="agent"), of("3", values={"aggregator": {"enabled": False}})):
        assert [each[1] for each in opening(made)] == ["kubecost-finopsagent", "kubecost-cluster-controller"]
    off = {"clusterController": {"enabled": False}}
    assert list(accounts(of("3", values=off, part="agent"))) == ["kubecost-finopsagent"]


@pytest.mark.parametrize("name", ["legacyMode", "storageConfig", "storageConfigSecret"])
def test_a_cluster_controller_with_a_bucket_of_its_own_is_none_of_ours(name: str) -> None:
    assert "kubecost-cluster-controller" not in accounts(of("3", values={"clusterController": {name: "set"}}))


def test_accounts_of_the_users_in_generation_3() -> None:
    values = {
        "serviceAccount": {"create": False, "name": "costs"},
        "aggregator": {"serviceAccountName": "queries"},
        "finopsagent": {"fullnameOverride": "agent", "serviceAccount": {"create": False}},
        "clusterController": {"serviceAccount": {"create": False}},
    }
    made = of("3", values=values)
    assert accounts(made) == {
        "queries": "other",
        "costs": "other",
        "default": "kubernetes",
        "kubecost-cluster-controller": "other",
    }
    assert [each[1] for each in opening(made)][2] == "agent"


def test_a_primary_may_leave_its_agent_to_others() -> None:
    assert "kubecost-finopsagent" not in accounts(of("3", values={"finopsagent": {"enabled": False}}))


def test_the_file_may_have_another_name_in_generation_3() -> None:
    assert of("3", key="store.yaml")["file_name"] == "store.yaml"


@pytest.mark.parametrize(
    ("generation", "store", "said"),
    [
        ("3", "federated-store", "object_store: 'federated-store' is not a mapping"),
        ("3", {"bucket": "b"}, "object_store: 'bucket' is not a key of it. The keys are: secret, key, part,"),
        ("3", {"secret": "Federated"}, "object_store.secret: 'Federated' is not a name of a Secret"),
        ("3", {"product_key_secret": "a_b"}, "object_store.product_key_secret: 'a_b' is not a name of a Secret"),
        ("1", {"service_account": "A"}, "object_store.service_account: 'A' is not a name of a ServiceAccount"),
        (
            "3",
            {"part": "secondary"},
            "object_store.part: 'secondary' is no part of a cluster. Write one of: primary, agent",
        ),
        (
            "1",
            {"key": "thanos.yaml"},
            "object_store.key: 'thanos.yaml' is not read by Kubecost 1, which knows the name",
        ),
        ("2", {"key": "object-store.yaml"}, "which knows the name federated-store.yaml only"),
        ("3", {"key": "a/b.yaml"}, "object_store.key: 'a/b.yaml' is not a key of a Secret"),
        ("3", {"key": 3}, "object_store.key: '3' is not a key of a Secret"),
        ("2", {"service_account": "thanos"}, "object_store.service_account: 'thanos' has no place in generation 2"),
    ],
)
def test_storage_that_is_refused(generation: str, store: Any, said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        subject.check(store, generation)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("generation", "store"),
    [
        ("1", {"secret": "kubecost-thanos", "key": "object-store.yaml", "service_account": "thanos"}),
        ("2", {"secret": "federated-store", "key": "", "part": "", "service_account": None}),
        ("3", {"secret": "federated-store", "key": "store.yaml", "part": "agent", "checksum": "one"}),
    ],
)
def test_storage_that_is_let_through(generation: str, store: dict[str, Any]) -> None:
    subject.check(store, generation)
