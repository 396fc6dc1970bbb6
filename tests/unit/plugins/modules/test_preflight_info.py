# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which checks are made, and in which order their problems come. Each check is tested beside its own file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_names import NAME_KINDS
from ansible_collections.kubestrap.aws.plugins.modules import preflight_info

CALLER = {"account": "222222222222", "arn": "arn:aws:iam::222222222222:user/me", "partition": "aws"}
CLUSTER = {"name": "demo", "certificate_authority_data": "Q0E="}
DEFAULTS = {
    "expected_account_id": None,
    "account_required": False,
    "buckets": [],
    "names": [],
    "cluster_name": None,
    "cluster_access": True,
    "helm_binary": None,
    "problems": [],
}


class World:
    """What the checks of AWS and of the cluster find."""

    def __init__(self) -> None:
        self.aws: dict[str, Any] = {"caller": CALLER, "buckets": {}, "problems": [], "usable": True}
        self.cluster: list[str] = []
        self.access: list[str] = []
        self.asked: list[Any] = []

    def check_aws(self, _connection: Any, account_id: str | None, _buckets: Any) -> dict[str, Any]:
        self.asked.append(account_id)
        return self.aws

    def check_cluster(self, _connection: Any, name: str, account_id: str) -> tuple[Any, list[str]]:
        self.asked.append((name, account_id))
        return CLUSTER, self.cluster

    def check_access(self, _connection: Any, cluster: Any, ca_file: str) -> list[str]:
        self.asked.append((cluster["name"], Path(ca_file).read_bytes()))
        return self.access


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world without problems."""
    made = World()
    for name in ("check_aws", "check_cluster", "check_access"):
        monkeypatch.setattr(preflight_info, name, getattr(made, name))
    return made


def look(**params: Any) -> dict[str, Any]:
    """What the module finds with these options."""
    return preflight_info.look(
        SimpleNamespace(params={**DEFAULTS, **params}, connection=SimpleNamespace(region="eu-west-1"))
    )


def test_only_what_is_named_is_looked_at(world: World) -> None:
    found = look()
    assert world.asked == [None]
    assert found == {
        "account_id": "222222222222",
        "arn": CALLER["arn"],
        "aws_partition": "aws",
        "region": "eu-west-1",
        "buckets": {},
        "cluster": None,
        "helm": None,
        "problems": [],
    }


def test_a_cluster_is_tried_with_its_own_certificate_authority(world: World) -> None:
    assert look(cluster_name="demo", expected_account_id="222222222222")["cluster"] == CLUSTER
    assert world.asked == ["222222222222", ("demo", "222222222222"), ("demo", b"CA")]
    world.asked.clear()
    look(cluster_name="demo", cluster_access=False)
    assert world.asked == [None, ("demo", "222222222222")]


def test_a_cluster_that_cannot_be_used_is_not_tried(world: World) -> None:
    world.cluster = ["no issuer"]
    assert look(cluster_name="demo")["problems"] == ["no issuer"]
    assert world.asked == [None, ("demo", "222222222222")]


def test_without_usable_credentials_no_cluster_is_looked_at(world: World) -> None:
    world.aws = {"caller": None, "buckets": {}, "problems": ["no credentials"], "usable": False}
    found = look(cluster_name="demo")
    assert (found["problems"], found["account_id"], found["cluster"]) == (["no credentials"], None, None)
    assert world.asked == [None]


def test_all_problems_come_together(world: World) -> None:
    world.aws["problems"] = ["bucket"]
    world.access = ["access"]
    names = [
        {"option": "role", "kind": "iam_role", "value": "x" * 65},
        {"option": "ns", "kind": "namespace", "value": None},
    ]
    found = look(
        problems=["payers: none"],
        expected_account_id=1402433619,
        names=names,
        helm_binary="no-such-helm",
        cluster_name="demo",
    )
    problems = found["problems"]
    assert [problem.split(":")[0] for problem in problems] == [
        "payers",
        "kubestrap_account_id",
        "role",
        "ns",
        "kubestrap_helm_binary",
        "bucket",
        "access",
    ]
    assert world.asked[0] is None, "an id that is none is not compared"


def test_a_wrong_name_does_not_hide_a_wrong_account(world: World) -> None:
    look(expected_account_id="111111111111", names=[{"option": "ns", "kind": "namespace", "value": "A"}])
    assert world.asked == ["111111111111"]


def test_the_documentation_is_complete() -> None:
    documentation = yaml.safe_load(preflight_info.DOCUMENTATION)["options"]
    assert set(documentation) == set(DEFAULTS)
    assert set(documentation["names"]["suboptions"]["kind"]["choices"]) == set(NAME_KINDS)


@pytest.mark.usefixtures("world")
def test_the_documentation_shows_what_is_returned() -> None:
    assert set(yaml.safe_load(preflight_info.RETURN)["preflight"]["contains"]) == set(look())
