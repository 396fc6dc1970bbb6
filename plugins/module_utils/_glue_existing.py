# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table over a Cost and Usage Report that somebody else keeps: a crawler, or a view of whoever looks after the bill.

It is read and compared with what the queries of Kubecost and OpenCost need, and never changed. A reader of a view also
reads the tables below it, so that they are found too.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import json
import re
import typing as t

from ._connection import AwsConnection
from ._cur_schema import KUBECOST_REQUIRED_COLUMNS, PARTITION_KEYS
from ._errors import error_handler
from ._glue_projection import projection_problems
from ._glue_table import Delivery, ReportPlace, Table, TableId, columns_of, read_delivery, read_table, shape
from ._plan import gather

_GlueError = error_handler("EntityNotFoundException")

GlueTable = t.Mapping[str, t.Any]  # as GetTable answers

_MOST_VIEWS = 10  # views over views; a circle ends here too


@dataclasses.dataclass(frozen=True)
class Existing:
    """What was read.

    :ivar table: ``None`` when it does not exist
    :ivar tables: below the view, by ``database.table``; the table itself when it is no view
    :ivar delivery: of the report; ``None`` when there is none, or none was asked for
    :ivar partition_missing: whether the newest delivered month is no partition of the table
    """

    table: GlueTable | None
    tables: t.Mapping[str, GlueTable] = dataclasses.field(default_factory=dict)
    delivery: Delivery | None = None
    partition_missing: bool = False


def read_existing(
    connection: AwsConnection, target: TableId, place: ReportPlace | None, today: datetime.date
) -> Existing:
    """The table, what is below it, what AWS has delivered of the report, and whether that is a partition."""
    reads: dict[str, t.Callable[[], t.Any]] = {"table": lambda: read_table(connection, target)}
    if place is not None:
        reads["delivery"] = lambda: read_delivery(connection, place, target.account_id, today)
    found = gather(reads)
    table, delivery = found["table"], found.get("delivery")
    if table is None:
        return Existing(None, delivery=delivery)
    missing = False
    if delivery is not None and _lists_months(table):
        missing = not _has_partition(connection, target, delivery.period)
    return Existing(table, _below(connection, target, table), delivery, missing)


def is_view(table: GlueTable) -> bool:
    """Whether it is a view, of Athena or of another engine."""
    return table.get("TableType") == "VIRTUAL_VIEW"


def base_tables(found: Existing) -> list[str]:
    """The tables that a reader of the view has to read besides, as ``database.table``; of a table there is none."""
    return sorted(found.tables) if found.table is not None and is_view(found.table) else []


def differences(found: Existing, place: ReportPlace, this_year: int) -> list[str]:
    """What of a table or view does not serve Kubecost and OpenCost; empty when all does, or it does not exist yet."""
    table = found.table
    if table is None:
        return []
    if table.get("TargetTable"):
        of = table["TargetTable"]
        return [f"it is a link to the table {of.get('DatabaseName')}.{of.get('Name')} of account {of.get('CatalogId')}"]
    columns = {c["name"]: c["type"] for c in columns_of((table.get("StorageDescriptor") or {}).get("Columns"))}
    keys = {c["name"]: c["type"] for c in columns_of(table.get("PartitionKeys"))}
    seen = []
    missing = [name for name in KUBECOST_REQUIRED_COLUMNS if name not in columns and name not in keys]
    if missing:
        seen.append(f"it has no column {', '.join(missing)}")
    # The queries compare year and month with texts. In a view they are columns as all others.
    candidates = {**columns, **keys} if is_view(table) else keys
    for key in PARTITION_KEYS:
        kind = candidates.get(key["name"])
        if kind is None:
            seen.append(f"it has no {'column' if is_view(table) else 'partition key'} {key['name']}")
        elif not re.match(r"string|(var)?char", kind):
            seen.append(f"its {key['name']} is of type {kind}, not string")
    if is_view(table) and not found.tables:
        seen.append("it is a view, and none of the tables that it reads could be found in its text")
    for name, below in found.tables.items():
        of_base = f" (of {name})" if is_view(table) else ""
        seen += [f"{problem}{of_base}" for problem in _placed_wrong(below, place, this_year)]
    return seen


def described(found: Existing, target: TableId, place: ReportPlace, this_year: int) -> list[Table]:
    """The table with what was compared, in a list; an empty one when it does not exist."""
    if found.table is None:
        return []
    compared = {
        "view": is_view(found.table),
        "base_tables": base_tables(found),
        "differences": differences(found, place, this_year),
        "partition_missing": found.partition_missing,
    }
    return [{**shape(target, found.table), **compared}]


def _placed_wrong(table: GlueTable, place: ReportPlace, this_year: int) -> list[str]:
    """What is wrong with where a table has its data, and with the partitions that Athena computes of it."""
    seen = []
    location = ((table.get("StorageDescriptor") or {}).get("Location") or "").rstrip("/") + "/"
    # A crawler may have made it over a folder above the report's; below the report's prefix it has to be, because the
    # readers may read nothing else.
    within = f"s3://{place.bucket}/{place.prefix}/" if place.prefix else f"s3://{place.bucket}/"
    if not (place.location.startswith(location) and location.startswith(within)):
        seen.append(f"its location is {location}, not {place.location}")
    return seen + projection_problems(table.get("Parameters") or {}, this_year)


def _lists_months(table: GlueTable) -> bool:
    """Whether the months are partitions in the catalog, by year and month alone."""
    keys = [key["name"] for key in columns_of(table.get("PartitionKeys"))]
    projected = str((table.get("Parameters") or {}).get("projection.enabled", "")).strip().lower() == "true"
    return keys == [key["name"] for key in PARTITION_KEYS] and not projected


def _below(connection: AwsConnection, target: TableId, table: GlueTable) -> dict[str, GlueTable]:
    """The tables that hold the data; views on the way are there too, because a reader needs them as well."""
    if not is_view(table):
        return {target.name: table}
    found: dict[str, GlueTable] = {}
    waiting = view_sources(table, target.database)
    for _round in range(_MOST_VIEWS):
        new = [name for name in waiting if ".".join(name) not in found]
        ids = {".".join(name): dataclasses.replace(target, database=name[0], table=name[1]) for name in new}
        answers = gather({name: lambda one=one: read_table(connection, one) for name, one in ids.items()})
        # A name that is none (a table function, a column) does not exist, and is left out.
        there = {name: answer for name, answer in answers.items() if answer is not None}
        found |= there
        waiting = [
            source
            for name, answer in there.items()
            if is_view(answer)
            for source in view_sources(answer, ids[name].database)
        ]
        if not waiting:
            break
    return {name: answer for name, answer in found.items() if name != target.name}


# --- the text of a view

_PRESTO = re.compile(r"/\*\s*Presto View:\s*([A-Za-z0-9+/=\s]+?)\s*\*/")
_NAME = r'(?:"[^"]+"|`[^`]+`|[A-Za-z_]\w*)'
_RELATION = rf"{_NAME}(?:\s*\.\s*{_NAME}){{0,2}}"
# What has FROM in it and names no table, and text in which anything may stand.
_NO_TABLES = (
    r"/\*.*?\*/",
    r"--[^\n]*",
    r"'(?:[^']|'')*'",
    r"\b(?:EXTRACT|TRIM|SUBSTRING|POSITION|OVERLAY)\s*\([^()]*\)",
    r"\bIS\s+(?:NOT\s+)?DISTINCT\s+FROM\b",
)


def view_sources(table: GlueTable, database: str) -> list[tuple[str, str]]:
    """Database and name of what a view reads, as far as its text tells.

    :param database: of the view, for names without one
    """
    text, schema = _view_text(table.get("ViewOriginalText") or "", database)
    for pattern in _NO_TABLES:
        text = re.sub(pattern, " ", text, flags=re.DOTALL | re.IGNORECASE)
    own = {
        _plain(match[1])
        for match in re.finditer(rf"(?:\bWITH|,)\s*({_NAME})\s*(?:\([^()]*\)\s*)?AS\s*\(", text, re.IGNORECASE)
    }
    sources: dict[tuple[str, str], None] = {}
    for match in re.finditer(rf"\b(?:FROM|JOIN)\s+(?=({_RELATION}[^()]*))", text, re.IGNORECASE):
        for part in match[1].split(","):
            name = re.match(rf"\s*({_RELATION})", part)
            if name is None:
                break
            parts = [_plain(word) for word in re.findall(_NAME, name[1])]
            if len(parts) > 1:
                sources[(parts[-2], parts[-1])] = None
            elif parts[0] not in own:
                sources[(schema, parts[0])] = None
            if re.search(r"\b(?:WHERE|GROUP|ORDER|JOIN|ON|UNION|HAVING|LIMIT|SELECT)\b", part, re.IGNORECASE):
                break
    return list(sources)


def _view_text(text: str, database: str) -> tuple[str, str]:
    """The SELECT of a view, and the database of names without one; Athena keeps both as JSON in Base64."""
    found = _PRESTO.search(text)
    if found is None:
        return text, database
    try:
        document = json.loads(base64.b64decode(found[1]))
        return str(document["originalSql"]), str(document.get("schema") or database)
    except (ValueError, KeyError, TypeError, binascii.Error):
        return "", database


def _plain(name: str) -> str:
    return name.strip('"`').lower()


@_GlueError.list_error_handler("read the partition of the Glue table", False)
def _has_partition(connection: AwsConnection, target: TableId, period: str) -> bool:
    year, month = period.split("-")
    values = [year, str(int(month))]
    connection.client("glue").get_partition(
        DatabaseName=target.database, TableName=target.table, PartitionValues=values
    )
    return True
