# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects by which StackGres keeps backups on S3: SGObjectStorage, and the backups of an SGCluster. Pure.

Each function returns what is applied (server-side, by our own field manager): those fields and no others. What an
SGCluster has beside them is not in it. Sources: CRDs of StackGres 1.18, ``DefaultBackupPathsMutator`` for the paths.
"""

from __future__ import annotations

import copy
import typing as t

from ._kube_objects import FIELD_MANAGER, MANAGED_BY, is_ours
from ._probe_workload import ANNOTATION as ROLE
from ._stackgres_rules import PERFORMANCE, secret_of

Object = t.Mapping[str, t.Any]
Definition = dict[str, t.Any]

GROUP = "stackgres.io"
OBJECT_STORAGE, CLUSTER, SHARDED_CLUSTER = "SGObjectStorage", "SGCluster", "SGShardedCluster"
_REGION = "AWS_REGION"
# The container in which WAL-G runs; backup jobs only call it there.
_CONTAINER = "patroni"


def object_storage_name(entry: Object) -> str:
    """Name of the SGObjectStorage."""
    return str(entry.get("object_storage") or f"{entry['name']}-backups")


def object_storage(
    entry: Object, bucket: str, region: str, prefix: str, role: bool, found: Object | None
) -> Definition:
    """The SGObjectStorage of an entry.

    :param prefix: folder in the bucket
    :param role: whether the pods have a role; else the key is read from the Secret
    :param found: as it is. One of somebody else's does not get our label, by which a teardown knows ours
    """
    metadata: Definition = {"name": object_storage_name(entry), "namespace": entry["namespace"]}
    if found is None or is_ours(found):
        metadata["labels"] = {MANAGED_BY: FIELD_MANAGER}
    kind = entry.get("type") or "s3"
    place: Definition = {"bucket": f"{bucket}/{prefix}" if prefix else bucket, "region": region}
    if entry.get("storage_class"):
        place["storageClass"] = entry["storage_class"]
    if role:
        place["awsCredentials"] = {"useIAMRole": True}
    else:
        place["awsCredentials"] = {"secretKeySelectors": _selectors(entry)}
    if kind == "s3Compatible":
        place["endpoint"] = entry["endpoint"]
        if entry.get("path_style") is not None:
            place["enablePathStyleAddressing"] = bool(entry["path_style"])
    spec: Definition = {"type": kind, kind: place}
    if entry.get("encryption"):
        spec["encryption"] = _encryption(entry["encryption"])
    return {"apiVersion": f"{GROUP}/v1beta1", "kind": OBJECT_STORAGE, "metadata": metadata, "spec": spec}


def cluster_backups(entry: Object, found: Object, version: str, role_arn: str = "", region: str = "") -> Definition:
    """What an SGCluster, or an SGShardedCluster, gets.

    Its list of backups is taken as a whole by the API server. So what it has there and the entry does not say is taken
    over, above all the path, which the operator fills in and which must not change.

    :param found: the cluster as it is
    :param version: of its kind in the API
    :param role_arn: which its pods take; empty where they have a key
    :param region: written into the pods' environment, where it is to win over that of EKS' webhook
    """
    spec: Definition = {"configurations": {"backups": _backups(entry, found)}}
    sharded = bool(entry.get("sharded"))
    if role_arn:
        annotated = {"annotations": {"serviceAccount": {ROLE: role_arn}}}
        spec["metadata"] = annotated
        for part in own_annotations(found) if sharded else ():
            # A part with annotations of its own gets none of the cluster's.
            spec[part] = {"metadata": copy.deepcopy(annotated)}
    if region:
        for part in ("coordinator", "shards") if sharded else ("",):
            target = spec.setdefault(part, {}) if part else spec
            target["pods"] = {"customEnv": {_CONTAINER: _environment(found, part, region)}}
    return _cluster(entry, version, spec)


def cluster_without(entry: Object, version: str) -> Definition:
    """Nothing of an SGCluster: what we applied before goes, and the rest stays."""
    return _cluster(entry, version, None)


def own_annotations(found: Object) -> list[str]:
    """The parts of an SGShardedCluster that have annotations of their own, and so get none of the cluster's."""
    spec = found.get("spec") or {}
    return [part for part in ("coordinator", "shards") if _annotations(spec.get(part)) is not None]


def overrides_without(found: Object, role_arn: str) -> list[str]:
    """The overrides of shards that have annotations of their own, without this role.

    The list is taken as a whole by the API server, so that whoever wrote it has to write the role there too.
    """
    overrides = ((found.get("spec") or {}).get("shards") or {}).get("overrides") or []
    return [
        str(override.get("index"))
        for override in overrides
        if _annotations(override) is not None
        and ((_annotations(override) or {}).get("serviceAccount") or {}).get(ROLE) != role_arn
    ]


def paths_of(found: Object | None) -> list[str]:
    """The paths of a cluster's backups, as its spec or the operator has them."""
    if found is None:
        return []
    backups = (((found.get("spec") or {}).get("configurations") or {}).get("backups") or [{}])[0]
    listed = [backups.get("path"), *(backups.get("paths") or [])]
    return [str(path) for path in [*listed, *((found.get("status") or {}).get("backupPaths") or [])] if path]


def parts_of(entry: Object, found: Object | None) -> list[str]:
    """Names of the SGClusters: the one, or those that the operator makes of an SGShardedCluster."""
    if not entry.get("sharded"):
        return [str(entry["name"])]
    shards = int((((found or {}).get("spec") or {}).get("shards") or {}).get("clusters") or 0)
    return [f"{entry['name']}-coord", *(f"{entry['name']}-shard{number}" for number in range(shards))]


def service_account(cluster: str) -> str:
    """The ServiceAccount of an SGCluster's pods; no field changes it."""
    return f"{cluster}-patroni"


# --- parts


def _cluster(entry: Object, version: str, spec: Definition | None) -> Definition:
    kind = SHARDED_CLUSTER if entry.get("sharded") else CLUSTER
    metadata = {"name": entry["name"], "namespace": entry["namespace"]}
    made: Definition = {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": metadata}
    return made if spec is None else {**made, "spec": spec}


def _backups(entry: Object, found: Object) -> list[Definition]:
    there = ((found.get("spec") or {}).get("configurations") or {}).get("backups") or []
    first: Definition = copy.deepcopy(dict(there[0])) if there else {}
    first["sgObjectStorage"] = object_storage_name(entry)
    for option, field in (("cron_schedule", "cronSchedule"), ("compression", "compression")):
        if entry.get(option):
            first[field] = entry[option]
    if entry.get("retention") is not None:
        first["retention"] = int(entry["retention"])
    given = {key: value for key, value in (entry.get("performance") or {}).items() if value is not None}
    if given:
        performance = {PERFORMANCE[key][0]: int(value) for key, value in given.items()}
        first["performance"] = {**(first.get("performance") or {}), **performance}
    return [first, *copy.deepcopy(list(there[1:]))]


def _environment(found: Object, part: str, region: str) -> list[Definition]:
    spec = found.get("spec") or {}
    pods = ((spec.get(part) or {}) if part else spec).get("pods") or {}
    there = (pods.get("customEnv") or {}).get(_CONTAINER) or []
    kept = [copy.deepcopy(dict(variable)) for variable in there]
    for variable in kept:
        if variable.get("name") == _REGION:
            variable.clear()
            variable.update({"name": _REGION, "value": region})
            return kept
    return [*kept, {"name": _REGION, "value": region}]


def _annotations(part: t.Any) -> t.Mapping[str, t.Any] | None:
    return ((part or {}).get("metadata") or {}).get("annotations")


def _selectors(entry: Object) -> Definition:
    secret = secret_of(entry)
    selectors = {
        "accessKeyId": {"name": secret["name"], "key": secret["access_key_id_key"]},
        "secretAccessKey": {"name": secret["name"], "key": secret["secret_access_key_key"]},
    }
    if entry.get("ca_certificate"):
        selectors["caCertificate"] = {key: entry["ca_certificate"][key] for key in ("name", "key")}
    return selectors


def _encryption(given: t.Mapping[str, t.Any]) -> Definition:
    def reference(key: str) -> Definition:
        return {"name": given[key]["name"], "key": given[key]["key"]}

    if given["method"] == "sodium":
        inside: Definition = {"key": reference("key")}
        if given.get("key_transform"):
            inside["keyTransform"] = given["key_transform"]
        return {"method": "sodium", "sodium": inside}
    inside = {"key": reference("key")}
    if given.get("passphrase"):
        inside["keyPassphrase"] = reference("passphrase")
    return {"method": "openpgp", "openpgp": inside}
