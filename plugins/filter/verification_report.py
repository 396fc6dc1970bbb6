# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.proof_report import proof_report
from ansible_collections.kubestrap.aws.plugins.module_utils._verification import COLUMNS, rows, verdict_of


def verification_report(links: t.Any, differences: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """Verdict, rows and notes of one host; see the documentation beside this file."""
    if isinstance(links, (str, t.Mapping)) or not isinstance(links, t.Sequence):
        raise AnsibleFilterError(f"verification_report takes the list of links of a proof, not {type(links).__name__}")
    return {
        "verdict": verdict_of(links, differences),
        "columns": list(COLUMNS),
        "rows": rows(links),
        "notes": proof_report(links)["notes"],
    }


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"verification_report": verification_report}
