# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of whoever gives SGClusters their backups: those in AWS and those in the cluster.

The operator has the policy of the extent that a run needs, and in the cluster nothing but the RBAC of
``operator_stackgres``. The bucket is another account's. The tests run in the order of the file over one installation.
"""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import operator_stackgres
from integration.installation import CLUSTER_REGION, Installation, Run
from integration.test_operator_permissions_thanos import DENIED, OCCASIONAL, OPTIONAL
from integration.world import actions_of, operator, operator_policies, text
from kubernetes import client, utils
from sandbox.client import Sandbox

NAMESPACE, GROUP = "databases", "kubestrap-stackgres-backup-operator"
SPEC = {"instances": 1, "postgres": {"version": "16.6"}, "pods": {"persistentVolume": {"size": "1Gi"}}}

# What a user's key takes over time (stackgres_backup_key_max_age): test_operator_permissions_storage proves it.
ROTATION = {f"iam:{name}" for name in ("DeleteAccessKey", "DeleteUserPolicy", "GetAccessKeyLastUsed", "UntagUser")}
ROTATION.add("iam:UpdateAccessKey")


class Operator:
    """The operator of a cluster, whose rights can be set.

    :ivar runs: extent -> the runs that were made with it, or with less
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.place = place = Installation(sandbox, "sgrights", number=49, payers=0, buckets=1)
        self.cluster = place.clusters[0]
        self.arn = f"arn:aws:iam::{place.cluster_account}:role/operator"
        self.runs: dict[str, list[Run]] = {}
        place.vars[self.cluster] |= {
            "stackgres_backup_bucket": place.buckets[0],
            "stackgres_backup_clusters": [
                {"name": "orders", "namespace": NAMESPACE, "restart": True, "backup_now": True},
                {"name": "keyed", "namespace": NAMESPACE, "identity_method": "access_key"},
            ],
        }
        sandbox.stackgres(self.cluster, operator="1.18.6")
        for manifest in operator_stackgres.stackgres_backup_rbac(namespace=NAMESPACE):
            utils.create_from_dict(place.kube(), manifest)
        custom = client.CustomObjectsApi(place.kube())
        for name in ("orders", "keyed"):
            body = {"apiVersion": "stackgres.io/v1", "kind": "SGCluster", "metadata": {"name": name}, "spec": SPEC}
            custom.create_namespaced_custom_object("stackgres.io", "v1", NAMESPACE, "sgclusters", body)
        # Everything that is set up is: from now on the operator has no other rights than those of the tests.
        eks = operator(sandbox, place.cluster_account, CLUSTER_REGION).client("eks")
        entry = {"clusterName": self.cluster, "principalArn": self.arn}
        eks.delete_access_entry(**entry)
        eks.create_access_entry(**entry, kubernetesGroups=[GROUP])

    def policy(self, extent: str, may_ask: bool = False) -> list[dict[str, Any]]:
        """The bucket is another account's, where this operator explains and sweeps away nothing."""
        name = f"stackgres-{self.cluster}-{NAMESPACE}"
        return operator_stackgres.stackgres_backup_operator(
            partition="aws",
            account_id=self.place.cluster_account,
            region=CLUSTER_REGION,
            cluster_name=self.cluster,
            role_names=[f"{name}-orders"],
            user_names=[f"{name}-keyed"],
            extent=extent,
            operator_arn=self.arn if may_ask else None,
        )

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
        run = self.place.run("stackgres_backup", **options)
        assert run.ok, run.report
        refused = [call for call in self.calls(run) if call["error_code"] in DENIED]
        assert [call for call in refused if call["operation"] not in OPTIONAL] == []
        self.runs.setdefault(extent, []).append(run)
        return run

    def calls(self, run: Run) -> list[dict[str, Any]]:
        """What the operator called."""
        return [call for call in run.calls if f":{self.place.cluster_account}:assumed-role/operator/" in call["who"]]

    def needed(self, *extents: str) -> set[str]:
        """The actions of its calls in these runs."""
        calls = [call for extent in extents for run in self.runs[extent] for call in self.calls(run)]
        return {
            action
            for call in calls
            if call["operation"] not in OPTIONAL
            for action in actions_of(call["service"], call["operation"])
        }


@pytest.fixture(scope="module")
def stackgres(sandbox: Sandbox) -> Operator:
    return Operator(sandbox)


def test_the_preflight_names_a_right_that_is_missing(stackgres: Operator) -> None:
    policy = stackgres.policy("run", may_ask=True)
    left = [{**each, "Action": [a for a in each["Action"] if a != "iam:CreateAccessKey"]} for each in policy]
    stackgres.give(left)
    run = stackgres.place.run("stackgres_backup")
    assert not run.ok
    assert "lacks rights that this run needs: iam:CreateAccessKey on " in run.report
    assert "'stackgres_backup_operator'" in run.report
    assert run.writes == []


def test_check_mode_passes_with_reading_alone(stackgres: Operator) -> None:
    run = stackgres.run("check", check=True)
    assert (run.writes, run.kube_writes) == ([], [])


def test_the_run_passes(stackgres: Operator) -> None:
    run = stackgres.run("run")
    assert run.outcome(stackgres.cluster)["state"] == "done", run.outcome(stackgres.cluster)


def test_the_teardown_passes(stackgres: Operator) -> None:
    gone = {"stackgres_backup_state": "absent", "workload_storage_state": "absent"}
    run = stackgres.run("teardown", extra_vars=gone)
    assert run.outcome(stackgres.cluster)["state"] == "done", run.outcome(stackgres.cluster)


def test_every_right_in_the_account_is_needed(stackgres: Operator) -> None:
    before: tuple[str, ...] = ()
    for extent in operator_policies.EXTENTS:
        before = (*before, extent)
        needed = stackgres.needed(*before)
        given = {action for statement in stackgres.policy(extent) for action in statement["Action"]}
        assert needed - given == set(), f"the record has more than {extent}"
        assert given - needed - OCCASIONAL - ROTATION == set(), f"{extent} has more than the record"


def test_every_right_in_the_cluster_is_needed(stackgres: Operator) -> None:
    """By what the API server has recorded of all runs, of which it refused nothing."""
    given = {
        (verb, resource)
        for manifest in operator_stackgres.stackgres_backup_rbac(namespace=NAMESPACE)
        for rule in manifest.get("rules", [])
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }
    # Of those that there is none here the same is asked.
    sharded = {(verb, "sgshardedclusters") for verb in ("get", "patch")}
    # An apply that makes an object is recorded as a patch, and takes the right to create. A new key goes into a Secret
    # that is there already.
    more = {("create", "sgobjectstorages"), ("patch", "secrets")}
    assert stackgres.place.kube_verbs(stackgres.cluster, GROUP) | sharded | more == given
