# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wiring of object storage as Helm values: every value of a user that cannot stand beside it, and wirings that are
none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _kubecost_storage_values as subject
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_chart import value_at
from unit.kubecost_storage_wired import nested, refused, wired


@pytest.mark.parametrize("generation", ["1", "2", "3"])
def test_an_agent_reads_no_billing_data(generation: str) -> None:
    said = refused(generation, part="agent", billing=True)
    assert said.startswith("cloud_integration_secret: 'cloud-integration' has no place beside object_store.part: agent")


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
