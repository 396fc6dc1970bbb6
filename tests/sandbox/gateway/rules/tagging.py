# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Resource Groups Tagging API where MiniStack 1.5.33 is more generous than AWS.

It answers everything in one page, lists what never had a tag, knows no limits, and writes the tags of a resource for
whoever may call tag:TagResources. AWS asks the service that the resource belongs to, with the caller's rights, and says
in FailedResourcesMap which resource was refused (API reference of the service; the error of a whole call for an IAM
role: boto3 issue 2760).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .. import shapes
from ..aws_errors import aws_error
from ..call import Call, Response, json_response
from .registry import after, before

SERVICE = "resourcegroupstaggingapi"
_PAGE = 100
_MOST_TAGS = 50
# Service -> what its caller needs to set tags, and to take them away (service authorization reference).
_RIGHTS = {
    "s3": (["s3:GetBucketTagging", "s3:PutBucketTagging"], ["s3:GetBucketTagging", "s3:PutBucketTagging"]),
    "sqs": (["sqs:TagQueue"], ["sqs:UntagQueue"]),
    "cloudfront": (["cloudfront:TagResource"], ["cloudfront:UntagResource"]),
}
# ARNs that had a tag once, by account: AWS lists them still.
_tagged: set[tuple[str, str]] = set()


@before(SERVICE, "GetResources", "TagResources", "UntagResources", order=0)
def refuse_bad_call(call: Call, _gateway: Any) -> Response | None:
    """Shape, and what no tag may be called."""
    refused = shapes.refuse(call)
    if refused is not None:
        return aws_error(call, "InvalidParameterException", refused.json()["message"])
    if not 1 <= call.params.get("ResourcesPerPage", _PAGE) <= _PAGE:
        text = f"ResourcesPerPage must be greater than or equal to 1 and less than or equal to {_PAGE}"
        return aws_error(call, "InvalidParameterException", text)
    for key in [*call.params.get("Tags", {}), *call.params.get("TagKeys", [])]:
        if key.lower().startswith("aws:") and call.operation != "GetResources":
            return aws_error(call, "InvalidParameterException", f"Tag key {key} is reserved for AWS use")
    for arn in call.params.get("ResourceARNList", []) if call.operation != "GetResources" else []:
        if ":iam:" in arn:
            return aws_error(call, "InvalidParameterException", f"{arn} is not a valid AmazonResourceName (ARN)")
    return None


@before(SERVICE, "TagResources", "UntagResources")
async def ask_each_service(call: Call, gateway: Any) -> Response:
    """The resources that their services let the caller tag are tagged; of the others it is said why."""
    arns = call.params["ResourceARNList"]
    _remember(call)
    failed = {arn: refusal for arn in arns if (refusal := _refusal(call, gateway, arn))}
    left = [arn for arn in arns if arn not in failed]
    if left:
        call.body = json.dumps({**call.params, "ResourceARNList": left}).encode()
        answer = await gateway.forward(call)
        if answer.status >= 400:
            return answer
        failed |= answer.json()["FailedResourcesMap"]
    return json_response({"FailedResourcesMap": failed})


@after(SERVICE, "GetResources")
def in_pages(call: Call, response: Response, _gateway: Any) -> Response | None:
    """What has or had a tag in this region, by ARN, in pages."""
    if response.status >= 400:
        return None
    _remember(call)
    found = sorted(response.json()["ResourceTagMappingList"], key=lambda entry: entry["ResourceARN"])
    found = [entry for entry in found if entry["Tags"] or (call.account_id, entry["ResourceARN"]) in _tagged]
    found = [entry for entry in found if entry["ResourceARN"].split(":")[3] in ("", call.region)]
    token = call.params.get("PaginationToken") or "0"
    if not token.isdigit() or (int(token) and int(token) >= len(found)):
        return aws_error(call, "PaginationTokenExpiredException", "The specified PaginationToken has expired.")
    start, size = int(token), call.params.get("ResourcesPerPage", _PAGE)
    following = str(start + size) if start + size < len(found) else ""
    return json_response({"ResourceTagMappingList": found[start : start + size], "PaginationToken": following})


def tags_of_all() -> Iterator[tuple[str, dict[str, str]]]:
    """ARN and tags of all that has tags, in the account and region of the present scope."""
    from ministack.services import tagging

    for collect in dict.fromkeys(tagging._COLLECTORS.values()):
        for arn, tags in collect():
            yield arn, {tag["Key"]: tag["Value"] for tag in tags}


def _remember(call: Call) -> None:
    _tagged.update((call.account_id, arn) for arn, tags in tags_of_all() if tags)


def _refusal(call: Call, gateway: Any, arn: str) -> dict[str, Any] | None:
    """The entry of FailedResourcesMap for a resource that its service does not let the caller tag."""
    service = arn.split(":")[2]
    for action in _rights(service, call.operation):
        denied = gateway.authorize(call, action, arn)
        if denied is not None:
            # S3 does not tell which right it is.
            text = "Access Denied" if service == "s3" else denied.message
            return {"ErrorCode": "AccessDeniedException", "ErrorMessage": text, "StatusCode": 403}
    if call.operation == "UntagResources":
        return None
    present = next((tags for found, tags in tags_of_all() if found == arn), {})
    if len({key for key in {**present, **call.params["Tags"]} if not key.startswith("aws:")}) > _MOST_TAGS:
        text = f"The resource cannot have more than {_MOST_TAGS} tags"
        return {"ErrorCode": "InvalidParameterException", "ErrorMessage": text, "StatusCode": 400}
    return None


def _rights(service: str, operation: str) -> list[str]:
    tag, untag = _RIGHTS.get(service, ([f"{service}:TagResource"], [f"{service}:UntagResource"]))
    return tag if operation == "TagResources" else untag
