# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links from the role to the billing data: the table with its columns, and one small query."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ._connection import AwsConnection
from ._errors import error_code
from ._probe_identity import Patience
from ._probe_links import Link, failed, ok, pending
from ._probe_refusals import call_refused

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.


@dataclasses.dataclass(frozen=True)
class Table:
    """What a table has: names of its columns, lower case, and of its partition columns."""

    columns: frozenset[str]
    partitions: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Athena:
    """Where the billing data is queried.

    :ivar region: of workgroup and table; ``None`` is the task's
    :ivar output_location: as Kubecost sends it, with ``s3://``
    :ivar required_columns: without which the queries of the workload fail
    :ivar delivered: whether AWS has delivered the report, so that there must be rows
    """

    region: str | None
    workgroup: str
    database: str
    table: str
    output_location: str
    required_columns: tuple[str, ...]
    delivered: bool

    @property
    def name(self) -> str:
        """``database.table``"""
        return f"{self.database}.{self.table}"


def table_link(reader: AwsConnection, athena: Athena, role_arn: str, patience: Patience) -> tuple[Link, Table | None]:
    """The role sees the table, and the table has the columns (GetTable, one call).

    :returns: link, the table (``None`` when it cannot be seen)
    """
    glue = reader.client("glue", athena.region)
    try:
        table = patience.call(lambda: glue.get_table(DatabaseName=athena.database, Name=athena.table))["Table"]
    except ClientError as e:
        if error_code(e) == "EntityNotFoundException" and not athena.delivered:
            return pending(
                "table",
                f"The table {athena.name} does not exist yet",
                "Nothing can be queried before the first delivery, and a crawler makes its table after it",
                "Run this again later, with the payer's half",
            ), None
        if error_code(e) == "EntityNotFoundException":
            return failed(
                "table",
                f"The table {athena.name} cannot be read in {glue.meta.region_name}",
                "it does not exist",
                "Run the payer's half first (kubestrap.aws.glue_cur_table makes it), or correct athena",
                missing=True,
            ), None
        return call_refused("table", f"The table {athena.name} cannot be read", e, role_arn), None
    except BotoCoreError as e:
        return call_refused("table", f"The table {athena.name} cannot be read", e, role_arn), None
    seen = Table(
        frozenset(column["Name"].lower() for column in table.get("StorageDescriptor", {}).get("Columns", [])),
        tuple(column["Name"].lower() for column in table.get("PartitionKeys", [])),
    )
    missing = [name for name in athena.required_columns if name not in seen.columns.union(seen.partitions)]
    if missing:
        return failed(
            "table",
            f"The table {athena.name} has not got all columns",
            f"missing: {', '.join(missing)}",
            "Run the payer's half again, which takes up the report's columns; line_item_resource_id is there only when "
            "the report was made with resource ids",
        ), seen
    return ok("table", f"The table {athena.name} has the {len(athena.required_columns)} columns needed"), seen


def probe_sql(athena: Athena, partitions: t.Sequence[str], today: datetime.date) -> str:
    """The one query: a row with all needed columns, from this month's or the last month's partition."""
    columns = ", ".join(f'"{name}"' for name in athena.required_columns) or "*"
    where = months_condition(partitions, today)
    condition = f" WHERE {where}" if where else ""
    return f'SELECT {columns} FROM "{athena.database}"."{athena.table}"{condition} LIMIT 1'


def months_condition(partitions: t.Sequence[str], today: datetime.date) -> str:
    """The partitions of this month and the last one; empty where the table has none by month."""
    months = [(today.year, today.month), _month_before(today)]
    if {"year", "month"} <= set(partitions):  # legacy reports: strings, not zero-padded
        return " OR ".join(f"(\"year\" = '{year}' AND \"month\" = '{month}')" for year, month in months)
    if "billing_period" in partitions:  # data exports
        return " OR ".join(f"\"billing_period\" = '{year}-{month:02}'" for year, month in months)
    return ""


def _month_before(day: datetime.date) -> tuple[int, int]:
    before = day.replace(day=1) - datetime.timedelta(days=1)
    return before.year, before.month


def query_link(state: str, rows: int, reason: str, athena: Athena, role_arn: str) -> Link:
    """What the query's end means.

    :param state: ``SUCCEEDED``, ``FAILED``, ``CANCELLED``, or what it was when the time was up
    :param reason: of Athena
    """
    if state == "FAILED":
        return _failed_query(reason, athena, role_arn)
    if state != "SUCCEEDED":
        change = "Look at the workgroup: another limit or another's hand may have stopped it"
        return failed("query", f"The query has not succeeded ({state})", reason or "Athena does not say more", change)
    if rows:
        return ok("query", f"Athena returned a row of {athena.name} with every column needed")
    if not athena.delivered:
        return pending(
            "query",
            f"The query of {athena.name} works; there are no rows yet",
            "AWS has not delivered the report yet, which takes up to 24 hours",
            "Run this again later",
        )
    return failed(
        "query",
        f"The query of {athena.name} works, but returns no rows",
        "AWS has delivered the report, and the table finds nothing of the last two months",
        "Compare location and partitions of the table with the bucket (kubestrap.aws.glue_cur_table corrects them; "
        "with partitions registered it makes the months partitions of the catalog)",
    )


# What Athena's reasons begin with (or contain) -> cause, change.
_REASONS = (
    (
        "COLUMN_NOT_FOUND",
        "the table lacks a column that Kubecost needs",
        "Run the payer's half again, which takes up the report's columns",
    ),
    (
        "TABLE_NOT_FOUND",
        "the table does not exist",
        "Run the payer's half (kubestrap.aws.glue_cur_table)",
    ),
    (
        "TYPE_MISMATCH",
        "a column has another type than Kubecost's queries expect",
        "Let kubestrap.aws.glue_cur_table make the table from the report's own columns",
    ),
    (
        "HIVE_BAD_DATA",
        "a column's type in the table is not that of the report's files",
        "Run the payer's half again, which takes up the report's columns",
    ),
    (
        "Bytes scanned limit was exceeded",
        "the workgroup's scan limit is lower than what this query reads",
        "Raise the scan limit of the workgroup: Kubecost's own queries read more",
    ),
)


def _failed_query(reason: str, athena: Athena, role_arn: str) -> Link:
    detail = f"The query of {athena.name} failed"
    for text, cause, change in _REASONS:
        if text in reason:
            return failed("query", f"{detail}: {reason}", cause, change)
    if lacks_right(reason):
        return call_refused("query", detail, reason, role_arn)
    return failed("query", f"{detail}: {reason}", "Athena's own reason is above", "Run the query in the Athena console")


def lacks_right(reason: str) -> bool:
    """Whether Athena gives a missing right as its reason (its own, S3's, KMS', Glue's or Lake Formation's)."""
    return any(word in reason.lower() for word in ("denied", "not authorized", "permission"))
