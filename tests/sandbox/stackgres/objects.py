# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that StackGres' operator makes, as far as backups and identity go. Pure functions."""

from __future__ import annotations

from typing import Any

from .admission import VERSION_KEY, cluster_names
from .definitions import GROUP
from .wal_g import CONTAINER

OPERATOR = "stackgres-operator"
Document = dict[str, Any]


def version_of(text: str) -> tuple[int, ...]:
    """1.18.6 -> (1, 18, 6). Raises ValueError."""
    parts = tuple(int(part) for part in text.partition("-")[0].split("."))
    if len(parts) != 3:
        raise ValueError(f"{text!r} is not a version of StackGres, such as 1.18.6")
    return parts


def operator(namespace: str, version: str) -> Document:
    """The operator, as its chart has it (templates/operator-deployment.yaml)."""
    labels = {"app": OPERATOR, "group": GROUP}
    container = {
        "name": OPERATOR,
        "image": f"quay.io/stackgres/operator:{version}",
        "env": [{"name": "OPERATOR_NAME", "value": OPERATOR}, {"name": "OPERATOR_IMAGE_VERSION", "value": version}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": OPERATOR, "namespace": namespace, "labels": {**labels, "version": version}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def owner(document: Document) -> list[Document]:
    """What makes an object go with the one that it was made for."""
    metadata = document["metadata"]
    reference = {"apiVersion": document["apiVersion"], "kind": document["kind"], "controller": True}
    return [{**reference, "name": metadata["name"], "uid": metadata["uid"]}]


def pod_labels(cluster: Document) -> dict[str, str]:
    """How the pods of a cluster are found."""
    name = cluster["metadata"]["name"]
    return {"app": "StackGresCluster", f"{GROUP}/cluster-name": name, f"{GROUP}/cluster": "true"}


def running_version(cluster: Document) -> str:
    """The version of StackGres that a cluster's images are of; the operator leaves it until it is told to upgrade."""
    return cluster["metadata"]["annotations"][VERSION_KEY]


def service_account(cluster: Document, operator_version: tuple[int, ...]) -> Document:
    """`<cluster>-patroni`. That it has annotations of its own is new in 1.18; allResources came to it before, too."""
    annotations = (cluster["spec"].get("metadata") or {}).get("annotations") or {}
    own = annotations.get("serviceAccount", {}) if operator_version >= (1, 18) else {}
    metadata = cluster["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": f"{metadata['name']}-patroni",
            "namespace": metadata["namespace"],
            "labels": pod_labels(cluster),
            "annotations": {**annotations.get("allResources", {}), **own},
            "ownerReferences": owner(cluster),
        },
    }


def stateful_set(cluster: Document) -> Document:
    """The pods. A change of the template waits for a restart (OnDelete). The build numbers are made up."""
    metadata, spec = cluster["metadata"], cluster["spec"]
    version = version_of(running_version(cluster))
    build = 40 if version < (1, 17) else 43 if version < (1, 18, 4) else 45
    annotations = (spec.get("metadata") or {}).get("annotations") or {}
    container = {
        "name": CONTAINER,
        "image": f"quay.io/ongres/patroni:v4.0.6-pg{spec['postgres']['version']}-build-6.{build}",
        "env": [
            {"name": "PATRONI_SCOPE", "value": metadata["name"]},
            *((spec["pods"].get("customEnv") or {}).get(CONTAINER) or []),
        ],
    }
    labels = pod_labels(cluster)
    marks = {**annotations.get("allResources", {}), **annotations.get("clusterPods", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": owner(cluster),
        },
        "spec": {
            "replicas": spec["instances"],
            "serviceName": metadata["name"],
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "OnDelete"},
            "template": {
                "metadata": {"labels": labels, "annotations": marks},
                "spec": {"serviceAccountName": f"{metadata['name']}-patroni", "containers": [container]},
            },
        },
    }


def generated_clusters(sharded: Document) -> list[Document]:
    """The SGClusters of a sharded cluster: the coordinator, and one for each shard.

    Annotations of the whole come to a part only where the part has none at all: they are not merged
    (StackGresShardedClusterForUtil.java:422). The schedule of backups stays with the whole.
    """
    spec = sharded["spec"]
    overrides = {item["index"]: item for item in spec["shards"].get("overrides") or []}
    coordinator, shards = spec["coordinator"], spec["shards"]
    parts: list[tuple[list[Document], int]] = [([coordinator], coordinator["instances"])]
    for number in range(shards["clusters"]):
        override = overrides.get(number, {})
        instances = override.get("instancesPerCluster", shards["instancesPerCluster"])
        parts.append(([override, shards], instances))
    return [
        _generated(sharded, number, name, *part)
        for number, (name, part) in enumerate(zip(cluster_names(sharded), parts, strict=True))
    ]


def _generated(sharded: Document, number: int, name: str, levels: list[Document], instances: int) -> Document:
    spec, metadata = sharded["spec"], sharded["metadata"]
    said = [(level.get("metadata") or {}).get("annotations") for level in levels]
    said.append((spec.get("metadata") or {}).get("annotations"))
    annotations = next((item for item in said if item is not None), {})
    known = ("allResources", "clusterPods", "services", "primaryService", "replicasService", "serviceAccount")
    kept = {kind: annotations[kind] for kind in known if kind in annotations}
    pods = next(level["pods"] for level in levels if "pods" in level)
    backups = [
        {
            **{key: value for key, value in item.items() if key not in ("paths", "cronSchedule")},
            "path": item["paths"][number],
        }
        for item in (spec.get("configurations") or {}).get("backups") or []
    ]
    labels = {"app": "StackGresShardedCluster", f"{GROUP}/shardedcluster-name": metadata["name"]}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "SGCluster",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {**labels, f"{GROUP}/{'coordinator' if number == 0 else 'shards'}": "true"},
            "annotations": {VERSION_KEY: running_version(sharded)},
            "ownerReferences": owner(sharded),
        },
        "spec": {
            "profile": spec["profile"],
            "instances": instances,
            "postgres": spec["postgres"],
            "pods": pods,
            # Nothing rather than an empty map, which the API server would not take after one that has to go.
            **({"metadata": {"annotations": kept}} if kept else {}),
            "configurations": {"backups": backups},
        },
    }
