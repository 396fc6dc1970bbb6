# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Action ``kubestrap.aws.verification_verdict``; documented in plugins/modules/verification_verdict.py."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.kubestrap.aws.plugins.module_utils._verification import DENIED, DIFFERS, VERDICTS

ARGUMENT_SPEC: dict[str, t.Any] = {
    "verdict": {"type": "str", "required": True, "choices": list(VERDICTS)},
    "denied": {"type": "str"},
    "differs": {"type": "str"},
}
_DENIED = "At least one call of a workload does not work. The reasons are in the summary above."
_DIFFERS = "Every call works, but something is not as it should be; the summary above says what."
_NOT_UNREACHABLE = "Nothing is unreachable: Ansible has no other exit code than 4 for this."


class ActionModule(ActionBase):
    """Ends a run with the exit code of its verdict; changes nothing."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Fail for ``denied``, and report as unreachable for ``differs``: exit codes 2 and 4 of ansible-playbook."""
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        verdict = options["verdict"]
        result.update(changed=False, verdict=verdict)
        if verdict == DENIED:
            result.update(failed=True, msg=options["denied"] or _DENIED)
        elif verdict == DIFFERS:
            result.update(unreachable=True, msg=f"{options['differs'] or _DIFFERS} {_NOT_UNREACHABLE}")
        return result
