# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which checks are made, and in which order their problems come. Each check is tested beside its own file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _preflight_host
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError

CALLER = {"account": "222222222222", "arn": "arn:aws:iam::222222222222:user/me", "partition": "aws"}
CLUSTER = {"name": "demo", "certificate_authority_data": "Q0E=", "oidc_provider_arn": "arn:provider"}
RIGHTS = {
    "document": "kubecost_cluster_operator",
    "parameters": {"region": "eu-west-1", "cluster_name": "demo", "role_name": "kubecost", "permissions_boundary": ""},
    "tags": {},
}
SIDS = ["ReadCluster", "ReadIssuer", "ReadAccount", "ReadRole", "RegisterIssuer", "MakeRole"]
DEFAULTS = {
    "expected_account_id": None,
    "account_required": False,
    "caller": None,
    "buckets": [],
    "names": [],
    "cluster_name": None,
    "cluster_access": True,
    "helm_binary": None,
    "billing_data": None,
    "release": None,
    "cost_allocation_tags": None,
    "namespace": None,
    "rights": None,
    "cluster_rights": None,
    "quotas": False,
    "problems": [],
}


class World:
    """What the checks of AWS and of the cluster find."""

    def __init__(self) -> None:
        self.aws: dict[str, Any] = {"caller": CALLER, "buckets": {}, "problems": [], "usable": True}
        self.cluster: list[str] = []
        self.access: list[str] = []
        self.installed = False
        self.rights: tuple[list[str], list[str]] = ([], [])
        self.cluster_rights: tuple[list[str], list[str]] = ([], [])
        self.room: tuple[Any, list[str], list[str]] = ({"roles_left": 1, "roles_needed": 1}, [], [])
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

    def is_installed(self, _connection: Any, _cluster: Any, name: str, ca_file: str) -> bool:
        self.asked.append((name, Path(ca_file).read_bytes()))
        return self.installed

    @contextlib.contextmanager
    def cluster_api(self, _connection: Any, cluster: Any, kubeconfig: str | None, context: str | None) -> Any:
        if kubeconfig == "/broken":
            raise KubeError("cannot be used", "no such context", "Correct it")
        yield f"{kubeconfig} {context}" if kubeconfig else cluster["name"]

    def has_ours(self, api: Any, namespace: str) -> bool:
        self.asked.append((api, namespace))
        return self.installed

    def check_cluster_rights(self, api: Any, document: str, parameters: Any, who: str) -> Any:
        self.asked.append((api, document, parameters, who))
        return self.cluster_rights

    def check_rights(self, _connection: Any, arn: str, statements: Any, *_args: Any, **options: Any) -> Any:
        self.asked.append((arn, [statement["Sid"] for statement in statements], options["known_arns"]))
        return self.rights

    def check_roles(self, _connection: Any, account_id: str, _partition: str, roles: list[str], provider: Any) -> Any:
        self.asked.append(("room", account_id, roles, provider))
        return self.room

    def lake_notes(self, _connection: Any, database: str, role_name: str) -> list[str]:
        self.asked.append((database, role_name))
        return ["governed"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world without problems."""
    made = World()
    for name in (
        "check_aws",
        "check_cluster",
        "check_access",
        "check_cluster_rights",
        "check_rights",
        "check_roles",
        "cluster_api",
        "has_ours",
        "is_installed",
        "lake_notes",
    ):
        monkeypatch.setattr(_preflight_host, name, getattr(made, name))
    return made


def look(check_mode: bool = False, **params: Any) -> dict[str, Any]:
    """What the module finds with these options."""
    connection = SimpleNamespace(region="eu-west-1")
    return _preflight_host.look(connection, {**DEFAULTS, **params}, check_mode)  # type: ignore[arg-type]


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
        "billing_data": None,
        "release": None,
        "chart": None,
        "quotas": None,
        "cost_allocation_tags": None,
        "first": False,
        "problems": [],
        "notes": [],
    }


def test_whose_the_credentials_are_is_not_asked_twice(world: World) -> None:
    connection = SimpleNamespace(region="eu-west-1")
    seen = {"account_id": CALLER["account"], "arn": CALLER["arn"], "aws_partition": "aws"}
    _preflight_host.look(connection, {**DEFAULTS, "caller": seen})  # type: ignore[arg-type]
    assert connection.caller == CALLER


def test_a_cluster_is_tried_with_its_own_certificate_authority(world: World) -> None:
    assert look(cluster_name="demo", expected_account_id="222222222222")["cluster"] == CLUSTER
    assert world.asked == ["222222222222", ("demo", "222222222222"), ("demo", b"CA")]
    world.asked.clear()
    look(cluster_name="demo", cluster_access=False)
    assert world.asked == [None, ("demo", "222222222222")]


def test_a_release_is_looked_at_in_a_cluster_that_lets_us_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {"release": {"name": "kubecost"}, "chart": {"local": False, "version": "3.2.4"}}
    wanted = {"name": "kubecost", "namespace": "kubecost", "generation": "3"}
    monkeypatch.setattr(_preflight_host, "look_at_release", lambda _c, cluster, given: (seen, [cluster["name"], given]))
    found = look(cluster_name="demo", release=wanted)
    assert (found["release"], found["chart"]) == (seen["release"], seen["chart"])
    assert found["problems"] == ["demo", wanted]

    world.access = ["access"]
    found = look(cluster_name="demo", release=wanted)
    assert (found["release"], found["problems"]) == (None, ["access"])


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


def test_rights_are_looked_up_for_a_first_run(world: World) -> None:
    look(cluster_name="demo", namespace="kubecost", rights=RIGHTS)
    assert world.asked[3:] == [
        ("kubecost", b"CA"),
        (CALLER["arn"], SIDS, ["arn:provider"]),
    ]


@pytest.mark.parametrize(
    ("document", "parameters", "sids"),
    [
        (
            "object_storage_workload_operator",
            {"identity_method": "access_key", "user_name": "thanos", "permissions_boundary": "", "region": "eu-west-1"},
            ["ReadUser", "MakeUser", "MakeAccessKey"],
        ),
        (
            "object_storage_workload_operator",
            {**RIGHTS["parameters"], "identity_method": "irsa", "user_name": ""},
            SIDS,
        ),
        (
            "workload_storage_operator",
            {"region": "eu-west-1", "bucket": "blocks", "kms_key_alias": "", "versioning": False},
            ["ReadBucket", "MakeBucket"],
        ),
    ],
)
def test_rights_to_object_storage_are_looked_up(
    world: World, document: str, parameters: dict[str, Any], sids: list[str]
) -> None:
    """Options that are empty are those that are not set."""
    world.aws["buckets"] = {"blocks": False}
    look(rights={"document": document, "parameters": parameters, "tags": {}})
    assert world.asked[-1] == (CALLER["arn"], sids, [])


def test_rights_are_not_looked_up_where_the_workload_is_installed(world: World) -> None:
    world.installed = True
    look(cluster_name="demo", namespace="kubecost", rights=RIGHTS)
    assert world.asked[3:] == [("kubecost", b"CA")]
    world.aws["buckets"] = {"a": True, "b": True}
    world.asked.clear()
    look(rights=RIGHTS)
    assert world.asked == [None]
    world.aws["buckets"] = {"a": True, "b": False}
    look(rights=RIGHTS)
    assert world.asked[2][0] == CALLER["arn"]


def test_rights_are_not_looked_up_after_other_problems(world: World) -> None:
    world.access = ["access"]
    look(cluster_name="demo", namespace="kubecost", rights=RIGHTS)
    assert world.asked[3:] == []


CLUSTER_RIGHTS = {"document": "kubecost_cluster_rbac", "parameters": {"namespace": "kubecost"}}


def test_rights_in_the_cluster_are_looked_up_for_a_first_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the release, which who may not read Secrets cannot look at."""
    monkeypatch.setattr(_preflight_host, "look_at_release", lambda *_args: pytest.fail("the release was looked at"))
    options = {"cluster_name": "demo", "namespace": "kubecost", "cluster_rights": CLUSTER_RIGHTS}
    world.cluster_rights = (["no right"], ["cannot see."])
    found = look(**options, release={"name": "kubecost"})
    asked = ("demo", "kubecost_cluster_rbac", {"namespace": "kubecost"}, CALLER["arn"])
    assert world.asked[3:] == [("kubecost", b"CA"), asked]
    assert (found["problems"], found["notes"]) == (["no right"], ["cannot see."])
    found = look(check_mode=True, **options)
    assert (found["problems"], found["notes"]) == ([], ["no right.", "cannot see."])

    world.installed = True
    world.asked.clear()
    assert look(**options)["problems"] == []
    assert world.asked[3:] == [("kubecost", b"CA")]


def test_a_cluster_that_is_reached_by_a_kubeconfig_is_asked_by_it(world: World) -> None:
    rights = {**CLUSTER_RIGHTS, "kubeconfig": "/kube", "context": "blue"}
    options = {"cluster_name": "demo", "namespace": "kubecost", "cluster_access": False, "cluster_rights": rights}
    look(**options)
    asked = ("/kube blue", "kubecost_cluster_rbac", {"namespace": "kubecost"}, "the kubeconfig /kube")
    assert world.asked[2:] == [("/kube blue", "kubecost"), asked]
    world.installed = True
    world.asked.clear()
    look(**options)
    assert world.asked[2:] == [("/kube blue", "kubecost")]
    rights["kubeconfig"] = "/broken"
    assert look(**options)["problems"] == ["kubestrap_kubeconfig: cannot be used: no such context. Correct it"]


def test_a_payer_is_asked_for_lake_formation_too(world: World) -> None:
    world.aws["buckets"] = {"a": False}
    names = {"report_bucket": "acme-report", "results_bucket": "acme-results"}
    for name in ("report_name", "report_prefix", "workgroup", "database", "role_name"):
        names[name] = "kubecost"
    parameters = {"region": "us-east-1", **names}
    found = look(rights={"document": "kubecost_payer_operator", "parameters": parameters, "tags": {}})
    assert found["notes"] == ["governed"]
    assert world.asked[-1] == ("kubecost", "kubecost")


def test_a_right_that_is_missing_is_a_problem_and_in_check_mode_a_note(world: World) -> None:
    world.aws["buckets"] = {"a": False}
    world.rights = (["no right"], ["cannot see."])
    found = look(rights=RIGHTS)
    assert (found["problems"], found["notes"]) == (["no right"], ["cannot see."])
    found = look(rights=RIGHTS, check_mode=True)
    assert (found["problems"], found["notes"]) == ([], ["no right.", "cannot see."])


ROLE = [{"option": "kubecost_role_name", "kind": "iam_role", "value": "kubecost-demo"}]


def test_room_for_the_roles_is_looked_up_for_a_first_run(world: World) -> None:
    world.room = ({"roles_left": 0, "roles_needed": 1}, ["no room"], ["cannot see."])
    found = look(cluster_name="demo", namespace="kubecost", names=ROLE, quotas=True)
    assert world.asked[3:] == [("kubecost", b"CA"), ("room", CALLER["account"], ["kubecost-demo"], "arn:provider")]
    assert (found["quotas"], found["problems"], found["notes"]) == (world.room[0], ["no room"], ["cannot see."])
    assert look(check_mode=True, cluster_name="demo", namespace="kubecost", names=ROLE, quotas=True)["problems"]


def test_room_is_not_looked_up_where_all_is_there_or_something_else_is_wrong(world: World) -> None:
    options = {"cluster_name": "demo", "namespace": "kubecost", "names": ROLE}
    assert look(**options)["quotas"] is None
    assert look(**options, quotas=True, problems=["other"])["quotas"] is None
    world.installed = True
    assert look(**options, quotas=True, rights=RIGHTS)["quotas"] is None
    assert not [asked for asked in world.asked if asked and asked[0] == "room"]


@pytest.mark.parametrize("exists", [True, False])
def test_of_a_payer_it_is_known_whether_it_makes_a_role(
    world: World, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    wanted: list[Any] = []
    seen = {"notes": [], "reader_role": {"exists": exists}}
    monkeypatch.setattr(_preflight_host, "look_at_billing", lambda _c, _a, given: (wanted.append(given) or seen, []))
    names = ("report_name", "report_bucket", "report_prefix", "workgroup", "results_location", "role_name")
    world.aws["buckets"] = {"acme-cur": exists}
    world.room = ({"roles_left": 0, "roles_needed": 1}, ["no room"], [])
    found = look(billing_data=dict.fromkeys(names, "kubecost"), names=ROLE, quotas=True)
    assert wanted[0].check_quotas
    assert found["quotas"] == (None if exists else world.room[0])
    assert found["problems"] == [], "nobody is known to read it, so that it may make none"
    assert world.asked[1:] == ([] if exists else [("room", CALLER["account"], ["kubecost-demo"], None)])
    read = {**dict.fromkeys(names, "kubecost"), "reader_role_arns": ["arn:aws:iam::222222222222:role/a"]}
    assert look(billing_data=read, names=ROLE, quotas=True)["problems"] == ([] if exists else ["no room"])


def test_a_payer_is_compared_when_nothing_else_is_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def look_at_billing(_connection: Any, account_id: str, wanted: Any) -> tuple[dict[str, Any], list[str]]:
        asked.append((account_id, wanted.report_name))
        return {"notes": []}, ["the report does not fit"]

    monkeypatch.setattr(_preflight_host, "look_at_billing", look_at_billing)
    payer = {
        "report_name": "kubecost",
        "report_bucket": "acme-cur",
        "report_prefix": "cur",
        "workgroup": "kubecost",
        "results_location": "s3://acme-results/kubecost/",
        "role_name": "kubecost-cur-access",
    }
    found = look(billing_data=payer)
    assert found["billing_data"] == {"notes": []}
    assert found["problems"] == ["the report does not fit"]
    assert asked == [("222222222222", "kubecost")]
    assert look(billing_data=payer, problems=["other"])["problems"] == ["other"]
    assert len(asked) == 1
