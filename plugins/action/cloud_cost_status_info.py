# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_finding import waits
from ansible_collections.kubestrap.aws.plugins.plugin_utils.waiting_action import (
    LATER_PAUSE_SECONDS,
    PAUSE_SECONDS,
    WaitingAction,
)

_AT_FIRST_SECONDS = 60.0


class ActionModule(WaitingAction):
    """Looks again and again, and says each time what was seen.

    The module looks once each time. In check mode, under ``async`` and without ``wait`` it is started once, as the task
    has it. The task ends with a state: a look that fails later on leaves the one before it standing.
    """

    wait_timeout = 600

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        timeout = self.seconds_to_wait(args)
        if timeout is None:
            result.update(self.start_module(args, task_vars))
            return result
        begun = since = time.monotonic()
        kept: dict[str, t.Any] | None = None
        while True:
            answer = self.start_module({**args, "wait": False}, task_vars)
            now = time.monotonic()
            if "cloud_cost" not in answer:
                return self._ended(result, answer, kept, now - begun)
            seen = answer["cloud_cost"]
            if kept is None or kept["cloud_cost"]["finding"] != seen["finding"]:
                since = now
            kept = answer
            pause = PAUSE_SECONDS if now - begun < _AT_FIRST_SECONDS else LATER_PAUSE_SECONDS
            if not waits(seen["finding"], now - since) or now - begun + pause > timeout:
                return self._ended(result, answer, None, now - begun)
            words = seen["finding"].replace("_", " ")
            self.say(
                f"ingestion of billing data is {words} ({seen['detail']}), {now - begun:.0f} s of at most {timeout:.0f} s",
                task_vars,
            )
            time.sleep(pause)

    def _ended(
        self, result: dict[str, t.Any], answer: dict[str, t.Any], before: dict[str, t.Any] | None, seconds: float
    ) -> dict[str, t.Any]:
        """The last answer; if it is a failure and there was one before it, that one with a warning."""
        answer = self.last_word(answer, before)
        if "cloud_cost" in answer:
            answer["cloud_cost"]["seconds"] = int(seconds)
        result.update(answer)
        return result
