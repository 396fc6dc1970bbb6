# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is there of StackGres in a cluster: the operator, the SGClusters that a task names, and what is around them.

All reads are made side by side, in rounds: what the API serves, then the objects, each namespace by lists. Of
Secrets only the names of their keys are kept.
"""

from __future__ import annotations

import functools
import typing as t

from ._kube_api import METADATA_ONLY, KubeApi
from ._kube_objects import read_namespace
from ._plan import gather
from ._probe_workload import ANNOTATION
from ._stackgres_objects import GROUP, parts_of, service_account
from ._stackgres_versions import parse, shown

Object = t.Mapping[str, t.Any]

VERSION_MARK = "stackgres.io/operatorVersion"
_KINDS = ("sgobjectstorages", "sgclusters", "sgshardedclusters", "sgbackups", "sgdbops")
_CONTAINER = "patroni"


def read(kube: KubeApi, asked: t.Sequence[Object], operator_namespace: str) -> dict[str, t.Any]:
    """What is there.

    :param asked: of each SGCluster ``namespace``, ``name``, ``sharded``, ``object_storage`` and ``secrets`` (names)
    :returns: ``served`` (plural name of a kind -> version of the API), ``operator`` and ``clusters``, in the order of
        ``asked``
    :raises KubeError: something cannot be read
    """
    group = kube.get("apis", GROUP) or {}
    versions = [str(version["version"]) for version in group.get("versions") or []]
    reads: dict[str, t.Callable[[], t.Any]] = {
        f"served {version}": functools.partial(kube.get, "apis", GROUP, version) for version in versions
    }
    deployments = ("apis", "apps", "v1", "namespaces", operator_namespace, "deployments")
    reads["operator"] = lambda: kube.get(*deployments, query={"labelSelector": f"group={GROUP}"})
    found = gather(reads)
    served: dict[str, str] = {}
    for version in reversed(versions):
        for resource in (found[f"served {version}"] or {}).get("resources") or []:
            if resource["name"] in _KINDS:
                served[resource["name"]] = version
    spaces = {
        namespace: _namespace(kube, namespace, served, [one for one in asked if one["namespace"] == namespace])
        for namespace in dict.fromkeys(one["namespace"] for one in asked)
    }
    everything = gather({f"{space} {name}": ask for space, asks in spaces.items() for name, ask in asks.items()})
    return {
        "served": served,
        "operator": operator_of(_items(found["operator"])),
        "clusters": [described(one, _of_namespace(everything, one["namespace"])) for one in asked],
    }


def operator_of(deployments: t.Sequence[Object]) -> dict[str, t.Any] | None:
    """The operator among the Deployments of its namespace, ``None`` when there is none."""
    for deployment in deployments:
        metadata = deployment["metadata"]
        images = [container.get("image", "") for container in deployment["spec"]["template"]["spec"]["containers"]]
        operators = [image for image in images if image.partition("@")[0].rpartition("/")[2].startswith("operator")]
        if not operators:
            continue
        tag = operators[0].partition("@")[0].rpartition("/")[2].partition(":")[2]
        version = parse((metadata.get("labels") or {}).get("version", "")) or parse(tag)
        return {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "version": shown(version) if version else "",
            "image": operators[0],
        }
    return None


def described(one: Object, there: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What is there of one SGCluster, out of what was read of its namespace."""
    name, sharded = one["name"], bool(one.get("sharded"))
    clusters = _items(there.get("sgclusters"))
    wanted = _items(there.get("sgshardedclusters")) if sharded else clusters
    cluster = next((each for each in wanted if each["metadata"]["name"] == name), None)
    if cluster is not None:
        # Items of a list have no kind of their own.
        cluster = {**cluster, "kind": "SGShardedCluster" if sharded else "SGCluster"}
    parts = parts_of(one, cluster)
    accounts = {service_account(part) for part in parts}
    using = [each for each in clusters if _object_storage(each) == one["object_storage"]]
    storing = {*parts, *(each["metadata"]["name"] for each in using)}
    sharded_using = [
        each["metadata"]["name"]
        for each in _items(there.get("sgshardedclusters"))
        if _object_storage(each) == one["object_storage"]
    ]
    own = {name, *parts}
    return {
        "namespace": one["namespace"],
        "name": name,
        "sharded": sharded,
        "namespace_exists": there.get("namespace") is not None,
        "cluster": cluster,
        "parts": parts,
        "version": _version(cluster, [each for each in clusters if each["metadata"]["name"] in parts]),
        "service_accounts": [
            {
                "name": account["metadata"]["name"],
                "role_arn": (account["metadata"].get("annotations") or {}).get(ANNOTATION, ""),
            }
            for account in _items(there.get("serviceaccounts"))
            if account["metadata"]["name"] in accounts
        ],
        "pods": [_pod(pod) for pod in _items(there.get("pods")) if _cluster_of(pod) in parts and _lives(pod)],
        "running_backups": [
            backup["metadata"]["name"]
            for backup in _items(there.get("sgbackups"))
            if backup["spec"].get("sgCluster") in storing and _status(backup) == "Running"
        ],
        "object_storage": there.get(f"storage {one['object_storage']}"),
        "users": sorted({*(each["metadata"]["name"] for each in using), *sharded_using} - (own - {name})),
        "secrets": {
            secret: None
            if there.get(f"secret {secret}") is None
            else sorted(there[f"secret {secret}"].get("data") or {})
            for secret in one.get("secrets") or []
        },
    }


def _namespace(
    kube: KubeApi, namespace: str, served: t.Mapping[str, str], asked: t.Sequence[Object]
) -> dict[str, t.Callable[[], t.Any]]:
    """The reads of one namespace, by name."""
    core = ("api", "v1", "namespaces", namespace)

    def ours(kind: str, *name: str) -> t.Callable[[], t.Any]:
        return functools.partial(kube.get, "apis", GROUP, served[kind], "namespaces", namespace, kind, *name)

    reads: dict[str, t.Callable[[], t.Any]] = {
        "namespace": lambda: read_namespace(kube, namespace),
        "serviceaccounts": lambda: kube.get(*core, "serviceaccounts", accept=METADATA_ONLY),
        "pods": lambda: kube.get(*core, "pods", query={"labelSelector": "app=StackGresCluster"}),
    }
    for kind in ("sgclusters", "sgshardedclusters", "sgbackups"):
        if kind in served:
            reads[kind] = ours(kind)
    for one in asked:
        if "sgobjectstorages" in served:
            reads[f"storage {one['object_storage']}"] = ours("sgobjectstorages", one["object_storage"])
        for secret in one.get("secrets") or []:
            reads[f"secret {secret}"] = functools.partial(kube.get, *core, "secrets", secret)
    return reads


def _of_namespace(everything: t.Mapping[str, t.Any], namespace: str) -> dict[str, t.Any]:
    begin = f"{namespace} "
    return {name.removeprefix(begin): value for name, value in everything.items() if name.startswith(begin)}


def _items(listed: t.Any) -> list[t.Any]:
    return (listed or {}).get("items") or []


def _version(cluster: Object | None, parts: t.Sequence[Object]) -> str:
    """The StackGres that a cluster's images are of; of several the oldest."""
    marks = [(each["metadata"].get("annotations") or {}).get(VERSION_MARK, "") for each in (cluster, *parts) if each]
    versions = [version for version in map(parse, marks) if version]
    return shown(min(versions)) if versions else ""


def _object_storage(cluster: Object) -> str:
    backups = ((cluster["spec"].get("configurations") or {}).get("backups") or [{}])[0]
    return str(backups.get("sgObjectStorage") or "")


def _cluster_of(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get("stackgres.io/cluster-name") or "")


def _lives(pod: Object) -> bool:
    over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not over and not pod["metadata"].get("deletionTimestamp")


def _status(backup: Object) -> str:
    return str(((backup.get("status") or {}).get("process") or {}).get("status") or "")


def _pod(pod: Object) -> dict[str, t.Any]:
    """What a pod has of AWS, in the container in which WAL-G runs."""
    containers = pod["spec"]["containers"]
    container = next((each for each in containers if each["name"] == _CONTAINER), containers[0])
    variables = {each["name"]: each.get("value", "") for each in container.get("env") or []}
    return {
        "name": pod["metadata"]["name"],
        "cluster": _cluster_of(pod),
        "service_account": pod["spec"].get("serviceAccountName", "default"),
        "role_arn": variables.get("AWS_ROLE_ARN", ""),
        "region": variables.get("AWS_REGION", ""),
        "pod_identity": "AWS_CONTAINER_CREDENTIALS_FULL_URI" in variables,
        "image": container.get("image", ""),
    }


def annotated(one: Object, there: t.Mapping[str, t.Any]) -> bool:
    """Whether the operator has annotated all ServiceAccounts of an SGCluster with the role that is asked for.

    :param there: what ``described`` returned of it; of one that does not exist nothing is to be waited for
    """
    role = one.get("role_arn")
    if not role or there["cluster"] is None:
        return True
    roles = {account["name"]: account["role_arn"] for account in there["service_accounts"]}
    return all(roles.get(service_account(part)) == role for part in there["parts"])
