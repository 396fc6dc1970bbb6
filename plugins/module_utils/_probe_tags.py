# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The link from billing data to a tag: a bounded query returns what a tagged resource costs, or the cause is named."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ._probe_billing import Athena, months_condition
from ._probe_links import Link, ok, pending
from .tag_scheme import GROUPS, column

_RESOURCE, _COST = "line_item_resource_id", "line_item_unblended_cost"
_ACTIVATE = "Activate them in the account that pays (playbook kubestrap.aws.out_of_cluster_costs)"


@dataclasses.dataclass(frozen=True)
class Tags:
    """The tags by which costs are to be assigned.

    :ivar keys: as they are on resources. Those by which Kubecost knows the cluster's own resources prove nothing here
    :ivar active: key -> since when, empty where nobody tells; ``None`` when nobody has looked
    :ivar pending: keys that billing has not seen on any resource
    """

    keys: tuple[str, ...]
    active: t.Mapping[str, str] | None = None
    pending: tuple[str, ...] = ()

    @property
    def assigning(self) -> list[str]:
        """The keys that assign resources outside the cluster."""
        return [key for key in self.keys if key not in GROUPS["eks"] and not key.startswith("aws:")]

    def in_table(self, columns: t.Collection[str]) -> dict[str, str]:
        """Column -> key, of those that the table has. Keys that share a column are one."""
        return {column(key): key for key in reversed(self.assigning) if column(key) in columns}


def tags_sql(athena: Athena, columns: t.Sequence[str], partitions: t.Sequence[str], today: datetime.date) -> str:
    """The query: the dearest resource with one of the tags, of this month's and the last month's partition.

    It reads all columns that the workload needs, so that its row proves these too.
    """
    quoted = [f'"{name}"' for name in columns]
    tagged = " OR ".join(f"{name} <> ''" for name in quoted)
    months = months_condition(partitions, today)
    where = f"({months}) AND ({tagged})" if months else f"({tagged})"
    of = ", ".join([f'"{_RESOURCE}"', *quoted])
    others = "".join(f', max("{name}") AS "{name}"' for name in athena.required_columns if name != _RESOURCE)
    return (
        f'SELECT {of}, sum("{_COST}") AS "cost"{others} FROM "{athena.database}"."{athena.table}" '
        f'WHERE {where} GROUP BY {of} ORDER BY "cost" DESC LIMIT 1'
    )


def no_columns_link(tags: Tags, athena: Athena) -> Link:
    """The table has no column of a tag that assigns costs: why."""
    detail = f"The table {athena.name} has no column of a tag by which Kubecost assigns resources outside the cluster"
    if not tags.assigning:
        return pending("tags", detail, "no such tag is asked for", "Name groups or keys (cost_allocation_tags_groups)")
    active = [key for key in tags.assigning if key in (tags.active or {})]
    if active:
        since = ", ".join(f"{key} (since {(tags.active or {})[key] or 'an unknown time'})" for key in active)
        return pending(
            "tags",
            detail,
            f"active, and not in the billing data yet: {since}. AWS takes up to 24 hours, and writes a column once a "
            "resource with the tag is billed",
            "Run this again after the next delivery",
        )
    if tags.active is None:
        return pending("tags", detail, "not one of them is active as a cost allocation tag, or none is used", _ACTIVATE)
    if [key for key in tags.assigning if key not in tags.pending]:
        return pending("tags", detail, "not one of them is active as a cost allocation tag", _ACTIVATE)
    return pending(
        "tags",
        detail,
        "billing has not seen one of them on any resource, so none can be activated",
        f"Tag resources outside the cluster, for example with {tags.assigning[0]}; AWS shows a key up to 24 hours "
        "after its first use. Run this again then",
    )


def tags_link(rows: t.Sequence[t.Mapping[str, t.Any]], tags: Tags, columns: t.Collection[str], athena: Athena) -> Link:
    """What the query returned.

    :param rows: none, or one
    :param columns: that were asked for
    """
    found = tags.in_table(columns)
    if not rows:
        return pending(
            "tags",
            f"The query of {athena.name} over {len(found)} tags works; no resource has one of them",
            f"nothing with the tags {', '.join(found.values())} was billed this month or the last one",
            "Tag resources outside the cluster; their cost is assigned from the next delivery on",
        )
    row = dict(rows[0])
    values = ", ".join(f"{key}={row[name]}" for name, key in found.items() if row.get(name))
    cost = float(row.get("cost") or 0)
    return ok("tags", f"Athena returned what {row.get(_RESOURCE) or 'a resource'} costs: {cost:.2f} under {values}")
