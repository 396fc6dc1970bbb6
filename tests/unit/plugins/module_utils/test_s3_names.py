# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of buckets."""

from __future__ import annotations

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_names import check_bucket_name


@pytest.mark.parametrize("name", ["abc", "a-1", "my.bucket", "x" * 63, "logs-111111111111-eu-west-1-an"])
def test_good_names(name: str) -> None:
    check_bucket_name("name", name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("s3://reports", "is an S3 URL, not the name of a bucket. Write reports"),
        ("s3://reports/2026/", "Write reports"),
        ("s3://s3://reports", "Write reports"),
        ("s3://", "Write my-bucket"),
        ("arn:aws:s3:::reports", "is an ARN, not the name of a bucket. Write reports"),
        ("reports/2026", "is a path, not the name of a bucket. Write reports"),
        ("ab", "has 2 characters"),
        ("", "has 0 characters"),
        ("x" * 64, "has 64 characters"),
        ("Reports", "is not the name of a bucket"),
        ("my_reports", "is not the name of a bucket"),
        ("my reports", "is not the name of a bucket"),
        ("-reports", "is not the name of a bucket"),
        ("reports-", "is not the name of a bucket"),
        ("my..reports", "is not the name of a bucket"),
        ("reports\n", "is not the name of a bucket"),
        ("192.168.1.1", "form of an IP address"),
        ("xn--reports", "'xn--', which S3 reserves"),
        ("amzn-s3-demo-x", "'amzn-s3-demo-', which S3 reserves"),
        ("reports-s3alias", "'-s3alias', which S3 reserves"),
        ("reports--x-s3", "'--x-s3', which S3 reserves"),
    ],
)
def test_bad_names(name: str, says: str) -> None:
    with pytest.raises(AnsibleAWSError) as caught:
        check_bucket_name("billing_data_report_bucket", name)

    assert caught.value.message.startswith(f"billing_data_report_bucket: '{name}' ")
    assert says in caught.value.message
