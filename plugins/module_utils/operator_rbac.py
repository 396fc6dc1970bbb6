# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What whoever runs a cluster's part of a playbook may do in the cluster: RBAC objects, as data.

An administrator applies them once; the namespace is among them, so that none has to be made. The group is that of the
operator's access entry (``aws eks create-access-entry --kubernetes-groups``).
"""

from __future__ import annotations

import typing as t

Manifest = dict[str, t.Any]

_NAME = "kubestrap-kubecost-operator"
_STORE_NAME = "kubestrap-object-store-operator"
_TAG_NAME = "kubestrap-tag-report-operator"
_API = "rbac.authorization.k8s.io"
_MANAGE = ("create", "delete", "get", "list", "patch", "update")
# RBAC lets nobody grant what they have not got, unless they may escalate and bind. The charts bring ClusterRoles that
# read most of the cluster.
_GRANT = ("bind", "escalate")


def kubecost_cluster_rbac(*, namespace: str = "kubecost", group: str = _NAME, helm: bool = True) -> list[Manifest]:
    """Run the cluster's half of the playbook ``kubecost``: namespace, roles and their bindings.

    :param group: of Kubernetes, in which the operator's access entry puts it
    :param helm: whether the playbook installs the chart too (``kubecost_deploy: helm``)
    """
    cluster_rules = [_rule("", ["namespaces"], ("get", "patch"), [namespace])]
    rules = [
        _rule("", ["secrets", "serviceaccounts"], _MANAGE),
        _rule("", ["serviceaccounts/token"], ("create",)),
        _rule("", ["pods"], ("get", "list")),
    ]
    if helm:
        cluster_rules += [
            _rule(_API, ["clusterroles", "clusterrolebindings"], _MANAGE),
            _rule(_API, ["clusterroles"], _GRANT),
        ]
        rules += [
            _rule("", ["configmaps", "persistentvolumeclaims", "services"], _MANAGE),
            _rule("apps", ["daemonsets", "deployments", "statefulsets"], _MANAGE),
            _rule("apps", ["replicasets"], ("get", "list")),
            _rule("networking.k8s.io", ["ingresses", "networkpolicies"], _MANAGE),
            _rule(_API, ["roles", "rolebindings"], _MANAGE),
            _rule(_API, ["roles"], _GRANT),
        ]
    return _objects(_NAME, namespace, cluster_rules, rules, group)


def object_store_rbac(
    *, namespace: str = "thanos", group: str = _STORE_NAME, irsa: bool = True, restart: bool = True
) -> list[Manifest]:
    """Give a workload its way to a bucket, prove it, take it away: the roles ``object_store``, ``thanos_object_store``.

    :param namespace: of the workload
    :param group: of Kubernetes, in which the operator's access entry puts it
    :param irsa: whether ServiceAccounts take a role; with an access key there is only the Secret
    :param restart: whether pods are started anew that have read the Secret (``thanos_object_store_restart``)
    """
    made = ("create", "delete", "get", "patch")
    # The preflight looks whether there is a Secret of the collection in the namespace.
    rules = [_rule("", ["secrets"], ("create", "delete", "get", "list", "patch"))]
    if irsa:
        rules += [
            _rule("", ["serviceaccounts"], made),
            _rule("", ["serviceaccounts/token"], ("create",)),
            _rule("", ["pods"], ("list",)),
        ]
    if restart:
        rules.append(_rule("apps", ["daemonsets", "deployments", "statefulsets"], ("get", "patch")))
    return _objects(_STORE_NAME, namespace, [_rule("", ["namespaces"], ("get",), [namespace])], rules, group)


def tag_report_rbac(*, group: str = _TAG_NAME) -> list[Manifest]:
    """Look whether what tags name is in the cluster (playbook ``tag_report``): names of the kinds that tags may name.

    :param group: of Kubernetes, in which the operator's access entry puts it
    """
    rules = [
        _rule("", ["namespaces", "pods", "services"], ("list",)),
        _rule("apps", ["daemonsets", "deployments", "statefulsets"], ("list",)),
        _rule("batch", ["cronjobs", "jobs"], ("list",)),
    ]
    return _granted("Cluster", {"name": _TAG_NAME}, rules, group)


# What the preflight can look for, by name.
OPERATOR_RBAC: dict[str, t.Callable[..., list[Manifest]]] = {
    "kubecost_cluster_rbac": kubecost_cluster_rbac,
    "object_store_rbac": object_store_rbac,
}


def _objects(
    name: str,
    namespace: str,
    cluster_rules: list[dict[str, t.Any]],
    rules: list[dict[str, t.Any]],
    group: str,
) -> list[Manifest]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        *_granted("Cluster", {"name": name}, cluster_rules, group),
        *_granted("", {"name": name, "namespace": namespace}, rules, group),
    ]


def _rule(
    api_group: str, resources: list[str], verbs: t.Sequence[str], names: list[str] | None = None
) -> dict[str, t.Any]:
    rule: dict[str, t.Any] = {"apiGroups": [api_group], "resources": resources, "verbs": list(verbs)}
    return {**rule, "resourceNames": names} if names else rule


def _granted(prefix: str, metadata: dict[str, str], rules: list[dict[str, t.Any]], group: str) -> list[Manifest]:
    """A role and its binding; ``Cluster`` as prefix makes a ClusterRole."""
    return [
        {"apiVersion": f"{_API}/v1", "kind": f"{prefix}Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{_API}/v1",
            "kind": f"{prefix}RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _API, "kind": f"{prefix}Role", "name": metadata["name"]},
            "subjects": [{"kind": "Group", "apiGroup": _API, "name": group}],
        },
    ]
