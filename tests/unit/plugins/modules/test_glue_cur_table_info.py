# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.modules import glue_cur_table_info


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What is read: account, database, table."""
    seen: list[tuple[str, ...]] = []

    def read_tables(_connection: Any, *what: str) -> list[dict[str, str]]:
        seen.append(what)
        return []

    monkeypatch.setattr(glue_cur_table_info, "read_tables", read_tables)
    return seen


def look(database: str, table: str | None = None, region: str | None = "eu-west-1") -> list[dict[str, str]]:
    """What the module returns for these options."""
    connection = SimpleNamespace(region=region)
    params = {"database": database, "table": table}
    return glue_cur_table_info.look(SimpleNamespace(connection=connection, account_id="111111111111", params=params))


def test_one_or_all(asked: list[tuple[str, ...]]) -> None:
    assert look("a", "b") == look("a") == []
    assert asked == [("111111111111", "a", "b"), ("111111111111", "a", None)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"database": "A"}, "Write a"),
        ({"database": "a", "table": "B"}, "Write b"),
        ({"database": "a", "region": None}, "Set the region"),
    ],
)
def test_bad_input(options: dict[str, Any], said: str, asked: list[tuple[str, ...]]) -> None:
    with pytest.raises(AnsibleAWSError, match=said):
        look(**options)
    assert not asked
