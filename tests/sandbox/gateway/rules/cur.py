# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost and Usage Reports (service cur): what AWS refuses and MiniStack 1.5.33 accepts.

AWS API reference, "AWS Cost and Usage Report Service"; the combinations are those of the user guide's Athena section.
AWS answers a broken combination with a ValidationException without text. The service exists in us-east-1 only: another
region's host does not resolve, which a client on one endpoint for all regions cannot see, so such a call gets a plain
HTTP 404 page.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from ...billing import deliver as billing
from .. import buckets
from ..aws_errors import aws_error
from ..call import Call, Response, json_response
from ..identify import model_of
from .registry import after, before

_PAGE = 5
_LIMIT = 10
_REQUIRED = (
    "ReportName",
    "TimeUnit",
    "Format",
    "Compression",
    "AdditionalSchemaElements",
    "S3Bucket",
    "S3Prefix",
    "S3Region",
)
_PATTERNS = {
    "ReportName": r"[0-9A-Za-z!\-_.*'()]{1,256}",
    "S3Bucket": r"[A-Za-z0-9_\.\-]{1,256}",
    "S3Prefix": r"[0-9A-Za-z!\-_.*'()/]{0,256}",
}
_FIXED = ("TimeUnit", "ReportVersioning", "AdditionalSchemaElements")


def setup(gateway: Any) -> None:
    """Serve POST /_sandbox/deliver (see sandbox.billing.deliver.Request)."""

    @gateway.control("/_sandbox/deliver", "POST")
    async def deliver(body: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(
            billing.deliver, body, gateway.state, gateway.payer_of(body.get("account_id", ""))
        )


@before("cur", "*", order=0)
def only_in_us_east_1(call: Call, _gateway: Any) -> Response | None:
    """There is no cur.eu-west-1.amazonaws.com."""
    if call.region == "us-east-1":
        return None
    page = f"<html><body><h1>404</h1><p>No host cur.{call.region}.amazonaws.com: cur is in us-east-1.</p></body></html>"
    return Response(404, [(b"content-type", b"text/html"), (b"content-length", str(len(page)).encode())], page.encode())


@before("cur", "PutReportDefinition")
def refuse_bad_report(call: Call, _gateway: Any) -> Response | None:
    """Shape, combinations, name, number of reports, then the bucket."""
    from ministack.services import cur

    definition = call.params.get("ReportDefinition")
    if not _valid(definition) or len(call.params.get("Tags", [])) > 200:
        return aws_error(call, "ValidationException", "")
    name = definition["ReportName"]
    if name in cur._report_definitions:
        return aws_error(
            call, "DuplicateReportNameException", f"A report with the name {name} already exists in the account."
        )
    if len(cur._report_definitions) >= _LIMIT:
        return aws_error(call, "ReportLimitReachedException", f"This account already has {_LIMIT} reports defined.")
    return _refuse_bucket(call, definition)


@after("cur", "PutReportDefinition")
def store_tags_and_test_object(call: Call, response: Response, _gateway: Any) -> None:
    """MiniStack drops the tags of the call; AWS proves its access by an object at the bucket's root."""
    from ministack.services import cur

    if response.status != 200:
        return
    definition = call.params["ReportDefinition"]
    cur._report_tags[definition["ReportName"]] = {tag["Key"]: tag["Value"] for tag in call.params.get("Tags", [])}
    bucket = buckets.find(definition["S3Bucket"])
    if bucket is not None:
        bucket.write(billing.TEST_OBJECT, b"")


@before("cur", "ModifyReportDefinition")
def refuse_bad_change(call: Call, _gateway: Any) -> Response | None:
    """The full definition is needed; name, time unit, versioning and schema elements stay as they were made."""
    from ministack.services import cur

    definition = call.params.get("ReportDefinition")
    current = cur._report_definitions.get(call.params.get("ReportName", ""))
    if current is None or not _valid(definition) or definition["ReportName"] != call.params["ReportName"]:
        return aws_error(call, "ValidationException", "")
    if any(_comparable(definition.get(name)) != _comparable(current.get(name)) for name in _FIXED):
        return aws_error(call, "ValidationException", "")
    call.notes["report_status"] = current.get("ReportStatus")
    return _refuse_bucket(call, definition)


@after("cur", "ModifyReportDefinition")
def keep_status(call: Call, response: Response, _gateway: Any) -> None:
    """A change does not forget the last delivery."""
    from ministack.services import cur

    if response.status == 200 and call.notes.get("report_status"):
        cur._report_definitions[call.params["ReportName"]]["ReportStatus"] = call.notes["report_status"]


@before("cur", "DescribeReportDefinitions")
def pages_of_five(call: Call, _gateway: Any) -> Response | None:
    """MaxResults is 5 and nothing else; the rest comes with NextToken."""
    from ministack.services import cur

    token = call.params.get("NextToken", "0")
    if call.params.get("MaxResults", _PAGE) != _PAGE or not str(token).isdigit():
        return aws_error(call, "ValidationException", "")
    start, reports = int(token), list(cur._report_definitions.values())
    answer: dict[str, Any] = {"ReportDefinitions": reports[start : start + _PAGE]}
    if start + _PAGE < len(reports):
        answer["NextToken"] = str(start + _PAGE)
    return json_response(answer)


def _comparable(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value or "CREATE_NEW_REPORT"


def _valid(definition: Any) -> bool:
    """Whether shape, patterns, enums and combinations are those that AWS accepts."""
    if not isinstance(definition, dict) or any(definition.get(name) is None for name in _REQUIRED):
        return False
    if "ReportStatus" in definition:  # read only
        return False
    if any(not re.fullmatch(pattern, definition[name]) for name, pattern in _PATTERNS.items()):
        return False
    return _enums_valid(definition) and _combination_valid(definition)


def _enums_valid(definition: dict[str, Any]) -> bool:
    model = model_of("cur")
    members = model.shape_for("ReportDefinition").members if model else {}
    for name, value in definition.items():
        if name not in members:
            return False
        shape = members[name].member if members[name].type_name == "list" else members[name]
        allowed = getattr(shape, "enum", [])
        if allowed and any(entry not in allowed for entry in (value if isinstance(value, list) else [value])):
            return False
    return True


def _combination_valid(definition: dict[str, Any]) -> bool:
    artifacts = definition.get("AdditionalArtifacts") or []
    parquet = definition["Format"] == "Parquet"
    if parquet != (definition["Compression"] == "Parquet"):
        return False
    if parquet and set(artifacts) & {"REDSHIFT", "QUICKSIGHT"}:
        return False
    if "ATHENA" not in artifacts:
        return True
    return (
        artifacts == ["ATHENA"]
        and parquet
        and definition["S3Prefix"].strip("/") != ""
        and definition.get("ReportVersioning") == "OVERWRITE_REPORT"
    )


def _refuse_bucket(call: Call, definition: dict[str, Any]) -> Response | None:
    """AWS looks at the bucket as billingreports.amazonaws.com before it takes the report."""
    bucket, report = buckets.find(definition["S3Bucket"]), definition["ReportName"]
    if (
        bucket is not None
        and bucket.owner == call.account_id
        and bucket.region == definition["S3Region"]
        and billing.admitted(call.account_id, report, bucket, "s3:GetBucketAcl")
        and billing.admitted(call.account_id, report, bucket, "s3:GetBucketPolicy")
        and billing.admitted(call.account_id, report, bucket, "s3:PutObject", billing.TEST_OBJECT)
    ):
        return None
    return aws_error(
        call,
        "ValidationException",
        f"Failed to verify customer bucket permission. accountId: {call.account_id}, "
        f"bucket name: {definition['S3Bucket']}, bucket region: {definition['S3Region']}",
    )
