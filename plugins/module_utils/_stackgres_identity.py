# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who the pods of an SGCluster are on AWS, what they may do, and in which bucket. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._stackgres_rules import place_of
from ._stackgres_versions import role_problem, version_note
from .policies import document
from .stackgres_policies import BACKUPS, backup_folders, stackgres_backup_workload, stackgres_restore_reader

Entry = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the SGClusters are, and their buckets.

    :ivar option: what the list of SGClusters is called in messages
    :ivar cluster_name: of the EKS cluster
    :ivar region: of the EKS cluster, which EKS' webhook writes into pods that have a role
    :ivar storages: inventory host -> ``bucket``, ``region`` and, where known, ``kms_key_arn`` and ``versioned``
    :ivar bucket: host or name of the bucket of those that name none
    :ivar identity_method: of those that name none
    :ivar state: of those that name none
    :ivar when_too_old: what to do where a role cannot work: ``refuse`` or ``access_key``
    :ivar operator_version: when it is known better than from the cluster
    :ivar installing: version of the operator that this run installs, empty for none
    """

    option: str
    cluster_name: str
    region: str
    account_id: str
    partition: str
    storages: t.Mapping[str, t.Mapping[str, t.Any]]
    bucket: str = ""
    identity_method: str = "irsa"
    state: str = "present"
    when_too_old: str = "refuse"
    operator_version: str = ""
    installing: str = ""
    iam_path: str = "/"


def identity(option: str, entry: Entry, version: str, place: Place, operator: str) -> tuple[str, list[str], list[str]]:
    """How the pods get their identity, what is worth a note, and what is wrong."""
    method = entry["identity_method"]
    if method != "irsa" or entry["state"] != "present":
        return method, [], []
    trouble = role_problem(operator, version, str(entry.get("walg_version") or ""))
    if trouble is None:
        note = version_note(operator, version)
        return method, [f"{note}."] if note else [], []
    reason, advice = trouble
    if place.when_too_old == "access_key":
        return (
            "access_key",
            [f"{entry['namespace']}/{entry['name']} has an access key, not a role: {reason}. {advice}."],
            [],
        )
    write = f"{advice}, or write access_key there, or {host_option(place, 'when_too_old')}: access_key"
    return method, [], [f"{option}.identity_method: 'irsa' does not work here: {reason}. {write}"]


def other_region(option: str, entry: Entry, bucket: t.Mapping[str, t.Any], place: Place) -> str:
    """The region to write into the pods, empty where EKS' webhook writes the right one.

    :raises AnsibleAWSError: the bucket is in another region than the cluster, and that was not allowed for
    """
    region = str(bucket.get("region") or "")
    if not region or region == place.region:
        return ""
    if entry.get("other_region") == "custom_env":
        return region
    raise AnsibleAWSError(
        message=f"{option}.bucket: '{bucket['bucket']}' is in {region}, and the cluster in {place.region}. In pods "
        "with a role EKS writes AWS_REGION of the cluster, which wins over the region in the SGObjectStorage. Use a "
        f"bucket in {place.region}, or write other_region: custom_env to have AWS_REGION: {region} written into the "
        "pods of the SGCluster (spec.pods.customEnv.patroni)"
    )


def principal_of(entry: Entry, place: Place, role: bool) -> str:
    kind, name = ("role", role_name(entry, place)) if role else ("user", user_name(entry, place))
    return f"arn:{place.partition}:iam::{place.account_id}:{kind}{place.iam_path}{name}"


def role_name(entry: Entry, place: Place) -> str:
    return str(entry.get("role_name") or _short(f"stackgres-{place.cluster_name}-{entry['namespace']}-{entry['name']}"))


def user_name(entry: Entry, place: Place) -> str:
    return str(entry.get("user_name") or role_name(entry, place))


def _short(name: str) -> str:
    """At most 64 characters, as IAM allows a role; a long name keeps its beginning and what tells it from others."""
    return name if len(name) <= 64 else f"{name[:55]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def policy_of(
    entry: Entry, bucket: t.Mapping[str, t.Any], prefix: str, paths: list[str], walg: str, place: Place
) -> dict[str, t.Any]:
    """The one policy of role or user: its own backups, and those that it reads for a restore."""
    statements = stackgres_backup_workload(
        bucket=bucket["bucket"],
        partition=place.partition,
        namespace=entry["namespace"],
        cluster=entry["name"],
        sharded=bool(entry.get("sharded")),
        prefix=prefix,
        paths=paths,
        key_arn=bucket.get("kms_key_arn") or None,
        walg_version=walg,
        versioned=bucket.get("versioned"),
    )
    for number, source in enumerate(entry.get("restore_from") or []):
        host, folder = _source_place(number, source, entry, prefix, place)
        there = place.storages[host]
        statements += stackgres_restore_reader(
            bucket=there["bucket"],
            partition=place.partition,
            namespace=source["namespace"],
            cluster=source["name"],
            sharded=bool(source.get("sharded")),
            prefix=folder,
            key_arn=there.get("kms_key_arn") or None,
        )
    return document(statements)


def restore_hosts(entry: Entry, host: str, prefix: str, place: Place) -> list[dict[str, str]]:
    """The buckets and folders that are read for a restore; those of other accounts have to let the role in."""
    found = []
    for number, source in enumerate(entry.get("restore_from") or []):
        at, folder = _source_place(number, source, entry, prefix, place)
        folders = backup_folders(source["namespace"], source["name"], bool(source.get("sharded")), folder)
        found.append(
            {
                "host": at,
                "folder": folders[0] if len(folders) == 1 else folder_above(folder, source["namespace"], folders),
            }
        )
    return found


def _source_place(number: int, source: Entry, entry: Entry, prefix: str, place: Place) -> tuple[str, str]:
    if not source.get("bucket"):
        host, _prefix = bucket_host(place.option, entry, place)
        return host, str(source.get("prefix") or prefix)
    option = f"{place.option}[{entry['name']}].restore_from[{number}]"
    return bucket_host(option, source, place)


def bucket_host(option: str, entry: Entry, place: Place) -> tuple[str, str]:
    """The inventory host of the bucket, and the folder in it.

    :raises AnsibleAWSError: no host describes it
    """
    name, prefix = place_of(option, entry.get("bucket"), entry.get("prefix"))
    if name in place.storages:
        return name, prefix
    for host, storage in place.storages.items():
        if storage.get("bucket") == name:
            return host, prefix
    known = ", ".join(place.storages)
    raise AnsibleAWSError(
        message=f"{option}.bucket: '{entry.get('bucket')}' is neither a host of the group buckets nor the name of a "
        f"bucket there. Write one of [{known}], or describe the bucket there"
    )


def host_option(place: Place, name: str) -> str:
    return f"{place.option.removesuffix('clusters')}{name}"


def folder_above(prefix: str, namespace: str, folders: list[str]) -> str:
    above = "/".join(filter(None, (prefix, BACKUPS, namespace)))
    return above if all(folder.startswith(f"{above}/") for folder in folders) else prefix
