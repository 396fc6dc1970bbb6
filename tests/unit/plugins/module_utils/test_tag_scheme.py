# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheme of tags: which keys it has, and which ones were meant to be of it."""

from __future__ import annotations

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import tag_scheme as scheme


def test_all_keys_each_once() -> None:
    listed = scheme.keys([])
    assert listed == [key for group in scheme.GROUPS.values() for key in group]
    assert {"kubernetes_container", "kubernetes_statefulset", "aws:eks:cluster-name"} <= set(listed)
    assert scheme.keys([], ["guide", "guide"], more=["team", "kubernetes_pod", "team"]) == [
        *scheme.GROUPS["guide"],
        "team",
    ]


def test_labels_are_those_in_use() -> None:
    known = ["team", "kubernetes_label_b", "kubernetes_label_", "kubernetes_label_app.kubernetes.io/name"]
    assert scheme.keys(known, []) == ["kubernetes_label_app.kubernetes.io/name", "kubernetes_label_b"]
    assert scheme.keys(known, [], labels=False) == []


def test_only_known_keys_of_groups_but_all_of_the_users_own() -> None:
    listed = scheme.keys(["kubernetes_pod", "eks:cluster-name"], more=["team"], known_only=True)
    assert listed == ["kubernetes_pod", "eks:cluster-name", "team"]


def test_another_group_is_refused() -> None:
    with pytest.raises(AnsibleAWSError, match="groups: 'gke' is no group of tag keys. Write any of guide, newer, eks"):
        scheme.keys([], ["gke"])


@pytest.mark.parametrize(
    ("key", "column"),
    [
        (
            "kubernetes_label_app.kubernetes.io/name",
            "resource_tags_user_kubernetes_label_app_kubernetes_io_name",
        ),
        ("Kubernetes_Namespace", "resource_tags_user_kubernetes_namespace"),
        ("aws:eks:cluster-name", "resource_tags_aws_eks_cluster_name"),
    ],
)
def test_column(key: str, column: str) -> None:
    assert scheme.column(key) == column


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("Kubernetes_Namespace", "kubernetes_namespace"),
        ("kubernetes-namespace", "kubernetes_namespace"),
        ("kubernetes/statefulset", "kubernetes_statefulset"),
        ("kubernetes_namespaces", "kubernetes_namespace"),
        ("KUBERNETES_DEPLOYMENT", "kubernetes_deployment"),
        ("kubernetes-label-app", "kubernetes_label_app"),
        ("kubernetes_labels_app.kubernetes.io/name", "kubernetes_label_app.kubernetes.io/name"),
    ],
)
def test_near_misses(key: str, meant: str) -> None:
    assert scheme.near_miss(key) == meant


@pytest.mark.parametrize(
    "key",
    [
        "kubernetes_pod",
        "kubernetes_label_app",
        "kubernetes_node",
        "team",
        "eks:cluster-name",
        "kubernetes.io/cluster/a",
    ],
)
def test_what_is_right_or_something_else_is_no_near_miss(key: str) -> None:
    assert scheme.near_miss(key) is None
