# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes cost allocation tags active or inactive, and when a backfill is asked for. Pure: no call."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ._cost_allocation_tags import ACTIVE, Found, check_backfill_age, moment, update
from ._plan import Change, Plan

_DAY = datetime.timedelta(hours=24)
_LIMITS = {
    "BackfillLimitExceededException": "Somebody else has started one meanwhile. Run this again when it is done",
    "LimitExceededException": "AWS does one backfill in 24 hours. Run this again later",
}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a task wants.

    :ivar keys: in the order of the task
    :ivar state: ``active`` or ``inactive``
    :ivar backfill_from: the first of a month; ``None`` for no backfill
    """

    keys: tuple[str, ...]
    state: str = ACTIVE
    backfill_from: str | None = None

    def pending(self, found: Found) -> list[str]:
        """The keys that wait for billing to see them. One that it has never seen is inactive as it is."""
        return found.pending(self.keys) if self.state == ACTIVE else []

    def differing(self, found: Found) -> list[str]:
        """The known keys that have another status."""
        return [key for key in self.keys if found.tags.get(key, {}).get("status") not in (None, self.state)]


def resource_of(found: Found, wanted: Wanted, now: datetime.datetime) -> dict[str, t.Any]:
    """The tags of a task as they are: ``statuses`` by key, and its ``backfill`` where it wants one."""
    statuses = {key: tag["status"] for key, tag in found.tags.items()}
    if wanted.backfill_from is None:
        return {"statuses": statuses}
    return {"statuses": statuses, "backfill": _done(found, wanted) or _missing(found, wanted, now)}


def plan(found: Found, wanted: Wanted, region: str, now: datetime.datetime) -> Plan:
    """The calls that are to be made; keys that are pending are left for a later run.

    :param region: of the service
    :raises AnsibleAWSError: a backfill is to be made from a month that AWS does not go back to
    """
    before = resource_of(found, wanted, now)
    after = dict(before)
    changes = []
    keys = wanted.differing(found)
    if keys:
        after["statuses"] = {**before["statuses"], **dict.fromkeys(keys, wanted.state)}
        verb = "activate" if wanted.state == ACTIVE else "deactivate"
        changes.append(
            Change(
                f"{verb} the cost allocation tag{'s' if len(keys) > 1 else ''} {', '.join(keys)}",
                "ce",
                "update_cost_allocation_tags_status",
                region=region,
                function=lambda connection: update(connection, region, keys, wanted.state),
            )
        )
    if wanted.backfill_from is not None and (keys or _done(found, wanted) is None):
        check_backfill_age("backfill.from", wanted.backfill_from, now.date())
        after["backfill"] = _missing(found, wanted, now)
        if after["backfill"]["state"] == "absent":
            after["backfill"] = _state(wanted, "running")
            changes.append(_start(wanted.backfill_from, region))
    return Plan(before, after, changes)


def _done(found: Found, wanted: Wanted) -> dict[str, t.Any] | None:
    """The backfill that has what the task wants, ``None`` when there is none.

    AWS writes the activation of the moment in which it is asked, so one that was asked for before a key was changed
    counts as little as one that failed. One from an earlier month has the later ones too.
    """
    if wanted.pending(found):
        return None
    changed = max((moment(tag["last_updated_date"]) for tag in found.tags.values()), default=moment(None))
    for backfill in found.backfills:
        covers = backfill["from"] <= wanted.backfill_from and moment(backfill["requested_at"]) >= changed
        if covers and backfill["status"] in ("PROCESSING", "SUCCEEDED"):
            state = "done" if backfill["status"] == "SUCCEEDED" else "running"
            return _state(wanted, state, requested_at=backfill["requested_at"], completed_at=backfill["completed_at"])
    return None


def _missing(found: Found, wanted: Wanted, now: datetime.datetime) -> dict[str, t.Any]:
    """A backfill that is not there, with the reason why it cannot be asked for now; none when it can."""
    pending = wanted.pending(found)
    running = [backfill for backfill in found.backfills if backfill["status"] == "PROCESSING"]
    next_time = max((moment(backfill["requested_at"]) + _DAY for backfill in found.backfills[:1]), default=now)
    reason = None
    if pending:
        reason = f"billing has not seen {', '.join(pending)} yet, and a backfill would leave that out"
    elif running:
        reason = f"the backfill from {running[0]['from']} is running, and AWS does one at a time"
    elif next_time > now:
        asked = found.backfills[0]["requested_at"]
        reason = f"AWS does one backfill in 24 hours, and the last one was asked for at {asked}"
    return _state(wanted, "waiting" if reason else "absent", reason=reason)


def _state(wanted: Wanted, state: str, **known: str | None) -> dict[str, t.Any]:
    nothing = dict.fromkeys(("reason", "requested_at", "completed_at"))
    return {"from": wanted.backfill_from, "state": state, **nothing, **known}


def _start(start: str, region: str) -> Change:
    return Change(
        f"start the backfill of cost allocation tags from {start}",
        "ce",
        "start_cost_allocation_tag_backfill",
        {"BackfillFrom": f"{start}T00:00:00Z"},
        region,
        hints=_LIMITS,
    )
