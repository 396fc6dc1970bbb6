# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects by which a workload opens its bucket: namespace, Secret with the object-store YAML, ServiceAccounts.

A key of a Secret is ours when our annotation lists it. A Secret that we made has our label too, and goes when nothing
is left in it. What is in other keys is not looked at.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import typing as t

from ._identifiers import refuse
from ._key_in_secret import ObjectsPlan
from ._key_pair import KeyPair
from ._kube_api import KubeApi
from ._kube_objects import (
    FIELD_MANAGER,
    MANAGED_BY,
    Account,
    KubeChange,
    Object,
    checksum,
    guarded,
    has_other_marks,
    in_namespace,
    is_ours,
    plan_account,
    plan_account_absent,
    plan_namespace,
    read_namespace,
    this,
)
from ._plan import gather
from ._store_secret_text import Text, differences, says_the_same

# On a Secret: a JSON list of its keys that we write.
MARK = "kubestrap.aws/object-store"
# The checksum with which the bucket was last used as the workload will use it. Whoever proves that writes it.
PROVED = "proof.kubestrap.aws/object-store"


@dataclasses.dataclass(frozen=True)
class Existing:
    """A Secret of the user's that has a key pair, and the keys in it."""

    name: str
    access_key_id_key: str
    secret_access_key_key: str
    session_token_key: str | None = None


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The objects of one workload.

    :ivar adopt: whether a key of somebody else's Secret is taken over when it says something else
    :ivar existing: a Secret to read a key pair from
    :ivar inputs: option -> what it is called in messages
    """

    namespace: str
    secret: str
    key: str
    accounts: tuple[Account, ...] = ()
    adopt: bool = False
    existing: Existing | None = None
    inputs: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def called(self, option: str) -> str:
        """What an option is called in messages."""
        return self.inputs.get(option, option)


def read(kube: KubeApi, wanted: Wanted) -> dict[str, t.Any]:
    """The objects as they are, ``None`` for each that does not exist: ``namespace``, ``secret``, ``existing``,
    ``accounts`` (by name).

    :raises KubeError: an object cannot be read
    """

    def get(kind: str, name: str) -> t.Callable[[], t.Any]:
        return functools.partial(kube.get, *in_namespace(wanted.namespace, kind, name))

    reads: dict[str, t.Callable[[], t.Any]] = {
        "namespace": lambda: read_namespace(kube, wanted.namespace),
        "secret": get("secrets", wanted.secret),
    }
    if wanted.existing:
        reads["existing"] = get("secrets", wanted.existing.name)
    for account in wanted.accounts:
        reads[f"account {account.name}"] = get("serviceaccounts", account.name)
    found = {"existing": None, **gather(reads)}
    found["accounts"] = {account.name: found.pop(f"account {account.name}") for account in wanted.accounts}
    return found


def text_in(secret: Object | None, key: str) -> str | None:
    """What is in a key, ``None`` when there is nothing, or no text."""
    data = ((secret or {}).get("data") or {}).get(key)
    try:
        return base64.b64decode(data).decode() if data else None
    except ValueError:
        return None


def pair_in(secret: Object | None, wanted: Wanted) -> KeyPair:
    """The key pair in the user's Secret.

    :raises AnsibleAWSError: there is none; names what is missing
    """
    existing = t.cast(Existing, wanted.existing)
    option = wanted.called("existing_secret")
    if secret is None:
        write = "Create it, or write the name of another one"
        refuse(f"{option}.name", existing.name, f"does not exist in the namespace {wanted.namespace}", write)
    pair: dict[str, str | None] = {}
    for name, field in (
        ("access_key", "access_key_id_key"),
        ("secret_key", "secret_access_key_key"),
        ("session_token", "session_token_key"),
    ):
        key = getattr(existing, field)
        pair[name] = (text_in(secret, key) or "").strip() if key else None
        if key and not pair[name]:
            there = ", ".join(sorted(secret.get("data") or {})) or "none"
            problem = f"is not a key of the Secret {wanted.namespace}/{existing.name}, or has no text in it"
            refuse(f"{option}.{field}", key, problem, f"Its keys are: {there}")
    return KeyPair(**t.cast(t.Any, pair))


def plan(state: t.Mapping[str, t.Any], wanted: Wanted, text: Text) -> ObjectsPlan:
    """What is missing, or differs.

    :param state: what ``read`` returned
    :raises AnsibleAWSError: what exists is somebody else's and contradicts what is wanted
    """
    namespace = plan_namespace(state["namespace"], wanted.namespace)
    lines = [f"+ namespace {wanted.namespace}"] if namespace else []
    secret, seen, there = _plan_secret(state["secret"], wanted, text)
    lines += seen
    last = []
    for account in wanted.accounts:
        change = plan_account(state["accounts"][account.name], wanted.namespace, account)
        last += [change] if change else []
        lines += [f"~ ServiceAccount {wanted.namespace}/{account.name}"] if change else []
    return ObjectsPlan(
        first=(namespace,) if namespace else (),
        secret=secret,
        last=tuple(last),
        lines=tuple(lines),
        checksum=checksum(
            document=there, annotations={account.name: dict(account.annotations) for account in wanted.accounts}
        ),
    )


def plan_absent(state: t.Mapping[str, t.Any], wanted: Wanted) -> ObjectsPlan:
    """What of it is ours, and goes. The namespace stays."""
    secret, kept = (None, "") if state["secret"] is None else _plan_secret_absent(state["secret"], wanted)
    changes = [secret] if secret else []
    for account in wanted.accounts:
        found = state["accounts"][account.name]
        change = plan_account_absent(found, wanted.namespace, account) if found else None
        changes += [change] if change else []
    lines = [f"- {change.summary}" for change in changes]
    return ObjectsPlan(first=tuple(changes), lines=tuple(lines), kept=(kept,) if kept else ())


def _plan_secret(secret: Object | None, wanted: Wanted, text: Text) -> tuple[KubeChange | None, list[str], str]:
    """The request, what differs, and the text as it will be."""
    summary = f"write the Secret {wanted.secret} in the namespace {wanted.namespace}"
    title = f"Secret {wanted.namespace}/{wanted.secret}, key {wanted.key}"
    if secret is None:
        metadata = {
            "name": wanted.secret,
            "namespace": wanted.namespace,
            "labels": {MANAGED_BY: FIELD_MANAGER},
            "annotations": {MARK: json.dumps([wanted.key])},
        }
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
        body["data"] = {wanted.key: _encoded(text.text)}
        change = KubeChange(summary, "POST", in_namespace(wanted.namespace, "secrets"), body)
        return change, [f"+ {title}", *(f"  {line}" for line in differences(None, text))], text.text
    there = text_in(secret, wanted.key)
    if (secret.get("data") or {}).get(wanted.key) and not _is_key_ours(secret, wanted.key) and not wanted.adopt:
        if there is not None and says_the_same(there, text):
            return None, [], there
        _refuse_foreign(wanted)
    patch: dict[str, t.Any] = {}
    if there != text.text:
        patch["data"] = {wanted.key: _encoded(text.text)}
    mark = json.dumps(sorted({*_marked(secret), wanted.key}))
    if mark != _annotations(secret).get(MARK):
        patch["metadata"] = {"annotations": {MARK: mark}}
    if not patch:
        return None, [], text.text
    path = in_namespace(wanted.namespace, "secrets", wanted.secret)
    lines = differences(there, text) if "data" in patch else ["~ it is ours from now on"]
    change = KubeChange(summary, "PATCH", path, guarded(secret, patch))
    return change, [f"~ {title}", *(f"  {line}" for line in lines)], text.text


def _refuse_foreign(wanted: Wanted) -> t.NoReturn:
    refuse(
        wanted.called("secret"),
        wanted.secret,
        f"is a Secret in the namespace {wanted.namespace} whose key {wanted.key} this collection did not write, and "
        "which says something else",
        f"Name another Secret or key, or write {wanted.called('adopt')}: true to have that key overwritten. Its pods "
        "then use another identity or bucket",
    )


def _plan_secret_absent(secret: Object, wanted: Wanted) -> tuple[KubeChange | None, str]:
    """The request, and why the rest stays."""
    data, name = secret.get("data") or {}, f"the Secret {wanted.secret}"
    if not _is_key_ours(secret, wanted.key):
        return None, f"the key {wanted.key} of {name} was not made by this collection" if wanted.key in data else ""
    path = in_namespace(wanted.namespace, "secrets", wanted.secret)
    others = [key for key in data if key != wanted.key]
    if is_ours(secret) and not others:
        return KubeChange(f"delete {name}", "DELETE", path, this(secret)), ""
    marked = sorted(_marked(secret) - {wanted.key})
    patch: dict[str, t.Any] = {
        "metadata": {"annotations": {MARK: json.dumps(marked) if marked else None, PROVED: None}}
    }
    if wanted.key in data:
        patch["data"] = {wanted.key: None}
    if is_ours(secret) and not marked and not has_other_marks(secret, MARK):
        patch["metadata"]["labels"] = {MANAGED_BY: None}
    change = KubeChange(f"take the key {wanted.key} out of {name}", "PATCH", path, guarded(secret, patch))
    return change, f"{name} has other keys" if others else f"{name} was not made by this collection"


def _is_key_ours(secret: Object, key: str) -> bool:
    """A Secret of ours without any annotation of ours lost it, so that all of it is taken for ours."""
    if key in _marked(secret):
        return True
    return is_ours(secret) and not has_other_marks(secret)


def is_proved(secret: Object | None, checksum: str) -> bool:
    """Whether that is the checksum with which the bucket was last proved."""
    return secret is not None and _annotations(secret).get(PROVED) == checksum


def _annotations(secret: Object) -> t.Mapping[str, str]:
    return secret["metadata"].get("annotations") or {}


def _marked(secret: Object) -> set[str]:
    """The keys that we write, as our annotation says."""
    try:
        keys = json.loads(_annotations(secret).get(MARK) or "[]")
        return {str(key) for key in keys}
    except (ValueError, TypeError):
        return set()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
