# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module refuses before any call, and what it returns of a step."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._resource_tags import Refusal
from ansible_collections.kubestrap.aws.plugins.module_utils._resource_tags_plan import Step, Wish
from ansible_collections.kubestrap.aws.plugins.module_utils._tag_rules import MARKER
from ansible_collections.kubestrap.aws.plugins.module_utils._tagged_resources import Resource
from ansible_collections.kubestrap.aws.plugins.modules import resource_tags

ARN = "arn:aws:rds:eu-west-1:222222222222:db:orders"
RULE = {"name": None, "select": {"resource_type": ["rds"]}, "tags": {"team": "shop"}}
STEP = Step(
    Resource(ARN, "222222222222", "eu-west-1", {"old": "x", "stays": "y"}),
    ("orders",),
    {"team": "shop", MARKER: "0"},
    ("old",),
    {"stays": {"value": "y", "wanted": "z"}},
)


def wanted(**params: Any) -> Wish:
    """What a task with these options wants."""
    defaults = {"state": "present", "rules_file": None, "rules": None, "override": False, "purge": False}
    return resource_tags.wanted({**defaults, **params})


def test_good_input() -> None:
    assert wanted(rules=[RULE], override=True).rules[0].name == "rule 1"
    assert wanted(state="absent") == Wish(purge=True)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "rules_file: '' is missing"),
        ({"state": "absent", "rules": [RULE]}, "is not used with state: absent"),
        ({"rules": []}, "rules: '[]' is no list of rules"),
        ({"rules": [{**RULE, "select": None}]}, "rules[0].select: '{}' selects every resource"),
        ({"rules_file": "/nonexistent/rules.yml"}, "rules_file: '/nonexistent/rules.yml' cannot be read"),
    ],
)
def test_bad_input(params: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        wanted(**params)
    assert said in str(error.value)


def test_what_is_returned_of_a_step() -> None:
    found = resource_tags.shown(STEP, {})
    documented = yaml.safe_load(resource_tags.RETURN)["resources"]["contains"]
    assert list(found) == list(documented)
    assert (found["state"], found["set"], found["removed"]) == ("changed", {"team": "shop"}, ["old"])
    assert resource_tags.difference([STEP], {}) == {
        "before": {ARN: {"old": "x"}},
        "after": {ARN: {"team": "shop", MARKER: "0"}},
    }


def test_what_is_returned_of_a_refusal() -> None:
    refused = {ARN: Refusal("AccessDeniedException", "Access Denied.", "Allow it")}
    found = resource_tags.shown(STEP, refused)
    assert (found["state"], found["set"], found["removed"]) == ("refused", {}, [])
    assert resource_tags.told(found) == f"{ARN}: Access Denied (AccessDeniedException). Allow it."
    assert resource_tags.difference([STEP], refused) == {"before": {}, "after": {}}
    planned = resource_tags.shown(Step(STEP.resource, refused="it has too many tags"), {})
    assert resource_tags.told(planned) == f"{ARN}: it has too many tags."
