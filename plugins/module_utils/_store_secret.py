# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workload needs to open its bucket, in IAM and in the cluster, in one step: so no secret leaves the process.

Where it has an access key, ``_key_in_secret`` says in which order key and Secret are made.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from datetime import datetime

from . import _key_in_secret, _store_secret_objects
from ._connection import AwsConnection
from ._iam_user_settings import Settings
from ._key_in_secret import PENDING, KeyedPlan
from ._key_pair import KeyPair
from ._kube_api import KubeApi
from ._plan import gather
from ._store_secret_objects import Wanted, is_proved, pair_in, text_in
from ._store_secret_text import Source, Text, held_in


@dataclasses.dataclass(frozen=True)
class Task:
    """What a task asks for.

    :ivar source: of the text; ``None`` when it goes
    :ivar pair: a key pair that the user gave
    :ivar user: name of an IAM user of ours whose key it is, empty for none
    :ivar settings: of that user
    """

    wanted: Wanted
    source: Source | None = None
    pair: KeyPair | None = None
    user: str = ""
    settings: Settings = Settings()

    def check(self) -> None:
        """Refuse bad input before any call.

        :raises AnsibleAWSError: names the option, the value and what to write
        """
        if self.user:
            self.settings.check(self.user)
        if self.source:
            if self.pair:
                self.source.check_pair("key_pair", self.pair)
            self.source.write(PENDING if self.user or self.wanted.existing else self.pair)


@dataclasses.dataclass(frozen=True)
class StorePlan(KeyedPlan):
    """What is to be done, and what follows from it.

    :ivar text: that of the Secret, with ``PENDING`` in it where a key is yet to be made
    :ivar left_key: id of the key that the Secret had, and that is none of a user of this task
    """

    text: Text | None = None
    left_key: str = ""


def read(kube: KubeApi, connection: t.Callable[[], AwsConnection], task: Task) -> dict[str, t.Any]:
    """Both services side by side: the objects, and ``user``, ``None`` when it does not exist.

    :param connection: opened only where there is a user
    :raises KubeError: an object cannot be read
    :raises AnsibleAWSError: the user cannot be read
    """
    reads: dict[str, t.Callable[[], t.Any]] = {"objects": lambda: _store_secret_objects.read(kube, task.wanted)}
    if task.user:
        reads["user"] = functools.partial(
            _key_in_secret.read_user, connection(), task.user, task.settings, leaves=task.source is None
        )
    found = gather(reads)
    return {**found["objects"], "user": found.get("user")}


def plan(state: t.Mapping[str, t.Any], task: Task, arn: str, now: datetime) -> StorePlan:
    """What makes it so.

    :param state: what ``read`` returned
    :param arn: that of the user, computed
    :raises AnsibleAWSError: what exists is somebody else's and contradicts what is wanted
    """
    source, pair, user = t.cast(Source, task.source), task.pair, None
    if task.wanted.existing:
        pair = pair_in(state["existing"], task.wanted)
        source.check_pair("existing_secret", pair)
    held = held_in(text_in(state["secret"], task.wanted.key))
    held_id = held.access_key if held else ""
    if task.user:
        user = _key_in_secret.plan_user(task.user, arn, state["user"], task.settings, held_id, now)
        pair = PENDING if user.new_key else held
    text = source.write(pair)
    objects = _store_secret_objects.plan(state, task.wanted, text)
    left = "" if task.user or held_id == text.facts["access_key_id"] else held_id
    return StorePlan(state, objects, user, text, left)


def plan_absent(state: t.Mapping[str, t.Any], task: Task) -> StorePlan:
    """What of it is ours, and goes."""
    user, objects = None, _store_secret_objects.plan_absent(state, task.wanted)
    if task.user:
        user, objects = _key_in_secret.plan_user_absent(task.user, state["user"], task.settings, objects)
    return StorePlan(state, objects, user)


def apply(
    kube: KubeApi, connection: t.Callable[[], AwsConnection], task: Task, planned: StorePlan
) -> tuple[StorePlan, list[t.Any]]:
    """Do what a plan asks for, of whatever state.

    :returns: the plan as it came out, with the key that was made in its text; what AWS answered
    :raises KubeError: the API server refused something
    :raises AnsibleAWSError: AWS refused something
    """

    def with_pair(pair: KeyPair) -> _key_in_secret.ObjectsPlan:
        return _store_secret_objects.plan(planned.state, task.wanted, t.cast(Source, task.source).write(pair))

    pair, objects, answers = _key_in_secret.apply(kube, connection, planned, with_pair)
    text = t.cast(Source, task.source).write(pair) if pair else planned.text
    return dataclasses.replace(planned, objects=objects, text=text), answers


def told(planned: StorePlan, answers: t.Sequence[t.Any], now: datetime) -> dict[str, t.Any]:
    """What the result says beside the changes; no secret is in it.

    :param answers: what AWS answered; nothing in check mode, where the id of a new key is not known
    """
    facts = dict(t.cast(Text, planned.text).facts)
    user = planned.user.told(answers, now) if planned.user else {"rotation": None, "user_arn": None}
    if planned.new_key:
        facts["access_key_id"] = user["access_key_id"] or ""
    return {
        "checksum": planned.objects.checksum,
        "left_access_key_id": planned.left_key or None,
        "new_key": planned.new_key,
        "object_store": facts,
        "proved": is_proved(planned.state["secret"], planned.objects.checksum),
        **user,
        "access_key_id": facts["access_key_id"] or None,
    }
