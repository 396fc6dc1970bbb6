# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules that write into a cluster share: a namespace, ServiceAccounts, and requests that disturb nobody.

Ours is what has our label, or in an object of somebody else, what the API server remembers that we wrote. A request
holds only against the object that was read. The plans are pure; ``apply`` sends them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from ._identifiers import refuse
from ._kube_api import KubeApi, KubeError
from ._kubernetes_names import check_kubernetes_name

Object = t.Mapping[str, t.Any]

FIELD_MANAGER = "kubestrap.aws"
MANAGED_BY = "app.kubernetes.io/managed-by"
_HELM_RELEASE = "meta.helm.sh/release-name"
_HELM_NAMESPACE = "meta.helm.sh/release-namespace"

# Suboptions of a module's option that asks for a ServiceAccount.
ACCOUNT_ARGUMENTS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "created_by": {"type": "str", "choices": ["chart", "kubestrap", "existing"], "default": "chart"},
    "annotations": {"type": "dict", "default": {}},
    "release": {"type": "str"},
}


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What the inputs about a ServiceAccount are called in messages.

    :ivar account: the one that has its name, as the module calls it
    :ivar name: where the user writes that name
    :ivar role: where the user names the role that its annotation has
    """

    account: str = "service_account"
    name: str = "kubecost_service_account_name"
    created_by: str = "kubecost_service_account_created_by"
    role: str = "kubecost_role_name"


@dataclasses.dataclass(frozen=True)
class Account:
    """A ServiceAccount.

    :ivar created_by: ``chart``, ``kubestrap`` or ``existing``
    :ivar annotations: which it has to have, unless the chart writes them
    :ivar release: the Helm release that makes it, where Helm installs the chart
    """

    name: str
    created_by: str
    annotations: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    release: str | None = None
    inputs: Inputs = Inputs()


@dataclasses.dataclass(frozen=True)
class KubeChange:
    """One request that a plan asks for.

    :ivar summary: what it does, in plain words that follow "Failed to "
    :ivar method: ``POST``, ``PATCH`` (a merge patch), ``APPLY`` or ``DELETE``
    """

    summary: str
    method: str
    path: tuple[str, ...]
    body: t.Mapping[str, t.Any] = dataclasses.field(repr=False)


def account_of(option: str, params: t.Mapping[str, t.Any], inputs: Inputs | None = None) -> Account:
    """The ServiceAccount that a task asks for by ``ACCOUNT_ARGUMENTS``.

    :param option: the one that has the suboptions
    :raises AnsibleAWSError: Kubernetes would refuse its name
    """
    check_kubernetes_name(f"{option}.name", params["name"], "serviceaccount")
    # YAML makes numbers and truth values of some texts; annotations are texts.
    annotations = {key: str(value) for key, value in params["annotations"].items()}
    return Account(**{**params, "annotations": annotations}, inputs=inputs or Inputs())


def apply(kube: KubeApi, changes: t.Iterable[KubeChange], dry_run: bool = False) -> None:
    """Send the requests of a plan in their order.

    :param dry_run: the API server says whether it would take them, and does nothing
    :raises KubeError: one is refused; those before it stay made
    """
    options = {"dry_run": True} if dry_run else {}
    for change in changes:
        try:
            answer = kube.send(change.method, *change.path, body=change.body, field_manager=FIELD_MANAGER, **options)
        except KubeError as e:
            if e.status == 409:
                cause, write = "somebody else changed it at the same time", "Run this again"
                raise KubeError(f"Failed to {change.summary}", cause, write, 409) from e
            raise KubeError(f"Failed to {change.summary}. {e.detail}", e.cause, e.change, e.status) from e
        if answer is None and change.method != "DELETE":
            cause, write = "its namespace or the object itself has just been deleted", "Run this again"
            raise KubeError(f"Failed to {change.summary}", cause, write, 404)


def in_namespace(namespace: str, *names: str) -> tuple[str, ...]:
    """Path of objects in a namespace."""
    return ("api", "v1", "namespaces", namespace, *names)


def is_ours(thing: Object) -> bool:
    """Whether we made the object."""
    return (thing["metadata"].get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER


def has_other_marks(thing: Object, mark: str = "") -> bool:
    """Whether another concern of ours has left its annotation at an object too.

    :param mark: the own annotation
    """
    marks = thing["metadata"].get("annotations") or {}
    return any(each.startswith("kubestrap.aws/") and each != mark for each in marks)


def guarded(thing: Object, patch: dict[str, t.Any]) -> dict[str, t.Any]:
    """A patch that is refused when the object is no longer as it was read."""
    version = thing["metadata"].get("resourceVersion")
    return {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": version}}


def this(thing: Object) -> dict[str, t.Any]:
    """Options of a deletion that is refused when another object has taken the name."""
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": thing["metadata"].get("uid")}}


def checksum(**parts: t.Any) -> str:
    """SHA-256 of what running pods have to be started anew for."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


# --- the namespace


def read_namespace(kube: KubeApi, name: str) -> Object | None:
    """The namespace, ``None`` when it does not exist.

    :raises KubeError: it cannot be read
    """
    try:
        return kube.get("api", "v1", "namespaces", name)
    except KubeError as e:
        if e.status != 403:
            raise
        return {"metadata": {"name": name}}  # who may not see namespaces works in one that exists


def plan_namespace(found: Object | None, name: str) -> KubeChange | None:
    """What makes the namespace, when it is missing."""
    if found is not None:
        return None
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return KubeChange(f"make the namespace {name}", "POST", ("api", "v1", "namespaces"), body)


# --- the ServiceAccount


def plan_account(found: Object | None, namespace: str, account: Account) -> KubeChange | None:
    """What makes the ServiceAccount, or annotates it.

    :raises AnsibleAWSError: it is missing and not ours to make, or is somebody else's and contradicts what is wanted
    """
    name, inputs = f"the ServiceAccount {account.name}", account.inputs
    if account.created_by == "chart":
        _check_chart_account(found, namespace, account)
        return None
    if found is None:
        if account.created_by == "existing":
            write = f"Create it, or write kubestrap in {inputs.created_by} to have it made"
            refuse(inputs.account, account.name, f"does not exist in the namespace {namespace}", write)
        metadata = {
            "name": account.name,
            "namespace": namespace,
            "labels": {MANAGED_BY: FIELD_MANAGER},
            "annotations": dict(account.annotations),
        }
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        return KubeChange(f"make {name}", "POST", in_namespace(namespace, "serviceaccounts"), body)
    annotations = found["metadata"].get("annotations") or {}
    release = annotations.get(_HELM_RELEASE)
    if release:
        refuse(
            inputs.account,
            account.name,
            f"belongs to the Helm release {release}, which would take it away with serviceAccount.create: false",
            f"Write chart in {inputs.created_by}, or name another ServiceAccount",
        )
    missing = {key: value for key, value in account.annotations.items() if annotations.get(key) != value}
    for key in missing:
        if key in annotations and not is_ours(found) and not _written_by_us(found, key):
            refuse(
                inputs.account,
                account.name,
                f"has the annotation {key}: {annotations[key]}, which this collection did not write",
                f"A ServiceAccount has one role: name that role ({inputs.role}), take the annotation away when "
                "nothing needs it, or name another ServiceAccount",
            )
    if not missing:
        return None
    # Of an account without labels and annotations the API server remembers nobody, unless something is applied to it.
    # What we applied before and do not apply again, it would take away.
    ours = {key: value for key, value in annotations.items() if _written_by_us(found, key)}
    metadata = {"name": account.name, "namespace": namespace, "annotations": {**ours, **account.annotations}}
    body = guarded(found, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    return KubeChange(f"annotate {name}", "APPLY", in_namespace(namespace, "serviceaccounts", account.name), body)


def plan_account_absent(found: Object, namespace: str, account: Account) -> KubeChange | None:
    """What takes the ServiceAccount away, or our annotations from it."""
    path = in_namespace(namespace, "serviceaccounts", account.name)
    if is_ours(found):
        return KubeChange(f"delete the ServiceAccount {account.name}", "DELETE", path, this(found))
    annotations = found["metadata"].get("annotations") or {}
    ours = {
        key: None
        for key, value in account.annotations.items()
        if annotations.get(key) == value and _written_by_us(found, key)
    }
    if not ours:
        return None
    summary = f"take our annotation from the ServiceAccount {account.name}"
    return KubeChange(summary, "PATCH", path, guarded(found, {"metadata": {"annotations": ours}}))


def _check_chart_account(found: Object | None, namespace: str, account: Account) -> None:
    """Helm takes over no object that it did not make."""
    if found is None or not account.release:
        return
    annotations = found["metadata"].get("annotations") or {}
    owner = (annotations.get(_HELM_RELEASE), annotations.get(_HELM_NAMESPACE))
    if owner != (account.release, namespace):
        whose = f"belongs to the Helm release {owner[0]}" if owner[0] else "was not made by Helm"
        makers = f"Write kubestrap (made when it is missing) or existing in {account.inputs.created_by}"
        refuse(
            account.inputs.account,
            account.name,
            f"exists in the namespace {namespace} and {whose}, so that the chart cannot make it",
            f"{makers}, or name another ServiceAccount ({account.inputs.name})",
        )


def _written_by_us(thing: Object, annotation: str) -> bool:
    """Whether we wrote it, as the API server remembers it."""
    return any(
        entry.get("manager") == FIELD_MANAGER
        and f"f:{annotation}" in ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations", {})
        for entry in thing["metadata"].get("managedFields") or []
    )
