# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's key in two keys of a Secret: the order, what is somebody else's, and that no secret is told."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _iam_user
from ansible_collections.kubestrap.aws.plugins.module_utils import _key_secret as keys
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from unit.key_fake import HUSH, KeyedWorld

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ARN = "arn:aws:iam::222222222222:user/backup"
WANTED = keys.Wanted(
    "kubecost", "pair", "accessKeyId", "secretAccessKey", "backup", Settings(ownership_tags={"by": "us"})
)
CONNECTION: Any = None


class World(KeyedWorld):
    """Runs of one task. When all goes, there is no user any more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        monkeypatch.setattr(_iam_user, "read_to_delete", lambda *_args: None)

    def run(self, absent: bool = False) -> dict[str, Any]:
        self.kube.sent = []
        state = keys.read(self.kube, CONNECTION, WANTED, absent)
        planned = keys.plan_absent(state, WANTED) if absent else keys.plan(state, WANTED, ARN, NOW)
        answers = keys.apply(self.kube, CONNECTION, WANTED, planned)
        if not absent:
            self.be_as_planned(planned)
        said = {} if absent else keys.told(planned, answers, NOW)
        shown = {**said, "changes": planned.changes, "kept": planned.objects.kept}
        assert HUSH not in f"{shown} {planned}"
        return shown

    @property
    def data(self) -> dict[str, str]:
        return {
            key: base64.b64decode(value).decode() for key, value in self.kube.things["secrets/pair"]["data"].items()
        }


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_the_key_is_written_where_it_is_read_and_a_second_run_does_nothing(world: World) -> None:
    first = world.run()
    assert world.kube.sent == ["POST secrets (dry run)", "create_user", "create_access_key", "POST secrets"]
    assert world.data == {"accessKeyId": "AKIA1", "secretAccessKey": f"{HUSH}-1"}
    assert (first["new_key"], first["access_key_id"], first["user_arn"]) == (True, "AKIA1", ARN)
    again = world.run()
    assert (again["changes"], again["access_key_id"], world.kube.sent) == ([], "AKIA1", [])


def test_a_secret_that_lost_a_key_heals_and_keeps_what_else_is_in_it(world: World) -> None:
    world.run()
    secret = world.kube.things["secrets/pair"]
    del secret["data"]["secretAccessKey"]
    secret["data"]["other"] = base64.b64encode(b"x").decode()
    assert world.run()["new_key"]
    assert world.data == {"accessKeyId": "AKIA2", "secretAccessKey": f"{HUSH}-2", "other": "x"}


def test_a_pair_of_somebody_else_is_refused(world: World) -> None:
    world.kube.things["secrets/pair"] = {"metadata": {"name": "pair"}, "data": {"accessKeyId": "eA=="}}
    with pytest.raises(
        AnsibleAWSError, match="secret: 'pair' is a Secret in the namespace kubecost whose key accessKeyId"
    ):
        world.run()
    assert world.kube.sent == []


def test_other_keys_of_a_foreign_secret_do_not_matter(world: World) -> None:
    world.kube.things["secrets/pair"] = {"metadata": {"name": "pair"}, "data": {"other": "eA=="}}
    world.run()
    secret = world.kube.things["secrets/pair"]
    assert json.loads(secret["metadata"]["annotations"][keys.MARK]) == ["accessKeyId", "secretAccessKey"]
    assert world.data["other"] == "x"
    gone = world.run(absent=True)
    assert gone["kept"] == ("the Secret pair has other keys",)


def test_nothing_is_made_where_the_secret_would_be_refused(world: World) -> None:
    world.kube.refuse = 403
    with pytest.raises(KubeError):
        world.run()
    assert world.made == 0


def test_what_was_made_goes_and_what_was_not_stays(world: World) -> None:
    world.run()
    gone = world.run(absent=True)
    assert "delete the Secret pair" in gone["changes"]
    assert "secrets/pair" not in world.kube.things
    world.kube.things["secrets/pair"] = {"metadata": {"name": "pair"}, "data": {"accessKeyId": "eA=="}}
    kept = world.run(absent=True)
    assert (kept["changes"], kept["kept"]) == ([], ("the Secret pair was not made by this collection",))
