# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever makes or deletes a stack needs the rights to its parts."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from sandbox.tests.gateway_tools import PAYER, allow, role_client, unique

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
MAKE = ["cloudformation:*", "glue:CreateCrawler", "glue:GetCrawler", "glue:TagResource"]
MAKE += ["iam:CreateRole", "iam:GetRole", "iam:TagRole"]
DELETE = ["glue:DeleteCrawler", "glue:StopCrawler", "iam:DeleteRole", "iam:ListAttachedRolePolicies"]
DELETE += ["iam:ListRolePolicies"]


def template(name: str) -> str:
    """A role, and a crawler that takes it."""
    targets = {"S3Targets": [{"Path": "s3://nowhere/"}]}
    crawler = {"Name": name, "Role": {"Fn::GetAtt": ["R", "Arn"]}, "DatabaseName": "d", "Targets": targets}
    parts = {
        "R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "C": {"Type": "AWS::Glue::Crawler", "Properties": crawler},
    }
    return json.dumps({"Resources": parts})


def passing(service: str) -> dict[str, Any]:
    """The right to pass roles to one service."""
    return {**allow("iam:PassRole", "*"), "Condition": {"StringEquals": {"iam:PassedToService": service}}}


def ended(stacks: Any, stack_id: str) -> tuple[str, str]:
    """The state of a stack that is done, and the reasons of all failures."""
    deadline = time.monotonic() + 30
    while (state := stacks.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]).endswith("IN_PROGRESS"):
        assert time.monotonic() < deadline, state
        time.sleep(0.2)
    events = stacks.describe_stack_events(StackName=stack_id)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    return state, " ".join(event.get("ResourceStatusReason", "") for event in failed)


def make(stacks: Any, **options: Any) -> str:
    """Begin a stack; its id."""
    name = unique("stack")
    options = {"StackName": name, "TemplateBody": template(name), "Capabilities": ["CAPABILITY_IAM"], **options}
    return stacks.create_stack(**options)["StackId"]


@pytest.mark.parametrize(
    ("rights", "lacking"),
    [
        ([allow([*MAKE, *DELETE], "*"), passing("glue.amazonaws.com")], ""),
        ([allow([*MAKE, *DELETE], "*"), passing("lambda.amazonaws.com")], "iam:PassRole"),
        ([allow([*MAKE, *DELETE], "*")], "iam:PassRole"),
        ([allow([action for action in MAKE if action != "iam:CreateRole"], "*")], "iam:CreateRole"),
        ([allow([action for action in MAKE if action != "glue:CreateCrawler"], "*")], "glue:CreateCrawler"),
    ],
)
def test_a_stack_is_made_with_the_rights_of_its_maker(gateway: Any, rights: list[Any], lacking: str) -> None:
    stacks = role_client(gateway, "cloudformation", PAYER, rights)
    state, reasons = ended(stacks, make(stacks, OnFailure="DO_NOTHING"))
    assert state == ("CREATE_FAILED" if lacking else "CREATE_COMPLETE"), reasons
    assert f"is not authorized to perform: {lacking}" in reasons if lacking else reasons == ""


def test_a_stack_is_deleted_with_the_rights_of_its_deleter(gateway: Any) -> None:
    maker = role_client(gateway, "cloudformation", PAYER, [allow(MAKE, "*"), passing("glue.amazonaws.com")])
    stack_id = make(maker)
    assert ended(maker, stack_id)[0] == "CREATE_COMPLETE"
    maker.delete_stack(StackName=stack_id)
    state, reasons = ended(maker, stack_id)
    assert state == "DELETE_FAILED"
    assert "is not authorized to perform: glue:StopCrawler" in reasons
    deleter = role_client(gateway, "cloudformation", PAYER, [allow([*MAKE, *DELETE], "*")])
    deleter.delete_stack(StackName=stack_id)
    assert ended(deleter, stack_id)[0] == "DELETE_COMPLETE"
