# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a query ends when it does not succeed; texts as Athena gives them in StateChangeReason."""

from __future__ import annotations

from ..authorize import Denied


class QueryFailed(Exception):
    """The query ends FAILED, with this reason."""


class QueryCancelled(Exception):
    """The query ends CANCELLED, with this reason. `scanned` bytes were read until then."""

    def __init__(self, reason: str, scanned: int) -> None:
        super().__init__(reason)
        self.scanned = scanned


class BadRequest(Exception):
    """StartQueryExecution itself refuses: InvalidRequestException with this text; `code` is its AthenaErrorCode."""

    def __init__(self, text: str, code: str = "INVALID_INPUT") -> None:
        super().__init__(text)
        self.code = code


def glue_denied(denied: Denied) -> QueryFailed:
    """The catalog refuses."""
    return QueryFailed(
        f"Insufficient permissions to execute the query. {denied.message} "
        "(Service: AmazonDataCatalog; Status Code: 400; Error Code: AccessDeniedException; Proxy: null)"
    )


def s3_denied(denied: Denied, bucket: str, prefix: str) -> QueryFailed:
    """S3 (or KMS behind it) refuses to read table data."""
    return QueryFailed(
        f"Permission denied on S3 path: s3://{bucket}/{prefix.rstrip('/')}. {denied.message} "
        "(Service: Amazon S3; Status Code: 403; Error Code: AccessDenied)"
    )


def write_denied(url: str, denied: Denied | None) -> QueryFailed:
    """S3 (or KMS behind it) refuses to take results; `denied` is None for a bucket of an unexpected owner."""
    detail = f" {denied.message} (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied)" if denied else ""
    return QueryFailed(
        f"Access denied when writing output to url: {url} . Please ensure you are allowed to access the S3 "
        "bucket. If you are encrypting query results with KMS key, please ensure you are allowed to access "
        f"your KMS key.{detail}"
    )


def position(text: str, offset: int | None) -> str:
    """`line 2:14` of an offset into the query."""
    if offset is None:
        return "line 1:1"
    before = text[:offset]
    return f"line {before.count(chr(10)) + 1}:{offset - (before.rfind(chr(10)) + 1) + 1}"
