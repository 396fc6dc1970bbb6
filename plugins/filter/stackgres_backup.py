# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters ``stackgres_backup_plan`` and its kin; documented in the YAML files of their names."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_names import check_kubernetes_name
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_identity import Place
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_objects import object_storage_name
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_rules import place_of
from ansible_collections.kubestrap.aws.plugins.module_utils.stackgres import plan, secrets_of


def stackgres_backup_plan(clusters: t.Any, seen: t.Any, place: t.Any) -> dict[str, t.Any]:
    """What becomes of each SGCluster of an EKS cluster."""
    for name, value, kind in (("clusters", clusters, list), ("seen", seen, t.Mapping), ("place", place, t.Mapping)):
        if not isinstance(value, kind) or (name == "clusters" and not all(isinstance(one, t.Mapping) for one in value)):
            raise AnsibleFilterError(f"stackgres_backup_plan: {name} has another form than the documentation says")
    try:
        where = Place(**{key: value for key, value in place.items() if value is not None})
    except TypeError as e:
        raise AnsibleFilterError(f"stackgres_backup_plan: place: {e}") from e
    return plan(clusters, seen, where)


def stackgres_backup_asked(clusters: t.Any) -> list[dict[str, t.Any]]:
    """What stackgres_cluster_info has to look for; an entry that is no SGCluster is left out, and refused by the plan."""
    return [
        {
            "namespace": one["namespace"],
            "name": one["name"],
            "sharded": bool(one.get("sharded")),
            "object_storage": object_storage_name(one),
            "secrets": secrets_of(one),
        }
        for one in clusters
        if isinstance(one, t.Mapping) and _has_names(one)
    ]


def _has_names(one: t.Mapping[str, t.Any]) -> bool:
    """Whether the API server can be asked for it."""
    try:
        check_kubernetes_name("namespace", one.get("namespace"), "namespace")
        for name in (one.get("name"), object_storage_name({"name": "x", **one}), *secrets_of(one)):
            check_kubernetes_name("name", name, "secret")
    except (AnsibleAWSError, TypeError, AttributeError):
        return False
    return True


def stackgres_backup_tenants(clusters: t.Any, host: str, account_id: str, partition: str) -> list[dict[str, t.Any]]:
    """Who uses which bucket, as the role workload_storage wants to know it (``workload_storage_tenants``).

    All are present: who is to go (``wanted``) uses the bucket until its backups have been taken away.
    """
    who = {"cluster": host, "account_id": account_id, "partition": partition, "put_object_acl": False}
    return [
        {
            **who,
            "bucket": place["host"],
            "role_arn": one["principal_arn"],
            "prefix": place["folder"],
            "label": one["label"],
            "wanted": one["state"],
            "state": "present",
        }
        for one in clusters
        for place in ({"host": one["bucket_host"], "folder": one["folder"]}, *one["restore_hosts"])
    ]


def stackgres_backup_users(hosts: t.Any, bucket_host: str, bucket: str) -> list[str]:
    """The EKS clusters whose SGClusters keep backups in a bucket, or read old ones there."""
    return [host["inventory_hostname"] for host in hosts if {bucket_host, bucket} & set(_buckets_of(host))]


def _buckets_of(host: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """What the variables of a host name as buckets, hosts or names. What is no bucket is refused by the plan."""
    entries = host.get("stackgres_backup_clusters") or []
    for one in entries if isinstance(entries, list) else []:
        if not isinstance(one, t.Mapping) or (one.get("state") or host.get("stackgres_backup_state")) == "absent":
            continue
        restored = [source for source in one.get("restore_from") or [] if isinstance(source, t.Mapping)]
        for place in (
            one.get("bucket") or host.get("stackgres_backup_bucket"),
            *(old.get("bucket") for old in restored),
        ):
            with contextlib.suppress(AnsibleAWSError):
                yield place_of("", place)[0]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "stackgres_backup_plan": stackgres_backup_plan,
            "stackgres_backup_asked": stackgres_backup_asked,
            "stackgres_backup_tenants": stackgres_backup_tenants,
            "stackgres_backup_users": stackgres_backup_users,
        }
