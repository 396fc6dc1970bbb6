# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the looks at a backup follow each other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.kubestrap.aws.plugins.action import stackgres_backup_run
from ansible_collections.kubestrap.aws.plugins.plugin_utils import stackgres_job, waiting_action


class Run:
    """A task whose module finds these states one after the other; each look takes a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *states: str, **task: Any) -> None:
        self.states, self.now = list(states), 0.0
        self.looks: list[dict[str, Any]] = []
        self.said: list[str] = []
        switches = {
            "async_val": 0,
            "check_mode": False,
            "no_log": False,
            "action": "kubestrap.aws.stackgres_backup_run",
        }
        self.task = SimpleNamespace(**{"args": {"namespace": "postgres"}, **switches, **task})
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
        monkeypatch.setattr(stackgres_job.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(stackgres_job.time, "sleep", self.sleep)
        shown = SimpleNamespace(display=lambda line, stderr: self.said.append(line) if stderr else None)
        monkeypatch.setattr(waiting_action, "Display", lambda: shown)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def module(self, module_args: dict[str, Any], **_arguments: Any) -> dict[str, Any]:
        self.looks.append(module_args)
        self.now += 1
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "refused":
            return {"failed": True, "msg": "refused"}
        place = {"name": "b", "namespace": "postgres", "sgcluster": "sales"}
        backup = {**place, "state": state, "cause": "why", "seconds": 0}
        failed = {"failed": True, "msg": "it failed"} if state == "Failed" else {}
        return {"changed": len(self.looks) == 1, "backup": backup, **failed}

    def __call__(self) -> dict[str, Any]:
        made = object.__new__(stackgres_backup_run.ActionModule)
        made._task = self.task
        made._execute_module = self.module
        return made.run(None, {"inventory_hostname": "prod-eu"})


def test_it_is_made_once_and_followed_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, "Pending", "Running", "Completed")
    answer = run()
    assert (answer["changed"], answer["backup"]["state"], answer["backup"]["seconds"]) == (True, "Completed", 13)
    assert run.looks == [
        {"namespace": "postgres", "wait": False},
        {"namespace": "postgres", "wait": False, "name": "b"},
        {"namespace": "postgres", "wait": False, "name": "b"},
    ]
    assert run.said == [
        "prod-eu: backup b of SGCluster postgres/sales is Pending (why), 1 s of at most 1800 s",
        "prod-eu: backup b of SGCluster postgres/sales is Running (why), 7 s of at most 1800 s",
    ]


def test_a_failed_one_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Run(monkeypatch, "Running", "Failed")()
    assert (answer["failed"], answer["msg"], answer["changed"]) == (True, "it failed", True)


def test_the_end_of_the_time_is_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, "Running", args={"wait_timeout": 200})
    answer = run()
    assert answer["backup"]["state"] == "Running" and "failed" not in answer
    assert len(run.looks) == 26, "every 6 s for two minutes, then every 16 s"


def test_a_look_that_fails_leaves_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Run(monkeypatch, "Running", "refused")()
    assert answer["backup"]["state"] == "Running" and answer["changed"] and "failed" not in answer
    assert answer["warnings"] == ["The last look failed, this is the state before it: refused"]
    assert Run(monkeypatch, "refused")() == {"failed": True, "msg": "refused"}


@pytest.mark.parametrize("task", [{"check_mode": True}, {"async_val": 60}, {"args": {"wait": False}}])
def test_what_does_not_wait_is_one_start(monkeypatch: pytest.MonkeyPatch, task: Any) -> None:
    run = Run(monkeypatch, "Running", **task)
    run()
    assert run.looks == [run.task.args] and not run.said


def test_under_no_log_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, "Running", "Completed", no_log=True)
    assert run()["backup"]["state"] == "Completed" and not run.said
