# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which resources have tags: what is refused before a call, pages, and what is said of a region that is not enabled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _tagged_resources as tagged
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from botocore.stub import Stubber

REGION, ACCOUNT = "eu-west-1", "222222222222"
DB, BUCKET = f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:orders", "arn:aws:s3:::archive"


@pytest.fixture
def connection() -> AwsConnection:
    keys = {"aws_access_key_id": "example-access-key", "aws_secret_access_key": "example-secret-key"}
    return AwsConnection(REGION, None, keys)


@pytest.fixture
def api(connection: AwsConnection) -> Iterator[Stubber]:
    with Stubber(connection.client(tagged.SERVICE, REGION)) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def entry(arn: str, **tags: str) -> dict[str, Any]:
    """A resource as AWS lists it."""
    return {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        (DB, "rds:db"),
        (BUCKET, "s3"),
        ("arn:aws:ec2:eu-west-1:222222222222:instance/i-1", "ec2:instance"),
        ("arn:aws:sqs:eu-west-1:222222222222:orders", "sqs"),
        ("arn:aws-cn:elasticloadbalancing:cn-north-1:2:loadbalancer/app/x/1", "elasticloadbalancing:loadbalancer"),
    ],
)
def test_the_type_of_a_resource(arn: str, kind: str) -> None:
    assert tagged.type_of(arn) == kind


def test_regions() -> None:
    tagged.check_regions("regions", ["eu-west-1", "af-south-1"], "aws")
    for regions, said in (
        ([], "names no region"),
        (["eu-wset-1"], "'eu-wset-1' is not a region that AWS' SDK knows. Write eu-west-1?"),
        (["eu-west-1", "cn-north-1"], "'cn-north-1' is not a region of the partition aws"),
        (["eu-west-1", "eu-west-1"], "is there more than once"),
    ):
        with pytest.raises(AnsibleAWSError) as error:
            tagged.check_regions("regions", regions, "aws")
        assert str(error.value).startswith("regions: ") and said in str(error.value)


def test_types() -> None:
    tagged.check_types("types", ["s3", "rds:db", "apigateway:/restapis"])
    with pytest.raises(AnsibleAWSError, match=r"types: 'AWS::RDS::DBInstance' is not a type of resource"):
        tagged.check_types("types", ["s3", "AWS::RDS::DBInstance"])


def test_resources_are_read_in_pages(connection: AwsConnection, api: Stubber) -> None:
    asked = {"ResourcesPerPage": 100, "ResourceTypeFilters": ["s3", "rds"]}
    api.add_response("get_resources", {"ResourceTagMappingList": [entry(BUCKET)], "PaginationToken": "2"}, asked)
    last = {"ResourceTagMappingList": [entry(DB, team="shop")], "PaginationToken": ""}
    api.add_response("get_resources", last, {**asked, "PaginationToken": "2"})
    assert tagged.read(connection, [REGION], ACCOUNT, ["s3", "rds"]) == [
        tagged.Resource(DB, ACCOUNT, REGION, {"team": "shop"}),
        tagged.Resource(BUCKET, ACCOUNT, REGION),
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("UnrecognizedClientException", "The region eu-west-1 is not enabled in this account"),
        ("AccessDeniedException", "Allow the action that AWS names"),
        ("InternalServiceException", "Failed to list the tagged resources of eu-west-1"),
    ],
)
def test_what_is_said_of_a_refusal(connection: AwsConnection, api: Stubber, code: str, said: str) -> None:
    api.add_client_error("get_resources", code, "no")
    with pytest.raises(AnsibleAWSError) as error:
        tagged.read(connection, [REGION], ACCOUNT)
    assert said in error.value.message
    assert ("not enabled" in error.value.message) == (code == "UnrecognizedClientException")
