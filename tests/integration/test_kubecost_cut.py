# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that ends anywhere is completed by the next one, and AWS' bad moments are none of the user's business."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from integration.installation import Installation, Run
from kubernetes import client
from sandbox.client import Sandbox

PAYER, CLUSTER = "cut-payer", "cut"
# Killed at every STEPth change that a run makes, until one comes to its end.
STEP = 4
# The Secret and the release are among the changes, and no calls of AWS.
IN_KUBERNETES = 2


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Iterator[Installation]:
    """Two empty accounts and an empty cluster."""
    yield Installation(sandbox, "cut", number=6)
    sandbox.faults()


@pytest.fixture(scope="module")
def killed(place: Installation) -> list[Run]:
    """Runs that were killed, each one later than the one before, until one change is left or none.

    The connection of the call is cut in the same moment: with even numbers before AWS did the work, with odd numbers
    after it, so that the answer is lost.
    """
    predicted = place.run("kubecost", check=True)
    assert predicted.ok, predicted.report
    changes = len(predicted.changes[PAYER] + predicted.changes[CLUSTER]) - IN_KUBERNETES
    runs: list[Run] = []
    for number in range(changes // STEP):
        rule = {"kind": "write", "after": STEP - 1, "cut": True if number % 2 == 0 else "after"}
        place.sandbox.faults([rule])
        runs.append(place.run("kubecost", kill_when=lambda: place.sandbox.control("faults")["rules"][0]["hit"] > 0))
        place.sandbox.faults()
    return runs


@pytest.fixture(scope="module")
def interrupted(place: Installation, killed: list[Run]) -> Run:
    """A run that was killed while Helm waits for the pods."""
    core, apps = place.core(), client.AppsV1Api(place.kube())

    def helm_waits() -> bool:
        # Helm records the release before it makes its objects.
        selector = "owner=helm,status=pending-install"
        pending = core.list_namespaced_secret("kubecost", label_selector=selector).items
        return bool(pending and apps.list_namespaced_deployment("kubecost").items)

    return place.run("kubecost", kill_when=helm_waits)


@pytest.fixture(scope="module")
def waiting(place: Installation, interrupted: Run) -> Run:
    """A run at once after it: for all that it can see, the other one may still be at work."""
    return place.run("kubecost")


@pytest.fixture(scope="module")
def half(place: Installation, waiting: Run) -> Run:
    """What check mode says of what is half made, when no run of Helm can be at work any more."""
    long_ago = {"metadata": {"labels": {"createdAt": str(int(time.time()) - 601)}}}
    place.core().patch_namespaced_secret("sh.helm.release.v1.kubecost.v1", "kubecost", long_ago)
    iam = place.payer_aws().client("iam")
    iam.delete_role_policy(RoleName="kubecost-cur-access", PolicyName="billing-data-reader")
    place.payer_aws().client("athena").delete_work_group(WorkGroup="kubecost")
    return place.run("kubecost", check=True)


@pytest.fixture(scope="module")
def completed(place: Installation, half: Run) -> Run:
    """The run after it, with AWS in a bad mood: throttling, a server error, a lost answer."""
    place.sandbox.faults(
        [
            {"service": "iam", "throttle": True, "after": 1, "times": 1},
            {"service": "s3", "status": 503, "after": 3, "times": 1},
            {"service": "glue", "throttle": True, "times": 1},
            {"service": "cur", "status": 500, "times": 1},
            {"service": "eks", "cut": True, "times": 1},
            {"service": "athena", "operation": "GetWorkGroup", "cut": "after", "times": 1},
        ]
    )
    run = place.run("kubecost")
    hits = [rule["hit"] for rule in place.sandbox.control("faults")["rules"]]
    place.sandbox.faults()
    assert hits == [1] * len(hits), "AWS was not asked as often as that"
    return run


def test_the_runs_were_killed_in_the_middle(killed: list[Run]) -> None:
    assert len(killed) >= 3
    for run in killed:
        assert run.rc < 0
        assert len([call for call in run.calls if call["kind"] == "write" and call["status"]]) == STEP - 1
        assert run.count(kind="write", error_code="ConnectionCut") >= 1


def test_a_run_was_killed_during_the_install(interrupted: Run) -> None:
    assert interrupted.rc < 0
    assert "create deployments" in " ".join(interrupted.kube_writes)
    assert interrupted.count(kind="query") == 0


def test_a_run_of_helm_that_may_be_at_work_is_not_disturbed(waiting: Run) -> None:
    assert waiting.rc == 2
    assert "kubecost_release_name: 'kubecost' is pending-install (revision 1) since 20" in waiting.report
    assert (waiting.writes, waiting.kube_writes) == ([], [])


def test_the_next_run_completes_them(place: Installation, completed: Run) -> None:
    assert completed.ok, completed.report
    assert [completed.outcome(host)["state"] for host in (PAYER, CLUSTER)] == ["pending", "pending"]
    assert completed.links(CLUSTER) == {**dict.fromkeys(completed.links(CLUSTER), "ok"), "query": "pending"}


def test_check_mode_predicts_how_what_is_half_made_is_completed(half: Run, completed: Run) -> None:
    assert (half.writes, half.kube_writes) == ([], [])
    assert len(half.changes[PAYER]) >= 2
    assert half.changes == completed.changes
    assert half.changed_steps == completed.changed_steps


def test_what_aws_refuses_for_a_moment_is_asked_again(completed: Run) -> None:
    refused = Counter(call["service"] for call in completed.calls if call["status"] >= 500 or call["status"] == 0)
    assert {"s3", "cur", "eks"} <= set(refused)
    assert completed.count(service="iam", error_code="Throttling") == 1
    assert completed.count(service="glue", error_code="ThrottlingException") == 1


def test_there_is_one_of_each(place: Installation, killed: list[Run], completed: Run) -> None:
    """Nothing twice, and nothing that an unfinished run left behind."""
    payer, cluster = place.payer_aws(), place.cluster_aws()
    reports = payer.client("cur", "us-east-1").describe_report_definitions()["ReportDefinitions"]
    assert [report["ReportName"] for report in reports] == ["kubecost"]
    buckets = [bucket["Name"] for bucket in payer.client("s3").list_buckets()["Buckets"]]
    assert sorted(buckets) == [f"kubestrap-{kind}-{place.account(PAYER)}-us-east-1" for kind in ("athena", "cur")]
    assert {role["RoleName"] for role in payer.client("iam").list_roles()["Roles"]} == {
        "operator",
        "kubecost-cur-access",
    }
    iam = cluster.client("iam")
    roles = {role["RoleName"] for role in iam.list_roles()["Roles"]}
    assert roles == {"operator", "eks-cluster", "kubecost-cut"}
    assert iam.list_role_policies(RoleName="kubecost-cut")["PolicyNames"] == ["billing-data"]
    assert len(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1
    workgroups = payer.client("athena").list_work_groups()["WorkGroups"]
    assert sorted(group["Name"] for group in workgroups) == ["kubecost", "primary"]
    tables = payer.client("glue").get_tables(DatabaseName="athenacurcfn_kubecost")["TableList"]
    assert [table["Name"] for table in tables] == ["kubecost"]
    trust = payer.client("iam").get_role(RoleName="kubecost-cur-access")["Role"]["AssumeRolePolicyDocument"]
    assert len(trust["Statement"]) == 1
    releases = place.core().list_namespaced_secret("kubecost", label_selector="owner=helm").items
    assert [release.metadata.labels["status"] for release in releases] == ["deployed"]


def test_everything_is_marked_as_made_by_the_collection(place: Installation, completed: Run) -> None:
    """Also what was made by a run that was killed: else the teardown would keep it."""
    mark = {"Key": "managed-by", "Value": "kubestrap.aws"}
    payer, cluster = place.payer_aws(), place.cluster_aws()
    assert mark in payer.client("iam").list_role_tags(RoleName="kubecost-cur-access")["Tags"]
    assert mark in cluster.client("iam").list_role_tags(RoleName="kubecost-cut")["Tags"]
    for kind in ("athena", "cur"):
        bucket = f"kubestrap-{kind}-{place.account(PAYER)}-us-east-1"
        assert mark in payer.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]
    tags = payer.client("cur", "us-east-1").list_tags_for_resource(ReportName="kubecost")["Tags"]
    assert mark in tags


def test_nothing_is_left_to_do(place: Installation, completed: Run) -> None:
    run = place.run("kubecost", check=True)
    assert run.ok, run.report
    assert run.changes == {PAYER: [], CLUSTER: []}
