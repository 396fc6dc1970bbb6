# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Payer accounts and clusters of one test module, their inventory, and runs of the collection's playbooks over them.

place = Installation(sandbox, "flow", number=1)
run = place.run("kubecost", check=True)
assert run.ok, run.report
assert run.outcome("flow-payer")["state"] == "pending"
assert run.kube_writes == []
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from pathlib import Path
from typing import Any

from integration.playbook import Result, run_playbook
from integration.world import AwsConnection, KubeApi, operator
from kubernetes import client, config
from sandbox.client import Sandbox

CHARTS = Path(__file__).resolve().parents[1] / "fixtures" / "charts"
PAYER_REGION, CLUSTER_REGION = "us-east-1", "eu-west-1"
# AWS calls that a run without change, or a verification, may make for each cluster.
CALLS_OF_A_CLUSTER = 15
# Asking what one may do, or for a token, is no change of the cluster.
_QUESTIONS = ("tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectreviews")


@dataclasses.dataclass(frozen=True)
class Run(Result):
    """A run over an installation.

    :ivar kube_writes: what the operators changed in the clusters meanwhile, as ``verb resource namespace/name``
    """

    kube_writes: list[str] = dataclasses.field(default_factory=list)

    def outcome(self, host: str) -> dict[str, Any]:
        """The fact ``kubestrap_outcome`` of a host: ``state``, ``changes``, ``notes``, ``proof``.

        :raises KeyError: nothing was done on this host
        """
        for task in reversed(self.tasks):
            facts = task.result.get("ansible_facts") or {}
            if task.host == host and "kubestrap_outcome" in facts:
                return facts["kubestrap_outcome"]
        raise KeyError(f"{host} has no outcome\n{self.report}")

    def notes(self, host: str) -> str:
        """The notes of a host as one text."""
        return " ".join(self.outcome(host)["notes"])

    def links(self, host: str) -> dict[str, str]:
        """State of each link of a cluster's proof; of several payers the last one's."""
        outcome = self.outcome(host)
        if "links" in outcome:  # of a verification, whose table has other columns
            return {link["link"].replace("_", " "): link["state"] for link in outcome["links"]}
        return {link: state for link, state, _detail in outcome["proof"]}

    @property
    def changes(self) -> dict[str, list[str]]:
        """The changes of all hosts."""
        hosts = {task.host for task in self.tasks if "kubestrap_outcome" in (task.result.get("ansible_facts") or {})}
        return {host: self.outcome(host)["changes"] for host in sorted(hosts)}

    @property
    def changed_steps(self) -> list[tuple[str, str]]:
        """Host and name of each task that changed something, without the name of its role."""
        return [(task.host, task.name.rsplit(" : ", 1)[-1]) for task in self.tasks if task.changed]

    @property
    def counted(self) -> list[str]:
        """The AWS calls that a budget is about, sorted: without queries, looks at a query that runs, and AssumeRole."""
        counted = [call for call in self.calls if call["kind"] in ("read", "write")]
        names = [f"{call['service']}:{call['operation']}" for call in counted]
        return sorted(name for name in names if name != "athena:GetQueryExecution")

    def in_numbers(self) -> str:
        """The AWS calls in one line."""
        kinds = ", ".join(f"{self.count(kind=kind)} {kind}" for kind in ("read", "write", "query", "session"))
        return f"{self.count(kind='read') + self.count(kind='write')} AWS calls ({kinds})"


class Installation:
    """Accounts and clusters that no other test uses, and the inventory of them.

    :ivar payers: host names; account and profile are in ``vars``
    :ivar buckets: host names, each of an account of its own
    :ivar clusters: host names, each the name of its EKS cluster too; they are in one account unless said otherwise
    :ivar vars: host -> its variables in the inventory, to be changed by the test
    """

    def __init__(
        self,
        sandbox: Sandbox,
        name: str,
        number: int,
        payers: int = 1,
        clusters: int = 1,
        buckets: int = 0,
        accounts: dict[str, str] | None = None,
        regions: dict[str, str] | None = None,
    ) -> None:
        """Make them.

        :param buckets: how many S3 buckets the inventory describes
        :param accounts: of clusters that are in another one than the others, such as "{number}0000000201"
        :param regions: of clusters that are in another one than the others
        :param number: of the test module, two digits at most and no multiple of ten; account ids begin with it
        """
        begin = f"{number}{'0' * (9 - len(str(number)))}"
        self.sandbox, self.name = sandbox, name
        self.payers = [f"{name}-payer{'' if index == 0 else index + 1}" for index in range(payers)]
        self.clusters = [f"{name}{'' if index == 0 else index + 1}" for index in range(clusters)]
        self.buckets = [f"{name}-bucket{'' if index == 0 else index + 1}" for index in range(buckets)]
        self.vars: dict[str, dict[str, Any]] = {}
        for index, host in enumerate(self.buckets):
            account_id = f"{begin}3{index:02}"
            sandbox.add_account(account_id, host)
            self.vars[host] = {
                "kubestrap_aws_profile": host,
                "kubestrap_aws_region": CLUSTER_REGION,
                "kubestrap_account_id": account_id,
                "workload_storage_bucket": f"store-of-{host}",
            }
        for index, host in enumerate(self.payers):
            account_id = f"{begin}1{index:02}"
            sandbox.add_account(account_id, host)
            self.vars[host] = {"kubestrap_aws_profile": host, "kubestrap_account_id": account_id}
        self.cluster_account = f"{begin}200"
        sandbox.add_account(self.cluster_account, f"{name}-cluster")
        self.accounts = accounts or {}
        for host, account_id in self.accounts.items():
            sandbox.add_account(account_id, f"{host}-cluster")
        for host in self.clusters:
            region = (regions or {}).get(host, CLUSTER_REGION)
            sandbox.add_cluster(host, self.accounts.get(host, self.cluster_account), region)
            self.vars[host] = {
                "kubestrap_aws_profile": f"{host if host in self.accounts else name}-cluster",
                "kubestrap_aws_region": region,
                "kubestrap_eks_cluster_name": host,
                "kubecost_payers": self.payers[:1],
                "kubecost_chart_ref": str(CHARTS / "kubecost"),
            }

    # --- runs

    def inventory(self) -> dict[str, Any]:
        """What would be in the inventory file."""
        groups = {"payers": self.payers, "buckets": self.buckets, "clusters": self.clusters}
        groups = {name: hosts for name, hosts in groups.items() if hosts}
        return {name: {"hosts": {host: self.vars[host] for host in hosts}} for name, hosts in groups.items()}

    def run(self, playbook: str | list[dict[str, Any]] = "kubecost", **options: Any) -> Run:
        """Run a playbook of the collection, or plays; options as in ``run_playbook``, ``inventory`` for another one."""
        # A test may put hosts into the inventory that are no clusters.
        real = [cluster for cluster in self.clusters if cluster in self.sandbox.state["clusters"]]
        marks = {cluster: self._audited(cluster) for cluster in real}
        name = playbook if isinstance(playbook, list) else f"kubestrap.aws.{playbook}"
        result = run_playbook(name, self.sandbox, **{"inventory": self.inventory(), **options})
        writes = [write for cluster, mark in marks.items() for write in self._kube_writes(cluster, mark)]
        fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(Result)}
        return Run(**fields, kube_writes=writes)

    def deliver(self, payer: str | None = None, **options: Any) -> dict[str, Any]:
        """AWS delivers the report of a payer, the first one unless named."""
        account_id = self.account(payer or self.payers[0])
        request = {"account_id": account_id, "report_name": "kubecost", "months": 2, "rows": 400, **options}
        delivered = self.sandbox.deliver(**request)
        assert delivered["status"] == "SUCCESS", delivered
        return delivered

    # --- AWS

    def calls_of_clusters(self, run: Run) -> int:
        """How many AWS calls of a run were about clusters: in their account, or as the role that reads a payer's data.

        Queries and AssumeRole are counted on their own, here as everywhere.
        """
        readers = [f":{self.account(payer)}:assumed-role/kubecost-cur-access/" for payer in self.payers]
        counted = [call for call in run.calls if call["kind"] in ("read", "write")]
        return len(
            [
                call
                for call in counted
                if call["account_id"] == self.cluster_account or any(reader in call["who"] for reader in readers)
            ]
        )

    def account(self, payer: str) -> str:
        """The account id of a payer."""
        return self.vars[payer]["kubestrap_account_id"]

    def payer_aws(self, payer: str | None = None) -> AwsConnection:
        """A connection as operator of a payer."""
        return operator(self.sandbox, self.account(payer or self.payers[0]), PAYER_REGION)

    def cluster_aws(self, cluster: str = "") -> AwsConnection:
        """A connection as operator of the account of the clusters, or of that cluster."""
        return operator(self.sandbox, self.accounts.get(cluster, self.cluster_account), CLUSTER_REGION)

    def role_arn(self, cluster: str | None = None) -> str:
        """The role of a cluster's ServiceAccount."""
        return f"arn:aws:iam::{self.cluster_account}:role/kubecost-{cluster or self.clusters[0]}"

    def reader_arn(self, payer: str | None = None) -> str:
        """The role that reads a payer's billing data."""
        return f"arn:aws:iam::{self.account(payer or self.payers[0])}:role/kubecost-cur-access"

    # --- Kubernetes

    def kube(self, cluster: str | None = None) -> client.ApiClient:
        """A cluster's API server, as its administrator (whose calls are not in the audit log)."""
        state = self.sandbox.state["clusters"][cluster or self.clusters[0]]
        return config.new_client_from_config(state["admin_kubeconfig"])

    def core(self, cluster: str | None = None) -> client.CoreV1Api:
        """Pods, Secrets and ServiceAccounts of a cluster."""
        return client.CoreV1Api(self.kube(cluster))

    def pods(self, cluster: str | None = None, namespace: str = "kubecost") -> list[client.V1Pod]:
        """The pods in the namespace of Kubecost."""
        return self.core(cluster).list_namespaced_pod(namespace).items

    def kube_verbs(self, cluster: str, group: str) -> set[tuple[str, str]]:
        """Verb and resource of all that members of a group have asked of a cluster and been allowed."""
        self._audited(cluster)
        found = set()
        for event in self._events(cluster):
            thing, decision = event.get("objectRef", {}), event.get("annotations", {})
            ours = group in event["user"].get("groups", []) and thing.get("resource") not in (None, *_QUESTIONS)
            if ours and decision.get("authorization.k8s.io/decision") == "allow":
                parts = (thing["resource"], thing.get("subresource"))
                found.add((event["verb"], "/".join(part for part in parts if part)))
        return found

    def _events(self, cluster: str) -> list[dict[str, Any]]:
        lines = Path(self.sandbox.state["clusters"][cluster]["audit_log"]).read_text().splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def _audited(self, cluster: str) -> int:
        """How much is in the audit log. What was asked before is in it: a last question is waited for."""
        from ansible_collections.kubestrap.aws.plugins.module_utils._eks_token import eks_token
        from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError

        state = self.sandbox.state["clusters"][cluster]
        token = eks_token(self.cluster_aws(cluster), cluster)
        name = f"mark-{uuid.uuid4().hex}"
        api = KubeApi(state["endpoint"], token, state["ca_file"], cluster_name=cluster)
        try:
            assert api.get("api", "v1", "namespaces", name) is None
        except KubeError as e:
            assert e.status == 403  # an operator with few rights, whose question is in the log as well
        deadline = time.monotonic() + 30
        while True:
            events = self._events(cluster)
            if any(event.get("objectRef", {}).get("name") == name for event in events):
                return len(events)
            assert time.monotonic() < deadline, "the audit log does not show what was just asked"
            time.sleep(0.05)

    def _kube_writes(self, cluster: str, mark: int) -> list[str]:
        self._audited(cluster)
        writes = []
        for event in self._events(cluster)[mark:]:
            thing = event.get("objectRef", {})
            if event["verb"] not in ("create", "update", "patch", "delete", "deletecollection"):
                continue
            question = thing.get("resource") in _QUESTIONS or thing.get("subresource") == "token"
            if question or "dryRun=" in event["requestURI"]:
                continue
            place = f"{thing.get('namespace', '')}/{thing.get('name', '')}".strip("/")
            writes.append(f"{event['verb']} {thing.get('resource')} {place}")
        return writes
