# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rights in a cluster are asked about, and what is said of those that are missing."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_cluster_rights import (
    Right,
    check_cluster_rights,
    needed,
)
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_rbac import OPERATOR_RBAC, kubecost_cluster_rbac

WHO = "arn:aws:iam::222222222222:role/operator"


class Api:
    """An API server that allows all but some, and has the namespace or not."""

    def __init__(self, *denied: tuple[str, str], namespace: bool = True) -> None:
        self.denied, self.namespace = denied, namespace
        self.asked: list[dict[str, str]] = []

    def get(self, *path: str) -> Any:
        assert path == ("api", "v1", "namespaces", "kubecost")
        return {} if self.namespace else None

    def post(self, *path: str, body: Any) -> Any:
        assert path == ("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews")
        wanted = body["spec"]["resourceAttributes"]
        self.asked.append(wanted)
        return {"status": {"allowed": (wanted["verb"], wanted["resource"]) not in self.denied}}


def check(api: Any, **parameters: Any) -> tuple[list[str], list[str]]:
    return check_cluster_rights(api, "kubecost_cluster_rbac", {"namespace": "kubecost", **parameters}, WHO)


def test_each_verb_of_each_rule_is_asked_once_in_its_place() -> None:
    rights = needed(kubecost_cluster_rbac())
    assert len(rights) == len(set(rights)) > 80
    assert Right("patch", "", "namespaces", "", "kubecost") in rights
    assert Right("create", "", "serviceaccounts/token", "kubecost") in rights
    assert Right("create", "rbac.authorization.k8s.io", "clusterroles") in rights
    assert Right("create", "", "serviceaccounts/token", "kubecost").attributes == {
        "verb": "create",
        "group": "",
        "resource": "serviceaccounts",
        "subresource": "token",
        "namespace": "kubecost",
        "name": "",
    }
    assert all(needed(manifests(namespace="costs")) for manifests in OPERATOR_RBAC.values())


def test_who_may_do_all_is_let_through() -> None:
    api = Api()
    assert check(api) == ([], [])
    assert len(api.asked) == len(needed(kubecost_cluster_rbac()))


def test_what_is_missing_is_named_with_its_place() -> None:
    api = Api(("create", "secrets"), ("create", "serviceaccounts"), ("list", "pods"), ("create", "clusterroles"))
    (problem,), notes = check(api)
    assert problem.startswith(f"kubestrap_eks_cluster_name: '{WHO}' lacks rights in the cluster that this run needs: ")
    assert "create on secrets and serviceaccounts and serviceaccounts/token in the namespace kubecost" in problem
    assert "list on pods in the namespace kubecost" in problem
    assert "create on clusterroles" in problem
    assert "kubestrap_check_rights" in problem
    assert notes == []


def test_without_helm_nothing_of_the_chart_is_asked() -> None:
    assert check(Api(("create", "deployments"), ("create", "clusterroles")), helm=False) == ([], [])


def test_what_only_some_charts_need_is_a_note() -> None:
    problems, (note,) = check(Api(("create", "ingresses"), ("escalate", "clusterroles")))
    assert problems == []
    assert "create on ingresses in the namespace kubecost" in note
    assert "escalate on clusterroles" in note


def test_a_namespace_that_is_not_there_has_to_be_made() -> None:
    denied = ("create", "namespaces")
    assert check(Api(denied)) == ([], [])
    (problem,), _notes = check(Api(denied, namespace=False))
    assert "create on namespaces" in problem
    # Who may not look at it is told that, and nothing of what was not seen.
    problems, (note,) = check(Api(denied, ("get", "namespaces"), namespace=False))
    assert problems == []
    assert "get on namespaces kubecost" in note and "create" not in note


def test_a_server_that_does_not_tell_is_a_note() -> None:
    class Silent(Api):
        def post(self, *path: str, body: Any) -> Any:
            raise KubeError("The API server refuses", "no", "Allow it", 403)

    problems, (note,) = check(Silent())
    assert problems == []
    assert note.startswith(
        f"The rights of {WHO} in the cluster were not checked before the first write. The API server"
    )
