# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does to a user's keys: each phase, each accident, and what must hold for all states that there can be."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._access_key_rotation import (
    CREATE,
    DEACTIVATE,
    DELETE,
    NOT_YET,
    Key,
    Rules,
    Step,
    decide,
    follow,
    look_ahead,
)

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
OLD, NEW = "AKIAOLD", "AKIANEW"
RULES = Rules(max_age=timedelta(days=90), settle=timedelta(hours=24))


def ago(days: float = 0, hours: float = 0) -> datetime:
    return NOW - timedelta(days=days, hours=hours)


def key(key_id: str, created: datetime, last_used: datetime | None = None, **more: Any) -> Key:
    return Key(key_id, more.pop("active", True), created, last_used, **more)


def actions(keys: list[Key], held: str, rules: Rules = RULES) -> list[tuple[str, str]]:
    return [(step.action, step.key_id) for step in decide("thanos", keys, held, rules, NOW)]


def reasons(keys: list[Key], held: str, rules: Rules = RULES) -> list[str]:
    return [step.reason for step in decide("thanos", keys, held, rules, NOW)]


# --- the phases


def test_a_young_key_is_kept() -> None:
    keys = [key(OLD, ago(days=89), ago(hours=1))]
    assert actions(keys, OLD) == []
    ahead = look_ahead(keys, OLD, RULES, NOW)
    assert (ahead.state, ahead.not_before) == ("current", "2026-04-02T12:00:00+00:00")
    assert ahead.next == "A run after 2026-04-02 12:00 UTC makes a new key, because this one is 90 days old then"


def test_without_an_age_a_key_is_kept_for_ever() -> None:
    keys = [key(OLD, ago(days=4000))]
    assert actions(keys, OLD, Rules()) == []
    ahead = look_ahead(keys, OLD, Rules(), NOW)
    assert (ahead.state, ahead.next, ahead.not_before) == ("current", "Nothing; without max_age the key is kept", None)


def test_an_old_key_gets_a_second_one_beside_it() -> None:
    keys = [key(OLD, ago(days=90), ago(hours=1))]
    assert decide("thanos", keys, OLD, RULES, NOW) == [
        Step(CREATE, NOT_YET, "AKIAOLD is 90 days old, max_age is 90 days")
    ]
    ahead = look_ahead(follow(keys, decide("thanos", keys, OLD, RULES, NOW), NOW), NOT_YET, RULES, NOW)
    assert ahead.state == "old_key_active"
    assert ahead.next == (
        "A run after 2026-04-02 12:00 UTC makes the access key AKIAOLD inactive, unless it is used before"
    )


@pytest.mark.parametrize(
    ("made", "used", "done"),
    [
        (ago(hours=25), ago(hours=30), True),
        (ago(hours=24), ago(hours=26), True),
        (ago(hours=25), None, True),
        (ago(hours=23), ago(hours=30), False),  # pods may not have been made anew
        (ago(hours=100), ago(hours=24), True),
        (ago(hours=100), ago(hours=23), False),  # somebody still uses it
    ],
)
def test_the_first_key_is_made_inactive_when_nothing_uses_it(made: datetime, used: datetime | None, done: bool) -> None:
    keys = [key(OLD, ago(days=95), used), key(NEW, made, ago(hours=1))]
    assert actions(keys, NEW) == ([(DEACTIVATE, OLD)] if done else [])
    due = max(made, used or made) + RULES.settle
    assert look_ahead(keys, NEW, RULES, NOW).not_before == due.isoformat()
    if done:
        says = f"last used {used:%Y-%m-%d %H:%M} UTC" if used else "never used"
        assert reasons(keys, NEW) == [f"the workload holds AKIANEW, and this one is active, {says}"]


@pytest.mark.parametrize(
    ("since", "used", "done"),
    [
        (ago(hours=25), ago(hours=60), True),
        (ago(hours=23), ago(hours=60), False),
        (ago(hours=60), ago(hours=23), False),  # it was active again for a while
        (None, ago(hours=60), False),  # since when is noted in this run
    ],
)
def test_an_inactive_key_is_deleted_after_a_while(since: datetime | None, used: datetime, done: bool) -> None:
    keys = [key(OLD, ago(days=95), used, active=False, inactive_since=since), key(NEW, ago(days=3), ago(hours=1))]
    assert actions(keys, NEW) == ([(DELETE, OLD)] if done else [])
    if done:
        assert reasons(keys, NEW) == ["inactive, and not used since 2026-03-31 11:00 UTC"]
    else:
        ahead = look_ahead(follow(keys, [], NOW), NEW, RULES, NOW)
        assert ahead.state == "old_key_inactive"
        assert f"deletes the access key {OLD}" in ahead.next


def test_a_key_that_somebody_made_active_again_starts_anew() -> None:
    keys = [key(OLD, ago(days=95), ago(hours=2)), key(NEW, ago(days=3))]
    assert actions(keys, NEW) == []


def test_since_when_a_key_is_inactive_is_noted_once() -> None:
    keys = [key(OLD, ago(days=9), active=False), key(NEW, ago(days=3))]
    noted = follow(keys, [], NOW)
    assert noted[0].inactive_since == NOW
    assert follow(noted, [], NOW + timedelta(hours=1)) == noted
    assert follow(keys[1:] + keys[:1], [Step(DEACTIVATE, NEW, "")], NOW)[0].inactive_since == NOW


def test_the_next_rotation_waits_for_the_last_one() -> None:
    keys = [key(OLD, ago(days=300), ago(hours=5)), key(NEW, ago(days=95), ago(hours=1))]
    assert actions(keys, NEW) == []
    assert look_ahead(keys, NEW, RULES, NOW).next.endswith(
        "unless it is used before. A new key is made when it is gone"
    )


def test_a_key_may_go_and_another_come_in_one_run() -> None:
    keys = [key(OLD, ago(days=300), active=False, inactive_since=ago(days=3)), key(NEW, ago(days=95), ago(hours=1))]
    assert actions(keys, NEW) == [(DELETE, OLD), (CREATE, NOT_YET)]


def test_now_is_an_age_too() -> None:
    now = Rules(max_age=timedelta(0), settle=timedelta(0))
    first = [key(OLD, NOW, NOW)]
    assert actions(first, OLD, now) == [(CREATE, NOT_YET)]
    both = [*first, key(NEW, NOW)]
    assert actions(both, NEW, now) == [(DEACTIVATE, OLD)]
    assert look_ahead(follow(both, decide("x", both, NEW, now, NOW), NOW), NEW, now, NOW).next.startswith(
        "The next run deletes the access key AKIAOLD"
    )


# --- the accidents


@pytest.mark.parametrize(
    ("keys", "held", "why"),
    [
        ([], "", "the user has none"),
        ([], OLD, "the user has none"),
        ([key(OLD, ago(days=1), ago(hours=1))], "", "the workload holds none"),
        (
            [key(OLD, ago(days=1), ago(hours=1))],
            "AKIAELSE",
            "AKIAELSE, which the workload holds, is not a key of this user",
        ),
        ([key(OLD, ago(days=1), active=False)], OLD, "AKIAOLD, which the workload holds, is inactive"),
    ],
)
def test_a_workload_without_a_key_gets_one(keys: list[Key], held: str, why: str) -> None:
    assert decide("thanos", keys, held, Rules(), NOW) == [Step(CREATE, NOT_YET, why)]


@pytest.mark.parametrize(
    ("one", "other", "going"),
    [
        # An inactive one, even if it was used last.
        (key(OLD, ago(days=9), ago(days=5)), key(NEW, ago(days=2), ago(hours=1), active=False), NEW),
        # One that was never used.
        (key(OLD, ago(days=9), ago(days=5)), key(NEW, ago(hours=1)), NEW),
        (key(OLD, ago(days=9)), key(NEW, ago(days=2), ago(hours=1)), OLD),
        # The one that was not used for longest.
        (key(OLD, ago(days=9), ago(days=2)), key(NEW, ago(days=2), ago(days=5)), NEW),
        (key(OLD, ago(days=9), ago(days=2)), key(NEW, ago(days=2), ago(hours=1)), OLD),
        # The older one, where nothing else tells.
        (key(OLD, ago(days=9)), key(NEW, ago(days=2)), OLD),
        (key(OLD, ago(days=9), active=False), key(NEW, ago(days=2), active=False), OLD),
    ],
)
def test_room_is_made_for_a_workload_without_a_key(one: Key, other: Key, going: str) -> None:
    for keys in ([one, other], [other, one]):
        assert actions(keys, "", Rules()) == [(DELETE, going), (CREATE, NOT_YET)]
        assert reasons(keys, "", Rules())[0].endswith("IAM allows two keys, and a new one is needed")


def test_two_keys_in_use_are_left_alone() -> None:
    keys = [key(OLD, ago(days=9), ago(hours=3)), key(NEW, ago(days=2), ago(hours=1))]
    with pytest.raises(AnsibleAWSError) as refusal:
        actions(keys, "AKIALOST")
    assert refusal.value.message == (
        "known_access_key_id: 'AKIALOST' is no key of the user thanos that works, and the two that there are are in "
        "use (AKIAOLD, last used 2026-04-01 09:00 UTC; AKIANEW, last used 2026-04-01 11:00 UTC). IAM allows no third "
        "one. Delete the one that nobody needs, or stop who uses it and run this again after 2026-04-02 09:00 UTC; "
        "settle_hours says how long it must not have been used"
    )


def test_a_key_that_was_never_written_down_goes_at_once() -> None:
    young = [key(OLD, ago(days=5), ago(hours=1)), key(NEW, ago(hours=0.1))]
    assert actions(young, OLD) == [(DELETE, NEW)]
    assert reasons(young, OLD) == [
        "never used; a run that ended too early made it beside AKIAOLD, which the workload still holds"
    ]
    assert look_ahead(young, OLD, RULES, NOW).next.startswith("The next run deletes the access key AKIANEW")
    old = [key(OLD, ago(days=95), ago(hours=1)), key(NEW, ago(hours=0.1))]
    assert actions(old, OLD) == [(DELETE, NEW), (CREATE, NOT_YET)]


def test_a_newer_key_that_is_used_is_retired_slowly() -> None:
    """Somebody has put the older key back, and pods that were not made anew use the newer one."""
    used = [key(OLD, ago(days=95), ago(hours=1)), key(NEW, ago(days=5), ago(hours=2))]
    assert actions(used, OLD) == []
    quiet = [used[0], key(NEW, ago(days=5), ago(hours=30))]
    assert actions(quiet, OLD) == [(DEACTIVATE, NEW)]


def test_the_outlook_of_a_workload_without_a_key() -> None:
    assert look_ahead([], "", RULES, NOW).next.startswith("The next run makes a new key")


# --- all states

ACTIVITIES: list[dict[str, Any]] = [
    {"active": True},
    {"active": False},
    {"active": False, "inactive_since": ago(hours=3)},
    {"active": False, "inactive_since": ago(hours=40)},
]
CREATED = (ago(days=120), ago(hours=2))
USED = (None, ago(hours=30), ago(hours=1))


def one(key_id: str) -> list[Key]:
    return [
        key(key_id, created, used, **activity)
        for activity, created, used in itertools.product(ACTIVITIES, CREATED, USED)
        if used is None or used >= created
    ]


KEYS: list[list[Key]] = [
    [],
    *([first] for first in one(OLD)),
    *([first, second] for first in one(OLD) for second in one(NEW)),
]
ALL_RULES = [
    Rules(max_age, settle)
    for max_age in (None, timedelta(0), timedelta(days=90))
    for settle in (timedelta(0), timedelta(hours=24))
]
STATES = list(itertools.product(KEYS, ("", OLD, NEW, "AKIAELSE")))


def working(keys: list[Key]) -> list[str]:
    return [found.id for found in keys if found.active]


def run(keys: list[Key], held: str, rules: Rules, now: datetime, cut: int | None = None) -> tuple[list[Key], str]:
    """A run, which is ended after ``cut`` steps, or goes to its end: then its caller has written the new key down."""
    steps = decide("thanos", keys, held, rules, now)
    for step in steps[:cut]:
        before, keys = keys, follow(keys, [step], now)
        assert len(keys) <= 2, "there are never more than two keys"
        assert working(keys) or not working(before), "the last key that worked has gone"
        if held in working(before):
            assert held in working(keys), "the held key worked, and was touched"
    if cut is None:
        keys = follow(keys, [], now)
    made = f"AKIA{now:%d%H%M}"
    if cut is None and any(not found.id for found in keys):
        held = made
    keys = [dataclasses.replace(found, id=found.id or made) for found in keys]
    return keys, held


@pytest.mark.parametrize("rules", ALL_RULES, ids=str)
def test_never_three_keys_and_always_one_that_works(rules: Rules) -> None:
    refused = 0
    for keys, held in STATES:
        try:
            after, now_held = run(keys, held, rules, NOW)
        except AnsibleAWSError:
            # Nothing is touched then, and both keys work.
            refused += 1
            assert len(working(keys)) == 2
            assert held not in working(keys)
            assert all(found.last_used and NOW - found.last_used < rules.settle for found in keys)
            continue
        assert now_held in working(after), "the workload holds a key that works"
        assert sum(not found.active for found in after) <= 1, "the tag has room for one"
        for found in keys:
            in_use = found.active and found.last_used and NOW - found.last_used < rules.settle
            assert not in_use or found.id in working(after), "a key in use was touched"
    assert bool(refused) == bool(rules.settle)


@pytest.mark.parametrize("rules", ALL_RULES[:2], ids=str)
def test_runs_come_to_an_end(rules: Rules) -> None:
    """Without an age one key is left in the end, the held one, and then nothing is done any more."""
    for keys, held in STATES:
        now = NOW
        for _run in range(5):
            now += timedelta(days=2)
            keys, held = run(keys, held, rules, now)
        assert [found.id for found in keys] == [held]
        assert decide("thanos", keys, held, rules, now) == []


@pytest.mark.parametrize("rules", ALL_RULES, ids=str)
def test_runs_may_be_cut_anywhere(rules: Rules) -> None:
    """Two runs end early, each after any of its calls and before a new key is written down; the third one does not."""
    for keys, held in STATES:
        for cuts in itertools.product((0, 1, 2), repeat=2):
            now, found = NOW + timedelta(days=2), keys
            for cut in cuts:
                now += timedelta(minutes=5)
                found, _held = run(found, held, rules, now, cut)
            found, now_held = run(found, held, rules, now + timedelta(minutes=5))
            assert now_held in working(found)


@pytest.mark.parametrize("rules", ALL_RULES, ids=str)
def test_the_outlook_is_what_the_next_run_does(rules: Rules) -> None:
    for keys, held in STATES:
        try:
            after, now_held = run(keys, held, rules, NOW)
        except AnsibleAWSError:
            continue
        ahead = look_ahead(after, now_held, rules, NOW)
        if ahead.not_before is None:
            assert decide("x", after, now_held, rules, NOW + timedelta(days=999)) == []
            continue
        due = max(datetime.fromisoformat(ahead.not_before), NOW)
        if due > NOW:
            assert decide("x", after, now_held, rules, due - timedelta(seconds=1)) == []
        step = decide("x", after, now_held, rules, due)[0]
        said = {
            CREATE: "makes a new key",
            DEACTIVATE: f"makes the access key {step.key_id} inactive",
            DELETE: f"deletes the access key {step.key_id}",
        }
        assert said[step.action] in ahead.next
