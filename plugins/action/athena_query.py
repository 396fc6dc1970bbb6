# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# How long one start of the module follows the query before a line is shown. A start costs about a second.
STEP_SECONDS = 5


class ActionModule(ActionBase):
    """Runs the module step by step, so that a long query shows that it is alive.

    The first step starts the query, the others follow it by its id. In check mode, under ``async`` and without
    ``wait`` there is one step only.
    """

    _supports_async = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        timeout = self._timeout(args)
        if timeout is None or self._task.async_val or self._task.check_mode or not self._waits(args):
            result.update(self._step(args, task_vars))
            return result
        started = time.monotonic()
        while True:
            left = timeout - (time.monotonic() - started)
            answer = self._step({**args, "wait_timeout": int(max(0, min(STEP_SECONDS, left)))}, task_vars)
            query = answer.get("query") or {}
            if query.get("state") not in ("QUEUED", "RUNNING") or left <= STEP_SECONDS:
                result.update(answer)
                return result
            self._say(query, time.monotonic() - started, timeout, task_vars)
            args.pop("query", None)
            args["query_execution_id"] = query["query_execution_id"]

    def _step(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        return self._execute_module(
            module_name=self._task.action,
            module_args=args,
            task_vars=task_vars,
            wrap_async=bool(self._task.async_val),
        )

    def _say(self, query: dict[str, t.Any], seconds: float, timeout: float, task_vars: dict[str, t.Any] | None) -> None:
        if self._task.no_log:
            return
        host = (task_vars or {}).get("inventory_hostname", "localhost")
        Display().display(
            f"{host}: Athena query {query['query_execution_id']} is {query['state']}, {seconds:.0f} s of at most "
            f"{timeout:.0f} s, {query['data_scanned_in_bytes'] / 1e6:.0f} MB scanned",
            stderr=True,
        )

    @staticmethod
    def _waits(args: dict[str, t.Any]) -> bool:
        return boolean(args.get("wait", True), strict=False)

    @staticmethod
    def _timeout(args: dict[str, t.Any]) -> float | None:
        """Seconds; ``None`` when it is no number from 0 on, which the module then refuses by name."""
        try:
            seconds = float(int(args.get("wait_timeout", 300)))
            return seconds if seconds >= 0 else None
        except (TypeError, ValueError, OverflowError):
            return None
