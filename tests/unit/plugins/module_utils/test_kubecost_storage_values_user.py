# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wiring of object storage beside a user's own values: what of them stays, and what is put to their lists."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from unit.kubecost_storage_wired import MARK, OFF, ROLE, SIDECAR, VOLUME, nested, refused, wired


def test_what_is_so_unless_the_user_says_otherwise() -> None:
    user = {
        "thanos": {"compact": {"enabled": False}, "bucket": {"enabled": False}},
        "prometheus": {"server": {"retention": "3d"}},
    }
    values = wired("1", user)
    assert values["thanos"]["compact"]["enabled"] is values["thanos"]["bucket"]["enabled"] is False
    assert values["prometheus"]["server"]["retention"] == "3d"
    assert wired("3", {"finopsagent": {"enabled": False}})["finopsagent"]["enabled"] is False


def test_lists_of_the_user_are_kept_and_not_changed() -> None:
    mine = {"name": "certificates", "configMap": {"name": "certificates"}}
    proxy = {"name": "proxy", "image": "registry.example.com/proxy:1"}
    user = {"prometheus": {"server": {"extraVolumes": [mine], "sidecarContainers": [proxy]}}}
    before = copy.deepcopy(user)
    server = wired("1", user)["prometheus"]["server"]
    assert server["extraVolumes"] == [mine, VOLUME]
    assert server["sidecarContainers"] == [proxy, SIDECAR]
    assert user == before


def test_ours_is_not_put_there_twice() -> None:
    once = wired("1")
    server = {name: once["prometheus"]["server"][name] for name in ("extraVolumes", "sidecarContainers")}
    again = wired("1", {"prometheus": {"server": server}})
    assert again["prometheus"]["server"] == once["prometheus"]["server"]


def test_a_sidecar_with_settings_of_the_users() -> None:
    theirs = {"name": "thanos-sidecar", "image": "registry.example.com/thanos:v0.32.5", "resources": {"limits": {}}}
    values = wired("1", {"prometheus": {"server": {"sidecarContainers": [theirs]}}})
    assert values["prometheus"]["server"]["sidecarContainers"] == [{**SIDECAR, **theirs}]


def test_the_sidecar_has_the_image_of_thanos() -> None:
    image = {"repository": "registry.example.com/thanosio/thanos", "tag": "v0.32.5-1"}
    sidecar = wired("1", {"thanos": {"image": image}})["prometheus"]["server"]["sidecarContainers"][0]
    assert sidecar["image"] == "registry.example.com/thanosio/thanos:v0.32.5-1"


@pytest.mark.parametrize(
    ("name", "entries", "said"),
    [
        (
            "extraVolumes",
            [{**VOLUME, "secret": {"secretName": "other"}}],
            "extraVolumes: '{'name': 'object-store-volume'",
        ),
        ("extraVolumes", {"a": 1}, "extraVolumes: '{'a': 1}' is not a list"),
        (
            "sidecarContainers",
            [{"name": "thanos-sidecar", "args": ["sidecar"]}],
            "sidecarContainers.thanos-sidecar.args:",
        ),
        ("sidecarContainers", [{"name": "thanos-sidecar", "args": None}], "sidecarContainers.thanos-sidecar.args:"),
        (
            "sidecarContainers",
            [{"name": "thanos-sidecar", "volumeMounts": [{"name": "object-store-volume", "mountPath": "/mnt"}]}],
            "sidecarContainers.thanos-sidecar.volumeMounts:",
        ),
    ],
)
def test_entries_that_contradict(name: str, entries: Any, said: str) -> None:
    assert f"user_values.prometheus.server.{said}" in refused("1", {"prometheus": {"server": {name: entries}}})


def test_annotations_of_the_users_stay_beside_ours() -> None:
    theirs = {"team": "finops"}
    values = wired(
        "1", {"thanos": {"store": {"annotations": theirs}}, **nested("prometheus.server.podAnnotations", theirs)}
    )
    assert values["thanos"]["store"]["annotations"] == {**theirs, **MARK}
    assert values["prometheus"]["server"]["podAnnotations"] == {**theirs, **MARK}
    values = wired("3", {"finopsagent": {"podAnnotations": theirs}})
    assert values["finopsagent"]["podAnnotations"] == {**theirs, **MARK}


def test_the_cluster_controller_has_our_role_beside_the_users_annotations() -> None:
    theirs = nested("clusterController.serviceAccount.annotations", {"team": "finops"})
    assert wired("3", theirs)["clusterController"]["serviceAccount"]["annotations"] == {"team": "finops", **ROLE}
    assert wired("3", {"clusterController": OFF})["clusterController"] == OFF
    assert "clusterController" not in wired("3", more={"service_account": {}})
