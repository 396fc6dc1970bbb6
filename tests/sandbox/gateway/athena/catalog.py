# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Glue catalog as a query sees it: with the rights of the caller."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from .. import authorize
from ..call import Call
from ..resource_arns import resources_of
from .errors import QueryFailed, glue_denied
from .hive_types import trino_type

# What a service does on the caller's behalf carries these keys (AWS global condition keys).
ON_BEHALF = {
    "aws:CalledVia": ["athena.amazonaws.com"],
    "aws:CalledViaFirst": "athena.amazonaws.com",
    "aws:CalledViaLast": "athena.amazonaws.com",
    "aws:ViaAWSService": "true",
}
_VIEW = re.compile(r"/\*\s*Presto View:\s*([A-Za-z0-9+/=]+)\s*\*/")


class Catalog:
    """Databases and tables of the caller's account and region; each look is authorized."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def demand(self, operation: str, **params: Any) -> None:
        """QueryFailed when the caller may not make this Glue call."""
        call = self._call
        for resource in resources_of("glue", operation, params, call.region, call.account_id):
            denied = authorize.check(call, f"glue:{operation}", resource, ON_BEHALF)
            if denied is not None:
                raise glue_denied(denied)

    def table(self, database: str, name: str, place: str) -> Mapping[str, Any]:
        """A Glue table; `place` (line 1:15) is where the query names it."""
        from ministack.services import glue

        self.demand("GetDatabase", Name=database)
        if database not in glue._databases:
            raise QueryFailed(f"SCHEMA_NOT_FOUND: {place}: Schema '{database}' does not exist")
        self.demand("GetTable", DatabaseName=database, Name=name)
        found = glue._tables.get(f"{database}/{name}")
        if found is None:
            raise QueryFailed(f"TABLE_NOT_FOUND: {place}: Table 'awsdatacatalog.{database}.{name}' does not exist")
        return found

    def partitions(self, table: Mapping[str, Any]) -> list[tuple[dict[str, str], str]]:
        """The registered partitions: values by column, and the location."""
        from ministack.services import glue

        database, name = table["DatabaseName"], table["Name"]
        self.demand("GetPartitions", DatabaseName=database, TableName=name)
        keys = [key["Name"].lower() for key in table.get("PartitionKeys") or []]
        base = (table.get("StorageDescriptor") or {}).get("Location", "").rstrip("/")
        found = []
        for entry in glue._partitions.get(f"{database}/{name}", []):
            values = dict(zip(keys, entry.get("Values", []), strict=False))
            folders = "/".join(f"{key}={value}" for key, value in values.items())
            found.append((values, (entry.get("StorageDescriptor") or {}).get("Location") or f"{base}/{folders}/"))
        return found

    def information_schema(
        self, relation: str, database: str | None, table: str | None
    ) -> tuple[list[str], list[tuple]]:
        """Columns and rows of an information_schema relation, narrowed to a database and table that the query names."""
        from ministack.services import glue

        if database and table:
            self.demand("GetDatabase", Name=database)
            self.demand("GetTable", DatabaseName=database, Name=table)
        elif database:
            self.demand("GetDatabase", Name=database)
            self.demand("GetTables", DatabaseName=database)
        else:
            self.demand("GetDatabases")
        names = [database] if database else sorted(glue._databases.keys())
        tables = [
            found
            for name in names
            for key, found in sorted(glue._tables.items())
            if key.startswith(f"{name}/") and name in glue._databases and (not table or key == f"{name}/{table}")
        ]
        if relation == "schemata":
            return ["catalog_name", "schema_name"], [
                ("awsdatacatalog", name) for name in names if name in glue._databases
            ]
        if relation == "tables":
            return (
                ["table_catalog", "table_schema", "table_name", "table_type"],
                [
                    (
                        "awsdatacatalog",
                        found["DatabaseName"],
                        found["Name"],
                        "VIEW" if view_sql(found) is not None else "BASE TABLE",
                    )
                    for found in tables
                ],
            )
        if relation != "columns":
            raise QueryFailed(
                f"TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.information_schema.{relation}' does not exist"
            )
        names = [
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "ordinal_position",
            "column_default",
            "is_nullable",
            "data_type",
            "comment",
            "extra_info",
        ]
        rows = []
        for found in tables:
            keys = {key["Name"].lower() for key in found.get("PartitionKeys") or []}
            for number, (column, kind) in enumerate(columns_of(found).items(), 1):
                rows.append(
                    (
                        "awsdatacatalog",
                        found["DatabaseName"],
                        found["Name"],
                        column,
                        number,
                        None,
                        "YES",
                        trino_type(kind),
                        None,
                        "partition key" if column in keys else None,
                    )
                )
        return names, rows


def columns_of(table: Mapping[str, Any]) -> dict[str, str]:
    """Column -> Hive type of a Glue table, partition columns last."""
    listed = ((table.get("StorageDescriptor") or {}).get("Columns") or []) + (table.get("PartitionKeys") or [])
    return {column["Name"].lower(): column.get("Type") or "string" for column in listed}


def view_sql(table: Mapping[str, Any]) -> str | None:
    """The query of a view that Athena made, None for a table."""
    if table.get("TableType") != "VIRTUAL_VIEW":
        return None
    found = _VIEW.search(table.get("ViewOriginalText") or "")
    if found is None:
        raise QueryFailed(
            f"INVALID_VIEW: View 'awsdatacatalog.{table['DatabaseName']}.{table['Name']}' is no Presto view"
        )
    return json.loads(base64.b64decode(found.group(1)))["originalSql"]
