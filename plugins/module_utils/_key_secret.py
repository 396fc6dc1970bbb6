# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An access key of an IAM user, id and secret in two keys of a Secret. The secret never leaves the process.

As ``_store_secret``, for consumers that read a plain pair: which key the workload holds is read from the Secret, all
that can refuse is asked before a key is made, and a run that ends in between is completed by the next one.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import typing as t
from datetime import datetime

from . import _iam_user, _kube_objects
from ._connection import AwsConnection
from ._iam_user_plan import outcome
from ._iam_user_plan import plan_absent as plan_user_absent
from ._iam_user_plan import plan_present as plan_user
from ._iam_user_settings import Settings
from ._identifiers import refuse
from ._key_pair import KeyPair
from ._kube_api import KubeApi, KubeError
from ._kube_objects import (
    FIELD_MANAGER,
    MANAGED_BY,
    KubeChange,
    Object,
    guarded,
    in_namespace,
    is_ours,
    plan_namespace,
    read_namespace,
    this,
)
from ._plan import Plan, gather
from ._plan import apply as apply_to_aws
from ._store_secret import PENDING
from ._store_secret_objects import text_in

# On a Secret: a JSON list of its keys that we write.
MARK = "kubestrap.aws/access-key"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The Secret, and the user whose key is in it.

    :ivar option: what the Secret is called in messages
    """

    namespace: str
    secret: str
    id_key: str
    secret_key: str
    user: str
    settings: Settings = Settings()
    option: str = "secret"

    @property
    def keys(self) -> list[str]:
        """The keys that we write."""
        return [self.id_key, self.secret_key]


@dataclasses.dataclass(frozen=True)
class SecretPlan:
    """What is to be done: namespace, then the user, whose last change may make a key, then the Secret.

    :ivar held: id of the key that the workload holds, empty for none
    """

    state: t.Mapping[str, t.Any]
    user: Plan
    settings: Settings = Settings()
    first: tuple[KubeChange, ...] = ()
    secret: KubeChange | None = None
    new_key: bool = False
    held: str = ""
    kept: tuple[str, ...] = ()

    @property
    def changes(self) -> list[str]:
        """What is done, one line per call, in its order."""
        parts = (self.first, self.user.changes, (self.secret,) if self.secret else ())
        return [change.summary for part in parts for change in part]


def read(kube: KubeApi, connection: AwsConnection, wanted: Wanted, absent: bool = False) -> dict[str, t.Any]:
    """Namespace, Secret and user side by side, ``None`` for each that does not exist.

    :param absent: whether it is read to be taken away
    :raises KubeError: an object cannot be read
    :raises AnsibleAWSError: the user cannot be read
    """
    settings = wanted.settings

    def user() -> t.Any:
        if absent:
            return _iam_user.read_to_delete(connection, wanted.user)
        return _iam_user.read(connection, wanted.user, sorted(settings.documents), settings.exclusive)

    return gather(
        {
            "namespace": lambda: read_namespace(kube, wanted.namespace),
            "secret": lambda: kube.get(*in_namespace(wanted.namespace, "secrets", wanted.secret)),
            "user": user,
        }
    )


def plan(state: t.Mapping[str, t.Any], wanted: Wanted, arn: str, now: datetime) -> SecretPlan:
    """What makes it so.

    :param arn: that of the user, computed
    :raises AnsibleAWSError: the Secret or the user is somebody else's
    """
    secret = state["secret"]
    _check_ours(secret, wanted)
    texts = [text_in(secret, key) for key in wanted.keys]
    held = str(texts[0]) if all(texts) else ""
    settings = dataclasses.replace(wanted.settings, known_access_key_id=held)
    user = plan_user(wanted.user, arn, state["user"], settings, now)
    new_key = outcome(user, (), settings, now)["new_key"]
    namespace = plan_namespace(state["namespace"], wanted.namespace)
    return SecretPlan(
        state=state,
        user=user,
        settings=settings,
        first=(namespace,) if namespace else (),
        secret=_change(secret, wanted, PENDING if new_key else None),
        new_key=new_key,
        held=held,
    )


def plan_absent(state: t.Mapping[str, t.Any], wanted: Wanted) -> SecretPlan:
    """What of it is ours, and goes; the Secret before the user, whose keys are dead then. The namespace stays."""
    secret, changes, kept = state["secret"], [], []
    name = f"the Secret {wanted.secret}"
    if secret is not None and not _marked(secret) & set(wanted.keys):
        kept.append(f"{name} was not made by this collection")
    elif secret is not None:
        path = in_namespace(wanted.namespace, "secrets", wanted.secret)
        if is_ours(secret) and set(secret.get("data") or {}) <= set(wanted.keys):
            changes.append(KubeChange(f"delete {name}", "DELETE", path, this(secret)))
        else:
            patch = {
                "metadata": {"annotations": {MARK: None}},
                "data": {key: None for key in wanted.keys if key in (secret.get("data") or {})},
            }
            changes.append(KubeChange(f"take the access key out of {name}", "PATCH", path, guarded(secret, patch)))
            kept.append(f"{name} has other keys")
    user = plan_user_absent(wanted.user, state["user"], wanted.settings.ownership_tags)
    kept += [user.kept] if user.kept else []
    return SecretPlan(state=state, user=user, first=tuple(changes), kept=tuple(kept))


def apply(kube: KubeApi, connection: AwsConnection, wanted: Wanted, planned: SecretPlan) -> list[t.Any]:
    """Do what a plan asks for.

    :returns: what AWS answered
    :raises KubeError: the API server refused something
    :raises AnsibleAWSError: AWS refused something
    """
    _kube_objects.apply(kube, planned.first)
    if planned.new_key and planned.secret:
        # A key that cannot be written down is not made.
        _kube_objects.apply(kube, [planned.secret], dry_run=True)
    answers = apply_to_aws(connection, planned.user.changes) if planned.user.changes else []
    if not planned.new_key:
        _kube_objects.apply(kube, [planned.secret] if planned.secret else [])
        return answers
    made = answers[-1]["AccessKey"]
    change = _change(planned.state["secret"], wanted, KeyPair(made["AccessKeyId"], made["SecretAccessKey"]))
    try:
        _kube_objects.apply(kube, [change] if change else [])
    except KubeError as e:
        heals = (
            f"The next run looks for the access key {made['AccessKeyId']}, which was made for it; when it is not in "
            "the Secret, it is taken away and another one is made"
        )
        raise KubeError(e.detail, e.cause, f"{e.change}. {heals}", e.status) from e
    return answers


def told(planned: SecretPlan, answers: t.Sequence[t.Any], now: datetime) -> dict[str, t.Any]:
    """What the result says beside the changes; no secret is in it.

    :param answers: what AWS answered; nothing in check mode, where the id of a new key is not known
    """
    said = outcome(planned.user, answers, planned.settings, now)
    return {
        "access_key_id": (said["access_key_id"] if planned.new_key else planned.held) or None,
        "new_key": planned.new_key,
        "rotation": said["rotation"],
        "user_arn": t.cast(dict[str, t.Any], planned.user.after)["arn"],
    }


def _check_ours(secret: Object | None, wanted: Wanted) -> None:
    there = [key for key in wanted.keys if ((secret or {}).get("data") or {}).get(key)]
    if secret is None or not there or _marked(secret) & set(wanted.keys):
        return
    refuse(
        wanted.option,
        wanted.secret,
        f"is a Secret in the namespace {wanted.namespace} whose key {there[0]} this collection did not write",
        "Name another Secret or other keys, or say that this key pair is to be used as it is",
    )


def _change(secret: Object | None, wanted: Wanted, pair: KeyPair | None) -> KubeChange | None:
    """The request that writes a pair, or only says that the keys are ours."""
    summary = f"write the Secret {wanted.secret} in the namespace {wanted.namespace}"
    data = {}
    if pair is not None:
        texts = (pair.access_key, pair.secret_key)
        encoded = (base64.b64encode(text.encode()).decode() for text in texts)
        data = dict(zip(wanted.keys, encoded, strict=True))
    mark = json.dumps(sorted({*(_marked(secret) if secret else ()), *wanted.keys}))
    if secret is None:
        metadata = {
            "name": wanted.secret,
            "namespace": wanted.namespace,
            "labels": {MANAGED_BY: FIELD_MANAGER},
            "annotations": {MARK: mark},
        }
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
        return KubeChange(summary, "POST", in_namespace(wanted.namespace, "secrets"), body)
    patch: dict[str, t.Any] = {"data": data} if data else {}
    if (secret["metadata"].get("annotations") or {}).get(MARK) != mark:
        patch["metadata"] = {"annotations": {MARK: mark}}
    if not patch:
        return None
    path = in_namespace(wanted.namespace, "secrets", wanted.secret)
    return KubeChange(summary, "PATCH", path, guarded(secret, patch))


def _marked(secret: Object) -> set[str]:
    """The keys that we write, as our annotation says."""
    try:
        return {str(key) for key in json.loads((secret["metadata"].get("annotations") or {}).get(MARK) or "[]")}
    except (ValueError, TypeError):
        return set()
