# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects under SSE-KMS need the right to the key, from the key's policy and the caller's."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, policy, refused, role_client, unique

REGION = "eu-west-1"
VIA_S3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}


def key_policy(*statements: dict[str, Any]) -> str:
    root = {**allow("kms:*", "*"), "Principal": {"AWS": f"arn:aws:iam::{PAYER}:root"}}
    return policy(root, *statements)


@pytest.fixture
def key(gateway: Any) -> str:
    return gateway.client("kms", PAYER, REGION).create_key(Policy=key_policy())["KeyMetadata"]["Arn"]


@pytest.fixture
def bucket(gateway: Any, key: str) -> str:
    """A bucket whose default encryption is the key."""
    name = unique("kms-bucket")
    s3 = gateway.client("s3", PAYER, REGION)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
                    "BucketKeyEnabled": True,
                }
            ]
        },
    )
    return name


def client(gateway: Any, *key_rights: dict[str, Any], account: str = PAYER) -> Any:
    return role_client(gateway, "s3", account, [allow("s3:*", "*"), *key_rights], REGION)


def denied(call: Any, action: str, **parameters: Any) -> None:
    error = refused(call, **parameters)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert action in error.message


def test_a_writer_needs_generate_data_key(gateway: Any, bucket: str, key: str) -> None:
    put = {"Bucket": bucket, "Key": "a", "Body": b"x"}
    denied(client(gateway).put_object, "kms:GenerateDataKey", **put)
    denied(client(gateway, allow("kms:Decrypt", key)).put_object, "kms:GenerateDataKey", **put)
    answer = client(gateway, allow("kms:GenerateDataKey", key)).put_object(**put)
    assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_reader_needs_decrypt(gateway: Any, bucket: str, key: str) -> None:
    gateway.client("s3", PAYER, REGION).put_object(Bucket=bucket, Key="a", Body=b"x")
    denied(client(gateway).get_object, "kms:Decrypt", Bucket=bucket, Key="a")
    denied(client(gateway, allow("kms:GenerateDataKey", key)).get_object, "kms:Decrypt", Bucket=bucket, Key="a")
    assert client(gateway, allow("kms:Decrypt", key)).get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
    assert client(gateway).head_object(Bucket=bucket, Key="a")["ServerSideEncryption"] == "aws:kms"


def test_a_multipart_upload_needs_decrypt_too(gateway: Any, bucket: str, key: str) -> None:
    def upload(s3: Any) -> None:
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
        part = {"Bucket": bucket, "Key": "big", "UploadId": upload_id}
        tag = s3.upload_part(**part, PartNumber=1, Body=b"x" * 10)["ETag"]
        s3.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})

    denied(lambda: upload(client(gateway, allow("kms:GenerateDataKey", key))), "kms:Decrypt")
    denied(lambda: upload(client(gateway, allow("kms:Decrypt", key))), "kms:GenerateDataKey")
    upload(client(gateway, allow(["kms:GenerateDataKey", "kms:Decrypt"], key)))


def test_a_copy_needs_both_keys_rights(gateway: Any, bucket: str, key: str) -> None:
    gateway.client("s3", PAYER, REGION).put_object(Bucket=bucket, Key="a", Body=b"x")
    copy = {"Bucket": bucket, "Key": "b", "CopySource": {"Bucket": bucket, "Key": "a"}}
    denied(client(gateway, allow("kms:GenerateDataKey", key)).copy_object, "kms:Decrypt", **copy)
    client(gateway, allow(["kms:GenerateDataKey", "kms:Decrypt"], key)).copy_object(**copy)


def test_the_way_over_s3_is_a_condition(gateway: Any, bucket: str, key: str) -> None:
    right = allow("kms:GenerateDataKey", key)
    put = {"Bucket": bucket, "Key": "a", "Body": b"x"}
    client(gateway, {**right, "Condition": VIA_S3}).put_object(**put)
    elsewhere = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    denied(client(gateway, {**right, "Condition": elsewhere}).put_object, "kms:GenerateDataKey", **put)
    direct = role_client(gateway, "kms", PAYER, [{**right, "Condition": VIA_S3}], REGION)
    error = refused(direct.generate_data_key, KeyId=key, KeySpec="AES_256")
    assert error.code == "AccessDeniedException"


def test_a_key_named_in_the_call(gateway: Any, key: str) -> None:
    name = unique("plain-bucket")
    gateway.client("s3", PAYER, REGION).create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    put = {"Bucket": name, "Key": "a", "Body": b"x"}
    client(gateway).put_object(**put)
    named = {**put, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    denied(client(gateway).put_object, "kms:GenerateDataKey", **named)
    client(gateway, allow("kms:GenerateDataKey", key)).put_object(**named)
    client(gateway).put_object(**{**named, "SSEKMSKeyId": "alias/aws/s3"})


def test_the_key_policy_of_another_account(gateway: Any, bucket: str, key: str) -> None:
    gateway.client("s3", PAYER, REGION).put_bucket_policy(
        Bucket=bucket,
        Policy=policy(
            {**allow("s3:*", [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]), "Principal": {"AWS": CLUSTER}}
        ),
    )
    writer = client(gateway, allow("kms:GenerateDataKey", key), account=CLUSTER)
    put = {"Bucket": bucket, "Key": "a", "Body": b"x"}
    denied(writer.put_object, "kms:GenerateDataKey", **put)
    kms = gateway.client("kms", PAYER, REGION)
    shared = {**allow("kms:GenerateDataKey", "*"), "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:root"}}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy({**shared, "Condition": VIA_S3}))
    writer.put_object(**put)
    denied(client(gateway, account=CLUSTER).put_object, "kms:GenerateDataKey", **put)


def test_a_key_policy_decides_in_its_own_account(gateway: Any, bucket: str, key: str) -> None:
    writer = client(gateway, allow("kms:GenerateDataKey", key))
    put = {"Bucket": bucket, "Key": "a", "Body": b"x"}
    writer.put_object(**put)
    deny = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:GenerateDataKey", "Resource": "*"}
    gateway.client("kms", PAYER, REGION).put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy(deny))
    denied(writer.put_object, "kms:GenerateDataKey", **put)


def test_a_key_that_cannot_be_used(gateway: Any, bucket: str, key: str) -> None:
    writer = client(gateway, allow("kms:*", "*"))
    put = {"Bucket": bucket, "Key": "a", "Body": b"x"}
    missing = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key[:-12] + "000000000000"}
    assert refused(writer.put_object, **put, **missing).code == "KMS.NotFoundException"
    elsewhere = gateway.client("kms", PAYER, "us-east-1").create_key()["KeyMetadata"]["Arn"]
    error = refused(writer.put_object, **put, ServerSideEncryption="aws:kms", SSEKMSKeyId=elsewhere)
    assert (error.code, error.status) == ("KMS.NotFoundException", 400)
    gateway.client("kms", PAYER, REGION).disable_key(KeyId=key)
    assert refused(writer.put_object, **put).code == "KMS.DisabledException"


def test_a_key_policy_names_principals_that_exist(gateway: Any) -> None:
    kms = gateway.client("kms", PAYER, REGION)
    missing = {**allow("kms:Decrypt", "*"), "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:role/missing"}}
    error = refused(kms.create_key, Policy=key_policy(missing))
    assert error.code == "MalformedPolicyDocumentException" and "invalid principals" in error.message


def test_a_call_by_the_alias_is_about_the_key(gateway: Any, key: str) -> None:
    alias = unique("alias/by-name")
    gateway.client("kms", PAYER, REGION).create_alias(AliasName=alias, TargetKeyId=key)
    of_alias = f"arn:aws:kms:{REGION}:{PAYER}:{alias}"
    error = refused(role_client(gateway, "kms", PAYER, [allow("kms:*", of_alias)], REGION).describe_key, KeyId=alias)
    assert (error.code, error.status) == ("AccessDeniedException", 400)
    assert key in error.message
    reader = role_client(gateway, "kms", PAYER, [allow("kms:DescribeKey", key)], REGION)
    assert reader.describe_key(KeyId=alias)["KeyMetadata"]["Arn"] == key


@pytest.mark.parametrize("lacking", ["the alias", "the key"])
def test_an_alias_takes_the_right_to_it_and_to_its_key(gateway: Any, key: str, lacking: str) -> None:
    alias = unique("alias/both")
    rights = {"the alias": f"arn:aws:kms:{REGION}:{PAYER}:{alias}", "the key": key}
    some = [arn for name, arn in rights.items() if name != lacking]
    actions = ["kms:CreateAlias", "kms:DeleteAlias"]
    poor = role_client(gateway, "kms", PAYER, [allow(actions, some)], REGION)
    rich = role_client(gateway, "kms", PAYER, [allow(actions, list(rights.values()))], REGION)
    error = refused(poor.create_alias, AliasName=alias, TargetKeyId=key)
    assert (error.code, rights[lacking] in error.message) == ("AccessDeniedException", True)
    rich.create_alias(AliasName=alias, TargetKeyId=key)
    assert refused(poor.delete_alias, AliasName=alias).code == "AccessDeniedException"
    rich.delete_alias(AliasName=alias)


def test_a_tag_of_the_key_is_a_condition(gateway: Any) -> None:
    kms = gateway.client("kms", PAYER, REGION)
    ours, theirs = (
        kms.create_key(Policy=key_policy(), Tags=[{"TagKey": "acme/alias", "TagValue": name}])["KeyMetadata"]["KeyId"]
        for name in ("ours", "theirs")
    )
    right = allow("kms:EnableKey", f"arn:aws:kms:{REGION}:{PAYER}:key/*")
    tagged = {**right, "Condition": {"StringEquals": {"aws:ResourceTag/acme/alias": "ours"}}}
    client = role_client(gateway, "kms", PAYER, [tagged], REGION)
    client.enable_key(KeyId=ours)
    assert refused(client.enable_key, KeyId=theirs).code == "AccessDeniedException"
