# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in the protocol of the service that raises them (botocore's service models say which protocol that is)."""

from __future__ import annotations

import json
import uuid
from typing import Any
from xml.sax.saxutils import escape

from .call import Call, Response
from .identify import protocol_of, xml_namespace

# Throttling has a name of its own in some services (AWS API references, "Common Errors" of each service).
_THROTTLING = {
    "s3": ("SlowDown", 503, "Please reduce your request rate."),
    "athena": ("TooManyRequestsException", 400, "Rate exceeded"),
    "organizations": ("TooManyRequestsException", 400, "You have exceeded the rate limit."),
    "eks": ("TooManyRequestsException", 429, "Rate exceeded"),
    "resourcegroupstaggingapi": ("ThrottledException", 400, "Rate exceeded"),
    "iam": ("Throttling", 400, "Rate exceeded"),
    "sts": ("Throttling", 400, "Rate exceeded"),
}


def aws_error(call: Call, code: str, message: str, status: int = 400, **extra: Any) -> Response:
    """An error answer of `call`'s service; `extra` are further members of the error (S3: XML elements)."""
    request_id = str(uuid.uuid4())
    protocol = protocol_of(call.service)
    headers = [(b"x-amzn-requestid", request_id.encode()), (b"x-amz-request-id", request_id.encode())]
    if protocol == "rest-xml":
        members = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in extra.items())
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(code)}</Code>'
            f"<Message>{escape(message)}</Message>{members}<RequestId>{request_id}</RequestId></Error>"
        )
        # A HEAD answer has no body; S3 tells the code by the status alone.
        body = b"" if call.method == "HEAD" else text.encode()
        headers.append((b"content-type", b"application/xml"))
    elif protocol in ("query", "ec2"):
        fault = "Receiver" if status >= 500 else "Sender"
        text = (
            f'<ErrorResponse xmlns="{xml_namespace(call.service)}"><Error><Type>{fault}</Type>'
            f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        body = text.encode()
        headers.append((b"content-type", b"text/xml"))
    elif protocol == "rest-json":
        body = json.dumps({"message": message, **extra}).encode()
        headers += [(b"content-type", b"application/json"), (b"x-amzn-errortype", code.encode())]
    else:
        body = json.dumps({"__type": code, "message": message, "Message": message, **extra}).encode()
        headers += [(b"content-type", b"application/x-amz-json-1.1"), (b"x-amzn-errortype", code.encode())]
    headers.append((b"content-length", str(len(body)).encode()))
    return Response(status, headers, body)


def throttled(call: Call) -> Response:
    """The answer of a service that is called too often."""
    code, status, message = _THROTTLING.get(call.service, ("ThrottlingException", 400, "Rate exceeded"))
    return aws_error(call, code, message, status)


def unavailable(call: Call, status: int) -> Response:
    """The answer of a service in trouble, with HTTP status 500 or 503."""
    code = {500: "InternalError" if call.service == "s3" else "InternalFailure"}.get(status, "ServiceUnavailable")
    return aws_error(call, code, "The service is temporarily unavailable.", status)


def access_denied(call: Call, action: str, resource: str, reason: str = "") -> Response:
    """AccessDenied as IAM words it: who is not authorized to perform what on which resource, and why."""
    because = reason or f"because no identity-based policy allows the {action} action"
    message = f"User: {call.principal_arn} is not authorized to perform: {action} on resource: {resource} {because}"
    query_or_s3 = protocol_of(call.service) in ("query", "rest-xml", "ec2")
    status = 403 if protocol_of(call.service) in ("query", "rest-xml", "ec2", "rest-json") else 400
    return aws_error(call, "AccessDenied" if query_or_s3 else "AccessDeniedException", message, status)


def error_code(response: Response) -> str:
    """The error code of an answer, "" for success or when the answer has none."""
    if response.status < 400:
        return ""
    named = response.header("x-amzn-errortype")
    if named:
        return named.split(":")[0].split("#")[-1]
    text = response.body.decode("utf-8", "replace")
    if "<Code>" in text:
        return text.split("<Code>", 1)[1].split("</Code>", 1)[0]
    try:
        document = json.loads(text or "{}")
    except ValueError:
        return ""
    code = document.get("__type") or document.get("code") or "" if isinstance(document, dict) else ""
    return str(code).rsplit("#", maxsplit=1)[-1]
