# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Athena's queries: StartQueryExecution to GetQueryResults, run by sandbox.gateway.athena.

MiniStack's store (`_executions`) holds the executions, so its GetQueryExecution, ListQueryExecutions,
BatchGetQueryExecution and StopQueryExecution answer for them.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from ..athena import projection, results, sql
from ..athena.catalog import Catalog
from ..athena.engine import Engine, Result
from ..athena.errors import BadRequest, QueryCancelled, QueryFailed
from ..aws_errors import access_denied, aws_error
from ..call import Call, Response, json_response
from .registry import after, before

_tokens: dict[tuple[str, str, str], str] = {}
_running: set[asyncio.Task] = set()
_DDL_CALLS = {"CreateTable": "_CreateTable", "DeleteTable": "_DropTable"}


def _refused(call: Call, text: str, code: str = "INVALID_INPUT") -> Response:
    return aws_error(call, "InvalidRequestException", text, AthenaErrorCode=code)


def setup(gateway: Any) -> None:
    """Define the settings.

    `athena_query_seconds`: how long each query is RUNNING before the engine begins. `athena_partition_projection`:
    whether projections find their partitions; false shows what a table over another layout than its own would.
    """
    gateway.define_setting("athena_query_seconds", 0, lambda: float(gateway.settings["athena_query_seconds"]))
    name = "athena_partition_projection"
    gateway.define_setting(name, True, lambda: projection.switch(gateway.settings[name]))


@before("athena", "StartQueryExecution")
async def start(call: Call, gateway: Any) -> Response:
    """Check what Athena checks at once, then run the query beside."""
    from ministack.services import athena

    token = (call.account_id, call.region, str(call.params.get("ClientRequestToken", "")))
    if token[2] and token in _tokens:
        return json_response({"QueryExecutionId": _tokens[token]})
    try:
        execution, job = _prepare(call)
    except BadRequest as error:
        return _refused(call, str(error), error.code)
    query_id = execution["QueryExecutionId"]
    athena._executions[query_id] = execution
    _tokens[token] = query_id
    task = asyncio.create_task(_run(execution, job, float(gateway.settings["athena_query_seconds"])))
    _running.add(task)  # a task that nobody holds may vanish
    task.add_done_callback(_running.discard)
    return json_response({"QueryExecutionId": query_id})


def _prepare(call: Call) -> tuple[dict[str, Any], Any]:
    """The execution as GetQueryExecution shows it, and the work: a function of no arguments that returns a Result."""
    from ministack.services import athena

    params = call.params
    name = params.get("WorkGroup") or "primary"
    athena._ensure_default_workgroup()
    workgroup = athena._workgroups.get(name)
    if workgroup is None:
        raise BadRequest(f"WorkGroup {name} is not found.")
    if workgroup.get("State") == "DISABLED":
        raise BadRequest(f"WorkGroup {name} is disabled.")
    text = params.get("QueryString") or ""
    configuration = workgroup.get("Configuration") or {}
    target = results.target_of(params, configuration)  # None: Athena keeps the results itself
    context = params.get("QueryExecutionContext") or {}
    database = (context.get("Database") or "default").lower()
    ddl = athena._parse_ddl(text)
    query = None if ddl is not None else sql.parse(text, params.get("ExecutionParameters"))
    query_id = str(uuid.uuid4())
    key = query_id + (".csv" if query is not None else ".txt")
    if target is None:
        place: dict[str, Any] = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    else:
        results.verify_bucket(call, target)
        key = results.buckets.split_url(target.location)[1] + key
        place = {"ResultConfiguration": results.shown(target, key)}
    execution = {
        "QueryExecutionId": query_id,
        "Query": text,
        "StatementType": "DML" if query is not None else "DDL",
        **place,
        "QueryExecutionContext": {"Database": database, "Catalog": context.get("Catalog", "AwsDataCatalog").lower()},
        "Status": {"State": "QUEUED", "SubmissionDateTime": time.time()},
        "Statistics": {
            "DataScannedInBytes": 0,
            "EngineExecutionTimeInMillis": 0,
            "TotalExecutionTimeInMillis": 0,
            "QueryQueueTimeInMillis": 0,
            "QueryPlanningTimeInMillis": 0,
            "ServiceProcessingTimeInMillis": 0,
        },
        "WorkGroup": name,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
        "SubstatementType": "SELECT" if query is not None else "CREATE_TABLE",
        "_result": None,
    }

    def work() -> Result:
        if query is None:
            found = _run_ddl(call, ddl, database)
        else:
            found = Engine(call, text, database, int(configuration.get("BytesScannedCutoffPerQuery") or 0)).run(query)
        if target is None:
            return found
        bucket = results.demand_writable(call, target, key)
        if execution["Status"]["State"] == "RUNNING":  # not stopped meanwhile
            headers = results.encryption_headers(target)
            try:
                bucket.write(key, results.csv(found) if query is not None else b"", "application/octet-stream", headers)
                bucket.write(key + ".metadata", results.metadata(found), "application/octet-stream", headers)
            except ValueError as error:
                raise results.write_denied(f"s3://{target.bucket}/{key}", None) from error
        return found

    return execution, work


def _run_ddl(call: Call, ddl: Any, database: str) -> Result:
    """CREATE EXTERNAL TABLE and DROP TABLE, as far as MiniStack has them."""
    from ministack.services import athena

    name = ddl.database or database
    operation = "DeleteTable" if isinstance(ddl, athena._DropTable) else "CreateTable"
    catalog = Catalog(call)
    catalog.demand("GetDatabase", Name=name)
    catalog.demand(operation, DatabaseName=name, Name=ddl.table, TableInput={"Name": ddl.table})
    try:
        athena._run_ddl(ddl, database)
    except ValueError as error:
        raise QueryFailed(
            f"FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. {error}"
        ) from error
    return Result([], [], [], [])


async def _run(execution: dict[str, Any], job: Any, pause: float) -> None:
    status, begun = execution["Status"], time.monotonic()
    if status["State"] != "QUEUED":
        return
    status["State"] = "RUNNING"
    state, reason, scanned = "SUCCEEDED", "", 0
    try:
        await asyncio.sleep(pause)
        found = await asyncio.to_thread(job)
        execution["_result"], scanned = found, found.scanned
    except QueryFailed as error:
        state, reason = "FAILED", str(error)
    except QueryCancelled as error:
        state, reason, scanned = "CANCELLED", str(error), error.scanned
    except Exception as error:  # a query must end whatever happens; this one is the sandbox' fault
        state, reason = "FAILED", f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}"
    if status["State"] != "RUNNING":
        return
    took = int((time.monotonic() - begun) * 1000)
    execution["Statistics"].update(
        DataScannedInBytes=scanned, EngineExecutionTimeInMillis=took, TotalExecutionTimeInMillis=took
    )
    if reason:
        status["StateChangeReason"] = reason
        status["AthenaError"] = {
            "ErrorCategory": 2,
            "ErrorType": 1006 if "denied" in reason else 1301,
            "Retryable": False,
            "ErrorMessage": reason,
        }
    status["CompletionDateTime"] = time.time()
    status["State"] = state


@before("athena", "GetQueryResults")
def get_results(call: Call, _gateway: Any) -> Response:
    """A page of rows; read with the caller's rights on the result file."""
    from ministack.services import athena

    query_id = call.params.get("QueryExecutionId", "")
    execution = athena._executions.get(query_id)
    if execution is None:
        return _refused(call, f"QueryExecution {query_id} was not found")
    state = execution["Status"]["State"]
    if state in ("QUEUED", "RUNNING"):
        return _refused(call, f"Query has not yet finished. Current state: {state}")
    if state != "SUCCEEDED":
        return _refused(call, f"Query did not finish successfully. Final query state: {state}")
    size, token = call.params.get("MaxResults", 1000), str(call.params.get("NextToken") or "0")
    if not 1 <= size <= 1000:
        return _refused(call, f"MaxResults is more than maximum allowed length 1000. Given: {size}")
    if not token.isdigit():
        return _refused(call, "Invalid NextToken")
    location = execution.get("ResultConfiguration", {}).get("OutputLocation")
    denied = results.read_denied(call, location) if location else None
    if denied is not None:
        return access_denied(call, denied.action, denied.resource)
    found, following = results.page(execution["_result"], int(token), size)
    answer: dict[str, Any] = {
        "UpdateCount": 0,
        "ResultSet": {"Rows": found, "ResultSetMetadata": {"ColumnInfo": results.column_info(execution["_result"])}},
    }
    if following is not None:
        answer["NextToken"] = str(following)
    return json_response(answer)


@after("athena", "GetQueryExecution", "StopQueryExecution")
def unknown_query(call: Call, response: Response, _gateway: Any) -> Response | None:
    """AWS' words for an id that it does not know."""
    from ministack.services import athena

    query_id = call.params.get("QueryExecutionId", "")
    if response.status == 400 and query_id not in athena._executions and b"InvalidRequest" in response.body:
        return _refused(call, f"QueryExecution {query_id} was not found")
    return None


@before("athena", "GetTableMetadata")
def table_must_exist(call: Call, _gateway: Any) -> Response | None:
    """MiniStack makes up a table that is not there."""
    from ministack.services import glue

    database, name = (str(call.params.get(part, "")).lower() for part in ("DatabaseName", "TableName"))
    if f"{database}/{name}" in glue._tables:
        return None
    return aws_error(call, "MetadataException", f"EntityNotFoundException: Entity Not Found: {database}.{name}")
