# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job from two empty accounts to a proof with rows: what each run says, changes and costs.

What a run without change costs is seen of out_of_cluster_costs, which does all that kubecost does, and a little more.

One installation goes through all its states, a run each; the tests look at what the runs left behind.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from typing import Any

import pytest
from integration.installation import CALLS_OF_A_CLUSTER, Installation, Run
from kubernetes import client
from sandbox.client import Sandbox

PAYER, CLUSTER = "flow-payer", "flow"
SECRET = "kubecost/cloud-integration"
# A run without change may not make more AWS calls, or start more modules, than this; what it takes is printed.
CALLS, MODULES = 30, 18


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Installation:
    """Two empty accounts and an empty cluster."""
    return Installation(sandbox, "flow", number=3)


class Story:
    """The runs in their order, and what was looked at between them.

    :ivar seen: of the first installation: the release, the Secret, the pods, the table's columns
    """

    def __init__(self, place: Installation) -> None:
        self.predicted = place.run("kubecost", check=True, diff=True)
        self.untouched = state_of(place)
        self.first = place.run("kubecost", diff=True, role_profiles=True)
        self.installed = state_of(place)
        place.deliver(tags=["team_of_flow"])
        self.finish = place.run("kubecost")
        self.finished = state_of(place)
        sandbox, account_id = place.sandbox, place.account(PAYER)
        sandbox.settings({"standalone_accounts": [account_id]})
        sandbox.cost_allocation_tags(account_id=account_id, reset=True)
        self.unchanged = place.run("out_of_cluster_costs", role_profiles=True)
        sandbox.settings({"standalone_accounts": []})
        self.left = state_of(place)
        self.checked = place.run("kubecost", check=True, diff=True)
        self.verified = place.run("verify")

    @property
    def runs(self) -> list[Run]:
        """All of them."""
        return [value for value in vars(self).values() if isinstance(value, Run)]


def state_of(place: Installation) -> dict[str, Any]:
    """What there is, read by other means than those of the collection."""
    core, glue = place.core(), place.payer_aws().client("glue")
    namespaces = {namespace.metadata.name for namespace in core.list_namespace().items}
    secrets = core.list_secret_for_all_namespaces().items
    database = "athenacurcfn_kubecost"
    databases = [database["Name"] for database in glue.get_databases()["DatabaseList"]]
    tables = glue.get_tables(DatabaseName=database)["TableList"] if database in databases else []
    return {
        "namespace": "kubecost" in namespaces,
        "integration": [s.data["cloud-integration.json"] for s in secrets if s.metadata.name == "cloud-integration"],
        "releases": [s.metadata.labels["status"] for s in secrets if s.type == "helm.sh/release.v1"],
        "pods": place.pods(),
        "columns": {column["Name"] for table in tables for column in table["StorageDescriptor"]["Columns"]},
        "versions": {thing.metadata.uid: thing.metadata.resource_version for thing in kept(core)},
        "reports": place.payer_aws().client("cur", "us-east-1").describe_report_definitions()["ReportDefinitions"],
        "roles": {role["RoleName"] for role in place.cluster_aws().client("iam").list_roles()["Roles"]},
    }


def kept(core: client.CoreV1Api) -> list[Any]:
    """The objects that a run without change must leave as they are."""
    secrets = core.list_secret_for_all_namespaces().items
    accounts = core.list_service_account_for_all_namespaces().items
    return [*core.list_namespace().items, *secrets, *accounts]


@pytest.fixture(scope="module")
def story(place: Installation) -> Story:
    """All runs; that each of them ended well is told by the tests."""
    return Story(place)


def test_every_run_ends_well(story: Story) -> None:
    for run in story.runs:
        assert run.ok, run.report
        print(run.in_numbers())


def test_check_mode_from_nothing_writes_nothing(story: Story) -> None:
    assert story.predicted.writes == []
    assert story.predicted.kube_writes == []
    assert not story.untouched["namespace"]
    assert story.untouched["reports"] == []
    assert story.untouched["roles"] == {"operator", "eks-cluster"}
    assert story.predicted.count(kind="query") == 0


def test_check_mode_from_nothing_predicts_what_the_run_then_does(place: Installation, story: Story) -> None:
    assert len(story.predicted.changes[PAYER]) > 10
    assert len(story.predicted.changes[CLUSTER]) >= 5
    assert story.predicted.changes == story.first.changes
    assert {host for host, _step in story.predicted.changed_steps} == {PAYER, CLUSTER}
    assert story.predicted.changed_steps == story.first.changed_steps

    def diffs(run: Run) -> dict[str, Any]:
        return {task.name: task.result["diff"] for task in run.tasks if task.changed and "changes" in task.result}

    predicted, done = diffs(story.predicted), diffs(story.first)
    for step in set(predicted) & set(done):
        assert predicted[step] == done[step], step
    assert len(set(predicted) & set(done)) >= 6
    assert place.role_arn() in json.dumps(predicted)
    for run in (story.predicted, story.first):
        shown = run.task("kubestrap.aws.kubecost : Show which values change", CLUSTER).result["lines"]
        assert f"{CLUSTER}: values of the release kubecost" in shown
        assert '+ cloudCost.cloudIntegrationSecret: "cloud-integration"' in shown


def test_the_first_run_installs_and_says_what_is_pending(place: Installation, story: Story) -> None:
    first = story.first
    assert [first.outcome(host)["state"] for host in (PAYER, CLUSTER)] == ["pending", "pending"]
    assert "AWS has not delivered the report kubecost yet" in first.notes(PAYER)
    assert first.links(CLUSTER) == {**{link: "ok" for link in first.links(CLUSTER)}, "query": "pending"}
    assert len(first.links(CLUSTER)) >= 9
    assert story.installed["releases"] == ["deployed"]
    assert first.kube_writes
    assert "0 changes" not in first.stdout


def test_kubecost_runs_with_its_role(place: Installation, story: Story) -> None:
    pods = {pod.metadata.name: pod for pod in story.installed["pods"]}
    assert pods
    for pod in pods.values():
        ready = [condition.status for condition in pod.status.conditions if condition.type == "Ready"]
        assert ready == ["True"], pod.metadata.name
    readers = [pod for pod in pods.values() if pod.spec.service_account_name == "kubecost"]
    assert readers
    for pod in readers:
        environment = {entry.name: entry.value for entry in pod.spec.containers[0].env}
        assert environment["AWS_ROLE_ARN"] == place.role_arn()
        assert environment["AWS_WEB_IDENTITY_TOKEN_FILE"]
    (secret,) = story.installed["integration"]
    (athena,) = json.loads(base64.b64decode(secret))["aws"]["athena"]
    assert athena["authorizer"]["roleARN"] == place.reader_arn()


def test_the_run_after_the_delivery_takes_up_the_columns_and_proves_with_rows(story: Story) -> None:
    new = story.finished["columns"] - story.installed["columns"]
    assert {column for column in new if column.startswith("resource_tags_user_")}
    assert "resource_tags_user_team_of_flow" in new
    assert [story.finish.outcome(host)["state"] for host in (PAYER, CLUSTER)] == ["done", "done"]
    assert set(story.finish.links(CLUSTER).values()) == {"ok"}
    assert story.finish.notes(PAYER) == story.finish.notes(CLUSTER) == ""
    assert [write.split()[0] for write in story.finish.writes] == ["glue:UpdateTable"]
    assert story.finish.changes[CLUSTER] == []
    rows = next(detail for link, _state, detail in story.finish.outcome(CLUSTER)["proof"] if link == "query")
    assert "row" in rows


def test_a_run_without_change_costs_few_calls(
    place: Installation, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    """One payer, one cluster, profiles that assume roles."""
    run = story.unchanged
    with capsys.disabled():
        print(f"\nrun without change: {run.in_numbers()}")
        print(dict(Counter(f"{call['service']}:{call['operation']}" for call in run.calls)))
    assert run.changes == {PAYER: [], CLUSTER: []}
    assert run.changed_steps == []
    assert run.writes == []
    assert run.count(kind="query") == 1
    assert run.count(service="ce") == 1
    assert len(run.counted) <= CALLS, run.counted
    assert len(run.counted) > 10, "the record has lost calls"
    assert 5 < place.calls_of_clusters(run) <= CALLS_OF_A_CLUSTER


def test_a_run_without_change_starts_few_modules(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of them costs half a second, whatever it does."""
    modules = story.unchanged.modules
    with capsys.disabled():
        print(f"\nrun without change: {len(modules)} modules")
    assert len(modules) > 8, "the count has lost modules"
    assert len(modules) <= MODULES, "\n".join(modules)


def test_a_run_without_change_leaves_the_cluster_as_it_is(story: Story) -> None:
    """Nothing is sent: what is there is read, and compared."""
    assert story.unchanged.kube_writes == []
    assert story.left["versions"] == story.finished["versions"]


def test_check_mode_from_done_predicts_nothing(story: Story) -> None:
    assert story.checked.changes == {PAYER: [], CLUSTER: []}
    assert story.checked.changed_steps == []
    assert story.checked.writes == []
    assert story.checked.kube_writes == []


def test_verify_is_read_only_and_says_that_all_is_well(story: Story) -> None:
    run = story.verified
    assert run.writes == []
    assert run.kube_writes == []
    assert run.changes == {PAYER: [], CLUSTER: []}
    assert set(run.links(CLUSTER).values()) == {"ok"}
    assert run.count(kind="query") == 1


def test_no_run_prints_a_secret(story: Story) -> None:
    """Not by accident either: an EKS token, a token of a ServiceAccount, keys of a session, the Secret's data."""
    (integration,) = story.installed["integration"]
    sessions = {call["access_key"] for run in story.runs for call in run.calls if call["access_key"][:4] == "ASIA"}
    assert sessions
    for run in story.runs:
        said = run.stdout + run.stderr
        assert not re.search(r"k8s-aws-v1\.[A-Za-z0-9_-]{20}", said)
        assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", said)
        assert integration not in said
        assert not [key for key in sessions if key in said]
        assert not re.search(r"(?i)(secretaccesskey|secret_access_key)\W+[A-Za-z0-9/+]{20}", said)
