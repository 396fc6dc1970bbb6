# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator of a cluster whose bucket is another account's: rights that a test sets, and its calls."""

from __future__ import annotations

from typing import Any

import boto3
from integration.both_ways import DENIED
from integration.installation import CLUSTER_REGION, Installation, Run
from integration.playbook import Result
from integration.world import actions_of, operator, operator_policies, operator_storage_policies, text
from kubernetes import utils
from sandbox.client import Sandbox

# What a run tries and does without: the operator may not look up its own rights.
OPTIONAL = ("SimulatePrincipalPolicy",)
# They repair, or belong to an option.
OCCASIONAL = operator_policies.OCCASIONAL | operator_storage_policies.STORAGE_OCCASIONAL


class ClusterOperator:
    """The operator of a cluster of its own: in the cluster it has its documented RBAC, in AWS no right yet.

    :cvar name: of the accounts and the cluster, with ``number`` as Installation takes them
    :cvar playbook: the one whose runs are judged
    :cvar group: of the RBAC, whose manifests are ``rbac()``
    :cvar occasional: further actions that no run here needs
    :ivar runs: extent -> the runs that were made with it, or with less
    """

    name: str
    number: int
    playbook: str
    group: str
    occasional: frozenset[str] = frozenset()

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.place = place = Installation(sandbox, self.name, number=self.number, payers=0, buckets=1)
        self.cluster = place.clusters[0]
        self.arn = f"arn:aws:iam::{place.cluster_account}:role/operator"
        self.runs: dict[str, list[Result]] = {}
        self.install()
        for manifest in self.rbac():
            utils.create_from_dict(place.kube(), manifest)
        self.prepare()
        # Everything that is set up is: from now on the operator has no other rights than those of the tests.
        eks = operator(sandbox, place.cluster_account, CLUSTER_REGION).client("eks")
        entry = {"clusterName": self.cluster, "principalArn": self.arn}
        eks.delete_access_entry(**entry)
        eks.create_access_entry(**entry, kubernetesGroups=[self.group])

    def install(self) -> None:
        """Put into the cluster what is there before the operator gets any rights; nothing, unless a test says what."""

    def prepare(self) -> None:
        """Write what the playbook takes into the inventory, and make what somebody else makes in the cluster.

        The namespace is there: it belongs to the RBAC.
        """
        raise NotImplementedError

    def rbac(self) -> list[dict[str, Any]]:
        """The manifests that give the operator its rights in the cluster."""
        raise NotImplementedError

    def policy(self, extent: str, may_ask: bool = False) -> list[dict[str, Any]]:
        """The statements of an extent, with the right to look them up or without."""
        raise NotImplementedError

    def give(self, statements: list[dict[str, Any]]) -> None:
        """This and nothing else."""
        state = self.sandbox.state
        iam = boto3.client(
            "iam",
            CLUSTER_REGION,
            endpoint_url=state["endpoint_url"],
            verify=state["ca_bundle"],
            aws_access_key_id=self.place.cluster_account,
            aws_secret_access_key="test",
        )
        iam.put_role_policy(RoleName="operator", PolicyName="everything", PolicyDocument=text(statements))

    def run(self, extent: str, **options: Any) -> Run:
        """A run with the policy of an extent; nothing that the operator asks may be refused."""
        self.give(self.policy(extent))
        run = self.place.run(self.playbook, **options)
        assert run.ok, run.report
        refused = [call for call in self.calls(run) if call["error_code"] in DENIED]
        assert [call for call in refused if call["operation"] not in OPTIONAL] == []
        self.runs.setdefault(extent, []).append(run)
        return run

    def calls(self, run: Result) -> list[dict[str, Any]]:
        """What the operator called."""
        return [call for call in run.calls if f":{self.place.cluster_account}:assumed-role/operator/" in call["who"]]

    def assert_all_needed_in_the_account(self) -> None:
        """Each extent has the actions that the runs up to it called, and no other."""
        needed: set[str] = set()
        for extent in operator_policies.EXTENTS:
            calls = [call for run in self.runs[extent] for call in self.calls(run)]
            for call in calls:
                if call["operation"] not in OPTIONAL:
                    needed |= set(actions_of(call["service"], call["operation"]))
            given = {action for statement in self.policy(extent) for action in statement["Action"]}
            assert needed - given == set(), f"the record has more than {extent}"
            assert given - needed - OCCASIONAL - self.occasional == set(), f"{extent} has more than the record"

    def assert_all_needed_in_the_cluster(self, *also: tuple[str, str]) -> None:
        """By what the API server has recorded of all runs, of which it refused nothing.

        :param also: verb and resource of rights that no run here needs
        """
        given = {
            (verb, resource)
            for manifest in self.rbac()
            for rule in manifest.get("rules", [])
            for verb in rule["verbs"]
            for resource in rule["resources"]
        }
        assert self.place.kube_verbs(self.cluster, self.group) | set(also) == given
