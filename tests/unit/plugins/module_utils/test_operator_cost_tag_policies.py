# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy of whoever activates cost allocation tags."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import operator_cost_tag_policies, operator_policies

BASE = {"partition": "aws", "account_id": "111111111111"}


def actions(**options: Any) -> set[str]:
    found = operator_cost_tag_policies.cost_allocation_tags_operator(**{**BASE, **options})
    return {action for statement in found for action in statement["Action"]}


def test_each_extent_has_all_of_the_one_before() -> None:
    check, run, teardown = (actions(extent=extent, backfill=True) for extent in operator_policies.EXTENTS)
    assert check < run == teardown
    assert check == {"ce:ListCostAllocationTags", "ce:ListCostAllocationTagBackfillHistory"}


def test_a_backfill_takes_more() -> None:
    more = {"ce:ListCostAllocationTagBackfillHistory", "ce:StartCostAllocationTagBackfill"}
    assert actions(backfill=True) - actions() == more


def test_its_own_rights_are_those_of_its_operator() -> None:
    arn = "arn:aws:iam::111111111111:role/operator"
    *_others, own = operator_cost_tag_policies.cost_allocation_tags_operator(**BASE, operator_arn=arn)
    assert own["Resource"] == arn


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("partition", "aws-us-gov", "has no cost allocation tags"),
        ("account_id", "1", "account_id: '1'"),
        ("extent", "all", "extent: 'all' is not known"),
    ],
)
def test_what_cannot_be_is_refused(option: str, value: str, says: str) -> None:
    with pytest.raises(AnsibleAWSError, match=says):
        actions(**{option: value})
