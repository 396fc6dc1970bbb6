# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each mistake in an inventory ends the playbook kubecost before its first write, and says what to write instead.

inventory/bad_input.yml has the mistakes, one per host. All hosts are checked, so that one run shows those of all of
them; good hosts run with them, for which the playbook would write if it went on.
"""

from __future__ import annotations

import base64
import configparser
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from integration.playbook import Result, Task, run_playbook
from sandbox.client import Sandbox

INVENTORY = Path(__file__).parent / "inventory" / "bad_input.yml"
CHARTS = Path(__file__).resolve().parents[1] / "fixtures" / "charts"
PAYER, CLUSTER, ZEROS = "111111111111", "222222222222", "012345670123"
GOOD = "payer-main:prod"
BAD = {
    name: hosts["hosts"]
    for kind in yaml.safe_load(INVENTORY.read_text(encoding="utf-8")).values()
    for name, hosts in kind["children"].items()
    if name.startswith("bad_")
}
READS = ("get", "list", "watch")
QUESTIONS = ("selfsubjectreviews", "selfsubjectaccessreviews")
END = "End the run before the first write"


class World:
    """What the inventory names, made as the owner of each account.

    :ivar environment: of the runs; its AWS configuration has the profile `stranger` too
    """

    def __init__(self, sandbox: Sandbox, place: Path) -> None:
        self.sandbox = sandbox
        if ZEROS not in sandbox.state["accounts"]:
            sandbox.add_account(ZEROS, "zeros")
        self.state = sandbox.state
        self.demo = self.state["clusters"]["demo"]
        self.eks = self.client("eks", CLUSTER, self.demo["region"])
        self.iam = self.client("iam", CLUSTER)
        self.stranger = self.make_stranger()
        self.environment = {"AWS_CONFIG_FILE": str(self.write_profiles(place / "aws-config"))}
        self.buckets = {
            name: self.client("s3", account, region)
            for name, account, region in (
                ("bad-input-own", PAYER, "us-east-1"),
                ("bad-input-elsewhere", PAYER, "eu-central-1"),
                ("bad-input-foreign", CLUSTER, "us-east-1"),
            )
        }
        for name, s3 in self.buckets.items():
            region = s3.meta.region_name
            where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=name, **where)
        self.clusters = {"bad-input-not-reachable": self.demo["issuer"] + "0", "bad-input-no-issuer": ""}
        for name, issuer in self.clusters.items():
            self.make_cluster(name, issuer)

    def client(self, service: str, account_id: str, region: str = "us-east-1") -> Any:
        """A client with the keys of an account's root."""
        where = {"endpoint_url": self.state["endpoint_url"], "verify": self.state["ca_bundle"]}
        keys = {"aws_access_key_id": account_id, "aws_secret_access_key": "test"}
        return boto3.client(service, region, **where, **keys)

    def make_stranger(self) -> str:
        """The ARN of a role that may describe the cluster and has no access entry in it."""
        trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:root"}}
        allowed = {"Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": "*"}
        role = self.iam.create_role(RoleName="bad-input-stranger", AssumeRolePolicyDocument=document(trusted))["Role"]
        self.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="eks", PolicyDocument=document(allowed))
        return role["Arn"]

    def write_profiles(self, path: Path) -> Path:
        """The sandbox' AWS configuration with one profile more."""
        profiles = configparser.RawConfigParser()
        profiles.read(self.state["aws_config_file"])
        profiles["profile stranger"] = {**profiles["profile cluster"], "role_arn": self.stranger}
        with path.open("w", encoding="utf-8") as file:
            profiles.write(file)
        return path

    def make_cluster(self, name: str, issuer: str) -> None:
        """A cluster whose API server is at a port where nobody listens."""
        role = f"arn:aws:iam::{CLUSTER}:role/eks-cluster"
        self.eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]})
        known = {"account_id": CLUSTER, "region": self.demo["region"], "name": name, "issuer": issuer}
        ca_data = base64.b64encode(Path(self.demo["ca_file"]).read_bytes()).decode()
        self.sandbox.control("cluster-endpoints", {**known, "endpoint": "https://127.0.0.1:1", "ca_data": ca_data})

    def delete(self) -> None:
        """Take it all away, but for the account."""
        for name in self.clusters:
            self.eks.delete_cluster(name=name)
        for name, s3 in self.buckets.items():
            s3.delete_bucket(Bucket=name)
        self.iam.delete_role_policy(RoleName="bad-input-stranger", PolicyName="eks")
        self.iam.delete_role(RoleName="bad-input-stranger")

    def run(self, limit: str, playbook: str = "kubecost", **options: Any) -> Run:
        """Run a playbook for some hosts, with what the API server saw of people meanwhile."""
        audit_log = Path(self.demo["audit_log"])
        before = len(audit_log.read_bytes())
        result = run_playbook(
            f"kubestrap.aws.{playbook}",
            self.sandbox,
            inventory=options.pop("inventory", INVENTORY),
            limit=limit or None,
            extra_vars={"charts": str(CHARTS)},
            environment=self.environment | options.pop("environment", {}),
            **options,
        )
        lines = audit_log.read_bytes()[before:].decode().splitlines()
        return Run(result, [event for line in lines if is_of_a_person(event := json.loads(line))])


class Run:
    """A run and the requests of IAM principals that the API server of `demo` recorded meanwhile."""

    def __init__(self, result: Result, requests: list[dict[str, Any]]) -> None:
        self.result = result
        self.requests = requests

    @property
    def failures(self) -> dict[str, Task]:
        """Host -> the task that failed there; that the run ends because of it is no failure of its own."""
        return {task.host: task for task in self.result.tasks if task.failed and not task.name.startswith(END)}

    def assert_nothing_written(self) -> None:
        """It failed, and nothing was written to AWS or to Kubernetes."""
        assert self.result.rc == 2, self.result.report
        assert self.result.writes == []
        assert not self.result.count(kind="query")
        written = [request for request in self.requests if request["verb"] not in READS]
        assert {request["objectRef"]["resource"] for request in written} <= set(QUESTIONS), written


def document(statement: dict[str, Any]) -> str:
    """A policy of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def is_of_a_person(event: dict[str, Any]) -> bool:
    """Whether a line of the audit log is about an IAM principal; a refused one has no name."""
    return event["user"].get("username", "").startswith("arn:aws:")


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(sandbox, tmp_path_factory.mktemp("bad-input"))
    yield made
    made.delete()


@pytest.fixture(scope="module")
def runs(world: World) -> dict[str, Run]:
    """The playbook kubecost with the good hosts and each group of bad ones."""
    return {group: world.run(f"{GOOD}:{group}") for group in BAD}


@pytest.mark.parametrize("group", BAD)
def test_nothing_is_written(runs: dict[str, Run], group: str) -> None:
    run = runs[group]
    run.assert_nothing_written()
    assert set(run.failures) == set(BAD[group]), run.result.report
    asked = [request["objectRef"]["resource"] for request in run.requests]
    # The good clusters were asked who comes, what they may, and for the release: so a write would be seen here too.
    assert {*QUESTIONS, "secrets"} <= set(asked) <= {*QUESTIONS, "secrets", "namespaces", "pods"}
    end = next(task for task in run.result.tasks if task.name.startswith(END))
    assert "Nothing was written. Mend what is said above of " in end.result["msg"]
    assert all(host in end.result["msg"] for host in BAD[group])


@pytest.mark.parametrize(("group", "host"), [(group, host) for group, hosts in BAD.items() for host in hosts])
def test_the_mistake_is_explained(runs: dict[str, Run], group: str, host: str) -> None:
    result = runs[group].failures[host].result
    for text in BAD[group][host]["says"]:
        assert text in result["msg"]
    if "preflight" in result and "mistakes" in BAD[group][host]:
        assert len(result["preflight"]["problems"]) == BAD[group][host]["mistakes"]
        assert len(result["msg"].splitlines()) == BAD[group][host]["mistakes"]


@pytest.mark.parametrize("host", ["payer-of-many-mistakes", "stranger", "pod-identity"])
def test_one_mistake_is_read_in_the_terminal(world: World, host: str) -> None:
    """By Ansible's own output; and the same run without the mistake would write."""
    mistake = next(hosts[host] for hosts in BAD.values() if host in hosts)
    run = world.run(f"{GOOD}:{host}", environment={"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"})
    run.assert_nothing_written()
    shown = run.result.stdout + run.result.stderr
    errors = re.findall(r"^\[ERROR\]: (.*?)^Origin: ", shown, re.DOTALL | re.MULTILINE)
    assert len(errors) == 2, shown
    assert f"Nothing was written. Mend what is said above of {host}," in errors[1]
    for text in mistake["says"]:
        assert text in errors[0]
    assert f"[{host}]: FAILED!" in shown


@pytest.mark.parametrize("missing", ["payers", "clusters"])
def test_a_group_is_missing(world: World, missing: str) -> None:
    """No host would match, and a run that does nothing would end well."""
    hosts = {
        "payers": {"payer-main": {"kubestrap_aws_profile": "payer", "kubestrap_account_id": PAYER}},
        "clusters": {"prod": {"kubestrap_aws_profile": "cluster", "kubestrap_eks_cluster_name": "demo"}},
    }
    inventory = {group: {"hosts": those} for group, those in hosts.items() if group != missing}
    run = world.run("", inventory=inventory)
    run.assert_nothing_written()
    assert run.result.calls == []
    (failure,) = run.failures.values()
    said = [item["msg"] for item in failure.result["results"] if item.get("failed")]
    assert len(said) == 1
    assert f"The inventory has no hosts in the group '{missing}'. Name the payer accounts in the group" in said[0]


def test_helm_is_nowhere_on_the_path(world: World) -> None:
    """Nobody named a helm: the one on the path is meant, and there is none."""
    path = {"PATH": str(Path(world.environment["AWS_CONFIG_FILE"]).parent)}
    run = world.run(GOOD, environment=path)
    run.assert_nothing_written()
    said = run.failures["prod"].result["msg"]
    assert "kubestrap_helm_binary: 'helm' is not a program on this controller. Install Helm 3 (https://helm.sh/" in said


def test_the_same_without_the_mistakes_is_accepted(world: World) -> None:
    """What is written as the messages say passes; so does the stranger once he has access."""
    stranger = {"clusterName": "demo", "principalArn": world.stranger}
    world.eks.create_access_entry(**stranger)
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    world.eks.associate_access_policy(**stranger, policyArn=policy, accessScope={"type": "cluster"})
    try:
        run = world.run("good_payers:good_clusters:stranger", playbook="kubecost_preflight")
    finally:
        world.eks.delete_access_entry(**stranger)
    assert run.result.ok, run.result.report
    assert run.result.writes == []
    looks = [task for task in run.result.tasks if task.name.rpartition(" : ")[2].startswith("Look at the ")]
    looked = {task.host: task.result["preflight"] for task in looks if not task.skipped}
    payers = {"payer-main", "payer-zeros", "payer-names", "payer-elsewhere"}
    assert set(looked) == {*payers, "prod", "prod-names", "stranger"}
    assert [found["problems"] for found in looked.values()] == [[]] * len(looked)
    assert looked["payer-zeros"]["account_id"] == ZEROS
    assert {request["user"]["username"].split("/")[1] for request in run.requests} == {"operator", "bad-input-stranger"}
