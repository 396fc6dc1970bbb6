# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before any call. The proof itself is made in the sandbox."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_storage as probe
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_storage_steps import Storage

KEY = "arn:aws:kms:eu-west-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab"
STORAGE = Storage(
    "acme", "eu-west-1", prefix="a", prefix_enforced=True, encryption="aws:kms", kms_key_arn=KEY, owner="222222222222"
)
CLAIM = probe.StorageClaim(
    STORAGE, "monitoring", service_accounts=("thanos",), role_arn="arn:aws:iam::222222222222:role/thanos"
)


def test_a_good_claim_passes() -> None:
    probe.check_storage_claim(CLAIM, "https://demo.example")
    probe.check_storage_claim(probe.StorageClaim(Storage("acme", "cn-north-1")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bucket": "s3://acme"}, "bucket: 's3://acme' is an S3 URL"),
        ({"region": "eu-wset-1"}, "bucket_region: 'eu-wset-1' is not a region"),
        ({"owner": "2222"}, "expected_bucket_owner: '2222' "),
        ({"kms_key_arn": "alias/x"}, "kms_key_arn: 'alias/x' is not an ARN of KMS"),
        ({"region": "us-east-1"}, "is a key in region eu-west-1, and the bucket is in us-east-1"),
        ({"encryption": "AES256"}, "Write encryption: aws:kms beside it"),
        ({"sent": {"SSEKMSKeyId": "x"}}, "upload.kms_key_arn: 'x' is not an ARN of KMS"),
        ({"prefix": "a*"}, "prefix: 'a*' must not have a wildcard"),
        ({"prefix": "/"}, "prefix_enforced: 'True' needs a prefix"),
    ],
)
def test_a_wrong_option_of_the_bucket_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    claim = dataclasses.replace(CLAIM, storage=dataclasses.replace(STORAGE, **changes))
    with pytest.raises(AnsibleAWSError, match=re.escape(said)):
        probe.check_storage_claim(claim)


@pytest.mark.parametrize(
    ("changes", "host", "said"),
    [
        ({"role_arn": "thanos"}, None, "role_arn: 'thanos' is not the ARN of an IAM role"),
        ({"patience_seconds": -1}, None, "wait_timeout: '-1'"),
        ({}, "demo.example", "host: 'demo.example'"),
    ],
)
def test_a_wrong_option_of_the_identity_is_refused_by_name(
    changes: dict[str, Any], host: str | None, said: str
) -> None:
    with pytest.raises(AnsibleAWSError, match=re.escape(said)):
        probe.check_storage_claim(dataclasses.replace(CLAIM, **changes), host)


@pytest.mark.parametrize(
    ("endpoint", "region", "url"),
    [
        (None, "eu-west-1", None),
        ("s3.eu-west-1.amazonaws.com", "eu-west-1", None),
        ("s3.amazonaws.com", "eu-west-1", None),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1", None),
        ("s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1", "https://s3.dualstack.eu-west-1.amazonaws.com"),
        ("127.0.0.1:4566", "eu-west-1", "https://127.0.0.1:4566"),
    ],
)
def test_only_another_endpoint_than_the_regions_own_is_called(
    endpoint: str | None, region: str, url: str | None
) -> None:
    assert probe.endpoint_url(endpoint, region) == url


@pytest.mark.parametrize(
    "endpoint",
    ["https://s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com/acme", "", "s3.us-east-1.amazonaws.com"],
)
def test_an_endpoint_is_a_host(endpoint: str) -> None:
    with pytest.raises(AnsibleAWSError, match=r"^endpoint: .*Write s3\.eu-west-1\.amazonaws\.com"):
        probe.endpoint_url(endpoint, "eu-west-1")
