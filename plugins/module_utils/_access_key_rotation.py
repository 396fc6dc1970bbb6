# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which access key of a user is made, made inactive or deleted in a run. Pure: no call, no clock.

IAM gives a user two keys at most, and tells the secret of a key once. The workload reads its key from a place of its
own (a Kubernetes Secret); the id that is there now is the *held* one. A rotation takes several runs:

1. The held key is too old: a second one is made, which the caller writes down and has the workload take.
2. The other one is held. Once nothing has used the first for a while, it is made inactive; that can be taken back.
3. It is deleted when a further while has passed.

A run may end anywhere. What it left is seen from the keys alone: a key that is newer than the held one and was never
used was not written down. The held key is never touched while it works, and a run leaves at least one key that works.

GetAccessKeyLastUsed in the IAM API reference; IAM user guide, "Update access keys", "IAM and AWS STS quotas".
"""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import UTC, datetime, timedelta

from ._identifiers import refuse

MOST_KEYS = 2
CREATE, DEACTIVATE, DELETE = "create", "deactivate", "delete"
# The id of a key that is yet to be made.
NOT_YET = ""


@dataclasses.dataclass(frozen=True)
class Key:
    """A key as IAM knows it.

    :ivar last_used: ``None`` when it was never used
    :ivar inactive_since: ``None`` when it is active, or when nobody has noted it
    """

    id: str
    active: bool
    created: datetime
    last_used: datetime | None = None
    inactive_since: datetime | None = None


@dataclasses.dataclass(frozen=True)
class Rules:
    """When something is due.

    :ivar max_age: of the held key, ``None``: it is never replaced
    :ivar settle: how long nothing may have used a key before it is made inactive, and again before it is deleted
    """

    max_age: timedelta | None = None
    settle: timedelta = timedelta(hours=24)


@dataclasses.dataclass(frozen=True)
class Step:
    """What is done to a key, and why in words that fit into parentheses."""

    action: str
    key_id: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Outlook:
    """Where a rotation is.

    :ivar state: ``current`` (one key, the held one), ``old_key_active`` or ``old_key_inactive``
    :ivar next: what a next run does, a sentence
    :ivar not_before: from when on, ISO 8601; ``None`` when nothing is to come
    """

    state: str
    next: str
    not_before: str | None = None


def decide(user: str, keys: t.Sequence[Key], held_id: str, rules: Rules, now: datetime) -> list[Step]:
    """The steps of this run, in their order; a new key is always the last one.

    :param held_id: the id that the workload holds, empty for none
    :raises AnsibleAWSError: the workload needs a key, and both that there are are in use
    """
    held = _of(keys, held_id)
    if held is None or not held.active:
        return _replace_lost(user, keys, held_id, rules, now)
    steps = []
    for other in _others(keys, held):
        step, due = _next_of(other, held, rules, now)
        steps += [step] if due <= now else []
    left = len(keys) - sum(step.action == DELETE for step in steps)
    if left < MOST_KEYS and _is_old(held, rules, now):
        age, most = (now - held.created).days, t.cast(timedelta, rules.max_age).days
        steps.append(Step(CREATE, NOT_YET, f"{held.id} is {_days(age)} old, max_age is {_days(most)}"))
    return steps


def follow(keys: t.Sequence[Key], steps: t.Sequence[Step], now: datetime) -> list[Key]:
    """The keys after these steps; a new one has the id ``NOT_YET``.

    An inactive key of which nobody has noted since when it is, is so since now.
    """
    after = []
    actions = {step.key_id: step.action for step in steps if step.action != CREATE}
    for key in keys:
        action = actions.get(key.id)
        if action == DELETE:
            continue
        active = key.active and action != DEACTIVATE
        after.append(
            dataclasses.replace(key, active=active, inactive_since=None if active else key.inactive_since or now)
        )
    return after + [Key(NOT_YET, True, now) for step in steps if step.action == CREATE]


def look_ahead(keys: t.Sequence[Key], held_id: str, rules: Rules, now: datetime) -> Outlook:
    """Where the rotation is, after the steps of a run.

    :param held_id: the id that the workload is to hold from now on, ``NOT_YET`` for a key that this run makes
    """
    held = _of(keys, held_id)
    if held is None:
        return Outlook("current", "The next run makes a new key, because the workload holds none", _iso(now))
    for other in _others(keys, held):
        step, due = _next_of(other, held, rules, now)
        key = f"the access key {other.id}"
        does = f"deletes {key}" if step.action == DELETE else f"makes {key} inactive"
        text = f"{_from(due, now)} {does}, unless it is used before"
        if _is_old(held, rules, max(due, now)):
            text += ". A new key is made when it is gone"
        return Outlook("old_key_active" if other.active else "old_key_inactive", text, _iso(due))
    if rules.max_age is None:
        return Outlook("current", "Nothing; without max_age the key is kept")
    due = held.created + rules.max_age
    text = f"{_from(due, now)} makes a new key, because this one is {_days(rules.max_age.days)} old then"
    return Outlook("current", text, _iso(due))


def _replace_lost(user: str, keys: t.Sequence[Key], held_id: str, rules: Rules, now: datetime) -> list[Step]:
    """A new key for a workload that has none that works, and room for it."""
    if not keys:
        why = "the user has none"
    elif not held_id:
        why = "the workload holds none"
    elif _of(keys, held_id):
        why = f"{held_id}, which the workload holds, is inactive"
    else:
        why = f"{held_id}, which the workload holds, is not a key of this user"
    create = Step(CREATE, NOT_YET, why)
    if len(keys) < MOST_KEYS:
        return [create]
    # An inactive one first, then one that was never used, then the one that was not used for longest.
    never = datetime.min.replace(tzinfo=UTC)
    going, staying = sorted(keys, key=lambda key: (key.active, key.last_used or never, key.created))
    if going.active and going.last_used and now - going.last_used < rules.settle:
        refuse(
            "known_access_key_id",
            held_id,
            f"is no key of the user {user} that works, and the two that there are are in use ({going.id}, last used "
            f"{_when(going.last_used)}; {staying.id}, last used {_when(t.cast(datetime, staying.last_used))}). IAM "
            "allows no third one",
            "Delete the one that nobody needs, or stop who uses it and run this again after "
            f"{_when(going.last_used + rules.settle)}; settle_hours says how long it must not have been used",
        )
    return [Step(DELETE, going.id, f"{_use(going)}; IAM allows two keys, and a new one is needed"), create]


def _next_of(other: Key, held: Key, rules: Rules, now: datetime) -> tuple[Step, datetime]:
    """What comes next for a key beside the held one, and from when on."""
    if not other.active:
        quiet = _latest(other.inactive_since or now, other.last_used)
        return Step(DELETE, other.id, f"inactive, and not used since {_when(quiet)}"), quiet + rules.settle
    if other.last_used is None and other.created > held.created:
        # Its secret is lost: it was made to take the held one's place, and whoever made it did not write it down.
        why = f"never used; a run that ended too early made it beside {held.id}, which the workload still holds"
        return Step(DELETE, other.id, why), other.created
    quiet = _latest(held.created, other.created, other.last_used)
    why = f"the workload holds {held.id}, and this one is {_use(other)}"
    return Step(DEACTIVATE, other.id, why), quiet + rules.settle


def _of(keys: t.Iterable[Key], key_id: str) -> Key | None:
    return next((key for key in keys if key.id == key_id), None)


def _others(keys: t.Iterable[Key], held: Key) -> list[Key]:
    return [key for key in keys if key.id != held.id]


def _is_old(held: Key, rules: Rules, now: datetime) -> bool:
    return rules.max_age is not None and now - held.created >= rules.max_age


def _latest(*times: datetime | None) -> datetime:
    return max(time for time in times if time is not None)


def _use(key: Key) -> str:
    state = "active" if key.active else "inactive"
    return f"{state}, last used {_when(key.last_used)}" if key.last_used else f"{state}, never used"


def _from(due: datetime, now: datetime) -> str:
    return "The next run" if due <= now else f"A run after {_when(due)}"


def _when(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _days(number: int) -> str:
    return f"{number} day" if number == 1 else f"{number} days"
