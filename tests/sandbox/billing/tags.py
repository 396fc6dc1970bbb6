# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost allocation tags: which keys billing has seen, which are activated, and the backfills that were asked for.

They belong to the account that pays: a member's are those of its management account. The payer of a fresh sandbox has
had the sandbox' own keys activated long ago (`columns.OWN_TAGS`); every other key is unknown until a delivery has a
resource with it, or `play` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

from .columns import OWN_TAGS

# AWS shows this one in every account.
CREATED_BY = "aws:createdBy"
ACTIVE, INACTIVE = "Active", "Inactive"
PROCESSING, SUCCEEDED, FAILED = "PROCESSING", "SUCCEEDED", "FAILED"
_DAY = timedelta(hours=24)


@dataclass
class Tag:
    """A key that billing has seen."""

    key: str
    status: str = INACTIVE
    updated: datetime | None = None
    used: date | None = None

    @property
    def type(self) -> str:
        """AWS' own keys begin with `aws:`; no user can write one."""
        return "AWSGenerated" if self.key.startswith("aws:") else "UserDefined"

    @property
    def document(self) -> dict[str, str]:
        """The tag as ListCostAllocationTags shows it; the month of its last use as its first day."""
        found = {"TagKey": self.key, "Type": self.type, "Status": self.status}
        if self.updated:
            found["LastUpdatedDate"] = moment(self.updated)
        if self.used:
            found["LastUsedDate"] = f"{self.used:%Y-%m}-01T00:00:00Z"
        return found


@dataclass
class Backfill:
    """One request to write the present activation into months that are over."""

    start: str
    requested: datetime
    status: str = PROCESSING
    updated: datetime | None = None

    @property
    def document(self) -> dict[str, str]:
        """The request as AWS shows it."""
        found = {
            "BackfillFrom": self.start,
            "RequestedAt": moment(self.requested),
            "BackfillStatus": self.status,
            "LastUpdatedAt": moment(self.updated or self.requested),
        }
        return found if self.status == PROCESSING else {**found, "CompletedAt": found["LastUpdatedAt"]}


@dataclass
class Tags:
    """What one paying account has. `refusals`: key -> (code, message) that an update of it gets."""

    keys: dict[str, Tag] = field(default_factory=dict)
    backfills: list[Backfill] = field(default_factory=list)
    refusals: dict[str, tuple[str, str]] = field(default_factory=dict)

    def see(self, keys: Iterable[str], day: date | None = None) -> None:
        """Billing meets these keys on resources; with `day`, in the usage of that day."""
        for key in keys:
            tag = self.keys.setdefault(key, Tag(key))
            tag.used = max(filter(None, (tag.used, day)), default=None)

    @property
    def active(self) -> tuple[str, ...]:
        """The activated keys, in the order in which billing met them."""
        return tuple(tag.key for tag in self.keys.values() if tag.status == ACTIVE)

    def let_pass(self, hours: float, now: datetime) -> None:
        """Time goes by: what was asked for is that much older, and backfills of more than a day ago are done."""
        for backfill in self.backfills:
            backfill.requested -= timedelta(hours=hours)
            if backfill.updated:
                backfill.updated -= timedelta(hours=hours)
            if backfill.status == PROCESSING and now - backfill.requested >= _DAY:
                backfill.status, backfill.updated = SUCCEEDED, backfill.requested + _DAY
        for tag in self.keys.values():
            if tag.updated:
                tag.updated -= timedelta(hours=hours)

    def end_backfill(self, status: str, now: datetime) -> None:
        """The backfill that runs ends."""
        running = [backfill for backfill in self.backfills if backfill.status == PROCESSING]
        if not running or status not in (SUCCEEDED, FAILED):
            raise ValueError(f"no backfill runs, or {status} is neither {SUCCEEDED} nor {FAILED}")
        running[0].status, running[0].updated = status, now


_accounts: dict[str, Tags] = {}


def of(account_id: str) -> Tags:
    """The tags of a paying account."""
    if account_id not in _accounts:
        own = {key: Tag(key, ACTIVE) for key in OWN_TAGS}
        _accounts[account_id] = Tags({**own, CREATED_BY: Tag(CREATED_BY)})
    return _accounts[account_id]


@dataclass
class Play:
    """Body of POST /_sandbox/cost-allocation-tags.

    `reset`: the account forgets everything, the sandbox' own keys too. `seen`: keys that billing has met on resources.
    `hours` go by. `backfill`: how the one that runs ends, SUCCEEDED or FAILED. `refuse`: key -> [code, message] of the
    error that updates of the key get from now on.
    """

    account_id: str
    reset: bool = False
    seen: list[str] = field(default_factory=list)
    hours: float = 0
    backfill: str | None = None
    refuse: dict[str, list[str]] | None = None


def play(body: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a request says, and return what the account has then. ValueError: the request is wrong."""
    known = {entry.name for entry in fields(Play)}
    if unknown := sorted(set(body) - known):
        raise ValueError(f"it does not know {', '.join(unknown)}; it knows {', '.join(sorted(known))}")
    request, now = Play(**body), datetime.now(UTC)
    if request.reset:
        _accounts[request.account_id] = Tags({CREATED_BY: Tag(CREATED_BY)})
    tags = of(request.account_id)
    tags.see(request.seen)
    tags.let_pass(request.hours, now)
    if request.backfill:
        tags.end_backfill(request.backfill, now)
    if request.refuse is not None:
        tags.refusals = {key: (code, message) for key, (code, message) in request.refuse.items()}
    return {
        "tags": [tag.document for tag in tags.keys.values()],
        "backfills": [backfill.document for backfill in tags.backfills],
    }


def moment(value: datetime) -> str:
    """A time as this API writes it."""
    return f"{value:%Y-%m-%dT%H:%M:%SZ}"
