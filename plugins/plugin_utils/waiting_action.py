# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What actions share that start their module again and again, so that a long wait shows that it is alive."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase


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
