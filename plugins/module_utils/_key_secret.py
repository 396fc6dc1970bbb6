# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An access key of an IAM user, id and secret in two keys of a Secret. The secret never leaves the process.

For consumers that read a plain pair. ``_key_in_secret`` says in which order key and Secret are made.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import typing as t
from datetime import datetime

from . import _key_in_secret
from ._connection import AwsConnection
from ._iam_user_settings import Settings
from ._identifiers import refuse
from ._key_in_secret import PENDING, KeyedPlan, ObjectsPlan, UserPlan
from ._key_pair import KeyPair
from ._kube_api import KubeApi
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
from ._plan import gather
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
class SecretPlan(KeyedPlan):
    """What is to be done; there is always a user.

    :ivar held: id of the key that the workload holds, empty for none
    """

    held: str = ""


def read(kube: KubeApi, connection: AwsConnection, wanted: Wanted, absent: bool = False) -> dict[str, t.Any]:
    """Namespace, Secret and user side by side, ``None`` for each that does not exist.

    :param absent: whether it is read to be taken away
    :raises KubeError: an object cannot be read
    :raises AnsibleAWSError: the user cannot be read
    """
    return gather(
        {
            "namespace": lambda: read_namespace(kube, wanted.namespace),
            "secret": lambda: kube.get(*in_namespace(wanted.namespace, "secrets", wanted.secret)),
            "user": lambda: _key_in_secret.read_user(connection, wanted.user, wanted.settings, absent),
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
    user = _key_in_secret.plan_user(wanted.user, arn, state["user"], wanted.settings, held, now)
    return SecretPlan(state, _objects(state, wanted, PENDING if user.new_key else None), user, held)


def _objects(state: t.Mapping[str, t.Any], wanted: Wanted, pair: KeyPair | None) -> ObjectsPlan:
    namespace = plan_namespace(state["namespace"], wanted.namespace)
    secret = _change(state["secret"], wanted, pair)
    first = (namespace,) if namespace else ()
    lines = tuple(f"+ {change.summary}" for change in (*first, *([secret] if secret else [])))
    return ObjectsPlan(first=first, secret=secret, lines=lines)


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
    lines = tuple(f"- {change.summary}" for change in changes)
    objects = ObjectsPlan(first=tuple(changes), lines=lines, kept=tuple(kept))
    user, objects = _key_in_secret.plan_user_absent(wanted.user, state["user"], wanted.settings, objects)
    return SecretPlan(state, objects, user)


def apply(kube: KubeApi, connection: AwsConnection, wanted: Wanted, planned: SecretPlan) -> list[t.Any]:
    """Do what a plan asks for.

    :returns: what AWS answered
    :raises KubeError: the API server refused something
    :raises AnsibleAWSError: AWS refused something
    """
    _pair, _objects_then, answers = _key_in_secret.apply(
        kube, lambda: connection, planned, lambda pair: _objects(planned.state, wanted, pair)
    )
    return answers


def told(planned: SecretPlan, answers: t.Sequence[t.Any], now: datetime) -> dict[str, t.Any]:
    """What the result says beside the changes; no secret is in it.

    :param answers: what AWS answered; nothing in check mode, where the id of a new key is not known
    """
    said = t.cast(UserPlan, planned.user).told(answers, now)
    key_id = said["access_key_id"] if planned.new_key else planned.held or None
    return {**said, "access_key_id": key_id, "new_key": planned.new_key}


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
