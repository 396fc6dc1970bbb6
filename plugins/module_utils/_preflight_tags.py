# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cost allocation tags before the first write: which keys are meant, which are known, whether anything is to be done.

Options are called by the variables of the role ``cost_allocation_tags``, which the findings name.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._connection import AwsConnection
from ._cost_allocation_tags import (
    Found,
    check_backfill_age,
    check_backfill_from,
    check_tag_keys,
    read_backfills,
    read_tags,
    service_region,
)
from ._cost_allocation_tags_plan import Wanted, plan, resource_of
from ._errors import explain
from ._plan import gather
from ._preflight_names import problems_of
from .tag_scheme import keys

OPTION = "cost_allocation_tags"


@dataclasses.dataclass(frozen=True)
class WantedTags:
    """What the role is asked for.

    :ivar keys: the user's own
    :ivar state: ``active`` or ``inactive``
    :ivar backfill_from: the first of a month, empty for none
    """

    groups: tuple[str, ...]
    labels: bool = True
    keys: tuple[str, ...] = ()
    state: str = "active"
    backfill_from: str = ""

    def check(self, today: datetime.date) -> list[str]:
        """Problems of the input, one sentence each; no call."""
        problems = problems_of(lambda: check_tag_keys(f"{OPTION}_keys", self.keys))
        problems += problems_of(lambda: keys([], self.groups))
        option = f"{OPTION}_backfill_from"
        if self.backfill_from:
            problems += problems_of(lambda: check_backfill_from(option, self.backfill_from, today))
        return problems


def look(
    connection: AwsConnection, wanted: WantedTags, now: datetime.datetime
) -> tuple[dict[str, t.Any] | None, list[str]]:
    """What billing knows, and what is wrong (ListCostAllocationTags; with a backfill its history too).

    :returns: ``tags`` (of ``wanted_keys``, as ``ce_cost_allocation_tag_info`` returns them), ``wanted_keys`` (all that
        are meant), ``known_keys`` (those of them that can be set now, and the user's own), ``resource`` (as
        ``ce_cost_allocation_tag`` returns it) and ``changes`` (of a run, sentences); ``None`` beside a problem
    """
    problems = wanted.check(now.date())
    if problems:
        return None, problems
    try:
        region = service_region(connection)
        reads: dict[str, t.Callable[[], t.Any]] = {"tags": lambda: read_tags(connection, region)}
        if wanted.backfill_from:
            reads["backfills"] = lambda: read_backfills(connection, region)
        found = gather(reads)
        return judge(found["tags"], found.get("backfills", []), wanted, region, now), []
    except AnsibleAWSError as e:
        reason = explain(e.exception) if e.exception else None
        return None, [f"{OPTION}: {reason + ': ' if reason else ''}{e}"]


def judge(
    tags: t.Sequence[dict[str, t.Any]],
    backfills: list[dict[str, t.Any]],
    wanted: WantedTags,
    region: str,
    now: datetime.datetime,
) -> dict[str, t.Any]:
    """What follows from what billing knows; see ``look``.

    :raises AnsibleAWSError: a backfill is to be made from a month that AWS does not go back to
    """
    seen = [tag["tag_key"] for tag in tags]
    all_keys, known_keys = (
        keys(seen, wanted.groups, wanted.labels, wanted.keys, known_only=known_only) for known_only in (False, True)
    )
    by_key = {tag["tag_key"]: tag for tag in tags if tag["tag_key"] in all_keys}
    found = Found({key: by_key[key] for key in known_keys if key in by_key}, backfills)
    start = wanted.backfill_from or None
    task = Wanted(tuple(known_keys), wanted.state, start if wanted.state == "active" else None)
    if task.backfill_from and task.pending(found):
        # It would be refused when the keys are there.
        check_backfill_age(f"{OPTION}_backfill_from", task.backfill_from, now.date())
    planned = plan(found, task, region, now)
    return {
        "tags": list(by_key.values()),
        "wanted_keys": all_keys,
        "known_keys": known_keys,
        "resource": resource_of(found, task, now),
        "changes": [change.summary for change in planned.changes],
    }
