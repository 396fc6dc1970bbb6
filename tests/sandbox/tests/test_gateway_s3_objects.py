# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects: ACLs, missing keys, object lock, and whose policy a refusal names."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, policy, refused, role_client, unique

REGION = "eu-west-1"
WHERE = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}


@pytest.fixture
def bucket(gateway: Any) -> str:
    name = unique("objects")
    gateway.client("s3", CLUSTER, REGION).create_bucket(Bucket=name, **WHERE)
    return name


def writer(gateway: Any, *actions: str, **options: Any) -> Any:
    rights = [allow(list(actions), "*") | options]
    return role_client(gateway, "s3", CLUSTER, rights, REGION)


@pytest.mark.parametrize("operation", ["put_object", "create_multipart_upload"])
def test_an_acl_needs_a_right_of_its_own(gateway: Any, bucket: str, operation: str) -> None:
    acl = {"Bucket": bucket, "Key": "a", "ACL": "bucket-owner-full-control"}
    error = refused(getattr(writer(gateway, "s3:PutObject"), operation), **acl)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert "s3:PutObjectAcl" in error.message
    getattr(writer(gateway, "s3:PutObject", "s3:PutObjectAcl"), operation)(**acl)


@pytest.mark.parametrize("acl", ["private", "public-read", "authenticated-read", "bucket-owner-read"])
def test_without_acls_only_one_acl_is_taken(gateway: Any, bucket: str, acl: str) -> None:
    put = writer(gateway, "s3:*").put_object
    error = refused(put, Bucket=bucket, Key="a", Body=b"x", ACL=acl)
    assert (error.code, error.status) == ("AccessControlListNotSupported", 400)
    rules = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    gateway.client("s3", CLUSTER, REGION).put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
    put(Bucket=bucket, Key="a", Body=b"x", ACL="private")


def test_a_missing_key_is_told_to_those_who_may_list_it(gateway: Any, bucket: str) -> None:
    missing = {"Bucket": bucket, "Key": "mine/missing"}
    blind = writer(gateway, "s3:GetObject")
    error = refused(blind.get_object, **missing)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert "s3:ListBucket" in error.message
    assert refused(blind.head_object, **missing).status == 403
    reader = writer(gateway, "s3:GetObject", "s3:ListBucket")
    assert refused(reader.get_object, **missing).code == "NoSuchKey"
    assert refused(reader.head_object, **missing).status == 404


def test_a_missing_key_is_the_prefix_that_is_asked_for(gateway: Any, bucket: str) -> None:
    rights = [
        allow("s3:GetObject", "*"),
        {**allow("s3:ListBucket", "*"), "Condition": {"StringLike": {"s3:prefix": ["mine/*"]}}},
    ]
    reader = role_client(gateway, "s3", CLUSTER, rights, REGION)
    assert refused(reader.get_object, Bucket=bucket, Key="mine/missing").code == "NoSuchKey"
    assert refused(reader.get_object, Bucket=bucket, Key="other/missing").code == "AccessDenied"


def test_under_object_lock_an_upload_has_a_checksum(gateway: Any) -> None:
    name = unique("locked")
    owner = gateway.client("s3", CLUSTER, REGION, request_checksum_calculation="when_required")
    owner.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, **WHERE)
    put = {"Bucket": name, "Key": "a", "Body": b"x"}
    owner.put_object(**put)
    retention = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2040-01-01T00:00:00Z"}
    gateway.client("s3", CLUSTER, REGION).put_object(**put, **retention)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    gateway.client("s3", CLUSTER, REGION).put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    error = refused(owner.put_object, **put)
    assert (error.code, error.status) == ("InvalidRequest", 400)
    assert "Content-MD5" in error.message
    gateway.client("s3", CLUSTER, REGION).put_object(**put)


def test_a_refusal_names_whose_policy_it_is(gateway: Any, bucket: str) -> None:
    put = {"Bucket": bucket, "Key": "a", "Body": b"x"}
    assert "no identity-based policy allows" in refused(writer(gateway, "s3:GetObject").put_object, **put).message
    stranger = role_client(gateway, "s3", PAYER, [allow("s3:*", "*")], REGION)
    assert "no resource-based policy allows" in refused(stranger.put_object, **put).message
    rightless = role_client(gateway, "s3", PAYER, [allow("s3:GetObject", "*")], REGION)
    assert "no identity-based policy allows" in refused(rightless.put_object, **put).message
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    gateway.client("s3", CLUSTER, REGION).put_bucket_policy(Bucket=bucket, Policy=policy(deny))
    denied = refused(writer(gateway, "s3:*").put_object, **put).message
    assert "explicit deny in a resource-based policy" in denied


def test_a_key_policy_that_refuses_is_named(gateway: Any, bucket: str) -> None:
    root = {**allow("kms:*", "*"), "Principal": {"AWS": f"arn:aws:iam::{PAYER}:root"}}
    key = gateway.client("kms", PAYER, REGION).create_key(Policy=policy(root))["KeyMetadata"]["Arn"]
    put = {"Bucket": bucket, "Key": "a", "Body": b"x", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    assert "no resource-based policy allows" in refused(writer(gateway, "s3:*", "kms:*").put_object, **put).message
    assert "no identity-based policy allows" in refused(writer(gateway, "s3:*").put_object, **put).message


def test_every_object_is_encrypted(gateway: Any, bucket: str) -> None:
    s3 = gateway.client("s3", CLUSTER, REGION)
    assert s3.put_object(Bucket=bucket, Key="a", Body=b"x")["ServerSideEncryption"] == "AES256"
    assert s3.get_object(Bucket=bucket, Key="a")["ServerSideEncryption"] == "AES256"
