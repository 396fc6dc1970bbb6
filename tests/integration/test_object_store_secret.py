# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that ends between the key and its Secret is completed by the next one; rights that are missing make no key."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from integration.playbook import Result, run_playbook
from integration.world import CLUSTER, CLUSTER_REGION, World
from sandbox.client import Sandbox

USER = "kubestrap-store-cut"
KEYS = ("api", "v1", "namespaces", USER, "secrets", "store")


class Store:
    """A workload with the key of a user, and the cluster that it is in."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.world = World(sandbox, USER)
        self.kube = self.world.kube()
        self.iam = self.world.cluster.client("iam")

    def run(self, **options: Any) -> Result:
        """The module, as the administrator of the cluster."""
        state = self.sandbox.state
        task = {
            "kubeconfig": state["clusters"]["demo"]["admin_kubeconfig"],
            "region": CLUSTER_REGION,
            "account_id": CLUSTER,
            "ownership_tags": {"managed-by": "example"},
            "namespace": USER,
            "secret": "store",
            "consumer": "thanos",
            "config": {"bucket": USER, "region": CLUSTER_REGION},
            "user": {"user_name": USER, "settle_hours": 0},
            **options,
        }
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "Do"}]}
        given = {name: value for name, value in task.items() if value is not None}
        play["tasks"][0]["kubestrap.aws.object_store_secret"] = given
        return run_playbook([play], self.sandbox, "cluster")

    def config(self) -> dict[str, str]:
        """The section config of what is in the Secret."""
        data = self.kube.get(*KEYS)["data"]["object-store.yaml"]
        return yaml.safe_load(base64.b64decode(data))["config"]

    def lose(self) -> None:
        """Somebody deletes the Secret."""
        self.kube.send("DELETE", *KEYS, body={"apiVersion": "v1", "kind": "DeleteOptions"}, field_manager="test")

    def who(self) -> str:
        """Whose the key in the Secret is."""
        state, config = self.sandbox.state, self.config()
        sts = boto3.client(
            "sts",
            CLUSTER_REGION,
            endpoint_url=state["endpoint_url"],
            verify=state["ca_bundle"],
            aws_access_key_id=config["access_key"],
            aws_secret_access_key=config["secret_key"],
        )
        return sts.get_caller_identity()["Arn"]

    def keys(self) -> list[str]:
        """Ids of the user's keys."""
        return [key["AccessKeyId"] for key in self.iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]]


@pytest.fixture
def store(sandbox: Sandbox) -> Iterator[Store]:
    made = Store(sandbox)
    yield made
    made.sandbox.faults()
    assert made.run(state="absent").ok


def test_a_key_in_its_secret_works_and_a_cut_leaves_one_key(store: Store) -> None:
    arn = store.run().task("Do").result["user_arn"]
    assert store.who() == arn
    store.lose()

    store.sandbox.faults([{"service": "iam", "operation": "CreateAccessKey", "cut": "after", "times": 9}])
    cut = store.run()
    store.sandbox.faults()
    assert not cut.ok
    assert store.kube.get(*KEYS) is None

    healed = store.run()
    assert healed.ok, healed.report
    assert store.who() == arn
    for _run in range(3):
        assert store.run().ok
    assert store.keys() == [store.config()["access_key"]]
    idle = store.run()
    assert (idle.changed, idle.writes) == ([], [])


def test_a_secret_that_cannot_be_written_makes_no_key(store: Store) -> None:
    """An immutable Secret can be read and not changed; the dry run says so."""
    assert store.run(user=None, key_pair={"access_key": "AKIA0", "secret_key": "hush-hush"}).ok
    store.kube.send("PATCH", *KEYS, body={"immutable": True}, field_manager="test")
    refused = store.run()
    assert not refused.ok
    message = refused.task("Do").result["msg"]
    assert f"Failed to write the Secret store in the namespace {USER}" in message
    assert "immutable" in message
    assert refused.writes == []
    store.lose()
    assert store.run().ok
