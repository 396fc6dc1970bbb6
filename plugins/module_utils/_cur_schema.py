# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Columns of Cost and Usage Reports (CUR 1.0): those that Kubecost and OpenCost query, and those of a manifest.

A column of a report is a category and a name (``lineItem/UsageStartDate``); Athena knows it by one lower-case name
(``line_item_usage_start_date``; AWS Cost and Usage Reports guide, "Column names"). Types are those of Glue.
"""

from __future__ import annotations

import re
import typing as t

Columns = list[dict[str, str]]  # name, type

# Without one of these the main query fails with COLUMN_NOT_FOUND (OpenCost: athenaintegration.go).
KUBECOST_REQUIRED_COLUMNS = (
    "line_item_usage_start_date",
    "line_item_resource_id",
    "bill_payer_account_id",
    "line_item_usage_account_id",
    "line_item_product_code",
    "line_item_usage_type",
    "product_region_code",
    "line_item_availability_zone",
    "line_item_line_item_type",
    "line_item_unblended_cost",
)
# Used where the table has them, with those above as fallback where a row has no value.
KUBECOST_OPTIONAL_COLUMNS = (
    "line_item_net_unblended_cost",
    "reservation_effective_cost",
    "reservation_net_effective_cost",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_net_savings_plan_effective_cost",
)
# Of every report, and useful to whoever looks into one.
_FURTHER_COLUMNS = (
    "identity_line_item_id",
    "identity_time_interval",
    "bill_billing_period_start_date",
    "bill_billing_period_end_date",
    "line_item_usage_end_date",
    "line_item_usage_amount",
    "line_item_operation",
    "line_item_currency_code",
    "line_item_line_item_description",
    "product_product_name",
    "pricing_term",
    "pricing_unit",
)

PARTITION_KEYS: Columns = [{"name": "year", "type": "string"}, {"name": "month", "type": "string"}]

# Type of a manifest -> type of Glue, for what is no text. The first ones are Athena's, which stand in manifests of
# Parquet reports; those of CSV reports have DateTime, BigDecimal and OptionalBigDecimal.
_TYPES = {
    "timestamp": "timestamp",
    "double": "double",
    "float": "float",
    "bigint": "bigint",
    "int": "int",
    "datetime": "timestamp",
    "bigdecimal": "double",
}


def _type_of(name: str) -> str:
    """The type of a column of the base set; AWS makes them follow from the name."""
    if name.endswith("_date"):
        return "timestamp"
    return "double" if name.endswith(("_cost", "_amount")) else "string"


def base_columns() -> Columns:
    """The columns that a table has before AWS has delivered anything."""
    names = (*KUBECOST_REQUIRED_COLUMNS, *KUBECOST_OPTIONAL_COLUMNS, *_FURTHER_COLUMNS)
    return [{"name": name, "type": _type_of(name)} for name in names]


def athena_name(name: str) -> str:
    """A column of a report (``resourceTags/user:Name``) as Athena knows it (``resource_tags_user_name``).

    AWS' rule: an underscore before each capital, lower case, everything that is no letter or digit is an underscore,
    several underscores are one, none at the ends.
    """
    spaced = re.sub(r"([A-Z])", r"_\1", name).lower()
    return re.sub(r"_+", "_", re.sub(r"[^0-9a-z]", "_", spaced)).strip("_")


def manifest_columns(manifest: t.Mapping[str, t.Any]) -> Columns:
    """The columns that a manifest (``REPORT-Manifest.json``) lists, with the names and types of the table.

    Names that are the same for Athena are one column (tags ``Team`` and ``team``), and partition keys are none.

    :raises ValueError: it is no manifest
    """
    entries = manifest.get("columns")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry.get("name") for entry in entries):
        raise ValueError("it lists no columns")
    keys = {key["name"] for key in PARTITION_KEYS}
    columns: dict[str, str] = {}
    for entry in entries:
        name = _column_name(str(entry.get("category") or ""), str(entry["name"]))
        if name not in keys:
            columns.setdefault(name, _glue_type(str(entry.get("type") or "string")))
    return [{"name": name, "type": kind} for name, kind in columns.items()]


def merge_columns(current: Columns, delivered: Columns) -> Columns:
    """The columns that a table shall have: its own first, in their order, then the base set, then the delivered ones.

    No column is lost. One that AWS has delivered gets the type of the base set where it is there, else that of the
    manifest; others keep theirs.
    """
    base = {column["name"]: column["type"] for column in base_columns()}
    types = base | {column["name"]: column["type"] for column in current}
    types |= {column["name"]: base.get(column["name"], column["type"]) for column in delivered}
    order = dict.fromkeys(column["name"] for column in (*current, *base_columns(), *delivered))
    return [{"name": name, "type": types[name]} for name in order]


def _column_name(category: str, name: str) -> str:
    """Manifests of Parquet reports have whole Athena names, those of CSV reports a category and the rest."""
    prefix = athena_name(category)
    if re.fullmatch(r"[a-z0-9_]+", name) and name.startswith(f"{prefix}_"):
        return name
    return athena_name(f"{category}/{name}")


def _glue_type(kind: str) -> str:
    """Glue's type for one of a manifest; what is neither a number nor a time is a text."""
    kind = kind.lower().removeprefix("optional")
    if re.fullmatch(r"decimal\(\d+, ?\d+\)", kind):
        return kind
    return _TYPES.get(kind, "string")
