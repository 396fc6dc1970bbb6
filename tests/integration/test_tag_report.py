# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tag report over an account with resources, a cluster and a payer, made with exactly the documented rights.

Each host works in a role that has the policy of ``operator_tag_policies``, and in the cluster the RBAC of
``operator_rbac.tag_report_rbac``. Three runs: much is wrong, nothing is wrong, and rights are missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.playbook import Result, run_playbook
from integration.world import (
    CLUSTER,
    PAYER,
    World,
    actions_of,
    operator,
    operator_rbac,
    operator_tag_policies,
    schema,
    text,
)
from kubernetes import client, config, utils
from sandbox.client import Sandbox

ACCOUNT, REGION = "540000000300", "eu-west-1"
# Where no other test has anything, for the accounts that others use too.
QUIET = {"demo": "ap-northeast-1", "tags-payer": "ap-northeast-2"}
ROLE, GROUP, NAMESPACE = "tag-reporter", "kubestrap-tag-report-operator", "tagged-shop"
QUEUES = 105  # more than a page
SCHEME = {"kubernetes_cluster": "demo", "kubernetes_namespace": NAMESPACE}
WRONG = {
    "typo": {"kubernetes_namespace": "tagged-shoop"},
    "moved": {**SCHEME, "kubernetes_deployment": "invoices"},
    "elsewhere": {"kubernetes_cluster": "deno"},
    "misspelt": {"kubernetes_namespaces": NAMESPACE},
}


class Place:
    """The accounts, what is in them, and the runs.

    :ivar policies: account -> what the role of its host may do
    """

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.file = sandbox, folder / "tags.json"
        sandbox.add_account(ACCOUNT, "tags-account")
        self.world = world = World(sandbox, "tagreport")
        world.make_buckets()
        world.make_report()
        world.deliver(rows=2400)
        table = world.table_input()
        names = ("line_item_line_item_type", *(f"resource_tags_user_{key}" for key in ("kubernetes_namespace", "team")))
        known = {column["name"] for column in schema.base_columns()}
        more = [{"Name": name, "Type": "string"} for name in (*names, "resource_tags_aws_eks_cluster_name")]
        table["StorageDescriptor"]["Columns"] += [column for column in more if column["Name"] not in known]
        world.table_input = lambda: table  # type: ignore[method-assign]
        world.make_table()
        self.policies = {
            ACCOUNT: operator_tag_policies.tag_report_operator(partition="aws", account_id=ACCOUNT),
            CLUSTER: operator_tag_policies.tag_report_operator(
                partition="aws", account_id=CLUSTER, region=REGION, cluster_name="demo"
            ),
            PAYER: operator_tag_policies.tag_report_payer_operator(**world.reader_parameters()),
        }
        self._roles()
        self._cluster()
        self.aws = operator(sandbox, ACCOUNT, REGION)
        self.sqs = self.aws.client("sqs")
        self.queues = {name: self._queue(name, tags) for name, tags in WRONG.items()}
        self._queue("fits", {**SCHEME, "kubernetes_deployment": "orders", "kubernetes_label_app": "orders"})
        self._queue("hyphen", {"kubernetes-namespace": NAMESPACE})
        for number in range(QUEUES - len(WRONG) - 2):
            self._queue(f"plain-{number:03}", {"team": "shop"})
        self.ce = world.payer.client("ce", "us-east-1")
        sandbox.cost_allocation_tags(account_id=PAYER, seen=["kubernetes_deployment", "kubernetes_label_app"])
        self.activate("Active", "kubernetes_cluster", "kubernetes_namespace")

    def _queue(self, name: str, tags: dict[str, str]) -> str:
        return self.sqs.create_queue(QueueName=f"tags-{name}", tags=tags)["QueueUrl"]

    def _roles(self) -> None:
        for account, policy in self.policies.items():
            iam = operator(self.sandbox, account, REGION).client("iam")
            trust = {"Sid": "Operators", "Effect": "Allow", "Action": "sts:AssumeRole"}
            trust["Principal"] = {"AWS": f"arn:aws:iam::{account}:root"}
            iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=text([trust]))
            self.give(account, policy)

    def _cluster(self) -> None:
        state = self.sandbox.state["clusters"]["demo"]
        api = config.new_client_from_config(state["admin_kubeconfig"])
        for manifest in operator_rbac.tag_report_rbac():
            utils.create_from_dict(api, manifest)
        eks = operator(self.sandbox, CLUSTER, REGION).client("eks")
        eks.create_access_entry(
            clusterName="demo", principalArn=f"arn:aws:iam::{CLUSTER}:role/{ROLE}", kubernetesGroups=[GROUP]
        )
        self.core, self.rbac = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
        self.core.create_namespace({"metadata": {"name": NAMESPACE}})
        labels = {"app": "orders"}
        pod = {"containers": [{"name": "orders", "image": "registry.invalid/orders"}]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        client.AppsV1Api(api).create_namespaced_deployment(NAMESPACE, {"metadata": {"name": "orders"}, "spec": spec})

    def give(self, account: str, statements: list[dict[str, Any]]) -> None:
        """The role of a host may do this and nothing else."""
        anything = {"Sid": "Anybody", "Effect": "Allow", "Action": ["sts:GetCallerIdentity"], "Resource": "*"}
        iam = operator(self.sandbox, account, REGION).client("iam")
        iam.put_role_policy(RoleName=ROLE, PolicyName="rights", PolicyDocument=text([anything, *statements]))

    def activate(self, status: str, *keys: str) -> None:
        """What somebody has done in the payer account."""
        entries = [{"TagKey": key, "Status": status} for key in keys]
        assert self.ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=entries)["Errors"] == []

    def mend(self) -> None:
        """What the report says is done."""
        for url in self.queues.values():
            self.sqs.untag_queue(QueueUrl=url, TagKeys=["kubernetes_namespaces", *SCHEME, "kubernetes_deployment"])
        self.sqs.tag_queue(QueueUrl=self.queues["moved"], Tags={**SCHEME, "kubernetes_deployment": "orders"})
        self.sandbox.cost_allocation_tags(account_id=PAYER, seen=["kubernetes-namespace"])
        self.activate("Active", "kubernetes_deployment", "kubernetes-namespace", "kubernetes_label_app")

    def run(self, **extra: Any) -> Result:
        """The report."""
        profiles = {"tags-account": ACCOUNT, "demo": CLUSTER, "tags-payer": PAYER}
        hosts: dict[str, dict[str, Any]] = {
            host: {
                "kubestrap_aws_profile": {"demo": "cluster", "tags-payer": "payer"}.get(host, host),
                "kubestrap_aws_region": "us-east-1" if host == "tags-payer" else REGION,
                "kubestrap_account_id": account,
                "kubestrap_assume_role_arn": f"arn:aws:iam::{account}:role/{ROLE}",
                "kubestrap_tag_regions": [QUIET[host]] if host in QUIET else [REGION, "us-east-1"],
            }
            for host, account in profiles.items()
        }
        hosts["demo"]["kubestrap_eks_cluster_name"] = "demo"
        given = self.world.reader_parameters()
        renamed = (
            "report_bucket",
            "report_prefix",
            "results_bucket",
            "results_prefix",
            "workgroup",
            "database",
            "table",
        )
        hosts["tags-payer"] |= {f"billing_data_{name}": given[name] for name in renamed}
        hosts["tags-payer"]["billing_data_report_name"] = self.world.name
        # A second host of the same account does not read it again.
        hosts["tags-twin"] = dict(hosts["tags-account"])
        groups = {"payers": ["tags-payer"], "accounts": ["tags-account", "tags-twin"], "clusters": ["demo"]}
        inventory = {group: {"hosts": {host: hosts[host] for host in names}} for group, names in groups.items()}
        extra = {"kubestrap_tag_report_file": str(self.file), "kubestrap_tag_report_months": 2, **extra}
        return run_playbook("kubestrap.aws.tag_report", self.sandbox, inventory=inventory, extra_vars=extra)


class Story:
    """The runs in their order."""

    def __init__(self, place: Place) -> None:
        self.wrong = place.run()
        self.wrong_report = json.loads(place.file.read_text())
        place.mend()
        self.good = place.run()
        self.good_report = json.loads(place.file.read_text())
        lacking = {ACCOUNT: "tag:GetResources", PAYER: "ce:ListCostAllocationTags"}
        for account, action in lacking.items():
            place.give(account, [each for each in place.policies[account] if action not in each["Action"]])
        place.rbac.delete_cluster_role(GROUP)
        self.denied = place.run()


@pytest.fixture(scope="module")
def place(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(sandbox, tmp_path_factory.mktemp("tags"))
    yield made
    made.activate("Inactive", "kubernetes_deployment", "kubernetes-namespace", "kubernetes_label_app")
    made.core.delete_namespace(NAMESPACE)


@pytest.fixture(scope="module")
def story(place: Place) -> Story:
    return Story(place)


def said(run: Result) -> str:
    """What people see, as one line: tables wrap."""
    shown = [task.result for task in run.tasks if task.action.endswith("report_lines")]
    lines = [line for each in shown for one in each.get("results", [each]) for line in one.get("lines", [])]
    return " ".join(" ".join(lines).split())


def findings(report: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Name of the queue -> kind and text of what does not fit."""
    return {
        each["arn"].rsplit("tags-", 1)[-1]: [(finding["kind"], finding["text"]) for finding in each["findings"]]
        for each in report["resources"]
    }


def test_what_does_not_fit_is_named_and_ends_with_exit_code_4(story: Story) -> None:
    assert story.wrong.rc == 4, story.wrong.report
    report = story.wrong_report
    assert (report["kind"], report["version"], report["verdict"]) == ("kubestrap.aws/tag-report", 1, "differs")
    assert findings(report) == {
        "typo": [("missing", "there is no namespace 'tagged-shoop' in any cluster of the inventory")],
        "moved": [("missing", f"there is no deployment 'invoices' in namespace {NAMESPACE} of the cluster demo")],
        "elsewhere": [("unknown_cluster", "no cluster of the inventory is called 'deno' (is demo meant?)")],
        "misspelt": [
            (
                "misspelt",
                "Kubecost does not read kubernetes_namespaces: its column is not that of kubernetes_namespace",
            )
        ],
        "fits": [],
        "hyphen": [],
    }
    assert "there is no namespace 'tagged-shoop' in any cluster" in said(story.wrong)
    assert "misspelt, or is used and not activated" in story.wrong.report


def test_keys_that_are_active_pending_and_not_activated(story: Story) -> None:
    keys = {each["key"]: each for each in story.wrong_report["keys"]}
    states = {key: (each["state"], each["resources"]) for key, each in keys.items() if each["resources"]}
    assert states == {
        "kubernetes-namespace": ("pending", 1),
        "kubernetes_cluster": ("active", 3),
        "kubernetes_deployment": ("inactive", 2),
        "kubernetes_label_app": ("inactive", 1),
        "kubernetes_namespace": ("active", 3),
    }
    assert "It has the column of kubernetes_namespace, and is a tag of its own" in keys["kubernetes-namespace"]["text"]
    assert "It is used and not activated" in keys["kubernetes_deployment"]["text"]


def test_the_cost_that_is_assigned(story: Story) -> None:
    costs = story.wrong_report["costs"]
    assert 1 <= len(costs) <= 2
    for row in costs:
        assert row["payer"] == PAYER
        assert row["in_clusters"] > 0 and row["attributed"] > 0 and row["not_attributed"] > 0
        whole = row["in_clusters"] + row["attributed"] + row["not_attributed"]
        assert abs(whole - row["total"]) < 0.03
    assert story.wrong_report["scanned_bytes"] > 0
    assert f"({story.wrong_report['scanned_bytes']} bytes)" in said(story.wrong)


def test_what_was_mended_fits_and_ends_well(story: Story) -> None:
    assert story.good.rc == 0, story.good.report
    assert story.good_report["verdict"] == "fits"
    assert {name: found for name, found in findings(story.good_report).items() if found} == {}
    assert {each["state"] for each in story.good_report["keys"] if each["resources"]} == {"active"}
    assert {host["verdict"] for host in story.good_report["hosts"].values()} == {"fits"}


def test_only_pages_are_read_and_nothing_is_changed(story: Story) -> None:
    """Four lists of regions, of which one has two pages, and little else; whatever number of resources there is."""
    for run in (story.wrong, story.good):
        assert run.writes == [] and run.changed == []
        assert run.count(service="resourcegroupstaggingapi") == 5
        assert run.count(service="ce") == 2
        assert run.count(operation="StartQueryExecution") == 1
        assert run.count(service="glue") == 1
        others = [call for call in run.calls if call["kind"] == "read" and call["service"] not in ("sts", "athena")]
        assert len(others) == 5 + 2 + 1 + 1, [(call["service"], call["operation"]) for call in others]
        assert [call for call in run.calls if call["error_code"]] == []


def test_every_right_is_needed(place: Place, story: Story) -> None:
    """What a reader of billing data needs besides is proved by test_policies_both_ways.py."""
    for account, statements in place.policies.items():
        calls = [
            call for run in (story.wrong, story.good) for call in run.calls if f":{account}:assumed-role" in call["who"]
        ]
        needed = {action for call in calls for action in actions_of(call["service"], call["operation"])}
        own = {"ListTagged", "ReadCluster", "ReadActivation"}
        given = {action for each in statements if each["Sid"] in own for action in each["Action"]}
        assert given - needed == set(), account


def test_a_right_that_is_missing_is_named_and_ends_with_exit_code_2(story: Story) -> None:
    assert story.denied.rc == 2, story.denied.report
    seen = said(story.denied)
    # Regions are asked side by side: either may be the first to refuse.
    assert "tags-account: List what has a tag of the scheme: Failed to list the tagged resources of " in seen
    assert "not authorized to perform: tag:GetResources" in seen
    assert "not authorized to perform: ce:ListCostAllocationTags" in seen
    assert story.denied.writes == []
