# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the keys of a document demand of each other, each rule both ways."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._object_store_keys import CONSUMERS
from ansible_collections.kubestrap.aws.plugins.module_utils._object_store_rules import (
    check_keys,
    check_rules,
    header,
    is_access_key_id,
    sets_acl,
    storage_class,
)

CONFIG = {"bucket": "acme-store", "endpoint": "s3.eu-west-1.amazonaws.com", "region": "eu-west-1"}
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
# Made here, as no file may have what looks like a live key.
TEMPORARY = ACCESS_KEY.replace("AKIA", "ASIA")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = {"access_key": ACCESS_KEY, "secret_key": SECRET}
ARN = "arn:aws:kms:eu-west-1:111111111111:key/5c1a7a4e-0000-4000-8000-000000000000"
THANOS = ("thanos", "thanos_0_32")


def config(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**CONFIG, **changes}.items() if value is not None}


def refused(consumer: str = "thanos", where: Any = None, **changes: Any) -> str:
    with pytest.raises(AnsibleAWSError) as error:
        check_rules("config", config(**changes), consumer, **(where or {}))
    return str(error.value)


def taken(consumer: str = "thanos", where: Any = None, **changes: Any) -> list[str]:
    return check_rules("config", config(**changes), consumer, **(where or {}))


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_keys_come_together_or_not_at_all(consumer: str) -> None:
    assert taken(consumer) == taken(consumer, **KEYS) == []
    assert refused(consumer, access_key=ACCESS_KEY).startswith(
        "config.secret_key: '' is missing, but access_key is there"
    )
    said = refused(consumer, secret_key=SECRET)
    assert said == "config.access_key: '' is missing, but secret_key is there. Write both keys, or none of them"


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_keys_and_the_chain_of_the_sdk_exclude_each_other(consumer: str) -> None:
    assert taken(consumer, aws_sdk_auth=True) == taken(consumer, aws_sdk_auth=False, **KEYS) == []
    assert "config.aws_sdk_auth: 'true' cannot stand together" in refused(consumer, aws_sdk_auth=True, **KEYS)


@pytest.mark.parametrize("consumer", THANOS)
def test_temporary_keys_of_thanos_want_their_token(consumer: str) -> None:
    keys = {"access_key": TEMPORARY, "secret_key": SECRET}
    assert taken(consumer, **keys, session_token="t") == [
        "The keys are temporary: when they expire, the pods can read and write no more"
    ]
    said = refused(consumer, **keys)
    assert f"config.access_key: '{TEMPORARY}' is a temporary key, and its session_token is missing" in said


def test_kubecost_takes_no_temporary_keys() -> None:
    for token in (None, "t"):
        said = refused("kubecost", access_key=TEMPORARY, secret_key=SECRET, session_token=token)
        assert f"config.access_key: '{TEMPORARY}' is a temporary key, which Kubecost cannot use. Write the keys" in said


def test_keys_alone_are_judged_in_the_same_way() -> None:
    check_keys("key_pair", {"access_key": TEMPORARY, "secret_key": SECRET, "session_token": "t"}, "thanos")
    with pytest.raises(AnsibleAWSError, match="^key_pair.secret_key: '...' has a space"):
        check_keys("key_pair", {**KEYS, "secret_key": "a b"}, "thanos")


def test_a_token_belongs_to_temporary_keys() -> None:
    assert "config.session_token: '...' belongs to access_key and secret_key" in refused(session_token="t")
    assert "but access_key is a permanent one. Leave it out" in refused(session_token="t", **KEYS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"access_key": SECRET, "secret_key": ACCESS_KEY},
            "config.access_key: '...' looks like a secret key. Exchange",
        ),
        ({"access_key": "x", "secret_key": ACCESS_KEY}, "config.access_key: '...' looks like a secret key"),
        ({**KEYS, "secret_key": f"{SECRET}\n"}, "config.secret_key: '...' has a space or the end of a line in it"),
        ({**KEYS, "access_key": f" {ACCESS_KEY}"}, "config.access_key: '...' has a space or the end of a line in it"),
        ({**KEYS, "secret_key": "<your-secret-key>"}, "config.secret_key: '...' is still the placeholder of a guide"),
    ],
)
def test_keys_that_cannot_be_right(changes: dict[str, str], said: str) -> None:
    assert said in refused(**changes)


def test_a_placeholder_may_be_shown() -> None:
    assert taken(where={"placeholders": True}, access_key="<your-access-key>", secret_key="<your-secret-key>") == []


def test_other_servers_have_other_keys_and_buckets() -> None:
    store = {"endpoint": "minio:9000", "bucket": "My_Store", "access_key": "minio", "secret_key": "x", "region": None}
    assert taken(**store) == taken(**store, insecure=True, signature_version2=True) == []
    assert taken(**store, where={"partition": "aws"}) == []
    assert "config.bucket: 'My_Store' is not the name of a bucket" in refused(bucket="My_Store")
    assert "config.bucket: '' is missing" in refused(bucket=None)


def test_the_endpoint_is_needed_and_checked() -> None:
    said = refused(endpoint=None)
    assert said == "config.endpoint: '' is missing. Write s3.eu-west-1.amazonaws.com"
    assert "Write s3.cn-north-1.amazonaws.com.cn" in refused(endpoint="", region=None, where={"region": "cn-north-1"})
    assert "is a URL, not a host" in refused(endpoint="https://s3.eu-west-1.amazonaws.com")


@pytest.mark.parametrize(
    ("changes", "where", "said"),
    [
        (
            {},
            {"region": "eu-central-1"},
            "config.region: 'eu-west-1' is not in the region of the bucket, eu-central-1. Write eu-c",
        ),
        ({}, {"partition": "aws-cn"}, "config.region: 'eu-west-1' is not in the partition aws-cn"),
        (
            {"region": None},
            {"region": "eu-central-1"},
            "is not in the region of the bucket, eu-central-1. Write s3.eu-central-1",
        ),
        (
            {"region": None},
            {"partition": "aws-cn"},
            "config.endpoint: 's3.eu-west-1.amazonaws.com' is not in the partition",
        ),
    ],
)
def test_the_bucket_is_elsewhere(changes: Any, where: dict[str, str], said: str) -> None:
    assert said in refused(where=where, **changes)


def test_the_bucket_is_there() -> None:
    assert taken(where={"region": "eu-west-1", "partition": "aws"}) == []
    notes = taken(where={"region": "eu-west-1", "partition": "aws"}, region=None)
    assert notes == ["There is no region in the document, so that the client asks S3 for it (s3:GetBucketLocation)"]


def test_the_global_host() -> None:
    assert taken(endpoint="s3.amazonaws.com", region="us-east-1") == []
    (note,) = taken(endpoint="s3.amazonaws.com")
    assert "the client is sent on to eu-west-1. s3.eu-west-1.amazonaws.com is the host there" in note
    assert len(taken(endpoint="s3.amazonaws.com", region=None, where={"region": "eu-west-1"})) == 2


@pytest.mark.parametrize(
    "sse",
    [
        {"type": "SSE-S3"},
        {"type": "", "kms_key_id": "", "encryption_key": "", "kms_encryption_context": {}},
    ],
)
def test_encryption_without_a_key(sse: dict[str, Any]) -> None:
    assert taken(sse_config=sse) == []


@pytest.mark.parametrize(
    "sse",
    [
        {"type": "SSE-KMS", "kms_key_id": ARN},
        {"type": "SSE-KMS", "kms_key_id": "alias/store", "kms_encryption_context": {"a": "b"}},
        {"type": "SSE-KMS", "kms_key_id": "5c1a7a4e-0000-4000-8000-000000000000"},
        {"type": "SSE-C", "encryption_key": "/etc/store/key"},
    ],
)
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_encryption_with_a_key(sse: dict[str, Any], consumer: str) -> None:
    (note,) = taken(consumer, sse_config=sse)
    assert note.startswith("sse_config encrypts each object on its own.")


@pytest.mark.parametrize(
    ("sse", "said"),
    [
        ({"type": "SSE-KMS"}, "config.sse_config.kms_key_id: '' is missing, which SSE-KMS needs"),
        ({"type": "SSE-C"}, "config.sse_config.encryption_key: '' is missing, which SSE-C needs"),
        ({"type": "SSE-C", "encryption_key": "abc"}, "config.sse_config.encryption_key: '...' is not a path"),
        ({"kms_key_id": ARN}, "config.sse_config.kms_key_id: '...' is not used unless type is SSE-KMS"),
        ({"type": "SSE-S3", "kms_key_id": ARN}, "is not used unless type is SSE-KMS"),
        ({"kms_encryption_context": {"a": "b"}}, "config.sse_config.kms_encryption_context: '...' is not used unless"),
        ({"type": "SSE-S3", "encryption_key": "/k"}, "config.sse_config.encryption_key: '...' is not used unless type"),
        ({"type": "SSE-KMS", "kms_key_id": "arn:aws:iam::1:role/x"}, "is not the ARN of a KMS key"),
        (
            {"type": "SSE-KMS", "kms_key_id": ARN.replace("eu-west-1", "eu-west-3")},
            "is in eu-west-3, but the bucket is in eu-west-1",
        ),
        (
            {"type": "SSE-KMS", "kms_key_id": ARN.replace("arn:aws:", "arn:aws-cn:")},
            f"in the partition aws of eu-west-1. Write {ARN}",
        ),
    ],
)
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_encryption_that_is_refused(sse: dict[str, Any], said: str, consumer: str) -> None:
    assert said in refused(consumer, sse_config=sse)


def test_the_key_is_where_the_endpoint_says_when_there_is_no_region() -> None:
    elsewhere = {"type": "SSE-KMS", "kms_key_id": ARN.replace("eu-west-1", "eu-west-3")}
    assert "is in eu-west-3, but the bucket is in eu-west-1" in refused(region=None, sse_config=elsewhere)
    assert len(taken(endpoint="minio:9000", sse_config=elsewhere)) == 1


@pytest.mark.parametrize("size", [5 * 1024**2 - 1, 5 * 1024**3 + 1])
def test_a_size_of_parts_that_s3_does_not_take(size: int) -> None:
    assert f"config.part_size: '{size}' is not a size of parts that S3 takes" in refused(part_size=size)


@pytest.mark.parametrize("size", [0, 5 * 1024**2, 134217728, 5 * 1024**3])
def test_a_size_of_parts(size: int) -> None:
    assert taken(part_size=size) == []


def test_an_acl() -> None:
    assert taken(put_user_metadata={"X-Amz-Acl": "bucket-owner-full-control"}) == []
    (note,) = taken(put_user_metadata={"x-amz-acl": "private"})
    assert "refuse every upload with one other than bucket-owner-full-control" in note
    (note,) = taken(put_user_metadata={"X-Amz-Grant-Read": "id=1"})
    assert "put_user_metadata sets an ACL" in note
    said = refused(put_user_metadata={"X-Amz-Acl": "bucket-owner-all"})
    assert said.startswith(
        "config.put_user_metadata.X-Amz-Acl: '...' is not an ACL of S3. Write bucket-owner-full-control"
    )


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"insecure": True}, "in plain text"),
        ({"signature_version2": True}, "refuses that signature"),
        ({"http_config": {"force_attempt_http2": True}}, "force_attempt_http2 is new in Thanos"),
    ],
)
def test_notes(changes: dict[str, Any], word: str) -> None:
    (note,) = taken(**changes)
    assert word in note


def test_a_note_for_kubecost() -> None:
    http = {"http_config": {"disable_compression": True}}
    assert "known to Kubecost 3 only" in taken("kubecost", **http)[0]
    assert taken("thanos", **http) == []


def test_headers_are_found_in_any_case() -> None:
    assert header({"put_user_metadata": {"X-AMZ-ACL": "private"}}, "x-amz-acl") == "private"
    assert header({}, "x-amz-acl") == header({"put_user_metadata": None}, "x-amz-acl") == ""
    assert storage_class({"put_user_metadata": {"x-amz-storage-class": "STANDARD_IA"}}) == "STANDARD_IA"
    assert [sets_acl({"put_user_metadata": {name: "x"}}) for name in ("X-Amz-Acl", "x-amz-grant-read", "acl")] == [
        True,
        True,
        False,
    ]


def test_ids_of_access_keys() -> None:
    assert is_access_key_id(ACCESS_KEY) and is_access_key_id(TEMPORARY)
    assert not any(is_access_key_id(text) for text in ("", SECRET, "AKIA", f"{ACCESS_KEY}\n", "<your-access-key>"))
