# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of whoever gives SGClusters their backups: those in AWS and those in the cluster.

The operator has the policy of the extent that a run needs, and in the cluster nothing but the RBAC of
``operator_stackgres``. The bucket is another account's. The tests run in the order of the file over one installation.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import operator_stackgres
from integration.cluster_operator import ClusterOperator
from integration.installation import CLUSTER_REGION
from kubernetes import client
from sandbox.client import Sandbox

NAMESPACE = "databases"
SPEC = {"instances": 1, "postgres": {"version": "16.6"}, "pods": {"persistentVolume": {"size": "1Gi"}}}

# What a user's key takes over time (stackgres_backup_key_max_age): test_operator_permissions_storage proves it.
ROTATION = frozenset(
    f"iam:{name}"
    for name in ("DeleteAccessKey", "DeleteUserPolicy", "GetAccessKeyLastUsed", "UntagUser", "UpdateAccessKey")
)


class Operator(ClusterOperator):
    """Whoever gives SGClusters their backups, one with a role and one with a key."""

    name, number, playbook = "sgrights", 49, "stackgres_backup"
    group = "kubestrap-stackgres-backup-operator"
    occasional = ROTATION

    def install(self) -> None:
        self.sandbox.stackgres(self.cluster, operator="1.18.6")

    def prepare(self) -> None:
        place = self.place
        place.vars[self.cluster] |= {
            "stackgres_backup_bucket": place.buckets[0],
            "stackgres_backup_clusters": [
                {"name": "orders", "namespace": NAMESPACE, "restart": True, "backup_now": True},
                {"name": "keyed", "namespace": NAMESPACE, "identity_method": "access_key"},
            ],
        }
        custom = client.CustomObjectsApi(place.kube())
        for name in ("orders", "keyed"):
            body = {"apiVersion": "stackgres.io/v1", "kind": "SGCluster", "metadata": {"name": name}, "spec": SPEC}
            custom.create_namespaced_custom_object("stackgres.io", "v1", NAMESPACE, "sgclusters", body)

    def rbac(self) -> list[dict[str, Any]]:
        return operator_stackgres.stackgres_backup_rbac(namespace=NAMESPACE)

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
    stackgres.assert_all_needed_in_the_account()


def test_every_right_in_the_cluster_is_needed(stackgres: Operator) -> None:
    # Of those that there is none here the same is asked. An apply that makes an object is recorded as a patch, and
    # takes the right to create. A new key goes into a Secret that is there already.
    sharded = [(verb, "sgshardedclusters") for verb in ("get", "patch")]
    stackgres.assert_all_needed_in_the_cluster(*sharded, ("create", "sgobjectstorages"), ("patch", "secrets"))
