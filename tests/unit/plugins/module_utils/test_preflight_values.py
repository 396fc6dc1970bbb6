# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values of a release would be lost or changed, both ways, and never their content."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _preflight_values as subject

WIRING: dict[str, Any] = {
    "generation": "3",
    "release": "kubecost",
    "cluster_id": "demo",
    "cloud_integration_secret": "cloud-integration",
    "service_account": {"create": True, "name": ""},
}
ROLE = "arn:aws:iam::222222222222:role/team/kubecost-demo"
ROLE_KEY = "serviceAccount.annotations.eks\\.amazonaws\\.com/role-arn"


def keys(values: dict[str, Any], user: dict[str, Any] | None = None, **changes: Any) -> str:
    """The keys that are named, as the message has them."""
    wanted = {
        "name": "kubecost",
        "namespace": "finops",
        "role": "/team/kubecost-demo",
        "wiring": json.dumps({**WIRING, "user_values": user or {}, **changes}),
    }
    problems = subject.check_values(values, wanted, lambda: {"account": "222222222222", "partition": "aws"})
    return problems[0].partition("changed: ")[2].partition(". Write")[0] if problems else ""


@pytest.mark.parametrize(
    ("values", "user"),
    [
        ({}, {}),
        ({}, {"mine": "one"}),
        ({"mine": "one"}, {"mine": "one", "more": True}),
        ({"a": {"b": {"c": [1, {"d": None}]}}}, {"a": {"b": {"c": [1, {"d": None}]}}}),
        ({"replicas": 2}, {"replicas": 2.0}),
        ({"storage": None}, {"storage": None}),
        ({"empty": {}, "deep": {"empty": {}}}, {}),
        # Ours fill a blank, and what they say is ours as well.
        ({"global": {"clusterId": ""}, "cloudCost": {"cloudIntegrationSecret": None}}, {}),
        ({"global": {"clusterId": "demo"}, "cloudCost": {"enabled": True}}, {}),
        ({"serviceAccount": {"create": True, "name": "kubecost"}}, {}),
        ({"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": ROLE}}}, {}),
    ],
)
def test_the_same_values_or_fewer_pass(values: dict[str, Any], user: dict[str, Any]) -> None:
    assert keys(values, user) == ""


@pytest.mark.parametrize(
    ("values", "user", "named"),
    [
        ({"mine": "one"}, {}, "mine"),
        ({"mine": "one"}, {"mine": "two"}, "mine"),
        ({"mine": "1"}, {"mine": 1}, "mine"),
        ({"mine": True}, {"mine": 1}, "mine"),
        ({"mine": ""}, {}, "mine"),
        ({"storage": None}, {}, "storage"),
        ({"a": {"c": 1, "b": 2}}, {"a": {"d": 3}}, "a.b, a.c"),
        ({"a": {"b": 1}}, {"a": 5}, "a.b"),
        ({"a": 5}, {"a": {"b": 5}}, "a"),
        ({"list": [1, 2]}, {"list": [1]}, "list"),
        ({"list": [{"a": True}]}, {"list": [{"a": 1}]}, "list"),
        ({"list": [{"a": 1}]}, {"list": [{"a": 1, "b": 2}]}, "list"),
        ({"global": {"clusterId": "other"}}, {}, "global.clusterId"),
        ({"serviceAccount": {"create": False}}, {}, "serviceAccount.create"),
        ({"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:of-another"}}}, {}, ROLE_KEY),
        ({"a.b": {"c": 1}}, {}, "a\\.b.c"),
    ],
)
def test_what_would_be_lost_or_changed_is_named(values: dict[str, Any], user: dict[str, Any], named: str) -> None:
    assert keys(values, user) == named


def test_a_service_account_that_the_chart_does_not_make() -> None:
    values = {"serviceAccount": {"create": False, "name": "kubecost"}}
    assert keys(values, service_account={"create": False, "name": ""}) == ""
    assert keys(values, service_account={"create": False, "name": "reader"}) == "serviceAccount.name"


def test_a_contradiction_is_left_to_where_the_values_are_put_together() -> None:
    assert keys({"mine": "one"}, {"global": {"clusterId": "other"}}) == ""


def test_it_is_compared_only_where_that_is_asked_for() -> None:
    wiring = json.dumps(WIRING)
    for wanted in ({}, {"wiring": ""}, {"wiring": wiring, "change": True}):
        assert subject.check_values({"mine": "one"}, wanted, dict) == []
    (problem,) = subject.check_values({"mine": "one"}, {"wiring": wiring, "name": "k", "namespace": "n"}, dict)
    assert "mine" in problem
    assert "one." not in problem


def test_wiring_that_is_no_json_is_not_shown() -> None:
    with pytest.raises(AnsibleAWSError) as error:
        subject.check_values({}, {"wiring": "password"}, dict)
    assert "release.wiring: '...' is not JSON" in str(error.value)
