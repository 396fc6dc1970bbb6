# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role cost_allocation_tags in the payer's half: pending, then active, then in the data and backfilled.

The tests look at what the runs of one payer left behind. Its operator has exactly the policies of the payer's half and
of the tags, so that each run shows that they are enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from integration.installation import PAYER_REGION, Installation, Run
from integration.world import actions_of, give_operator, operator_cost_tag_policies, operator_policies
from sandbox.client import Sandbox

PAYER = "tagged-payer"
DENIED = ("AccessDenied", "AccessDeniedException", "403")
THIS_MONTH = f"{datetime.now(UTC):%Y-%m}-01"
LABEL = "kubernetes_label_app.kubernetes.io/name"
# What looking at the tags may take, beside the payer's half.
CALLS = 2


class Story:
    """The runs, in their order.

    :ivar pending: nothing carries a tag yet, and nothing is delivered
    :ivar predicted: check mode, after a delivery in which billing has met tags
    :ivar active: the run after it
    :ivar backfilled: after the next delivery, with a backfill
    :ivar again: without a change, while the backfill runs
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.place = Installation(sandbox, "tagged", number=51, clusters=0)
        self.account = self.place.account(PAYER)
        self.place.vars[PAYER] |= {"kubestrap_cost_allocation_tags": True, "cost_allocation_tags_keys": ["team"]}
        # It pays for itself, and nobody has activated anything in it.
        sandbox.settings({"standalone_accounts": [self.account]})
        self.bill(reset=True)
        self.give("run", backfill=True)
        self.pending = self.run()
        self.place.deliver()
        self.bill(seen=[LABEL, "aws:eks:cluster-name"])
        self.give("check")
        self.predicted = self.run(check=True)
        self.give("run")
        self.active = self.run()
        self.bill(hours=20)
        self.place.deliver()
        self.give("run", backfill=True)
        self.place.vars[PAYER]["cost_allocation_tags_backfill_from"] = THIS_MONTH
        self.backfilled = self.run()
        self.again = self.run()

    def run(self, playbook: str = "kubecost_payer", **options: Any) -> Run:
        """A run that has to end well, and in which nothing is refused but looking for rows, which is optional."""
        run = self.place.run(playbook, **options)
        assert run.ok, run.report
        refused = [call for call in run.calls if call["error_code"] in DENIED]
        optional = ("SimulatePrincipalPolicy", "StartQueryExecution")
        assert [call for call in refused if call["operation"] not in optional] == []
        return run

    def bill(self, **options: Any) -> dict[str, Any]:
        """What billing sees, and time."""
        return self.sandbox.cost_allocation_tags(account_id=self.account, **options)

    def policy(self, extent: str, **options: Any) -> list[dict[str, Any]]:
        """The policy of the tags alone."""
        arn = f"arn:aws:iam::{self.account}:role/operator"
        return operator_cost_tag_policies.cost_allocation_tags_operator(
            partition="aws", account_id=self.account, extent=extent, operator_arn=arn, **options
        )

    def give(self, extent: str, without: str = "", **options: Any) -> None:
        """Both policies of an extent, without the statement of an action, and nothing else."""
        payer = operator_policies.kubecost_payer_operator(
            partition="aws",
            account_id=self.account,
            region=PAYER_REGION,
            report_name="kubecost",
            report_bucket=f"kubestrap-cur-{self.account}-{PAYER_REGION}",
            report_prefix="cur",
            results_bucket=f"kubestrap-athena-{self.account}-{PAYER_REGION}",
            workgroup="kubecost",
            database="athenacurcfn_kubecost",
            role_name="kubecost-cur-access",
            extent="run" if extent == "run" else "check",
        )
        tags = [statement for statement in self.policy(extent, **options) if without not in statement["Action"]]
        give_operator(self.sandbox, self.account, [*payer, *tags])

    def statuses(self) -> dict[str, str]:
        """Of all keys that billing knows."""
        return {tag["TagKey"]: tag["Status"] for tag in self.bill()["tags"]}


@pytest.fixture(scope="module")
def story(gateway_sandbox: Sandbox) -> Iterator[Story]:
    try:
        yield Story(gateway_sandbox)
    finally:
        gateway_sandbox.settings({"standalone_accounts": []})


def result(run: Run) -> dict[str, Any]:
    """The fact cost_allocation_tags_result."""
    (task,) = [task for task in run.tasks if task.name.endswith("Say how far the cost allocation tags have come")]
    return task.result["ansible_facts"]["cost_allocation_tags_result"]


def test_what_nobody_uses_yet_is_pending_and_no_failure(story: Story) -> None:
    found = result(story.pending)
    assert found["active"] == {}
    assert {"team", "kubernetes_namespace", "aws:eks:cluster-name"} < set(found["pending"])
    assert story.pending.outcome(PAYER)["state"] == "pending"
    assert "has not seen on any resource yet: kubernetes_cluster, " in story.pending.notes(PAYER)
    assert story.pending.count(service="ce") == 1


def test_check_mode_predicts_what_the_run_does(story: Story) -> None:
    assert story.predicted.count(service="ce", kind="write") == 0
    assert story.predicted.changes == story.active.changes
    assert result(story.predicted)["active"].keys() == result(story.active)["active"].keys()


def test_what_billing_has_seen_is_activated_and_then_missed_in_the_data(story: Story) -> None:
    found = result(story.active)
    used = {"team", "kubernetes_namespace", LABEL, "aws:eks:cluster-name"}
    assert used <= set(found["active"]) & set(found["missing"])
    assert story.statuses()["kubernetes_namespace"] == "Active"
    assert story.statuses()["Name"] == "Inactive"  # nobody asked for it
    since = found["missing"]["team"]
    assert f"team (since {since})" in story.active.notes(PAYER)
    assert story.active.outcome(PAYER)["state"] == "pending"


def test_the_next_delivery_has_the_columns_and_the_backfill_is_asked_for(story: Story) -> None:
    found = result(story.backfilled)
    assert found["missing"] == {}
    assert found["columns"]["aws:eks:cluster-name"] == "resource_tags_aws_eks_cluster_name"
    assert found["columns"][LABEL] == "resource_tags_user_kubernetes_label_app_kubernetes_io_name"
    assert found["backfill"]["state"] == "running"
    assert f"start the backfill of cost allocation tags from {THIS_MONTH}" in story.backfilled.changes[PAYER]
    assert "is running, which takes AWS up to 24 hours" in story.backfilled.notes(PAYER)


def test_a_further_run_changes_nothing_and_asks_twice(story: Story) -> None:
    assert story.again.changes == {PAYER: []}
    assert story.again.writes == []
    assert story.again.count(service="ce") == CALLS
    assert result(story.again)["backfill"]["state"] == "running"


def test_a_backfill_that_has_ended_leaves_nothing_to_do(story: Story) -> None:
    story.bill(backfill="SUCCEEDED")
    found = result(story.run())
    assert (found["backfill"]["state"], found["state"]) == ("done", "done")


def test_a_key_that_aws_refuses_is_named_and_the_billing_data_stays(story: Story) -> None:
    story.bill(seen=["kubernetes_pod", "kubernetes_daemonset"], refuse={"kubernetes_pod": ["Broken", "it is broken"]})
    run = story.place.run("kubecost_payer")
    assert run.rc == 2
    assert "kubernetes_pod: it is broken (Broken). The other 1 is active now" in run.notes(PAYER)
    story.bill(refuse={})
    assert story.statuses()["kubernetes_daemonset"] == "Active"


def test_a_right_that_is_missing_is_named_before_the_first_write(story: Story) -> None:
    story.give("run", without="ce:UpdateCostAllocationTagsStatus", backfill=True)
    run = story.place.run("kubecost_payer")
    assert not run.ok
    rights = "ce:UpdateCostAllocationTagsStatus, ce:StartCostAllocationTagBackfill on * (no policy allows it)"
    assert f"lacks rights that this run needs: {rights}" in run.report
    assert "'cost_allocation_tags_operator'" in run.report
    assert run.writes == []


def test_without_the_right_to_read_the_action_is_named(story: Story) -> None:
    story.give("run", without="ce:ListCostAllocationTags", backfill=True)
    run = story.place.run("kubecost_payer")
    assert not run.ok
    assert "cost_allocation_tags: " in run.report
    assert f"{story.account}:assumed-role/operator/" in run.report
    assert "is not authorized to perform: ce:ListCostAllocationTags" in run.report
    assert run.writes == []


def test_where_nobody_looks_up_the_rights_the_refusal_names_the_action_and_the_rest_is_done(story: Story) -> None:
    story.give("run", without="ce:UpdateCostAllocationTagsStatus")
    story.place.vars[PAYER]["cost_allocation_tags_backfill_from"] = ""
    run = story.place.run("kubecost_payer", extra_vars={"kubestrap_check_rights": False})
    assert run.rc == 2
    assert run.outcome(PAYER)["state"] == "failed"
    assert "is not authorized to perform: ce:UpdateCostAllocationTagsStatus" in run.notes(PAYER)
    assert story.statuses()["kubernetes_pod"] == "Inactive"
    # With the right it is done.
    story.give("run")
    done = story.run(extra_vars={"kubestrap_check_rights": False})
    assert done.changes == {PAYER: ["activate the cost allocation tag kubernetes_pod"]}
    assert story.statuses()["kubernetes_pod"] == "Active"


def test_every_right_is_needed(story: Story) -> None:
    runs = (story.pending, story.predicted, story.active, story.backfilled, story.again)
    called = {call["operation"] for run in runs for call in run.calls if call["service"] == "ce"}
    needed = {action for operation in called for action in actions_of("ce", operation)}
    given = {action for statement in story.policy("teardown", backfill=True) for action in statement["Action"]}
    assert {action for action in given if action.startswith("ce:")} == needed


def test_wrong_input_is_named_before_the_first_write(story: Story) -> None:
    wrong = {"cost_allocation_tags_keys": ["a", "a"], "cost_allocation_tags_backfill_from": "2026-01-15"}
    run = story.place.run("kubecost_payer", extra_vars=wrong)
    assert not run.ok
    assert "cost_allocation_tags_keys: 'a' is there more than once" in run.report
    assert "'2026-01-15' is not the first of a month. Write 2026-01-01" in run.report
    assert run.writes == []


def test_a_member_account_is_told_whose_the_tags_are(story: Story) -> None:
    member = {"kubestrap_aws_profile": "cluster", "kubestrap_account_id": "222222222222"}
    member |= {"kubestrap_cost_allocation_tags": True}
    run = story.place.run("kubecost_payer", inventory={"payers": {"hosts": {"member": member}}})
    assert not run.ok
    assert "management account 111111111111. Run this with credentials of that account" in run.report
    assert run.writes == []


def test_only_who_asks_for_it_has_the_keys_made_inactive(story: Story) -> None:
    story.give("run")
    story.place.vars[PAYER]["cost_allocation_tags_backfill_from"] = ""
    run = story.run(extra_vars={"cost_allocation_tags_state": "absent"})
    (change,) = run.changes[PAYER]
    assert change.startswith("deactivate the cost allocation tags ") and "kubernetes_namespace" in change
    assert story.statuses()["team"] == "Inactive"
