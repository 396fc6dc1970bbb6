# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tags of the scheme name, and what of it cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _tag_findings as findings

ARN = "arn:aws:rds:eu-west-1:222222222222:db:orders"
DEMO = {
    "namespace": [{"namespace": "", "name": "shop"}, {"namespace": "", "name": "search"}],
    "deployment": [{"namespace": "search", "name": "index"}, {"namespace": "shop", "name": "orders"}],
    "pod": [{"namespace": "shop", "name": "orders-0"}],
}


def resource(tags: dict[str, str]) -> dict[str, Any]:
    """A resource as the module returns it."""
    return {"arn": ARN, "scheme": findings.scheme_of(tags), "near_misses": findings.near_misses_of(tags)}


def said(tags: dict[str, str], clusters: dict[str, Any] | None = None, others: tuple[str, ...] = ()) -> list[str]:
    """Key and text of each finding."""
    known = {"demo": DEMO} if clusters is None else clusters
    return [f"{each['key']}: {each['text']}" for each in findings.judge(resource(tags), known, others)]


def test_what_is_of_the_scheme() -> None:
    tags = {"team": "x", "kubernetes_namespace": "shop", "kubernetes_label_app": "orders", "kubernetes_label_": "-"}
    assert findings.scheme_of(tags) == {"kubernetes_label_app": "orders", "kubernetes_namespace": "shop"}
    assert findings.near_misses_of(tags) == []


def test_near_misses() -> None:
    found = findings.near_misses_of({"kubernetes-namespace": "shop", "kubernetes_namespaces": "shop", "team": "x"})
    assert [(each["key"], each["meant"], each["same_column"]) for each in found] == [
        ("kubernetes-namespace", "kubernetes_namespace", True),
        ("kubernetes_namespaces", "kubernetes_namespace", False),
    ]
    assert said({"kubernetes-namespace": "shop"}) == []
    assert said({"kubernetes_namespaces": "shop"}) == [
        "kubernetes_namespaces: Kubecost does not read kubernetes_namespaces: its column is not that of "
        "kubernetes_namespace"
    ]


def test_what_is_to_be_looked_for() -> None:
    first = resource({"kubernetes_namespace": "shop", "kubernetes_label_app": "x", "kubernetes_cluster": "demo"})
    second = resource({"kubernetes-pod": "orders-0", "kubernetes_namespace": "search", "kubernetes_deployments": "x"})
    assert findings.names_in([first, second]) == {"namespace": ["search", "shop"], "pod": ["orders-0"]}


@pytest.mark.parametrize(
    "tags",
    [
        {"kubernetes_cluster": "demo", "kubernetes_namespace": "shop", "kubernetes_deployment": "orders"},
        {"kubernetes_namespace": "shop", "kubernetes_pod": "orders-0"},
        {"kubernetes_deployment": "index"},
        {"kubernetes_label_app": "whatever"},
        {},
    ],
)
def test_names_that_exist(tags: dict[str, str]) -> None:
    assert said(tags) == []


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        (
            {"kubernetes_namespace": "shop", "kubernetes_deployment": "index"},
            "kubernetes_deployment: there is no deployment 'index' in namespace shop of any cluster of the inventory; "
            "it is in search",
        ),
        (
            {"kubernetes_cluster": "demo", "kubernetes_namespace": "shoop"},
            "kubernetes_namespace: there is no namespace 'shoop' in the cluster demo",
        ),
        (
            {"kubernetes_daemonset": "agent"},
            "kubernetes_daemonset: there is no daemonset 'agent' in any cluster of the inventory",
        ),
        (
            {"kubernetes_cluster": "deno", "kubernetes_namespace": "nowhere"},
            "kubernetes_cluster: no cluster of the inventory is called 'deno' (is demo meant?)",
        ),
        (
            {"kubernetes-namespace": "shoop"},
            "kubernetes_namespace: there is no namespace 'shoop' in any cluster of the inventory",
        ),
    ],
)
def test_names_that_do_not_exist(tags: dict[str, str], text: str) -> None:
    assert said(tags) == [text]


def test_what_cannot_be_looked_at_is_not_judged() -> None:
    tags = {"kubernetes_cluster": "demo", "kubernetes_namespace": "nowhere"}
    assert said(tags, {"demo": None}) == []
    assert said(tags, {}) == []
    assert said(tags, {"other": DEMO}, ("demo",)) == []
    assert said({"kubernetes_namespace": "nowhere"}, {"other": DEMO, "demo": None}) == []
    assert said({"kubernetes_namespace": "nowhere"}, others=("legacy",)) == []
