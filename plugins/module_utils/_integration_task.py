# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workload needs to find billing data, in IAM and in the cluster, in one step: so no secret leaves the process.

Where the workload has an access key, ``_key_in_secret`` says in which order key and Secret are made.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import typing as t
from datetime import datetime

from . import _integration_objects, _key_in_secret
from ._connection import AwsConnection
from ._iam_user_settings import Settings
from ._integration_entries import form_of, name_of, sections
from ._integration_keys import pair_of
from ._integration_objects import Wanted
from ._key_in_secret import PENDING, KeyedPlan
from ._key_pair import KeyPair
from ._kube_api import KubeApi
from ._kube_objects import Object, is_ours
from ._plan import gather
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


def read(kube: KubeApi, connection: t.Callable[[], AwsConnection], task: Task) -> dict[str, t.Any]:
    """Both services side by side: the objects, and ``user``, ``None`` when it does not exist.

    :param connection: opened only where there is a user
    :raises KubeError: an object cannot be read
    :raises AnsibleAWSError: the user cannot be read
    """
    reads: dict[str, t.Callable[[], t.Any]] = {"objects": lambda: _integration_objects.read(kube, task.wanted)}
    if task.user:
        reads["user"] = functools.partial(
            _key_in_secret.read_user, connection(), task.user, task.settings, leaves=task.payers is None
        )
    found = gather(reads)
    return {**found["objects"], "user": found.get("user")}


def plan(state: t.Mapping[str, t.Any], task: Task, arn: str, now: datetime) -> KeyedPlan:
    """What makes it so.

    :param state: what ``read`` returned
    :param arn: that of the user, computed
    :raises AnsibleAWSError: what exists is somebody else's and contradicts what is wanted
    """
    if not task.user:
        return KeyedPlan(state, _integration_objects.plan(state, task.objects(None)))
    held = held_in(state["secret"], task)
    held_id = held.access_key if held else ""
    user = _key_in_secret.plan_user(task.user, arn, state["user"], task.settings, held_id, now)
    objects = _integration_objects.plan(state, task.objects(PENDING if user.new_key else held))
    return KeyedPlan(state, objects, user)


def plan_absent(state: t.Mapping[str, t.Any], task: Task) -> KeyedPlan:
    """What of it is ours, and goes."""
    user, objects = None, _integration_objects.plan_absent(state, task.wanted)
    if task.user:
        user, objects = _key_in_secret.plan_user_absent(task.user, state["user"], task.settings, objects)
    return KeyedPlan(state, objects, user)


def apply(
    kube: KubeApi, connection: t.Callable[[], AwsConnection], task: Task, planned: KeyedPlan
) -> tuple[KeyedPlan, list[t.Any]]:
    """Do what a plan asks for, of whatever state.

    :returns: the plan as it came out, with the key that was made in the Secret; what AWS answered
    :raises KubeError: the API server refused something
    :raises AnsibleAWSError: AWS refused something
    """

    def with_pair(pair: KeyPair) -> _key_in_secret.ObjectsPlan:
        return _integration_objects.plan(planned.state, task.objects(pair))

    _pair, objects, answers = _key_in_secret.apply(kube, connection, planned, with_pair)
    return dataclasses.replace(planned, objects=objects), answers


def told(planned: KeyedPlan, answers: t.Sequence[t.Any], now: datetime) -> dict[str, t.Any]:
    """What the result says of the user; no secret is in it. Nothing where there is none.

    :param answers: what AWS answered; nothing in check mode, where the id of a new key is not known
    """
    return {**planned.user.told(answers, now), "new_key": planned.new_key} if planned.user else {}


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
