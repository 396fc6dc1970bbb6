# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays StackGres' operator in one cluster: one round looks at everything and takes each object one step further."""

from __future__ import annotations

import datetime
import json
import logging
from typing import Any

from ..control_plane.api import ApiError, KubernetesApi
from . import objects
from .definitions import GROUP, PLURALS, custom_resource_definitions, path
from .wal_g import Pod, Refused, WalG, wal_g_version

_LOG = logging.getLogger("sandbox.stackgres")
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Document = dict[str, Any]


class Operator:
    """The operator of one cluster, of the account `account_id`; `gateway` answers AWS' calls.

    It does nothing while its Deployment is not there, and it is of the version that the Deployment says.
    `hold`: backups and restarts that run go on running. `failure`: each backup that ends fails with this text.
    """

    def __init__(self, api: KubernetesApi, gateway: Any, account_id: str) -> None:
        self.api, self._gateway, self._account_id = api, gateway, account_id
        self.hold, self.failure = False, ""
        self.version = ""
        self.installed = ""  # version of the definitions that are served
        self._applied: dict[str, str] = {}  # path -> what was applied last
        self._storage_seen: dict[str, str] = {}  # uid of an SGBackup -> resourceVersion of its SGObjectStorage
        self._before: dict[str, dict[str, str]] = {}  # uid of an SGDbOps -> pod -> uid of the pod before the restart

    def look(self) -> bool:
        """Whether the operator is installed and ready; its version is known then."""
        listed = self.api.request("GET", f"/apis/apps/v1/deployments?labelSelector=group%3D{GROUP}")["items"]
        ready = [item for item in listed if (item.get("status") or {}).get("availableReplicas")]
        self.version = ready[0]["metadata"]["labels"]["version"] if ready else ""
        return bool(ready)

    def install(self) -> None:
        """Install the definitions of this version."""
        for definition in custom_resource_definitions(objects.version_of(self.version)):
            self.api.apply(f"{_DEFINITIONS}/{definition['metadata']['name']}", definition)

    def served(self) -> bool:
        """Whether the kinds can be used."""
        try:
            return all(self.list(plural) is not None for plural in PLURALS)
        except ApiError:
            return False

    def list(self, plural: str) -> list[Document]:
        """All objects of a kind."""
        answer = self.api.request("GET", path(plural))
        fields = {"apiVersion": answer["apiVersion"], "kind": answer["kind"].removesuffix("List")}
        return [{**fields, **item} for item in answer["items"]]

    def round(self) -> bool:
        """One step for everything. Returns whether there is more to do soon."""
        busy = False
        for plural, step in (
            ("sgshardedclusters", self._sharded),
            ("sgclusters", self._cluster),
            ("sgdbops", self._restart),
            ("sgbackups", self._backup),
        ):
            for document in self.list(plural):
                if document["metadata"].get("deletionTimestamp"):
                    continue
                try:
                    busy |= step(document)
                except ApiError as error:  # changed or gone meanwhile: the next round sees to it
                    _LOG.warning("%s %s: %s", plural, document["metadata"]["name"], error)
                    busy = True
        return busy

    # -- clusters ------------------------------------------------------------------------------------------------

    def _sharded(self, sharded: Document) -> bool:
        names = []
        for cluster in objects.generated_clusters(sharded):
            metadata = cluster["metadata"]
            names.append({"name": metadata["name"], "pendingRestart": False})
            self._apply(path("sgclusters", metadata["namespace"], metadata["name"]), cluster, sharded)
        version = sharded["spec"]["postgres"]["version"]
        return self._status("sgshardedclusters", sharded, {"postgresVersion": version, "clusterStatuses": names})

    def _cluster(self, cluster: Document) -> bool:
        metadata = cluster["metadata"]
        where = f"namespaces/{metadata['namespace']}"
        name = metadata["name"]
        account = objects.service_account(cluster, objects.version_of(self.version))
        self._apply(f"/api/v1/{where}/serviceaccounts/{name}-patroni", account, cluster)
        set_path = f"/apis/apps/v1/{where}/statefulsets/{name}"
        self._apply(set_path, objects.stateful_set(cluster), cluster)
        pods = self._pods(cluster)
        revision = self.api.request("GET", set_path).get("status", {}).get("updateRevision", "")
        for pod in pods:
            role = "primary" if pod["metadata"]["name"] == f"{name}-0" else "replica"
            if pod["metadata"]["labels"].get("role") != role:
                self._merge(_pod_path(pod), {"metadata": {"labels": {"role": role}}})
        statuses = [
            {
                "name": pod["metadata"]["name"],
                "primary": pod["metadata"]["name"] == f"{name}-0",
                "pendingRestart": pod["metadata"]["labels"].get("controller-revision-hash") != revision,
            }
            for pod in pods
        ]
        backups = (cluster["spec"].get("configurations") or {}).get("backups") or []
        status = {
            "postgresVersion": cluster["spec"]["postgres"]["version"],
            "instances": len(pods),
            "podStatuses": statuses,
            "backupPaths": [backup["path"] for backup in backups if backup.get("path")],
        }
        ready = [pod for pod in pods if _ready(pod)]
        return self._status("sgclusters", cluster, status) or len(ready) != cluster["spec"]["instances"]

    def _pods(self, cluster: Document) -> list[Document]:
        """The pods of a cluster that are not about to go, by name."""
        selector = "%2C".join(
            f"{key.replace('/', '%2F')}%3D{value}" for key, value in objects.pod_labels(cluster).items()
        )
        namespace = cluster["metadata"]["namespace"]
        listed = self.api.request("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")["items"]
        listed = [pod for pod in listed if not pod["metadata"].get("deletionTimestamp")]
        return sorted(listed, key=lambda pod: pod["metadata"]["name"])

    # -- restarts ------------------------------------------------------------------------------------------------

    def _restart(self, operation: Document) -> bool:
        """One pod after the other; all are restarted, or those that wait for it (onlyPendingRestart)."""
        status, uid = operation.get("status") or {}, operation["metadata"]["uid"]
        if operation["spec"]["op"] != "restart" or _condition(status) in ("Completed", "Failed"):
            return False
        cluster = self._get(path("sgclusters", operation["metadata"]["namespace"], operation["spec"]["sgCluster"]))
        if cluster is None:
            said = f"SGCluster {operation['spec']['sgCluster']} not found"
            return self._status("sgdbops", operation, {"conditions": _conditions("Failed", said)})
        pods = {pod["metadata"]["name"]: pod for pod in self._pods(cluster)}
        if uid not in self._before:
            waiting = {item["name"] for item in cluster["status"].get("podStatuses", []) if item.get("pendingRestart")}
            only = (operation["spec"].get("restart") or {}).get("onlyPendingRestart")
            chosen = [name for name in pods if not only or name in waiting]
            self._before[uid] = {name: pods[name]["metadata"]["uid"] for name in chosen}
        before = self._before[uid]
        done = [name for name, old in before.items() if name in pods and _new(pods[name], old)]
        left = [name for name in before if name not in done]
        restart = {"initialInstances": list(before), "restartedInstances": done, "pendingToRestartInstances": left}
        restart["primaryInstance"] = f"{cluster['metadata']['name']}-0"
        condition = "Running" if left or self.hold else "Completed"
        made: Document = {"conditions": _conditions(condition), "opRetries": 0, "restart": restart}
        made["opStarted"] = status.get("opStarted") or _now()
        self._status("sgdbops", operation, made)
        name = next(iter(left), None)
        if name in pods and not self.hold and pods[name]["metadata"]["uid"] == before[name]:
            self.api.request("DELETE", _pod_path(pods[name]), {"gracePeriodSeconds": 0})
        return condition == "Running" and not self.hold

    # -- backups -------------------------------------------------------------------------------------------------

    def _backup(self, backup: Document) -> bool:
        """Pending, then Running, then Completed or Failed."""
        process = (backup.get("status") or {}).get("process") or {}
        metadata, uid = backup["metadata"], backup["metadata"]["uid"]
        if process.get("status") in ("Completed", "Failed"):
            return False
        cluster = self._get(path("sgclusters", metadata["namespace"], backup["spec"]["sgCluster"]))
        if cluster is None:
            return False
        if not process.get("status"):
            return self._status("sgbackups", backup, {"process": {"status": "Pending"}})
        settings = ((cluster["spec"].get("configurations") or {}).get("backups") or [None])[0]
        if settings is None:
            return False  # no Job is made without a configuration
        storage = self._get(path("sgobjectstorages", metadata["namespace"], settings["sgObjectStorage"]))
        seen = storage["metadata"]["resourceVersion"] if storage else ""
        if process["status"] == "Pending":
            self._storage_seen[uid] = seen
            return self._status("sgbackups", backup, _begun(backup, settings, storage))
        if self.hold:
            return False
        try:
            made = self._pushed(cluster, storage)
            if self._storage_seen.setdefault(uid, seen) != seen:
                raise _Failed(f"Backup configuration {settings['sgObjectStorage']} changed during backup")
            if backup["status"].get("backupPath") != settings["path"]:
                raise _Failed(f"Backup path {backup['status'].get('backupPath')} changed during backup")
        except _Failed as error:
            return self._status("sgbackups", backup, {"process": {"status": "Failed", "failure": str(error)}})
        return self._status("sgbackups", backup, _ended(backup, cluster, made))

    def _pushed(self, cluster: Document, storage: Document | None) -> Document:
        """What WAL-G has written. Raises _Failed."""
        if self.failure:
            raise _Failed(self.failure)
        pods = [
            pod for pod in self._pods(cluster) if pod["metadata"]["labels"].get("role") == "primary" and _ready(pod)
        ]
        if not pods:
            raise _Failed("Unable to find primary, backup aborted")
        paths = (cluster.get("status") or {}).get("backupPaths")
        if not paths or storage is None:
            raise _Failed("Backup path not configured yet")
        version = wal_g_version(objects.version_of(objects.running_version(cluster)))
        try:
            return WalG(self.api, self._gateway, self._account_id, version).push(
                Pod.of(pods[0]), storage["spec"], paths[0]
            )
        except Refused as error:  # create-backup.sh, spelled as there
            raise _Failed(f"Backup failed while perfroming backup-push:\n{error}") from None

    # -- the API server ------------------------------------------------------------------------------------------

    def _get(self, where: str) -> Document | None:
        try:
            return self.api.request("GET", where)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def _apply(self, where: str, document: Document, parent: Document) -> None:
        """Apply an object unless it is what was applied last for this parent."""
        text = f"{parent['metadata']['uid']} {json.dumps(document, sort_keys=True)}"
        if self._applied.get(where) != text:
            self.api.apply(where, document)
            self._applied[where] = text

    def _merge(self, where: str, body: Document) -> None:
        self.api.request("PATCH", where, body, "application/merge-patch+json")

    def _status(self, plural: str, document: Document, status: Document) -> bool:
        """Write what differs of a status; whether something did."""
        before = document.get("status") or {}
        if all(_covers(before.get(key), value) for key, value in status.items()):
            return False
        metadata = document["metadata"]
        self._merge(path(plural, metadata["namespace"], metadata["name"]), {"status": status})
        return True


class _Failed(Exception):
    """A backup failed; the text is what its status says."""


def _covers(before: Any, after: Any) -> bool:
    if isinstance(after, dict) and isinstance(before, dict):
        return all(_covers(before.get(key), value) for key, value in after.items())
    return before == after


def _begun(backup: Document, settings: Document, storage: Document | None) -> Document:
    """The status of a backup whose Job has started."""
    job = {"status": "Running", "jobPod": f"{backup['metadata']['name']}-backup-0"}
    job |= {"managedLifecycle": backup["spec"].get("managedLifecycle", False), "timing": {"start": _now()}}
    made: Document = {"process": job, "backupPath": settings.get("path", "")}
    if storage:
        base = {"compression": settings.get("compression", "lz4")}
        made["sgBackupConfig"] = {"baseBackups": base, "storage": storage["spec"]}
    return made


def _ended(backup: Document, cluster: Document, made: Document) -> Document:
    """The status of a backup that has been stored."""
    name = f"{cluster['metadata']['name']}-0"
    information = {
        "hostname": name,
        "sourcePod": name,
        "postgresVersion": cluster["spec"]["postgres"]["version"],
        "size": {"uncompressed": made["size"], "compressed": made["size"]},
    }
    timing = {"end": _now(), "stored": _now()}
    process = {"status": "Completed", "timing": timing}
    return {"internalName": made["name"], "process": process, "backupInformation": information}


def _conditions(true: str, message: str = "") -> list[Document]:
    """The three conditions of an operation (DbOpsStatusCondition)."""
    return [
        {
            "type": kind,
            "status": str(kind == true),
            "reason": f"Operation{kind}" if kind == true else f"OperationNot{kind}",
            **({"message": message} if message and kind == true else {}),
        }
        for kind in ("Running", "Completed", "Failed")
    ]


def _condition(status: Document) -> str:
    return next((item["type"] for item in status.get("conditions", []) if item["status"] == "True"), "")


def _new(pod: Document, before: str) -> bool:
    return pod["metadata"]["uid"] != before and _ready(pod)


def _ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _pod_path(pod: Document) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _now() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
