# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects by which a workload in a cluster finds billing data: namespace, Secret and ServiceAccount.

Read, plan, apply, as for AWS (``_plan``): ``read`` makes all GETs side by side, ``plan`` and ``plan_absent`` are pure,
``apply`` sends what the plan asks for, and nothing when nothing differs. A plan never shows what a Secret holds.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import typing as t

from ._identifiers import refuse
from ._integration_merge import merge, without
from ._kube_api import KubeApi, KubeError
from ._plan import gather

Object = t.Mapping[str, t.Any]

FIELD_MANAGER = "kubestrap.aws"
MANAGED_BY = "app.kubernetes.io/managed-by"
# On a Secret: which of its entries we made, and whether we made the key. A Secret that we made has the label too.
MARK = "kubestrap.aws/cloud-integration"
_HELM_RELEASE = "meta.helm.sh/release-name"
_HELM_NAMESPACE = "meta.helm.sh/release-namespace"
_MAKERS = "Write kubestrap (made when it is missing) or existing in kubecost_service_account_created_by"


@dataclasses.dataclass(frozen=True)
class Account:
    """The ServiceAccount.

    :ivar created_by: ``chart``, ``kubestrap`` or ``existing``
    :ivar annotations: which it has to have, unless the chart writes them
    :ivar release: the Helm release that makes it, where Helm installs the chart
    """

    name: str
    created_by: str
    annotations: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    release: str | None = None


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
        return ("api", "v1", "namespaces", self.namespace, *names)


@dataclasses.dataclass(frozen=True)
class KubeChange:
    """One request that a plan asks for.

    :ivar summary: what it does, in plain words that follow "Failed to "
    :ivar method: ``POST``, ``PATCH`` (a merge patch) or ``DELETE``
    """

    summary: str
    method: str
    path: tuple[str, ...]
    body: t.Mapping[str, t.Any] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class ObjectsPlan:
    """What is to be done.

    :ivar lines: what differs, for people: objects, annotations and names of entries
    :ivar checksum: of the document and of the annotations as they will be: what running pods have to be started anew
        for; empty when nothing is wanted
    :ivar kept: why something that was to go stays
    """

    changes: tuple[KubeChange, ...] = ()
    lines: tuple[str, ...] = ()
    checksum: str = ""
    kept: tuple[str, ...] = ()


def read(kube: KubeApi, wanted: Wanted) -> dict[str, t.Any]:
    """The objects as they are, ``None`` for each that does not exist.

    :raises KubeError: an object cannot be read
    """
    reads = {
        "namespace": lambda: _namespace(kube, wanted.namespace),
        "secret": lambda: kube.get(*wanted.path("secrets", wanted.secret)),
    }
    if wanted.account:
        name = wanted.account.name
        reads["account"] = lambda: kube.get(*wanted.path("serviceaccounts", name))
    return {"account": None, **gather(reads)}


def _namespace(kube: KubeApi, name: str) -> Object | None:
    try:
        return kube.get("api", "v1", "namespaces", name)
    except KubeError as e:
        if e.status != 403:
            raise
        return {"metadata": {"name": name}}  # who may not see namespaces works in one that exists


def plan(state: t.Mapping[str, t.Any], wanted: Wanted) -> ObjectsPlan:
    """What is missing, or differs.

    :param state: what ``read`` returned
    :raises AnsibleAWSError: what exists is somebody else's and contradicts what is wanted
    """
    changes: list[KubeChange] = []
    lines: list[str] = []
    if state["namespace"] is None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted.namespace}}
        changes.append(KubeChange(f"make the namespace {wanted.namespace}", "POST", ("api", "v1", "namespaces"), body))
        lines.append(f"+ namespace {wanted.namespace}")
    document, change, seen = _plan_secret(state["secret"], wanted)
    changes += [change] if change else []
    lines += seen
    annotations: t.Mapping[str, str] = {}
    if wanted.account:
        annotations = wanted.account.annotations
        change = _plan_account(state["account"], wanted, wanted.account)
        changes += [change] if change else []
        lines += [f"~ ServiceAccount {wanted.namespace}/{wanted.account.name}"] if change else []
    return ObjectsPlan(tuple(changes), tuple(lines), _checksum(document, annotations))


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
        change = _plan_account_absent(account, wanted, wanted.account)
        changes += [change] if change else []
        lines += [f"- {change.summary}"] if change else []
    return ObjectsPlan(tuple(changes), tuple(lines), "", tuple(kept))


def apply(kube: KubeApi, changes: t.Iterable[KubeChange]) -> None:
    """Send the requests of a plan in their order.

    :raises KubeError: one is refused; those before it stay made
    """
    for change in changes:
        try:
            answer = kube.send(change.method, *change.path, body=change.body, field_manager=FIELD_MANAGER)
        except KubeError as e:
            if e.status == 409:
                cause, write = "somebody else changed it at the same time", "Run this again"
                raise KubeError(f"Failed to {change.summary}", cause, write, 409) from e
            raise KubeError(f"Failed to {change.summary}. {e.detail}", e.cause, e.change, e.status) from e
        if answer is None and change.method != "DELETE":
            cause, write = "its namespace or the object itself has just been deleted", "Run this again"
            raise KubeError(f"Failed to {change.summary}", cause, write, 404)


# --- the Secret


def _mark_of(secret: Object) -> tuple[list[str] | None, bool]:
    """Names of the entries that we made (``None``: nothing tells), and whether we made the key."""
    text = (secret["metadata"].get("annotations") or {}).get(MARK)
    try:
        mark = json.loads(text or "")
        return [str(name) for name in mark["entries"]], bool(mark["key"])
    except (ValueError, TypeError, KeyError):
        return None, False


def _is_ours(thing: Object) -> bool:
    return (thing["metadata"].get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER


def _document_of(secret: Object, wanted: Wanted) -> t.Any:
    """What is in the key: ``None`` when there is no key or it is empty.

    :raises AnsibleAWSError: it is not JSON, and somebody else's
    """
    data = (secret.get("data") or {}).get(wanted.key)
    try:
        return json.loads(base64.b64decode(data)) if data else None
    except ValueError:
        if not _is_ours(secret):
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
    own = _is_ours(secret)
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
    change = KubeChange(summary, "PATCH", wanted.path("secrets", wanted.secret), _guarded(secret, patch))
    return merged.document, change, [f"~ {title}", *(f"  {line}" for line in merged.changes)]


def _plan_secret_absent(secret: Object, wanted: Wanted) -> tuple[KubeChange | None, list[str], str]:
    """The request, what goes, and why the rest stays."""
    made, key_made = _mark_of(secret)
    own = _is_ours(secret)
    name = f"the Secret {wanted.secret}"
    if made is None and not own:
        return None, [], f"{name} was not made by this collection"
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
        return KubeChange(f"delete {name}", "DELETE", path, _this(secret)), lines, ""
    rest = document if document is not None or own or key_made else existing and {}
    if not gone:
        rest = existing
    patch: dict[str, t.Any] = {"metadata": {"annotations": {MARK: None}}}
    if own:
        patch["metadata"]["labels"] = {MANAGED_BY: None}
    if rest != existing:
        patch["data"] = {wanted.key: None if rest is None else _encoded(rest)}
    what = "entries" if document is not None else "keys"
    change = KubeChange(f"take our entries out of {name}", "PATCH", path, _guarded(secret, patch))
    return change, lines, f"{name} has {what} that are not ours"


def _guarded(thing: Object, patch: dict[str, t.Any]) -> dict[str, t.Any]:
    """A patch that is refused when the object is no longer as it was read."""
    version = thing["metadata"].get("resourceVersion")
    return {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": version}}


def _this(thing: Object) -> dict[str, t.Any]:
    """Options of a deletion that is refused when another object has taken the name."""
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": thing["metadata"].get("uid")}}


def _encoded(document: t.Any) -> str:
    return base64.b64encode(json.dumps(document, sort_keys=True).encode()).decode()


def _mark(made: t.Sequence[str], key: bool) -> str:
    return json.dumps({"entries": sorted(made), "key": key}, sort_keys=True)


def _checksum(document: t.Any, annotations: t.Mapping[str, str]) -> str:
    text = json.dumps({"document": document, "annotations": dict(annotations)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


# --- the ServiceAccount


def _plan_account(found: Object | None, wanted: Wanted, account: Account) -> KubeChange | None:
    name = f"the ServiceAccount {account.name}"
    if account.created_by == "chart":
        _check_chart_account(found, wanted, account)
        return None
    if found is None:
        if account.created_by == "existing":
            write = "Create it, or write kubestrap in kubecost_service_account_created_by to have it made"
            refuse("service_account", account.name, f"does not exist in the namespace {wanted.namespace}", write)
        metadata = {
            "name": account.name,
            "namespace": wanted.namespace,
            "labels": {MANAGED_BY: FIELD_MANAGER},
            "annotations": dict(account.annotations),
        }
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        return KubeChange(f"make {name}", "POST", wanted.path("serviceaccounts"), body)
    annotations = found["metadata"].get("annotations") or {}
    release = annotations.get(_HELM_RELEASE)
    if release:
        refuse(
            "service_account",
            account.name,
            f"belongs to the Helm release {release}, which would take it away with serviceAccount.create: false",
            "Write chart in kubecost_service_account_created_by, or name another ServiceAccount",
        )
    missing = {key: value for key, value in account.annotations.items() if annotations.get(key) != value}
    for key in missing:
        if key in annotations and not _is_ours(found) and not _written_by_us(found, key):
            refuse(
                "service_account",
                account.name,
                f"has the annotation {key}: {annotations[key]}, which this collection did not write",
                "A ServiceAccount has one role: name that role (kubecost_role_name), take the annotation away when "
                "nothing needs it, or name another ServiceAccount",
            )
    if not missing:
        return None
    path = wanted.path("serviceaccounts", account.name)
    return KubeChange(f"annotate {name}", "PATCH", path, _guarded(found, {"metadata": {"annotations": missing}}))


def _check_chart_account(found: Object | None, wanted: Wanted, account: Account) -> None:
    """Helm takes over no object that it did not make."""
    if found is None or not account.release:
        return
    annotations = found["metadata"].get("annotations") or {}
    owner = (annotations.get(_HELM_RELEASE), annotations.get(_HELM_NAMESPACE))
    if owner != (account.release, wanted.namespace):
        whose = f"belongs to the Helm release {owner[0]}" if owner[0] else "was not made by Helm"
        refuse(
            "service_account",
            account.name,
            f"exists in the namespace {wanted.namespace} and {whose}, so that the chart cannot make it",
            f"{_MAKERS}, or name another ServiceAccount (kubecost_service_account_name)",
        )


def _plan_account_absent(found: Object, wanted: Wanted, account: Account) -> KubeChange | None:
    path = wanted.path("serviceaccounts", account.name)
    if _is_ours(found):
        return KubeChange(f"delete the ServiceAccount {account.name}", "DELETE", path, _this(found))
    annotations = found["metadata"].get("annotations") or {}
    ours = {
        key: None
        for key, value in account.annotations.items()
        if annotations.get(key) == value and _written_by_us(found, key)
    }
    if not ours:
        return None
    summary = f"take our annotation from the ServiceAccount {account.name}"
    return KubeChange(summary, "PATCH", path, _guarded(found, {"metadata": {"annotations": ours}}))


def _written_by_us(thing: Object, annotation: str) -> bool:
    """Whether we wrote it, as the API server remembers it."""
    return any(
        entry.get("manager") == FIELD_MANAGER
        and f"f:{annotation}" in ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations", {})
        for entry in thing["metadata"].get("managedFields") or []
    )
