# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emptying a bucket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket import BucketId
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket_empty import empty_bucket
from botocore.stub import Stubber

BUCKET = BucketId("reports", "eu-west-1", "111111111111", "aws")
TARGET = {"Bucket": "reports", "ExpectedBucketOwner": "111111111111"}


@pytest.fixture
def connection() -> AwsConnection:
    keys = {"aws_access_key_id": "not-a-key-id", "aws_secret_access_key": "not-a-secret-key"}
    return AwsConnection(region="us-east-1", params=keys)


@pytest.fixture
def s3(connection: AwsConnection) -> Iterator[Stubber]:
    """AWS' answers, in the region of the bucket."""
    with Stubber(connection.client("s3", "eu-west-1")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_emptying_takes_all_versions(connection: AwsConnection, s3: Stubber) -> None:
    pages = [
        {
            "IsTruncated": True,
            "NextKeyMarker": "b",
            "NextVersionIdMarker": "2",
            "Versions": [{"Key": "a", "VersionId": "1"}, {"Key": "b", "VersionId": "null"}],
        },
        {"IsTruncated": False, "DeleteMarkers": [{"Key": "c", "VersionId": "3"}]},
    ]
    objects = [
        [{"Key": "a", "VersionId": "1"}, {"Key": "b", "VersionId": "null"}],
        [{"Key": "c", "VersionId": "3"}],
    ]
    for page, deleted in zip(pages, objects, strict=True):
        s3.add_response("list_object_versions", page)
        s3.add_response("delete_objects", {}, {**TARGET, "Delete": {"Objects": deleted, "Quiet": True}})

    empty_bucket(connection, BUCKET)


def test_emptying_ends_at_the_first_refusal(connection: AwsConnection, s3: Stubber) -> None:
    s3.add_response("list_object_versions", {"Versions": [{"Key": "a", "VersionId": "1"}]})
    error = {"Key": "a", "VersionId": "1", "Code": "AccessDenied", "Message": "object lock"}
    s3.add_response("delete_objects", {"Errors": [error]})

    with pytest.raises(AnsibleAWSError, match=r"s3://reports/a \(version 1\): AccessDenied: object lock"):
        empty_bucket(connection, BUCKET)
