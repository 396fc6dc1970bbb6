# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that is wired for object storage, for tests of the Helm values: what is asked for, what comes out."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_values import build

ROLE = {"eks.amazonaws.com/role-arn": "arn:aws:iam::222222222222:role/kubecost-prod-eu"}
MARK = {"kubestrap.aws/object-store-checksum": "one"}
BILLING = {"kubestrap.aws/cloud-integration-checksum": "two"}
ON, OFF = {"enabled": True}, {"enabled": False}
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
