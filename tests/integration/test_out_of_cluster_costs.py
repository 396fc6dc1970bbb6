# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Out-of-cluster costs on top of a Kubecost that is there, which reads its billing data with an access key.

One payer and one cluster with Kubecost 2, whose operator has exactly the policy of whoever makes such a user. The key
is replaced over the runs that the tags take anyway. A cluster with a role beside one with a key is in the Molecule
scenario out_of_cluster_costs; what a run without change takes with a role, in ``test_kubecost_flow.py``.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from integration.files import inventories
from integration.installation import CHARTS, CLUSTER_REGION, Installation, Run
from integration.world import actions_of, give_operator, operator_policies, operator_storage_policies
from sandbox.client import Sandbox

PAYER, CLUSTER = "ooc-payer", "ooc"
USER = f"kubecost-{CLUSTER}-billing"
OWN_KEY = "acme:namespace"
DENIED = ("AccessDenied", "AccessDeniedException", "403")
# What a run without change may take for a payer and a cluster. Queries and AssumeRole are counted on their own.
CALLS = 30
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@dataclasses.dataclass(frozen=True)
class Seen:
    """What there was after a run.

    :ivar works: whether the key of the cloud integration works; ``old_works``, whether the one before it does
    :ivar keys: id and status of the user's keys
    :ivar pods: their ids
    """

    key: str
    secret: str
    works: bool
    old_works: bool
    keys: dict[str, str]
    pods: set[str]


class Story:
    """The runs, in their order.

    :ivar lacking: from nothing, with an operator who may not do all that it takes; the user in the account of the
        cluster, and in that of the payer
    :ivar base: the playbook kubecost
    :ivar pending: out_of_cluster_costs after the first delivery, while billing knows no tag
    :ivar predicted: check mode, now that it does, and with a key that is too old
    :ivar active: the run after it
    :ivar done: after the next delivery, when nothing has used the old key for a day
    :ivar settled: when it has been inactive for long enough
    :ivar again: without a change
    :ivar seen: what there was after each of these runs, by its name
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.place = place = Installation(sandbox, CLUSTER, number=52)
        sandbox.settings({"standalone_accounts": [place.account(PAYER)]})
        place.vars[CLUSTER] |= {
            "kubecost_generation": "2",
            "kubecost_chart_ref": str(CHARTS / "cost-analyzer"),
            "kubecost_identity_method": "access_key",
            "kubecost_key_max_age": 90,
            "kubecost_label_mapping": {"namespace": OWN_KEY},
        }
        self.seen: dict[str, Seen] = {}
        self.lacking = [self.without_rights(PAYER, "iam:CreateUser"), self.without_rights("", "iam:CreateAccessKey")]
        self.give("run")
        self.bill(reset=True)
        self.base = self.run("kubecost")
        place.deliver(tags=["Name"])
        self.bill(reset=True)
        self.pending = self.run()
        self.look("pending")
        self.bill(seen=["kubernetes_namespace", OWN_KEY])
        first = self.key
        self.age(first, created_hours_ago=24 * 91)
        self.predicted = self.run(check=True)
        self.active = self.run()
        self.look("active", first)
        place.deliver()
        self.age(self.key, created_hours_ago=30)
        self.age(first, last_used_hours_ago=25)
        self.done = self.run()
        self.look("done", first)
        self.settled = self.run(extra_vars={"kubecost_key_settle_hours": 0})
        self.again = self.run()
        self.look("again")

    def run(self, playbook: str = "out_of_cluster_costs", **options: Any) -> Run:
        """A run that has to end well."""
        run = self.place.run(playbook, **options)
        assert run.ok, run.report
        return run

    def without_rights(self, payer: str, action: str) -> Run:
        """A run without a right that it takes, with the user in the account of a payer or of the cluster."""
        account = self.place.account(payer) if payer else self.place.cluster_account
        self.give("run")
        try:
            give_operator(self.sandbox, account, [ALL, {**ALL, "Effect": "Deny", "Action": action}])
            return self.place.run("out_of_cluster_costs", extra_vars={"kubecost_user_payer": payer})
        finally:
            give_operator(self.sandbox, account, [ALL])

    def look(self, run: str, old: dict[str, str] | None = None) -> None:
        """Keep what there is now.

        :param old: a key that was replaced
        """
        iam = self.place.cluster_aws().client("iam")
        keys = iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]
        self.seen[run] = Seen(
            key=self.key["aws_access_key_id"],
            secret=self.key["aws_secret_access_key"],
            works=self.works(self.key),
            old_works=bool(old) and self.works(old),
            keys={key["AccessKeyId"]: key["Status"] for key in keys},
            pods={pod.metadata.uid for pod in self.place.pods()},
        )

    def works(self, key: dict[str, str]) -> bool:
        """Whether the payer's role lets a key in."""
        state = self.sandbox.state
        where = {"endpoint_url": state["endpoint_url"], "verify": state["ca_bundle"]}
        sts = boto3.client("sts", CLUSTER_REGION, **where, **key)
        try:
            sts.assume_role(RoleArn=self.place.reader_arn(), RoleSessionName="test")
        except sts.exceptions.ClientError:
            return False
        return True

    def age(self, key: dict[str, str], **hours: float) -> None:
        """Make a key older."""
        self.sandbox.control("access-keys", {"access_key_id": key["aws_access_key_id"], **hours})

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

    @property
    def key(self) -> dict[str, str]:
        """The key in it."""
        entry = self.entry
        return {"aws_access_key_id": entry["serviceKeyName"], "aws_secret_access_key": entry["serviceKeySecret"]}


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


@pytest.mark.parametrize(
    ("run", "account", "action"), [(0, "payer", "iam:CreateUser"), (1, "cluster", "iam:CreateAccessKey")]
)
def test_a_right_that_is_missing_is_named_before_the_first_write(
    story: Story, run: int, account: str, action: str
) -> None:
    """Of whoever makes the user, in the account that it is to be in."""
    lacking = story.lacking[run]
    assert not lacking.ok
    account_id = story.place.account(PAYER) if account == "payer" else story.place.cluster_account
    who, user = f"arn:aws:iam::{account_id}:role/operator", f"arn:aws:iam::{account_id}:user/{USER}"
    assert f"'{who}' lacks rights that this run needs: {action} on {user} (a policy denies it)" in lacking.report
    assert "'object_storage_workload_operator'" in lacking.report
    assert (lacking.writes, lacking.kube_writes) == ([], [])


def test_kubecost_reads_with_a_key_that_may_only_take_the_payers_role(story: Story) -> None:
    assert {link(story.base, name)["state"] for name in ("access_key", "payer_role", "table", "secret")} == {"ok"}
    assert story.entry["masterPayerARN"] == story.place.reader_arn()
    assert (story.entry["projectID"], story.entry["athenaTable"]) == (story.place.account(PAYER), "kubecost")
    iam = story.place.payer_aws().client("iam")
    trust = iam.get_role(RoleName="kubecost-cur-access")["Role"]["AssumeRolePolicyDocument"]
    assert f"arn:aws:iam::{story.place.cluster_account}:user/{USER}" in json.dumps(trust)
    assert "Federated" not in json.dumps(trust)


def test_the_secret_of_the_key_is_shown_nowhere(story: Story) -> None:
    secrets = {seen.secret for seen in story.seen.values()}
    assert len(secrets) == 2 and min(map(len, secrets)) >= 40
    for run in (story.base, story.pending, story.active, story.done, story.settled, story.again):
        shown = run.stdout + run.stderr + json.dumps([task.result for task in run.tasks], default=str)
        assert [secret for secret in secrets if secret in shown] == []


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
    assert (story.predicted.writes, story.predicted.kube_writes) == ([], [])
    assert story.predicted.changes == story.active.changes
    (change,) = story.active.changes[PAYER]
    # The key of the mapping is activated with those of the scheme.
    assert change == f"activate the cost allocation tags kubernetes_namespace, {OWN_KEY}"


def test_a_key_is_replaced_over_the_runs_and_one_works_at_any_time(story: Story) -> None:
    """A new one for the pods; then the old one is made inactive, and deleted."""
    before, new, inactive, gone = (story.seen[name] for name in ("pending", "active", "done", "again"))
    age = f"({before.key} is 91 days old, max_age is 90 days)"
    made, *_secret, release = story.active.outcome(CLUSTER)["changes"]
    assert (made, release) == (
        f"make an access key for the user {USER} {age}",
        "install or update the release kubecost",
    )
    assert before.works and new.works and inactive.works and gone.works
    assert new.key != before.key
    assert (new.keys, new.old_works) == ({before.key: "Active", new.key: "Active"}, True)
    assert not new.pods & before.pods, "pods read the Secret when they start"

    retired, noted = story.done.outcome(CLUSTER)["changes"]
    assert retired.startswith(f"make the access key {before.key} of the user {USER} inactive (")
    assert noted == f"note in a tag of the user {USER} since when {before.key} is inactive"
    assert (inactive.keys, inactive.old_works) == ({before.key: "Inactive", new.key: "Active"}, False)
    deleted, forgotten = story.settled.outcome(CLUSTER)["changes"]
    assert deleted.startswith(f"delete the access key {before.key} of the user {USER} (inactive, and not used since ")
    assert forgotten == f"remove the note since when a key of the user {USER} is inactive"
    assert gone.keys == {new.key: "Active"}
    assert inactive.key == gone.key == new.key
    assert inactive.pods == gone.pods == new.pods


def test_what_comes_next_for_a_key_is_told(story: Story) -> None:
    old, new = story.seen["pending"].key, story.seen["active"].key
    assert f"makes the access key {old} inactive, unless it is used before" in story.active.notes(CLUSTER)
    assert f"deletes the access key {old}, unless it is used before" in story.done.notes(CLUSTER)
    assert "makes a new key, because this one is 90 days old then" in story.again.notes(CLUSTER)
    assert new not in story.again.notes(CLUSTER)


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
    print(run.in_numbers(), run.counted)
    assert 10 < len(run.counted) <= CALLS, run.counted
    assert run.count(kind="query") == 1


def test_the_operators_policy_is_what_the_runs_took(story: Story) -> None:
    calls = story.of_operator(story.base, story.pending, story.active, story.done, story.settled, story.again)
    refused = [call["operation"] for call in calls if call["error_code"] in DENIED]
    assert set(refused) <= {"SimulatePrincipalPolicy"}
    needed = {
        action
        for call in calls
        if call["error_code"] not in DENIED
        for action in actions_of(call["service"], call["operation"])
    }
    given = {action for statement in story.policy("run") for action in statement["Action"]}
    assert given - needed - {"iam:DeleteUserPolicy"} - operator_policies.OCCASIONAL == set()


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
