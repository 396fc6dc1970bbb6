# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources that calls of Athena, Glue and cur are authorized on (AWS Service Authorization Reference).

MiniStack 1.5.33 checks Glue on one resource (for GetDatabase even on a table's ARN), Athena calls by query id and cur
on `*` only, so a least-privilege policy would be refused here and accepted by AWS, or the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_SERVICES = ("athena", "glue", "cur")
_FUNCTIONS = {
    "CreateUserDefinedFunction",
    "UpdateUserDefinedFunction",
    "DeleteUserDefinedFunction",
    "GetUserDefinedFunction",
    "GetUserDefinedFunctions",
}
_ATHENA_CATALOG = {"GetDatabase", "ListDatabases", "GetTableMetadata", "ListTableMetadata"}
_ATHENA_NO_RESOURCE = {"ListWorkGroups", "ListDataCatalogs", "ListEngineVersions"}


def install() -> None:
    """Have MiniStack's authorization use `resources_of` for its first check of these services."""
    from ministack.core import iam_actions

    original: Callable[..., str] = iam_actions.extract_resource_arn
    if getattr(original, "of_sandbox", False):
        return

    def extract_resource_arn(
        service: str,
        method: str,
        path: str,
        headers: dict,
        body: bytes,
        query_params: dict,
        region: str,
        account_id: str,
    ) -> str:
        target = headers.get("x-amz-target", "")
        if service in _SERVICES and "." in target:
            return resources_of(service, target.rsplit(".", 1)[-1], _json(body), region, account_id)[0]
        return original(service, method, path, headers, body, query_params, region, account_id)

    extract_resource_arn.of_sandbox = True  # type: ignore[attr-defined]
    iam_actions.extract_resource_arn = extract_resource_arn


def resources_of(service: str, operation: str, params: dict[str, Any], region: str, account: str) -> list[str]:
    """All ARNs that the caller needs the operation's action on; `["*"]` for an operation without resources."""
    if service == "cur":
        name = params.get("ReportName") or (params.get("ReportDefinition") or {}).get("ReportName")
        return [f"arn:aws:cur:us-east-1:{account}:definition/{name}"] if name else ["*"]
    if service == "athena":
        return [_athena(operation, params, f"arn:aws:athena:{region}:{account}")]
    return _glue(operation, params, f"arn:aws:glue:{region}:{account}")


def _athena(operation: str, params: dict[str, Any], base: str) -> str:
    from ministack.services import athena

    if operation in _ATHENA_NO_RESOURCE:
        return "*"
    if params.get("ResourceARN"):
        return params["ResourceARN"]
    if operation.endswith("DataCatalog"):
        return f"{base}:datacatalog/{params.get('Name', '')}"
    if operation in _ATHENA_CATALOG:
        return f"{base}:datacatalog/{params.get('CatalogName', 'AwsDataCatalog')}"
    group = params.get("WorkGroup") or (params.get("Name") if operation == "CreateWorkGroup" else None)
    ids = params.get("QueryExecutionIds") or [params.get("QueryExecutionId")]
    named = params.get("NamedQueryIds") or [params.get("NamedQueryId")]
    found = athena._executions.get(ids[0]) or athena._named_queries.get(named[0]) or {}
    return f"{base}:workgroup/{group or found.get('WorkGroup') or 'primary'}"


def _glue(operation: str, params: dict[str, Any], base: str) -> list[str]:
    if params.get("ResourceArn"):
        return [params["ResourceArn"]]
    database, table = (name.lower() if name else None for name in _glue_names(operation, params))
    if database is None:
        if operation in ("GetDatabases",):
            return [f"{base}:catalog"]
        name = params.get("CrawlerName") or (params.get("Name") if "Crawler" in operation else None)
        return [f"{base}:crawler/{name}"] if name else [f"{base}:catalog"]
    found = [f"{base}:catalog", f"{base}:database/{database}"]
    if table is not None:
        found.append(f"{base}:table/{database}/{table}")
    if operation == "DeleteDatabase":  # what is deleted with it counts too
        found += [f"{base}:table/{database}/*", f"{base}:userDefinedFunction/{database}/*"]
    if operation in _FUNCTIONS:
        found.append(f"{base}:userDefinedFunction/{database}/{params.get('FunctionName', '*')}")
    return found


def _glue_names(operation: str, params: dict[str, Any]) -> tuple[str | None, str | None]:
    """Database and table that a call names; None for what it does not name."""
    if operation.endswith("Database"):
        return (params.get("DatabaseInput") or {}).get("Name") if operation == "CreateDatabase" else params.get(
            "Name"
        ), None
    database = params.get("DatabaseName")
    if operation in ("CreateTable", "UpdateTable"):
        return database, (params.get("TableInput") or {}).get("Name")
    if operation in ("GetTable", "DeleteTable"):
        return database, params.get("Name")
    return database, params.get("TableName")


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
