# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workgroups are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.modules import athena_workgroup_info

THERE = ["kubecost", "primary"]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """An account with two workgroups; what is read of it: name, ARN, whether with tags."""
    seen: list[tuple[str, str, bool]] = []

    def one(_connection: Any, name: str, arn: str, with_tags: bool) -> dict[str, str] | None:
        seen.append((name, arn, with_tags))
        return {"name": name} if name in THERE else None

    monkeypatch.setattr(athena_workgroup_info, "read", one)
    monkeypatch.setattr(athena_workgroup_info, "read_names", lambda _connection: THERE)
    return seen


def look(name: str | None) -> list[dict[str, str]]:
    """What the module returns for this option."""
    connection = SimpleNamespace(partition="aws", region="us-east-1")
    return athena_workgroup_info.look(
        SimpleNamespace(connection=connection, account_id="111111111111", params={"name": name})
    )


def test_one(read: list[tuple[str, str, bool]]) -> None:
    assert look("kubecost") == [{"name": "kubecost"}]
    assert read == [("kubecost", "arn:aws:athena:us-east-1:111111111111:workgroup/kubecost", True)]


@pytest.mark.usefixtures("read")
def test_one_that_is_not_there() -> None:
    assert look("another") == []


def test_all(read: list[tuple[str, str, bool]]) -> None:
    assert [found["name"] for found in look(None)] == THERE
    assert len(read) == 2


def test_a_name_that_cannot_be(read: list[tuple[str, str, bool]]) -> None:
    with pytest.raises(AnsibleAWSError, match="is not the name of an Athena workgroup"):
        look("kube cost")
    assert not read
