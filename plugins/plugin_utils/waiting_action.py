# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What actions share that start their module again and again, so that a long wait shows that it is alive."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# Between two looks: at first often, then rarely, since some things take hours.
PAUSE_SECONDS, LATER_PAUSE_SECONDS = 5.0, 15.0


class WaitingAction(ActionBase):
    """An action whose module has the options ``wait`` and ``wait_timeout``.

    :cvar wait_timeout: the module's default, in seconds
    """

    _supports_async = True
    _supports_check_mode = True
    wait_timeout: int

    def seconds_to_wait(self, args: dict[str, t.Any]) -> float | None:
        """How long the action waits; ``None`` when the module is started once, with the options as the task has them.

        That is in check mode, under ``async``, without ``wait``, and with a time that is no number from 0 on, which the
        module then refuses by name.
        """
        if self._task.async_val or self._task.check_mode or not boolean(args.get("wait", True), strict=False):
            return None
        try:
            seconds = float(int(args.get("wait_timeout", self.wait_timeout)))
            return seconds if seconds >= 0 else None
        except (TypeError, ValueError, OverflowError):
            return None

    def start_module(self, args: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """What the module returns with these options."""
        return self._execute_module(
            module_name=self._task.action,
            module_args=args,
            task_vars=task_vars,
            wrap_async=bool(self._task.async_val),
        )

    def say(self, text: str, task_vars: dict[str, t.Any] | None) -> None:
        """Show a line about what is waited for, unless the task shall show nothing."""
        if not self._task.no_log:
            host = (task_vars or {}).get("inventory_hostname", "localhost")
            Display().display(f"{host}: {text}", stderr=True)

    @staticmethod
    def last_word(answer: dict[str, t.Any], before: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """The answer of a look that saw nothing; if there was one before it, that one with a warning."""
        if before is None:
            return answer
        said = f"The last look failed, this is the state before it: {answer.get('msg', 'no reason given')}"
        return {**before, "warnings": [*before.get("warnings", []), said]}
