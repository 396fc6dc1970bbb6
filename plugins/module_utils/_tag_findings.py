# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tags of the scheme say of resources, and what of it cannot be: names that do not exist, and misspelt keys.

Pure: resources and names come from the modules ``tagged_resources_info`` and ``kubernetes_names_info``.
"""

from __future__ import annotations

import difflib
import typing as t

from .tag_scheme import column, is_scheme, near_miss

Finding = dict[str, t.Any]  # kind, arn, key, value, text, change
# Key of the scheme -> kind of object that it names. The value of a label names none.
KINDS = {
    f"kubernetes_{kind}": kind
    for kind in ("namespace", "deployment", "daemonset", "statefulset", "controller", "service", "pod", "container")
}
CLUSTER_KEY, NAMESPACE_KEY = "kubernetes_cluster", "kubernetes_namespace"
UNKNOWN_CLUSTER, MISSING, MISSPELT = "unknown_cluster", "missing", "misspelt"


def scheme_of(tags: t.Mapping[str, str]) -> dict[str, str]:
    """The tags by which Kubecost assigns a resource, by key."""
    return {key: tags[key] for key in sorted(tags) if is_scheme(key)}


def near_misses_of(tags: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """Keys that were meant to be of the scheme: ``key``, ``value``, ``meant``, and ``same_column``.

    With the same column Kubecost finds the tag, once that spelling is activated too.
    """
    found = []
    for key in sorted(tags):
        meant = near_miss(key)
        if meant:
            same = column(key) == column(meant)
            found.append({"key": key, "value": tags[key], "meant": meant, "same_column": same})
    return found


def read_as(resource: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The tags of a resource as Kubecost reads them: a near miss with the same column counts as what was meant."""
    near = {each["meant"]: each["value"] for each in resource["near_misses"] if each["same_column"]}
    return {**near, **resource["scheme"]}


def names_in(resources: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, list[str]]:
    """What has to be looked for in clusters: kind -> names, of the kinds that any resource names."""
    found: dict[str, set[str]] = {}
    for resource in resources:
        for key, value in read_as(resource).items():
            if key in KINDS and value:
                found.setdefault(KINDS[key], set()).add(value)
    return {kind: sorted(found[kind]) for kind in sorted(found)}


def judge(resource: t.Mapping[str, t.Any], clusters: t.Mapping[str, t.Any], others: t.Collection[str]) -> list[Finding]:
    """What does not fit in the tags of one resource.

    :param resource: ``arn``, ``scheme`` and ``near_misses``
    :param clusters: the name by which Kubecost knows a cluster -> its names, kind -> list of ``namespace`` and
        ``name``; ``None`` for a cluster that could not be looked at
    :param others: names of clusters that exist and cannot be looked at
    """
    tags = read_as(resource)
    return [
        *_misspelt(resource),
        *_unknown_cluster(resource, tags, [*clusters, *others]),
        *_missing(resource, tags, clusters, others),
    ]


def _finding(resource: t.Mapping[str, t.Any], kind: str, key: str, value: str, text: str, change: str) -> Finding:
    return {"kind": kind, "arn": resource["arn"], "key": key, "value": value, "text": text, "change": change}


def _misspelt(resource: t.Mapping[str, t.Any]) -> list[Finding]:
    return [
        _finding(
            resource,
            MISSPELT,
            each["key"],
            each["value"],
            f"Kubecost does not read {each['key']}: its column is not that of {each['meant']}",
            f"Write {each['meant']}",
        )
        for each in resource["near_misses"]
        if not each["same_column"]
    ]


def _unknown_cluster(
    resource: t.Mapping[str, t.Any], tags: t.Mapping[str, str], known: t.Sequence[str]
) -> list[Finding]:
    value = tags.get(CLUSTER_KEY)
    # Without a cluster in the inventory nothing can be compared.
    if value is None or value in known or not known:
        return []
    change = "Write the name by which Kubecost knows the cluster, or name it in kubestrap_tag_other_clusters"
    return [
        _finding(
            resource,
            UNKNOWN_CLUSTER,
            CLUSTER_KEY,
            value,
            f"no cluster of the inventory is called {value!r}{_alike(value, known)}",
            change,
        )
    ]


def _missing(
    resource: t.Mapping[str, t.Any],
    tags: t.Mapping[str, str],
    clusters: t.Mapping[str, t.Any],
    others: t.Collection[str],
) -> list[Finding]:
    cluster = tags.get(CLUSTER_KEY)
    # A tag without a cluster may mean one that cannot be looked at.
    if cluster in others or (cluster is None and others):
        return []
    places = clusters if cluster is None else {name: clusters[name] for name in clusters if name == cluster}
    if not places or None in places.values():
        return []
    where = f"the cluster {cluster}" if cluster else "any cluster of the inventory"
    namespace, found = tags.get(NAMESPACE_KEY), []
    for key, value in tags.items():
        if key not in KINDS:
            continue
        objects = [each for names in places.values() for each in names.get(KINDS[key], [])]
        within = objects
        if namespace and key != NAMESPACE_KEY:
            within = [each for each in objects if each["namespace"] == namespace]
        if any(each["name"] == value for each in within):
            continue
        elsewhere = sorted({each["namespace"] for each in objects if each["name"] == value})
        hint = f"; it is in {', '.join(elsewhere)}" if elsewhere else ""
        place = f"namespace {namespace} of {where}" if within is not objects else where
        text = f"there is no {KINDS[key]} {value!r} in {place}{hint}"
        change = f"Correct {key}, or take the tag away where the object is gone for good"
        found.append(_finding(resource, MISSING, key, value, text, change))
    return found


def _alike(value: str, known: t.Iterable[str]) -> str:
    near = difflib.get_close_matches(value, known, n=1)
    return f" (is {near[0]} meant?)" if near else ""
