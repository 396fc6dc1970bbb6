# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MiniStack in this process: how it is loaded, and how a call enters and leaves it.

MiniStack (1.5.33) keeps the account, region, caller, origin and signature of a request in context variables. `enter`
sets them as its application does, so that rules can use its evaluator and stores before it has seen the call.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

from .call import Call, Response

_SERVICES = (
    "s3,iam,sts,kms,athena,glue,cur,eks,cloudformation,lambda,organizations,tagging,ec2,logs,events,sns,sqs,"
    "account,resource-groups,ecr"
)


def load(port: int) -> Callable:
    """MiniStack's ASGI application, imported with the environment it reads at import. Once per process."""
    os.environ.update(
        {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "ATHENA_ENGINE": "duckdb",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "0",
            "SERVICES": _SERVICES,
            # It removes containers of its own kind at start and stop; a developer's are none of our business.
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            "LOG_LEVEL": os.environ.get("KUBESTRAP_SANDBOX_LOG_LEVEL", "WARNING"),
        }
    )
    for name in (
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_CONFIG_FILE",
        "AWS_CA_BUNDLE",
        "MINISTACK_REGION",
        "MINISTACK_ACCOUNT_ID",
        "S3_PERSIST",
    ):
        os.environ.pop(name, None)
    from ministack.app import app

    return app


def enter(scope: dict[str, Any], body: bytes) -> Call:
    """Make the call of an ASGI request, and set MiniStack's request variables for it in the current context."""
    from ministack.core import iam_evaluator
    from ministack.core.responses import (
        get_account_id,
        set_request_account_id,
        set_request_client_ip,
        set_request_region,
    )
    from ministack.core.sigv4 import decode_header_value

    from .identify import operation_of, scope_of

    raw_headers = list(scope.get("headers", []))
    headers: dict[str, str] = {}
    for name, value in raw_headers:
        key, text = name.decode("latin-1").lower(), decode_header_value(value)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    raw_query = scope.get("query_string", b"")
    query_lists = parse_qs(raw_query.decode(), keep_blank_values=True)
    query = {name: values[0] for name, values in query_lists.items()}
    signed = scope_of(headers, query, body)
    raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
    # A REST path's member may hold an ARN, its slash encoded; S3's keys are what the decoded path says.
    path = scope["path"] if signed.service == "s3" else raw_path.decode("latin-1")
    operation, params = operation_of(signed.service, scope["method"], path, query, headers, body)
    client = tuple(scope.get("client") or ("127.0.0.1", 0))

    set_request_client_ip(client[0])
    iam_evaluator.pin_request_origin(client[0], scope.get("scheme") == "https")
    from ministack.app import _request_account_scope

    if signed.access_key:
        set_request_account_id(_request_account_scope(signed.access_key))
    set_request_region(signed.region)
    iam_evaluator.pin_signed_request(scope["method"], raw_path.decode("latin-1"), query_lists, raw_headers)
    iam_evaluator.pin_signed_body(body)
    return Call(
        service=signed.service,
        operation=operation,
        method=scope["method"],
        path=scope["path"],
        query=query,
        headers=headers,
        body=body,
        account_id=get_account_id() if signed.access_key else "",
        region=signed.region,
        access_key=signed.access_key,
        principal_arn=_principal_arn(signed.access_key, get_account_id()),
        params=params,
        raw_path=raw_path,
        raw_query=raw_query,
        raw_headers=raw_headers,
        client=client,
        notes={"as_sent": (body, dict(query), dict(headers)), "signing_name": signed.signing_name},
    )


def _principal_arn(access_key: str, account_id: str) -> str:
    from ministack.core.iam_evaluator import CredentialResolutionError, resolve_credential
    from ministack.core.responses import _account_from_sts_session

    if not access_key:
        return ""
    credential = resolve_credential(access_key, _account_from_sts_session(access_key) or account_id)
    if isinstance(credential, CredentialResolutionError):
        # An expired session still has a name for the record.
        from ministack.services import sts

        return str((sts._sessions.get(access_key) or {}).get("Arn", ""))
    return credential.principal_arn


async def forward(application: Callable, call: Call) -> Response:
    """Have MiniStack answer; what a rule changed in body, query or headers is signed anew with the caller's key."""
    body, query, headers = call.notes["as_sent"]
    raw_query, raw_headers = call.raw_query, call.raw_headers
    if call.body != body or call.query != query or call.headers != headers:
        raw_query = urlencode(call.query, quote_via=quote).encode() if call.query != query else raw_query
        raw_headers = _resigned(call, raw_query)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.1"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "https",
        "path": call.path,
        "raw_path": call.raw_path,
        "query_string": raw_query,
        "root_path": "",
        "headers": raw_headers,
        "client": call.client,
        "server": ("127.0.0.1", 443),
        "extensions": {},
    }
    sent = [{"type": "http.request", "body": call.body, "more_body": False}]
    answer: dict[str, Any] = {"status": 500, "headers": []}
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return sent.pop() if sent else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.update(status=message["status"], headers=list(message.get("headers", [])))
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await application(scope, receive, send)
    return Response(answer["status"], [(bytes(k).lower(), bytes(v)) for k, v in answer["headers"]], b"".join(parts))


def _resigned(call: Call, raw_query: bytes) -> list[tuple[bytes, bytes]]:
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from ministack.core.iam_evaluator import ResolvedCredential, resolve_credential

    headers = {name: value for name, value in call.headers.items() if name != "content-length"}
    headers["content-length"] = str(len(call.body))
    credential = resolve_credential(call.access_key, call.account_id) if "authorization" in headers else None
    if isinstance(credential, ResolvedCredential):
        for name in ("authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"):
            headers.pop(name, None)
        url = f"https://{headers.get('host', '127.0.0.1')}{call.raw_path.decode()}"
        request = AWSRequest(
            call.method, url + (f"?{raw_query.decode()}" if raw_query else ""), dict(headers), call.body
        )
        signer = S3SigV4Auth if call.service == "s3" else SigV4Auth
        signer(
            Credentials(credential.access_key_id, credential.secret_access_key, credential.session_token),
            call.notes["signing_name"],
            call.region,
        ).add_auth(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
    return [(name.encode(), value.encode() if isinstance(value, str) else value) for name, value in headers.items()]


def form_body(params: dict[str, str]) -> bytes:
    """The body of a query-protocol call with these values."""
    return urlencode(params).encode()


def parse_form(body: bytes) -> dict[str, str]:
    """The values of a query-protocol body."""
    return dict(parse_qsl(body.decode(), keep_blank_values=True))
