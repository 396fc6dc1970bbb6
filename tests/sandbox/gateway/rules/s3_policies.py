# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bucket policies as S3 takes them: its own bucket, actions that fit the resources, principals that exist.

MiniStack 1.5.33 stores any text. Source: S3 user guide, "Bucket policies" and re:Post articles on MalformedPolicy.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..aws_errors import aws_error
from ..call import Call, Response
from .iam_documents import Malformed, check_principals
from .registry import before

_LONGEST = 20 * 1024
_OBJECT_ACTION = re.compile(
    r"s3:(\w*Object(?!Lock)\w*|AbortMultipartUpload|ListMultipartUploadParts|InitiateReplication)", re.IGNORECASE
)
_ACTION = re.compile(r"\*|[sS]3:[A-Za-z*?]+")


@before("s3", "PutBucketPolicy", order=30)
def bucket_policies(call: Call, _gateway: Any) -> Response | None:
    """MalformedPolicy, with S3's words for what is wrong."""
    from .s3 import bucket_owner

    bucket = call.params["Bucket"]
    if bucket_owner(bucket) is None:
        return None  # MiniStack says NoSuchBucket
    try:
        _check(call.body, bucket)
    except Malformed as error:
        return aws_error(call, "MalformedPolicy", str(error), 400)
    return None


def _check(body: bytes, bucket: str) -> None:
    if not body.lstrip().startswith(b"{"):
        raise Malformed("Policies must be valid JSON and the first byte must be '{'")
    if len(body) > _LONGEST:
        raise Malformed("Policy exceeds the maximum allowed document size.")
    try:
        document = json.loads(body)
    except ValueError:
        raise Malformed("This policy contains invalid Json") from None
    if "Statement" not in document:
        raise Malformed("Missing required field Statement")
    statements = _listed(document["Statement"])
    if not statements:
        raise Malformed("Could not parse the policy: Statement is empty!")
    for statement in statements:
        _check_statement(statement, bucket)


def _check_statement(statement: Any, bucket: str) -> None:
    if not isinstance(statement, dict):
        raise Malformed("Invalid policy syntax.")
    for field in ("Effect", "Principal", "Action", "Resource"):
        if field not in statement and f"Not{field}" not in statement:
            raise Malformed(f"Missing required field {field}")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise Malformed(f"Invalid effect: {statement['Effect']}")
    actions = _listed(statement.get("Action", []))
    if not all(isinstance(action, str) and _ACTION.fullmatch(action) for action in actions):
        raise Malformed("Policy has invalid action")
    resources = [str(resource) for resource in _listed(statement.get("Resource", []))]
    arn = re.compile(rf"arn:aws[a-z-]*:s3:::{re.escape(bucket)}(/.*)?", re.DOTALL)
    if not all(arn.fullmatch(resource) for resource in resources):
        raise Malformed("Policy has invalid resource")
    for action in actions if resources else []:
        wants_object = bool(_OBJECT_ACTION.fullmatch(action))
        if "*" not in action and not any(("/" in resource) == wants_object for resource in resources):
            raise Malformed("Action does not apply to any resource(s) in statement")
    if "Principal" in statement:
        try:
            check_principals([statement])
        except Malformed:
            raise Malformed("Invalid principal in policy") from None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
