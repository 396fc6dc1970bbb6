# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of a cluster are looked for in the lists that are needed, page by page."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import METADATA_ONLY
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_lookup import existing, merged


def item(name: str, namespace: str = "", *containers: str) -> dict[str, Any]:
    """An object of a list."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"metadata": metadata, "spec": {"containers": [{"name": each} for each in containers]}}


class Kube:
    """An API server with these lists, each given as pages."""

    def __init__(self, **lists: list[list[dict[str, Any]]]) -> None:
        self.lists = lists
        self.asked: list[tuple[str, str, str]] = []

    def get(self, *path: str, query: dict[str, str], accept: str) -> Any:
        number = int(query.get("continue", "0"))
        self.asked.append((path[-1], query.get("continue", ""), accept))
        if path[-1] not in self.lists:
            return None
        pages = self.lists[path[-1]]
        more = {"continue": str(number + 1)} if number + 1 < len(pages) else {}
        return {"metadata": more, "items": pages[number]}


def test_several_dictionaries_are_one() -> None:
    assert merged("names", [{"pod": ["b"]}, {"pod": ["a", "b"], "namespace": []}]) == {
        "namespace": [],
        "pod": ["a", "b"],
    }
    with pytest.raises(AnsibleAWSError, match=r"names: 'Pod' is no kind of object .* Write any of namespace,"):
        merged("names", [{"Pod": ["a"]}])
    with pytest.raises(AnsibleAWSError, match=r"names.pod: 'a' is no list of names"):
        merged("names", [{"pod": "a"}])


def test_only_what_is_needed_is_listed() -> None:
    kube = Kube(namespaces=[[item("shop"), item("other")]], pods=[[]])
    assert existing(kube, {"namespace": ["shop", "gone"], "pod": []}) == {
        "namespace": [{"namespace": "", "name": "shop"}]
    }
    assert kube.asked == [("namespaces", "", METADATA_ONLY)]


def test_lists_come_in_pages() -> None:
    kube = Kube(pods=[[item("b", "shop")], [item("a", "shop"), item("a", "search")]])
    assert existing(kube, {"pod": ["a", "b"]}) == {
        "pod": [
            {"namespace": "search", "name": "a"},
            {"namespace": "shop", "name": "a"},
            {"namespace": "shop", "name": "b"},
        ]
    }
    assert [page for _name, page, _accept in kube.asked] == ["", "1"]


def test_a_controller_is_whatever_owns_pods() -> None:
    kube = Kube(deployments=[[item("a", "x")]], cronjobs=[[item("b", "x")]])
    found = existing(kube, {"controller": ["a", "b", "c"], "deployment": ["b"]})
    assert [each["name"] for each in found["controller"]] == ["a", "b"]
    assert found["deployment"] == []
    assert sorted(name for name, _page, _accept in kube.asked) == [
        "cronjobs",
        "daemonsets",
        "deployments",
        "jobs",
        "statefulsets",
    ]


def test_containers_are_within_pods() -> None:
    kube = Kube(pods=[[item("p", "shop", "proxy", "orders")]])
    assert existing(kube, {"container": ["orders", "p"]}) == {"container": [{"namespace": "shop", "name": "orders"}]}
    assert kube.asked == [("pods", "", "application/json")]
