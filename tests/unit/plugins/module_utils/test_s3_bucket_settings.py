# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task may want of a bucket."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket_settings import Settings

READER = {
    "Sid": "Reader",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::reports/*",
}
KEY = "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
RULE = {"id": "expire", "prefix": "results/", "expiration_days": 1}


def test_what_is_not_set_is_not_read() -> None:
    nothing = Settings(public_access_block=False, tls_only=False, object_ownership=None)

    assert Settings().to_read == ("public_access_block", "object_ownership", "policy")
    assert nothing.to_read == ("versioning",)
    assert Settings(lifecycle_rules=[], tags={}, versioning="Enabled").to_read == (
        "public_access_block",
        "object_ownership",
        "versioning",
        "policy",
        "lifecycle",
        "tags",
    )
    encryption = {"sse_algorithm": "AES256"}
    everything = Settings(
        encryption=encryption, policy_statements=[READER], lifecycle_rules=[], tags={}, versioning="Enabled"
    )
    assert len(everything.to_read) == 7


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("s3://reports", {}, "name: 's3://reports' is an S3 URL"),
        ("reports", {"policy_statements": [{"Effect": "Allow"}]}, "policy_statements: .* has no Sid"),
        ("reports", {"lifecycle_rules": [{"id": "x"}]}, "lifecycle_rules: 'x' does nothing"),
        (
            "reports",
            {"encryption": {"sse_algorithm": "AES256", "kms_master_key_id": KEY}},
            "encryption.kms_master_key_id: .* cannot be used with AES256",
        ),
    ],
)
def test_bad_input(name: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleAWSError, match=says):
        Settings(**settings).check(name)


def test_good_input() -> None:
    Settings(
        policy_statements=[READER],
        lifecycle_rules=[RULE],
        encryption={"sse_algorithm": "aws:kms", "kms_master_key_id": KEY},
    ).check("reports")
