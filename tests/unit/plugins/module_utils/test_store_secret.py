# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key and Secret in one step: their order, what ends in between, and that no secret is told."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _store_secret as store
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import KeyPair, keys_in
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_objects import Account
from ansible_collections.kubestrap.aws.plugins.module_utils._store_secret_objects import Existing, Wanted, text_in
from ansible_collections.kubestrap.aws.plugins.module_utils._store_secret_text import Source
from unit.key_fake import HUSH, KeyedWorld

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ARN = "arn:aws:iam::222222222222:user/thanos"
WANTED = Wanted("kubecost", "store", "object-store.yaml", (Account("store", "kubestrap"),))
SOURCE = Source("thanos", {"bucket": "acme-store", "region": "eu-west-1"})
TASK = store.Task(WANTED, SOURCE, user="thanos", settings=Settings(ownership_tags={"by": "us"}))


class World(KeyedWorld):
    """Runs of one task."""

    def connection(self) -> Any:
        return None

    def run(self, task: store.Task = TASK, check: bool = False, **settings: Any) -> dict[str, Any]:
        """A run; the user is afterwards as it was planned, with the key that was made."""
        task = dataclasses.replace(task, settings=dataclasses.replace(task.settings, **settings))
        task.check()
        self.kube.sent = []
        state = store.read(self.kube, self.connection, task)
        planned = store.plan(state, task, ARN, NOW) if task.source else store.plan_absent(state, task)
        before, answers = planned, []
        if not check:
            try:
                planned, answers = store.apply(self.kube, self.connection, task, planned)
            finally:
                wrote = any(method in self.kube.sent for method in ("create_access_key", "update_access_key"))
                if before.user and wrote:
                    self.be_as_planned(before)
        said = store.told(planned, answers, NOW) if task.source else {"kept": planned.objects.kept}
        shown = {**said, "changes": planned.changes, "diff": planned.diff}
        assert HUSH not in f"{shown} {planned}"
        return shown

    @property
    def held(self) -> KeyPair:
        return keys_in(text_in(self.kube.things["secrets/store"], "object-store.yaml") or "")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_key_is_made_after_all_else_was_asked_and_then_written(world: World) -> None:
    del world.kube.things["namespaces/kubecost"]
    predicted = world.run(check=True)
    assert world.kube.sent == []
    done = world.run()
    assert world.kube.sent == [
        "POST namespaces",
        "POST secrets (dry run)",
        "create_user",
        "create_access_key",
        "POST secrets",
        "POST serviceaccounts",
    ]
    assert world.held == KeyPair("AKIA1", f"{HUSH}-1")
    assert predicted["changes"] == done["changes"]
    assert predicted["diff"] == done["diff"]
    assert (predicted["access_key_id"], predicted["object_store"]["access_key_id"]) == (None, "")
    assert predicted["checksum"] != done["checksum"]
    assert (done["new_key"], done["user_arn"], done["rotation"]["state"]) == (True, ARN, "current")
    again = world.run()
    assert (again["changes"], again["checksum"], again["new_key"]) == ([], done["checksum"], False)


def test_what_was_proved_once_is_told_until_it_differs(world: World) -> None:
    made = world.run()
    assert made["proved"] is False
    annotations = world.kube.things["secrets/store"]["metadata"]["annotations"]
    annotations["proof.kubestrap.aws/object-store"] = made["checksum"]
    assert world.run()["proved"] is True
    world.user["access_keys"][0]["create_date"] = (NOW - timedelta(days=91)).isoformat()
    assert world.run(max_age=90)["proved"] is False


def test_what_the_api_server_would_refuse_is_known_before_the_key(world: World) -> None:
    world.kube.refuse = 422
    world.kube.get = lambda *path: {"metadata": {"name": "x"}} if path[-2] == "namespaces" else None
    with pytest.raises(KubeError, match="Failed to write the Secret"):
        world.run()
    assert world.kube.sent == ["POST secrets (dry run)"]


def test_a_key_that_could_not_be_written_down_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    send = world.kube.send

    def refuse(method: str, *path: str, dry_run: bool = False, **options: Any) -> Any:
        if path[-1] == "secrets" and not dry_run:
            raise KubeError("no", "somebody", "Run this again", 409)
        return send(method, *path, dry_run=dry_run, **options)

    monkeypatch.setattr(world.kube, "send", refuse)
    with pytest.raises(KubeError, match="somebody else changed it.*Run this again. The next run looks for .* AKIA1"):
        world.run()
    monkeypatch.undo()
    again = World(monkeypatch)
    again.user, again.made, again.kube = world.user, world.made, world.kube
    assert "make an access key for the user thanos (the workload holds none)" in again.run()["changes"]
    assert again.held.access_key == "AKIA2"


def test_a_rotation_writes_the_new_key_and_leaves_the_old_one(world: World) -> None:
    first = world.run()
    world.user["access_keys"][0]["create_date"] = (NOW - timedelta(days=91)).isoformat()
    rotated = world.run(max_age=90)
    assert world.held.access_key == "AKIA2"
    assert [key["status"] for key in world.user["access_keys"]] == ["Active", "Active"]
    assert rotated["checksum"] != first["checksum"]
    assert rotated["rotation"]["state"] == "old_key_active"
    assert "  ~ config.secret_key" in rotated["diff"][-1]["prepared"]
    retired = world.run(settle_hours=0)
    assert retired["checksum"] == rotated["checksum"]
    assert [key["status"] for key in world.user["access_keys"]] == ["Inactive", "Active"]


def test_a_foreign_secret_is_refused_before_anything_is_made(world: World) -> None:
    world.kube.things["secrets/store"] = {"metadata": {"name": "store"}, "data": {"object-store.yaml": "e30="}}
    with pytest.raises(AnsibleAWSError, match="which says something else"):
        world.run()
    assert world.kube.sent == []
    assert world.run(dataclasses.replace(TASK, wanted=dataclasses.replace(WANTED, adopt=True)))["new_key"]


def test_a_given_pair_and_one_in_a_secret_need_no_connection(world: World) -> None:
    world.connection = lambda: pytest.fail("AWS was asked")
    given = store.Task(WANTED, SOURCE, KeyPair("AKIA9", HUSH))
    assert world.run(given)["rotation"] is None
    assert world.held.access_key == "AKIA9"
    existing = dataclasses.replace(WANTED, existing=Existing("theirs", "id", "secret"))
    world.kube.things["secrets/theirs"] = {"data": {"id": "QUtJQTg=", "secret": "aHVzaC1odXNo"}}
    told = world.run(store.Task(existing, SOURCE))
    assert world.held == KeyPair("AKIA8", HUSH)
    assert (told["new_key"], told["user_arn"]) == (False, None)
    assert world.run(store.Task(WANTED, SOURCE))["object_store"]["has_keys"] is False


def test_the_secret_goes_before_the_user_and_a_foreign_user_stays(world: World) -> None:
    world.run()
    world.user |= {"inline_policy_names": [], "managed_policy_arns": [], "groups": []}
    end = dataclasses.replace(TASK, source=None)
    kept = world.run(end, check=True, ownership_tags={"by": "others"})
    assert kept["kept"] == ("the user thanos was not made by this collection (no tag by=others)",)
    gone = world.run(end)
    assert world.kube.sent == ["DELETE store", "DELETE store", "delete_access_key", "delete_user"]
    assert gone["changes"][0] == "delete the Secret store"
    assert gone["changes"][-1] == "delete the user thanos"
    assert "- delete the user thanos" in gone["diff"][-1]["prepared"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"user": "x" * 65}, "has 65 characters"),
        ({"user": "", "pair": KeyPair("AKIA9", "a b")}, "key_pair.secret_key: '...' has a space"),
        ({"source": Source("thanos", {"bucket": "acme-store"})}, "config.region: '' is missing"),
    ],
)
def test_bad_input_is_refused_before_any_call(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=said):
        dataclasses.replace(TASK, **changes).check()


def test_a_key_that_gives_way_to_a_role_is_told_once(world: World) -> None:
    assert world.run()["left_access_key_id"] is None
    by_role = store.Task(WANTED, SOURCE)
    assert world.run(by_role, check=True)["left_access_key_id"] == "AKIA1"
    assert world.run(by_role)["left_access_key_id"] == "AKIA1"
    assert world.run(by_role)["left_access_key_id"] is None
    assert len(world.user["access_keys"]) == 1, "pods may still hold it"
