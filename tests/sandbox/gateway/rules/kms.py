# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects under SSE-KMS: S3 uses the key with the caller's rights, so the caller needs them.

A write needs kms:GenerateDataKey, a read kms:Decrypt, the parts and the end of a multipart upload kms:Decrypt (S3
user guide, "Using server-side encryption with KMS keys" and "Multipart upload API and permissions"). MiniStack 1.5.33
checks none of it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..aws_errors import access_denied, aws_error
from ..call import Call, Response
from .iam_documents import Malformed, check_principals
from .registry import after, before
from .s3 import bucket_owner, bucket_region

_ALGORITHM, _KEY = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"
_AWS_MANAGED = "alias/aws/s3"
_uploads: dict[str, str] = {}  # upload id -> key ("" = none)


def setup(_gateway: Any) -> None:
    """Let the evaluator find keys of other accounts and regions by their ARN (MiniStack: the caller's only)."""
    from ministack.services import kms

    def policy_of_any_account(resource_arn: str) -> tuple[str, str] | None:
        for (account, _region, _key_id), record in list(kms._keys._data.items()):
            if record.get("Arn") == resource_arn:
                return record.get("Policy") or "", account
        return None

    kms.key_policy_for_arn = policy_of_any_account


def find_key(reference: str, account: str, region: str) -> dict[str, Any] | None:
    """The record of a key named by ARN (any account, this region), or by id or alias in `account`."""
    from ministack.core.responses import request_scope
    from ministack.services import kms

    found = re.fullmatch(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):(\d{12}):(.+)", reference)
    if found:
        if found.group(1) != region:
            return None
        account, reference = found.group(2), found.group(3).removeprefix("key/")
    with request_scope(account, region):
        return kms._resolve_key(reference)


@before("s3", "PutObject", "CreateMultipartUpload", "CopyObject", order=40)
def write_needs_the_key(call: Call, gateway: Any) -> Response | None:
    """kms:GenerateDataKey on the key that the call or the bucket names; a copy also reads its source."""
    key = _key_for_write(call)
    call.notes["kms_key"] = key
    if key and (refusal := _refuse(call, gateway, "kms:GenerateDataKey", key)):
        return refusal
    source = _source_key(call) if call.operation == "CopyObject" else ""
    return _refuse(call, gateway, "kms:Decrypt", source) if source else None


@after("s3", "CreateMultipartUpload")
def remember_upload(call: Call, response: Response, _gateway: Any) -> None:
    """The parts of an upload are under its key."""
    found = re.search(rb"<UploadId>([^<]+)<", response.body)
    if response.status == 200 and found:
        _uploads[found.group(1).decode()] = call.notes.get("kms_key", "")


@before("s3", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload", order=40)
def parts_need_the_key(call: Call, gateway: Any) -> Response | None:
    """kms:Decrypt on the key of the upload."""
    key = _uploads.get(call.query.get("uploadId", ""), "")
    return _refuse(call, gateway, "kms:Decrypt", key) if key else None


@after("s3", "GetObject")
def read_needs_the_key(call: Call, response: Response, gateway: Any) -> Response | None:
    """kms:Decrypt on the object's key."""
    if response.status not in (200, 206) or not response.header(_ALGORITHM).startswith("aws:kms"):
        return None
    return _refuse(call, gateway, "kms:Decrypt", response.header(_KEY) or _AWS_MANAGED)


@before("kms", "CreateKey", "PutKeyPolicy", order=20)
def key_policy_principals(call: Call, _gateway: Any) -> Response | None:
    """A key policy is JSON and names principals that exist."""
    document = call.params.get("Policy")
    if not document:
        return None
    try:
        statements = json.loads(document)["Statement"]
        check_principals([statement for statement in statements if "Principal" in statement])
    except Malformed:
        return aws_error(
            call, "MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals."
        )
    except (ValueError, KeyError, TypeError):
        return aws_error(call, "MalformedPolicyDocumentException", "The new key policy is not valid JSON.")
    return None


def _key_for_write(call: Call) -> str:
    """The key that the object will be under: named in the call, else by the bucket's default; "" = none."""
    from ministack.core.responses import request_scope
    from ministack.services import s3

    headers: dict[str, str] = call.headers
    if not headers.get(_ALGORITHM) and (owner := bucket_owner(call.params["Bucket"])):
        with request_scope(owner, call.region):
            headers = s3._bucket_default_sse_headers(call.params["Bucket"])
    if not headers.get(_ALGORITHM, "").startswith("aws:kms"):
        return ""
    return headers.get(_KEY) or _AWS_MANAGED


def _source_key(call: Call) -> str:
    from urllib.parse import unquote

    from .. import buckets

    name, _unused, key = unquote(call.headers.get("x-amz-copy-source", "")).lstrip("/").partition("/")
    bucket = buckets.find(name)
    found = [item for item in bucket.objects(key.split("?versionId=")[0]) if item.key == key] if bucket else []
    return found[0].kms_key if found else ""


def _refuse(call: Call, gateway: Any, action: str, reference: str) -> Response | None:
    bucket = call.params["Bucket"]
    owner, region = bucket_owner(bucket) or call.account_id, bucket_region(bucket) or call.region
    if reference == _AWS_MANAGED or reference.endswith(f":{_AWS_MANAGED}"):
        # Its key policy admits the bucket owner's account through S3, and nobody can change that.
        if call.account_id == owner:
            return None
        return access_denied(
            call,
            action,
            f"arn:aws:kms:{region}:{owner}:{_AWS_MANAGED}",
            f"because no resource-based policy allows the {action} action",
        )
    record = find_key(reference, owner, region)
    if record is None:
        return aws_error(call, "KMS.NotFoundException", f"Key '{reference}' does not exist", 400)
    arn = record["Arn"]
    if record["KeyState"] == "Disabled":
        return aws_error(call, "KMS.DisabledException", f"{arn} is disabled.", 400)
    if record["KeyState"] != "Enabled":
        return aws_error(call, "KMS.KMSInvalidStateException", f"{arn} is pending deletion.", 400)
    denied = gateway.authorize(
        call,
        action,
        arn,
        {
            "kms:ViaService": f"s3.{region}.amazonaws.com",
            "kms:CallerAccount": call.account_id,
            "kms:EncryptionContext:aws:s3:arn": [
                f"arn:aws:s3:::{bucket}",
                f"arn:aws:s3:::{bucket}/{call.params.get('Key', '')}",
            ],
        },
    )
    return access_denied(call, action, arn, denied.reason) if denied else None
