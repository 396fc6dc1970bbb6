# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tagging API refuses what AWS refuses, resource by resource, and what it tags is billed with its tags."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.tests import gateway_tools as tools
from sandbox.tests.billing_tools import delivered_table, make_bucket, refused, rows, unique

CLUSTER = "222222222222"
SERVICE = "resourcegroupstaggingapi"
REGION = "eu-north-1"  # no other test has anything there
CALL = tools.allow(["tag:GetResources", "tag:TagResources", "tag:UntagResources"], "*")


@pytest.fixture
def api(gateway: Any) -> Any:
    return gateway.client(SERVICE, CLUSTER, REGION)


def queue(gateway: Any, **tags: str) -> str:
    """The ARN of a new queue."""
    sqs = gateway.client("sqs", CLUSTER, REGION)
    url = sqs.create_queue(QueueName=unique("queue"), tags=tags)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def bucket(gateway: Any) -> str:
    """The ARN of a new bucket without tags."""
    return f"arn:aws:s3:::{make_bucket(gateway, unique('tagging'), CLUSTER, REGION)}"


def listed(api: Any, **filters: Any) -> dict[str, dict[str, str]]:
    """ARN -> tags, of all pages."""
    found = {}
    for page in api.get_paginator("get_resources").paginate(**filters):
        for entry in page["ResourceTagMappingList"]:
            found[entry["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in entry["Tags"]}
    return found


def test_only_what_has_or_had_a_tag_is_listed(gateway: Any, api: Any) -> None:
    plain, tagged = bucket(gateway), queue(gateway, team="shop")
    assert plain not in listed(api)
    assert listed(api)[tagged] == {"team": "shop"}
    assert api.tag_resources(ResourceARNList=[plain], Tags={"a": "b"})["FailedResourcesMap"] == {}
    assert api.untag_resources(ResourceARNList=[plain, tagged], TagKeys=["a", "team"])["FailedResourcesMap"] == {}
    assert listed(api)[plain] == listed(api)[tagged] == {}
    assert tagged not in listed(gateway.client(SERVICE, CLUSTER, "eu-west-1"))
    assert plain not in listed(gateway.client(SERVICE, "111111111111", REGION))


def test_the_list_comes_in_pages(gateway: Any, api: Any) -> None:
    made = {queue(gateway, pages="yes") for _number in range(3)}
    chosen = {"TagFilters": [{"Key": "pages", "Values": ["yes"]}]}
    first = api.get_resources(**chosen, ResourcesPerPage=2)
    assert len(first["ResourceTagMappingList"]) == 2 and first["PaginationToken"]
    last = api.get_resources(**chosen, ResourcesPerPage=2, PaginationToken=first["PaginationToken"])
    assert last["PaginationToken"] == ""
    pages = first["ResourceTagMappingList"] + last["ResourceTagMappingList"]
    assert {entry["ResourceARN"] for entry in pages} == made == set(listed(api, **chosen))
    with refused("InvalidParameterException", "less than or equal to 100"):
        api.get_resources(ResourcesPerPage=101)
    with refused("PaginationTokenExpiredException"):
        api.get_resources(PaginationToken="99")


def test_what_is_no_tag_is_refused_as_a_whole(gateway: Any, api: Any) -> None:
    arn = queue(gateway)
    with refused("InvalidParameterException", "aws:mine is reserved for AWS use"):
        api.tag_resources(ResourceARNList=[arn], Tags={"aws:mine": "1"})
    with refused("InvalidParameterException", "length less than or equal to 256"):
        api.tag_resources(ResourceARNList=[arn], Tags={"a": "b" * 257})
    with refused("InvalidParameterException", "length less than or equal to 128"):
        api.tag_resources(ResourceARNList=[arn], Tags={"a" * 129: "b"})
    with refused("InvalidParameterException", "length less than or equal to 50"):
        api.tag_resources(ResourceARNList=[arn], Tags={f"key-{number}": "b" for number in range(51)})
    with refused("InvalidParameterException", "length less than or equal to 20"):
        api.tag_resources(ResourceARNList=[f"{arn}-{number}" for number in range(21)], Tags={"a": "b"})
    with refused("InvalidParameterException", "is not a valid AmazonResourceName"):
        api.tag_resources(ResourceARNList=[arn, f"arn:aws:iam::{CLUSTER}:role/operator"], Tags={"a": "b"})
    assert api.tag_resources(ResourceARNList=[arn], Tags={"a" * 128: "b" * 256})["FailedResourcesMap"] == {}


def test_a_resource_has_50_tags_at_most(gateway: Any, api: Any) -> None:
    full, free = queue(gateway, **{f"key-{number}": "x" for number in range(50)}), queue(gateway)
    failed = api.tag_resources(ResourceARNList=[full, free], Tags={"one": "more"})["FailedResourcesMap"]
    assert list(failed) == [full] and "more than 50 tags" in failed[full]["ErrorMessage"]
    assert listed(api)[free] == {"one": "more"}
    assert api.tag_resources(ResourceARNList=[full], Tags={"key-1": "y"})["FailedResourcesMap"] == {}


def test_each_service_wants_its_own_right(gateway: Any) -> None:
    arns = [bucket(gateway), queue(gateway), f"arn:aws:sqs:{REGION}:{CLUSTER}:none"]
    rights = ["s3:GetBucketTagging", "s3:PutBucketTagging", "sqs:TagQueue"]

    def failed(*given: str) -> dict[str, Any]:
        granted = [CALL, *([tools.allow(list(given), "*")] if given else [])]
        api = tools.role_client(gateway, SERVICE, CLUSTER, granted, REGION)
        return api.tag_resources(ResourceARNList=arns, Tags={"team": "shop"})["FailedResourcesMap"]

    assert {arn: refusal["StatusCode"] for arn, refusal in failed(*rights).items()} == {arns[2]: 400}
    assert set(failed(*rights[:2])) == set(arns[1:])
    assert set(failed(*rights[1:])) == {arns[0], arns[2]}
    nothing = failed()
    assert set(nothing) == set(arns)
    assert nothing[arns[0]]["ErrorMessage"] == "Access Denied"
    assert f"is not authorized to perform: sqs:TagQueue on resource: {arns[1]}" in nothing[arns[1]]["ErrorMessage"]
    nobody = tools.role_client(gateway, SERVICE, CLUSTER, [tools.allow(rights, "*")], REGION)
    with refused("AccessDeniedException", "tag:TagResources"):
        nobody.tag_resources(ResourceARNList=arns, Tags={"team": "shop"})


def test_no_credentials_are_valid_in_a_region_that_is_not_enabled(gateway: Any, api: Any) -> None:
    gateway.settings({"disabled_regions": [REGION]})
    try:
        with refused("UnrecognizedClientException", "security token included in the request is invalid"):
            api.get_resources()
        with refused("InvalidClientTokenId"):
            gateway.client("sts", CLUSTER, REGION).get_caller_identity()
        gateway.client(SERVICE, CLUSTER, "eu-west-1").get_resources()
    finally:
        gateway.settings({"disabled_regions": []})
    api.get_resources()


def test_what_is_tagged_is_billed_with_its_tags(gateway: Any) -> None:
    """The bucket is one of those that are on the bill anyway."""
    name = "company-thanos-metrics"

    def billed() -> list[list[str | None]]:
        table = delivered_table(gateway, usage_accounts=["111111111111", CLUSTER], rows=3000)
        columns = "resource_tags_user_kubernetes_namespace, resource_tags_user_team"
        sql = f"SELECT DISTINCT {columns} FROM \"{table.name}\" WHERE line_item_resource_id = '{name}'"
        return rows(gateway.client("athena", "111111111111"), table, sql)

    assert billed() == [["monitoring", "platform"]]
    make_bucket(gateway, name, CLUSTER)
    api = gateway.client(SERVICE, CLUSTER, "us-east-1")
    api.tag_resources(ResourceARNList=[f"arn:aws:s3:::{name}"], Tags={"kubernetes_namespace": "from-the-api"})
    assert billed() == [["from-the-api", None]]
    gateway.client("s3", CLUSTER).put_bucket_tagging(
        Bucket=name, Tagging={"TagSet": [{"Key": "team", "Value": "from-s3"}]}
    )
    assert billed() == [[None, "from-s3"]]
    gateway.client("s3", CLUSTER).delete_bucket(Bucket=name)
