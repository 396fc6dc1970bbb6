# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects by which a workload in a cluster finds billing data: namespace, Secret and ServiceAccount.

Read, plan, apply, as for AWS (``_plan``): ``read`` makes all GETs side by side, ``plan`` and ``plan_absent`` are pure,
``_kube_objects.apply`` sends what the plan asks for, and nothing when nothing differs. A plan never shows what a Secret
holds.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import typing as t

from ._identifiers import refuse
from ._integration_merge import merge, without
from ._key_in_secret import ObjectsPlan
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

# On a Secret: which of its entries we made, and whether we made the key. A Secret that we made has the label too.
MARK = "kubestrap.aws/cloud-integration"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The objects of one workload.

    :ivar form: of the document
    :ivar document: all entries that we want
    """

    namespace: str
    secret: str
    key: str
    form: str = "athena"
    document: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    account: Account | None = None

    def path(self, *names: str) -> tuple[str, ...]:
        """Path of objects in the namespace."""
        return in_namespace(self.namespace, *names)


def read(kube: KubeApi, wanted: Wanted) -> dict[str, t.Any]:
    """The objects as they are, ``None`` for each that does not exist.

    :raises KubeError: an object cannot be read
    """
    reads = {
        "namespace": lambda: read_namespace(kube, wanted.namespace),
        "secret": lambda: kube.get(*wanted.path("secrets", wanted.secret)),
    }
    if wanted.account:
        name = wanted.account.name
        reads["account"] = lambda: kube.get(*wanted.path("serviceaccounts", name))
    return {"account": None, **gather(reads)}


def plan(state: t.Mapping[str, t.Any], wanted: Wanted) -> ObjectsPlan:
    """What is missing, or differs.

    :param state: what ``read`` returned
    :raises AnsibleAWSError: what exists is somebody else's and contradicts what is wanted
    """
    namespace = plan_namespace(state["namespace"], wanted.namespace)
    lines = [f"+ namespace {wanted.namespace}"] if namespace else []
    document, secret, seen = _plan_secret(state["secret"], wanted)
    lines += seen
    annotations: t.Mapping[str, str] = {}
    account = None
    if wanted.account:
        annotations = wanted.account.annotations
        account = plan_account(state["account"], wanted.namespace, wanted.account)
        lines += [f"~ ServiceAccount {wanted.namespace}/{wanted.account.name}"] if account else []
    return ObjectsPlan(
        first=(namespace,) if namespace else (),
        secret=secret,
        last=(account,) if account else (),
        lines=tuple(lines),
        checksum=checksum(document=document, annotations=dict(annotations)),
    )


def plan_absent(state: t.Mapping[str, t.Any], wanted: Wanted) -> ObjectsPlan:
    """What of it is ours, and goes. The namespace stays."""
    changes: list[KubeChange] = []
    lines: list[str] = []
    kept: list[str] = []
    secret, account = state["secret"], state["account"]
    if secret is not None:
        change, seen, why = _plan_secret_absent(secret, wanted)
        changes += [change] if change else []
        lines += seen
        kept += [why] if why else []
    if account is not None and wanted.account:
        change = plan_account_absent(account, wanted.namespace, wanted.account)
        changes += [change] if change else []
        lines += [f"- {change.summary}"] if change else []
    return ObjectsPlan(first=tuple(changes), lines=tuple(lines), kept=tuple(kept))


# --- the Secret


def made_in(secret: Object) -> tuple[str, ...]:
    """Names of the entries that we made, as our annotation says."""
    return tuple(_mark_of(secret)[0] or ())


def _mark_of(secret: Object) -> tuple[list[str] | None, bool]:
    """Names of the entries that we made (``None``: nothing tells), and whether we made the key."""
    text = (secret["metadata"].get("annotations") or {}).get(MARK)
    try:
        mark = json.loads(text or "")
        return [str(name) for name in mark["entries"]], bool(mark["key"])
    except (ValueError, TypeError, KeyError):
        return None, False


def _document_of(secret: Object, wanted: Wanted) -> t.Any:
    """What is in the key: ``None`` when there is no key or it is empty.

    :raises AnsibleAWSError: it is not JSON, and somebody else's
    """
    data = (secret.get("data") or {}).get(wanted.key)
    try:
        return json.loads(base64.b64decode(data)) if data else None
    except ValueError:
        if not is_ours(secret):
            refuse(
                "secret",
                wanted.secret,
                f"is a Secret in the namespace {wanted.namespace} that this collection did not make, and its key "
                f"{wanted.key} is not JSON",
                "Name another one (kubecost_cloud_integration_secret), or delete it when nothing else needs it",
            )
        return None


def _plan_secret(secret: Object | None, wanted: Wanted) -> tuple[t.Any, KubeChange | None, list[str]]:
    """The document as it will be, the request, and what differs."""
    summary = f"write the Secret {wanted.secret} in the namespace {wanted.namespace}"
    title = f"Secret {wanted.namespace}/{wanted.secret}, key {wanted.key}"
    ours = dict(wanted.document)
    if secret is None:
        merged = merge(None, ours, wanted.form)
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": wanted.secret,
                "namespace": wanted.namespace,
                "labels": {MANAGED_BY: FIELD_MANAGER},
                "annotations": {MARK: _mark(merged.made, True)},
            },
            "type": "Opaque",
            "data": {wanted.key: _encoded(merged.document)},
        }
        change = KubeChange(summary, "POST", wanted.path("secrets"), body)
        return merged.document, change, [f"+ {title}", *(f"  {line}" for line in merged.changes)]
    made, key_made = _mark_of(secret)
    own = is_ours(secret)
    existing = _document_of(secret, wanted)
    merged = merge(existing, ours, wanted.form, made or (), own, wanted.secret)
    patch: dict[str, t.Any] = {}
    if existing != merged.document:
        patch["data"] = {wanted.key: _encoded(merged.document)}
    mark = _mark(merged.made, own or key_made or wanted.key not in (secret.get("data") or {}))
    if (merged.made or made is not None) and mark != (secret["metadata"].get("annotations") or {}).get(MARK):
        patch["metadata"] = {"annotations": {MARK: mark}}
    if not patch:
        return merged.document, None, []
    change = KubeChange(summary, "PATCH", wanted.path("secrets", wanted.secret), guarded(secret, patch))
    return merged.document, change, [f"~ {title}", *(f"  {line}" for line in merged.changes)]


def _plan_secret_absent(secret: Object, wanted: Wanted) -> tuple[KubeChange | None, list[str], str]:
    """The request, what goes, and why the rest stays."""
    made, key_made = _mark_of(secret)
    own = is_ours(secret)
    name = f"the Secret {wanted.secret}"
    if made is None and not own:
        return None, [], f"{name} was not made by this collection"
    shared = has_other_marks(secret, MARK)
    if made is None and shared:
        return None, [], f"{name} has other keys"
    data = dict(secret.get("data") or {})
    try:
        existing = json.loads(base64.b64decode(data.get(wanted.key) or "bnVsbA=="))
    except ValueError:
        existing = None
    document, gone = without(existing, made)
    others = [key for key in data if key != wanted.key]
    path = wanted.path("secrets", wanted.secret)
    lines = [f"- entries of {name}", *(f"  {line}" for line in gone)]
    if own and document is None and not others:
        return KubeChange(f"delete {name}", "DELETE", path, this(secret)), lines, ""
    rest = document if document is not None or own or key_made else existing and {}
    if not gone:
        rest = existing
    patch: dict[str, t.Any] = {"metadata": {"annotations": {MARK: None}}}
    # The last concern of ours that leaves the Secret deletes it.
    if own and not shared:
        patch["metadata"]["labels"] = {MANAGED_BY: None}
    if shared and document is None:
        rest = None
    if rest != existing:
        patch["data"] = {wanted.key: None if rest is None else _encoded(rest)}
    what = "entries" if document is not None else "keys"
    change = KubeChange(f"take our entries out of {name}", "PATCH", path, guarded(secret, patch))
    return change, lines, f"{name} has {what} that are not ours"


def _encoded(document: t.Any) -> str:
    return base64.b64encode(json.dumps(document, sort_keys=True).encode()).decode()


def _mark(made: t.Sequence[str], key: bool) -> str:
    return json.dumps({"entries": sorted(made), "key": key}, sort_keys=True)
