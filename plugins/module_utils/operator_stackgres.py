# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What whoever gives SGClusters their backups may do, in AWS and in the cluster: the least policy, and RBAC objects.

Each SGCluster has an identity of its own: there are several roles and users. As in ``operator_storage_policies``
and ``operator_rbac``; proved by ``tests/integration/test_operator_permissions_stackgres.py``.
"""

from __future__ import annotations

import typing as t

from ._identifiers import refuse
from .operator_rbac import Manifest, _granted, _objects, _rule
from .operator_storage_policies import object_storage_workload_operator
from .policies import Statement
from .stackgres_policies import backup_folders

_NAME = "kubestrap-stackgres-backup-operator"
_GROUP = "stackgres.io"


def stackgres_backup_operator(
    *,
    partition: str,
    account_id: str,
    region: str,
    cluster_name: str,
    role_names: list[str] | None = None,
    user_names: list[str] | None = None,
    issuer: str | None = None,
    bucket: str | None = None,
    clusters: list[str] | None = None,
    iam_path: str = "/",
    permissions_boundary: str | None = None,
    operator_arn: str | None = None,
    extent: str = "teardown",
) -> list[Statement]:
    """Run the role ``stackgres_backup``: make the identities of SGClusters, prove them, and take them away.

    :param role_names: of the SGClusters with a role (``stackgres_backup_clusters[].role_name``)
    :param user_names: of those with an access key
    :param bucket: that the proof writes to; ``None``: nothing is explained or swept away in the bucket
    :param clusters: the SGClusters whose folders it writes to, as ``namespace/name``
    :param region, cluster_name, issuer, iam_path, permissions_boundary, operator_arn, extent: as of
        ``kubecost_cluster_operator``
    """
    roles, users = role_names or [], user_names or []
    if not roles and not users:
        write = "Write the names of the roles, of the users (user_names), or of both"
        refuse("role_names", roles, "is empty, and so is user_names", write)
    folders = []
    for cluster in clusters or []:
        namespace, slash, name = cluster.partition("/")
        if not slash or not namespace or not name:
            refuse("clusters", cluster, "is not an SGCluster", "Write namespace and name, for example databases/orders")
        folders += backup_folders(namespace, name)
    where: dict[str, t.Any] = {
        "partition": partition,
        "account_id": account_id,
        "region": region,
        "cluster_name": cluster_name,
        "bucket": bucket,
        "iam_path": iam_path,
        "permissions_boundary": permissions_boundary,
        "operator_arn": operator_arn,
        "extent": extent,
    }
    identities = [{"identity_method": "irsa", "role_name": name, "issuer": issuer} for name in roles]
    identities += [{"identity_method": "access_key", "user_name": name} for name in users]
    return _together(
        object_storage_workload_operator(**where, **identity, prefix=folder)
        for identity in identities
        for folder in folders or [""]
    )


def stackgres_backup_rbac(
    *,
    namespace: str,
    group: str = _NAME,
    operator_namespace: str = "stackgres",
    irsa: bool = True,
    access_key: bool = True,
    restart: bool = True,
    backup_now: bool = True,
) -> list[Manifest]:
    """The same in the cluster, for SGClusters of one namespace.

    :param group: of Kubernetes, in which the operator's access entry puts it
    :param operator_namespace: of the operator of StackGres, whose version is read
    :param irsa: whether there are SGClusters with a role
    :param access_key: whether there are SGClusters with an access key
    :param restart: whether pods are started anew (``restart: true``)
    :param backup_now: whether a backup is made as a proof (``backup_now: true``)
    """
    rules = [
        _rule(_GROUP, ["sgobjectstorages"], ("create", "delete", "get", "patch")),
        _rule(_GROUP, ["sgclusters", "sgshardedclusters"], ("get", "list", "patch")),
        _rule(_GROUP, ["sgbackups"], ("create", "list") if backup_now else ("list",)),
        _rule("", ["pods"], ("list",)),
        _rule("", ["serviceaccounts"], ("get", "list")),
    ]
    if irsa:
        rules.append(_rule("", ["serviceaccounts/token"], ("create",)))
    if access_key:
        rules.append(_rule("", ["secrets"], ("create", "delete", "get", "patch")))
    if restart or backup_now:
        # A backup waits for a restart that runs, and the other way round.
        rules.append(_rule(_GROUP, ["sgdbops"], ("create", "list") if restart else ("list",)))
    objects = _objects(_NAME, namespace, [_rule("", ["namespaces"], ("get",), [namespace])], rules, group)
    version = [_rule("apps", ["deployments"], ("list",))]
    return [*objects, *_granted("", {"name": _NAME, "namespace": operator_namespace}, version, group)]


# Name, as lookup iam_document takes it -> function.
OPERATOR_STACKGRES: dict[str, t.Callable[..., list[Statement]]] = {
    stackgres_backup_operator.__name__: stackgres_backup_operator
}


def _together(policies: t.Iterable[list[Statement]]) -> list[Statement]:
    """Statements that differ in their resources only, as one each."""
    merged: dict[str, Statement] = {}
    for statement in (statement for policy in policies for statement in policy):
        known = merged.setdefault(statement["Sid"], statement)
        if known is statement or known == statement:
            continue
        both = [*_listed(known["Resource"]), *_listed(statement["Resource"])]
        merged[statement["Sid"]] = {**known, "Resource": list(dict.fromkeys(both))}
    return list(merged.values())


def _listed(value: t.Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
