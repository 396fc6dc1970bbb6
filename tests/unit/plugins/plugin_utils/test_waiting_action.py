# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an action waits; how it waits is shown by the tests of the actions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.plugin_utils.waiting_action import WaitingAction


def seconds(args: dict[str, Any], **task: Any) -> float | None:
    """What an action of 300 seconds says of a task."""
    task = {"async_val": 0, "check_mode": False, **task}
    action: Any = SimpleNamespace(_task=SimpleNamespace(**task), wait_timeout=300)
    return WaitingAction.seconds_to_wait(action, args)


@pytest.mark.parametrize(
    ("args", "expected"), [({}, 300), ({"wait_timeout": "12"}, 12), ({"wait": "yes", "wait_timeout": 0}, 0)]
)
def test_it_waits(args: dict[str, Any], expected: float) -> None:
    assert seconds(args) == expected


@pytest.mark.parametrize("args", [{"wait": "no"}, {"wait_timeout": -1}, {"wait_timeout": "soon"}, {"wait_timeout": []}])
def test_the_module_is_started_once(args: dict[str, Any]) -> None:
    assert seconds(args) is None


@pytest.mark.parametrize("task", [{"check_mode": True}, {"async_val": 60}])
def test_the_task_lets_it_start_once(task: dict[str, Any]) -> None:
    assert seconds({}, **task) is None
