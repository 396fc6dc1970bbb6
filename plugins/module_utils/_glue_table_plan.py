# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a Glue table over a Cost and Usage Report, or takes it away. Pure: no call."""

from __future__ import annotations

import dataclasses
import typing as t

from ._cur_schema import PARTITION_KEYS, Columns, merge_columns
from ._glue_partitions import missing_months, register, registering_parameters
from ._glue_projection import wanted_parameters
from ._glue_table import (
    PARTITIONS_PARAMETER,
    Delivery,
    Found,
    ReportPlace,
    Table,
    TableId,
    columns_of,
    delivery_facts,
    keeps_partitions,
    shape,
)
from ._identifiers import refuse
from ._ownership import creation_tags, is_foreign, keep_foreign, kept_tags
from ._plan import Change, Plan
from ._tags import plan_tags

_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
_SERDE = f"{_PARQUET}.serde.ParquetHiveSerDe"
_FORMATS = {
    "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
    "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
}
# What UpdateTable takes of what GetTable returns.
_INPUT = (
    "Name",
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
    "TargetTable",
)
_DESCRIPTION = "Cost and Usage Report, kept by kubestrap.aws"


def resource_of(target: TableId, found: Found, before: Found) -> Table | None:
    """The table as the module returns it.

    :param found: as it is now
    :param before: as it was when the task began, which tells what is new
    """
    if found.table is None:
        return None
    resource = shape(target, found.table)
    if found.database_tags is not None:
        resource["database_tags"] = found.database_tags
    # The months that were missing are there once the task has changed something.
    new = [] if found is before else _new_partitions(before)
    facts = delivery_facts(before)
    return {**resource, **facts, "new_columns": _new_columns(before, resource["columns"]), "new_partitions": new}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a task wants of table and database.

    :ivar overwrite: whether a table over something else is made over this report
    :ivar first_year: see ``_glue_projection``
    :ivar tags: of the database; ``None`` leaves them as they are
    :ivar partitions: ``projected``, ``registered``, or ``None``: as the table has them, computed in a new one
    """

    create_database: bool = True
    overwrite: bool = False
    first_year: int | None = None
    tags: dict[str, str] | None = None
    purge_tags: bool = True
    ownership_tags: dict[str, str] | None = None
    partitions: str | None = None


def plan_present(target: TableId, found: Found, place: ReportPlace, settings: Settings, this_year: int) -> Plan:
    """What makes the table exist over the report, with all columns of its manifest.

    :param found: as read, with the tags of the database where the task sets some
    :raises AnsibleAWSError: there is a table over something else, or no database and none may be made
    """
    if found.table is not None and not settings.overwrite:
        _refuse_other(target, found.table, place)
    changes, tags = _plan_database(target, found, settings)
    after: Table
    if found.table is None:
        changes.append(_create(target, found, place, settings, this_year))
        table = changes[-1].params["TableInput"]
        after = {**shape(target, table), **delivery_facts(found), "new_columns": []}
    else:
        after = dict(resource_of(target, found, found) or {})
        table = _wanted_table(found.table, place, found, settings, this_year)
        if any(table.get(key) != found.table.get(key) for key in table):
            changes.append(_update(target, found.table, table))
            after |= shape(target, {**found.table, **table})
            after["new_columns"] = _new_columns(found, after["columns"])
    changes += register(target, place, table["StorageDescriptor"], missing_months(found.months, found.registered))
    after["new_partitions"] = _new_partitions(found)
    if tags is not None:
        after["database_tags"] = tags
    return Plan(resource_of(target, found, found), after, changes)


def _update(target: TableId, current: t.Mapping[str, t.Any], table: dict[str, t.Any]) -> Change:
    # Members that are empty in an answer may not be empty in a call.
    table_input = {key: value for key, value in table.items() if value not in (None, "")}
    params = {"DatabaseName": target.database, "TableInput": table_input}
    if current.get("VersionId"):
        params["VersionId"] = current["VersionId"]  # what someone else has changed meanwhile is not undone
    hints = {"ConcurrentModificationException": "Someone else has changed it meanwhile. Run this again"}
    return Change(f"update the Glue table {target.name}", "glue", "update_table", params, hints=hints)


def plan_absent(target: TableId, found: Found, ownership_tags: dict[str, str] | None = None) -> Plan:
    """What takes the table away, and the database if it was made with the ownership tags and has no other table.

    What AWS has delivered stays in the bucket. Without ownership tags the table goes whoever made it.

    :param found: as read for a deletion
    """
    changes = []
    resource: Table | None = None
    if found.table is not None:
        resource = shape(target, found.table)
        kept = keep_foreign(resource, resource["parameters"], ownership_tags, f"the Glue table {target.name}")
        if kept:
            return kept
        names = {"DatabaseName": target.database, "Name": target.table}
        changes.append(_change(f"delete the Glue table {target.name}", "delete_table", names))
    note = None
    if found.database is not None and ownership_tags:
        what = f"the Glue database {target.database}"
        parameters = found.database.get("Parameters") or {}
        if is_foreign(parameters, ownership_tags):
            note = _foreign_note(what, ownership_tags)
        elif found.other_tables:
            note = f"{what} is not empty"
        else:
            # Last, because Glue deletes a database with all tables in it.
            changes.append(_change(f"delete {what}", "delete_database", {"Name": target.database}))
            resource = resource or {"database": target.database}
    return Plan(resource, None, changes, kept=note)


def _foreign_note(what: str, ownership_tags: dict[str, str]) -> str | None:
    kept = keep_foreign({}, {}, ownership_tags, what)
    return kept.kept if kept else None


def _plan_database(target: TableId, found: Found, settings: Settings) -> tuple[list[Change], dict[str, str] | None]:
    """The calls for the database, and its tags after them; ``None`` when the task sets none."""
    # Where there is a table there is a database, and it is not read.
    if found.table is None and found.database is None:
        if not settings.create_database:
            write = "Write the name of one that exists, or let it be made with create_database true"
            refuse("database", target.database, f"is not a Glue database in {target.region}", write)
        tags = creation_tags(settings.tags, settings.ownership_tags)
        parameters = dict(settings.ownership_tags or {})
        database = {"Name": target.database, "Description": _DESCRIPTION, "Parameters": parameters}
        params: dict[str, t.Any] = {"DatabaseInput": database, **({"Tags": tags} if tags else {})}
        summary = f"create the Glue database {target.database}"
        # Another table of the same run may have made it.
        change = Change(summary, "glue", "create_database", params, done_codes=("AlreadyExistsException",))
        return [change], None if settings.tags is None else tags

    def tagging(verb: str, method: str, **tags: t.Any) -> Change:
        summary = f"{verb} the Glue database {target.database}"
        return Change(summary, "glue", method, {"ResourceArn": target.database_arn, **tags})

    return plan_tags(
        found.database_tags,
        kept_tags(settings.tags, settings.ownership_tags, found.database_tags or {}),
        settings.purge_tags,
        tag=lambda tags: tagging("tag", "tag_resource", TagsToAdd=tags),
        untag=lambda keys: tagging("remove tags from", "untag_resource", TagsToRemove=keys),
    )


def _create(target: TableId, found: Found, place: ReportPlace, settings: Settings, this_year: int) -> Change:
    empty = {"Name": target.table, "Description": _DESCRIPTION, "TableType": "EXTERNAL_TABLE"}
    # Glue's own parameters of such a table; Athena makes tables with them too.
    empty["Parameters"] = {"EXTERNAL": "TRUE", "classification": "parquet", **(settings.ownership_tags or {})}
    table = _wanted_table(empty, place, found, settings, this_year)
    params = {"DatabaseName": target.database, "TableInput": table}
    return Change(f"create the Glue table {target.name}", "glue", "create_table", params)


def _wanted_table(
    table: t.Mapping[str, t.Any],
    place: ReportPlace,
    found: Found,
    settings: Settings,
    this_year: int,
) -> dict[str, t.Any]:
    """The TableInput for a table: what it is, with what it has to be for this report."""
    # The API refuses empty texts, which some answers have for what was never set.
    wanted = {key: table[key] for key in _INPUT if table.get(key) not in (None, "")}
    storage = dict(table.get("StorageDescriptor") or {})
    if not _same_location(storage.get("Location"), place.location):
        storage["Location"] = place.location
    storage |= _FORMATS
    serde = dict(storage.get("SerdeInfo") or {})
    if serde.get("SerializationLibrary") != _SERDE:
        serde = {"SerializationLibrary": _SERDE, "Parameters": {"serialization.format": "1"}}
    storage["SerdeInfo"] = serde
    storage["Columns"] = _wanted_columns(storage.get("Columns") or [], found.delivery)
    wanted["StorageDescriptor"] = storage
    if columns_of(table.get("PartitionKeys")) != PARTITION_KEYS:
        wanted["PartitionKeys"] = [{"Name": key["name"], "Type": key["type"]} for key in PARTITION_KEYS]
    parameters = dict(table.get("Parameters") or {})
    if keeps_partitions(found.table, settings.partitions):
        wanted["Parameters"] = registering_parameters(parameters)
    else:
        parameters.pop(PARTITIONS_PARAMETER, None)
        wanted["Parameters"] = wanted_parameters(parameters, place.location, settings.first_year, this_year)
    return wanted


def _wanted_columns(current: list[dict[str, t.Any]], delivery: Delivery | None) -> list[dict[str, t.Any]]:
    """Glue's columns with those that are missing; what else Glue knows of a column (a comment) is kept."""
    known = {column["Name"].lower(): column for column in current}
    partition_keys = {key["name"] for key in PARTITION_KEYS}
    merged = merge_columns(columns_of(current), delivery.columns if delivery else [])
    return [
        {**known.get(column["name"], {"Name": column["name"]}), "Type": column["type"]}
        for column in merged
        if column["name"] not in partition_keys
    ]


def _refuse_other(target: TableId, table: t.Mapping[str, t.Any], place: ReportPlace) -> None:
    """A table over something else is not ours to bend."""
    storage = table.get("StorageDescriptor") or {}
    differences = []
    if not _same_location(storage.get("Location"), place.location):
        differences.append(f"its location is {storage.get('Location')}, not {place.location}")
    keys = columns_of(table.get("PartitionKeys"))
    if keys != PARTITION_KEYS:
        differences.append(f"its partition keys are {_text(keys)}, not {_text(PARTITION_KEYS)}")
    serde = (storage.get("SerdeInfo") or {}).get("SerializationLibrary")
    if serde != _SERDE:
        differences.append(f"its SerDe is {serde}, not {_SERDE}")
    if differences:
        refuse(
            "table",
            target.name,
            f"is a Glue table over something else: {'; '.join(differences)}",
            "Nothing was changed. Choose another table, correct report_bucket, report_prefix and report_name, or set "
            "overwrite to true",
        )


def _same_location(current: str | None, wanted: str) -> bool:
    return (current or "").rstrip("/") == wanted.rstrip("/")


def _text(columns: Columns) -> str:
    return ", ".join(f"{column['name']} ({column['type']})" for column in columns) or "none"


def _new_columns(before: Found, columns: Columns) -> list[str]:
    """Names of the columns that a table that was there did not have."""
    if before.table is None:
        return []
    old = {column["name"] for column in columns_of((before.table.get("StorageDescriptor") or {}).get("Columns"))}
    return [column["name"] for column in columns if column["name"] not in old]


def _new_partitions(before: Found) -> list[str]:
    return [f"{month:%Y-%m}" for month in missing_months(before.months, before.registered)]


def _change(summary: str, method: str, params: dict[str, t.Any]) -> Change:
    return Change(summary, "glue", method, params, done_codes=("EntityNotFoundException",))
