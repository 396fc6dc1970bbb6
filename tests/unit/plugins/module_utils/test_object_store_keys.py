# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and types of object-store documents, each both ways: what a consumer reads, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._object_store_keys import (
    CONFIG,
    CONSUMERS,
    DOCUMENT,
    OPTIONS,
    check_consumer,
    shaped,
)

# Each key that Thanos documents, with a value other than its default.
ALL = {
    "bucket": "acme-store",
    "endpoint": "s3.eu-west-1.amazonaws.com",
    "region": "eu-west-1",
    "disable_dualstack": True,
    "aws_sdk_auth": True,
    "access_key": "a",
    "insecure": True,
    "signature_version2": True,
    "secret_key": "s",
    "session_token": "t",
    "put_user_metadata": {"X-Amz-Acl": "private"},
    "http_config": {
        "idle_conn_timeout": "1m30s",
        "response_header_timeout": "2m",
        "insecure_skip_verify": True,
        "tls_handshake_timeout": "10s",
        "expect_continue_timeout": "1s",
        "max_idle_conns": 1,
        "max_idle_conns_per_host": 2,
        "max_conns_per_host": 3,
        "tls_config": {
            "ca_file": "/a",
            "cert_file": "/b",
            "key_file": "/c",
            "server_name": "d",
            "insecure_skip_verify": True,
        },
        "force_attempt_http2": True,
        "disable_compression": True,
    },
    "trace": {"enable": True},
    "list_objects_version": "v1",
    "bucket_lookup_type": "path",
    "send_content_md5": False,
    "disable_multipart": True,
    "part_size": 5242880,
    "sse_config": {
        "type": "SSE-KMS",
        "kms_key_id": "k",
        "kms_encryption_context": {"a": "b"},
        "encryption_key": "/e",
    },
    "sts_endpoint": "https://sts.eu-west-1.amazonaws.com",
    "max_retries": 4,
}
NEW = ("disable_dualstack", "send_content_md5", "disable_multipart", "max_retries")
# Kubecost's fork has none of these (opencost, core/pkg/storage/s3storage.go).
NOT_OF_KUBECOST = (*NEW, "session_token", "bucket_lookup_type")


def refused(value: Any, consumer: str = "thanos", keys: Any = None, place: str = "config") -> str:
    with pytest.raises(AnsibleAWSError) as error:
        shaped(place, value, keys or CONFIG, consumer)
    return str(error.value)


def test_every_key_that_thanos_documents_is_known() -> None:
    assert shaped("config", ALL, CONFIG, "thanos") == ALL
    assert list(ALL) == list(CONFIG) and list(ALL["http_config"]) == list(CONFIG["http_config"])
    assert set(OPTIONS) == {*ALL, "prefix"}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_key_is_taken_or_refused_by_consumer(name: str, consumer: str) -> None:
    value = {name: {key: entry for key, entry in ALL[name].items() if key != "force_attempt_http2"}} \
        if name == "http_config" else {name: ALL[name]}  # fmt: skip
    unknown = {"thanos": (), "thanos_0_32": NEW, "kubecost": NOT_OF_KUBECOST}[consumer]
    if name not in unknown:
        assert shaped("config", value, CONFIG, consumer) == value
        return
    said = refused(value, consumer)
    assert said.startswith(f"config.{name}: '...' ")
    if name == "session_token":
        assert "takes no temporary keys. Use the keys of an IAM user" in said
    elif consumer == "kubecost":
        assert "is a key of Thanos, which Kubecost passes over in silence. Leave it out" in said
    else:
        assert "is newer than Thanos 0.32, which would not start with it. Leave it out" in said


@pytest.mark.parametrize("consumer", ["thanos_0_32", "kubecost"])
def test_a_key_of_a_section_by_consumer(consumer: str) -> None:
    assert "config.http_config.force_attempt_http2" in refused({"http_config": {"force_attempt_http2": True}}, consumer)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            {"bukcet": "x"},
            "config.bukcet: '...' is not a key that Thanos knows; it would not start with it. Write bucket?",
        ),
        ({"signature-version2": False}, "Write signature_version2?"),
        ({"put-user-metadata": {}}, "Write put_user_metadata?"),
        ({"Access_Key": "x"}, "Write access_key?"),
        ({"secretkey": "x"}, "Write secret_key?"),
        ({"sse_encryption": True}, "is not a key that Thanos knows"),
        ({"qqq": "x"}, "The keys are: bucket, endpoint, region"),
        ({"idle_conn_timeout": "90s"}, "Write idle_conn_timeout below http_config"),
        ({"kms_key_id": "k"}, "Write kms_key_id below sse_config"),
        ({"prefix": "x"}, "config.prefix: '...' does not stand in config. Write prefix beside type and config"),
        (
            {"hedging_config": {}},
            "config.hedging_config: '...' is described by Thanos, which then does not start with it",
        ),
        ({"http_config": {"idle_timeout": "90s"}}, "config.http_config.idle_timeout: '...' is not a key"),
        (
            {"trace": {"enabled": True}},
            "config.trace.enabled: '...' is not a key that Thanos knows; it would not start",
        ),
        ({True: "x"}, "config: '...' has true or false in the place of a key. Write the key in quotes"),
    ],
)
def test_an_unknown_key(value: dict[Any, Any], said: str) -> None:
    assert said in refused(value)


@pytest.mark.parametrize("name", ["bukcet", "acess_key", "secret-key", "regoin", "http_conf"])
def test_kubecost_would_pass_over_a_typing_error(name: str) -> None:
    said = refused({name: "x"}, "kubecost")
    assert "is not a key that Kubecost knows; it passes over it in silence. Write " in said


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_the_outer_level_is_strict_for_all(consumer: str) -> None:
    said = refused({"type": "S3", "configs": {}}, consumer, DOCUMENT, "file.yaml")
    assert (
        said.startswith("file.yaml.configs: '...' is not a key that")
        and "would not start with it. Write config?" in said
    )
    said = refused({"hedging_config": {}}, consumer, DOCUMENT, "file.yaml")
    assert "is described by Thanos, which then does not start with it. Leave it out" in said
    said = refused({"bucket": "x"}, consumer, DOCUMENT, "file.yaml")
    assert said == "file.yaml.bucket: '...' does not stand beside type. Write bucket below config"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"bucket": 123}, "config.bucket: '...' is a number, not a text. Put it in quotes"),
        ({"region": True}, "config.region: '...' is true or false, not a text"),
        ({"access_key": ["a"]}, "config.access_key: '...' is a list, not a text"),
        (
            {"insecure": "false"},
            "config.insecure: '...' is a text, not true or false. Write true or false, without quotes",
        ),
        ({"trace": {"enable": 1}}, "config.trace.enable: '...' is a number, not true or false"),
        ({"trace": True}, "config.trace: '...' is true or false, not a mapping. Write keys below it: enable"),
        ({"part_size": "134217728"}, "config.part_size: '...' is a text, not a whole number. Write the number without"),
        ({"part_size": 1.5}, "config.part_size: '...' is a number, not a whole number"),
        ({"max_retries": -1}, "config.max_retries: '-1' is below zero. Write zero or more"),
        ({"max_retries": True}, "config.max_retries: '...' is true or false, not a whole number"),
        ({"put_user_metadata": ["X-Amz-Acl"]}, "config.put_user_metadata: '...' is a list, not a mapping"),
        ({"put_user_metadata": {"a": 1}}, "config.put_user_metadata.a: '...' is a number, not a text"),
        ({"put_user_metadata": {1: "a"}}, "config.put_user_metadata: '...' is a number, not a text"),
        (
            {"bucket_lookup_type": "dns"},
            "config.bucket_lookup_type: '...' is not a value that Thanos knows. Write one of: auto",
        ),
        ({"bucket_lookup_type": ""}, "is not a value that Thanos knows. Write one of: auto, virtual-hosted, path"),
        ({"list_objects_version": "2"}, "Write one of: v1, v2"),
        (
            {"sse_config": {"type": "aws:kms"}},
            "config.sse_config.type: '...' is not a value that Thanos knows. Write one of: SSE-S3",
        ),
    ],
)
def test_a_value_of_another_type(value: dict[str, Any], said: str) -> None:
    assert said in refused(value)


@pytest.mark.parametrize("value", [{"list_objects_version": ""}, {"sse_config": {"type": ""}}, {"part_size": 0}])
def test_defaults_may_be_written(value: dict[str, Any]) -> None:
    assert shaped("config", value, CONFIG, "thanos") == value


@pytest.mark.parametrize(
    ("text", "readers"),
    [
        ("90s", CONSUMERS),
        ("2m", CONSUMERS),
        ("1m30s", CONSUMERS),
        ("100ms", CONSUMERS),
        ("0", CONSUMERS),
        (0, CONSUMERS),
        ("1d", ("thanos", "thanos_0_32")),
        ("1.5s", ("kubecost",)),
        ("100us", ("kubecost",)),
        ("30s1m", ("kubecost",)),
        ("", ()),
        ("90", ()),
        (90, ()),
        (1.5, ()),
        (True, ()),
        ("90 s", ()),
        ("-1s", ()),
        ("two minutes", ()),
    ],
)
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_durations(text: Any, readers: Any, consumer: str) -> None:
    value = {"http_config": {"idle_conn_timeout": text}}
    if consumer in readers:
        assert shaped("config", value, CONFIG, consumer) == value
    else:
        said = refused(value, consumer)
        assert said.startswith("config.http_config.idle_conn_timeout: '") and "for example 90s or 2m" in said


def test_the_result_is_plain_and_ordered_and_without_null() -> None:
    class Tagged(str):
        pass

    made = shaped("config", {"region": Tagged("r"), "trace": None, "bucket": Tagged("b")}, CONFIG, "thanos")
    assert made == {"bucket": "b", "region": "r"} and list(made) == ["bucket", "region"]
    assert {type(value) for value in made.values()} == {str}


def test_other_types_are_called_by_name() -> None:
    import datetime

    assert "is a date, not a text" in refused({"bucket": datetime.date(2026, 1, 1)})


def test_consumers() -> None:
    for consumer in CONSUMERS:
        check_consumer(consumer)
    with pytest.raises(AnsibleAWSError, match="consumer: 'kubecost1' does not read an object store"):
        check_consumer("kubecost1")
