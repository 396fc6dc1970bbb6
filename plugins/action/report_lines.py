# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action ``kubestrap.aws.report_lines``; documented in plugins/modules/report_lines.py."""

from __future__ import annotations

import re
import textwrap
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display, get_text_width

ARGUMENT_SPEC: dict[str, t.Any] = {
    "title": {"type": "str"},
    "lines": {"type": "list", "elements": "str"},
    "table": {
        "type": "dict",
        "options": {
            "columns": {"type": "list", "elements": "str", "required": True},
            "rows": {"type": "list", "elements": "raw", "required": True},
        },
    },
}

_GAP = "  "
# Longer lines are wrapped: a terminal breaks them within words, and columns are lost.
_WIDTH = 118
_NARROWEST = 40  # of a column that is wrapped
# Tools that watch a run (molecule's idempotence among them) look for the counts of Ansible's recap in all of stdout.
_RECAP_COUNT = re.compile(r"\b(ok|changed|unreachable|failed|skipped|rescued|ignored)=(?=\d)")


class ActionModule(ActionBase):
    """Displays lines and a table; changes nothing."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Display the lines, unless the task has ``no_log``."""
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec=ARGUMENT_SPEC, required_one_of=[["lines", "table"]]
        )
        lines = [harmless(line) for line in report(options["title"], options["table"], options["lines"])]
        if not self._task.no_log:
            # A callback that writes JSON owns stdout.
            to_stderr = "json" in C.DEFAULT_STDOUT_CALLBACK
            for line in lines:
                Display().display(line, stderr=to_stderr)
        result.update(changed=False, lines=lines)
        return result


def report(title: str | None, table: t.Mapping[str, t.Any] | None, lines: list[str] | None) -> list[str]:
    """The report as lines: title, table, lines, with an empty line between the parts."""
    parts = [
        [title, "=" * get_text_width(title)] if title else [],
        table_lines(table["columns"], table["rows"]) if table else [],
        [part for line in lines or [] for text in line.split("\n") for part in wrapped(text, _WIDTH, "  ")],
    ]
    made = [""]
    for number, part in enumerate(parts):
        # The title stands directly over what follows.
        made += [*part, *([""] if part and number else [])]
    return made


def table_lines(columns: list[str], rows: list[t.Any]) -> list[str]:
    """A table with aligned columns.

    :param rows: each a list with a value per column, or a mapping with the columns as keys. A value of several lines
        takes several lines of the table; ``None`` is shown as ``-``
    :raises AnsibleActionFail: a row does not fit the columns
    """
    cells = [[_cell_lines(value) for value in _values(columns, row, number)] for number, row in enumerate(rows)]
    _wrap_last_column(columns, cells)
    widths = [
        max(get_text_width(text) for text in (column, *(line for row in cells for line in row[index])))
        for index, column in enumerate(columns)
    ]
    made = [_line(columns, widths), _line(["-" * width for width in widths], widths)]
    for row in cells:
        for part in range(max(len(cell) for cell in row)):
            made.append(_line([cell[part] if part < len(cell) else "" for cell in row], widths))
    return made


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """The text in lines of at most this width, but for longer words; further lines are indented."""
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, replace_whitespace=False
    ) or [text]


def harmless(line: str) -> str:
    """The line without anything that looks like a count of Ansible's recap: ``changed=3`` becomes ``changed: 3``."""
    return _RECAP_COUNT.sub(r"\1: ", line)


def _values(columns: list[str], row: t.Any, number: int) -> list[t.Any]:
    if isinstance(row, t.Mapping):
        unknown = [key for key in row if key not in columns]
        if unknown:
            raise AnsibleActionFail(
                f"table.rows[{number}]: '{unknown[0]}' is not one of the columns {', '.join(columns)}"
            )
        return [row.get(column) for column in columns]
    if not isinstance(row, (list, tuple)) or len(row) != len(columns):
        raise AnsibleActionFail(f"table.rows[{number}]: '{row}' is not a list of {len(columns)} values, one per column")
    return list(row)


def _cell_lines(value: t.Any) -> list[str]:
    text = "-" if value is None or value == "" else str(value)
    return [line.rstrip() for line in text.strip("\n").split("\n")]


def _wrap_last_column(columns: list[str], cells: list[list[list[str]]]) -> None:
    """Wrap the last column, which is the one with prose, so that the table is not wider than a line."""
    others = [
        max(get_text_width(text) for text in (column, *(line for row in cells for line in row[index])))
        for index, column in enumerate(columns[:-1])
    ]
    width = max(_NARROWEST, _WIDTH - sum(others) - len(_GAP) * len(others))
    for row in cells:
        row[-1] = [part for line in row[-1] for part in wrapped(line, width)]


def _line(cells: list[str], widths: list[int]) -> str:
    padded = [cell + " " * (width - get_text_width(cell)) for cell, width in zip(cells, widths, strict=True)]
    return _GAP.join(padded).rstrip()
