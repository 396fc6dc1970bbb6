# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which object a backup or restart makes or follows, what is refused, and what is said of it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_jobs import (
    BACKUPS,
    OPERATIONS,
    Job,
    Plan,
    Refused,
    backup_of,
    default_name,
    plan,
    problem_of_name,
    read,
    restart_of,
    start,
    state_of,
)

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
OURS = {"app.kubernetes.io/managed-by": "kubestrap.aws"}
CLUSTER = {"spec": {"configurations": {"backups": [{"sgObjectStorage": "s3"}]}}}
BASE = ("apis", "stackgres.io", "v1", "namespaces", "postgres")


def backup(name: str, state: str = "", ours: bool = True, cluster: str = "sales", **status: Any) -> dict[str, Any]:
    """An SGBackup."""
    metadata = {"name": name, "labels": OURS if ours else {}}
    made = {"metadata": metadata, "spec": {"sgCluster": cluster}}
    return {**made, "status": {"process": {"status": state}, **status}} if state else made


def operation(name: str, *true: str, ours: bool = True, **status: Any) -> dict[str, Any]:
    """An SGDbOps with these conditions."""
    conditions = [{"type": kind, "status": str(kind in true)} for kind in ("Running", "Completed", "Failed")]
    metadata = {"name": name, "labels": OURS if ours else None}
    spec = {"sgCluster": "sales", "op": "restart"}
    return {"metadata": metadata, "spec": spec, "status": {"conditions": conditions, **status}}


def job(kind: str = BACKUPS, name: str | None = None) -> Job:
    """What is asked for."""
    return Job(kind, "postgres", "sales", name, {"managedLifecycle": True} if kind == BACKUPS else {"op": "restart"})


def around(*backups: dict[str, Any], operations: Any = (), named: Any = None, **more: Any) -> dict[str, Any]:
    """What was read; with `cluster`, another SGCluster or none."""
    return {
        "cluster": more.get("cluster", CLUSTER),
        BACKUPS: list(backups),
        OPERATIONS: list(operations),
        "named": named,
    }


def test_a_new_backup_is_made_with_our_label() -> None:
    wanted = plan(job(), around(backup("old", "Completed"), backup("theirs", "Running", ours=False)), NOW)
    assert wanted.name == "sales-proof-20260102030405"
    assert wanted.body == {
        "apiVersion": "stackgres.io/v1",
        "kind": "SGBackup",
        "metadata": {"name": wanted.name, "namespace": "postgres", "labels": OURS},
        "spec": {"sgCluster": "sales", "managedLifecycle": True},
    }
    assert plan(job(name="mine"), around(), NOW).name == "mine"


def test_ours_that_has_not_ended_is_followed() -> None:
    running = backup("before", "Running")
    assert plan(job(), around(running), NOW) == Plan("before", None, running)
    ended = backup("mine", "Failed")
    assert plan(job(name="mine"), around(ended, named=ended), NOW) == Plan("mine", None, ended)
    going = operation("restart-1", "Running")
    assert plan(job(OPERATIONS), around(operations=[going]), NOW) == Plan("restart-1", None, going)
    assert plan(job(name="other"), around(running), NOW).body, "a name that is given is meant"


@pytest.mark.parametrize(
    ("asked", "found", "words"),
    [
        (job(), around(cluster=None), "There is no SGCluster sales in the namespace postgres"),
        (job(), around(cluster={"spec": {}}), "no backups in spec.configurations"),
        (job(name="x"), around(named=backup("x", ours=False)), "object of somebody else"),
        (job(name="x"), around(named=backup("x", cluster="hr")), "is of the SGCluster hr"),
        (job(OPERATIONS), around(backup("b", "Running", ours=False)), r"A backup .* runs \(b\)"),
        (job(OPERATIONS), around(backup("b")), r"A backup .* runs \(b\)"),
        (job(OPERATIONS), around(operations=[operation("o", ours=False)]), r"works on .* already \(o\)"),
        (job(OPERATIONS, "x"), around(operations=[operation("o", "Running")]), r"works on .* already \(o\)"),
    ],
)
def test_what_cannot_be_started_is_refused(asked: Job, found: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        plan(asked, found, NOW)


def test_a_restart_is_made_when_nothing_goes_on() -> None:
    found = around(backup("b", "Completed"), operations=[operation("o", "Completed"), operation("p", "Failed")])
    wanted = plan(job(OPERATIONS), found, NOW)
    assert wanted.name == "restart-260102030405"
    assert wanted.body is not None and wanted.body["kind"] == "SGDbOps"
    assert wanted.body["spec"] == {"sgCluster": "sales", "op": "restart"}


def test_names_are_as_long_as_stackgres_takes_them() -> None:
    name = default_name(BACKUPS, "a" * 34 + "-" + "b" * 9, NOW)
    assert name == "a" * 34 + "-proof-20260102030405" and problem_of_name(BACKUPS, name) is None
    assert problem_of_name(OPERATIONS, default_name(OPERATIONS, "sales", NOW)) is None
    assert problem_of_name(OPERATIONS, "a" * 22) == "has 22 characters, of which StackGres takes 21"
    for name in ("1a", "a-", "A", "a.b", ""):
        assert problem_of_name(BACKUPS, name) == "is not a name that StackGres takes"


def test_states() -> None:
    assert [state_of(item) for item in (backup("a"), backup("a", "Running"), backup("a", "Failed"))] == [
        "Pending", "Running", "Failed",
    ]  # fmt: skip
    assert [state_of(operation("a", *true)) for true in ((), ("Running",), ("Completed",), ("Failed",))] == [
        "Pending", "Running", "Completed", "Failed",
    ]  # fmt: skip


def test_what_is_told_of_a_backup() -> None:
    wanted = Plan("b", None)
    stored = {
        "backupPath": "sgbackups.stackgres.io/postgres/sales/x/16",
        "internalName": "base_1",
        "backupInformation": {"size": {"compressed": 7}},
    }
    process = {"status": "Completed", "timing": {"start": "s", "stored": "t"}}
    done = backup_of(job(), wanted, {**backup("b"), "status": {**stored, "process": process}})
    assert (done["state"], done["failure"], done["cause"], done["change"]) == ("Completed", "", "", "")
    assert (done["path"], done["internal_name"], done["compressed_bytes"]) == (stored["backupPath"], "base_1", 7)
    assert (done["started"], done["stored"]) == ("s", "t")
    item = backup("b", "Failed")
    item["status"]["process"] |= {"failure": "panic", "jobPod": "pod-1"}
    failed = backup_of(job(), wanted, item)
    assert (failed["failure"], failed["state"]) == ("panic", "Failed") and "pod-1" in failed["change"]
    assert backup_of(job(), wanted, None)["state"] == "NotStarted"
    assert backup_of(job(), wanted, backup("b"), ["other"])["cause"] == "it waits for other"
    assert "kubectl describe -n postgres sgbackups.stackgres.io b" in backup_of(job(), wanted, backup("b"))["change"]
    assert backup_of(job(), wanted, backup("b", "Running"))["cause"] == "its Job runs"


def test_what_is_told_of_a_restart() -> None:
    wanted, asked = Plan("r", None), job(OPERATIONS)
    lists = {"restartedInstances": ["sales-1"], "pendingToRestartInstances": ["sales-0"]}
    running = restart_of(asked, wanted, operation("r", "Running", restart=lists, opStarted="s"))
    assert (running["restarted"], running["pending"], running["started"]) == (["sales-1"], ["sales-0"], "s")
    assert running["cause"] == "1 pods are to be restarted: sales-0"
    failed = operation("r", "Failed", restart={"failure": "Timed out"})
    assert restart_of(asked, wanted, failed)["failure"] == "Timed out"
    failed = operation("r", "Failed")
    failed["status"]["conditions"][2]["message"] = "SGCluster sales not found"
    assert restart_of(asked, wanted, failed)["failure"] == "SGCluster sales not found"
    assert restart_of(asked, wanted, operation("r"))["cause"] == "the operator has not started it yet"
    assert restart_of(asked, wanted, None)["state"] == "NotStarted"
    assert restart_of(asked, wanted, operation("r", "Running"))["cause"] == "it is about to end"


class Kube:
    """An API server that serves these kinds, and stores nothing."""

    def __init__(self, *kinds: str, stores: bool = True) -> None:
        self.kinds, self.stores = kinds, stores

    def get(self, *path: str) -> Any:
        if path == ("apis", "stackgres.io", "v1"):
            return {"resources": [{"name": kind} for kind in self.kinds]} if self.kinds else None
        if path == (*BASE, BACKUPS):
            return {"items": [backup("mine"), backup("hers", cluster="hr")]}
        return CLUSTER if path == (*BASE, "sgclusters", "sales") else None

    def send(self, method: str, *path: str, body: Any, field_manager: str) -> Any:
        assert (method, path, field_manager) == ("POST", (*BASE, BACKUPS), "kubestrap.aws")
        return body if self.stores else None


def test_what_is_read() -> None:
    kube: Any = Kube("sgbackups", "sgdbops", "sgclusters")
    found = read(kube, job(name="hers"))
    assert [item["metadata"]["name"] for item in found[BACKUPS]] == ["mine"]
    assert found["named"]["metadata"]["name"] == "hers", "a name may be taken by a backup of another SGCluster"
    assert found["cluster"] == CLUSTER and found[OPERATIONS] == []
    for kinds, missing in (((), "sgbackups, sgclusters, sgdbops"), (("sgclusters", "sgdbops"), "sgbackups")):
        kube = Kube(*kinds)
        with pytest.raises(KubeError, match=f"not installed in the cluster: it does not serve {missing}"):
            read(kube, job())


def test_what_is_sent() -> None:
    wanted = plan(job(), around(), NOW)
    kube: Any = Kube()
    assert start(kube, job(), wanted.name, wanted.body or {}) == wanted.body
    kube = Kube(stores=False)
    with pytest.raises(KubeError, match="is gone"):
        start(kube, job(), wanted.name, {})
