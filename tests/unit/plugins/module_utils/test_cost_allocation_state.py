# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far tags have come, and what is said of it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._cost_allocation_state import facts

NOW = datetime.datetime(2026, 3, 15, 12, tzinfo=datetime.UTC)
YESTERDAY, LONG_AGO = "2026-03-14T12:00:00Z", "2026-02-01T08:00:00Z"


def tag(key: str, status: str = "active", since: str | None = LONG_AGO) -> dict[str, Any]:
    """As billing knows it."""
    return {"tag_key": key, "status": status, "last_updated_date": since}


def told(keys: list[str], tags: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """The facts at noon."""
    return facts(keys, tags, NOW, **options)


def test_each_key_is_where_it_has_come_to() -> None:
    found = told(
        ["used", "unused", "old", "new", "off"],
        [tag("used", "inactive"), tag("old"), tag("new", since=YESTERDAY), tag("off", "inactive")],
        statuses={"used": "active"},
        columns=["resource_tags_user_old"],
    )
    assert found["active"] == {"used": "2026-03-15T12:00:00Z", "old": LONG_AGO, "new": YESTERDAY}
    assert (found["pending"], found["inactive"]) == (["unused"], ["off"])
    assert found["missing"] == {"used": "2026-03-15T12:00:00Z", "new": YESTERDAY}
    assert found["columns"] == {"old": "resource_tags_user_old"}


def test_nothing_is_missed_in_data_that_was_not_delivered() -> None:
    found = told(["a"], [tag("a", since=YESTERDAY)])
    assert (found["missing"], found["columns"], found["notes"], found["state"]) == ({}, {}, [], "done")


def test_aws_own_keys_have_columns_of_their_own() -> None:
    found = told(
        ["aws:eks:cluster-name"], [tag("aws:eks:cluster-name")], columns=["resource_tags_aws_eks_cluster_name"]
    )
    assert found["missing"] == {}


@pytest.mark.parametrize(
    ("known", "options", "state"),
    [
        ([tag("a")], {}, "done"),
        ([tag("a"), tag("b", "inactive")], {}, "done"),
        ([], {}, "pending"),  # not one is active
        ([tag("a")], {"own": ["b"]}, "pending"),  # asked for by name
        ([tag("a")], {"columns": []}, "done"),  # active for long: nobody uses it any more
        ([tag("a", since=YESTERDAY)], {"columns": []}, "pending"),
        ([tag("a")], {"backfill": {"state": "done", "from": "2026-01-01"}}, "done"),
        ([tag("a")], {"backfill": {"state": "running", "from": "2026-01-01"}}, "pending"),
    ],
)
def test_a_key_of_the_scheme_that_nobody_uses_holds_up_nothing(
    known: list[dict[str, Any]], options: dict[str, Any], state: str
) -> None:
    assert told(["a", "b"], known, **options)["state"] == state


def test_what_is_to_come_is_said_with_the_time_since_when() -> None:
    found = told(
        ["unused", "new", "old", "when"],
        [tag("new", since=YESTERDAY), tag("old"), tag("when", since=None)],
        columns=[],
        backfill={"state": "waiting", "from": "2026-01-01", "reason": "one is running"},
    )
    pending, new, old, waits = found["notes"]
    assert "has not seen on any resource yet: unused. Nothing is wrong" in pending
    assert f"not in the billing data yet: new (since {YESTERDAY}). AWS takes up to 24 hours" in new
    assert f"old (since {LONG_AGO}), when (since an unknown time). No resource" in old
    assert waits == "The backfill from 2026-01-01 waits: one is running. Run this again later."


@pytest.mark.parametrize("asked", ["2026-03-15T10:00:00Z", None])
def test_a_backfill_that_runs(asked: str | None) -> None:
    backfill = {"state": "running", "from": "2026-01-01", "requested_at": asked}
    [note] = told(["a"], [tag("a")], backfill=backfill)["notes"]
    assert ("asked for at 2026-03-15T10:00:00Z" in note) == bool(asked)
    assert "is running" in note
