# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far cost allocation tags have come: used, active, in the billing data. Pure: no call.

Times of AWS: a key can be activated up to 24 hours after its first use, and is in reports up to 24 hours after that
(AWS Billing user guide, "Activating user-defined cost allocation tags").
"""

from __future__ import annotations

import datetime
import typing as t

from .tag_scheme import column

_ACTIVE = "active"
_TWO_DAYS = datetime.timedelta(days=2)


def facts(
    keys: t.Sequence[str],
    tags: t.Sequence[t.Mapping[str, t.Any]],
    now: datetime.datetime,
    statuses: t.Mapping[str, str] | None = None,
    own: t.Sequence[str] = (),
    columns: t.Sequence[str] | None = None,
    backfill: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """What is known of the keys that are to be active.

    :param keys: all of them
    :param tags: what billing knew of its keys, as ``ce_cost_allocation_tag_info`` returns it
    :param statuses: key -> status after the run, where it was touched
    :param own: the keys that the user asks for by name
    :param columns: of the table over the report; ``None`` when nothing was delivered, or nobody has looked
    :param backfill: as ``ce_cost_allocation_tag`` returns it, ``None`` when none is wanted
    :returns: ``active`` (key -> since when, empty where AWS does not say), ``pending`` (not seen by billing),
        ``inactive`` (seen, and not active), ``missing`` (key -> since when; active, and not in the billing data),
        ``columns`` (key -> its column, of the other active ones), ``state`` (``done`` or ``pending``) and ``notes``
    """
    known = {tag["tag_key"]: tag for tag in tags}
    after = {key: tag["status"] for key, tag in known.items()} | dict(statuses or {})
    active = {key: _since(known.get(key), now) for key in keys if after.get(key) == _ACTIVE}
    pending = [key for key in keys if key not in after]
    there = None if columns is None else set(columns)
    missing = {key: since for key, since in active.items() if there is not None and column(key) not in there}
    found = {key: column(key) for key in active if there is not None and key not in missing}
    waits = bool(backfill) and backfill.get("state") != "done"
    awaited = [key for key in own if key in pending]
    return {
        "active": active,
        "pending": pending,
        "inactive": [key for key in keys if after.get(key, _ACTIVE) != _ACTIVE],
        "missing": missing,
        "columns": found,
        "state": "pending" if awaited or not active or _new(missing, now) or waits else "done",
        "notes": [
            *_pending_notes(pending),
            *_missing_notes(missing, now),
            *_backfill_notes(backfill),
        ],
    }


def _since(tag: t.Mapping[str, t.Any] | None, now: datetime.datetime) -> str:
    if tag is None or tag["status"] != _ACTIVE:
        return f"{now:%Y-%m-%dT%H:%M:%SZ}"  # by this run
    return tag.get("last_updated_date") or ""


def _new(missing: t.Mapping[str, str], now: datetime.datetime) -> list[str]:
    """Of those, the keys whose column AWS may still have to write. One that nobody uses any more never has one."""
    at = {key: datetime.datetime.fromisoformat(since) for key, since in missing.items() if since}
    return [key for key, since in at.items() if now - since <= _TWO_DAYS]


def _pending_notes(pending: t.Sequence[str]) -> list[str]:
    if not pending:
        return []
    return [
        f"Cost allocation tags that billing has not seen on any resource yet: {', '.join(pending)}. Nothing is wrong: "
        "tag resources with those that you need; AWS shows a key up to 24 hours after its first use, and a run after "
        "that activates it."
    ]


def _missing_notes(missing: t.Mapping[str, str], now: datetime.datetime) -> list[str]:
    if not missing:
        return []
    new = _new(missing, now)
    notes = []
    for keys, why in (
        (new, "AWS takes up to 24 hours to write them. Run this again after the next delivery."),
        (
            [key for key in missing if key not in new],
            "No resource that was billed since then carries them. Look at the spelling, or tag resources with them.",
        ),
    ):
        if keys:
            told = ", ".join(f"{key} (since {missing[key] or 'an unknown time'})" for key in keys)
            notes.append(f"Cost allocation tags that are active, and not in the billing data yet: {told}. {why}")
    return notes


def _backfill_notes(backfill: t.Mapping[str, t.Any] | None) -> list[str]:
    state = (backfill or {}).get("state")
    if state == "waiting":
        return [f"The backfill from {backfill['from']} waits: {backfill['reason']}. Run this again later."]
    if state == "running":
        asked = f", asked for at {backfill['requested_at']}," if backfill.get("requested_at") else ""
        return [f"The backfill from {backfill['from']}{asked} is running, which takes AWS up to 24 hours."]
    return []
