# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workload needs to find billing data, in IAM and in the cluster, in one step: so no secret leaves the process.

With an access key it is as with that of an object store (``_store_secret``): which key the workload holds is read from
the Secret, ``_access_key_rotation`` decides what becomes of the user's keys, and all that can refuse is asked before a
key is made, with a key that does not exist (``PENDING``) and by a dry run of the API server. A run that ends between
key and Secret is completed by the next one.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import typing as t
from datetime import datetime

from . import _iam_user, _integration_objects, _kube_objects
from ._connection import AwsConnection
from ._iam_user_plan import outcome
from ._iam_user_plan import plan_absent as plan_user_absent
from ._iam_user_plan import plan_present as plan_user
from ._iam_user_settings import Settings
from ._integration_entries import form_of, name_of, sections
from ._integration_keys import pair_of
from ._integration_objects import ObjectsPlan, Wanted
from ._key_pair import KeyPair
from ._kube_api import KubeApi, KubeError
from ._kube_objects import KubeChange, Object, is_ours
from ._plan import Plan, gather
from ._plan import apply as apply_to_aws
from ._store_secret import PENDING
from .cloud_integration import build


@dataclasses.dataclass(frozen=True)
class Task:
    """What a task asks for.

    :ivar wanted: the objects; its document is made here
    :ivar payers, others: of the document, as ``cloud_integration.build`` takes them; ``None`` when it goes
    :ivar user: name of an IAM user of ours whose key the workload uses, empty for none
    :ivar settings: of that user
    """

    wanted: Wanted
    payers: t.Any = None
    others: t.Any = dataclasses.field(default=None, repr=False)
    user: str = ""
    settings: Settings = Settings()

    def check(self) -> None:
        """Refuse bad input before any call.

        :raises AnsibleAWSError: names the option, the value and what to write
        """
        if self.user:
            self.settings.check(self.user)
        if self.payers is not None:
            self.objects(PENDING if self.user else None)

    def objects(self, pair: KeyPair | None) -> Wanted:
        """The objects with this key in their document."""
        document = build(self.payers, self.wanted.form, self.others, pair)
        return dataclasses.replace(self.wanted, document=document)


@dataclasses.dataclass(frozen=True)
class TaskPlan:
    """What is to be done.

    :ivar settings: of the user, with the id of the key that the workload holds
    :ivar new_key: whether the last change of the user makes a key, so that the document has ``PENDING`` in its place
    :ivar goes: whether it is all taken away
    """

    state: t.Mapping[str, t.Any]
    objects: ObjectsPlan
    user: Plan | None = None
    settings: Settings = Settings()
    new_key: bool = False
    goes: bool = False

    @property
    def parts(self) -> tuple[tuple[KubeChange, ...], tuple[KubeChange, ...]]:
        """What is done in the cluster before the user's turn, and after it. The Secret goes before the keys in it."""
        return (self.objects.changes, ()) if self.goes else _parted(self.objects.changes)

    @property
    def changes(self) -> list[str]:
        """What is done, one line per call, in its order."""
        first, rest = self.parts
        parts = (first, self.user.changes if self.user else (), rest)
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
    reads: dict[str, t.Callable[[], t.Any]] = {"objects": lambda: _integration_objects.read(kube, task.wanted)}
    if task.user and task.payers is not None:
        settings = task.settings
        reads["user"] = functools.partial(
            _iam_user.read,
            connection(),
            task.user,
            sorted(settings.documents),
            settings.exclusive,
            only_key_too=False,
        )
    elif task.user:
        reads["user"] = functools.partial(_iam_user.read_to_delete, connection(), task.user)
    found = gather(reads)
    return {**found["objects"], "user": found.get("user")}


def plan(state: t.Mapping[str, t.Any], task: Task, arn: str, now: datetime) -> TaskPlan:
    """What makes it so.

    :param state: what ``read`` returned
    :param arn: that of the user, computed
    :raises AnsibleAWSError: what exists is somebody else's and contradicts what is wanted
    """
    if not task.user:
        return TaskPlan(state, _integration_objects.plan(state, task.objects(None)))
    held = held_in(state["secret"], task)
    settings = dataclasses.replace(task.settings, known_access_key_id=held.access_key if held else "")
    user = plan_user(task.user, arn, state["user"], settings, now)
    new_key = outcome(user, (), settings, now)["new_key"]
    objects = _integration_objects.plan(state, task.objects(PENDING if new_key else held))
    return TaskPlan(state, objects, user, settings, new_key)


def plan_absent(state: t.Mapping[str, t.Any], task: Task) -> TaskPlan:
    """What of it is ours, and goes; the Secret before the user, whose keys are dead then."""
    objects = _integration_objects.plan_absent(state, task.wanted)
    if not task.user:
        return TaskPlan(state, objects, goes=True)
    user = plan_user_absent(task.user, state["user"], task.settings.ownership_tags)
    kept = (*objects.kept, *([user.kept] if user.kept else []))
    lines = [f"- {change.summary}" for change in user.changes]
    return TaskPlan(state, dataclasses.replace(objects, kept=kept, lines=(*objects.lines, *lines)), user, goes=True)


def apply(
    kube: KubeApi, connection: t.Callable[[], AwsConnection], task: Task, planned: TaskPlan
) -> tuple[TaskPlan, list[t.Any]]:
    """Do what a plan asks for, of whatever state.

    :returns: the plan as it came out, with the key that was made in the Secret; what AWS answered
    :raises KubeError: the API server refused something
    :raises AnsibleAWSError: AWS refused something
    """
    first, rest = planned.parts
    _kube_objects.apply(kube, first)
    if planned.new_key:
        # A key that cannot be written down is not made.
        _kube_objects.apply(kube, [change for change in rest if _is_secret(change)], dry_run=True)
    answers = apply_to_aws(connection(), planned.user.changes) if planned.user and planned.user.changes else []
    if not planned.new_key:
        _kube_objects.apply(kube, rest)
        return planned, answers
    made = answers[-1]["AccessKey"]
    pair = KeyPair(made["AccessKeyId"], made["SecretAccessKey"])
    objects = _integration_objects.plan(planned.state, task.objects(pair))
    try:
        _kube_objects.apply(kube, _parted(objects.changes)[1])
    except KubeError as e:
        heals = (
            f"The next run looks for the access key {pair.access_key}, which was made for it; when it is not in the "
            "Secret, it is taken away and another one is made"
        )
        raise KubeError(e.detail, e.cause, f"{e.change}. {heals}", e.status) from e
    return dataclasses.replace(planned, objects=objects), answers


def told(planned: TaskPlan, answers: t.Sequence[t.Any], now: datetime) -> dict[str, t.Any]:
    """What the result says of the user; no secret is in it. Nothing where there is none.

    :param answers: what AWS answered; nothing in check mode, where the id of a new key is not known
    """
    if not planned.user:
        return {}
    said = outcome(planned.user, answers, planned.settings, now)
    return {
        "access_key_id": said["access_key_id"] or None,
        "new_key": planned.new_key,
        "rotation": said["rotation"],
        "user_arn": t.cast(dict[str, t.Any], planned.user.after)["arn"],
    }


def held_in(secret: Object | None, task: Task) -> KeyPair | None:
    """The key pair of our entries in the Secret; ``None`` when none of them has one.

    An entry is ours by its name and by what the Secret remembers of us. One of somebody else is not looked into: it is
    refused later, when it contradicts ours.
    """
    if secret is None:
        return None
    made = _integration_objects.made_in(secret)
    document = _loaded((secret.get("data") or {}).get(task.wanted.key))
    try:
        form = form_of(document)
    except ValueError:
        return None
    if form is None:
        return None
    for section, entries in sections(document, form).items():
        for entry in entries:
            if section[0] == "aws" and (is_ours(secret) or name_of(section, entry, form) in made):
                pair = pair_of(entry)
                if pair:
                    return pair
    return None


def _loaded(data: str | None) -> t.Any:
    try:
        return json.loads(base64.b64decode(data)) if data else {}
    except ValueError:
        return {}


def _parted(changes: t.Sequence[KubeChange]) -> tuple[tuple[KubeChange, ...], tuple[KubeChange, ...]]:
    """What makes room for the Secret, and the rest."""
    first = tuple(change for change in changes if change.path[-1] == "namespaces")
    return first, tuple(change for change in changes if change not in first)


def _is_secret(change: KubeChange) -> bool:
    return "secrets" in change.path
