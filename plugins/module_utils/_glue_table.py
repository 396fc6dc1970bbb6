# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Glue tables over Cost and Usage Reports (CUR 1.0): names, and reading; the plan is in ``_glue_table_plan``.

The table needs no crawler: its partitions are computed (partition projection), and its columns come from the manifest
that AWS delivers with the report. Glue databases have tags, tables have none; so that one can tell who made them,
ownership tags are parameters of both.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._connection import AwsConnection
from ._cur_report import location
from ._cur_schema import Columns, manifest_columns
from ._errors import error_code, error_handler
from ._identifiers import refuse
from ._plan import gather

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

_GlueError = error_handler("EntityNotFoundException")

Table = dict[str, t.Any]  # database, table, arn, location, columns, partition_keys, parameters, create_time, ...

_MAX_LENGTH = 255
# How Athena knows the partitions of a table: it computes them, or the catalog lists them.
PROJECTED, REGISTERED = "projected", "registered"
# So that a later run, which is not asked, keeps them as they are.
PARTITIONS_PARAMETER = "kubestrap.partitions"
# AWS delivers up to three times a day; on the first days of a month the first file of that month may be late.
_LATE_DAYS = 3


@dataclasses.dataclass(frozen=True)
class ReportPlace:
    """Where AWS delivers a report."""

    bucket: str
    prefix: str
    name: str

    @property
    def location(self) -> str:
        """The folder in which the years are."""
        return location(self.bucket, self.prefix, self.name)

    @property
    def folder(self) -> str:
        """Prefix of all keys of the report, with a slash at its end; below it are the months' manifests."""
        return "".join(f"{folder}/" for folder in (self.prefix, self.name) if folder)

    def manifest_key(self, month: datetime.date) -> str:
        """The key of a month's manifest, which lies under first day and first day of the next month.

        :param month: the first of a month
        """
        return f"{self.folder}{month:%Y%m%d}-{_next_month(month):%Y%m%d}/{self.name}-Manifest.json"

    def data_folder(self, month: datetime.date) -> str:
        """Where the data of a month lies; AWS does not pad the month.

        :param month: the first of a month
        """
        return f"{self.location}year={month.year}/month={month.month}/"


@dataclasses.dataclass(frozen=True)
class TableId:
    """What a table is known by."""

    database: str
    table: str
    region: str
    account_id: str
    partition: str

    @property
    def arn(self) -> str:
        """The ARN follows from the names."""
        return f"arn:{self.partition}:glue:{self.region}:{self.account_id}:table/{self.database}/{self.table}"

    @property
    def database_arn(self) -> str:
        """The ARN of the database, which has the tags."""
        return f"arn:{self.partition}:glue:{self.region}:{self.account_id}:database/{self.database}"

    @property
    def name(self) -> str:
        """``database.table``"""
        return f"{self.database}.{self.table}"


@dataclasses.dataclass(frozen=True)
class Delivery:
    """What the newest manifest says.

    :ivar period: its month, ``2026-01``
    """

    period: str
    columns: Columns


@dataclasses.dataclass(frozen=True)
class Found:
    """What was read. Answers of Glue are as they came, because an update has to give back all of them.

    :ivar table: ``Table`` of GetTable, ``None`` when it does not exist
    :ivar database: ``Database`` of GetDatabase; read only where the plan needs it, ``None`` also when it does not exist
    :ivar followed: whether a manifest was looked for
    :ivar delivery: ``None`` when there is none
    :ivar other_tables: whether the database has tables besides; read with the database for a deletion only
    :ivar database_tags: ``None`` when nobody asked for them, or there is no database
    :ivar today: on which it was read
    :ivar months: first days of the delivered months; read only where partitions are registered, like ``registered``
    :ivar registered: values of the partition keys of each registered partition
    """

    table: dict[str, t.Any] | None
    database: dict[str, t.Any] | None = None
    followed: bool = False
    delivery: Delivery | None = None
    other_tables: bool = False
    database_tags: dict[str, str] | None = None
    today: datetime.date | None = dataclasses.field(default=None, compare=False)
    months: tuple[datetime.date, ...] = ()
    registered: tuple[tuple[str, ...], ...] = ()


def check_glue_name(option: str, value: str) -> None:
    """Refuse the name of a database or a table that Glue would refuse or change, or Athena could not query."""
    if not value:
        refuse(option, value, "is empty", "Write a name, for example athenacurcfn_kubecost")
    if value != value.lower():
        refuse(option, value, "has capitals, which Glue makes lower case", f"Write {value.lower()}")
    if not re.fullmatch(r"[a-z0-9_-]+", value):
        refuse(option, value, "is not the name of a Glue database or table", "Use a-z, 0-9 and '_' only")
    if len(value) > _MAX_LENGTH:
        refuse(option, value, f"has {len(value)} characters", f"Write at most {_MAX_LENGTH}")


# --- reading


def read(
    connection: AwsConnection,
    target: TableId,
    place: ReportPlace | None = None,
    for_deletion: bool = False,
    with_tags: bool = False,
    today: datetime.date | None = None,
    partitions: str | None = None,
) -> Found:
    """The table, and beside it what the plan needs.

    :param place: of the report whose newest manifest is read (see ``read_delivery``); ``None`` for none
    :param for_deletion: whether the database and its other tables are read
    :param with_tags: whether the tags of the database are read
    :param today: of which the month is taken; for tests
    :param partitions: as the task wants them (``PARTITIONS``); registered ones are read, and the months to register
    """
    reads: dict[str, t.Callable[[], t.Any]] = {"table": lambda: read_table(connection, target)}
    day = today or datetime.datetime.now(datetime.UTC).date()
    if place is not None:
        reads["delivery"] = lambda: read_delivery(connection, place, target.account_id, day)
    if with_tags:
        reads["database_tags"] = lambda: _database_tags(connection, target)
    if for_deletion:
        reads["database"] = lambda: read_database(connection, target)
        reads["other_tables"] = lambda: _has_other_tables(connection, target)
    found = gather(reads)
    if found["table"] is None and not for_deletion:
        # Where there is a table there is a database, so that most runs need not ask.
        found["database"] = read_database(connection, target)
    if place is not None and keeps_partitions(found["table"], partitions):
        found |= _read_partitions(connection, target, place)
    return Found(**found, followed=place is not None, today=day)


def keeps_partitions(table: t.Mapping[str, t.Any] | None, wanted: str | None) -> bool:
    """Whether the catalog shall list the partitions of a table: as the task wants, else as the table is.

    :param wanted: ``registered``, ``projected`` or ``None``
    """
    if wanted is not None:
        return wanted == REGISTERED
    return ((table or {}).get("Parameters") or {}).get(PARTITIONS_PARAMETER) == REGISTERED


def _read_partitions(connection: AwsConnection, target: TableId, place: ReportPlace) -> dict[str, t.Any]:
    found = gather(
        {
            "months": lambda: tuple(_months(connection, place, target.account_id)),
            "registered": lambda: tuple(_partitions(connection, target)),
        }
    )
    return {"months": tuple(sorted(found["months"])), "registered": found["registered"]}


def read_tables(connection: AwsConnection, account_id: str, database: str, table: str | None) -> list[Table]:
    """The table, or all tables of a database that have the columns of a Cost and Usage Report, by name."""
    partition, region = connection.partition, str(connection.region)
    if table is not None:
        target = TableId(database, table, region, account_id, partition)
        answer = read_table(connection, target)
        return [] if answer is None else [shape(target, answer)]
    answers = {answer["Name"]: answer for answer in _tables(connection, database)}
    ids = {name: TableId(database, name, region, account_id, partition) for name in sorted(answers)}
    tables = [shape(target, answers[name]) for name, target in ids.items()]
    return [table for table in tables if "line_item_usage_account_id" in _names(table["columns"])]


def shape(target: TableId, table: t.Mapping[str, t.Any]) -> Table:
    """A table of Glue's API as the modules return it."""
    storage = table.get("StorageDescriptor") or {}
    resource: Table = {
        "database": target.database,
        "table": target.table,
        "arn": target.arn,
        "location": storage.get("Location"),
        "columns": columns_of(storage.get("Columns")),
        "partition_keys": columns_of(table.get("PartitionKeys")),
        "parameters": dict(table.get("Parameters") or {}),
    }
    if table.get("CreateTime"):
        resource["create_time"] = table["CreateTime"].isoformat()
    return resource


def columns_of(columns: t.Iterable[t.Mapping[str, t.Any]] | None) -> Columns:
    """Columns of Glue's API in short."""
    return [{"name": column["Name"].lower(), "type": column.get("Type", "string")} for column in columns or []]


def _names(columns: Columns) -> set[str]:
    return {column["name"] for column in columns}


def delivery_facts(found: Found) -> dict[str, t.Any]:
    """What the result says of the delivery; nothing when nobody looked."""
    if not found.followed:
        return {}
    return delivery_of(found.delivery, found.today)


def delivery_of(delivery: Delivery | None, today: datetime.date | None) -> dict[str, t.Any]:
    """``delivered``, ``delivered_period``, and whether the report seems to have stopped."""
    return {
        "delivered": delivery is not None,
        "delivered_period": delivery.period if delivery else None,
        "delivery_stopped": delivery is not None and today is not None and _stopped(delivery, today),
    }


def _stopped(delivery: Delivery, today: datetime.date) -> bool:
    """Whether the newest month is an older one, although this one began more than a few days ago."""
    return delivery.period < f"{today - datetime.timedelta(days=_LATE_DAYS):%Y-%m}"


def read_delivery(
    connection: AwsConnection, place: ReportPlace, account_id: str, today: datetime.date
) -> Delivery | None:
    """What the newest manifest of the report says; ``None`` when nothing has been delivered.

    One call where this month has been delivered. Else one that lists the months, and one for the newest of them.

    :param account_id: to which the bucket has to belong
    :raises AnsibleAWSError: a manifest is there or may be there, but cannot be read
    """
    month = today.replace(day=1)
    found = _manifest(connection, place, account_id, month)
    if found is None:
        months = [other for other in _months(connection, place, account_id) if other != month]
        found = _manifest(connection, place, account_id, max(months)) if months else None
    return found


def _next_month(month: datetime.date) -> datetime.date:
    return (month + datetime.timedelta(days=31)).replace(day=1)


def _manifest(connection: AwsConnection, place: ReportPlace, account_id: str, month: datetime.date) -> Delivery | None:
    """A month's manifest, ``None`` when it (or the bucket) does not exist."""
    key = place.manifest_key(month)
    url = f"s3://{place.bucket}/{key}"
    where = {"Bucket": place.bucket, "Key": key, "ExpectedBucketOwner": account_id}

    def get() -> bytes:
        return connection.client("s3").get_object(**where)["Body"].read()

    body = read_of_report(f"read the manifest {url}", get, account_id)
    if body is None:
        return None
    try:
        return Delivery(f"{month:%Y-%m}", manifest_columns(json.loads(body)))
    except ValueError as e:  # no JSON, or no columns
        raise AnsibleAWSError(message=f"{url} is not the manifest of a Cost and Usage Report", exception=e) from e


def _months(connection: AwsConnection, place: ReportPlace, account_id: str) -> list[datetime.date]:
    """The first days of the months that have a folder; one page holds more than a life's."""
    s3 = connection.client("s3")
    where = {"Bucket": place.bucket, "Prefix": place.folder, "Delimiter": "/", "ExpectedBucketOwner": account_id}
    url = f"s3://{place.bucket}/{place.folder}"
    answer = read_of_report(f"list {url}", lambda: s3.list_objects_v2(**where), account_id) or {}
    names = [entry["Prefix"].removeprefix(place.folder) for entry in answer.get("CommonPrefixes", [])]
    found = [re.fullmatch(r"(\d{4})(0[1-9]|1[0-2])01-\d{8}/", name) for name in names]
    return [datetime.date(int(match[1]), int(match[2]), 1) for match in found if match]


def read_of_report(description: str, call: t.Callable[[], t.Any], account_id: str) -> t.Any:
    """The answer of S3, ``None`` when the object or the bucket does not exist."""
    try:
        return call()
    except ClientError as e:
        if error_code(e) in ("NoSuchKey", "NoSuchBucket"):
            return None
        hint = ""
        if error_code(e) == "AccessDenied":
            hint = (
                ". It needs s3:GetObject on the report and s3:ListBucket on the bucket, without which S3 also says so "
                f"when nothing has been delivered yet, and the bucket must belong to the account {account_id}. With "
                "follow_delivery false nothing is read"
            )
        raise AnsibleAWSError(message=f"Failed to {description}{hint}", exception=e) from e
    except BotoCoreError as e:
        raise AnsibleAWSError(message=f"Failed to {description}", exception=e) from e


@_GlueError.list_error_handler("read the Glue table", None)
def read_table(connection: AwsConnection, target: TableId) -> dict[str, t.Any] | None:
    """A table as GetTable answers, ``None`` when it does not exist."""
    return connection.client("glue").get_table(DatabaseName=target.database, Name=target.table)["Table"]


@_GlueError.list_error_handler("read the Glue database", None)
def read_database(connection: AwsConnection, target: TableId) -> dict[str, t.Any] | None:
    """A database as GetDatabase answers, ``None`` when it does not exist."""
    return connection.client("glue").get_database(Name=target.database)["Database"]


@_GlueError.list_error_handler("read the tags of the Glue database", None)
def _database_tags(connection: AwsConnection, target: TableId) -> dict[str, str] | None:
    return connection.client("glue").get_tags(ResourceArn=target.database_arn).get("Tags", {})


@_GlueError.list_error_handler("list the tables of the Glue database", False)
def _has_other_tables(connection: AwsConnection, target: TableId) -> bool:
    answer = connection.client("glue").get_tables(DatabaseName=target.database, MaxResults=2)
    return any(table["Name"] != target.table for table in answer["TableList"])


@_GlueError.list_error_handler("list the partitions of the Glue table", ())
def _partitions(connection: AwsConnection, target: TableId) -> list[tuple[str, ...]]:
    pages = (
        connection.client("glue")
        .get_paginator("get_partitions")
        .paginate(DatabaseName=target.database, TableName=target.table, ExcludeColumnSchema=True)
    )
    return [tuple(partition["Values"]) for page in pages for partition in page["Partitions"]]


@_GlueError.list_error_handler("list the tables of the Glue database", [])
def _tables(connection: AwsConnection, database: str) -> list[dict[str, t.Any]]:
    pages = connection.client("glue").get_paginator("get_tables").paginate(DatabaseName=database)
    return [table for page in pages for table in page["TableList"]]
