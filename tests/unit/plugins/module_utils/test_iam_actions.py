# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations and the actions that they need, where the two have different names."""

from __future__ import annotations

import boto3
import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _iam_actions
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_actions import actions_of


@pytest.mark.parametrize(
    ("service", "operation", "actions"),
    [
        ("s3", "GetBucketEncryption", ["s3:GetEncryptionConfiguration"]),
        ("s3", "HeadBucket", ["s3:ListBucket"]),
        ("s3", "DeleteBucketTagging", ["s3:PutBucketTagging"]),
        ("s3", "DeleteObjects", ["s3:DeleteObject", "s3:DeleteObjectVersion"]),
        ("glue", "GetTable", ["glue:GetTable"]),
        ("s3", "GetObjectLockConfiguration", ["s3:GetBucketObjectLockConfiguration"]),
        ("s3", "UploadPart", ["s3:PutObject"]),
        ("iam", "GetRole", ["iam:GetRole"]),
    ],
)
def test_actions(service: str, operation: str, actions: list[str]) -> None:
    assert actions_of(service, operation) == actions


def test_a_call_that_creates_with_tags_needs_the_right_to_tag() -> None:
    assert actions_of("iam", "CreateRole") == ["iam:CreateRole", "iam:TagRole"]
    assert actions_of("iam", "CreateRole", tagged=False) == ["iam:CreateRole"]
    assert actions_of("iam", "CreateUser") == ["iam:CreateUser", "iam:TagUser"]
    assert actions_of("s3", "CreateBucket") == ["s3:CreateBucket", "s3:TagResource"]


def test_what_anyone_may_ask_needs_nothing() -> None:
    assert actions_of("sts", "GetCallerIdentity") == []
    assert actions_of("sts", "AssumeRole") == ["sts:AssumeRole"]


@pytest.mark.parametrize(("service", "operation"), [("s3", "GetBucketWebsite"), ("ec2", "DescribeVpcs")])
def test_what_is_not_known_is_not_guessed(service: str, operation: str) -> None:
    with pytest.raises(KeyError):
        actions_of(service, operation)


def test_every_operation_that_is_named_exists() -> None:
    session = boto3.session.Session(region_name="us-east-1")
    named = [("s3", operation) for operation in _iam_actions._S3]
    named += [*_iam_actions._TAGGED_CREATES, *_iam_actions._FREE]
    for service in _iam_actions._PREFIXES:
        assert service in session.get_available_services()
    for service, operation in named:
        assert operation in session.client(service).meta.service_model.operation_names, (service, operation)
