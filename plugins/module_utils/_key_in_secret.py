# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An IAM user with an access key, and the Secret that holds it, in one step: so no secret leaves the process.

Which key the workload holds is read from the Secret; ``_access_key_rotation`` decides what becomes of the user's keys.
All that can refuse is asked before a key is made: the plan is made with a key that does not exist (``PENDING``), and
the API server is asked whether it would take the Secret. A run that ends between key and Secret is completed by the
next one, for which the new key is one that nobody wrote down.
"""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import datetime

from . import _iam_user, _kube_objects
from ._connection import AwsConnection
from ._iam_user_plan import outcome
from ._iam_user_plan import plan_absent as _plan_absent
from ._iam_user_plan import plan_present as _plan_present
from ._iam_user_settings import Settings
from ._key_pair import KeyPair
from ._kube_api import KubeApi, KubeError
from ._kube_objects import KubeChange
from ._plan import Plan
from ._plan import apply as apply_to_aws

# Stands for a key that is yet to be made.
PENDING = KeyPair("AKIA" + "0" * 16, "0" * 40)


@dataclasses.dataclass(frozen=True)
class ObjectsPlan:
    """What is to be done in the cluster.

    :ivar first: what comes before the user of the access key: what makes room for the Secret, or takes it away, so that
        its keys are dead only then
    :ivar secret: the request for the Secret, ``None`` when it is as it shall be
    :ivar last: what comes after it
    :ivar lines: what differs, for people; names only
    :ivar checksum: of what the Secret says and of the annotations as they will be: what running pods have to be started
        anew for; empty when nothing is wanted
    :ivar kept: why something that was to go stays
    """

    first: tuple[KubeChange, ...] = ()
    secret: KubeChange | None = None
    last: tuple[KubeChange, ...] = ()
    lines: tuple[str, ...] = ()
    checksum: str = ""
    kept: tuple[str, ...] = ()

    @property
    def rest(self) -> tuple[KubeChange, ...]:
        """All but the first ones, in their order."""
        return (*((self.secret,) if self.secret else ()), *self.last)


@dataclasses.dataclass(frozen=True)
class UserPlan:
    """What becomes of the user.

    :ivar settings: its settings, with the id of the key that the workload holds
    :ivar new_key: whether the last change makes a key, so that the objects have ``PENDING`` in its place
    """

    plan: Plan
    settings: Settings = Settings()
    new_key: bool = False

    def told(self, answers: t.Sequence[t.Any], now: datetime) -> dict[str, t.Any]:
        """What a result says of the user: ``access_key_id`` (``None``: none that is known), ``rotation``, ``user_arn``.

        :param answers: what AWS answered; nothing in check mode, where the id of a new key is not known
        """
        said = outcome(self.plan, answers, self.settings, now)
        arn = t.cast(dict[str, t.Any], self.plan.after)["arn"]
        return {"access_key_id": said["access_key_id"] or None, "rotation": said["rotation"], "user_arn": arn}


@dataclasses.dataclass(frozen=True)
class KeyedPlan:
    """What is to be done in cluster and IAM.

    :ivar state: what was read: the objects, and ``user``
    :ivar user: ``None`` where there is no user of ours
    """

    state: t.Mapping[str, t.Any]
    objects: ObjectsPlan
    user: UserPlan | None = None

    @property
    def new_key(self) -> bool:
        """Whether a key is made."""
        return self.user is not None and self.user.new_key

    @property
    def changes(self) -> list[str]:
        """What is done, one line per call, in its order."""
        parts = (self.objects.first, self.user.plan.changes if self.user else (), self.objects.rest)
        return [change.summary for part in parts for change in part]

    @property
    def diff(self) -> list[dict[str, t.Any]]:
        """Ansible's diffs: of the user, and of the objects by names."""
        diffs = [self.user.plan.diff] if self.user and self.user.plan.changed else []
        return [*diffs, {"prepared": "".join(f"{line}\n" for line in self.objects.lines)}]


def read_user(connection: AwsConnection, name: str, settings: Settings, leaves: bool = False) -> _iam_user.User | None:
    """The user, ``None`` when it does not exist. When an only key was last used is not asked.

    :param leaves: whether it is read to be taken away
    :raises AnsibleAWSError: it cannot be read
    """
    if leaves:
        return _iam_user.read_to_delete(connection, name)
    return _iam_user.read(connection, name, sorted(settings.documents), settings.exclusive, only_key_too=False)


def plan_user(
    name: str, arn: str, found: _iam_user.User | None, settings: Settings, held: str, now: datetime
) -> UserPlan:
    """What makes the user so.

    :param arn: that of the user, computed
    :param held: id of the key that the workload holds, empty for none
    :raises AnsibleAWSError: it is somebody else's and contradicts what is wanted
    """
    settings = dataclasses.replace(settings, known_access_key_id=held)
    planned = _plan_present(name, arn, found, settings, now)
    return UserPlan(planned, settings, outcome(planned, (), settings, now)["new_key"])


def plan_user_absent(
    name: str, found: _iam_user.User | None, settings: Settings, objects: ObjectsPlan
) -> tuple[UserPlan, ObjectsPlan]:
    """The user goes after the objects, which then tell of it too."""
    planned = _plan_absent(name, found, settings.ownership_tags)
    kept = (*objects.kept, *([planned.kept] if planned.kept else []))
    lines = (*objects.lines, *(f"- {change.summary}" for change in planned.changes))
    return UserPlan(planned), dataclasses.replace(objects, kept=kept, lines=lines)


def apply(
    kube: KubeApi,
    connection: t.Callable[[], AwsConnection],
    planned: KeyedPlan,
    with_pair: t.Callable[[KeyPair], ObjectsPlan],
) -> tuple[KeyPair | None, ObjectsPlan, list[t.Any]]:
    """Do what a plan asks for.

    :param connection: opened only where something changes in IAM
    :param with_pair: the plan of the objects with a key that was made
    :returns: that key, ``None`` for none; the objects as they were planned at last; what AWS answered
    :raises KubeError: the API server refused something
    :raises AnsibleAWSError: AWS refused something
    """
    objects, user = planned.objects, planned.user
    _kube_objects.apply(kube, objects.first)
    if planned.new_key and objects.secret:
        # A key that cannot be written down is not made.
        _kube_objects.apply(kube, [objects.secret], dry_run=True)
    answers = apply_to_aws(connection(), user.plan.changes) if user and user.plan.changes else []
    if not planned.new_key:
        _kube_objects.apply(kube, objects.rest)
        return None, objects, answers
    made = answers[-1]["AccessKey"]
    pair = KeyPair(made["AccessKeyId"], made["SecretAccessKey"])
    objects = with_pair(pair)
    try:
        _kube_objects.apply(kube, [objects.secret] if objects.secret else [])
    except KubeError as e:
        heals = (
            f"The next run looks for the access key {pair.access_key}, which was made for it; when it is not in the "
            "Secret, it is taken away and another one is made"
        )
        raise KubeError(e.detail, e.cause, f"{e.change}. {heals}", e.status) from e
    _kube_objects.apply(kube, objects.last)
    return pair, objects, answers
