# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EKS clusters: read only."""

from __future__ import annotations

import typing as t

from ._connection import AwsConnection
from ._errors import error_handler
from ._iam_oidc import provider_arn
from ._plan import gather

_EksError = error_handler("ResourceNotFoundException")

Cluster = dict[str, t.Any]  # see the RETURN of eks_cluster_info


def read(connection: AwsConnection, name: str, include_addons: bool = False) -> Cluster | None:
    """One cluster, ``None`` when it does not exist (one call; with add-ons two and one for each)."""
    reads: dict[str, t.Callable[[], t.Any]] = {"cluster": lambda: _describe(connection, name)}
    if include_addons:
        reads["addons"] = lambda: _read_addons(connection, name)
    found = gather(reads)
    if found["cluster"] is None:
        return None
    cluster = shape(found["cluster"])
    if include_addons:
        cluster["addons"] = found["addons"]
    return cluster


@_EksError.common_error_handler("list the EKS clusters")
def read_all(connection: AwsConnection, include_addons: bool = False) -> list[Cluster]:
    """All clusters of account and region, by name."""
    pages = connection.client("eks").get_paginator("list_clusters").paginate()
    names = sorted(name for page in pages for name in page["clusters"])
    found = gather({name: lambda name=name: read(connection, name, include_addons) for name in names})
    return [cluster for cluster in found.values() if cluster is not None]  # None: deleted since it was listed


def shape(cluster: t.Mapping[str, t.Any]) -> Cluster:
    """The answer of DescribeCluster in our words, with the ARN that its OpenID Connect provider has or would have."""
    _arn, partition, _service, region, account_id = cluster["arn"].split(":")[:5]
    network = cluster.get("resourcesVpcConfig", {})
    issuer = cluster.get("identity", {}).get("oidc", {}).get("issuer") or None
    return {
        "name": cluster["name"],
        "arn": cluster["arn"],
        "account_id": account_id,
        "region": region,
        # Both are missing while the cluster is being created.
        "endpoint": cluster.get("endpoint"),
        "certificate_authority_data": cluster.get("certificateAuthority", {}).get("data"),
        "issuer": issuer,
        "oidc_provider_arn": provider_arn(partition, account_id, issuer) if issuer else None,
        "endpoint_public_access": network.get("endpointPublicAccess", True),
        "public_access_cidrs": list(network.get("publicAccessCidrs") or []),
        "version": cluster.get("version"),
        "status": cluster["status"],
        # Clusters from before access entries have no such field, and work by aws-auth.
        "authentication_mode": cluster.get("accessConfig", {}).get("authenticationMode") or "CONFIG_MAP",
        "tags": dict(cluster.get("tags", {})),
    }


@_EksError.list_error_handler("describe the EKS cluster")
def _describe(connection: AwsConnection, name: str) -> dict[str, t.Any]:
    return connection.client("eks").describe_cluster(name=name)["cluster"]


@_EksError.list_error_handler("read the add-ons of the EKS cluster", default_value=[])
def _read_addons(connection: AwsConnection, cluster_name: str) -> list[dict[str, t.Any]]:
    eks = connection.client("eks")
    pages = eks.get_paginator("list_addons").paginate(clusterName=cluster_name)
    names = sorted(name for page in pages for name in page["addons"])

    def describe(name: str) -> dict[str, t.Any]:
        addon = eks.describe_addon(clusterName=cluster_name, addonName=name)["addon"]
        return {
            "name": name,
            "version": addon.get("addonVersion"),
            "status": addon.get("status"),
            "service_account_role_arn": addon.get("serviceAccountRoleArn") or None,
        }

    return list(gather({name: lambda name=name: describe(name) for name in names}).values())
