# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One Athena query: start it, follow it, fetch its rows, and say why it failed.

API reference: StartQueryExecution, GetQueryExecution and GetQueryResults in Athena.
"""

from __future__ import annotations

import dataclasses
import re
import time
import typing as t

from ._connection import AwsConnection
from ._identifiers import refuse

NOT_STARTED = "NOT_STARTED"  # in check mode
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")

_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 2.0
_READING = re.compile(r"[\s(]*(SELECT|WITH|VALUES)\b", re.IGNORECASE)
# Texts and quoted names, and comments: what is in them is no statement.
_QUOTED = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`)|/\*.*?\*/|--[^\n]*""", re.DOTALL)

# What Athena's reasons and refusals contain -> what to do about it; the first one that fits.
_HINTS = (
    (
        "COLUMN_NOT_FOUND",
        "The table lacks the column. For billing data run kubestrap.aws.glue_cur_table, which takes up the delivered "
        "columns; line_item_resource_id needs a report with resource ids",
    ),
    ("TABLE_NOT_FOUND", "Correct the names of database and table, and the region of the query"),
    ("SCHEMA_NOT_FOUND", "Correct the name of the database, and the region of the query"),
    ("Insufficient Lake Formation", "Grant SELECT and DESCRIBE on the table in Lake Formation to who runs the query"),
    (
        "Permission denied on S3 path",
        "Allow s3:ListBucket and s3:GetObject on the bucket of the data, and kms:Decrypt on its key",
    ),
    (
        "Access denied when writing output",
        "Allow s3:PutObject on the results bucket and kms:GenerateDataKey on its key, and see that the bucket belongs "
        "to expected_bucket_owner",
    ),
    ("No output location provided", "Set output_location here or in the workgroup"),
    ("output bucket", "The results bucket must exist, and s3:GetBucketLocation on it be allowed"),
    ("save your query results", "The results bucket must exist, in the region of the query"),
    ("Bytes scanned limit", "Raise bytes_scanned_cutoff_per_query of the workgroup: the query reads more than that"),
    ("is not authorized to perform", "Allow that action to who runs the query"),
    ("AccessDenied", "Allow the call that is named to who runs the query"),
)


def hint_of(text: str) -> str | None:
    """What to do about a reason or refusal of Athena, ``None`` where we know no more than Athena says."""
    return next((hint for part, hint in _HINTS if part in text), None)


@dataclasses.dataclass(frozen=True)
class Query:
    """A query execution as it was last seen.

    :ivar id: query execution id; ``None`` when it was not started
    :ivar state: ``QUEUED``, ``RUNNING``, ``SUCCEEDED``, ``FAILED``, ``CANCELLED`` or ``NOT_STARTED``
    :ivar reason: Athena's StateChangeReason, empty when it gives none
    :ivar bytes_scanned: data scanned so far, which is what Athena charges for
    :ivar milliseconds: run time of the engine
    :ivar output_location: S3 URL of the result
    :ivar columns: name and type of each column; only after ``fetch``
    :ivar rows: column name -> text as Athena returns it (``None`` for NULL); only after ``fetch``
    """

    id: str | None
    state: str
    reason: str = ""
    bytes_scanned: int = 0
    milliseconds: int = 0
    output_location: str | None = None
    columns: list[dict[str, str]] = dataclasses.field(default_factory=list)
    rows: list[dict[str, str | None]] = dataclasses.field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def hint(self) -> str | None:
        """What to do about a failed query, ``None`` where we know no more than Athena says."""
        return hint_of(self.reason)


def check_reading(option: str, sql: str) -> None:
    """Refuse a statement that does not only read.

    :raises AnsibleAWSError: names option, value and what to write
    """
    statement = _QUOTED.sub(lambda found: "''" if found[1] else " ", sql).strip().removesuffix(";")
    if not _READING.match(statement):
        write = "Write a SELECT, WITH or VALUES statement; what tables and columns there are is in information_schema"
        refuse(option, sql, "is not a query that only reads", write)
    if ";" in statement:
        refuse(option, sql, "holds more than one statement", "Write one: Athena runs one statement at a time")


def start(
    connection: AwsConnection,
    sql: str,
    *,
    region: str | None = None,
    workgroup: str | None = None,
    database: str | None = None,
    catalog: str | None = None,
    output_location: str | None = None,
    expected_bucket_owner: str | None = None,
) -> str:
    """Start a query (one call).

    :returns: its query execution id
    :raises ClientError, BotoCoreError: Athena refuses it
    """
    context = {"Database": database, "Catalog": catalog}
    result = {"OutputLocation": output_location, "ExpectedBucketOwner": expected_bucket_owner}
    params = {
        "WorkGroup": workgroup,
        "QueryExecutionContext": {key: value for key, value in context.items() if value},
        "ResultConfiguration": {key: value for key, value in result.items() if value},
    }
    given = {key: value for key, value in params.items() if value}
    return connection.client("athena", region).start_query_execution(QueryString=sql, **given)["QueryExecutionId"]


def look(connection: AwsConnection, query_id: str, region: str | None = None) -> Query:
    """The query as it is now, without rows (one call)."""
    execution = connection.client("athena", region).get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
    status, statistics = execution["Status"], execution.get("Statistics", {})
    return Query(
        id=query_id,
        state=status["State"],
        reason=status.get("StateChangeReason", ""),
        bytes_scanned=statistics.get("DataScannedInBytes", 0),
        milliseconds=statistics.get("EngineExecutionTimeInMillis", 0),
        output_location=execution.get("ResultConfiguration", {}).get("OutputLocation"),
    )


def follow(
    connection: AwsConnection,
    query_id: str,
    region: str | None = None,
    timeout: float = 300,
    sleep: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = time.monotonic,
) -> Query:
    """The query when it has ended, or as it was when the time was up (one call for each look).

    :param timeout: seconds; 0 looks once
    """
    end = clock() + timeout
    pause = _FIRST_PAUSE
    while True:
        query = look(connection, query_id, region)
        if query.ended or clock() + pause > end:
            return query
        sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def fetch(connection: AwsConnection, query: Query, region: str | None = None, max_rows: int = 100) -> Query:
    """The query with its first rows (one call for each 1000)."""
    if query.state != "SUCCEEDED" or max_rows < 1:
        return query
    most = max_rows + 1  # the first row of a SELECT repeats the names of the columns
    pages = (
        connection.client("athena", region)
        .get_paginator("get_query_results")
        .paginate(QueryExecutionId=query.id, PaginationConfig={"MaxItems": most, "PageSize": min(most, 1000)})
    )
    columns: list[dict[str, str]] = []
    rows: list[dict[str, str | None]] = []
    for page in pages:
        result = page["ResultSet"]
        columns = columns or [
            {"name": column["Name"], "type": column.get("Type", "")}
            for column in result["ResultSetMetadata"]["ColumnInfo"]
        ]
        names = [column["name"] for column in columns]
        cells = [[cell.get("VarCharValue") for cell in row["Data"]] for row in result["Rows"]]
        rows += [dict(zip(names, row, strict=True)) for row in cells]
    if rows and all(value == name for name, value in rows[0].items()):
        rows = rows[1:]
    return dataclasses.replace(query, columns=columns, rows=rows[:max_rows])


def run_query(
    connection: AwsConnection,
    sql: str,
    *,
    region: str | None = None,
    workgroup: str | None = None,
    database: str | None = None,
    catalog: str | None = None,
    output_location: str | None = None,
    max_rows: int = 100,
    timeout: float = 300,
) -> Query:
    """Start a query, wait for its end, fetch its rows.

    :returns: the query; one that failed or was not done in time is returned too, with its state and reason
    :raises ClientError, BotoCoreError: Athena refuses a call
    """
    query_id = start(
        connection,
        sql,
        region=region,
        workgroup=workgroup,
        database=database,
        catalog=catalog,
        output_location=output_location,
    )
    return fetch(connection, follow(connection, query_id, region, timeout), region, max_rows)
