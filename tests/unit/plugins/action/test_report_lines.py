# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines and tables as they are displayed. tests/integration/test_report_lines.py runs the action itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.kubestrap.aws.plugins.action.report_lines import harmless, report, table_lines


def test_a_table_has_aligned_columns() -> None:
    rows = [["prod-eu", "ready", "Kubecost installed"], {"host": "b", "what": None}]
    assert table_lines(["host", "state", "what"], rows) == [
        "host     state  what",
        "-------  -----  ------------------",
        "prod-eu  ready  Kubecost installed",
        "b        -      -",
    ]


def test_a_value_of_several_lines_stays_in_its_column() -> None:
    assert table_lines(["a", "b", "c"], [["1", "two\nlines\n", 3]]) == [
        "a  b      c",
        "-  -----  -",
        "1  two    3",
        "   lines",
    ]


def test_a_table_without_rows_has_its_head() -> None:
    assert table_lines(["host", "state"], []) == ["host  state", "----  -----"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["1"], r"table.rows\[1\]: '\['1'\]' is not a list of 2 values"),
        ("12", r"table.rows\[1\]: '12' is not a list of 2 values"),
        ({"a": 1, "z": 2}, r"table.rows\[1\]: 'z' is not one of the columns a, b"),
    ],
)
def test_a_row_that_does_not_fit(row: Any, said: str) -> None:
    with pytest.raises(AnsibleActionFail, match=said):
        table_lines(["a", "b"], [[1, 2], row])


def test_the_parts_of_a_report() -> None:
    table = {"columns": ["a"], "rows": [["1"]]}
    assert report("Title", table, ["one", "two\nthree"]) == [
        "", "Title", "=====", "a", "-", "1", "", "one", "two", "three", "",
    ]  # fmt: skip
    assert report(None, None, ["one"]) == ["", "one", ""]
    assert report(None, table, []) == ["", "a", "-", "1", ""]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("localhost : ok=3 changed=12 failed=0", "localhost : ok: 3 changed: 12 failed: 0"),
        ("unchanged=yes, a=1", "unchanged=yes, a=1"),
        ("changed=none", "changed=none"),
    ],
)
def test_nothing_looks_like_ansibles_recap(line: str, shown: str) -> None:
    assert harmless(line) == shown


def test_long_lines_are_wrapped_between_words() -> None:
    lines = report(None, None, ["prod-eu: " + "word " * 60, "short", "x" * 200])
    assert max(len(line) for line in lines if "x" not in line) <= 118
    assert " ".join(" ".join(lines).split()) == "prod-eu: " + "word " * 60 + "short " + "x" * 200
    assert lines[2].startswith("  word"), "what belongs to a line is indented below it"


def test_the_last_column_of_a_wide_table_is_wrapped() -> None:
    lines = table_lines(["link", "detail"], [["trust", "word " * 50], ["role", "short"]])
    assert max(map(len, lines)) <= 118
    assert lines[2].startswith("trust  word") and lines[3].startswith("       word")
    assert lines[-1] == "role   short"
