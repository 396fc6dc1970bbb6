# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_existing import Existing
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


REPORT = {"report_bucket": "example-reports", "report_prefix": "cur", "report_name": "kubecost"}


def look(database: str, table: str | None = None, region: str | None = "eu-west-1", **report: Any) -> dict[str, Any]:
    """What the module returns for these options."""
    connection = SimpleNamespace(region=region, partition="aws")
    params = {"database": database, "table": table, "must_fit": False, **dict.fromkeys(REPORT), **report}
    module: Any = SimpleNamespace(connection=connection, account_id="111111111111", params=params)
    return glue_cur_table_info.look(module)


def test_one_or_all(asked: list[tuple[str, ...]]) -> None:
    assert look("a", "b") == look("a") == {"glue_cur_tables": []}
    assert asked == [("111111111111", "a", "b"), ("111111111111", "a", None)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"database": "A"}, "Write a"),
        ({"database": "a", "table": "B"}, "Write b"),
        ({"database": "a", "region": None}, "Set the region"),
        ({"database": "a", "table": "b", **REPORT, "report_bucket": "s3://x"}, "Write x"),
        ({"database": "a", "table": "b", **REPORT, "report_prefix": "/cur"}, "Write cur"),
        ({"database": "a", "table": "b", **REPORT, "report_name": "a b"}, "not the name of a report"),
    ],
)
def test_bad_input(options: dict[str, Any], said: str, asked: list[tuple[str, ...]]) -> None:
    with pytest.raises(AnsibleAWSError, match=said):
        look(**options)
    assert not asked


def test_a_table_that_differs_is_refused_only_when_it_must_fit(
    monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, ...]]
) -> None:
    found = Existing({"StorageDescriptor": {"Location": "s3://other/"}, "TableType": "EXTERNAL_TABLE"})
    monkeypatch.setattr(glue_cur_table_info, "read_existing", lambda *_arguments: found)
    result = look("a", "b", **REPORT)
    assert "it has no partition key year" in result["glue_cur_tables"][0]["differences"]
    assert result["delivery"] == {"delivered": False, "delivered_period": None, "delivery_stopped": False}
    with pytest.raises(AnsibleAWSError, match="table: 'a.b' does not serve .*partition key year.*Nothing was changed"):
        look("a", "b", must_fit=True, **REPORT)
    monkeypatch.setattr(glue_cur_table_info, "read_existing", lambda *_arguments: Existing(None))
    assert look("a", "b", must_fit=True, **REPORT)["glue_cur_tables"] == []
    assert not asked
