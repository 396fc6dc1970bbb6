# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object-store documents of the vendors' pages: made from their inputs key by key, read, and checked."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.object_store import build, check, facts, parse, render

# Thanos' object-store.yaml and Kubecost's federated-store.yaml, each with keys and without.
GUIDE_THANOS_KEYS = """
type: S3
config:
  bucket: "kc-thanos-store"
  endpoint: "s3.amazonaws.com"
  region: "us-east-1"
  access_key: "AKIAIOSFODNN7EXAMPLE"
  insecure: false
  signature_version2: false
  secret_key: "<your-secret-key>"
  put_user_metadata:
      "X-Amz-Acl": "bucket-owner-full-control"
  http_config:
    idle_conn_timeout: 90s
    response_header_timeout: 2m
    insecure_skip_verify: false
  trace:
    enable: true
  part_size: 134217728
"""
GUIDE_THANOS_ROLE = """
type: S3
config:
  bucket: "kc-thanos-store"
  endpoint: "s3.amazonaws.com"
  region: "us-east-1"
  insecure: false
  signature_version2: false
  put_user_metadata:
      "X-Amz-Acl": "bucket-owner-full-control"
  http_config:
    idle_conn_timeout: 90s
    response_header_timeout: 2m
    insecure_skip_verify: false
  trace:
    enable: true
  part_size: 134217728
"""
GUIDE_KUBECOST_KEYS = """
type: S3
config:
  bucket: "kubecost-federated-storage-bucket"
  endpoint: "s3.amazonaws.com"
  region: "us-east-1"
  access_key: "<your-access-key>"
  secret_key: "<your-secret-key>"
  insecure: false
  signature_version2: false
  put_user_metadata:
      "X-Amz-Acl": "bucket-owner-full-control"
  http_config:
    idle_conn_timeout: 90s
    response_header_timeout: 2m
    insecure_skip_verify: false
  trace:
    enable: true
  part_size: 134217728
"""
GUIDE_KUBECOST_ROLE = """
type: S3
config:
  bucket: "kubecost-federated-storage-bucket"
  endpoint: "s3.amazonaws.com"
  region: "us-east-1"
  insecure: false
  signature_version2: false
  put_user_metadata:
      "X-Amz-Acl": "bucket-owner-full-control"
  http_config:
    idle_conn_timeout: 90s
    response_header_timeout: 2m
    insecure_skip_verify: false
  trace:
    enable: true
  part_size: 134217728
"""
# What both guides set, as options.
GUIDE_OPTIONS = {
    "endpoint": "s3.amazonaws.com",
    "region": "us-east-1",
    "insecure": False,
    "signature_version2": False,
    "put_user_metadata": {"X-Amz-Acl": "bucket-owner-full-control"},
    "http_config": {"idle_conn_timeout": "90s", "response_header_timeout": "2m", "insecure_skip_verify": False},
    "trace": {"enable": True},
    "part_size": 134217728,
}
THANOS, KUBECOST = {"bucket": "kc-thanos-store"}, {"bucket": "kubecost-federated-storage-bucket"}
SECRET_OF_GUIDE = {"secret_key": "<your-secret-key>"}
GUIDES = {
    "000 with keys": ("thanos", {**THANOS, **SECRET_OF_GUIDE, "access_key": "AKIAIOSFODNN7EXAMPLE"}, GUIDE_THANOS_KEYS),
    "000 with a role": ("thanos", THANOS, GUIDE_THANOS_ROLE),
    "000 with keys, Kubecost 1": (
        "thanos_0_32",
        {**THANOS, **SECRET_OF_GUIDE, "access_key": "AKIAIOSFODNN7EXAMPLE"},
        GUIDE_THANOS_KEYS,
    ),
    "000 with a role, Kubecost 1": ("thanos_0_32", THANOS, GUIDE_THANOS_ROLE),
    "001 with keys": (
        "kubecost",
        {**KUBECOST, **SECRET_OF_GUIDE, "access_key": "<your-access-key>"},
        GUIDE_KUBECOST_KEYS,
    ),
    "001 with a role": ("kubecost", KUBECOST, GUIDE_KUBECOST_ROLE),
}

KEYS = {"<your-access-key>": "AKIAIOSFODNN7EXAMPLE", "<your-secret-key>": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guides_documents_key_by_key(guide: str) -> None:
    consumer, options, text = GUIDES[guide]
    written = yaml.safe_load(render(build({**GUIDE_OPTIONS, **options}, consumer)))
    expected = yaml.safe_load(text)
    assert written == expected
    assert list(written["config"]) == [name for name in written["config"] if name in expected["config"]]


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guides_files_are_read_and_checked(guide: str) -> None:
    consumer, _options, text = GUIDES[guide]
    for placeholder, key in KEYS.items():
        text = text.replace(placeholder, key)
    read = parse(text)
    assert check(read, consumer, region="us-east-1", partition="aws") == []
    said = facts(read)
    assert said["put_object_acl"] and said["acl"] == "bucket-owner-full-control"
    assert said["has_keys"] == ("with keys" in guide)
    assert yaml.safe_load(render(read)) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "consumer", "key"),
    [(GUIDE_KUBECOST_KEYS, "kubecost", "access_key"), (GUIDE_THANOS_KEYS, "thanos", "secret_key")],
)
def test_a_placeholder_is_not_taken_for_a_key_in_a_file(text: str, consumer: str, key: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        check(parse(text), consumer, option="store.yaml")
    assert str(error.value).startswith(f"store.yaml.config.{key}: '...' is still the placeholder of a guide")
