# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work that StackGres' operator does when an object asks for it: a backup (SGBackup), a restart (SGDbOps).

What is there is read once, a plan says whether a new object is made, an old one followed, or the task refused, and a
description says how far it is. Objects of others are neither followed nor deleted; ours have our label.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import re
import typing as t

from ._kube_api import KubeApi, KubeError
from ._kube_objects import FIELD_MANAGER, MANAGED_BY
from ._plan import gather
from ._stackgres_failures import meaning_of

Object = t.Mapping[str, t.Any]

GROUP, VERSION = "stackgres.io", "v1"
BACKUPS, OPERATIONS, CLUSTERS = "sgbackups", "sgdbops", "sgclusters"
COMPLETED, FAILED, PENDING, RUNNING, NOT_STARTED = "Completed", "Failed", "Pending", "Running", "NotStarted"
ENDED = (COMPLETED, FAILED)
LONGEST_NAME = {BACKUPS: 56, OPERATIONS: 21, CLUSTERS: 44}  # of the definitions
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


class Refused(Exception):
    """The work cannot be started; the text says why, and what to do."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What a task wants to be done.

    :ivar kind: ``sgbackups`` or ``sgdbops``
    :ivar cluster: name of the SGCluster
    :ivar name: of the object; ``None``: a new one, or ours that has not ended
    :ivar spec: of the object, without ``sgCluster``
    """

    kind: str
    namespace: str
    cluster: str
    name: str | None
    spec: Object

    @property
    def path(self) -> tuple[str, ...]:
        """Where its objects are in the API server."""
        return ("apis", GROUP, VERSION, "namespaces", self.namespace, self.kind)


@dataclasses.dataclass(frozen=True)
class Plan:
    """:ivar name: of the object that is made or followed, :ivar body: what is made, ``None`` when it is there"""

    name: str
    body: Object | None
    found: Object | None = None


def problem_of_name(kind: str, name: str) -> str | None:
    """What is wrong with a name of such an object, ``None`` when nothing is."""
    if len(name) > LONGEST_NAME[kind]:
        return f"has {len(name)} characters, of which StackGres takes {LONGEST_NAME[kind]}"
    return None if _NAME.fullmatch(name) else "is not a name that StackGres takes"


def read(kube: KubeApi, job: Job) -> dict[str, t.Any]:
    """The SGCluster (``cluster``), its backups and its operations.

    :raises KubeError: something cannot be read, or StackGres is not installed
    """
    base = ("apis", GROUP, VERSION, "namespaces", job.namespace)
    found = gather(
        {
            "group": functools.partial(kube.get, "apis", GROUP, VERSION),
            "cluster": functools.partial(kube.get, *base, CLUSTERS, job.cluster),
            BACKUPS: functools.partial(kube.get, *base, BACKUPS),
            OPERATIONS: functools.partial(kube.get, *base, OPERATIONS),
        }
    )
    kinds = {item["name"] for item in (found["group"] or {}).get("resources") or []}
    missing = sorted({BACKUPS, OPERATIONS, CLUSTERS} - kinds)
    if missing:
        change = "Install the operator (chart stackgres-operator), then run this again"
        raise KubeError("StackGres is not installed in the cluster", f"it does not serve {', '.join(missing)}", change)
    own = {
        kind: [item for item in _items(found[kind]) if _cluster_of(item) == job.cluster]
        for kind in (BACKUPS, OPERATIONS)
    }
    named = [item for item in _items(found[job.kind]) if item["metadata"]["name"] == job.name]
    return {"cluster": found["cluster"], **own, "named": named[0] if named else None}


def plan(job: Job, found: t.Mapping[str, t.Any], now: datetime.datetime) -> Plan:
    """Which object the task makes or follows.

    :param found: of ``read``
    :raises Refused: it can do neither
    """
    named = found["named"]
    if named is not None:
        _check_ours(job, named)
        return Plan(named["metadata"]["name"], None, named)
    if found["cluster"] is None:
        raise Refused(
            f"There is no SGCluster {job.cluster} in the namespace {job.namespace}. Correct sgcluster or namespace"
        )
    going = [item for item in found[job.kind] if state_of(item) not in ENDED]
    ours = [item for item in going if is_ours(item)]
    if ours and job.name is None:
        return Plan(ours[0]["metadata"]["name"], None, ours[0])
    _check_free(job, found, going)
    name = job.name or default_name(job.kind, job.cluster, now)
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "SGBackup" if job.kind == BACKUPS else "SGDbOps",
        "metadata": {"name": name, "namespace": job.namespace, "labels": {MANAGED_BY: FIELD_MANAGER}},
        "spec": {"sgCluster": job.cluster, **job.spec},
    }
    return Plan(name, body)


def start(kube: KubeApi, job: Job, name: str, body: Object) -> Object:
    """Make the object of a plan; returns it as the API server stored it.

    :raises KubeError: refused, by the API server or by StackGres
    """
    made = kube.send("POST", *job.path, body=body, field_manager=FIELD_MANAGER)
    if made is None:
        cause = f"the namespace {job.namespace} or the kind {job.kind} is gone"
        raise KubeError(f"{job.kind} {name} cannot be made", cause, "Run this again")
    return made


def default_name(kind: str, cluster: str, now: datetime.datetime) -> str:
    """A name that says whose it is and when it was made: no two of a second."""
    if kind == OPERATIONS:
        return f"restart-{now:%y%m%d%H%M%S}"
    end = f"-proof-{now:%Y%m%d%H%M%S}"
    return cluster[: LONGEST_NAME[kind] - len(end)].rstrip("-") + end


def is_ours(item: Object) -> bool:
    """Whether the collection made an object."""
    return (item["metadata"].get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER


def state_of(item: Object) -> str:
    """How far an SGBackup or SGDbOps is: Pending, Running, Completed or Failed."""
    status = item.get("status") or {}
    if "conditions" in status or item["spec"].get("op"):
        true = [entry["type"] for entry in status.get("conditions") or [] if entry.get("status") == "True"]
        return next((state for state in (FAILED, COMPLETED, RUNNING) if state in true), PENDING)
    return (status.get("process") or {}).get("status") or PENDING


def backup_of(job: Job, wanted: Plan, item: Object | None, others: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """A backup as the module returns it.

    :param item: the SGBackup, ``None`` in check mode
    :param others: backups of the same SGCluster that have not ended
    """
    status = (item or {}).get("status") or {}
    process = status.get("process") or {}
    timing = process.get("timing") or {}
    state = state_of(item) if item else NOT_STARTED
    failure = process.get("failure") or ""
    cause = change = ""
    if state == FAILED:
        meaning = meaning_of(failure, job.namespace, job.cluster, process.get("jobPod") or "")
        cause, change = meaning.cause, meaning.change
    elif state == PENDING:
        cause = f"it waits for {', '.join(others)}" if others else "the operator has not started its Job yet"
        change = f"Wait; if it stays so, look at the operator, and at the Job of the backup: {_look(job, wanted.name)}"
    elif state == RUNNING:
        cause, change = "its Job runs", f"Wait; it goes on by itself: {_look(job, wanted.name)}"
    return {
        "name": wanted.name,
        "namespace": job.namespace,
        "sgcluster": job.cluster,
        "state": state,
        "failure": failure,
        "cause": cause,
        "change": change,
        "path": status.get("backupPath") or "",
        "internal_name": status.get("internalName") or "",
        "compressed_bytes": ((status.get("backupInformation") or {}).get("size") or {}).get("compressed"),
        "started": timing.get("start") or "",
        "stored": timing.get("stored") or "",
    }


def restart_of(job: Job, wanted: Plan, item: Object | None) -> dict[str, t.Any]:
    """A restart as the module returns it; ``item``: the SGDbOps, ``None`` in check mode."""
    status = (item or {}).get("status") or {}
    restart = status.get("restart") or {}
    said = [entry.get("message") or "" for entry in status.get("conditions") or [] if entry.get("status") == "True"]
    state = state_of(item) if item else NOT_STARTED
    failure = (restart.get("failure") or next(iter(said), "")) if state == FAILED else ""
    left = sorted(restart.get("pendingToRestartInstances") or [])
    cause = change = ""
    if state == FAILED:
        cause = "StackGres could not restart all pods"
        change = f"Look at the pods and at {_look(job, wanted.name)}; mend it and run this again"
    elif state == PENDING:
        cause = "the operator has not started it yet"
        change = f"Wait; if it stays so, look at the operator: {_look(job, wanted.name)}"
    elif state == RUNNING:
        cause = f"{len(left)} pods are to be restarted: {', '.join(left)}" if left else "it is about to end"
        change = f"Wait; it goes on by itself: {_look(job, wanted.name)}"
    return {
        "name": wanted.name,
        "namespace": job.namespace,
        "sgcluster": job.cluster,
        "state": state,
        "failure": failure,
        "cause": cause,
        "change": change,
        "restarted": sorted(restart.get("restartedInstances") or []),
        "pending": left,
        "started": status.get("opStarted") or "",
    }


def _check_ours(job: Job, item: Object) -> None:
    name = item["metadata"]["name"]
    if not is_ours(item):
        raise Refused(f"name: '{name}' is an object of somebody else. Write another name, or leave it out")
    if _cluster_of(item) != job.cluster:
        raise Refused(f"name: '{name}' is of the SGCluster {_cluster_of(item)}. Write another name, or leave it out")


def _check_free(job: Job, found: t.Mapping[str, t.Any], going: t.Sequence[Object]) -> None:
    """A backup needs a configuration; a restart needs that nothing else goes on with the pods."""
    if job.kind == BACKUPS:
        if not ((found["cluster"]["spec"].get("configurations") or {}).get("backups")):
            raise Refused(
                f"The SGCluster {job.namespace}/{job.cluster} has no backups in spec.configurations. Set them up with "
                "the role stackgres_backup"
            )
        return
    running = names(item for item in found[BACKUPS] if state_of(item) not in ENDED)
    if running:
        raise Refused(
            f"A backup of the SGCluster {job.namespace}/{job.cluster} runs ({', '.join(running)}), and a restart would "
            "break it. Run this again when it has ended"
        )
    if going:
        raise Refused(
            f"StackGres works on the SGCluster {job.namespace}/{job.cluster} already ({', '.join(names(going))}). Run "
            "this again when that has ended"
        )


def names(items: t.Iterable[Object]) -> list[str]:
    """Names of objects, sorted."""
    return sorted(item["metadata"]["name"] for item in items)


def _look(job: Job, name: str) -> str:
    return f"kubectl describe -n {job.namespace} {job.kind}.{GROUP} {name}"


def _items(listed: t.Any) -> list[Object]:
    return (listed or {}).get("items") or []


def _cluster_of(item: Object) -> str:
    return item["spec"].get("sgCluster") or ""
