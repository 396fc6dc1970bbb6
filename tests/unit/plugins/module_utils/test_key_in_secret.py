# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a key and the Secret that holds it are made, and what is left when one of them is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _key_in_secret as keyed
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_objects import KubeChange, in_namespace
from unit.key_fake import HUSH, KeyedWorld

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ARN = "arn:aws:iam::222222222222:user/reader"
SETTINGS = Settings(ownership_tags={"by": "us"})


def objects(pair: Any) -> keyed.ObjectsPlan:
    """A namespace, a Secret with the pair, and a ServiceAccount."""

    def post(kind: str, name: str, **body: Any) -> KubeChange:
        path = in_namespace("kubecost", kind)
        return KubeChange(f"make {name}", "POST", path, {"metadata": {"name": name}, **body})

    secret = post("secrets", "pair", stringData={"id": pair.access_key, "key": pair.secret_key})
    return keyed.ObjectsPlan((post("namespaces", "room"),), secret, (post("serviceaccounts", "pod"),))


class World(KeyedWorld):
    """Runs over one user."""

    def plan(self, held: str = "") -> keyed.KeyedPlan:
        user = keyed.plan_user("reader", ARN, self.user, SETTINGS, held, NOW)
        return keyed.KeyedPlan({}, objects(keyed.PENDING), user)

    def run(self) -> tuple[Any, keyed.ObjectsPlan, list[Any]]:
        return keyed.apply(self.kube, lambda: None, self.plan(), objects)  # type: ignore[arg-type, return-value]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_the_key_is_made_between_what_can_refuse_it_and_what_needs_it(world: World) -> None:
    planned = world.plan()
    pair, made, answers = world.run()
    assert world.kube.sent == [
        "POST namespaces",
        "POST secrets (dry run)",
        "create_user",
        "create_access_key",
        "POST secrets",
        "POST serviceaccounts",
    ]
    assert pair.access_key == "AKIA1"
    assert world.kube.things["secrets/pair"]["stringData"] == {"id": "AKIA1", "key": f"{HUSH}-1"}
    assert made.secret is not None and keyed.PENDING.access_key not in repr(made.secret.body)
    assert planned.user
    assert planned.user.told(answers, NOW)["access_key_id"] == "AKIA1"
    assert planned.user.told((), NOW)["access_key_id"] is None


def test_a_key_that_could_not_be_written_down_is_not_made(world: World) -> None:
    world.kube.refuse = 403
    with pytest.raises(KubeError):
        world.run()
    assert world.made == 0


def test_it_is_said_what_becomes_of_a_key_that_was_not_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(method: str, *path: str, body: Any, field_manager: str, dry_run: bool = False) -> Any:
        if not dry_run and path[-1] == "secrets":
            raise KubeError("no", "", "write the Secret", 500)
        return body

    monkeypatch.setattr(world.kube, "send", send)
    with pytest.raises(KubeError, match="The next run looks for the access key AKIA1") as refused:
        world.run()
    assert HUSH not in str(refused.value)


def test_without_a_new_key_nothing_is_tried_first(world: World) -> None:
    first = world.plan()
    world.run()
    world.be_as_planned(first)
    world.kube.sent = []
    again = world.plan(held="AKIA1")
    pair, _made, answers = keyed.apply(world.kube, lambda: None, again, objects)  # type: ignore[arg-type, return-value]
    assert (pair, answers, again.new_key) == (None, [], False)
    assert world.kube.sent == ["POST namespaces", "POST secrets", "POST serviceaccounts"]


def test_the_user_goes_after_the_secret_whose_key_dies(world: World) -> None:
    user = {"arn": ARN, "tags": {"by": "us"}}
    gone = keyed.ObjectsPlan(
        first=(KubeChange("delete it", "DELETE", in_namespace("kubecost", "secrets", "pair"), {}),)
    )
    foreign = {**user, "tags": {}}
    _planned, told = keyed.plan_user_absent("reader", foreign, SETTINGS, gone)
    assert told.kept and "reader" in told.kept[0]
    world.run()
    planned, told = keyed.plan_user_absent("reader", None, SETTINGS, gone)
    assert keyed.KeyedPlan({}, told, planned).changes == ["delete it"]
