# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions and host names of all partitions."""

from __future__ import annotations

import re

import botocore.config
import botocore.session
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._regions import (
    check_region,
    dns_suffixes,
    s3_endpoint,
)


@pytest.mark.parametrize(
    ("region", "host", "partition"),
    [
        ("us-east-1", "s3.us-east-1.amazonaws.com", "aws"),
        ("eu-west-1", "s3.eu-west-1.amazonaws.com", "aws"),
        ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn", "aws-cn"),
        ("us-gov-west-1", "s3.us-gov-west-1.amazonaws.com", "aws-us-gov"),
        ("us-iso-east-1", "s3.us-iso-east-1.c2s.ic.gov", "aws-iso"),
    ],
)
def test_host_and_partition(region: str, host: str, partition: str) -> None:
    assert s3_endpoint(region) == host
    assert check_region("region", region) == partition


def test_the_host_is_that_of_the_sdk_in_every_partition() -> None:
    session = botocore.session.Session()
    config = botocore.config.Config(s3={"us_east_1_regional_endpoint": "regional"})
    assert set(dns_suffixes()) == set(session.get_available_partitions())
    for partition in dns_suffixes():
        region = session.get_available_regions("s3", partition_name=partition)[-1]
        client = session.create_client("s3", region_name=region, config=config)
        assert client.meta.endpoint_url == f"https://{s3_endpoint(region)}"


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("eu-wset-1", "Write eu-west-1?"),
        ("moon", "such as eu-west-1"),
        ("", "is not a region"),
        ("aws-global", "is not"),
    ],
)
def test_an_unknown_region_is_refused_by_name(region: str, said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=re.escape(said)) as error:
        check_region("athena.region", region)
    assert str(error.value).startswith(f"athena.region: '{region}'")
    with pytest.raises(AnsibleAWSError):
        s3_endpoint(region)
