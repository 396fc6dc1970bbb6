# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of the template that AWS delivers, and what is refused."""

from __future__ import annotations

import json

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.plugin_utils.cur_crawler import check_schedule, scheduled

DAILY = "cron(15 12 * * ? *)"
TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Resources:
  Database:
    Type: 'AWS::Glue::Database'
    Properties:
      DatabaseInput: {Name: athenacurcfn_kubecost}
      CatalogId: !Ref AWS::AccountId
  CrawlerRole:
    Type: 'AWS::IAM::Role'
    Properties:
      Path: /
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {Service: [glue.amazonaws.com]}, Action: ['sts:AssumeRole']}]
      ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/service-role/AWSGlueServiceRole']
  Crawler:
    Type: 'AWS::Glue::Crawler'
    DependsOn: [Database, CrawlerRole]
    Properties:
      Name: AWSCURCrawler-kubecost
      Role: !GetAtt CrawlerRole.Arn
      DatabaseName: !Ref Database
  FunctionRole:
    Type: 'AWS::IAM::Role'
  Initializer:
    Type: 'AWS::Lambda::Function'
    DependsOn: Crawler
    Properties:
      Runtime: nodejs16.x
      ReservedConcurrentExecutions: 1
      Role: !GetAtt FunctionRole.Arn
  Notification:
    Type: 'Custom::AWSPutS3CURNotification'
    Properties:
      ServiceToken: !GetAtt Initializer.Arn
  StatusTable:
    Type: 'AWS::Glue::Table'
    DependsOn: Database
    Properties: {DatabaseName: athenacurcfn_kubecost}
"""


def test_the_functions_and_what_belongs_to_them_are_left_out() -> None:
    resources = scheduled(TEMPLATE, DAILY, "athenacurcfn_kubecost")["Resources"]
    assert list(resources) == ["Database", "CrawlerRole", "Crawler", "StatusTable"]
    assert resources["Crawler"]["Properties"]["Schedule"] == {"ScheduleExpression": DAILY}
    assert "Lambda" not in json.dumps(resources)


def test_the_rest_is_as_delivered_and_can_be_written_as_json() -> None:
    template = scheduled(TEMPLATE, DAILY, "athenacurcfn_kubecost")
    assert json.loads(json.dumps(template)) == template
    resources = template["Resources"]
    assert resources["Crawler"]["Properties"]["Role"] == {"Fn::GetAtt": ["CrawlerRole", "Arn"]}
    assert resources["Crawler"]["Properties"]["DatabaseName"] == {"Ref": "Database"}
    role = resources["CrawlerRole"]["Properties"]
    # A date would be written with a time.
    assert role["AssumeRolePolicyDocument"]["Version"] == "2012-10-17"
    assert role["ManagedPolicyArns"][0]["Fn::Sub"].startswith("arn:${AWS::Partition}:iam")
    assert template["AWSTemplateFormatVersion"] == "2010-09-09"
    assert (role["Path"], "PermissionsBoundary" in role) == ("/", False)


def test_the_role_obeys_the_organisation() -> None:
    boundary = "arn:aws:iam::111111111111:policy/limits"
    resources = scheduled(TEMPLATE, DAILY, "athenacurcfn_kubecost", "/team/", boundary)["Resources"]
    role = resources["CrawlerRole"]["Properties"]
    assert (role["Path"], role["PermissionsBoundary"]) == ("/team/", boundary)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not YAML"),
        ("[]", "it has no Resources"),
        ("Resources: [a]", "it has no Resources"),
        ("Resources: {}", "it has no crawler"),
        (TEMPLATE.replace("AWS::Glue::Database", "AWS::S3::Bucket"), "its crawler needs AWS::S3::Bucket"),
        (
            TEMPLATE.replace("athenacurcfn_kubecost}\n      CatalogId", "athenacurcfn_k_c}\n      CatalogId"),
            "is not the one that crawler-cfn.yml makes, which is athenacurcfn_k_c. Write athenacurcfn_k_c",
        ),
    ],
)
def test_what_is_not_that_template_is_refused(text: str, said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=said):
        scheduled(text, DAILY, "athenacurcfn_kubecost")


def test_a_function_that_the_crawler_needs_is_not_left_out_in_silence() -> None:
    text = TEMPLATE.replace("DependsOn: [Database, CrawlerRole]", "DependsOn: [Database, CrawlerRole, Initializer]")
    with pytest.raises(AnsibleAWSError, match=r"needs AWS::Lambda::Function.*catalog existing"):
        scheduled(text, DAILY, "athenacurcfn_kubecost")


@pytest.mark.parametrize("schedule", [DAILY, "cron(0 */6 * * ? *)"])
def test_good_schedules(schedule: str) -> None:
    check_schedule("schedule", schedule)


@pytest.mark.parametrize("schedule", ["", "daily", "cron(15 12 * * *)", "rate(1 day)", "15 12 * * ? *"])
def test_bad_schedules(schedule: str) -> None:
    with pytest.raises(AnsibleAWSError, match=r"schedule: .* is not a schedule .*Write six fields"):
        check_schedule("schedule", schedule)
