# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an installed Kubecost or OpenCost is wired to, found from its objects in the cluster alone.

Whoever installed it (Helm, Argo CD, kubectl): the pod template of the workload that mounts the cloud integration names
the ServiceAccount and the Secret, and the Secret names the payers. Functions take objects as the API server returns
them; only ``find`` asks. Mount paths: the charts' templates (cost-analyzer 1 and 2, kubecost 3, opencost 2).
"""

from __future__ import annotations

import base64
import dataclasses
import json
import typing as t

from ._kube_api import METADATA_ONLY, KubeApi
from ._plan import gather
from ._probe_links import Link, failed
from ._probe_workload import ANNOTATION
from .kubecost_chart import SECRET_KEY, value_at

Object = t.Mapping[str, t.Any]

RELEASE_LABEL = "app.kubernetes.io/instance"
# Container of the process that reads billing data; other containers of a release mount the same Secret.
_READERS = ("cloud-cost", "cost-model", "opencost")
_OTHER_CLOUDS = ("azure", "gcp", "alibaba", "oci")
_ENTRY_KEYS = {
    "account_id": ("account", "projectID"),
    "bucket": ("bucket", "athenaBucketName"),
    "region": ("region", "athenaRegion"),
    "database": ("database", "athenaDatabase"),
    "table": ("table", "athenaTable"),
    "workgroup": ("workgroup", "athenaWorkgroup"),
    "catalog": ("catalog", "athenaCatalog"),
}


@dataclasses.dataclass(frozen=True)
class Workload:
    """The workload that reads the cloud integration.

    :ivar secret_name: empty when no Secret is mounted for it
    :ivar chart: label ``helm.sh/chart``, empty when there is none
    """

    kind: str
    name: str
    container: str
    chart: str
    service_account: str
    secret_name: str
    secret_key: str
    label_selectors: tuple[str, ...]


def find(kube: KubeApi, namespace: str, release: str) -> dict[str, t.Any]:
    """Everything that can be known of a release's wiring (five requests, all of them GET).

    :returns: ``workload`` (mapping of ``Workload``, ``None`` when none was found), ``role_arn`` (of the annotation,
        empty for none), ``helm_release`` (its name, ``None`` when Helm has no record of it), ``entries`` (payers, see
        ``entries_of``), ``other_clouds`` (names), ``links`` (what is missing, as failed links)
    :raises KubeError: the API server cannot be asked
    """
    apps, place = ("apis", "apps", "v1", "namespaces", namespace), ("api", "v1", "namespaces", namespace)
    helm = {"labelSelector": f"owner=helm,name={release}"}
    seen = gather(
        {
            "Deployment": lambda: _items(kube.get(*apps, "deployments")),
            "StatefulSet": lambda: _items(kube.get(*apps, "statefulsets")),
            "helm": lambda: _items(kube.get(*place, "secrets", query=helm, accept=METADATA_ONLY)),
        }
    )
    workloads = [(kind, item) for kind in ("Deployment", "StatefulSet") for item in seen[kind]]
    workload = reader(workloads, release)
    result: dict[str, t.Any] = {
        "workload": None,
        "role_arn": "",
        "helm_release": release if seen["helm"] else None,
        "entries": [],
        "other_clouds": [],
        "links": [],
    }
    if workload is None:
        return {**result, "links": [_no_workload(workloads, namespace, release).result()]}
    result["workload"] = dataclasses.asdict(workload)
    reads: dict[str, t.Callable[[], t.Any]] = {
        "account": lambda: kube.get(*place, "serviceaccounts", workload.service_account)
    }
    if workload.secret_name:
        reads["secret"] = lambda: kube.get(*place, "secrets", workload.secret_name)
    found = gather(reads)
    result["role_arn"] = ((found["account"] or {}).get("metadata", {}).get("annotations") or {}).get(ANNOTATION, "")
    document, link = document_of(found.get("secret"), workload)
    if document is not None:
        result["entries"], result["other_clouds"] = entries_of(document), other_clouds_of(document)
        if not result["entries"]:
            link = failed(
                "secret",
                f"The secret {workload.secret_name} names no payer account of AWS",
                "it has no entry below aws that could be read",
                "Run the playbook kubecost, which writes it, or correct it",
            )
    if not result["role_arn"]:
        result["links"].append(_no_role(found["account"], f"{namespace}:{workload.service_account}").result())
    if link:
        result["links"].append(link.result())
    return result


def reader(workloads: t.Sequence[tuple[str, Object]], release: str) -> Workload | None:
    """The workload of the release that reads billing data.

    :param workloads: kind and object, of the whole namespace
    """
    ours = [_described(kind, item) for kind, item in workloads if _labels(item).get(RELEASE_LABEL) == release]
    # The one with the Secret; of several the one whose container is known to read; of those the first.
    ranked = sorted(
        ours,
        key=lambda one: (not one.secret_name, _READERS.index(one.container) if one.container in _READERS else 9),
    )
    return next((one for one in ranked if one.secret_name or one.container in _READERS), None)


def document_of(secret: Object | None, workload: Workload) -> tuple[t.Any, Link | None]:
    """The cloud integration in the Secret, or the link that says why it cannot be read. Values are never shown."""
    name, key = workload.secret_name, workload.secret_key
    if not name:
        return None, failed(
            "secret",
            f"The {workload.kind} {workload.name} mounts no Secret with a cloud integration",
            "its pod template has no such volume",
            "Name the Secret in the values of the chart, or run the playbook kubecost",
        )
    write = "Run the playbook kubecost, which writes it, or correct it; then restart the pods that read it"
    if secret is None:
        return None, failed("secret", f"The secret {name} cannot be read", "it does not exist", write, missing=True)
    data = secret.get("data") or {}
    if key not in data:
        keys = ", ".join(sorted(data)) or "none"
        return None, failed("secret", f"The secret {name} has no key {key}", f"its keys are: {keys}", write)
    try:
        return json.loads(base64.b64decode(data[key])), None
    except ValueError:
        return None, failed("secret", f"The key {key} of the secret {name} cannot be read", "it is not JSON", write)


def entries_of(document: t.Any) -> list[dict[str, str]]:
    """The payers that a cloud integration names, in either form, without any key.

    :returns: one mapping per entry with ``account_id``, ``bucket``, ``region``, ``database``, ``table``, ``workgroup``,
        ``catalog``, ``role_arn`` (empty: the workload's own role reads) and ``authorizer`` (``service_account``,
        ``access_key``, or the type as it stands there)
    """
    aws = document.get("aws") if isinstance(document, t.Mapping) else None
    listed = aws.get("athena") if isinstance(aws, t.Mapping) else aws
    entries = [entry for entry in listed or [] if isinstance(entry, t.Mapping)] if isinstance(listed, list) else []
    return [{**_named(entry), **_authorized(entry)} for entry in entries]


def other_clouds_of(document: t.Any) -> list[str]:
    """Names of the other clouds that have an entry in a cloud integration."""
    if not isinstance(document, t.Mapping):
        return []
    return [cloud for cloud in _OTHER_CLOUDS if _has_entry(document.get(cloud))]


def _has_entry(value: t.Any) -> bool:
    return any(map(_has_entry, value.values())) if isinstance(value, t.Mapping) else bool(value)


def _named(entry: Object) -> dict[str, str]:
    return {name: next((str(entry[key]) for key in keys if entry.get(key)), "") for name, keys in _ENTRY_KEYS.items()}


def _authorized(entry: Object) -> dict[str, str]:
    authorizer = entry.get("authorizer")
    if not isinstance(authorizer, t.Mapping):  # the legacy form
        keys = entry.get("serviceKeyName") or entry.get("serviceKeySecret")
        role = str(entry.get("masterPayerARN") or "")
        return {"role_arn": role, "authorizer": "access_key" if keys else "service_account"}
    role = str(authorizer.get("roleARN") or "")
    base = authorizer.get("authorizer") if authorizer.get("authorizerType") == "AWSAssumeRole" else authorizer
    kind = str((base or {}).get("authorizerType") or "none")
    return {
        "role_arn": role,
        "authorizer": {"AWSServiceAccount": "service_account", "AWSAccessKey": "access_key"}.get(kind, kind),
    }


def _described(kind: str, item: Object) -> Workload:
    spec = item["spec"]["template"]["spec"]
    volume, container, key = _mounted(spec)
    names = [one["name"] for one in spec.get("containers") or []]
    known = next((name for name in _READERS if name in names), names[0] if names else "")
    match = value_at(item, "spec.selector.matchLabels") or {}
    return Workload(
        kind=kind,
        name=item["metadata"]["name"],
        container=known if known in _READERS else container or known,
        chart=_labels(item).get("helm.sh/chart", ""),
        service_account=spec.get("serviceAccountName") or spec.get("serviceAccount") or "default",
        secret_name=volume,
        secret_key=key,
        label_selectors=tuple(f"{name}={value}" for name, value in sorted(match.items())),
    )


def _mounted(spec: Object) -> tuple[str, str, str]:
    """Secret, container and key of the cloud integration in a pod template; empty when it is not mounted."""
    secrets = {
        volume["name"]: volume["secret"]
        for volume in spec.get("volumes") or []
        if isinstance(volume.get("secret"), dict)
    }
    for container in spec.get("containers") or []:
        for mount in container.get("volumeMounts") or []:
            secret = secrets.get(mount["name"])
            if secret and "cloud-integration" in f"{mount['mountPath']} {mount.get('subPath', '')}":
                path = mount.get("subPath") or SECRET_KEY
                items = secret.get("items") or []
                key = next((item["key"] for item in items if item.get("path") == path), path)
                return secret.get("secretName", ""), container["name"], key
    return "", "", SECRET_KEY


def _no_workload(workloads: t.Sequence[tuple[str, Object]], namespace: str, release: str) -> Link:
    releases = sorted({_labels(item)[RELEASE_LABEL] for _kind, item in workloads if RELEASE_LABEL in _labels(item)})
    cause = f"no Deployment or StatefulSet of the namespace {namespace} with the label {RELEASE_LABEL}={release} does"
    there = f"The releases in this namespace are: {', '.join(releases)}" if releases else "There is none in it"
    return failed(
        "pods",
        f"No workload of the release {release} reads billing data",
        cause,
        f"Correct kubecost_release_name and kubecost_namespace, or install it. {there}",
        missing=True,
    )


def _no_role(account: Object | None, name: str) -> Link:
    if account is None:
        return failed(
            "service_account",
            f"The ServiceAccount {name} cannot be read",
            "it does not exist",
            "Install the workload again, or correct its ServiceAccount",
            missing=True,
        )
    return failed(
        "service_account",
        f"The ServiceAccount {name} has no role",
        f"{ANNOTATION} is missing, so that its pods call AWS as their node",
        f"Annotate it with {ANNOTATION}: <ARN of the role>, then restart the pods; the playbook kubecost does both",
    )


def _items(answer: t.Any) -> list[Object]:
    return (answer or {}).get("items") or []


def _labels(item: Object) -> t.Mapping[str, str]:
    return item["metadata"].get("labels") or {}
