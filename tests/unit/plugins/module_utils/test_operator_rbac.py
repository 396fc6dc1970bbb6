# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's RBAC objects. That the playbook passes with them is tests/integration's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_lookup import LISTS
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_rbac import (
    kubecost_cluster_rbac,
    object_store_rbac,
    tag_report_rbac,
)

BOTH = pytest.mark.parametrize("manifests_of", [kubecost_cluster_rbac, object_store_rbac])


def rules(manifests: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    (found,) = [manifest["rules"] for manifest in manifests if manifest["kind"] == kind]
    return found


@BOTH
def test_each_role_is_bound_to_the_group(manifests_of: Callable[..., list[dict[str, Any]]]) -> None:
    manifests = manifests_of(namespace="costs", group="finops")
    assert [manifest["kind"] for manifest in manifests] == [
        "Namespace",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ]
    for role, binding in (manifests[1:3], manifests[3:5]):
        assert binding["roleRef"]["kind"] == role["kind"]
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["metadata"] == role["metadata"]
        assert [subject["name"] for subject in binding["subjects"]] == ["finops"]
    assert manifests[3]["metadata"]["namespace"] == manifests[0]["metadata"]["name"] == "costs"


@BOTH
def test_only_its_own_namespace_is_read(manifests_of: Callable[..., list[dict[str, Any]]]) -> None:
    (rule,) = [rule for rule in rules(manifests_of(namespace="costs"), "ClusterRole") if "" in rule["apiGroups"]]
    assert (rule["resources"], rule["resourceNames"]) == (["namespaces"], ["costs"])


def test_without_helm_nothing_of_the_chart_is_there_and_no_right_can_be_granted() -> None:
    manifests = kubecost_cluster_rbac(helm=False)
    verbs = {verb for kind in ("ClusterRole", "Role") for rule in rules(manifests, kind) for verb in rule["verbs"]}
    assert not verbs & {"bind", "escalate"}
    groups = {
        group for kind in ("ClusterRole", "Role") for rule in rules(manifests, kind) for group in rule["apiGroups"]
    }
    assert groups == {""}


@BOTH
def test_nothing_is_a_wildcard(manifests_of: Callable[..., list[dict[str, Any]]]) -> None:
    for kind in ("ClusterRole", "Role"):
        for rule in rules(manifests_of(), kind):
            assert not any("*" in rule[key] for key in ("apiGroups", "resources", "verbs"))


def may(manifests: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Verb and resource of all rules in the namespace."""
    return {(verb, name) for rule in rules(manifests, "Role") for verb in rule["verbs"] for name in rule["resources"]}


def test_with_an_access_key_there_is_only_the_secret() -> None:
    manifests = object_store_rbac(irsa=False, restart=False)
    assert may(manifests) == {(verb, "secrets") for verb in ("create", "delete", "get", "list", "patch")}
    assert rules(manifests, "ClusterRole")[0]["verbs"] == ["get"]


def test_what_a_role_and_a_restart_take_besides() -> None:
    least = may(object_store_rbac(irsa=False, restart=False))
    assert may(object_store_rbac(restart=False)) - least == {
        *((verb, "serviceaccounts") for verb in ("create", "delete", "get", "patch")),
        ("create", "serviceaccounts/token"),
        ("list", "pods"),
    }
    kinds = ("daemonsets", "deployments", "statefulsets")
    assert may(object_store_rbac(irsa=False)) - least == {(verb, kind) for verb in ("get", "patch") for kind in kinds}


def test_both_may_be_in_one_cluster() -> None:
    names = [
        {each["metadata"]["name"] for each in of() if each["kind"] == "ClusterRole"}
        for of in (kubecost_cluster_rbac, object_store_rbac)
    ]
    assert not names[0] & names[1]


def test_names_of_the_whole_cluster_are_listed_and_nothing_else() -> None:
    role, binding = tag_report_rbac(group="finops")
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert binding["subjects"][0]["name"] == "finops"
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
    listed = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert "secrets" not in listed and {path[-1] for paths in LISTS.values() for path in paths} == listed
