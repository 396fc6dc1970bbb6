# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workload needs to open its bucket, in IAM and in the cluster, in one step: so no secret leaves the process.

Which key the workload holds is read from its Secret; ``_access_key_rotation`` decides what becomes of the user's keys.
All that can refuse is asked before a key is made: the plan is made with a key that does not exist (``PENDING``), and
the API server is asked whether it would take the Secret. A run that ends between key and Secret is completed by the
next one, for which the new key is one that nobody wrote down.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from datetime import datetime

from . import _iam_user, _kube_objects, _store_secret_objects
from ._connection import AwsConnection
from ._iam_user_plan import outcome
from ._iam_user_plan import plan_absent as plan_user_absent
from ._iam_user_plan import plan_present as plan_user
from ._iam_user_settings import Settings
from ._key_pair import KeyPair
from ._kube_api import KubeApi, KubeError
from ._plan import Plan, gather
from ._plan import apply as apply_to_aws
from ._store_secret_objects import ObjectsPlan, Wanted, is_proved, pair_in, text_in
from ._store_secret_text import Source, Text, held_in

# Stands for a key that is yet to be made.
PENDING = KeyPair("AKIA" + "0" * 16, "0" * 40)


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
class StorePlan:
    """What is to be done, and what follows from it.

    :ivar settings: of the user, with the id of the key that the workload holds
    :ivar left_key: id of the key that the Secret had, and that is none of a user of this task
    :ivar new_key: whether the last change of the user makes a key, so that ``text`` has ``PENDING`` in its place
    """

    state: t.Mapping[str, t.Any]
    objects: ObjectsPlan
    user: Plan | None = None
    settings: Settings = Settings()
    new_key: bool = False
    text: Text | None = None
    left_key: str = ""

    @property
    def changes(self) -> list[str]:
        """What is done, one line per call, in its order."""
        parts = (self.objects.first, self.user.changes if self.user else (), self.objects.rest)
        return [change.summary for part in parts for change in part]

    @property
    def diff(self) -> list[dict[str, t.Any]]:
        """Ansible's diffs: of the user, and of the objects by names."""
        diffs = [self.user.diff] if self.user and self.user.changed else []
        return [*diffs, {"prepared": "".join(f"{line}\n" for line in self.objects.lines)}]


def read(kube: KubeApi, connection: t.Callable[[], AwsConnection], task: Task) -> dict[str, t.Any]:
    """Both services side by side: the objects, and ``user``, ``None`` when it does not exist.

    :param connection: opened only where there is a user
    :raises KubeError: an object cannot be read
    :raises AnsibleAWSError: the user cannot be read
    """
    reads: dict[str, t.Callable[[], t.Any]] = {"objects": lambda: _store_secret_objects.read(kube, task.wanted)}
    if task.user and task.source:
        settings = task.settings
        reads["user"] = functools.partial(
            _iam_user.read, connection(), task.user, sorted(settings.documents), settings.exclusive
        )
    elif task.user:
        reads["user"] = functools.partial(_iam_user.read_to_delete, connection(), task.user)
    found = gather(reads)
    return {**found["objects"], "user": found.get("user")}


def plan(state: t.Mapping[str, t.Any], task: Task, arn: str, now: datetime) -> StorePlan:
    """What makes it so.

    :param state: what ``read`` returned
    :param arn: that of the user, computed
    :raises AnsibleAWSError: what exists is somebody else's and contradicts what is wanted
    """
    source, pair = t.cast(Source, task.source), task.pair
    user, settings, new_key = None, task.settings, False
    if task.wanted.existing:
        pair = pair_in(state["existing"], task.wanted)
        source.check_pair("existing_secret", pair)
    held = held_in(text_in(state["secret"], task.wanted.key))
    if task.user:
        settings = dataclasses.replace(settings, known_access_key_id=held.access_key if held else "")
        user = plan_user(task.user, arn, state["user"], settings, now)
        new_key = outcome(user, (), settings, now)["new_key"]
        pair = PENDING if new_key else held
    text = source.write(pair)
    objects = _store_secret_objects.plan(state, task.wanted, text)
    left = "" if task.user or not held or held.access_key == text.facts["access_key_id"] else held.access_key
    return StorePlan(state, objects, user, settings, new_key, text, left)


def plan_absent(state: t.Mapping[str, t.Any], task: Task) -> StorePlan:
    """What of it is ours, and goes; the Secret before the user, whose keys are dead then."""
    objects = _store_secret_objects.plan_absent(state, task.wanted)
    user = None
    if task.user:
        user = plan_user_absent(task.user, state["user"], task.settings.ownership_tags)
        if user.kept:
            objects = dataclasses.replace(objects, kept=(*objects.kept, user.kept))
        lines = [f"- {change.summary}" for change in user.changes]
        objects = dataclasses.replace(objects, lines=(*objects.lines, *lines))
    return StorePlan(state, objects, user)


def apply(
    kube: KubeApi, connection: t.Callable[[], AwsConnection], task: Task, planned: StorePlan
) -> tuple[StorePlan, list[t.Any]]:
    """Do what a plan asks for, of whatever state.

    :returns: the plan as it came out, with the key that was made in its text; what AWS answered
    :raises KubeError: the API server refused something
    :raises AnsibleAWSError: AWS refused something
    """
    objects, answers = planned.objects, []
    _kube_objects.apply(kube, objects.first)
    if planned.new_key and objects.secret:
        # A key that cannot be written down is not made.
        _kube_objects.apply(kube, [objects.secret], dry_run=True)
    if planned.user and planned.user.changes:
        answers = apply_to_aws(connection(), planned.user.changes)
    if planned.new_key:
        made = answers[-1]["AccessKey"]
        pair = KeyPair(made["AccessKeyId"], made["SecretAccessKey"])
        text = t.cast(Source, task.source).write(pair)
        objects = _store_secret_objects.plan(planned.state, task.wanted, text)
        planned = dataclasses.replace(planned, objects=objects, text=text)
        try:
            _kube_objects.apply(kube, [objects.secret] if objects.secret else [])
        except KubeError as e:
            heals = (
                f"The next run looks for the access key {pair.access_key}, which was made for it; when it is not in "
                "the Secret, it is taken away and another one is made"
            )
            raise KubeError(e.detail, e.cause, f"{e.change}. {heals}", e.status) from e
        _kube_objects.apply(kube, objects.last)
    else:
        _kube_objects.apply(kube, objects.rest)
    return planned, answers


def told(planned: StorePlan, answers: t.Sequence[t.Any], now: datetime) -> dict[str, t.Any]:
    """What the result says beside the changes; no secret is in it.

    :param answers: what AWS answered; nothing in check mode, where the id of a new key is not known
    """
    facts = dict(t.cast(Text, planned.text).facts)
    rotation, arn = None, None
    if planned.user:
        said = outcome(planned.user, answers, planned.settings, now)
        rotation, arn = said["rotation"], t.cast(dict[str, t.Any], planned.user.after)["arn"]
        if planned.new_key:
            facts["access_key_id"] = said["access_key_id"] or ""
    return {
        "checksum": planned.objects.checksum,
        "access_key_id": facts["access_key_id"] or None,
        "left_access_key_id": planned.left_key or None,
        "new_key": planned.new_key,
        "rotation": rotation,
        "user_arn": arn,
        "object_store": facts,
        "proved": is_proved(planned.state["secret"], planned.objects.checksum),
    }
