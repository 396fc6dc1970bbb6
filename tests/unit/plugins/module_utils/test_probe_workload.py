# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links in the cluster, each with what can be wrong with it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_workload as workload
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_links import Link, in_check_mode

ROLE = "arn:aws:iam::222222222222:role/kubecost"
NAME = "kubecost:kubecost"
DOCUMENT = {"aws": {"athena": [{"bucket": "s3://acme-results/kubecost", "account": "111111111111"}]}}


def account(annotations: dict[str, str] | None = None, at: str = "2026-01-02T00:00:00Z") -> dict[str, Any]:
    fields = {"f:metadata": {"f:annotations": {f"f:{key}": {} for key in annotations or {}}}}
    metadata = {"name": "kubecost", "managedFields": [{"time": at, "fieldsV1": fields}]}
    return {"metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}


ANNOTATED = account({workload.ANNOTATION: ROLE})


def pod(name: str = "kubecost-7d9f-x2x", env: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    variables = {"AWS_ROLE_ARN": ROLE} if env is None else env
    return {
        "metadata": {
            "name": name,
            "namespace": "kubecost",
            "creationTimestamp": more.pop("created", "2026-01-03T00:00:00Z"),
            "ownerReferences": [{"kind": "ReplicaSet", "name": "kubecost-cloud-cost-7d9f"}],
            **more.pop("metadata", {}),
        },
        "spec": {
            "serviceAccountName": more.pop("account", "kubecost"),
            "containers": [
                {"name": "main", "env": [{"name": key, "value": value} for key, value in variables.items()]}
            ],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], **more.pop("status", {})},
    }


def secret(document: Any) -> dict[str, Any]:
    return {"data": {"cloud-integration.json": base64.b64encode(json.dumps(document).encode()).decode()}}


# --- ServiceAccount


def test_an_annotated_account() -> None:
    assert workload.service_account_link(ANNOTATED, NAME, ROLE).state == "ok"


def test_an_account_that_does_not_exist() -> None:
    link = workload.service_account_link(None, NAME, ROLE)
    assert (link.state, link.missing) == ("failed", True)


def test_an_account_without_a_role() -> None:
    link = workload.service_account_link(account(), NAME, ROLE)
    assert link.state == "failed"
    assert f"{workload.ANNOTATION}: {ROLE}" in link.change


def test_an_account_with_another_role() -> None:
    link = workload.service_account_link(account({workload.ANNOTATION: f"{ROLE}-old"}), NAME, ROLE)
    assert link.state == "failed"
    assert f"is {ROLE}-old" in link.cause


# --- secret


def test_the_expected_secret() -> None:
    assert workload.secret_link(secret(DOCUMENT), "cloud-integration", "cloud-integration.json", DOCUMENT).state == "ok"


def test_only_the_key_is_asked_for() -> None:
    assert workload.secret_link(secret({}), "cloud-integration", "cloud-integration.json", None).state == "ok"


def test_a_missing_secret() -> None:
    link = workload.secret_link(None, "cloud-integration", "cloud-integration.json", DOCUMENT)
    assert (link.state, link.missing) == ("failed", True)


def test_a_wrong_key_shows_the_keys_there_are() -> None:
    link = workload.secret_link({"data": {"cloud.json": ""}}, "cloud-integration", "cloud-integration.json", DOCUMENT)
    assert link.state == "failed"
    assert "its keys are: cloud.json" in link.cause


def test_a_secret_that_is_not_json() -> None:
    broken = {"data": {"cloud-integration.json": base64.b64encode(b"{").decode()}}
    assert "not JSON" in workload.secret_link(broken, "s", "cloud-integration.json", DOCUMENT).cause


def test_what_who_installs_the_workload_mends_is_marked() -> None:
    links = [
        workload.service_account_link(None, NAME, ROLE),
        workload.service_account_link(account(), NAME, ROLE),
        workload.pods_link([], account(), NAME, ROLE),
    ]
    assert all(link.state == "failed" and link.by_install for link in links)
    assert not workload.secret_link(None, "s", "k", None).by_install


def test_entries_of_others_may_stand_beside_ours() -> None:
    other = {"aws": {"athena": [*DOCUMENT["aws"]["athena"], {"account": "9", "bucket": "s3://b"}]}}
    arguments = (secret(other), "cloud-integration", "cloud-integration.json", DOCUMENT)
    assert workload.secret_link(*arguments, compare="entries").state == "ok"
    assert workload.secret_link(*arguments).state == "failed"


def test_a_difference_is_named_by_place_and_never_by_value() -> None:
    other = {"aws": {"athena": [{"bucket": "s3://acme-results-eu/kubecost", "account": "111111111111", "key": "hush"}]}}
    link = workload.secret_link(secret(other), "cloud-integration", "cloud-integration.json", DOCUMENT)
    assert link.state == "failed"
    assert "aws.athena[0].bucket, aws.athena[0].key" in link.cause
    assert "acme" not in link.cause
    assert "hush" not in str(link.result())


# --- pods


def judge(*pods: dict[str, Any]):
    return workload.pods_link(pods, ANNOTATED, NAME, ROLE)


def test_running_pods_with_the_role() -> None:
    link = judge(pod(), pod("other", account="default", env={}))
    assert link.state == "ok"
    assert link.detail.startswith("1 pod runs as kubecost")


def test_no_pods() -> None:
    assert (judge().state, judge().missing) == ("failed", True)


def test_pods_that_are_over_or_going_do_not_count() -> None:
    done = pod("job", env={}, status={"phase": "Succeeded"})
    going = pod("old", env={}, metadata={"deletionTimestamp": "2026-01-04T00:00:00Z"})
    assert judge(pod(), done, going).state == "ok"
    assert judge(done, going).cause == "none was found"


def test_pods_of_another_service_account() -> None:
    link = judge(pod(account="default"), pod("b", account="kubecost-finopsagent"))
    assert link.state == "failed"
    assert link.cause == "the pods run as: default, kubecost-finopsagent"
    lost = judge(pod(account="default", env={}))
    assert lost.cause.startswith("the pods run as: default, without a role, and call AWS as the node")
    assert "set this one in the values of the chart" in lost.change


def test_a_pod_older_than_the_annotation_needs_a_restart() -> None:
    link = judge(pod(env={}, created="2026-01-01T00:00:00Z"))
    assert link.state == "failed"
    assert "calls AWS as the node (with no credentials at all where the hop limit of its metadata is 1)" in link.detail
    assert "created at 2026-01-01T00:00:00Z, before the ServiceAccount was annotated at 2026-01-02" in link.cause
    assert "kubectl -n kubecost rollout restart deployment/kubecost-cloud-cost" in link.change


def test_a_younger_pod_without_the_role() -> None:
    link = judge(pod(env={}))
    assert link.state == "failed"
    assert "before the webhook" in link.cause
    assert "the webhook could not be reached" in link.cause


def test_a_pod_whose_account_is_not_annotated() -> None:
    link = workload.pods_link([pod(env={})], account({}), NAME, ROLE)
    assert link.cause == f"its ServiceAccount has no annotation {workload.ANNOTATION}"
    assert link.change.startswith(f"Annotate it with {workload.ANNOTATION}: {ROLE}. Restart it: kubectl -n kubecost")
    unseen = workload.pods_link([pod(env={})], None, NAME, ROLE)
    assert "before the webhook" in unseen.cause


def test_a_pod_identity_association_wins_over_the_annotation() -> None:
    link = judge(pod(env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}))
    assert link.state == "failed"
    assert "pod identity association" in link.cause


def test_access_keys_in_the_environment_win_over_the_role() -> None:
    link = judge(pod(env={"AWS_ROLE_ARN": ROLE, "AWS_ACCESS_KEY_ID": "EXAMPLEKEYID00000000"}))
    assert link.state == "failed"
    assert "prefers it" in link.cause
    assert "EXAMPLEKEYID" not in str(link.result())


def test_a_pod_with_the_role_of_before() -> None:
    link = judge(pod(env={"AWS_ROLE_ARN": f"{ROLE}-old"}))
    assert link.state == "failed"
    assert f"{ROLE}-old instead of {ROLE}" in link.detail


def test_containers_that_the_pod_tells_the_webhook_to_skip() -> None:
    both = pod(metadata={"annotations": {"eks.amazonaws.com/skip-containers": "proxy, side"}})
    both["spec"]["containers"].append({"name": "side"})
    assert judge(both).state == "ok"


def test_a_pod_that_is_not_ready_is_pending_with_its_reason() -> None:
    waiting = {"state": {"waiting": {"reason": "ContainerCreating", "message": "secret not found"}}}
    link = judge(pod(status={"phase": "Pending", "conditions": [], "containerStatuses": [waiting]}))
    assert link.state == "pending"
    assert "ContainerCreating secret not found" in link.cause


def test_a_pod_that_cannot_be_scheduled() -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
    assert "0/1 nodes" in judge(pod(status={"phase": "Pending", "conditions": [condition]})).cause


def test_the_owner_of_a_stateful_set_pod() -> None:
    link = judge(pod(env={}, metadata={"ownerReferences": [{"kind": "StatefulSet", "name": "kubecost-aggregator"}]}))
    assert "rollout restart statefulset/kubecost-aggregator" in link.change


# --- release


def revision(version: int, status: str) -> dict[str, Any]:
    return {"metadata": {"labels": {"owner": "helm", "name": "kubecost", "version": str(version), "status": status}}}


def test_the_newest_revision_counts_by_number() -> None:
    link = workload.release_link([revision(9, "failed"), revision(10, "deployed")], "kubecost")
    assert link.state == "ok"
    assert "revision 10" in link.detail


def test_a_release_that_failed() -> None:
    link = workload.release_link([revision(1, "deployed"), revision(2, "failed")], "kubecost")
    assert link.state == "failed"
    assert "Revision 2 of the Helm release kubecost is failed" in link.detail


def test_a_release_that_was_interrupted() -> None:
    link = workload.release_link([revision(1, "pending-upgrade")], "kubecost")
    assert link.state == "failed"
    assert "helm rollback kubecost" in link.change


def test_no_release() -> None:
    link = workload.release_link([], "kubecost")
    assert (link.state, link.missing) == ("failed", True)


# --- in check mode


@pytest.mark.parametrize(
    "link",
    [
        workload.service_account_link(account({workload.ANNOTATION: f"{ROLE}-old"}), NAME, ROLE),
        workload.secret_link(secret({"aws": []}), "cloud-integration", "cloud-integration.json", DOCUMENT),
        workload.pods_link([pod(account="kubecost-cost-analyzer")], ANNOTATED, NAME, ROLE),
        workload.pods_link([pod(env={"AWS_ROLE_ARN": f"{ROLE}-old"})], ANNOTATED, NAME, ROLE),
        workload.pods_link([pod(env={})], account({}), NAME, ROLE),
        workload.pods_link([pod(env={})], None, NAME, ROLE),
        workload.release_link([revision(1, "failed")], "kubecost"),
    ],
)
def test_what_a_run_would_put_right_is_pending(link: Link) -> None:
    assert link.state == "failed"
    assert in_check_mode(link).state == "pending"


def test_what_a_run_would_not_put_right_has_failed() -> None:
    link = workload.pods_link([pod(env={})], ANNOTATED, NAME, ROLE)
    assert in_check_mode(link).state == "failed"
