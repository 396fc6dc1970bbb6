# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3: the expected owner, reserved names, tags in bodies.

Regions and redirects, BucketAlreadyExists and the TLS condition are right in MiniStack 1.5.33; tests hold that.
"""

from __future__ import annotations

import re
from typing import Any

from ..aws_errors import access_denied, aws_error
from ..call import Call, Response
from .registry import before

_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def bucket_owner(name: str) -> str | None:
    """The account that owns a bucket, None when there is none of that name."""
    from ministack.services import s3

    return s3._bucket_owner_account(name)


def bucket_region(name: str) -> str | None:
    """The region of a bucket, None when there is none of that name."""
    from ministack.services import s3

    owner = bucket_owner(name)
    record = s3._buckets.get_scoped(owner, None, name) if owner else None
    return (record.get("region") or "us-east-1") if record else None


@before("s3", "*", order=10)
def expected_owner(call: Call, _gateway: Any) -> Response | None:
    """x-amz-expected-bucket-owner, and the source's, must be the owner (S3 user guide, "Bucket owner condition")."""
    source = call.headers.get("x-amz-copy-source", "").lstrip("/").split("/")[0]
    for header, bucket in (
        ("x-amz-expected-bucket-owner", call.params.get("Bucket", "")),
        ("x-amz-source-expected-bucket-owner", source),
    ):
        expected = call.headers.get(header)
        owner = bucket_owner(bucket) if bucket else None
        if expected and owner and expected != owner:
            return aws_error(call, "AccessDenied", "Access Denied", 403)
    return None


@before("s3", "CreateBucket", order=20)
def reserved_names(call: Call, _gateway: Any) -> Response | None:
    """Prefixes and suffixes that S3 keeps for itself (S3 user guide, "Bucket naming rules")."""
    name = call.params["Bucket"]
    if name.startswith(_PREFIXES) or name.endswith(_SUFFIXES):
        return aws_error(call, "InvalidBucketName", "The specified bucket is not valid.", 400, BucketName=name)
    return None


@before("s3", "CreateBucket", order=25)
def object_lock_takes_rights(call: Call, gateway: Any) -> Response | None:
    """A bucket that is made with object lock takes two rights more (S3 API reference, CreateBucket)."""
    if call.headers.get("x-amz-bucket-object-lock-enabled", "").lower() != "true":
        return None
    arn = f"arn:aws:s3:::{call.params['Bucket']}"
    for action in ("s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"):
        denied = gateway.authorize(call, action, arn)
        if denied:
            return access_denied(call, action, arn, denied.reason)
    return None


def tags_in_xml(body: bytes) -> dict[str, str]:
    """The tags that a request body of S3 has (CreateBucketConfiguration, Tagging)."""
    from xml.sax.saxutils import unescape

    found = re.findall(rb"<Tag>\s*<Key>([^<]*)</Key>\s*<Value>([^<]*)</Value>\s*</Tag>", body)
    return {unescape(key.decode()): unescape(value.decode()) for key, value in found}
