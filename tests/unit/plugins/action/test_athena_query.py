# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the steps of a long query follow each other. tests/integration/test_athena_query.py runs the action itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.kubestrap.aws.plugins.action import athena_query
from ansible_collections.kubestrap.aws.plugins.plugin_utils import waiting_action

ID = "5c1a7a4e-0000-4000-8000-000000000000"


class Run:
    """A task whose module answers with these states, each after so many seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, states: list[str], seconds: float = 5, **task: Any) -> None:
        self.states = states
        self.seconds = seconds
        self.now = 0.0
        self.steps: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.task = SimpleNamespace(
            **{
                "args": {"query": "SELECT 1", "workgroup": "w"},
                "action": "kubestrap.aws.athena_query",
                "async_val": 0,
                "check_mode": False,
                "no_log": False,
                **task,
            }
        )
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
        monkeypatch.setattr(athena_query.time, "monotonic", lambda: self.now)
        shown = SimpleNamespace(display=lambda line, stderr: self.said.append(line) if stderr else None)
        monkeypatch.setattr(waiting_action, "Display", lambda: shown)

    def module(self, module_args: dict[str, Any], **_arguments: Any) -> dict[str, Any]:
        self.steps.append(module_args)
        self.now += self.seconds
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "refused":
            return {"failed": True, "msg": "refused"}
        query = {"query_execution_id": ID, "state": state, "data_scanned_in_bytes": 12_000_000}
        return {"changed": False, "query": query, "failed": state == "FAILED"}

    def __call__(self) -> dict[str, Any]:
        action = object.__new__(athena_query.ActionModule)
        action._task = self.task
        action._execute_module = self.module
        return action.run(None, {"inventory_hostname": "payer-main"})


def test_a_quick_query_is_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["SUCCEEDED"])
    assert run()["query"]["state"] == "SUCCEEDED"
    assert run.steps == [{"query": "SELECT 1", "workgroup": "w", "wait_timeout": 5}]
    assert not run.said


def test_a_long_query_is_followed_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["QUEUED", "RUNNING", "SUCCEEDED"])
    assert run()["query"]["state"] == "SUCCEEDED"
    follow = {"query_execution_id": ID, "workgroup": "w", "wait_timeout": 5}
    assert run.steps[1:] == [follow, follow], "the query is started once"
    assert run.said == [
        f"payer-main: Athena query {ID} is QUEUED, 5 s of at most 300 s, 12 MB scanned",
        f"payer-main: Athena query {ID} is RUNNING, 10 s of at most 300 s, 12 MB scanned",
    ]


def test_when_the_time_is_up_the_state_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["RUNNING"], args={"query": "SELECT 1", "wait_timeout": "12"})
    answer = run()
    assert answer["query"]["state"] == "RUNNING"
    assert not answer["failed"]
    assert [step["wait_timeout"] for step in run.steps] == [5, 5, 2]
    assert len(run.said) == 2


@pytest.mark.parametrize("states", [["RUNNING", "FAILED"], ["RUNNING", "refused"]])
def test_a_failure_ends_it(monkeypatch: pytest.MonkeyPatch, states: list[str]) -> None:
    run = Run(monkeypatch, states)
    assert run()["failed"]
    assert len(run.steps) == 2


@pytest.mark.parametrize(
    "task",
    [
        {"check_mode": True},
        {"async_val": 60},
        {"args": {"query": "SELECT 1", "wait": "no"}},
        {"args": {"query": "SELECT 1", "wait": "perhaps"}},
    ],
)
def test_what_does_not_wait_is_one_step_as_it_was_asked_for(monkeypatch: pytest.MonkeyPatch, task: Any) -> None:
    run = Run(monkeypatch, ["RUNNING"], **task)
    run()
    assert run.steps == [run.task.args]
    assert not run.said


@pytest.mark.parametrize("time", ["long", None, -1, float("inf")])
def test_a_time_that_is_no_number_is_the_modules_to_refuse(monkeypatch: pytest.MonkeyPatch, time: Any) -> None:
    run = Run(monkeypatch, ["refused"], args={"query": "SELECT 1", "wait_timeout": time})
    assert run()["failed"]
    assert [step["wait_timeout"] for step in run.steps] == [time], "it is shown as it was written"


def test_under_no_log_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, ["RUNNING", "SUCCEEDED"], no_log=True)
    assert run()["query"]["state"] == "SUCCEEDED"
    assert len(run.steps) == 2
    assert not run.said
