# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One AWS call and its answer, as rules see them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

# boto3 clients of the sandbox itself carry this in their user agent: their calls are neither recorded nor faulted.
SETUP_USER_AGENT = "kubestrap-sandbox-setup"


@dataclass
class Call:
    """An AWS API call.

    `service` is the botocore service name (s3, iam, sts, athena, glue, cur, eks, kms, organizations,
    resourcegroupstaggingapi, ...), `operation` the API operation (PutReportDefinition), "" where it is unknown.
    `headers` has lower-case names; `query` maps names to their first value. `params` is the parsed request: the JSON
    document (JSON protocols), flat form values (query protocol: `Tags.member.1.Key`), or path members, query string
    and JSON body together (REST; for S3 `Bucket`, `Key` and the query string). `principal_arn` is the caller: root,
    user or role session ARN, "" when the call is anonymous or its key unknown. `account_id` is the caller's account.
    A rule that changes what MiniStack gets assigns `body`, `query` or `headers`.
    """

    service: str
    operation: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    account_id: str
    region: str
    access_key: str
    principal_arn: str
    params: dict[str, Any]
    raw_path: bytes = b""
    raw_query: bytes = b""
    raw_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    client: tuple[str, int] = ("127.0.0.1", 0)
    notes: dict[str, Any] = field(default_factory=dict)  # for rules that have something to tell a later rule

    @property
    def is_setup(self) -> bool:
        """Whether the sandbox itself makes this call."""
        return SETUP_USER_AGENT in self.headers.get("user-agent", "")

    @property
    def is_root(self) -> bool:
        """Whether the account's root makes this call."""
        return self.principal_arn.endswith(":root")


@dataclass
class Response:
    """An HTTP answer; header names are lower-case bytes."""

    status: int
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first header of that name, or ""."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), "")

    def json(self) -> Any:
        """The body as JSON, {} when it is empty."""
        return json.loads(self.body or b"{}")

    def with_body(self, body: bytes) -> Response:
        """The same answer with another body; the length header follows."""
        headers = [(key, value) for key, value in self.headers if key.lower() != b"content-length"]
        return Response(self.status, [*headers, (b"content-length", str(len(body)).encode())], body)

    def with_json(self, document: Any) -> Response:
        """The same answer with another JSON body."""
        return self.with_body(json.dumps(document).encode())


def json_response(document: Any, status: int = 200, content_type: str = "application/x-amz-json-1.1") -> Response:
    """A JSON answer; for rest-json services (eks) give `application/json`."""
    body = json.dumps(document).encode()
    return Response(
        status, [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())], body
    )


def xml_response(text: str, status: int = 200) -> Response:
    """An XML answer."""
    body = text.encode()
    return Response(status, [(b"content-type", b"text/xml"), (b"content-length", str(len(body)).encode())], body)
