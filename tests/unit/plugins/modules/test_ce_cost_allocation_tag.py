# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module refuses before any call, and that its documentation shows what it returns."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._cost_allocation_tags import Found
from ansible_collections.kubestrap.aws.plugins.module_utils._cost_allocation_tags_plan import Wanted, resource_of
from ansible_collections.kubestrap.aws.plugins.modules import ce_cost_allocation_tag

TODAY = datetime.date(2026, 3, 15)
NOW = datetime.datetime(2026, 3, 15, tzinfo=datetime.UTC)


def checked(**params: Any) -> Wanted:
    """What a task with these options wants."""
    defaults = {"tag_keys": ["b", "a"], "state": "active", "backfill": None}
    return ce_cost_allocation_tag.checked({**defaults, **params}, TODAY)


def test_good_input() -> None:
    assert checked() == Wanted(("b", "a"), "active", None)
    assert checked(state="inactive", backfill={"from": "2026-01-01"}) == Wanted(("b", "a"), "inactive", "2026-01-01")
    assert checked(tag_keys=[]) == Wanted(())


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"tag_keys": ["a", "a"]}, "tag_keys: 'a' is there more than once"),
        ({"backfill": {"from": "2026-01-15"}}, "backfill.from: '2026-01-15' is not the first of a month"),
        ({"backfill": {"from": ""}}, "backfill.from: '' is not a date"),
    ],
)
def test_bad_input(params: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        checked(**params)
    assert str(error.value).startswith(said)


def test_the_documentation_shows_what_is_returned() -> None:
    returned = yaml.safe_load(ce_cost_allocation_tag.RETURN)["ce_cost_allocation_tag"]["contains"]
    resource = resource_of(Found({}), checked(backfill={"from": "2026-01-01"}), NOW)
    assert set(returned) == set(resource)
    assert set(returned["backfill"]["contains"]) == set(resource["backfill"])
