# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of some names exist in a cluster. Each list is read in pages, and without the objects' bodies where names are
enough: a cluster may have thousands of pods.
"""

from __future__ import annotations

import typing as t

from ._identifiers import refuse
from ._kube_api import METADATA_ONLY, KubeApi
from ._plan import gather

Objects = list[dict[str, str]]  # namespace (empty for a namespace itself), name

_CORE, _APPS, _BATCH = ("api", "v1"), ("apis", "apps", "v1"), ("apis", "batch", "v1")
# Kind -> the lists in which it is found. A controller is whatever owns pods.
LISTS: t.Mapping[str, tuple[tuple[str, ...], ...]] = {
    "namespace": ((*_CORE, "namespaces"),),
    "deployment": ((*_APPS, "deployments"),),
    "daemonset": ((*_APPS, "daemonsets"),),
    "statefulset": ((*_APPS, "statefulsets"),),
    "controller": (
        (*_APPS, "deployments"),
        (*_APPS, "daemonsets"),
        (*_APPS, "statefulsets"),
        (*_BATCH, "jobs"),
        (*_BATCH, "cronjobs"),
    ),
    "service": ((*_CORE, "services"),),
    "pod": ((*_CORE, "pods"),),
    "container": ((*_CORE, "pods"),),
}
_PAGE = "500"


def merged(option: str, names: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, list[str]]:
    """One dictionary, kind -> names, of several.

    :raises AnsibleAWSError: a kind is not known, or its value is no list of names
    """
    found: dict[str, set[str]] = {}
    for each in names:
        for kind, wanted in each.items():
            if kind not in LISTS:
                refuse(option, kind, "is no kind of object that is looked for", f"Write any of {', '.join(LISTS)}")
            if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
                refuse(f"{option}.{kind}", wanted, "is no list of names", "Write a list, for example [shop]")
            found.setdefault(kind, set()).update(wanted)
    return {kind: sorted(found[kind]) for kind in sorted(found)}


def existing(kube: KubeApi, names: t.Mapping[str, t.Sequence[str]]) -> dict[str, Objects]:
    """What exists of these names: kind -> objects, sorted. Only lists that are needed are read, side by side.

    :raises KubeError: no answer, or refused
    """
    wanted = {kind: frozenset(each) for kind, each in names.items() if each}
    reads: dict[str, t.Callable[[], t.Any]] = {}
    for kind in wanted:
        for path in LISTS[kind]:
            whole = kind == "container"
            reads.setdefault("/".join(path) + whole * "+", lambda path=path, whole=whole: _list(kube, path, whole))
    lists = gather(reads)
    return {kind: _found(kind, wanted[kind], lists) for kind in sorted(wanted)}


def _found(kind: str, wanted: frozenset[str], lists: t.Mapping[str, list[t.Mapping[str, t.Any]]]) -> Objects:
    whole = kind == "container"
    objects = {
        (item["metadata"].get("namespace", ""), name)
        for path in LISTS[kind]
        for item in lists["/".join(path) + whole * "+"]
        for name in (_containers(item) if whole else [item["metadata"]["name"]])
        if name in wanted
    }
    return [{"namespace": namespace, "name": name} for namespace, name in sorted(objects)]


def _containers(pod: t.Mapping[str, t.Any]) -> list[str]:
    spec = pod.get("spec", {})
    return [each["name"] for part in ("containers", "initContainers") for each in spec.get(part) or []]


def _list(kube: KubeApi, path: tuple[str, ...], whole: bool) -> list[t.Mapping[str, t.Any]]:
    """All items of a list, of the whole cluster."""
    accept = "application/json" if whole else METADATA_ONLY
    query, found = {"limit": _PAGE}, []
    while True:
        answer = kube.get(*path, query=query, accept=accept)
        if answer is None:  # an API that this cluster does not serve
            return found
        found += answer.get("items") or []
        following = (answer.get("metadata") or {}).get("continue")
        if not following:
            return found
        query = {"limit": _PAGE, "continue": following}
