# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects a new cluster of the sandbox has: nodes, volumes, the pod identity webhook."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

NODES = ("ip-10-0-1-10", "ip-10-0-2-10")


def node(name: str, region: str, zone: str, version: str) -> dict[str, Any]:
    """A node for kwok to play, labelled as EKS labels its nodes."""
    capacity = {"cpu": "64", "memory": "256Gi", "pods": "500", "ephemeral-storage": "1Ti"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"{name}.{region}.compute.internal",
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "kubernetes.io/hostname": f"{name}.{region}.compute.internal",
                "node.kubernetes.io/instance-type": "m7i.16xlarge",
                "topology.kubernetes.io/region": region,
                "topology.kubernetes.io/zone": f"{region}{zone}",
                "eks.amazonaws.com/capacityType": "ON_DEMAND",
            },
        },
        "spec": {"providerID": f"aws:///{region}{zone}/i-0{'abcdef0123456789'[len(zone) :]}{zone}"},
        "status": {"allocatable": capacity, "capacity": capacity, "nodeInfo": {"kubeletVersion": version}},
    }


def volume(name: str) -> dict[str, Any]:
    """A volume that any claim without a storage class (up to 200Gi) binds."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "kubestrap-sandbox"}},
        "spec": {
            "capacity": {"storage": "200Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"/mnt/{name}"},
        },
    }


def pod_identity_webhook(url: str, ca_bundle: Path) -> dict[str, Any]:
    """The webhook configuration that EKS clusters have, calling the sandbox' gateway.

    Failure policy Ignore and the rules are those of EKS (amazon-eks-pod-identity-webhook, deploy/mutatingwebhook.yaml).
    """
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "pod-identity-webhook"},
        "webhooks": [
            {
                "name": "iam-for-pods.amazonaws.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "reinvocationPolicy": "IfNeeded",
                "timeoutSeconds": 10,
                "clientConfig": {"url": url, "caBundle": base64.b64encode(ca_bundle.read_bytes()).decode()},
                "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
            }
        ],
    }
