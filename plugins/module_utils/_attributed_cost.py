# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The query for how much of the cost tags assign. Pure.

It reads the partitions of a few months, and of them the columns of cost and tags only; Parquet has each column by
itself. What counts as within a cluster is what OpenCost takes for it, and so are the types of line items (OpenCost:
athenaintegration.go).
"""

from __future__ import annotations

import datetime
import typing as t

from ._identifiers import refuse
from .tag_scheme import GROUPS, LABEL_PREFIX, column

_COST = "line_item_unblended_cost"
_LINES = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "EdpDiscount", "PrivateRateDiscount")
_MOST_MONTHS = 13
_LABELS = column(LABEL_PREFIX + "x").removesuffix("x")


def query(columns: t.Collection[str], database: str, table: str, months: int, today: datetime.date) -> str:
    """One row a month with ``year``, ``month``, ``total``, ``in_clusters`` and ``attributed`` (outside of clusters).

    :param columns: of the table
    :param months: how many, the present one among them
    :raises AnsibleAWSError: the table has no cost, or the number of months is none
    """
    for option, name in (("database", database), ("table", table)):
        if not name or '"' in name:
            refuse(option, name, "is no name", "Write the name that Glue shows")
    if not 1 <= months <= _MOST_MONTHS:
        refuse("months", months, "is no number of months", f"Write 1 to {_MOST_MONTHS}; each one costs a scan")
    if _COST not in columns:
        refuse("table", table, f"has no column {_COST}", "Name a table over a Cost and Usage Report")
    inside = " OR ".join(["line_item_product_code = 'AmazonEKS'", *_given(columns, GROUPS["eks"])])
    keys = (*GROUPS["guide"], *GROUPS["newer"])
    labels = [_filled(name) for name in sorted(columns) if name.startswith(_LABELS)]
    outside = " OR ".join([*_given(columns, keys), *labels]) or "FALSE"
    partitions = " OR ".join(f"(\"year\" = '{year}' AND \"month\" = '{month}')" for year, month in _last(months, today))
    lines = ", ".join(f"'{each}'" for each in _LINES)
    return (
        f'SELECT "year", "month", SUM({_COST}) AS total, '
        f"SUM(CASE WHEN {inside} THEN {_COST} ELSE 0 END) AS in_clusters, "
        f"SUM(CASE WHEN NOT ({inside}) AND ({outside}) THEN {_COST} ELSE 0 END) AS attributed "
        f'FROM "{database}"."{table}" '
        f"WHERE ({partitions}) AND line_item_line_item_type IN ({lines}) "
        f'GROUP BY "year", "month" ORDER BY CAST("year" AS INTEGER), CAST("month" AS INTEGER)'
    )


def _given(columns: t.Collection[str], keys: t.Iterable[str]) -> list[str]:
    """That a tag has a value, for each of which the table has the column."""
    return [_filled(name) for name in dict.fromkeys(map(column, keys)) if name in columns]


def _filled(name: str) -> str:
    return f"COALESCE({name}, '') <> ''"


def _last(months: int, today: datetime.date) -> list[tuple[int, int]]:
    """Year and month of the last months, oldest first."""
    last = today.year * 12 + today.month - 1
    return [(index // 12, index % 12 + 1) for index in range(last - months + 1, last + 1)]
