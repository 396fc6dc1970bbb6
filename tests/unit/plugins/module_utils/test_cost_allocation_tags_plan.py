# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When cost allocation tags are changed, and when a backfill is asked for, waited for, or there already."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._cost_allocation_tags import Found
from ansible_collections.kubestrap.aws.plugins.module_utils._cost_allocation_tags_plan import Wanted, plan, resource_of
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan

NOW = datetime.datetime(2026, 3, 15, 12, tzinfo=datetime.UTC)
JANUARY = "2026-01-01"


def found(*backfills: dict[str, Any], updated: str | None = "2026-03-01T10:00:00Z", **statuses: str) -> Found:
    """Tags by their status."""
    tags = {key: {"tag_key": key, "status": status, "last_updated_date": updated} for key, status in statuses.items()}
    return Found(tags, list(backfills))


def backfill(requested_at: str, status: str = "SUCCEEDED", start: str = JANUARY) -> dict[str, Any]:
    """One that was asked for."""
    return {"from": start, "status": status, "requested_at": requested_at, "completed_at": None}


def planned(known: Found, *keys: str, **options: Any) -> Plan:
    """The plan of a task."""
    return plan(known, Wanted(keys, **options), "us-east-1", NOW)


def test_what_is_inactive_is_activated() -> None:
    result = planned(found(a="inactive", b="active", c="inactive"), "a", "b", "c")
    [change] = result.changes
    assert change.summary == "activate the cost allocation tags a, c"
    assert (change.service, change.region) == ("ce", "us-east-1")
    assert change.method == "update_cost_allocation_tags_status"
    assert result.diff["before"] == {"statuses": {"a": "inactive", "b": "active", "c": "inactive"}}
    assert result.diff["after"] == {"statuses": {"a": "active", "b": "active", "c": "active"}}


def test_what_is_active_is_deactivated() -> None:
    result = planned(found(a="active", b="inactive"), "a", "b", state="inactive")
    assert [change.summary for change in result.changes] == ["deactivate the cost allocation tag a"]
    assert result.after == {"statuses": {"a": "inactive", "b": "inactive"}}


@pytest.mark.parametrize("state", ["active", "inactive"])
def test_nothing_is_done_again(state: str) -> None:
    result = planned(found(a=state), "a", state=state)
    assert not result.changed and result.before == result.after == {"statuses": {"a": state}}


def test_what_billing_has_not_seen_waits() -> None:
    known = found(a="active")
    assert not planned(known, "a", "new").changed
    assert Wanted(("a", "new")).pending(known) == ["new"]
    assert Wanted(("a", "new"), "inactive").pending(known) == []


def test_a_backfill_is_asked_for_after_the_activation() -> None:
    result = planned(found(a="inactive"), "a", backfill_from=JANUARY)
    assert [change.method for change in result.changes] == [
        "update_cost_allocation_tags_status",
        "start_cost_allocation_tag_backfill",
    ]
    assert result.changes[1].params == {"BackfillFrom": "2026-01-01T00:00:00Z"}
    assert result.changes[1].region == "us-east-1"
    assert result.before["backfill"]["state"] == "absent"
    assert result.after["backfill"] == {
        "from": JANUARY,
        "state": "running",
        "reason": None,
        "requested_at": None,
        "completed_at": None,
    }


@pytest.mark.parametrize(("status", "state"), [("PROCESSING", "running"), ("SUCCEEDED", "done")])
@pytest.mark.parametrize("start", [JANUARY, "2025-11-01"])
def test_one_that_is_there_counts(status: str, state: str, start: str) -> None:
    result = planned(found(backfill("2026-03-15T11:00:00Z", status, start), a="active"), "a", backfill_from=JANUARY)
    assert not result.changed
    assert (result.after["backfill"]["state"], result.after["backfill"]["requested_at"]) == (
        state,
        "2026-03-15T11:00:00Z",
    )


def test_a_done_one_counts_although_its_month_is_too_old_by_now() -> None:
    old = backfill("2025-01-10T00:00:00Z", start="2024-01-01")
    known = found(old, updated="2025-01-01T00:00:00Z", a="active")
    assert not planned(known, "a", backfill_from="2024-01-01").changed


@pytest.mark.parametrize(
    "other",
    [
        backfill("2026-03-10T00:00:00Z", "FAILED"),
        backfill("2026-03-10T00:00:00Z", start="2026-02-01"),
        backfill("2026-03-01T09:59:59Z"),
    ],
    ids=["failed", "from a later month", "before the activation"],
)
def test_one_that_has_not_what_the_task_wants_does_not_count(other: dict[str, Any]) -> None:
    result = planned(found(other, a="active"), "a", backfill_from=JANUARY)
    assert [change.method for change in result.changes] == ["start_cost_allocation_tag_backfill"]


def test_one_does_not_count_for_keys_that_are_activated_now() -> None:
    result = planned(found(backfill("2026-03-10T00:00:00Z"), a="inactive"), "a", backfill_from=JANUARY)
    assert len(result.changes) == 2
    assert (result.before["backfill"]["state"], result.after["backfill"]["state"]) == ("done", "running")


def test_no_backfill_while_a_key_is_pending() -> None:
    known = found(backfill("2026-03-10T00:00:00Z"), a="active")
    result = planned(known, "a", "new", backfill_from=JANUARY)
    assert not result.changed
    assert result.after["backfill"]["state"] == "waiting"
    assert result.after["backfill"]["reason"].startswith("billing has not seen new yet")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (backfill("2026-03-10T00:00:00Z", "PROCESSING", "2026-02-01"), "the backfill from 2026-02-01 is running"),
        (
            backfill("2026-03-14T12:00:01Z", start="2026-02-01"),
            "AWS does one backfill in 24 hours, and the last one was asked for at 2026-03-14T12:00:01Z",
        ),
        (backfill("2026-03-15T11:00:00Z", "FAILED"), "AWS does one backfill in 24 hours"),
    ],
)
def test_aws_makes_it_wait(other: dict[str, Any], reason: str) -> None:
    result = planned(found(other, a="active"), "a", backfill_from=JANUARY)
    assert not result.changed
    assert result.after["backfill"]["state"] == "waiting" and result.after["backfill"]["reason"].startswith(reason)


def test_after_24_hours_it_is_asked_for() -> None:
    other = backfill("2026-03-14T12:00:00Z", start="2026-02-01")
    assert planned(found(other, a="active"), "a", backfill_from=JANUARY).changed


def test_keys_are_activated_while_the_backfill_waits() -> None:
    other = backfill("2026-03-15T00:00:00Z", "PROCESSING")
    result = planned(found(other, a="inactive"), "a", backfill_from=JANUARY)
    assert [change.method for change in result.changes] == ["update_cost_allocation_tags_status"]
    assert result.after["backfill"]["state"] == "waiting"


def test_a_month_that_is_too_old_is_refused_before_anything_is_done() -> None:
    with pytest.raises(AnsibleAWSError, match="backfill.from: '2025-02-01' is more than twelve months ago"):
        planned(found(a="inactive"), "a", backfill_from="2025-02-01")


def test_without_the_option_no_backfill_is_shown() -> None:
    known = found(backfill("2026-03-10T00:00:00Z"), a="active")
    assert resource_of(known, Wanted(("a",)), NOW) == {"statuses": {"a": "active"}}
