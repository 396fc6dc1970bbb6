# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's RBAC objects. That the playbook passes with them is tests/integration's."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestrap.aws.plugins.module_utils.operator_rbac import kubecost_cluster_rbac


def rules(manifests: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    (found,) = [manifest["rules"] for manifest in manifests if manifest["kind"] == kind]
    return found


def test_each_role_is_bound_to_the_group() -> None:
    manifests = kubecost_cluster_rbac(namespace="costs", group="finops")
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


def test_only_its_own_namespace_is_read() -> None:
    (rule,) = [
        rule for rule in rules(kubecost_cluster_rbac(namespace="costs"), "ClusterRole") if "" in rule["apiGroups"]
    ]
    assert (rule["resources"], rule["resourceNames"]) == (["namespaces"], ["costs"])


def test_without_helm_nothing_of_the_chart_is_there_and_no_right_can_be_granted() -> None:
    manifests = kubecost_cluster_rbac(helm=False)
    verbs = {verb for kind in ("ClusterRole", "Role") for rule in rules(manifests, kind) for verb in rule["verbs"]}
    assert not verbs & {"bind", "escalate"}
    groups = {
        group for kind in ("ClusterRole", "Role") for rule in rules(manifests, kind) for group in rule["apiGroups"]
    }
    assert groups == {""}


def test_nothing_is_a_wildcard() -> None:
    for kind in ("ClusterRole", "Role"):
        for rule in rules(kubecost_cluster_rbac(), kind):
            assert not any("*" in rule[key] for key in ("apiGroups", "resources", "verbs"))
