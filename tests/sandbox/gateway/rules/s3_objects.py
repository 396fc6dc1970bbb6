# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as S3 takes and gives them: ACL headers, keys that are missing, checksums under object lock.

MiniStack 1.5.33 takes the ACL `private` where ACLs are off and asks no right for an ACL, says of a missing key that it
is missing to callers who may not list, takes uploads without a checksum into a locked bucket, and keeps objects in the
clear where a bucket has no encryption of its own.
"""

from __future__ import annotations

from typing import Any

from ..aws_errors import access_denied, aws_error, error_code
from ..call import Call, Response
from .registry import after, before
from .s3 import bucket_owner

_GRANTS = "x-amz-grant-"
_WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")


def setup(_gateway: Any) -> None:
    """Encrypt with SSE-S3 where a bucket says nothing (S3 user guide, "default encryption FAQ": since January 2023)."""
    from ministack.services import s3

    of_bucket = s3._bucket_default_sse_headers

    def never_in_the_clear(bucket_name: str) -> dict[str, str]:
        return of_bucket(bucket_name) or {"x-amz-server-side-encryption": "AES256"}

    s3._bucket_default_sse_headers = never_in_the_clear


@before("s3", *_WRITES, order=30)
def acl_of_an_upload(call: Call, gateway: Any) -> Response | None:
    """An ACL with an upload needs s3:PutObjectAcl; where ACLs are off only bucket-owner-full-control is taken.

    Sources: S3 API reference, PutObject ("x-amz-acl"); S3 user guide, "Controlling ownership of objects".
    """
    bucket = call.params["Bucket"]
    acl = call.headers.get("x-amz-acl", "")
    if not (acl or any(name.startswith(_GRANTS) for name in call.headers)) or bucket_owner(bucket) is None:
        return None
    arn = f"arn:aws:s3:::{bucket}/{call.params.get('Key', '')}"
    denied = gateway.authorize(call, "s3:PutObjectAcl", arn, {"s3:x-amz-acl": acl} if acl else {})
    if denied:
        return access_denied(call, "s3:PutObjectAcl", f'"{arn}"', denied.reason)
    if acl != "bucket-owner-full-control" and _acls_are_off(bucket):
        return aws_error(call, "AccessControlListNotSupported", "The bucket does not allow ACLs", 400)
    return None


@before("s3", "PutObject", order=45)
def checksum_under_object_lock(call: Call, _gateway: Any) -> Response | None:
    """An upload that gets a retention needs Content-MD5 or a checksum (S3 user guide, "Object Lock considerations")."""
    names = set(call.headers)
    checked = "content-md5" in names or any(name.startswith("x-amz-checksum-") for name in names)
    if checked or call.headers.get("x-amz-trailer", "").startswith("x-amz-checksum-"):
        return None
    if "x-amz-object-lock-mode" not in names and not _default_retention(call.params["Bucket"]):
        return None
    return aws_error(
        call,
        "InvalidRequest",
        "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
        400,
    )


@after("s3", "GetObject", "HeadObject", order=20)
def missing_keys(call: Call, response: Response, gateway: Any) -> Response | None:
    """That a key is missing is told only to who may list it; the key is then the request's s3:prefix.

    Sources: S3 API reference, GetObject ("Permissions"); that conditions on s3:prefix see the key: ceph/ceph#68577.
    """
    bucket = call.params["Bucket"]
    missing = response.status == 404 and (call.method == "HEAD" or error_code(response) == "NoSuchKey")
    if not missing or not call.access_key or bucket_owner(bucket) is None:
        return None
    arn = f"arn:aws:s3:::{bucket}"
    denied = gateway.authorize(call, "s3:ListBucket", arn, {"s3:prefix": call.params.get("Key", "")})
    return access_denied(call, "s3:ListBucket", f'"{arn}"', denied.reason) if denied else None


def _acls_are_off(bucket: str) -> bool:
    from ministack.services import s3

    owner = bucket_owner(bucket)
    return s3._bucket_owner_enforced(s3._buckets.get_scoped(owner, None, bucket))


def _default_retention(bucket: str) -> bool:
    from ministack.services import s3

    owner = bucket_owner(bucket)
    stored = s3._bucket_object_lock.get_scoped(owner, None, bucket) if owner else None
    return bool(stored and stored["default_retention"])
