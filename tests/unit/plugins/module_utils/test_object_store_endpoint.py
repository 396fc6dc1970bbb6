# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints: the hosts that S3 has, those of other servers, and those that belong elsewhere."""

from __future__ import annotations

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._object_store_endpoint import (
    Endpoint,
    check_endpoint,
    wanted_host,
)

PLACE = "config.endpoint"


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("S3.EU-West-1.amazonaws.com", "eu-west-1"),
        ("s3.eu-west-1.amazonaws.com:443", "eu-west-1"),
        ("s3-us-west-2.amazonaws.com", "us-west-2"),
        ("s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3-fips.us-east-2.amazonaws.com", "us-east-2"),
        ("s3-fips.dualstack.us-east-2.amazonaws.com", "us-east-2"),
        ("s3-fips-us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("s3-external-1.amazonaws.com", "us-east-1"),
        ("s3.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("s3.dualstack.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("s3.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("s3.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        ("s3.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        ("s3.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        ("s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("vpce-0a1b2c3d4e5f60718-ab12cd34.s3.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("bucket.vpce-0a1b2c3d4e5f60718-ab12cd34.s3.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("bucket.vpce-0a1b2c3d-ab12cd34-eu-west-1a.s3.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("bucket.vpce-0a1b2c3d-ab12cd34.s3.cn-north-1.vpce.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_hosts_of_aws_belong_to_their_region_only(endpoint: str, region: str) -> None:
    assert check_endpoint(PLACE, endpoint, region) == Endpoint(is_aws=True, region=region)
    assert check_endpoint(PLACE, endpoint, "") == Endpoint(is_aws=True, region=region)
    with pytest.raises(AnsibleAWSError) as error:
        check_endpoint(PLACE, endpoint, "ca-central-1")
    said = f"{PLACE}: '{endpoint}' is in {region}, but the region is ca-central-1. Write s3.ca-central-1.amazonaws.com"
    assert str(error.value) == said


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", ""])
def test_the_global_host_serves_the_partition_aws(region: str) -> None:
    assert check_endpoint(PLACE, "s3.amazonaws.com", region) == Endpoint(is_aws=True, is_global=True)


@pytest.mark.parametrize(
    "endpoint",
    [
        "minio.storage.svc",
        "minio.storage.svc.cluster.local:9000",
        "192.168.7.4:9000",
        "[fd00::1]:9000",
        "rook",
        "0123456789abcdef.r2.cloudflarestorage.com",
        "s3.fr-par.scw.cloud",
    ],
)
@pytest.mark.parametrize("region", ["", "auto", "fr-par", "eu-west-1"])
def test_other_servers_have_their_own_names_and_regions(endpoint: str, region: str) -> None:
    assert check_endpoint(PLACE, endpoint, region) == Endpoint(is_aws=False)


@pytest.mark.parametrize(
    ("endpoint", "region", "said"),
    [
        ("https://s3.eu-west-1.amazonaws.com", "eu-west-1", "is a URL, not a host. Write s3.eu-west-1.amazonaws.com"),
        ("https://s3.eu-west-1.amazonaws.com/acme", "", "is a URL, not a host. Write s3.eu-west-1.amazonaws.com"),
        ("http://minio:9000", "", "is a URL, not a host. Write minio:9000 and insecure: true"),
        ("http://s3.amazonaws.com", "", "is a URL, not a host. Write s3.amazonaws.com"),
        ("s3://acme", "eu-west-1", "is a URL, not a host"),
        ("s3.eu-west-1.amazonaws.com/acme", "", "has a path. Write s3.eu-west-1.amazonaws.com"),
        ("s3 eu-west-1", "eu-west-1", "is not the name of a host. Write s3.eu-west-1.amazonaws.com"),
        (" s3.amazonaws.com", "eu-wset-1", "is not the name of a host. Write the host alone, for example"),
        ("minio:port", "", "is not the name of a host"),
        ("minio..svc", "", "is not the name of a host"),
        (
            "s3.eu-west-1.amazonaws.co",
            "eu-west-1",
            "is not a host of AWS, though it looks like one. Write s3.eu-west-1",
        ),
        ("acme.s3.amazonaws.com", "eu-west-1", "is not the host of S3 in a region. Write s3.eu-west-1.amazonaws.com"),
        ("acme.s3.eu-west-1.amazonaws.com", "eu-west-1", "is not the host of S3 in a region"),
        ("sts.eu-west-1.amazonaws.com", "eu-west-1", "is not the host of S3 in a region"),
        ("s3.eu-wset-1.amazonaws.com", "", "'eu-wset-1' is not a region that AWS' SDK knows. Write eu-west-1?"),
        (
            "s3.cn-north-1.amazonaws.com",
            "",
            "is not in the partition aws-cn of cn-north-1. Write s3.cn-north-1.amazonaws.com.cn",
        ),
        (
            "s3.eu-west-1.amazonaws.com.cn",
            "",
            "is not in the partition aws of eu-west-1. Write s3.eu-west-1.amazonaws.com",
        ),
        ("s3.us-iso-east-1.amazonaws.com", "", "Write s3.us-iso-east-1.c2s.ic.gov"),
        (
            "s3.amazonaws.com.cn",
            "cn-north-1",
            "does not exist; only the partition aws has a global host. Write s3.cn-north-1",
        ),
        (
            "s3.amazonaws.com",
            "cn-north-1",
            "does not serve cn-north-1, only the partition aws. Write s3.cn-north-1.amazonaws.com.cn",
        ),
        ("s3.amazonaws.com", "us-gov-west-1", "does not serve us-gov-west-1, only the partition aws"),
    ],
)
def test_an_endpoint_that_is_refused(endpoint: str, region: str, said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        check_endpoint(PLACE, endpoint, region)
    assert said in str(error.value) and str(error.value).startswith(f"{PLACE}: '")


def test_a_wrong_region_is_named_as_region() -> None:
    with pytest.raises(AnsibleAWSError, match="config.region: 'eu-wset-1' is not a region"):
        check_endpoint(PLACE, "s3.eu-west-1.amazonaws.com", "eu-wset-1")


def test_keys_in_an_endpoint_are_not_shown() -> None:
    with pytest.raises(AnsibleAWSError) as error:
        check_endpoint(PLACE, "https://minio:hunter2@minio:9000", "")
    assert "has a user name in it" in str(error.value) and "hunter2" not in str(error.value)


def test_the_host_that_is_wanted() -> None:
    assert wanted_host("cn-north-1") == "s3.cn-north-1.amazonaws.com.cn"
    assert wanted_host("") == wanted_host("moon") == "the host alone, for example s3.eu-west-1.amazonaws.com"
