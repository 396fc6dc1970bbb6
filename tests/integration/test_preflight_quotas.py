# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas before the first write: roles of IAM, alone and of all hosts of an account together, and reports.

The tests run in the order of the file over one account with the hosts of two payers: full, one role left, done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from integration.installation import Installation, Run
from integration.playbook import run_playbook
from integration.world import policies, text
from sandbox.client import Sandbox

NAME, OTHER = "quota-payer", "quota-payer2"
REPORT = {
    "TimeUnit": "DAILY",
    "Format": "Parquet",
    "Compression": "Parquet",
    "AdditionalSchemaElements": ["RESOURCES"],
    "S3Prefix": "cur",
    "S3Region": "us-east-1",
    "AdditionalArtifacts": ["ATHENA"],
    "ReportVersioning": "OVERWRITE_REPORT",
}


class Place(Installation):
    """Two hosts of one account: the second one has names of its own for all that is made."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox, "quota", number=32, clusters=0)
        self.payers.append(OTHER)
        account = self.account(NAME)
        self.vars[OTHER] = {
            **self.vars[NAME],
            "billing_data_report_name": "finance",
            "billing_data_report_bucket": f"finance-cur-{account}",
            "billing_data_results_bucket": f"finance-results-{account}",
            "billing_data_workgroup": "finance",
            "billing_data_database": "finance",
            "billing_data_table": "finance",
            "billing_data_reader_role_name": "finance-cur-access",
        }
        for host in self.payers:
            self.vars[host]["billing_data_reader_role_arns"] = [f"arn:aws:iam::{account}:role/operator"]

    def leave(self, roles: int) -> None:
        """Set the quota so that so many roles can still be made."""
        used = self.payer_aws().client("iam").get_account_summary()["SummaryMap"]["Roles"]
        self.sandbox.settings({"role_quotas": {self.account(NAME): used + roles}})

    def look(self, *then: dict[str, Any], **options: Any) -> Run:
        """Run the checks of the role billing_data, and further tasks."""
        role = "kubestrap.aws.billing_data"
        checks = {"name": "Check", "ansible.builtin.include_role": {"name": role, "tasks_from": "preflight"}}
        return self.run([{"hosts": "payers", "gather_facts": False, "tasks": [checks, *then]}], **options)


@pytest.fixture(scope="module")
def place(gateway_sandbox: Sandbox) -> Iterator[Place]:
    """It."""
    yield Place(gateway_sandbox)
    gateway_sandbox.settings({"role_quotas": {}, "organization_policies": []})


def said(run: Run, host: str) -> str:
    """Why a host was refused."""
    return " ".join(task.result["msg"] for task in run.tasks if task.failed and task.host == host)


def test_without_room_each_host_is_refused(place: Place) -> None:
    place.leave(0)
    for check in (True, False):
        run = place.look(check=check)
        assert not run.ok
        for host, role in ((NAME, "kubecost-cur-access"), (OTHER, "finance-cur-access")):
            assert f"kubestrap_account_id: the account {place.account(NAME)} has " in said(run, host)
            assert f"1 needed ({role}), 0 left" in said(run, host)
            assert "Service Quotas" in said(run, host) and "us-east-1" in said(run, host)


def test_hosts_of_one_account_share_the_room_and_nothing_is_written(place: Place) -> None:
    place.leave(1)
    run = place.run("kubecost_payer")
    assert not run.ok
    assert run.writes == []
    shared = f"this run makes 2 IAM roles in the account {place.account(NAME)}, and its quota leaves 1"
    for host in (NAME, OTHER):
        assert shared in said(run, host)


def test_a_payer_that_nobody_reads_yet_makes_no_role_and_needs_no_room(place: Place) -> None:
    place.leave(0)
    named = place.vars[NAME].pop("billing_data_reader_role_arns")
    run = place.run("kubecost_payer", check=True, limit=NAME)
    place.vars[NAME]["billing_data_reader_role_arns"] = named
    assert run.ok, run.report
    assert "The role kubecost-cur-access is not made" in run.notes(NAME)


def test_with_room_the_first_run_asks_once_and_a_later_one_never(place: Place) -> None:
    place.leave(1)
    work = {"name": "Work", "ansible.builtin.include_role": {"name": "kubestrap.aws.billing_data"}}
    first = place.look(work, limit=NAME)
    assert first.ok, first.report
    assert first.count(operation="GetAccountSummary") == 1
    again = place.look(limit=NAME)
    assert again.ok, again.report
    assert again.count(operation="GetAccountSummary") == 0


def preflight(sandbox: Sandbox, who: str, **options: Any) -> dict[str, Any]:
    """What the module says of a role that does not exist."""
    task = {"region": "us-east-1", "buckets": [{"option": "bucket", "name": "quota-no-bucket"}], "quotas": True}
    names = [{"option": "role", "kind": "iam_role", "value": "quota-no-role"}]
    tasks = [{"name": "Look", "kubestrap.aws.preflight_info": {**task, "names": names, **options}}]
    result = run_playbook([{"name": "Look", "hosts": "localhost", "gather_facts": False, "tasks": tasks}], sandbox, who)
    assert result.tasks, result.report
    assert result.writes == []
    return result.task("Look").result["preflight"]


def test_who_may_not_ask_is_told_and_goes_on(place: Place) -> None:
    assert preflight(place.sandbox, NAME)["problems"]
    forbid = {"Effect": "Deny", "Action": "iam:GetAccountSummary", "Resource": "*"}
    place.sandbox.settings({"organization_policies": [{"Version": "2012-10-17", "Statement": [forbid]}]})
    found = preflight(place.sandbox, "cluster")
    place.sandbox.settings({"organization_policies": []})
    assert (found["quotas"], found["problems"]) == (None, [])
    (note,) = found["notes"]
    assert note.endswith("was not seen: these credentials may not call iam:GetAccountSummary.")
    assert preflight(place.sandbox, "cluster")["notes"] == []


def test_an_account_full_of_reports_is_refused_unless_ours_is_among_them(place: Place) -> None:
    aws, account = place.payer_aws(), place.account(NAME)
    bucket = f"quota-reports-{account}"
    aws.client("s3").create_bucket(Bucket=bucket)
    statements = policies.billing_report_delivery(bucket=bucket, account_id=account, partition="aws")
    aws.client("s3").put_bucket_policy(Bucket=bucket, Policy=text(statements))
    for number in range(9):  # one is there
        definition = {**REPORT, "ReportName": f"theirs-{number}", "S3Bucket": bucket}
        aws.client("cur", "us-east-1").put_report_definition(ReportDefinition=definition)
    place.sandbox.settings({"role_quotas": {}})
    run = place.look()
    assert said(run, NAME) == ""
    assert "'finance' does not exist, and the account has 10 Cost and Usage Reports already" in said(run, OTHER)
    place.vars[OTHER]["kubestrap_check_quotas"] = False
    assert place.look(limit=OTHER).ok
