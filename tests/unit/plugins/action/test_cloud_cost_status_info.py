# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the looks follow each other. tests/integration/test_cloud_cost_status.py runs the action itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.kubestrap.aws.plugins.action import cloud_cost_status_info as action
from ansible_collections.kubestrap.aws.plugins.plugin_utils import waiting_action


class Run:
    """A task whose module finds these one after the other; each look takes a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, found: list[str], **task: Any) -> None:
        self.found, self.now = found, 0.0
        self.looks: list[dict[str, Any]] = []
        self.said: list[str] = []
        defaults = {"args": {"namespace": "kubecost"}, "action": "kubestrap.aws.cloud_cost_status_info"}
        switches = {"async_val": 0, "check_mode": False, "no_log": False}
        self.task = SimpleNamespace(**{**defaults, **switches, **task})
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
        monkeypatch.setattr(action.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(action.time, "sleep", self.sleep)
        shown = SimpleNamespace(display=lambda line, stderr: self.said.append(line) if stderr else None)
        monkeypatch.setattr(waiting_action, "Display", lambda: shown)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def module(self, module_args: dict[str, Any], **_arguments: Any) -> dict[str, Any]:
        self.looks.append(module_args)
        self.now += 1
        finding = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if finding == "refused":
            return {"failed": True, "msg": "refused"}
        return {"changed": False, "cloud_cost": {"finding": finding, "detail": "seen", "seconds": 0}}

    def __call__(self) -> dict[str, Any]:
        made = object.__new__(action.ActionModule)
        made._task = self.task
        made._execute_module = self.module
        return made.run(None, {"inventory_hostname": "prod-eu"})


def test_what_is_done_is_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["working"])
    assert run()["cloud_cost"] == {"finding": "working", "detail": "seen", "seconds": 1}
    assert run.looks == [{"namespace": "kubecost", "wait": False}]
    assert not run.said


@pytest.mark.parametrize("finding", ["denied", "wrong_table", "not_delivered", "empty_query", "no_access"])
def test_what_time_does_not_change_is_one_look(monkeypatch: pytest.MonkeyPatch, finding: str) -> None:
    run = Run(monkeypatch, [finding])
    assert run()["cloud_cost"]["finding"] == finding
    assert len(run.looks) == 1


def test_it_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["not_running", "starting", "working"])
    assert run()["cloud_cost"]["seconds"] == 13
    assert run.said == [
        "prod-eu: ingestion of billing data is not running (seen), 1 s of at most 600 s",
        "prod-eu: ingestion of billing data is starting (seen), 7 s of at most 600 s",
    ]


def test_it_looks_less_often_later(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["ingesting"], args={"wait_timeout": 120})
    assert run()["cloud_cost"]["finding"] == "ingesting", "a state, not a failure"
    assert len(run.looks) == 14, "every 6 s for a minute, then every 16 s"
    assert len(run.said) == 13


def test_a_configuration_that_stays_unread_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["starting", "not_read"])
    assert run()["cloud_cost"]["seconds"] == 37


def test_a_refusal_at_first_is_the_tasks_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["refused"])
    assert run() == {"failed": True, "msg": "refused"}


def test_a_failure_later_leaves_the_state_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["starting", "refused"])
    answer = run()
    assert answer["cloud_cost"]["finding"] == "starting"
    assert "failed" not in answer
    assert answer["warnings"] == ["The last look failed, this is the state before it: refused"]


@pytest.mark.parametrize(
    "task",
    [
        {"check_mode": True},
        {"async_val": 60},
        {"args": {"wait": "no"}},
        {"args": {"wait": "perhaps"}},
        {"args": {"wait_timeout": -1}},
        {"args": {"wait_timeout": "long"}},
        {"args": {"wait_timeout": float("inf")}},
    ],
)
def test_what_does_not_wait_is_one_look_as_it_was_asked_for(monkeypatch: pytest.MonkeyPatch, task: Any) -> None:
    run = Run(monkeypatch, ["starting"], **task)
    run()
    assert run.looks == [run.task.args]
    assert not run.said


def test_under_no_log_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["starting", "working"], no_log=True)
    assert run()["cloud_cost"]["finding"] == "working"
    assert not run.said
