# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clusters are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.modules import eks_cluster_info

THERE = ["demo", "prod"]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """An account with two clusters; whether add-ons were asked for."""
    seen: list[bool] = []

    def one(_connection: Any, name: str, include_addons: bool) -> dict[str, str] | None:
        seen.append(include_addons)
        return {"name": name} if name in THERE else None

    monkeypatch.setattr(eks_cluster_info, "read", one)
    monkeypatch.setattr(
        eks_cluster_info, "read_all", lambda connection, addons: [one(connection, n, addons) for n in THERE]
    )
    return seen


def look(name: str | None = None, include_addons: bool = False) -> list[dict[str, str]]:
    """What the module returns for these options."""
    params = {"name": name, "include_addons": include_addons}
    return eks_cluster_info.look(SimpleNamespace(connection=None, params=params))


def test_one() -> None:
    assert look("demo") == [{"name": "demo"}]


def test_one_that_is_not_there() -> None:
    assert look("another") == []


def test_all() -> None:
    assert [cluster["name"] for cluster in look()] == THERE


@pytest.mark.parametrize("name", [None, "demo"])
def test_add_ons_only_when_asked(asked: list[bool], name: str | None) -> None:
    look(name)
    assert not any(asked)
    look(name, include_addons=True)
    assert asked[-1]
