# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: one JSON line per AWS call, so that tests can count calls and see who made them."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from .aws_errors import error_code
from .call import Call, Response

_READ = (
    "Get",
    "List",
    "Describe",
    "Head",
    "BatchGet",
    "Simulate",
    "Lookup",
    "Search",
    "Validate",
    "Generate",
    "Decode",
    "Test",
    "Estimate",
    "Check",
    "Filter",
    "Query",
    "Select",
)
_SESSION = ("AssumeRole", "GetSessionToken", "GetFederationToken")
_QUERY = ("StartQueryExecution",)
# Reads by name that write, and writes by name that only read.
_EXCEPTIONS = {
    ("kms", "GenerateDataKey"): "read",
    ("iam", "GenerateCredentialReport"): "write",
    ("iam", "GenerateServiceLastAccessedDetails"): "write",
}
# What a call is about, the first that its parameters have: enough to tell calls of one operation apart.
_RESOURCE = (
    "Key",
    "Bucket",
    "RoleName",
    "PolicyArn",
    "PolicyName",
    "OpenIDConnectProviderArn",
    "UserName",
    "RoleArn",
    "name",
    "clusterName",
    "ReportName",
    "ReportDefinition",
    "WorkGroup",
    "QueryExecutionId",
    "TableName",
    "TableInput",
    "DatabaseName",
    "DatabaseInput",
    "Name",
    "KeyId",
    "AliasName",
    "StackName",
    "resourceArn",
    "ResourceARN",
    "Url",
)


def kind_of(service: str, operation: str) -> str:
    """read, write, query (a query that scans data) or session (STS hands out credentials)."""
    if (service, operation) in _EXCEPTIONS:
        return _EXCEPTIONS[(service, operation)]
    if operation.startswith(_SESSION):
        return "session"
    if operation in _QUERY:
        return "query"
    return "read" if operation.startswith(_READ) else "write"


def resource_of(call: Call) -> str:
    """The name of what the call is about, "" when it names nothing."""
    if call.service == "s3":
        return "/".join(call.params[name] for name in ("Bucket", "Key") if call.params.get(name))
    for name in _RESOURCE:
        value = call.params.get(name)
        if isinstance(value, dict):
            value = value.get("ReportName") or value.get("Name")
        if isinstance(value, str) and value:
            return value
    return ""


class Recorder:
    """Appends to calls.jsonl; without a file it only counts."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._count = 0
        self._lock = threading.Lock()
        if self._path:
            self._path.touch()

    def begin(self) -> int:
        """The number of the next call, in order of arrival."""
        with self._lock:
            self._count += 1
            return self._count

    def write(self, number: int, call: Call, response: Response | None) -> None:
        """Note a call and its answer; `response` None: the connection was cut (status 0)."""
        line: dict[str, Any] = {
            "n": number,
            "time": round(time.time(), 3),
            "service": call.service,
            "operation": call.operation,
            "account_id": call.account_id,
            "region": call.region,
            "kind": kind_of(call.service, call.operation),
            "status": response.status if response else 0,
            "error_code": error_code(response) if response else "ConnectionCut",
            "who": call.principal_arn,
            "access_key": call.access_key,
            "user_agent": call.headers.get("user-agent", ""),
            "resource": resource_of(call),
        }
        if response is not None and response.status >= 400 and call.method == "HEAD" and not line["error_code"]:
            line["error_code"] = str(response.status)
        if self._path is None:
            return
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
