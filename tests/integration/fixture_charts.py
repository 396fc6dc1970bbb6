# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixture charts with the real helm: values as the collection would install with, and what helm renders of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from integration.files import COLLECTION
from integration.world import kubecost_chart, kubecost_values
from sandbox import toolchain

CHARTS = COLLECTION / "tests/fixtures/charts"
CHART_OF = {"1": CHARTS / "cost-analyzer-1", "2": CHARTS / "cost-analyzer", "3": CHARTS / "kubecost"}
ROLE = "arn:aws:iam::222222222222:role/kubecost-demo"
SECRET, STORE, PRODUCT_KEY = "cloud-integration", "bucket-config", "enterprise"
LONG = "a-release-of-which-the-name-has-exactly-fifty-three-c"

Helm = Callable[..., subprocess.CompletedProcess[str]]
Objects = dict[tuple[str, str], dict[str, Any]]


def helm_in(home: Path) -> Helm:
    """Runs helm with values on its standard input; what it keeps lies below ``home``."""
    program = toolchain.ensure_programs() / "helm"
    homes = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: str | Path, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(program), *map(str, arguments), *(["--values", "-"] if values is not None else [])]
        return subprocess.run(
            command,
            input=yaml.safe_dump(values) if values is not None else None,
            env={**os.environ, **homes},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def wired(
    generation: str, release: str = "kubecost", user: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """The values that the collection would install with."""
    wiring = {
        "generation": generation,
        "release": release,
        "cluster_id": "prod-eu",
        "cloud_integration_secret": SECRET,
        "service_account": {"annotations": {"eks.amazonaws.com/role-arn": ROLE}},
        "checksum": "one",
        "user_values": user or {},
    }
    return kubecost_values.build({**wiring, **more})


def stored(
    generation: str, release: str = "kubecost", user: dict[str, Any] | None = None, **store: Any
) -> dict[str, Any]:
    """The values of a cluster that is wired for storage; a primary has a cloud integration too."""
    object_store = {"secret": STORE, "checksum": "one", **store}
    if generation == "1":
        object_store.setdefault("service_account", "thanos")
    billing = {} if store.get("part") == "agent" else {"cloud_integration_secret": SECRET, "checksum": "one"}
    missing = {"cloud_integration_secret": "", "checksum": "", **billing}
    return wired(generation, release, user, object_store=object_store, **missing)


def facts(generation: str, release: str, values: dict[str, Any], namespace: str = "finops") -> dict[str, Any]:
    return kubecost_chart.facts(
        {"generation": generation, "release": release, "namespace": namespace, "values": values}
    )


def storage_facts(generation: str, release: str, user: dict[str, Any], **store: Any) -> dict[str, Any]:
    described = {"generation": generation, "release": release, "namespace": "finops", "values": user}
    account = {"service_account": "thanos"} if generation == "1" else {}
    return kubecost_chart.facts({**described, "object_store": {"secret": STORE, **account, **store}})["object_store"]


def rendered(helm: Helm, generation: str, release: str, values: dict[str, Any]) -> Objects:
    """The objects by kind and name."""
    made = helm("template", release, CHART_OF[generation], "--namespace", "finops", values=values)
    assert made.returncode == 0, made.stderr
    objects = [document for document in yaml.safe_load_all(made.stdout) if document]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def mounts(workload: dict[str, Any], secret: str) -> bool:
    """Has the workload a volume of this Secret's key cloud-integration.json?"""
    spec = workload.get("spec", {}).get("template", {}).get("spec", {})
    volumes = [volume["secret"] for volume in spec.get("volumes", []) if "secret" in volume]
    items = [item["key"] for volume in volumes if volume["secretName"] == secret for item in volume.get("items", [])]
    return items == [kubecost_chart.SECRET_KEY]


def opens(workload: dict[str, Any]) -> str:
    """Name of the volume of the bucket's Secret in a workload's pods."""
    volumes = workload.get("spec", {}).get("template", {}).get("spec", {}).get("volumes") or []
    return next((each["name"] for each in volumes if each.get("secret", {}).get("secretName") == STORE), "")


def selects(workload: dict[str, Any], labels: dict[str, str]) -> bool:
    """Would these labels select the workload's pods?"""
    return labels.items() <= workload["spec"]["template"]["metadata"]["labels"].items()


def nested(dotted: str, value: Any) -> dict[str, Any]:
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return value
