# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key and Secret in one step: their order, what ends in between, and that no secret is told."""

from __future__ import annotations

import base64
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _integration_task as integration
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._integration_keys import pair_of
from ansible_collections.kubestrap.aws.plugins.module_utils._integration_objects import Wanted
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from unit.key_fake import HUSH, KeyedWorld

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ARN = "arn:aws:iam::222222222222:user/kubecost"
PAYER = {
    "account_id": "111111111111",
    "bucket": "results",
    "region": "us-east-1",
    "database": "d",
    "table": "t",
    "workgroup": "w",
    "role_arn": "arn:aws:iam::111111111111:role/reader",
}
SECRET = "secrets/cloud-integration"
TASK = integration.Task(
    Wanted("kubecost", "cloud-integration", "cloud-integration.json"),
    payers=[PAYER],
    user="kubecost",
    settings=Settings(ownership_tags={"by": "us"}),
)


class World(KeyedWorld):
    """Runs of one task."""

    def run(self, task: integration.Task = TASK, check: bool = False, **settings: Any) -> dict[str, Any]:
        """A run; the user is afterwards as it was planned, with the key that was made."""
        task = dataclasses.replace(task, settings=dataclasses.replace(task.settings, **settings))
        task.check()
        self.kube.sent = []
        state = integration.read(self.kube, lambda: None, task)  # type: ignore[arg-type, return-value]
        present = task.payers is not None
        planned = integration.plan(state, task, ARN, NOW) if present else integration.plan_absent(state, task)
        before, answers = planned, []
        if not check:
            try:
                planned, answers = integration.apply(self.kube, lambda: None, task, planned)  # type: ignore[arg-type, return-value]
            finally:
                if before.user and "create_access_key" in self.kube.sent:
                    self.be_as_planned(before)
        said = integration.told(planned, answers, NOW) if present else {"kept": planned.objects.kept}
        shown = {**said, "changes": planned.changes, "diff": planned.diff}
        assert HUSH not in repr(shown) and HUSH not in repr(planned)
        return {**shown, "checksum": planned.objects.checksum}

    @property
    def document(self) -> Any:
        return json.loads(base64.b64decode(self.kube.things[SECRET]["data"]["cloud-integration.json"]))

    @property
    def held(self) -> str:
        """The secret of the key in the Secret."""
        pair = pair_of(self.document["aws"]["athena"][0])
        return pair.secret_key if pair else ""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_the_key_is_made_last_when_it_can_be_written_down(world: World) -> None:
    done = world.run()
    dry, *_others = [step for step in world.kube.sent if "dry run" in step]
    made = world.kube.sent.index("create_access_key")
    assert world.kube.sent.index(dry) < made < world.kube.sent.index("POST secrets")
    assert (world.held, done["new_key"], done["access_key_id"]) == (f"{HUSH}-1", True, "AKIA1")
    assert done["user_arn"] == ARN


def test_nothing_is_done_again(world: World) -> None:
    first = world.run()
    again = world.run()
    assert (again["changes"], world.kube.sent, world.made) == ([], [], 1)
    assert (again["checksum"], again["new_key"]) == (first["checksum"], False)


def test_check_mode_makes_nothing(world: World) -> None:
    predicted = world.run(check=True)
    assert (world.kube.sent, world.made, predicted["access_key_id"]) == ([], 0, None)
    assert predicted["changes"] == world.run()["changes"]


def test_a_key_that_is_too_old_is_replaced(world: World) -> None:
    first = world.run()
    world.user["access_keys"][0]["create_date"] = (NOW - timedelta(days=100)).isoformat()
    done = world.run(max_age=90)
    assert (world.held, done["access_key_id"]) == (f"{HUSH}-2", "AKIA2")
    assert done["checksum"] != first["checksum"]
    assert "makes the access key AKIA1 inactive" in done["rotation"]["next"]


def test_a_secret_that_lost_its_key_heals(world: World) -> None:
    world.run()
    del world.kube.things[SECRET]
    world.run()
    assert world.held == f"{HUSH}-2"


def test_a_secret_of_somebody_else_is_refused_before_a_key_is_made(world: World) -> None:
    entry = {**integration.build([PAYER], "athena")["aws"]["athena"][0], "database": "other"}
    data = base64.b64encode(json.dumps({"aws": {"athena": [entry]}}).encode()).decode()
    world.kube.things[SECRET] = {
        "metadata": {"name": "cloud-integration"},
        "data": {"cloud-integration.json": data},
    }
    with pytest.raises(AnsibleAWSError, match="that this collection did not make, and that contradicts ours"):
        world.run()
    assert world.made == 0


def test_a_key_that_could_not_be_written_is_named_and_the_next_run_heals(world: World) -> None:
    send = world.kube.send

    def broken(method: str, *path: str, dry_run: bool = False, **options: Any) -> Any:
        if path[-1] == "secrets" and not dry_run:
            raise KubeError("cut", "because", "Try again", 500)
        return send(method, *path, dry_run=dry_run, **options)

    world.kube.send = broken  # type: ignore[method-assign]
    with pytest.raises(KubeError, match="AKIA1"):
        world.run()
    world.kube.send = send  # type: ignore[method-assign]
    world.run()
    assert world.held == f"{HUSH}-2"


def test_without_a_user_nothing_asks_aws(world: World) -> None:
    done = world.run(dataclasses.replace(TASK, user=""))
    assert world.made == 0 and world.held == ""
    assert set(done) == {"changes", "diff", "checksum"}


def test_the_secret_goes_before_the_user(world: World) -> None:
    world.run()
    world.user |= {"inline_policy_names": [], "managed_policy_arns": [], "groups": []}
    gone = world.run(dataclasses.replace(TASK, payers=None))
    assert world.kube.sent[0].startswith("DELETE") and world.kube.sent[-1] == "delete_user"
    assert gone["kept"] == ()


@pytest.mark.parametrize(
    "data", [None, "!!!", base64.b64encode(b"{}").decode(), base64.b64encode(b'{"aws": 4}').decode()]
)
def test_a_damaged_secret_holds_no_key(data: str | None) -> None:
    secret = {"metadata": {}, "data": {"cloud-integration.json": data} if data else {}}
    assert integration.held_in(secret, TASK) is None
