# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Helm has installed, and whether the chart that is wanted can follow it.

Helm keeps each revision of a release in a Secret ``sh.helm.release.v1.NAME.vREVISION``: its state in labels, the rest
in a JSON document that is gzipped and encoded in base64 (storage/driver of Helm 3 and 4).
"""

from __future__ import annotations

import base64
import datetime
import gzip
import json
import os
import re
import typing as t

from ._eks_cluster import Cluster
from ._helm_chart import chart_of, digest_of
from ._kube_api import METADATA_ONLY, KubeApi, KubeError
from ._preflight import cluster_api
from ._preflight_pods import look_at_pods
from ._preflight_values import check_values
from .kubecost_chart import (
    ADOPTED,
    CHECKSUM_ANNOTATION,
    GENERATIONS,
    OBJECT_STORE_CHECKSUM_ANNOTATION,
    RELEASE_ANNOTATION,
    fullname,
    generation_of_chart,
    service_account_name,
    value_at,
)

_LATEST = str(max(map(int, GENERATIONS)))

if t.TYPE_CHECKING:
    from ._connection import AwsConnection

# States in which a release does what its values say, or did until it was replaced.
_IN_FORCE = ("deployed", "superseded")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def look_at_release(
    connection: AwsConnection, cluster: Cluster, wanted: t.Mapping[str, t.Any]
) -> tuple[dict[str, t.Any], list[str]]:
    """The release and the chart that will be installed, and what speaks against it.

    :param cluster: which has to accept the connection's credentials, unless ``wanted`` names a kubeconfig
    :param wanted: the option ``release`` of M(kubestrap.aws.preflight_info)
    :returns: ``release`` as ``read_release`` returns it, or ``look_at_pods`` where Helm has no record, and ``chart`` as
        ``choose_chart`` does; problems as sentences
    """
    try:
        release, values = _read(connection, cluster, wanted)
    except KubeError as e:
        return {"release": None, "chart": None}, [f"kubecost_release_name: the release cannot be looked at. {e}"]
    if not wanted.get("recorded", True):  # how it follows what is there is not ours to judge
        return {"release": release, "chart": None}, []
    leaving = bool(wanted.get("taken_away"))
    if leaving and not (release and release["adopted"] and release["pods_wired"]):
        # It is uninstalled, or has nothing of ours: no chart is needed for that, and nothing has to fit.
        return {"release": release, "chart": None}, []
    chart, problems = choose_chart(release, wanted)
    timeout = wanted.get("timeout")
    seconds = duration(timeout) if timeout else 0.0
    if seconds is None:
        problems.append(f"kubecost_helm_timeout: '{timeout}' is not a duration. Write a number and a unit, such as 10m")
    now = datetime.datetime.now(datetime.UTC)
    if release:
        check = check_generation_of_leaving if leaving else check_generation
        wrong = check(release, wanted["generation"])
        problems += wrong + check_status(release, seconds or 0.0, now) + check_bucket(release, wanted)
        # Between generations the keys of the values differ: there the first problem is enough.
        if not wrong and release["adopted"] and not release["pods_wired"]:
            problems += check_values(values, wanted, lambda: connection.caller)
    return {"release": release, "chart": chart}, problems


def _read(
    connection: AwsConnection, cluster: Cluster, wanted: t.Mapping[str, t.Any]
) -> tuple[dict[str, t.Any] | None, dict[str, t.Any]]:
    with cluster_api(connection, cluster, wanted.get("kubeconfig"), wanted.get("context")) as api:
        if wanted.get("recorded", True):
            return read_release(api, wanted["namespace"], wanted["name"])
        return look_at_pods(api, wanted) if wanted.get("wiring") else None, {}


def read_release(api: KubeApi, namespace: str, name: str) -> tuple[dict[str, t.Any] | None, dict[str, t.Any]]:
    """The newest revision of a release, ``None`` when there is none, and its values, which may be secrets.

    :returns: ``name``, ``chart``, ``chart_version``, ``generation`` (``None``: not a chart of Kubecost), ``status`` (a
        word of Helm), ``revision``, ``written`` (when Helm wrote that, ISO 8601), ``wired`` (whether this collection
        wrote its values), ``stores`` (whether these keep its data in a bucket), ``adopted`` (whether somebody else has
        installed it), ``pods_wired`` (whether pods may run with values that this collection wrote),
        ``service_accounts`` (that pods may run with now: of the newest revision, and of the last one that was
        deployed), ``former_service_accounts`` (that no pod of the release runs with any more)
    :raises KubeError: no answer, or refused
    """
    secrets = ("api", "v1", "namespaces", namespace, "secrets")
    selector = f"owner=helm,name={name}"
    listed = api.get(*secrets, query={"labelSelector": selector}, accept=METADATA_ONLY) or {}
    revisions = sorted(
        ((int(item["metadata"]["labels"].get("version", 0)), item["metadata"]) for item in listed.get("items") or []),
        key=lambda pair: pair[0],
        reverse=True,
    )
    if not revisions:
        return None, {}
    newest = revisions[0][1]
    before = next((meta for _version, meta in revisions[1:] if meta["labels"].get("status") in _IN_FORCE), None)
    bodies = [decode(api.get(*secrets, meta["name"]) or {}) for meta in (newest, before) if meta]
    return describe(name, newest, *bodies), bodies[0].get("config") or {}


def decode(secret: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The document in a Secret of Helm; empty when the Secret has gone meanwhile."""
    if not secret.get("data"):
        return {}
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    return json.loads(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)


def describe(
    name: str,
    metadata: t.Mapping[str, t.Any],
    newest: t.Mapping[str, t.Any],
    before: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """What is said of a release, see ``read_release``.

    :param metadata: of the Secret of the newest revision
    :param newest: its document
    :param before: that of the newest other revision that was deployed
    """
    labels = metadata.get("labels") or {}
    status = labels.get("status", "unknown")
    chart = (newest.get("chart") or {}).get("metadata") or {}
    values = newest.get("config") or {}
    chart_name, version = str(chart.get("name", "")), str(chart.get("version", ""))
    accounts, earlier = _accounts(name, newest), _accounts(name, before or {})
    wired, former = _is_wired(values), []
    # What a run of Helm that did not end has to say counts only where we have said nothing before.
    in_force = values if wired or status == "deployed" else (before or {}).get("config") or {}
    if status == "deployed":
        # Also what a release that was uninstalled, and has no revision any more, may have left in a trust.
        former = [*earlier, *(fullname(number, name, values) for number in GENERATIONS)]
    else:
        accounts += earlier
    return {
        "name": name,
        "chart": chart_name,
        "chart_version": version,
        "generation": generation_of_chart(chart_name, version),
        "status": status,
        "revision": int(labels.get("version", 0)),
        "written": _written(metadata),
        "wired": wired,
        "stores": status != "uninstalled" and OBJECT_STORE_CHECKSUM_ANNOTATION in _marks(in_force),
        "adopted": status != "uninstalled" and (not _is_wired(in_force) or _is_adopted(in_force)),
        "pods_wired": status != "uninstalled" and _is_wired(in_force),
        "service_accounts": list(dict.fromkeys(accounts)),
        "former_service_accounts": sorted(set(former) - set(accounts)),
    }


def _pod_annotations(values: t.Mapping[str, t.Any], key: str = "global.podAnnotations") -> t.Mapping[str, t.Any]:
    found = value_at(values, key)
    return found if isinstance(found, t.Mapping) else {}


def _marks(values: t.Mapping[str, t.Any]) -> set[str]:
    # Of Kubecost 1 without billing data, only the pods of Prometheus and Thanos are marked.
    return {*_pod_annotations(values), *_pod_annotations(values, "prometheus.server.podAnnotations")}


def _is_wired(values: t.Mapping[str, t.Any]) -> bool:
    return bool({CHECKSUM_ANNOTATION, OBJECT_STORE_CHECKSUM_ANNOTATION} & _marks(values))


def _is_adopted(values: t.Mapping[str, t.Any]) -> bool:
    return _pod_annotations(values).get(RELEASE_ANNOTATION) == ADOPTED


def _written(metadata: t.Mapping[str, t.Any]) -> str:
    labels = metadata.get("labels") or {}
    seconds = str(labels.get("modifiedAt") or labels.get("createdAt") or "")
    if not seconds.isdigit():
        return str(metadata.get("creationTimestamp") or "")
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _accounts(name: str, document: t.Mapping[str, t.Any]) -> list[str]:
    chart = (document.get("chart") or {}).get("metadata") or {}
    generation = generation_of_chart(str(chart.get("name", "")), str(chart.get("version", "")))
    return [service_account_name(generation, name, document.get("config") or {})] if generation else []


def choose_chart(
    release: t.Mapping[str, t.Any] | None, wanted: t.Mapping[str, t.Any]
) -> tuple[dict[str, t.Any] | None, list[str]]:
    """The chart that will be installed.

    :param wanted: ``generation``, ``chart_ref``, ``chart_repo_url``, ``chart_version``, ``chart_digest``,
        ``chart_ca_file``; all but the first one may be empty
    :returns: ``local`` (whether it is a file or folder of the controller) and ``version``: of a local chart its own,
        else the one that is set, else none when a digest of a registry is, else that of the release, else the one that
        the collection was made for
    """
    generation, ref, version = wanted["generation"], wanted.get("chart_ref") or "", wanted.get("chart_version") or ""
    known = GENERATIONS[generation]
    digest, repo_url = wanted.get("chart_digest") or "", wanted.get("chart_repo_url") or ""
    local, problem = chart_of(ref) if ref and not repo_url else (None, None)
    problems = check_source(ref, digest, wanted.get("chart_ca_file") or "", repo_url, local is not None)
    if problem:
        return None, [*problems, f"kubecost_chart_ref: {problem}"]
    if local:
        found = generation_of_chart(local["name"], local["version"])
        if found != generation:
            problems.append(_other_chart("kubecost_chart_ref", ref, local, found, generation))
        return {"local": True, "version": local["version"]}, problems
    named = ref.partition("@")[0].rstrip("/").rpartition("/")[2].partition(":")[0]
    if named != known.chart and any(named == other.chart for other in GENERATIONS.values()):
        problems.append(
            f"kubecost_chart_ref: '{ref}' is not the chart of Kubecost {generation}, which is {known.chart}. "
            "Name that one, or write the kubecost_generation that belongs to this one"
        )
    major = re.match(r"[v=~^<> ]*(\d+)", version)
    if major and major[1] != generation:
        problems.append(
            f"kubecost_chart_version: '{version}' is not a version of generation {generation}. Write one that begins "
            f"with {generation}, or kubecost_generation: '{major[1]}'"
        )
    if not version and not (digest and ref.startswith("oci://")):
        same = release and release["generation"] == generation
        version = release["chart_version"] if release and same else known.version
    return {"local": False, "version": version}, problems


def check_source(ref: str, digest: str, ca_file: str, repo_url: str = "", local: bool = False) -> list[str]:
    """What is wrong with the place that a chart comes from.

    :param digest: of the manifest in a registry, else of the chart's archive. One on this machine is compared here
    :param repo_url: empty where the chart is the vendor's, or comes from elsewhere
    :param local: whether ``ref`` is a chart on this machine
    """
    problems = []
    begin = f"kubecost_chart_digest: '{digest}'"
    if digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        problems.append(f"{begin} is not a digest. Write sha256: and 64 hexadecimal digits, as the registry shows them")
    elif digest and "@" in ref:
        problems.append(f"{begin} is the second one: kubecost_chart_ref has another. Leave one of them out")
    elif digest and local:
        actual = digest_of(ref)
        if actual is None:
            problems.append(f"{begin} cannot be that of a folder, and '{ref}' is one. Name an archive (helm package)")
        elif actual != digest:
            problems.append(f"{begin} is not that of the archive '{ref}', which is {actual}. Name the archive you mean")
    elif digest and ref and not repo_url and not ref.startswith("oci://"):
        write = (
            "Write the chart's name and its kubecost_chart_repo_url, or kubecost_chart_ref: oci://<registry>/<chart>"
        )
        problems.append(f"{begin} cannot be compared with the chart '{ref}'. {write}")
    if ca_file and not os.path.isfile(ca_file):
        write = "Write the path of a file with certificates (PEM) on the controller"
        problems.append(f"kubecost_chart_ca_file: '{ca_file}' does not exist. {write}")
    return problems


def _other_chart(option: str, ref: str, chart: t.Mapping[str, str], found: str | None, generation: str) -> str:
    write = f"Write kubecost_generation: '{found}', or name" if found else "Name"
    return (
        f"{option}: '{ref}' is the chart {chart['name']} {chart['version']}, not one of generation {generation} "
        f"({GENERATIONS[generation].chart} {generation}.x). {write} a chart of that generation"
    )


def check_generation(release: t.Mapping[str, t.Any], generation: str) -> list[str]:
    """Whether this generation can follow the release. The way is 1 -> 2 -> 3, one step at a time, and never back.

    A step is asked for by changing kubecost_generation. Over a release that this collection did not wire it is no step,
    since kubecost_generation has a default: such a release is taken over as it is first.
    """
    if release["status"] == "uninstalled":
        return []
    installed, option = release["generation"], f"kubecost_generation: '{generation}'"
    what = f"the release {release['name']}, which is the chart {release['chart']} {release['chart_version']}"
    if installed is None:
        return [
            f"kubecost_release_name: '{release['name']}' is a release of the chart {release['chart']} "
            f"{release['chart_version']}, not of Kubecost 1 to {_LATEST}. Write another name or namespace"
        ]
    if int(generation) < int(installed):
        return [f"{option} is older than {what}. Kubecost cannot go back: write kubecost_generation: '{installed}'"]
    if int(generation) > int(installed) + 1:
        between = f"'{int(installed) + 1}'"
        return [
            f"{option} cannot follow {what}. Kubecost is upgraded one generation at a time: write kubecost_generation: "
            f"{between}, run, then go on"
        ]
    if generation != installed and not release["wired"]:
        return [
            f"{option} would upgrade {what} and was not wired by this collection. Take it over with "
            f"kubecost_generation: '{installed}' first, then upgrade it by changing that to '{generation}'"
        ]
    return []


def check_generation_of_leaving(release: t.Mapping[str, t.Any], generation: str) -> list[str]:
    """Whether this is the generation of a release that stays: a teardown gives it other values, and no upgrade."""
    installed = release["generation"]
    if generation == installed:
        return []
    return [
        f"kubecost_generation: '{generation}' is not that of the release {release['name']}, which is the chart "
        f"{release['chart']} {release['chart_version']}. It was not installed by this collection, so that it stays, "
        f"and a teardown does not upgrade it: write kubecost_generation: '{installed}'"
    ]


def check_bucket(release: t.Mapping[str, t.Any], wanted: t.Mapping[str, t.Any]) -> list[str]:
    """Whether the release would lose its bucket by a missing variable: Kubecost would begin anew, in volumes."""
    if wanted.get("keeps_in_bucket", True) or not release["stores"] or wanted.get("taken_away"):
        return []
    return [
        f"kubecost_federated_storage_bucket: '' is missing, and the release {release['name']} keeps its data in a "
        "bucket. Name the bucket as before; to give it up, write kubecost_federated_storage_state: absent beside it"
    ]


def check_status(release: t.Mapping[str, t.Any], timeout: float, now: datetime.datetime) -> list[str]:
    """Whether the state of the release lets a run of Helm begin.

    A run of Helm that was killed leaves a revision that is pending for ever. One that is at work looks the same, but no
    run waits longer than its timeout.

    :param timeout: of a run of Helm, in seconds; 0: a revision that is pending is not looked at
    """
    name, status = release["name"], release["status"]
    if status == "uninstalling":
        return [
            f"kubecost_release_name: '{name}' is being uninstalled, or that was interrupted. Finish it with helm "
            f"uninstall {name}, then run again"
        ]
    if not status.startswith("pending-") or not timeout or not release["written"]:
        return []
    written = datetime.datetime.fromisoformat(release["written"].replace("Z", "+00:00"))
    age = (now - written).total_seconds()
    if age >= timeout:
        return []
    return [
        f"kubecost_release_name: '{name}' is {status} (revision {release['revision']}) since {release['written']}: "
        f"another run of Helm may be at work. Wait for it; if it was killed, run again in {int(timeout - age) + 1} "
        "seconds, when its time (kubecost_helm_timeout) is over and this run takes its place"
    ]


def duration(text: str) -> float | None:
    """Seconds of a duration as Helm takes it (``10m``, ``1h30m``); ``None`` when it is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
