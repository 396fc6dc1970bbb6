# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which reports are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._cur_report import ReportId
from ansible_collections.kubestrap.aws.plugins.modules import cur_report_definition_info

ALL = [{"report_name": "a"}, {"report_name": "kubecost"}]


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account with two reports."""

    def one(_connection: Any, report: ReportId, with_tags: bool) -> dict[str, str] | None:
        assert with_tags
        return {"report_name": report.name} if report.arn.endswith(":definition/kubecost") else None

    monkeypatch.setattr(cur_report_definition_info, "read", one)
    monkeypatch.setattr(cur_report_definition_info, "read_all", lambda _connection, region, _account: ALL)


def look(name: str | None) -> list[dict[str, str]]:
    """What the module returns for this option."""
    module = SimpleNamespace(connection=AwsConnection("eu-west-1"), account_id="111111111111", params={"name": name})
    return cur_report_definition_info.look(module)


def test_one() -> None:
    assert look("kubecost") == [{"report_name": "kubecost"}]


def test_one_that_is_not_there() -> None:
    assert look("another") == []


def test_all() -> None:
    assert look(None) == ALL


def test_a_name_that_cannot_be() -> None:
    with pytest.raises(AnsibleAWSError, match="is not the name of a report"):
        look("kube cost")
