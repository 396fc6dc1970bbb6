# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of workload_identity_probe look at: a workload with its Secret, release and pods, and the proof of it.

proof = prove(world, delivered=False)
assert states(proof)["query"] == "pending"
"""

from __future__ import annotations

import time
from typing import Any

from integration.world import ATHENA_REGION, COLUMNS, PAYER, KubeApi, World

SECRET = {"name": "cloud-integration", "key": "cloud-integration.json"}
LABELS = {"app": "kubecost"}


def document(world: World) -> dict[str, Any]:
    """The cloud integration."""
    return {"aws": {"athena": [{"bucket": world.output_location, "account": PAYER}]}}


def make_release(world: World, version: int, status: str) -> str:
    """What Helm keeps of a revision."""
    name = f"sh.helm.release.v1.kubecost.v{version}"
    labels = {"owner": "helm", "name": "kubecost", "version": str(version), "status": status}
    body = {"kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": name, "labels": labels}}
    world.kube().post("api", "v1", "namespaces", world.namespace, "secrets", body=body)
    return name


def make_pod(world: World, name: str, **spec: Any) -> dict[str, Any]:
    """A pod of the workload, running."""
    container = {"name": "main", "image": "registry.example/kubecost:3"} | spec.pop("container", {})
    body = {
        "kind": "Pod",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {"serviceAccountName": world.service_account, "containers": [container], **spec},
    }
    place = ("api", "v1", "namespaces", world.namespace, "pods")
    assert world.kube().post(*place, body=body) is not None
    deadline = time.monotonic() + 60
    while not ready(found := world.kube().get(*place, name)):
        assert time.monotonic() < deadline, found["status"]
        time.sleep(0.1)
    return found


def ready(pod: dict[str, Any]) -> bool:
    """Is it ready?"""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def delete(world: World, kind: str, name: str) -> None:
    """Take an object of the namespace away, at once."""
    kube = world.kube()
    path = f"{kube.host}/api/v1/namespaces/{world.namespace}/{kind}/{name}?gracePeriodSeconds=0"
    answer = kube._pool.request("DELETE", path, headers=kube._headers)
    assert answer.status == 200, answer.data


def prove(
    world: World, kube: KubeApi | None = None, check_mode: bool = False, by: Any = None, **changes: Any
) -> dict[str, Any]:
    """The proof of all that is in the world, made by the cluster's operator unless it says by whom."""
    from ansible_collections.kubestrap.aws.plugins.module_utils import _probe
    from ansible_collections.kubestrap.aws.plugins.module_utils._probe_billing import Athena

    athena = Athena(
        region=ATHENA_REGION,
        workgroup=changes.pop("workgroup", world.name),
        database=world.database,
        table=changes.pop("table", world.table),
        output_location=changes.pop("output_location", world.output_location),
        required_columns=changes.pop("required_columns", COLUMNS),
        delivered=changes.pop("delivered", True),
    )
    claim = _probe.Claim(
        **{
            "namespace": world.namespace,
            "service_account": world.service_account,
            "role_arn": world.workload_arn,
            "audience": "sts.amazonaws.com",
            "assume_role_arn": world.reader_arn,
            "athena": athena,
            "secret": {**SECRET, "expected": document(world)},
            "label_selectors": ("app=kubecost",),
            "helm_release": "kubecost",
            **changes,
        }
    )
    return _probe.prove(by or world.cluster, kube or world.kube(), claim, check_mode)


def states(proof: dict[str, Any]) -> dict[str, str]:
    """Link -> state."""
    return {link["link"]: link["state"] for link in proof["links"]}


def link_of(proof: dict[str, Any], name: str) -> dict[str, str]:
    """One link."""
    return next(link for link in proof["links"] if link["link"] == name)


def broken(proof: dict[str, Any], name: str, cause: str, change: str) -> None:
    """This link failed with this cause, and what needs it was not tried."""
    link = link_of(proof, name)
    assert (proof["state"], link["state"]) == ("failed", "failed"), proof
    assert cause in link["cause"], link
    assert change in link["change"], link
    chain = ["token", "trust", "role", "payer_role", "table", "query"]
    if name in chain:
        rest = [states(proof)[later] for later in chain[chain.index(name) + 1 :] if later != "role"]
        assert set(rest) <= {"skipped"}
