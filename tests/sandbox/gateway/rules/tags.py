# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags in create calls: S3's as condition keys, and the right to tag.

Making a thing with tags needs the right to tag it as well (service authorization reference, dependent actions of each
create call). MiniStack knows the tags of JSON and query requests as aws:RequestTag and aws:TagKeys, those in S3's XML
it does not.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from ..aws_errors import access_denied
from ..call import Call, Response
from .evaluator import context_keys
from .registry import before
from .s3 import tags_in_xml

_RIGHT_TO_TAG = {
    ("iam", "CreateRole"): "iam:TagRole",
    ("iam", "CreatePolicy"): "iam:TagPolicy",
    ("iam", "CreateUser"): "iam:TagUser",
    ("iam", "CreateOpenIDConnectProvider"): "iam:TagOpenIDConnectProvider",
    ("s3", "CreateBucket"): "s3:TagResource",
    ("kms", "CreateKey"): "kms:TagResource",
    ("athena", "CreateWorkGroup"): "athena:TagResource",
    ("eks", "CreateCluster"): "eks:TagResource",
    ("eks", "CreatePodIdentityAssociation"): "eks:TagResource",
    ("eks", "CreateAccessEntry"): "eks:TagResource",
}


def request_tags(call: Call) -> dict[str, Any]:
    """aws:RequestTag/<key> for each tag that the call sets, and aws:TagKeys; {} when it sets none."""
    from ministack.core import iam_actions

    if call.service == "s3":
        tags = (
            tags_in_xml(call.body)
            if call.operation in ("CreateBucket", "PutBucketTagging", "PutObjectTagging")
            else (dict(parse_qsl(call.headers.get("x-amz-tagging", ""), keep_blank_values=True)))
        )
        keys: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        return {**keys, "aws:TagKeys": list(tags)} if tags else {}
    flat = {name: [value] for name, value in call.params.items()} if call.service == "iam" else {}
    return iam_actions.request_tag_context(call.service, f"{call.service}:{call.operation}", call.body, flat)


@context_keys
def tag_keys(call: Call, action: str, _resource_arn: str) -> dict[str, Any]:
    """The tags of the call, for its own action and the one that tags."""
    own = (f"{call.service}:{call.operation}", _RIGHT_TO_TAG.get((call.service, call.operation)))
    return request_tags(call) if call.service == "s3" or action in own else {}


def right_to_tag(call: Call, gateway: Any) -> Response | None:
    """AccessDenied when the call sets tags and its caller may not."""
    from ministack.core import iam_actions

    if not request_tags(call):
        return None
    flat = {name: [value] for name, value in call.params.items()} if call.service == "iam" else {}
    resource = iam_actions.extract_resource_arn(
        call.service, call.method, call.path, call.headers, call.body, flat, call.region, call.account_id
    )
    action = _RIGHT_TO_TAG[(call.service, call.operation)]
    denied = gateway.authorize(call, action, resource)
    return access_denied(call, action, resource, denied.reason) if denied else None


for _service, _operation in _RIGHT_TO_TAG:
    before(_service, _operation, order=5)(right_to_tag)
