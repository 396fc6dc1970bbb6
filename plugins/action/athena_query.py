# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible_collections.kubestrap.aws.plugins.plugin_utils.waiting_action import WaitingAction

# How long one start of the module follows the query before a line is shown. A start costs about a second.
STEP_SECONDS = 5


class ActionModule(WaitingAction):
    """Runs the module step by step, so that a long query shows that it is alive.

    The first step starts the query, the others follow it by its id. In check mode, under ``async`` and without
    ``wait`` there is one step only.
    """

    wait_timeout = 300

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        timeout = self.seconds_to_wait(args)
        if timeout is None:
            result.update(self.start_module(args, task_vars))
            return result
        started = time.monotonic()
        while True:
            left = timeout - (time.monotonic() - started)
            answer = self.start_module({**args, "wait_timeout": int(max(0, min(STEP_SECONDS, left)))}, task_vars)
            query = answer.get("query") or {}
            if query.get("state") not in ("QUEUED", "RUNNING") or left <= STEP_SECONDS:
                result.update(answer)
                return result
            scanned = query["data_scanned_in_bytes"] / 1e6
            self.say(
                f"Athena query {query['query_execution_id']} is {query['state']}, {time.monotonic() - started:.0f} s of "
                f"at most {timeout:.0f} s, {scanned:.0f} MB scanned",
                task_vars,
            )
            args.pop("query", None)
            args["query_execution_id"] = query["query_execution_id"]
