# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a bucket: what its absence, its region, its owner and refusals look like."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _s3_bucket
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket import BucketId, read
from botocore.stub import Stubber

BUCKET = BucketId("reports", "eu-west-1", "111111111111", "aws")
TARGET = {"Bucket": "reports", "ExpectedBucketOwner": "111111111111"}


@pytest.fixture
def connection() -> AwsConnection:
    keys = {"aws_access_key_id": "not-a-key-id", "aws_secret_access_key": "not-a-secret-key"}
    return AwsConnection(region="us-east-1", params=keys)


@pytest.fixture
def s3(connection: AwsConnection) -> Any:
    """AWS' answers, in the region of the bucket."""
    with Stubber(connection.client("s3", "eu-west-1")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("setting", "operation", "answer", "expected"),
    [
        (
            "public_access_block",
            "get_public_access_block",
            {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": False}},
            {
                "block_public_acls": True,
                "ignore_public_acls": False,
                "block_public_policy": False,
                "restrict_public_buckets": False,
            },
        ),
        (
            "object_ownership",
            "get_bucket_ownership_controls",
            {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}},
            "ObjectWriter",
        ),
        (
            "encryption",
            "get_bucket_encryption",
            {
                "ServerSideEncryptionConfiguration": {
                    "Rules": [
                        {
                            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"},
                            "BucketKeyEnabled": True,
                            "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
                        }
                    ]
                }
            },
            {
                "sse_algorithm": "aws:kms",
                "kms_master_key_id": "k",
                "bucket_key_enabled": True,
                "blocked_encryption_types": ["SSE-C"],
            },
        ),
        ("versioning", "get_bucket_versioning", {}, "Disabled"),
        ("versioning", "get_bucket_versioning", {"Status": "Suspended"}, "Suspended"),
        ("policy", "get_bucket_policy", {"Policy": json.dumps({"Statement": []})}, {"Statement": []}),
        ("tags", "get_bucket_tagging", {"TagSet": [{"Key": "a", "Value": "b"}]}, {"a": "b"}),
    ],
)
def test_each_setting(
    setting: str, operation: str, answer: Any, expected: Any, connection: AwsConnection, s3: Stubber
) -> None:
    s3.add_response(operation, answer, expected_params=TARGET)

    assert read(connection, BUCKET, (setting,)) == {**BUCKET.resource, setting: expected}


@pytest.mark.parametrize(
    ("setting", "operation", "code", "expected"),
    [
        (
            "public_access_block",
            "get_public_access_block",
            "NoSuchPublicAccessBlockConfiguration",
            dict.fromkeys(
                ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets"), False
            ),
        ),
        ("object_ownership", "get_bucket_ownership_controls", "OwnershipControlsNotFoundError", None),
        ("encryption", "get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError", None),
        ("policy", "get_bucket_policy", "NoSuchBucketPolicy", None),
        ("tags", "get_bucket_tagging", "NoSuchTagSet", {}),
    ],
)
def test_each_setting_that_was_never_set(
    setting: str, operation: str, code: str, expected: Any, connection: AwsConnection, s3: Stubber
) -> None:
    s3.add_client_error(operation, code, http_status_code=404)

    assert read(connection, BUCKET, (setting,)) == {**BUCKET.resource, setting: expected}


def test_lifecycle(connection: AwsConnection, s3: Stubber) -> None:
    rule = {"ID": "x", "Status": "Enabled", "Expiration": {"Days": 1}}
    answer = {"Rules": [rule], "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    s3.add_response("get_bucket_lifecycle_configuration", answer)
    s3.add_client_error("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")

    found, none = (read(connection, BUCKET, ("lifecycle",)) for _unused in range(2))

    assert found == {
        **BUCKET.resource,
        "lifecycle_rules": [rule],
        "transition_default_minimum_object_size": "varies_by_storage_class",
    }
    assert none == {**BUCKET.resource, "lifecycle_rules": [], "transition_default_minimum_object_size": None}


@pytest.mark.parametrize(
    ("answer", "empty"),
    [
        ({}, True),
        ({"Versions": [{"Key": "a", "VersionId": "null"}]}, False),
        ({"DeleteMarkers": [{"Key": "a", "VersionId": "1"}]}, False),
    ],
)
def test_emptiness(answer: Any, empty: bool, connection: AwsConnection, s3: Stubber) -> None:
    s3.add_response("list_object_versions", answer, expected_params={**TARGET, "MaxKeys": 1})

    assert read(connection, BUCKET, ("empty",))["empty"] is empty


def test_a_missing_bucket(connection: AwsConnection, s3: Stubber) -> None:
    s3.add_client_error("get_bucket_policy", "NoSuchBucket", http_status_code=404)

    assert read(connection, BUCKET, ("policy",)) is None


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([], "'reports' is a bucket of someone else, not of account 111111111111"),
        (["reports-two"], "'reports' is a bucket of someone else"),
        (["reports", "reports-two"], "may not call GetBucketPolicy on the bucket reports"),
        (None, "does not belong to account 111111111111, or these credentials may not call GetBucketPolicy"),
    ],
)
def test_a_refusal_says_whose_the_bucket_is(
    listed: list[str] | None, words: str, connection: AwsConnection, s3: Stubber
) -> None:
    s3.add_client_error("get_bucket_policy", "AccessDenied", http_status_code=403)
    if listed is None:
        s3.add_client_error("list_buckets", "AccessDenied", http_status_code=403)
    else:
        s3.add_response("list_buckets", {"Buckets": [{"Name": name} for name in listed]}, {"Prefix": "reports"})

    with pytest.raises(AnsibleAWSError, match=words):
        read(connection, BUCKET, ("policy",))


def test_any_other_error_is_told_as_it_is(connection: AwsConnection, s3: Stubber) -> None:
    s3.add_client_error("get_bucket_policy", "MethodNotAllowed", "said S3", http_status_code=405)

    with pytest.raises(AnsibleAWSError, match="Failed to read the bucket reports: .*said S3"):
        read(connection, BUCKET, ("policy",))


def response(status: int, region: str | None = None, error: Any = None) -> tuple[Any, dict[str, Any]]:
    headers = {"x-amz-bucket-region": region} if region else {}
    parsed = {"ResponseMetadata": {"HTTPHeaders": headers}, **({"Error": error} if error else {})}
    return SimpleNamespace(status_code=status), parsed


REQUEST = {"context": {"client_region": "eu-west-1"}}


@pytest.mark.parametrize(
    "answer",
    [
        response(301, "us-east-1", {"Code": "PermanentRedirect"}),
        response(400, "us-east-1"),
        response(307, "us-east-1"),
        response(400, None, {"Code": "AuthorizationHeaderMalformed", "Region": "us-east-1"}),
    ],
)
def test_a_redirection_is_not_followed(answer: Any) -> None:
    with pytest.raises(AnsibleAWSError, match="us-east-1"):
        _s3_bucket._refuse_other_region(REQUEST, answer)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        response(200, "us-east-1"),
        response(404),
        response(307, "eu-west-1"),
        response(400, None, {"Code": "Other"}),
    ],
)
def test_other_answers_are_left_to_the_sdk(answer: Any) -> None:
    assert _s3_bucket._refuse_other_region(REQUEST, answer) is None
