# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of whoever gives Thanos its way to a bucket of another account: those in AWS and those in the cluster.

The operator of the cluster has the policy of the extent that a run needs, and in the cluster nothing but the RBAC of
``operator_rbac.object_store_rbac``. The tests run in the order of the file over one installation.
"""

from __future__ import annotations

from typing import Any

import pytest
from integration.cluster_operator import ClusterOperator
from integration.installation import CLUSTER_REGION
from integration.playbook import run_playbook
from integration.world import KubeApi, eks_token, operator_rbac, operator_storage_policies
from kubernetes import client
from sandbox.client import Sandbox

NAMESPACE = "thanos"
KINDS = {"StatefulSet": "stateful_set", "Deployment": "deployment", "DaemonSet": "daemon_set"}


class Operator(ClusterOperator):
    """Whoever gives Thanos its bucket."""

    name, number, playbook = "thanosrights", 48, "thanos_object_store"
    group = "kubestrap-object-store-operator"

    def prepare(self) -> None:
        self.place.vars[self.cluster] |= {
            "thanos_object_store_bucket": self.place.buckets[0],
            "thanos_object_store_service_accounts": [
                {"name": "thanos-store"},
                {"name": "thanos-compact", "created_by": "kubestrap"},
            ],
            "thanos_object_store_restart": [{"name": f"thanos-{kind.lower()}", "kind": kind} for kind in KINDS],
        }
        self.install_thanos()

    def rbac(self) -> list[dict[str, Any]]:
        return operator_rbac.object_store_rbac()

    def install_thanos(self) -> None:
        """A workload of each kind. The account of one of them is yet to be made, so that it has no pods before."""
        place, apps = self.place, client.AppsV1Api(self.place.kube())
        place.core().create_namespaced_service_account(NAMESPACE, {"metadata": {"name": "thanos-store"}})
        for kind, method in KINDS.items():
            labels = {"app": kind.lower(), "opens": "bucket"}
            account = "thanos-compact" if kind == "Deployment" else "thanos-store"
            pod = {"serviceAccountName": account, "containers": [{"name": "thanos", "image": "thanos"}]}
            spec: dict[str, Any] = {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            }
            if kind == "StatefulSet":
                spec["serviceName"] = "thanos"
            body = {"metadata": {"name": f"thanos-{kind.lower()}"}, "spec": spec}
            getattr(apps, f"create_namespaced_{method}")(NAMESPACE, body)

    def parameters(self) -> dict[str, str]:
        """What the policy takes, with the names of the role's defaults."""
        return {
            "identity_method": "irsa",
            "region": CLUSTER_REGION,
            "cluster_name": self.cluster,
            "role_name": f"thanos-{self.cluster}",
        }

    def policy(self, extent: str, may_ask: bool = False) -> list[dict[str, Any]]:
        """The bucket is another account's, where this operator explains and sweeps away nothing."""
        return operator_storage_policies.object_storage_workload_operator(
            partition="aws",
            account_id=self.place.cluster_account,
            extent=extent,
            operator_arn=self.arn if may_ask else None,
            **self.parameters(),
        )


@pytest.fixture(scope="module")
def thanos(sandbox: Sandbox) -> Operator:
    return Operator(sandbox)


def test_the_preflight_names_a_right_that_is_missing(thanos: Operator) -> None:
    options = {
        "profile": thanos.place.vars[thanos.cluster]["kubestrap_aws_profile"],
        "region": CLUSTER_REGION,
        "cluster_name": thanos.cluster,
        "namespace": NAMESPACE,
        "names": [{"option": "role", "kind": "iam_role", "value": f"thanos-{thanos.cluster}"}],
        "quotas": True,
        "rights": {
            "document": "object_storage_workload_operator",
            "parameters": {**thanos.parameters(), "iam_path": "/", "permissions_boundary": "", "user_name": ""},
            "tags": {"managed-by": "kubestrap.aws"},
        },
    }
    task = {"name": "Preflight", "kubestrap.aws.preflight_info": options}
    play = {"name": "Preflight", "hosts": "localhost", "gather_facts": False, "tasks": [task]}
    policy = thanos.policy("run", may_ask=True)
    thanos.give(policy)
    good = run_playbook([play], thanos.sandbox)
    assert good.ok, good.report
    assert good.task("Preflight").result["preflight"]["notes"] == []
    thanos.runs["check"] = [good]

    left = [{**each, "Action": [a for a in each["Action"] if a != "iam:PutRolePolicy"]} for each in policy]
    thanos.give(left)
    bad = run_playbook([play], thanos.sandbox)
    assert not bad.ok
    said = bad.task("Preflight").result["msg"]
    role = f"arn:aws:iam::{thanos.place.cluster_account}:role/thanos-{thanos.cluster}"
    assert f"lacks rights that this run needs: iam:PutRolePolicy on {role} (no policy allows it)." in said
    assert "'object_storage_workload_operator'" in said
    assert bad.writes == []


def test_check_mode_passes_with_reading_alone(thanos: Operator) -> None:
    run = thanos.run("check", check=True)
    assert (run.writes, run.kube_writes) == ([], [])


def test_the_runs_pass(thanos: Operator) -> None:
    first = thanos.run("run")
    assert first.outcome(thanos.cluster)["state"] == "done", first.outcome(thanos.cluster)
    # The Secret is changed too, and the pods of each kind, which are looked at now, are started anew once more.
    thanos.place.vars[thanos.cluster] |= {
        "thanos_object_store_settings": {"part_size": 134217728},
        "thanos_object_store_pod_selectors": ["opens=bucket"],
    }
    changed = thanos.run("run")
    anew = [change for change in changed.changes[thanos.cluster] if change.startswith("start the pods anew")]
    assert len(anew) == len(KINDS)


def test_the_operator_reaches_nothing_else_in_the_cluster(thanos: Operator) -> None:
    state = thanos.sandbox.state["clusters"][thanos.cluster]
    api = KubeApi(state["endpoint"], eks_token(thanos.place.cluster_aws(), thanos.cluster), state["ca_file"])

    def may(verb: str, resource: str, namespace: str) -> bool:
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        body["spec"] = {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": namespace}}
        answer = api.post("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews", body=body)
        return answer["status"]["allowed"]

    assert may("get", "secrets", NAMESPACE)
    for verb, resource, namespace in (
        ("get", "secrets", "default"),
        ("create", "namespaces", ""),
        ("create", "pods", NAMESPACE),
        ("update", "secrets", NAMESPACE),
    ):
        assert not may(verb, resource, namespace), (verb, resource, namespace)


def test_the_teardown_passes_and_leaves_nothing(thanos: Operator) -> None:
    gone = {"thanos_object_store_state": "absent", "workload_storage_state": "absent"}
    thanos.run("teardown", check=True, extra_vars=gone)
    thanos.run("teardown", extra_vars=gone)
    core = thanos.place.core()
    names = [each.metadata.name for each in core.list_namespaced_service_account(NAMESPACE).items]
    assert "thanos-store" in names and "thanos-compact" not in names
    assert core.list_namespaced_secret(NAMESPACE).items == []


def test_every_right_in_the_account_is_needed(thanos: Operator) -> None:
    thanos.assert_all_needed_in_the_account()


def test_every_right_in_the_cluster_is_needed(thanos: Operator) -> None:
    thanos.assert_all_needed_in_the_cluster()
