# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the webhooks of StackGres' operator fill in and refuse, as far as backups go, in the operator's own words.

From the operator's packages mutation.cluster, mutation.shardedcluster, validation.objectstorage, validation.backup and
common.crd.storages (1.18). Pure functions: what else there is in the namespace comes in by `Around`.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

VERSION_KEY = "stackgres.io/operatorVersion"
_STORAGE_CLASSES = ("STANDARD", "STANDARD_IA", "REDUCED_REDUNDANCY")
_BLOCKS = ("s3", "s3Compatible", "gcs", "azureBlob")
Document = dict[str, Any]


class Around(NamedTuple):
    """What a review can ask for in the object's namespace."""

    secret: Callable[[str], dict[str, str] | None]  # its data, None when there is none of that name
    names: Callable[[str], list[str]]  # names of the objects of a kind, by its plural
    users: Callable[[str], list[str]]  # SGClusters whose backups go to an SGObjectStorage, by its name


def filled_in(document: Document, version: str) -> Document:
    """An SGCluster or SGShardedCluster as the operator stores it; `version`: what new clusters run with."""
    made = copy.deepcopy(document)
    metadata, spec = made["metadata"], made["spec"]
    metadata.setdefault("annotations", {}).setdefault(VERSION_KEY, version)
    for backup in (spec.get("configurations") or {}).get("backups") or []:
        if made["kind"] == "SGCluster" and not backup.get("path"):
            backup["path"] = backup_path(made, metadata["name"])
        elif made["kind"] == "SGShardedCluster":
            paths = [backup_path(made, name) for name in cluster_names(made)]
            given = backup.get("paths") or []
            backup["paths"] = [*given, *paths[len(given) :]]
    return made


def backup_path(document: Document, name: str) -> str:
    """Where the backups of cluster `name` go, as long as nobody says otherwise (common.BackupStorageUtil)."""
    metadata = document["metadata"]
    created = metadata.get("creationTimestamp") or f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
    created = created.translate(str.maketrans("T:", "--", "Z"))  # a new object has no time yet
    major = str(document["spec"]["postgres"]["version"]).partition(".")[0]
    return f"sgbackups.stackgres.io/{metadata['namespace']}/{name}/{created}/{major}"


def cluster_names(sharded: Document) -> list[str]:
    """The SGClusters that a sharded cluster is made of."""
    name = sharded["metadata"]["name"]
    return [f"{name}-coord", *(f"{name}-shard{number}" for number in range(sharded["spec"]["shards"]["clusters"]))]


def refusal(plural: str, new: Document | None, old: Document | None, around: Around) -> str | None:
    """Why the operator refuses this change, None when it does not. `new` is None for a deletion."""
    if plural == "sgobjectstorages":
        return _storage_in_use(old, around) if new is None else _storage(new["spec"], around)
    if plural == "sgclusters" and new is not None:
        missing = sorted(storages(new) - set(around.names("sgobjectstorages")))
        return f"Object storage {missing[0]} not found" if missing else None
    if plural == "sgbackups" and new is not None:
        return _backup(new, old, around)
    return None


def storages(cluster: Document) -> set[str]:
    """The SGObjectStorages that a cluster names."""
    backups = (cluster["spec"].get("configurations") or {}).get("backups") or []
    return {backup["sgObjectStorage"] for backup in backups}


def _storage_in_use(old: Document | None, around: Around) -> str | None:
    name = (old or {})["metadata"]["name"]
    users = around.users(name)
    if not users:
        return None
    reason = f"the sgclusters.stackgres.io {users[0]} depends on it"
    return f"Can't delete sgobjectstorages.stackgres.io {name} because {reason}"


def _storage(spec: Document, around: Around) -> str | None:
    kind = spec.get("type")
    if kind not in _BLOCKS:
        return f"Invalid storage type {kind}, must be s3, s3Compatible, gcs or azureBlob"
    if kind not in spec:
        return f"Invalid object storage. If storage type is {kind}, the {kind} property must be set"
    others = [block for block in _BLOCKS if block != kind]
    if any(block in spec for block in others):
        listed = f"{others[0]}, {others[1]} or {others[2]}"
        return f"Invalid object storage. If storage type is {kind}, neither {listed} must be set"
    if kind not in ("s3", "s3Compatible"):
        return None
    block = spec[kind]
    if block.get("storageClass") not in (None, *_STORAGE_CLASSES):
        said = "storageClass must be one of STANDARD, STANDARD_IA or REDUCED_REDUNDANCY."
        return f"SGObjectStorage has invalid properties. {said}"
    if not block.get("endpoint", "http:").startswith(("http:", "https:")):
        return "SGObjectStorage has invalid properties. s3Compatible.endpoint must be a valid URL"
    credentials = block["awsCredentials"]
    if "secretKeySelectors" in credentials:
        return _selectors(kind, credentials["secretKeySelectors"], around)
    if not credentials.get("useIAMRole"):
        said = "you must set useIamRole or secretKeySelectors under awsCredentials"
        return f"SGObjectStorage has invalid properties. {said}"
    return None


def _selectors(kind: str, selectors: Document, around: Around) -> str | None:
    for name in ("accessKeyId", "secretAccessKey"):
        selector = selectors[name]
        data = around.secret(selector["name"])
        where = f"for selector name {name} of storage type {kind}"
        if data is None:
            return f"Invalid object storage, secret {selector['name']} not found {where}"
        if selector["key"] not in data:
            return f"Invalid object storage, key {selector['key']} not found in secret {selector['name']} {where}"
    return None


def _backup(new: Document, old: Document | None, around: Around) -> str | None:
    cluster = new["spec"].get("sgCluster")
    if old is None:
        return None if cluster in around.names("sgclusters") else f"Cluster {cluster} not found"
    if old["spec"].get("sgCluster") != cluster:
        return "Backup cluster can not be updated."
    words = {"internalName": "name", "sgBackupConfig": "config", "backupInformation": "information"}
    before, after = old.get("status") or {}, new.get("status") or {}
    for field, word in words.items():
        if field in before and before[field] != after.get(field):
            return f"Update of backups {word} is forbidden"
    return None
