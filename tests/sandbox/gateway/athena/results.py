# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a query returned: where it goes, as CSV, and as GetQueryResults gives it."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from dataclasses import dataclass
from typing import Any

from .. import buckets, rights
from ..authorize import Denied
from ..call import Call
from .catalog import ON_BEHALF
from .engine import Result
from .errors import BadRequest, QueryFailed, write_denied

_PRECISION = {
    "integer": (10, 0),
    "bigint": (19, 0),
    "smallint": (5, 0),
    "tinyint": (3, 0),
    "double": (17, 0),
    "float": (17, 0),
    "varchar": (2147483647, 0),
    "timestamp": (3, 0),
    "decimal": (38, 9),
}


@dataclass(frozen=True)
class Target:
    """Where results go: `location` (s3://bucket/prefix/), encryption as in ResultConfiguration, the expected owner."""

    location: str
    encryption: dict[str, str]
    expected_owner: str

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return buckets.split_url(self.location)[0]


def target_of(request: dict[str, Any], workgroup: dict[str, Any]) -> Target | None:
    """Where the results of a StartQueryExecution go; an enforced configuration of the workgroup wins over the client's.

    A workgroup without location leaves it to the client, enforced or not. ``None``: Athena keeps them itself (managed
    query results), and then no client may name a place (opencost/opencost#3257 has AWS' text).
    """
    mine, group = request.get("ResultConfiguration") or {}, workgroup.get("ResultConfiguration") or {}
    if (workgroup.get("ManagedQueryResultsConfiguration") or {}).get("Enabled"):
        if mine:
            raise BadRequest("ManagedQueryResultsConfiguration and ResultConfiguration cannot be set together.")
        return None
    given = mine.get("OutputLocation")
    if given is not None:
        _demand_location(given)
    enforced = bool(workgroup.get("EnforceWorkGroupConfiguration"))
    first, second = (group, mine) if enforced else (mine, group)
    location = first.get("OutputLocation") or second.get("OutputLocation")
    if not location:
        raise BadRequest(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    # The settings belong together: those of the side that gives the location.
    chosen = first if first.get("OutputLocation") else second
    return Target(
        location.rstrip("/") + "/", chosen.get("EncryptionConfiguration") or {}, chosen.get("ExpectedBucketOwner") or ""
    )


def shown(target: Target, key: str) -> dict[str, Any]:
    """The ResultConfiguration of an execution."""
    return {
        "OutputLocation": f"s3://{target.bucket}/{key}",
        **({"EncryptionConfiguration": target.encryption} if target.encryption else {}),
        **({"ExpectedBucketOwner": target.expected_owner} if target.expected_owner else {}),
    }


def _demand_location(location: str) -> None:
    try:
        scheme = location.split("://", 1)[0]
        buckets.split_url(location)
    except ValueError:
        scheme = ""
    if scheme != "s3":
        raise BadRequest("outputLocation is not a valid S3 path.")


def verify_bucket(call: Call, target: Target) -> None:
    """What Athena looks at before it takes a query: the bucket is there, and the caller may ask where it lies."""
    bucket = buckets.find(target.bucket)
    if bucket is None or rights.bucket_denied(call, "s3:GetBucketLocation", bucket, context=ON_BEHALF):
        raise BadRequest(f"Unable to verify/create output bucket {target.bucket}")


def demand_writable(call: Call, target: Target, key: str) -> buckets.Bucket:
    """The results bucket, when it lies in the query's region and the caller may write there; QueryFailed else."""
    url = f"s3://{target.bucket}/{key}"
    bucket = buckets.find(target.bucket)
    if bucket is None or bucket.region != call.region:
        raise QueryFailed(
            "The S3 location provided to save your query results is invalid. Please check your S3 location is "
            "correct and is in the same region and try again. If you continue to see the issue, contact "
            "customer support for further assistance."
        )
    if target.expected_owner and target.expected_owner != bucket.owner:
        raise write_denied(url, None)
    headers = encryption_headers(target)
    context = {f"s3:{name}": value for name, value in headers.items()}
    denied = rights.bucket_denied(call, "s3:PutObject", bucket, key, {**context, **ON_BEHALF})
    kms_key = headers.get("x-amz-server-side-encryption-aws-kms-key-id") or ("" if headers else bucket.default_kms_key)
    for action in ("kms:GenerateDataKey", "kms:Decrypt") if kms_key and denied is None else ():
        denied = denied or rights.key_denied(call, action, kms_key, bucket.owner, bucket.region)
    if denied is not None:
        raise write_denied(url, denied)
    return bucket


def encryption_headers(target: Target) -> dict[str, str]:
    """S3's headers for the encryption that a ResultConfiguration asks for."""
    option = target.encryption.get("EncryptionOption", "")
    if option == "SSE_S3":
        return {"x-amz-server-side-encryption": "AES256"}
    if option == "SSE_KMS":
        return {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": target.encryption.get("KmsKey", ""),
        }
    return {}


def read_denied(call: Call, url: str) -> Denied | None:
    """Whether the caller may not read a result file: GetQueryResults reads it from S3 for the caller."""
    name, key = buckets.split_url(url)
    bucket = buckets.find(name)
    if bucket is None:
        return None
    denied = rights.bucket_denied(call, "s3:GetObject", bucket, key, ON_BEHALF)
    kms_key = next((entry.kms_key for entry in bucket.objects(key) if entry.key == key), "")
    if denied is None and kms_key:
        denied = rights.key_denied(call, "kms:Decrypt", kms_key, bucket.owner, bucket.region)
    return denied


def csv(result: Result) -> bytes:
    """The result file: every value quoted, a NULL empty, the names in the first line."""
    lines = [",".join(_quoted(name) for name in result.columns)]
    lines += [",".join("" if cell is None else _quoted(text(cell)) for cell in row) for row in result.rows]
    return ("\n".join(lines) + "\n").encode()


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def metadata(result: Result) -> bytes:
    """The file beside it. AWS' is binary; its form is not public, so this one only names columns and types."""
    return "\n".join(f"{name}\t{kind}" for name, kind in zip(result.columns, result.types, strict=True)).encode()


def page(result: Result, start: int, size: int) -> tuple[list[dict[str, Any]], int | None]:
    """`size` rows from `start` on as GetQueryResults has them (row 0 is the header), and where the next page begins."""
    header = [tuple(result.columns)]
    listed = (header + result.rows)[start : start + size]
    found = [{"Data": [{} if cell is None else {"VarCharValue": text(cell)} for cell in row]} for row in listed]
    end = start + size
    return found, end if end < len(result.rows) + 1 else None


def column_info(result: Result) -> list[dict[str, Any]]:
    """ResultSetMetadata.ColumnInfo."""
    return [
        {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": name,
            "Label": name,
            "Type": kind,
            "Precision": _PRECISION.get(kind, (0, 0))[0],
            "Scale": _PRECISION.get(kind, (0, 0))[1],
            "Nullable": "UNKNOWN",
            "CaseSensitive": kind == "varchar",
        }
        for name, kind in zip(result.columns, result.types, strict=True)
    ]


def text(value: Any) -> str:
    """A value as Athena writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
    if isinstance(value, bytes | bytearray):
        return " ".join(f"{byte:02x}" for byte in value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text(key)}={_inner(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inner(entry) for entry in value) + "]"
    return str(value)


def _inner(value: Any) -> str:
    return "null" if value is None else text(value)


def _double(value: float) -> str:
    """A double as Java prints it: 12.5, 1.0E-5, 1.2345678E7."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        plain = format(decimal.Decimal(repr(value)), "f")
        return plain if "." in plain else plain + ".0"
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    numbers = "".join(map(str, digits))
    return f"{'-' if sign else ''}{numbers[0]}.{numbers[1:] or '0'}E{int(exponent) + len(numbers) - 1}"
