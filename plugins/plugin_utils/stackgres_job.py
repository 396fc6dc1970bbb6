# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the actions share that have StackGres' operator do something and follow it."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.kubestrap.aws.plugins.plugin_utils.waiting_action import (
    LATER_PAUSE_SECONDS,
    PAUSE_SECONDS,
    WaitingAction,
)

_AT_FIRST_SECONDS = 120.0


class StackGresJob(WaitingAction):
    """Starts the module, which makes the object, and then again and again with its name, which looks at it.

    In check mode, under ``async`` and without ``wait`` the module is started once, as the task has it. A look that
    fails later on leaves the one before it standing: the operator goes on without the task.

    :cvar result_name: the module's result
    :cvar noun: what is followed, in plain words
    """

    wait_timeout = 1800
    result_name: str
    noun: str

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        timeout = self.seconds_to_wait(args)
        if timeout is None:
            result.update(self.start_module(args, task_vars))
            return result
        begun = time.monotonic()
        first: dict[str, t.Any] | None = None
        while True:
            answer = self.start_module({**args, "wait": False}, task_vars)
            now = time.monotonic()
            seen = answer.get(self.result_name)
            if seen is None:
                result.update(self.last_word(answer, first))
                return result
            first = first or answer
            answer["changed"] = first.get("changed", False)
            seen["seconds"] = int(now - begun)
            first[self.result_name] = seen
            pause = PAUSE_SECONDS if now - begun < _AT_FIRST_SECONDS else LATER_PAUSE_SECONDS
            if seen["state"] not in ("Pending", "Running") or now - begun + pause > timeout:
                result.update(answer)
                return result
            self._say(seen, now - begun, timeout, task_vars)
            args["name"] = seen["name"]
            time.sleep(pause)

    def _say(self, seen: dict[str, t.Any], seconds: float, timeout: float, task_vars: dict[str, t.Any] | None) -> None:
        self.say(
            f"{self.noun} {seen['name']} of SGCluster {seen['namespace']}/{seen['sgcluster']} is {seen['state']} "
            f"({seen['cause']}), {seconds:.0f} s of at most {timeout:.0f} s",
            task_vars,
        )
