# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kwok, in the kubelet's place, does with nodes and pods, and what it answers for logs, exec and port-forward.

Stages: those of kwok 0.8 (kustomize/stage/node/fast, node/heartbeat-with-lease, pod/fast) in kwok_stages. The
configuration gives every container the same short log and a local exec with an empty working directory.
ClusterPortForward and Logs are read from the cluster instead, so that they can come and go while it runs:

    {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterPortForward", "metadata": {"name": "kubecost"},
     "spec": {"selector": {"matchNamespaces": ["kubecost"]},
              "forwards": [{"ports": [9003], "target": {"address": "127.0.0.1", "port": 12345}}]}}

lets an HTTP server on the loopback answer as port 9003 of each pod in that namespace.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_GROUP = "kwok.x-k8s.io"
_STAGES = sorted((Path(__file__).parent / "kwok_stages").glob("*.yaml"))
LIVE_KINDS = ("ClusterPortForward", "Logs")  # kwok takes a kind either from its configuration or from the cluster
LOG_LINE = "kubestrap sandbox: this container is played by kwok"


def write_configuration(directory: Path) -> Path:
    """Write kwok's configuration (and the log file of all containers) below `directory`; returns its path."""
    work = directory / "exec"
    work.mkdir()
    log = directory / "container.log"
    log.write_text(f"2026-01-01T00:00:00.000000000Z stdout F {LOG_LINE}\n")
    documents = [
        _resource("ClusterLogs", {"logs": [{"logsFile": str(log), "follow": False}]}),
        _resource("ClusterExec", {"execs": [{"local": {"workDir": str(work)}}]}),
    ]
    path = directory / "kwok.yaml"
    stages = [file.read_text() for file in _STAGES]
    path.write_text("".join([*stages, *(f"---\n{json.dumps(document)}\n" for document in documents)]))
    return path


def _resource(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": f"{_GROUP}/v1alpha1", "kind": kind, "metadata": {"name": "sandbox"}, "spec": spec}


def custom_resource_definitions() -> list[dict[str, Any]]:
    """The definitions of the kinds that kwok reads from the cluster."""
    return [
        _definition("ClusterPortForward", "clusterportforwards", "Cluster"),
        _definition("Logs", "logs", "Namespaced"),
    ]


def _definition(kind: str, plural: str, scope: str) -> dict[str, Any]:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{_GROUP}"},
        "spec": {
            "group": _GROUP,
            "scope": scope,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": "v1alpha1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
