# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which API call is this HTTP request? Answered from botocore's service models, for every protocol in use."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import botocore.session
from botocore.model import OperationModel, ServiceModel

# The name in a signature's scope, where it is not the service's name in botocore.
_SIGNING_NAMES = {
    "tagging": "resourcegroupstaggingapi",
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
}
# Query protocol calls that are made without a signature.
_UNSIGNED_QUERY = {"AssumeRoleWithWebIdentity": "sts", "AssumeRoleWithSAML": "sts"}
_MEMBER = re.compile(r"\{(\w+)(\+?)\}")
_SCOPE = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


@functools.cache
def model_of(service: str) -> ServiceModel | None:
    """botocore's model of a service, None when it has none of that name."""
    if service not in _session().get_available_services():
        return None
    return _session().get_service_model(service)


def protocol_of(service: str) -> str:
    """query, json, rest-json, rest-xml or ec2; json for a service that botocore does not know."""
    model = model_of(service)
    return model.metadata.get("protocol", "json") if model else "json"


def xml_namespace(service: str) -> str:
    """The XML namespace of a query service."""
    model = model_of(service)
    return model.metadata.get("xmlNamespace", "") if model else ""


@dataclass(frozen=True)
class Scope:
    """Who signed for what: the scope of a SigV4 signature; all "" for an unsigned request.

    `service` is botocore's name of the service, `signing_name` the one in the signature.
    """

    access_key: str = ""
    region: str = ""
    service: str = ""
    signing_name: str = ""


def scope_of(headers: dict[str, str], query: dict[str, str], body: bytes) -> Scope:
    """The signature's scope, from the Authorization header or a presigned query string."""
    found = _SCOPE.search(headers.get("authorization", ""))
    if found is None and query.get("X-Amz-Credential"):
        found = _SCOPE.search("Credential=" + query["X-Amz-Credential"])
    if found is None:
        action = query.get("Action") or dict(parse_qsl(_text(body))).get("Action", "") if _is_form(headers) else ""
        return Scope(service=_UNSIGNED_QUERY.get(action, "s3" if not action else ""))
    key, _day, region, name = found.groups()
    return Scope(key, region, _SIGNING_NAMES.get(name, name), name)


def operation_of(
    service: str, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> tuple[str, dict[str, Any]]:
    """The operation's name ("" if unknown) and its parsed parameters (see Call.params)."""
    protocol = protocol_of(service)
    if protocol in ("query", "ec2"):
        values = {**query, **(dict(parse_qsl(_text(body), keep_blank_values=True)) if _is_form(headers) else {})}
        return values.get("Action", ""), values
    if protocol == "json" and headers.get("x-amz-target"):
        return headers["x-amz-target"].rsplit(".", 1)[-1], _json(body)
    if service == "s3":
        return s3_operation(method, path, query, headers)
    name, members = _rest_operation(service, method, path, query)
    return name, {**_json(body), **query, **members}


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _is_form(headers: dict[str, str]) -> bool:
    return headers.get("content-type", "").startswith("application/x-www-form-urlencoded") or not headers.get(
        "content-type"
    )


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


@functools.cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], frozenset[str], str]]:
    """(method, path pattern, needed query members, operation) of a REST service, the most literal paths first."""
    model = model_of(service)
    routes = []
    for name in model.operation_names if model else []:
        http = model.operation_model(name).http
        uri, _unused, wanted = http.get("requestUri", "/").partition("?")
        pattern = "".join(
            f"(?P<{_MEMBER.match(part).group(1)}>{'.+' if part.endswith('+}') else '[^/]+'})"
            if _MEMBER.match(part)
            else re.escape(part)
            for part in re.split(r"(\{\w+\+?\})", uri)
            if part
        )
        needed = frozenset(part for part in wanted.split("&") if part)
        routes.append((http.get("method", "POST"), re.compile(f"^{pattern}/?$"), needed, name))
    return sorted(routes, key=lambda route: (route[1].pattern.count("(?P<"), -len(route[2])))


def _rest_operation(service: str, method: str, path: str, query: dict[str, str]) -> tuple[str, dict[str, str]]:
    given = {*query, *(f"{key}={value}" for key, value in query.items())}
    for wanted_method, pattern, needed, name in _routes(service):
        found = pattern.match(path) if wanted_method == method and needed <= given else None
        if found:
            return name, {key: unquote(value) for key, value in found.groupdict().items()}
    return "", {}


# Names that S3's model keeps for old clients beside the present ones, and that share the request with them.
_S3_SUPERSEDED = {
    "GetBucketLifecycle",
    "PutBucketLifecycle",
    "GetBucketNotification",
    "PutBucketNotification",
    "ListDirectoryBuckets",
}


@functools.cache
def _s3_routes() -> list[tuple[str, str, frozenset[str], frozenset[str], frozenset[str], OperationModel]]:
    """(method, level, literal query members, required query members, required headers, operation) of S3."""
    model = model_of("s3")
    routes = []
    for name in model.operation_names:
        if name in _S3_SUPERSEDED:
            continue
        operation = model.operation_model(name)
        uri, _unused, literal = operation.http["requestUri"].partition("?")
        level = "object" if "{Key" in uri else "bucket" if "{Bucket}" in uri else uri
        shape = operation.input_shape
        required = shape.required_members if shape else []
        located = {member: shape.members[member].serialization for member in required}
        querystring = frozenset(s["name"] for s in located.values() if s.get("location") == "querystring")
        headers = frozenset(s["name"].lower() for s in located.values() if s.get("location") == "header")
        routes.append(
            (
                operation.http["method"],
                level,
                frozenset(filter(None, literal.split("&"))),
                querystring,
                headers,
                operation,
            )
        )
    # The request that asks for the most wins: UploadPartCopy over UploadPart over CopyObject over PutObject.
    return sorted(routes, key=lambda route: -(4 * len(route[2]) + 2 * len(route[3]) + len(route[4])))


def s3_operation(method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The S3 operation of a path-style request; params are Bucket, Key and the query string."""
    bucket, _unused, key = path.lstrip("/").partition("/")
    level = "object" if key else "bucket" if bucket else "/"
    params: dict[str, Any] = {**({"Bucket": bucket} if bucket else {}), **({"Key": key} if key else {}), **query}
    given = {*query, *(f"{name}={value}" for name, value in query.items())}
    for wanted_method, wanted_level, literal, querystring, wanted_headers, operation in _s3_routes():
        if (
            wanted_method == method
            and wanted_level == level
            and literal <= given
            and querystring <= given
            and all(name in headers for name in wanted_headers)
        ):
            return operation.name, params
    return "", params
