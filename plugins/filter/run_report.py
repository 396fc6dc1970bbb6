# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

NOT_REACHED = {
    "state": "not reached",
    "changes": [],
    "notes": ["Nothing was done here, because the run ended before. See the error above."],
}

# What differs is shown by a verification, which has an exit code of its own for it.
_ENDED_WELL = ("done", "pending", "fits", "differs")


def run_report(outcomes: t.Mapping[str, t.Any], hosts: t.Sequence[str]) -> dict[str, t.Any]:
    """Rows, lines and failed hosts of a run; see the documentation beside this file."""
    if not isinstance(outcomes, t.Mapping):
        raise AnsibleFilterError(
            f"run_report takes a dictionary of outcomes by host name, not {type(outcomes).__name__}"
        )
    rows: list[list[str]] = []
    lines: list[str] = []
    failed: list[str] = []
    for host in hosts:
        outcome = outcomes.get(host) or NOT_REACHED
        rows.append([host, outcome["state"], _in_words(outcome["changes"])])
        lines += [f"{host}: {note}" for note in outcome["notes"]]
        if outcome["state"] not in _ENDED_WELL:
            failed.append(host)
    return {"rows": rows, "lines": lines, "failed": failed}


def _in_words(changes: t.Sequence[str]) -> str:
    if not changes:
        return "nothing to do"
    return "1 change" if len(changes) == 1 else f"{len(changes)} changes"


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"run_report": run_report}
