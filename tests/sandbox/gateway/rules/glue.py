# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Glue Data Catalog: rights on every level, and the refusals that MiniStack 1.5.33 leaves out.

AWS Glue guide: names are stored in lower case; a caller needs a right on the object and all that it lies in (catalog,
database, table).
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..aws_errors import access_denied, aws_error
from ..call import Call, Response
from ..resource_arns import install, resources_of
from .registry import after, before

_OF_TABLE = (
    "CreatePartition",
    "BatchCreatePartition",
    "GetPartition",
    "GetPartitions",
    "BatchGetPartition",
    "DeletePartition",
    "BatchUpdatePartition",
    "UpdatePartition",
    "BatchDeletePartition",
)


def setup(_gateway: Any) -> None:
    """Authorize Glue, Athena and cur on the resources that AWS authorizes them on."""
    install()


@before("glue", "*", order=5)
def every_level(call: Call, gateway: Any) -> Response | None:
    """The first resource has been checked; the deeper ones are here."""
    for resource in resources_of("glue", call.operation, call.params, call.region, call.account_id)[1:]:
        denied = gateway.authorize(call, f"glue:{call.operation}", resource)
        if denied is not None:
            return access_denied(call, denied.action, denied.resource)
    return None


@before("glue", "*", order=1)
def names_in_lower_case(call: Call, _gateway: Any) -> None:
    """The catalog folds the names of databases and tables; MiniStack's stores are case-sensitive."""
    if not re.fullmatch(r".*(Database|Databases|Table|Tables|Partition|Partitions)", call.operation):
        return
    for holder in (call.params, call.params.get("DatabaseInput"), call.params.get("TableInput")):
        for name in ("Name", "DatabaseName", "TableName"):
            if isinstance(holder, dict) and isinstance(holder.get(name), str):
                holder[name] = holder[name].lower()
    if call.operation == "UpdateTable":
        # An update replaces the whole table; MiniStack keeps what the input does not name.
        given = call.params.get("TableInput") or {}
        for name, empty in (
            ("Parameters", {}),
            ("PartitionKeys", []),
            ("StorageDescriptor", {}),
            ("Description", ""),
            ("Owner", ""),
            ("ViewOriginalText", None),
            ("ViewExpandedText", None),
        ):
            given.setdefault(name, empty)
    if call.params != json.loads(call.body or b"{}"):
        call.body = json.dumps(call.params).encode()


@before("glue", "CreateDatabase", "CreateTable", "UpdateTable", "UpdateDatabase")
def refuse_bad_input(call: Call, _gateway: Any) -> Response | None:
    """Names are not empty; a column is there once, and a partition key is no column."""
    given = call.params.get("DatabaseInput") or call.params.get("TableInput") or {}
    name = given.get("Name")
    if not name or len(name) > 255:
        return aws_error(call, "InvalidInputException", "Name must be 1 to 255 characters long")
    columns = [column.get("Name", "").lower() for column in (given.get("StorageDescriptor") or {}).get("Columns") or []]
    keys = [column.get("Name", "").lower() for column in given.get("PartitionKeys") or []]
    twice = sorted({entry for entry in columns + keys if (columns + keys).count(entry) > 1})
    if twice:
        return aws_error(call, "InvalidInputException", f"Duplicate columns: {', '.join(twice)}")
    return None


@before("glue", "GetTables", "DeleteTable", "GetTable", "UpdateTable", "BatchDeleteTable")
def database_must_exist(call: Call, _gateway: Any) -> Response | None:
    """A database that is not there."""
    from ministack.services import glue

    name = call.params.get("DatabaseName")
    if name in glue._databases:
        return None
    return aws_error(call, "EntityNotFoundException", f"Database {name} not found.")


@before("glue", *_OF_TABLE)
def table_must_exist(call: Call, _gateway: Any) -> Response | None:
    """Partitions belong to a table that is there."""
    from ministack.services import glue

    database, name = call.params.get("DatabaseName"), call.params.get("TableName")
    if f"{database}/{name}" in glue._tables:
        return None
    return aws_error(call, "EntityNotFoundException", f"Entity Not Found: table {database}.{name}")


@before("glue", "DeletePartition")
def partition_must_exist(call: Call, _gateway: Any) -> Response | None:
    """MiniStack deletes what is not there."""
    from ministack.services import glue

    key = f"{call.params.get('DatabaseName')}/{call.params.get('TableName')}"
    values = call.params.get("PartitionValues", [])
    if any(partition.get("Values") == values for partition in glue._partitions.get(key, [])):
        return None
    return aws_error(call, "EntityNotFoundException", f"Partition {values} not found.")


@before("glue", "CreatePartition")
def values_must_fit(call: Call, _gateway: Any) -> Response | None:
    """One value for each partition key."""
    from ministack.services import glue

    table = glue._tables[f"{call.params['DatabaseName']}/{call.params['TableName']}"]
    values = (call.params.get("PartitionInput") or {}).get("Values") or []
    if len(values) == len(table.get("PartitionKeys") or []):
        return None
    return aws_error(
        call, "InvalidInputException", "The number of partition keys do not match the number of partition values"
    )


@before("glue", "TagResource", "UntagResource", "GetTags")
def tagged_must_exist(call: Call, _gateway: Any) -> Response | None:
    """Tags of a database that is not there (tables have none)."""
    from ministack.services import glue

    arn = call.params.get("ResourceArn", "")
    kind, _unused, name = arn.split(":", 5)[-1].partition("/")
    if kind == "table":
        return aws_error(call, "InvalidInputException", f"Resource type is not taggable: {arn}")
    if kind == "database" and name not in glue._databases:
        return aws_error(call, "EntityNotFoundException", f"Database {name} not found.")
    return None


@after("glue", "GetTable", "GetTables", "GetDatabase", "GetDatabases")
def without_empty_members(_call: Call, response: Response, _gateway: Any) -> Response | None:
    """AWS leaves members out that are not set; MiniStack sends null and empty texts."""
    if response.status != 200:
        return None
    document = response.json()
    entities = [document[name] for name in ("Table", "Database") if name in document]
    for entity in (*entities, *document.get("TableList", []), *document.get("DatabaseList", [])):
        for name in [name for name, value in entity.items() if value is None or value == ""]:
            del entity[name]
    return response.with_json(document)
