# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run changes of a release's values, in lines for people. Pure.

Values of the user, and all that stand in the cluster, may be secrets: of them only the keys are told.
"""

from __future__ import annotations

import json
import typing as t

from ._preflight_values import same
from .kubecost_chart import Values
from .kubecost_values import dotted_key

Path = tuple[str, ...]


def changes(current: Values, planned: Values, user: Values) -> list[str]:
    """``+``, ``-`` or ``~``, the key, and of a value of ours what it will be; sorted by key.

    :param current: values that the release has; empty when there is none
    :param planned: values that it will have
    :param user: those of them that the user gave
    """
    before, after = _leaves(current), _leaves(planned)
    theirs = _leaves(user)
    lines = []
    for path in sorted({*before, *after}):
        if path not in after:
            lines.append(f"- {dotted_key(path)}")
        elif path not in before or not same(before[path], after[path]):
            mark = "~" if path in before else "+"
            shown = "" if path in theirs else f": {json.dumps(after[path], ensure_ascii=False)}"
            lines.append(f"{mark} {dotted_key(path)}{shown}")
    return lines


def _leaves(values: t.Any, path: Path = ()) -> dict[Path, t.Any]:
    """Each value that is no mapping with something in it, by its path."""
    if not isinstance(values, t.Mapping) or (path and not values):
        return {path: values}
    found: dict[Path, t.Any] = {}
    for name, value in values.items():
        found |= _leaves(value, (*path, str(name)))
    return found
