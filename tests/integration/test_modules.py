# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each module, run by its playbook in modules/: created, changed and deleted, in check mode and for real, each twice.

The playbooks assert what the tasks return. That check mode wrote nothing is seen here, in the gateway's record.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.files import ACCOUNTS, COLLECTION, Head, plugins
from integration.playbook import run_playbook
from sandbox.client import Sandbox

MODULES = Path(__file__).parent / "modules"


@pytest.mark.parametrize("module", plugins("modules"))
def test_module(module: str, request: pytest.FixtureRequest) -> None:
    playbook = MODULES / f"{module}.yml"
    assert playbook.exists(), f"the module {module} has no playbook {playbook.relative_to(COLLECTION)}"
    head = Head.of(playbook)
    sandbox = head.choose(request)

    result = run_playbook(playbook, sandbox, head.profile, extra_vars=ACCOUNTS)

    assert result.ok, result.report
    tasks = tasks_of(yaml.safe_load(playbook.read_text()))
    checked = {task["name"] for task in tasks if task.get("check_mode") is True}
    assert checked or not manages(module), f"{playbook.name} has no task with check_mode: true"
    for task in result.tasks:
        if task.name in checked and not task.skipped:
            written = [c for c in result.calls if c["kind"] == "write" and task.start <= c["time"] <= task.end]
            assert not written, f"in check mode '{task.name}' made {written}"


def test_every_module_starts_as_it_does_for_users(gateway_sandbox: Sandbox) -> None:
    """As a program that Ansible packs with all that it imports; most other runs have the imports in memory."""
    modules = plugins("modules")
    tasks = [
        {"name": module, f"kubestrap.aws.{module}": {"no_such_option": True}, "ignore_errors": True}
        for module in modules
    ]
    play = {"name": "Start modules", "hosts": "localhost", "gather_facts": False, "tasks": tasks}
    result = run_playbook([play], gateway_sandbox, plain=True)
    said = {module: result.task(module).result["msg"] for module in modules}
    refused = re.compile(
        r"Unsupported parameters for \(|missing required arguments: |one of the following is required: "
    )
    assert {module: text for module, text in said.items() if not refused.search(text)} == {}


def test_no_playbook_is_left_over() -> None:
    """A playbook whose module was renamed would never run again."""
    assert {path.stem for path in MODULES.glob("*.yml")} <= set(plugins("modules"))


def tasks_of(node: Any) -> list[dict[str, Any]]:
    """All tasks of a playbook, those in blocks too."""
    if isinstance(node, list):
        return [task for entry in node for task in tasks_of(entry)]
    if not isinstance(node, dict):
        return []
    inner = [task for key in ("pre_tasks", "tasks", "block", "rescue", "always") for task in tasks_of(node.get(key))]
    return inner or ([node] if "name" in node else [])


def manages(module: str) -> bool:
    """Does the module make and delete something?"""
    source = (COLLECTION / "plugins" / "modules" / f"{module}.py").read_text()
    return "\n  state:\n" in source
