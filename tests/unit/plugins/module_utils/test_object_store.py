# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Object-store documents: what is written, what is read, and that no secret is ever shown."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import object_store
from ansible_collections.kubestrap.aws.plugins.module_utils.object_store import (
    CONSUMERS,
    build,
    check,
    facts,
    parse,
    render,
)

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY"[:40]
KEYS = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": SECRET}
CONFIG = {"bucket": "acme-store", "endpoint": "s3.eu-west-1.amazonaws.com", "region": "eu-west-1"}


def document(**changes: Any) -> dict[str, Any]:
    """The smallest document, with these keys of config changed; ``None`` takes a key away."""
    return {"type": "S3", "config": {name: value for name, value in {**CONFIG, **changes}.items() if value is not None}}


def refused(function: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(AnsibleAWSError) as error:
        function(*args, **kwargs)
    return str(error.value)


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_what_is_not_set_is_not_written(consumer: str) -> None:
    options = {
        "bucket": "acme-store",
        "region": "eu-west-1",
        "endpoint": "",
        "access_key": None,
        "put_user_metadata": {},
        "http_config": {"idle_conn_timeout": "", "tls_config": {"ca_file": ""}},
        "prefix": "",
    }
    assert build(options, consumer) == document()


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("us-east-1", "s3.us-east-1.amazonaws.com"),
        ("cn-northwest-1", "s3.cn-northwest-1.amazonaws.com.cn"),
        ("us-gov-east-1", "s3.us-gov-east-1.amazonaws.com"),
        ("us-iso-east-1", "s3.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "s3.us-isob-east-1.sc2s.sgov.gov"),
        ("eusc-de-east-1", "s3.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_the_endpoint_follows_from_the_region(region: str, endpoint: str) -> None:
    made = build({"bucket": "acme-store", "region": region}, "kubecost")
    assert made["config"] == {"bucket": "acme-store", "endpoint": endpoint, "region": region}
    assert check(made, "kubecost", region=region) == []


def test_the_text() -> None:
    options = {
        "prefix": "clusters/prod",
        "put_user_metadata": {"on": "1e5", "X-Amz-Storage-Class": "STANDARD"},
        "part_size": 5242880,
        "region": "eu-west-1",
        "aws_sdk_auth": True,
        "bucket": "0123456789",
        "http_config": {"max_conns_per_host": 0, "idle_conn_timeout": "1m30s"},
    }
    text = render(build(options, "thanos"))
    assert text == (
        """type: S3
config:
  bucket: "0123456789"
  endpoint: "s3.eu-west-1.amazonaws.com"
  region: "eu-west-1"
  aws_sdk_auth: true
  put_user_metadata:
    "X-Amz-Storage-Class": "STANDARD"
    "on": "1e5"
  http_config:
    idle_conn_timeout: "1m30s"
    max_conns_per_host: 0
  part_size: 5242880
prefix: "clusters/prod"
"""
    )
    assert render(build(dict(reversed(options.items())), "thanos")) == text


def test_a_document_of_others_is_written_with_all_its_keys() -> None:
    theirs = {"prefix": "a", "config": {"region": "eu-west-1", "later": {"b": "c"}}, "type": "s3"}
    assert yaml.safe_load(render(theirs)) == theirs
    one = {"X-Amz-Acl": "private"}
    assert "&" not in render(document(put_user_metadata=one, sse_config={"kms_encryption_context": one}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file.yaml: '...' is empty. Write type: S3, and below config:"),
        ("# nothing\n", "'...' is empty"),
        ("\n- type: S3\n", "file.yaml: 'line 2' is a list, not a mapping"),
        ("just words", "'line 1' is a text, not a mapping"),
        ("type: S3\nconfig: |\n  secret_key: SECRET\n", "'line 2' has in config a text, not a mapping"),
        ("type: S3\nconfig:\n  - secret_key: SECRET\n", "'line 3' has in config a list, not a mapping"),
        ("type: S3\nconfig:\n", "'line 2' has nothing below config. Write type: S3, and below config: the keys"),
        ("type: S3\nconfig:\n\tsecret_key: SECRET\n", "'line 3' has a tab, which YAML does not take. Write spaces"),
        ("type: S3\nconfig:\n  bucket: a\n \tsecret_key: SECRET\n", "'line 4' has a tab"),
        ("type: S3\nconfig:\n  secret_key: SECRET: x\n", "'line 3' is not YAML. Look there, and at the line before it"),
        ("type: S3\nconfig:\n  secret_key: *SECRET\n", "'line 3' is not YAML"),
        ("type: S3\nconfig:\n  secret_key: !SECRET\n", "'line 3' is not YAML"),
        ("type: S3\nconfig:\n  secret_key: 'SECRET\n", "is not YAML"),
        ("type: S3\nconfig: {secret_key: SECRET\n", "is not YAML"),
        ("type: S3\n---\nconfig: {secret_key: SECRET}\n", "is not YAML"),
        ("type: S3\nconfig:\n  ? [a]\n  : SECRET\n", "is not YAML"),
        ("type: S3\nconfig:\n  secret_key: SECRET\x00\n", "is not YAML"),
        (
            "type: S3\nconfig:\n  region: a\n  secret_key: SECRET\n  region: b\n",
            "'line 5' has a key that is there twice",
        ),
        ("type: S3\ntype: S3\n", "'line 2' has a key that is there twice. Leave one of the two out"),
    ],
)
def test_a_file_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        parse(text, option="file.yaml")
    assert said in str(error.value) and str(error.value).startswith("file.yaml: ")
    assert "SECRET" not in str(error.value)
    # Ansible shows what an error was caused by, and PyYAML's errors quote the text.
    assert error.value.__cause__ is None and error.value.__context__ is None


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ([], "document: '...' is a list, not a mapping. Write keys below it: type, config, prefix"),
        (None, "document: '...' is empty, not a mapping"),
        ("text", "document: '...' is a text, not a mapping"),
        ({}, "document.type: '...' is missing. Write type: S3"),
        ({"type": "GCS"}, "document.type: 'GCS' is not the type of a bucket of S3"),
        ({"type": "cluster"}, "'cluster' is not the type"),
        ({"type": SECRET}, "document.type: '...' is not the type"),
        ({"type": "S3"}, "document.config.endpoint: '' is missing"),
        ({"type": "S3", "config": None}, "document.config.endpoint: '' is missing"),
        ({"type": "S3", "config": "bucket: x"}, "document.config: '...' is a text, not a mapping"),
        ({**document(), "prefix": "//"}, "document.prefix: '//' is no prefix"),
        ({**document(), "prefix": 7}, "document.prefix: '...' is a number, not a text"),
    ],
)
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_document_of_another_shape(theirs: Any, said: str, consumer: str) -> None:
    assert said in refused(check, theirs, consumer)


def test_consumers() -> None:
    said = "consumer: 'loki' does not read an object store. Write one of: thanos, thanos_0_32, kubecost"
    assert refused(build, CONFIG, "loki") == said
    assert refused(check, document(), "loki") == said


@pytest.mark.parametrize("kind", ["S3", "s3"])
def test_null_leaves_a_default(kind: str) -> None:
    theirs = {"type": kind, "prefix": None, "config": {**CONFIG, "access_key": None, "http_config": None}}
    assert check(theirs, "thanos") == []
    assert facts(theirs)["has_keys"] is False


def test_options_that_are_refused_are_named_as_options() -> None:
    role = "thanos_object_store_config"
    assert refused(build, {**CONFIG, "region": "eu-wset-1"}, "thanos", option=role).startswith(
        f"{role}.region: 'eu-wset-1'"
    )
    assert refused(build, {"bucket": "b"}, "thanos", option=role).startswith(f"{role}.region: '' is missing")
    assert refused(build, {"region": "eu-west-1"}, "thanos").startswith("options.bucket: '' is missing")
    assert refused(build, {**CONFIG, "prefix": "/"}, "thanos").startswith("options.prefix: '/' is no prefix")
    assert refused(build, None, "thanos").startswith("options: '...' is empty, not a mapping")
    assert refused(build, {**CONFIG, "bukket": "b"}, "thanos").endswith("Write bucket?")


FACTS = {
    "bucket": "acme-store",
    "prefix": "",
    "region": "eu-west-1",
    "endpoint": "s3.eu-west-1.amazonaws.com",
    "custom_endpoint": False,
    "insecure": False,
    "aws_sdk_auth": False,
    "has_keys": False,
    "temporary_keys": False,
    "access_key_id": "",
    "put_object_acl": False,
    "acl": "",
    "storage_class": "",
    "sse_type": "",
    "kms_key_id": "",
    "notes": [],
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, {}),
        (KEYS, {"has_keys": True, "access_key_id": "AKIAIOSFODNN7EXAMPLE"}),
        ({**KEYS, "access_key": SECRET}, {"has_keys": True}),
        ({"region": None}, {}),
        ({"region": None, "endpoint": "s3.amazonaws.com"}, {"region": "", "endpoint": "s3.amazonaws.com"}),
        (
            {"endpoint": "minio.store:9000", "insecure": True},
            {"endpoint": "minio.store:9000", "custom_endpoint": True, "insecure": True},
        ),
        ({"aws_sdk_auth": True}, {"aws_sdk_auth": True}),
        (
            {"put_user_metadata": {"X-Amz-Acl": "bucket-owner-full-control"}},
            {"put_object_acl": True, "acl": "bucket-owner-full-control"},
        ),
        ({"put_user_metadata": {"x-amz-acl": "private"}}, {"put_object_acl": True, "acl": "private"}),
        ({"put_user_metadata": {"X-Amz-Storage-Class": "GLACIER_IR"}}, {"storage_class": "GLACIER_IR"}),
        ({"put_user_metadata": {"X-Amz-Aclx": "y"}}, {}),
        (
            {"sse_config": {"type": "SSE-KMS", "kms_key_id": "alias/a"}},
            {"sse_type": "SSE-KMS", "kms_key_id": "alias/a"},
        ),
        ({"sse_config": {"type": ""}}, {}),
    ],
)
def test_facts(changes: dict[str, Any], said: dict[str, Any]) -> None:
    found = facts(document(**changes))
    assert found == {**FACTS, **said}
    assert SECRET not in str(found)


def test_facts_of_a_prefix_and_notes() -> None:
    assert facts({**document(), "prefix": "/clusters/prod/"}, ["a note"]) == {
        **FACTS,
        "prefix": "clusters/prod",
        "notes": ["a note"],
    }


WRONG = {
    "only the secret": {"secret_key": SECRET},
    "only the token": {"session_token": SECRET},
    "interchanged": {"access_key": SECRET, "secret_key": "AKIAIOSFODNN7EXAMPLE"},
    "twice the secret": {"access_key": SECRET, "secret_key": SECRET},
    "with the SDK's chain": {**KEYS, "aws_sdk_auth": True},
    "end of line": {**KEYS, "secret_key": f"{SECRET}\n"},
    "list": {**KEYS, "secret_key": [SECRET]},
    "mapping": {**KEYS, "secret_key": {SECRET: SECRET}},
    "in the endpoint": {"endpoint": f"https://AKIAIOSFODNN7EXAMPLE:{SECRET}@s3.amazonaws.com"},
    "in another key": {**KEYS, "secretkey": SECRET},
    "in a choice": {"bucket_lookup_type": SECRET},
    "in a flag": {"insecure": SECRET},
    "in a number": {"part_size": SECRET},
    "in a duration": {"http_config": {"idle_conn_timeout": SECRET}},
    "in the ACL": {"put_user_metadata": {"X-Amz-Acl": SECRET}},
    "of SSE-C": {"sse_config": {"type": "SSE-C", "encryption_key": SECRET}},
    "of no SSE": {"sse_config": {"kms_key_id": SECRET}},
    "token of a permanent key": {**KEYS, "session_token": SECRET},
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_no_refusal_shows_a_secret(what: str, consumer: str) -> None:
    said = refused(check, document(**WRONG[what]), consumer)
    said += refused(build, {**CONFIG, **WRONG[what]}, consumer)
    assert SECRET not in said and SECRET[:12] not in said


def test_a_python_without_yaml_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "yaml", None)
    for use in (lambda: object_store.parse("type: S3"), lambda: object_store.render({})):
        with pytest.raises(AnsibleAWSError, match="has no package PyYAML. Set ansible_python_interpreter"):
            use()
