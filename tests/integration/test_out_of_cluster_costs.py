# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Out-of-cluster costs on top of a Kubecost that is there, which reads its billing data with an access key.

One payer and one cluster with Kubecost 2, whose operator has exactly the policy of whoever makes such a user. A cluster
with a role beside one with a key is in the Molecule scenario out_of_cluster_costs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from integration.files import inventories
from integration.installation import CHARTS, CLUSTER_REGION, Installation, Run
from integration.world import actions_of, give_operator, operator_policies, operator_storage_policies
from sandbox.client import Sandbox

PAYER, CLUSTER = "ooc-payer", "ooc"
USER = f"kubecost-{CLUSTER}-billing"
OWN_KEY = "acme:namespace"
DENIED = ("AccessDenied", "AccessDeniedException", "403")
# What a run without change may take for a payer and a cluster: that of kubecost, the tags, and what belongs to the key.
# Queries and AssumeRole are counted on their own.
CALLS = 36


class Story:
    """The runs, in their order.

    :ivar base: the playbook kubecost
    :ivar pending: out_of_cluster_costs after the first delivery, while billing knows no tag
    :ivar predicted: check mode, now that it does
    :ivar active: the run after it
    :ivar done: after the next delivery
    :ivar again: without a change
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.place = place = Installation(sandbox, CLUSTER, number=52)
        sandbox.settings({"standalone_accounts": [place.account(PAYER)]})
        place.vars[CLUSTER] |= {
            "kubecost_generation": "2",
            "kubecost_chart_ref": str(CHARTS / "cost-analyzer"),
            "kubecost_identity_method": "access_key",
            "kubecost_label_mapping": {"namespace": OWN_KEY},
        }
        self.give("run")
        self.bill(reset=True)
        self.base = self.run("kubecost")
        place.deliver(tags=["Name"])
        self.bill(reset=True)
        self.pending = self.run()
        self.bill(seen=["kubernetes_namespace", OWN_KEY])
        self.predicted = self.run(check=True)
        self.active = self.run()
        place.deliver()
        self.done = self.run()
        self.again = self.run()

    def run(self, playbook: str = "out_of_cluster_costs", **options: Any) -> Run:
        """A run that has to end well."""
        run = self.place.run(playbook, **options)
        assert run.ok, run.report
        return run

    def bill(self, **options: Any) -> dict[str, Any]:
        """What billing sees, and time."""
        return self.sandbox.cost_allocation_tags(account_id=self.place.account(PAYER), **options)

    def policy(self, extent: str) -> list[dict[str, Any]]:
        """Of whoever makes the user, in the account of the cluster."""
        return operator_storage_policies.object_storage_workload_operator(
            partition="aws",
            account_id=self.place.cluster_account,
            identity_method="access_key",
            region=CLUSTER_REGION,
            cluster_name=CLUSTER,
            user_name=USER,
            extent=extent,
        )

    def give(self, extent: str) -> None:
        """This policy and nothing else, to the operator of the cluster."""
        give_operator(self.sandbox, self.place.cluster_account, self.policy(extent))

    def of_operator(self, *runs: Run) -> list[dict[str, Any]]:
        """What the operator of the cluster called."""
        who = f":{self.place.cluster_account}:assumed-role/operator/"
        return [call for run in runs for call in run.calls if who in call["who"]]

    @property
    def entry(self) -> dict[str, Any]:
        """Of the cloud integration."""
        found = self.place.core().read_namespaced_secret("cloud-integration", "kubecost")
        (entry,) = json.loads(base64.b64decode(found.data["cloud-integration.json"]))["aws"]
        return entry


@pytest.fixture(scope="module")
def story(sandbox: Sandbox) -> Iterator[Story]:
    try:
        yield Story(sandbox)
    finally:
        sandbox.settings({"standalone_accounts": []})


def link(run: Run, name: str) -> dict[str, Any]:
    """A link of the proof."""
    (found,) = [each for each in run.outcome(CLUSTER)["links"] if each["link"] == name]
    return found


def test_kubecost_reads_with_a_key_that_may_only_take_the_payers_role(story: Story) -> None:
    assert {link(story.base, name)["state"] for name in ("access_key", "payer_role", "table", "secret")} == {"ok"}
    assert story.entry["masterPayerARN"] == story.place.reader_arn()
    assert (story.entry["projectID"], story.entry["athenaTable"]) == (story.place.account(PAYER), "kubecost")
    iam = story.place.payer_aws().client("iam")
    trust = iam.get_role(RoleName="kubecost-cur-access")["Role"]["AssumeRolePolicyDocument"]
    assert f"arn:aws:iam::{story.place.cluster_account}:user/{USER}" in json.dumps(trust)
    assert "Federated" not in json.dumps(trust)


def test_the_secret_of_the_key_is_shown_nowhere(story: Story) -> None:
    secret = story.entry["serviceKeySecret"]
    assert len(secret) >= 40
    for run in (story.base, story.pending, story.again):
        shown = run.stdout + run.stderr + json.dumps([task.result for task in run.tasks], default=str)
        assert secret not in shown


def test_the_chart_has_the_mapping(story: Story) -> None:
    (task,) = [task for task in story.base.tasks if task.action == "kubernetes.core.helm"]
    mapping = task.result["status"]["values"]["kubecostProductConfigs"]["labelMappingConfigs"]
    assert mapping == {"enabled": True, "namespace_external_label": "acme_namespace"}


def test_on_top_of_kubecost_only_what_is_missing_is_done(story: Story) -> None:
    assert story.pending.outcome(CLUSTER)["changes"] == []
    # The delivered columns; no tag is known yet.
    assert [change.partition(" ")[0] for change in story.pending.changes[PAYER]] == ["update"]


def test_without_activation_the_cause_is_named(story: Story) -> None:
    pending = link(story.pending, "tags")
    assert pending["state"] == "pending"
    assert "billing has not seen one of them on any resource" in pending["cause"]
    active = link(story.active, "tags")
    assert active["state"] == "pending"
    assert "active, and not in the billing data yet: kubernetes_namespace (since 2" in active["cause"]


def test_check_mode_predicts_what_the_run_does(story: Story) -> None:
    assert story.predicted.writes == []
    assert story.predicted.changes == story.active.changes
    (change,) = story.active.changes[PAYER]
    # The key of the mapping is activated with those of the scheme.
    assert change == f"activate the cost allocation tags kubernetes_namespace, {OWN_KEY}"
    assert story.active.outcome(CLUSTER)["changes"] == []


def test_the_cost_of_a_tagged_resource_is_read_with_the_workloads_own_identity(story: Story) -> None:
    found = link(story.done, "tags")
    assert found["state"] == "ok", found
    assert " under kubernetes_namespace=" in found["detail"]
    assert story.done.outcome(CLUSTER)["state"] == "done", story.done.notes(CLUSTER)
    # Of keys that were activated today, columns may still come.
    assert story.done.outcome(PAYER)["state"] == "pending"
    assert "active, and not in the billing data yet: kubernetes_cluster (since " in story.done.notes(PAYER)
    queries = [call for call in story.done.calls if call["operation"] == "StartQueryExecution"]
    assert {call["who"].split(":")[4] for call in queries} <= {story.place.account(PAYER)}


def test_new_columns_come_to_those_that_were_there(story: Story) -> None:
    glue = story.place.payer_aws().client("glue")
    table = glue.get_table(DatabaseName="athenacurcfn_kubecost", Name="kubecost")["Table"]
    columns = {column["Name"] for column in table["StorageDescriptor"]["Columns"]}
    # Name was a column of the first delivery alone.
    assert columns >= {"resource_tags_user_kubernetes_namespace", "resource_tags_user_name", "line_item_resource_id"}


def test_a_further_run_changes_nothing_and_asks_little(story: Story) -> None:
    run = story.again
    assert run.changes == {PAYER: [], CLUSTER: []}
    assert (run.writes, run.kube_writes) == ([], [])
    # How often a query is looked at depends on how long it takes.
    counted = [
        f"{call['service']}:{call['operation']}"
        for call in run.calls
        if call["kind"] in ("read", "write") and call["operation"] != "GetQueryExecution"
    ]
    print(run.in_numbers())
    assert len(counted) <= CALLS, sorted(counted)
    assert run.count(kind="query") == 1


def test_the_operators_policy_is_what_the_runs_took(story: Story) -> None:
    calls = story.of_operator(story.base, story.pending, story.active, story.done, story.again)
    refused = [call["operation"] for call in calls if call["error_code"] in DENIED]
    assert set(refused) <= {"SimulatePrincipalPolicy"}
    needed = {
        action
        for call in calls
        if call["error_code"] not in DENIED
        for action in actions_of(call["service"], call["operation"])
    }
    given = {action for statement in story.policy("run") for action in statement["Action"]}
    later = {"iam:DeleteAccessKey", "iam:DeleteUserPolicy", "iam:UntagUser", "iam:UpdateAccessKey"}
    assert given - needed - later - operator_policies.OCCASIONAL - {"iam:GetAccessKeyLastUsed"} == set()


def test_wrong_input_is_named_before_the_first_write(story: Story) -> None:
    wrong = {
        "kubecost_generation": "3",
        "kubecost_chart_ref": str(CHARTS / "kubecost"),
        "kubecost_user_payer": "somebody",
    }
    run = story.place.run("out_of_cluster_costs", extra_vars=wrong)
    assert not run.ok
    assert "kubecost_user_payer: 'somebody' is no payer of this cluster" in run.report
    assert run.writes == []
    del wrong["kubecost_user_payer"]
    run = story.place.run("out_of_cluster_costs", extra_vars=wrong)
    assert not run.ok
    assert "label_mapping: 'namespace' cannot be mapped in Kubecost 3" in run.report
    assert run.writes == []


def test_the_teardown_takes_user_and_key_away_and_leaves_the_tags(story: Story) -> None:
    story.give("teardown")
    run = story.run("teardown", extra_vars={"billing_data_delete_data": True})
    assert f"delete the user {USER}" in run.changes[CLUSTER]
    assert story.place.core().list_namespaced_secret("kubecost").items == []
    active = {tag["TagKey"] for tag in story.bill()["tags"] if tag["Status"] == "Active"}
    assert {"kubernetes_namespace", OWN_KEY} <= active


def test_the_inventory_of_the_page_is_understood(story: Story) -> None:
    """A dry run of it, with the accounts of the sandbox."""
    inventory, *_others = inventories("guide_out_of_cluster_costs")
    groups = inventory["all"]["children"]
    (payer,) = groups["payers"]["hosts"].values()
    payer |= {name: story.place.vars[PAYER][name] for name in ("kubestrap_aws_profile", "kubestrap_account_id")}
    groups["clusters"]["hosts"]["prod-eu"] |= {
        "kubestrap_aws_profile": story.place.vars[CLUSTER]["kubestrap_aws_profile"],
        "kubestrap_aws_region": CLUSTER_REGION,
        "kubestrap_eks_cluster_name": CLUSTER,
        "kubecost_chart_ref": str(CHARTS / "kubecost"),
    }
    policy = operator_policies.kubecost_cluster_operator(
        partition="aws",
        region=CLUSTER_REGION,
        account_id=story.place.cluster_account,
        cluster_name=CLUSTER,
        role_name=f"kubecost-{CLUSTER}",
        extent="check",
    )
    story.policy = lambda extent: policy  # type: ignore[method-assign]
    story.give("check")
    run = story.place.run("out_of_cluster_costs", inventory=groups, check=True)
    assert run.ok, run.report
    assert run.outcome("prod-eu")["changes"]
