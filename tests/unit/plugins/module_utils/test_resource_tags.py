# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tagging: calls of 20 resources, what AWS refuses of them, and resources that AWS does not list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _resource_tags as tagging
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._resource_tags_plan import Step
from ansible_collections.kubestrap.aws.plugins.module_utils._tag_rules import Rule
from ansible_collections.kubestrap.aws.plugins.module_utils._tagged_resources import Resource
from botocore.stub import Stubber

REGION, ACCOUNT = "eu-west-1", "222222222222"
A, B = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:a", "arn:aws:s3:::b"


@pytest.fixture
def connection() -> AwsConnection:
    keys = {"aws_access_key_id": "example-access-key", "aws_secret_access_key": "example-secret-key"}
    return AwsConnection(REGION, None, keys)


@pytest.fixture
def api(connection: AwsConnection) -> Iterator[Stubber]:
    with Stubber(connection.client("resourcegroupstaggingapi", REGION)) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def step(arn: str, add: dict[str, str], *remove: str, region: str = REGION) -> Step:
    """A step for a resource."""
    return Step(Resource(arn, ACCOUNT, region), (), add, remove)


def failed(**arns: dict[str, Any]) -> dict[str, Any]:
    """An answer that says what has failed."""
    return {"FailedResourcesMap": {{"a": A, "b": B}[name]: entry for name, entry in arns.items()}}


def test_calls() -> None:
    many = [step(f"{A}-{number}", {"x": "1"}) for number in range(21)]
    calls = tagging.calls_of([*many, step(A, {"x": "2"}, "y"), step(B, {"x": "2"}, region="us-east-1"), step(B, {})])
    assert [(call.region, len(call.arns), dict(call.tags), call.keys) for call in calls] == [
        (REGION, 1, {}, ("y",)),
        (REGION, 20, {"x": "1"}, ()),
        (REGION, 1, {"x": "1"}, ()),
        (REGION, 1, {"x": "2"}, ()),
        ("us-east-1", 1, {"x": "2"}, ()),
    ]
    assert calls[0].summary == f"remove the tags y from rds:{REGION}:{ACCOUNT}:db:a"
    assert calls[4].summary == "set the tags x=2 on s3:::b"


def test_refusals_are_told_by_resource_and_the_right_that_is_missing(connection: AwsConnection, api: Stubber) -> None:
    call = tagging.Call(REGION, (A, B), {"x": "1"})
    entries = {
        "a": {"StatusCode": 400, "ErrorCode": "InvalidParameterException", "ErrorMessage": "Resource does not exist"},
        "b": {"StatusCode": 403, "ErrorCode": "AccessDeniedException", "ErrorMessage": "Access Denied"},
    }
    api.add_response("tag_resources", failed(**entries), {"ResourceARNList": [A, B], "Tags": {"x": "1"}})
    found = tagging.apply(connection, [call])
    assert found[A].hint.startswith("Correct the ARN")
    assert found[B] == tagging.Refusal(
        "AccessDeniedException", "Access Denied", f"Allow s3:GetBucketTagging, s3:PutBucketTagging on {B}"
    )


def test_nothing_further_is_tried_of_a_resource_that_was_refused(connection: AwsConnection, api: Stubber) -> None:
    denied = {"StatusCode": 403, "ErrorCode": "AccessDeniedException", "ErrorMessage": "not authorized"}
    api.add_response("untag_resources", failed(a=denied), {"ResourceARNList": [A], "TagKeys": ["y"]})
    api.add_response("tag_resources", failed(), {"ResourceARNList": [B], "Tags": {"x": "1"}})
    calls = [tagging.Call(REGION, (A,), keys=("y",)), tagging.Call(REGION, (A, B), {"x": "1"})]
    found = tagging.apply(connection, calls)
    assert found[A].hint == f"Allow rds:RemoveTagsFromResource on {A}"


def test_a_service_that_is_busy_is_asked_again(connection: AwsConnection, api: Stubber) -> None:
    busy = {"StatusCode": 500, "ErrorCode": "InternalServiceException", "ErrorMessage": "busy"}
    throttled = {"StatusCode": 400, "ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}
    api.add_response("tag_resources", failed(a=busy, b=throttled), {"ResourceARNList": [A, B], "Tags": {"x": "1"}})
    api.add_response("tag_resources", failed(b=throttled), {"ResourceARNList": [A, B], "Tags": {"x": "1"}})
    for _attempt in range(2):
        api.add_response("tag_resources", failed(b=throttled), {"ResourceARNList": [B], "Tags": {"x": "1"}})
    pauses: list[float] = []
    found = tagging.apply(connection, [tagging.Call(REGION, (A, B), {"x": "1"})], pauses.append)
    assert list(found) == [B] and found[B].message == "slow"
    assert len(pauses) == 3 and pauses == sorted(pauses)


def test_one_arn_that_ends_the_call_does_not_keep_it_from_the_others(connection: AwsConnection, api: Stubber) -> None:
    api.add_client_error("tag_resources", "InvalidParameterException", "no ARN")
    api.add_client_error("tag_resources", "InvalidParameterException", "no ARN")
    api.add_response("tag_resources", failed(), {"ResourceARNList": [B], "Tags": {"x": "1"}})
    found = tagging.apply(connection, [tagging.Call(REGION, (A, B), {"x": "1"})])
    assert found == {A: tagging.Refusal("InvalidParameterException", "no ARN")}


def test_a_call_that_cannot_be_made_ends_the_run(connection: AwsConnection, api: Stubber) -> None:
    api.add_client_error("tag_resources", "AccessDeniedException", "not authorized to perform: tag:TagResources")
    with pytest.raises(AnsibleAWSError) as error:
        tagging.apply(connection, [tagging.Call(REGION, (A,), {"x": "1"})])
    assert error.value.message.startswith(f"Failed to set the tags x=1 on rds:{REGION}")
    assert "Allow the action that AWS names" in error.value.message


def test_resources_that_are_named_and_not_listed(connection: AwsConnection) -> None:
    elsewhere = [f"arn:aws:rds:us-east-2:{ACCOUNT}:db:a", "arn:aws:rds:eu-west-1:111111111111:db:a"]
    named = Rule("one", {"x": "1"}, (A, B, "arn:aws:s3:::c", "arn:aws:s3:::d", "arn:aws:s3:::listed", *elsewhere))
    listed = [Resource("arn:aws:s3:::listed", ACCOUNT, REGION)]
    with Stubber(connection.client("s3")) as s3:
        # They are asked side by side, in any order.
        s3.add_client_error("head_bucket", "403", http_status_code=403)
        s3.add_client_error("head_bucket", "404", http_status_code=404)
        s3.add_response("head_bucket", {"BucketRegion": REGION})
        found = tagging.named_only(connection, [named], listed, ACCOUNT, [REGION])
        s3.assert_no_pending_responses()
    assert found[0] == Resource(A, ACCOUNT, REGION)
    assert [each.region for each in found[1:]] == [REGION]
