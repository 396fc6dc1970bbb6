# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the objects of a namespace, and of the operator's Deployment."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_read import annotated, described, operator_of

ASKED = {"namespace": "databases", "name": "orders", "sharded": False, "object_storage": "store", "secrets": ["s", "t"]}
ROLE = "arn:aws:iam::222222222222:role/orders"


def cluster(name: str, version: str = "1.18.6", storage: str = "store") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "annotations": {"stackgres.io/operatorVersion": version}},
        "spec": {"configurations": {"backups": [{"sgObjectStorage": storage}]}},
    }


def pod(name: str, of: str, **more: Any) -> dict[str, Any]:
    environment = [{"name": key, "value": value} for key, value in more.pop("env", {}).items()]
    return {
        "metadata": {"name": name, "labels": {"stackgres.io/cluster-name": of}, **more.pop("metadata", {})},
        "spec": {
            "serviceAccountName": f"{of}-patroni",
            "containers": [{"name": "sidecar"}, {"name": "patroni", "image": "i", "env": environment}],
        },
        **more,
    }


def backup(name: str, of: str, status: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"sgCluster": of}, "status": {"process": {"status": status}}}


def there(**kinds: Any) -> dict[str, Any]:
    return {name: {"items": items} for name, items in kinds.items()}


def test_one_sgcluster_out_of_its_namespace() -> None:
    seen = there(
        sgclusters=[cluster("orders"), cluster("other"), cluster("third", storage="else")],
        serviceaccounts=[
            {"metadata": {"name": "orders-patroni", "annotations": {"eks.amazonaws.com/role-arn": ROLE}}},
            {"metadata": {"name": "orders-backup"}},
        ],
        pods=[
            pod("orders-0", "orders", env={"AWS_ROLE_ARN": ROLE, "AWS_REGION": "eu-west-1"}),
            pod("orders-1", "orders", env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23"}),
            pod("orders-2", "orders", metadata={"deletionTimestamp": "now"}),
            pod("orders-3", "orders", status={"phase": "Failed"}),
            pod("other-0", "other"),
        ],
        sgbackups=[
            backup("mine", "orders", "Running"),
            backup("same-storage", "other", "Running"),
            backup("elsewhere", "third", "Running"),
            backup("over", "orders", "Completed"),
        ],
    )
    seen |= {
        "namespace": {},
        "storage store": {"metadata": {"name": "store"}},
        "secret s": {"data": {"b": "x", "a": "y"}},
    }
    found = described(ASKED, seen)
    assert found["cluster"]["kind"] == "SGCluster"
    assert found["version"] == "1.18.6"
    assert found["service_accounts"] == [{"name": "orders-patroni", "role_arn": ROLE}]
    assert [(each["name"], each["role_arn"], each["pod_identity"]) for each in found["pods"]] == [
        ("orders-0", ROLE, False),
        ("orders-1", "", True),
    ]
    assert found["running_backups"] == ["mine", "same-storage"]
    assert found["users"] == ["orders", "other"]
    assert found["secrets"] == {"s": ["a", "b"], "t": None}
    assert "x" not in str(found["secrets"])


def test_nothing_is_there() -> None:
    found = described(ASKED, {"namespace": None, "pods": None, "secret s": None})
    assert (found["cluster"], found["namespace_exists"], found["pods"], found["version"]) == (None, False, [], "")


def test_shards_are_the_operators_sgclusters_and_the_oldest_counts() -> None:
    whole = {"metadata": {"name": "orders"}, "spec": {"shards": {"clusters": 1}}}
    seen = there(sgshardedclusters=[whole], sgclusters=[cluster("orders-coord"), cluster("orders-shard0", "1.17.2")])
    found = described({**ASKED, "sharded": True}, seen)
    assert found["cluster"]["kind"] == "SGShardedCluster"
    assert found["parts"] == ["orders-coord", "orders-shard0"]
    assert found["version"] == "1.17.2"
    assert found["users"] == []


@pytest.mark.parametrize(
    ("image", "labels", "version"),
    [
        ("quay.io/stackgres/operator:1.18.6", {}, "1.18.6"),
        ("quay.io/stackgres/operator:1.18.6-jvm", {"version": "1.18.5"}, "1.18.5"),
        ("registry:5000/operator@sha256:abc", {}, ""),
    ],
)
def test_the_version_of_the_operator(image: str, labels: dict[str, str], version: str) -> None:
    def deployment(image: str) -> dict[str, Any]:
        containers = {"containers": [{"image": image}]}
        metadata = {"name": "stackgres-operator", "namespace": "stackgres", "labels": labels}
        return {"metadata": metadata, "spec": {"template": {"spec": containers}}}

    found = operator_of([deployment("quay.io/stackgres/restapi:9.9.9"), deployment(image)])
    assert found is not None
    assert found["version"] == version
    assert operator_of([deployment("quay.io/stackgres/restapi:9.9.9")]) is None


def test_a_role_is_waited_for_on_all_accounts_of_one_that_exists() -> None:
    there = {"cluster": {}, "parts": ["orders"], "service_accounts": [{"name": "orders-patroni", "role_arn": ROLE}]}
    assert annotated({"role_arn": ROLE}, there)
    assert not annotated({"role_arn": "other"}, there)
    assert not annotated({"role_arn": ROLE}, {**there, "service_accounts": []})
    assert annotated({"role_arn": ROLE}, {**there, "cluster": None})
    assert annotated({"role_arn": None}, there)
