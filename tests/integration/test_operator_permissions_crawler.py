# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator of a payer with AWS' crawler has exactly its policy, and CloudFormation works with the same rights.

One payer goes through check mode, a first run, a delivery with iam:PassRole taken away, a run with it, and the
teardown; the tests look at what the runs left behind.
"""

from __future__ import annotations

from typing import Any

import pytest
from integration.installation import Installation, Run
from integration.world import actions_of, operator_policies, text
from sandbox.client import Sandbox

PAYER, STACK = "crawl-payer", "kubestrap-cur-crawler-kubecost"
DENIED = ("AccessDenied", "AccessDeniedException", "403")
# Tried, and done without where it is not allowed: see test_operator_permissions.
OPTIONAL = ("SimulatePrincipalPolicy", "StartQueryExecution")
# What CloudFormation does for the operator is in no record.
BY_CLOUDFORMATION = {
    "glue:CreateCrawler",
    "glue:DeleteCrawler",
    "glue:StopCrawler",
    "glue:TagResource",
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "iam:TagRole",
}
Statements = list[dict[str, Any]]


class Story:
    """The runs in their order, and what was there after each."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.place = place = Installation(sandbox, "crawl", number=31, clusters=0)
        self.account = place.account(PAYER)
        self.operator = f"arn:aws:iam::{self.account}:role/operator"
        place.vars[PAYER] |= {"billing_data_catalog": "crawler", "billing_data_reader_role_arns": [self.operator]}
        # Set-up, and looking at what was made, is root's.
        self.keys = {"aws_access_key_id": self.account, "aws_secret_access_key": "test"}

        self.checked = self.run("check", check=True)
        self.first = self.run("run", may_ask=True)
        place.deliver()
        self.refused = self.run("run", without="iam:PassRole")
        self.after_refusal = self.made()
        self.crawled = self.run("run")
        self.after_crawl = self.made()
        self.gone = self.run("teardown", state="absent")
        self.after_teardown = self.made()

    def policy(self, extent: str, may_ask: bool = False, crawler: bool = True) -> Statements:
        """The policy of the operator."""
        return operator_policies.kubecost_payer_operator(
            partition="aws",
            region="us-east-1",
            account_id=self.account,
            report_name="kubecost",
            report_bucket=f"kubestrap-cur-{self.account}-us-east-1",
            report_prefix="cur",
            results_bucket=f"kubestrap-athena-{self.account}-us-east-1",
            workgroup="kubecost",
            database="athenacurcfn_kubecost",
            role_name="kubecost-cur-access",
            crawler_stack=STACK if crawler else None,
            operator_arn=self.operator if may_ask else None,
            extent=extent,
            delete_data=extent == "teardown",
        )

    def run(self, extent: str, may_ask: bool = False, without: str = "", state: str = "present", **options: Any) -> Run:
        """A run with the policy of an extent and nothing else."""
        statements = [
            {**statement, "Action": [action for action in statement["Action"] if action != without]}
            for statement in self.policy(extent, may_ask)
        ]
        document = text([statement for statement in statements if statement["Action"]])
        rights = {"RoleName": "operator", "PolicyName": "everything", "PolicyDocument": document}
        self.client("iam").put_role_policy(**rights)
        role = "kubestrap.aws.billing_data"
        variables = {"billing_data_state": state, "billing_data_delete_data": True}
        if state == "absent":
            leaving = self.place.vars[PAYER].pop("billing_data_reader_role_arns")
            self.place.vars[PAYER]["billing_data_leaving_role_arns"] = leaving
        tasks = [
            {"name": "Check", "ansible.builtin.include_role": {"name": role, "tasks_from": "preflight"}},
            {"name": "Work", "ansible.builtin.include_role": {"name": role}},
        ]
        play = {"hosts": "payers", "gather_facts": False, "vars": variables, "tasks": tasks}
        return self.place.run([play], **options)

    def client(self, service: str) -> Any:
        """A client that no policy binds."""
        import boto3

        state = self.place.sandbox.state
        where = {"endpoint_url": state["endpoint_url"], "verify": state["ca_bundle"]}
        return boto3.client(service, "us-east-1", **where, **self.keys)

    def made(self) -> dict[str, list[str]]:
        """What is there of the crawler."""
        glue, stacks = self.client("glue"), self.client("cloudformation")
        live = [stack for stack in stacks.list_stacks()["StackSummaries"] if stack["StackStatus"] != "DELETE_COMPLETE"]
        roles = [role["RoleName"] for role in self.client("iam").list_roles()["Roles"]]
        return {
            "stacks": [f"{stack['StackName']} {stack['StackStatus']}" for stack in live],
            "crawlers": [crawler["Name"] for crawler in glue.get_crawlers()["Crawlers"]],
            "databases": [database["Name"] for database in glue.get_databases()["DatabaseList"]],
            "roles": [name for name in roles if name.startswith("kubestrap-cur-crawle")],
        }


@pytest.fixture(scope="module")
def story(gateway_sandbox: Sandbox) -> Story:
    """All runs."""
    return Story(gateway_sandbox)


def denied(run: Run) -> list[str]:
    """The calls that were refused and that the run needs."""
    calls = [call for call in run.calls if call["error_code"] in DENIED and call["operation"] not in OPTIONAL]
    return [f"{call['service']}:{call['operation']}" for call in calls]


def test_each_run_passes_with_the_policy_of_its_extent(story: Story) -> None:
    for run in (story.checked, story.first, story.crawled, story.gone):
        assert run.ok, run.report
        assert denied(run) == []
    assert story.checked.writes == []
    assert story.first.count(operation="SimulatePrincipalPolicy") == 1


def test_without_the_right_to_pass_the_role_nothing_stays(story: Story) -> None:
    (failed,) = [task for task in story.refused.tasks if task.failed]
    assert "Make the crawler from the template" in failed.name
    assert "iam:PassRole" in str(failed.result), failed.result
    assert set(map(len, story.after_refusal.values())) == {0}, story.after_refusal


def test_with_it_the_crawler_makes_the_table(story: Story) -> None:
    assert story.after_crawl["stacks"] == [f"{STACK} CREATE_COMPLETE"]
    assert story.after_crawl["crawlers"] == ["AWSCURCrawler-kubecost"]
    assert len(story.after_crawl["roles"]) == 1
    assert story.crawled.count(operation="StartCrawler") == 1


def test_the_teardown_leaves_nothing(story: Story) -> None:
    assert set(map(len, story.after_teardown.values())) == {0}, story.after_teardown


def test_every_action_that_the_crawler_adds_is_called_by_the_run_or_by_cloudformation(story: Story) -> None:
    runs = (story.first, story.crawled, story.gone)
    calls = {(call["service"], call["operation"]) for run in runs for call in run.calls if "operator" in call["who"]}
    called = {action for service, operation in calls for action in actions_of(service, operation)}
    plain = [statement["Sid"] for statement in story.policy("teardown", crawler=False)]
    added = {
        action
        for statement in story.policy("teardown")
        if statement["Sid"] not in plain
        for action in statement["Action"]
    }
    assert added - called - BY_CLOUDFORMATION == set()
