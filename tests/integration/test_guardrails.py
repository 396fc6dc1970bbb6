# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organisations that demand tags, a path and a permissions boundary, and an AWS that is slow, busy or cut off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from integration.playbook import Result, run_playbook
from sandbox.client import Sandbox

ACCOUNT = "222222222222"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/kubestrap-guard"
TRUST = {
    "Sid": "Account",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "sts:AssumeRole",
}
ROLE = {"name": "kubestrap-guarded", "trust_statements": [TRUST], "account_id": ACCOUNT}
BUCKET = {"name": "kubestrap-guarded", "region": "eu-west-1", "account_id": ACCOUNT}
PROVIDER = {
    "url": "https://oidc.eks.eu-west-1.amazonaws.com/id/00000000000000000000000000000004",
    "account_id": ACCOUNT,
}
MAKERS = {"s3_storage_bucket": BUCKET, "iam_workload_role": ROLE, "iam_oidc_provider": PROVIDER}

PLAY = {"name": "Test", "hosts": "localhost", "gather_facts": False}

Run = Callable[..., Result]


@pytest.fixture
def run(gateway_sandbox: Sandbox) -> Iterator[Run]:
    """Run one task of ours, or several, as operator of the cluster account; then all guards and things go."""

    used = set()

    def run_task(do: str | list[dict[str, Any]], kill_when: Callable[[], bool] | None = None, **options: Any) -> Result:
        tasks = do if isinstance(do, list) else [{"name": "Do", f"kubestrap.aws.{do}": options}]
        used.update(key.rpartition(".")[2] for task in tasks for key in task)
        return run_playbook([{**PLAY, "tasks": tasks}], gateway_sandbox, "cluster", kill_when=kill_when)

    yield run_task
    gateway_sandbox.faults()
    gateway_sandbox.settings({"organization_required_tags": [], "organization_policies": []})
    identities = {
        module: {key: value for key, value in options.items() if key != "trust_statements"}
        for module, options in MAKERS.items()
        if module in used
    }
    tasks = [
        {"name": f"Clean up {module}", f"kubestrap.aws.{module}": {**identity, "state": "absent"}}
        for module, identity in identities.items()
    ]
    cleaned = run_playbook([{**PLAY, "tasks": tasks}], gateway_sandbox, "cluster")
    assert cleaned.ok, cleaned.report


@pytest.mark.parametrize("module", MAKERS)
@pytest.mark.parametrize("option", ["tags", "ownership_tags"])
def test_tags_are_in_the_create_call(module: str, option: str, run: Run, gateway_sandbox: Sandbox) -> None:
    gateway_sandbox.settings({"organization_required_tags": ["team"]})

    def step(name: str, **options: Any) -> dict[str, Any]:
        return {"name": name, f"kubestrap.aws.{module}": {**MAKERS[module], **options}}

    tags = {option: {"team": "platform"}}
    tasks = [{**step("Without"), "ignore_errors": True}, step("With tags", **tags), step("Again", **tags)]
    result = run(tasks)

    assert result.ok, result.report
    assert result.task("Without").failed
    assert "AccessDenied" in result.task("Without").result["msg"]
    assert result.task("With tags").changed
    assert not result.task("Again").changed


def test_path_and_boundary_are_in_the_create_call(run: Run, gateway_sandbox: Sandbox) -> None:
    boundary = {
        "name": "kubestrap-guard",
        "policy": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
    }
    task = {"name": "Make the boundary", "amazon.aws.iam_managed_policy": boundary}
    assert run_playbook([{**PLAY, "tasks": [task]}], gateway_sandbox, "cluster").ok
    deny = {"Effect": "Deny", "Action": "iam:CreateRole"}
    guard = [
        {**deny, "Resource": "*", "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY}}},
        {**deny, "NotResource": f"arn:aws:iam::{ACCOUNT}:role/kubestrap/*"},
    ]
    gateway_sandbox.settings({"organization_policies": [{"Version": "2012-10-17", "Statement": guard}]})

    path, bounded = {"path": "/kubestrap/"}, {"permissions_boundary": BOUNDARY}
    cases = {"neither": {}, "path only": path, "boundary only": bounded, "both": {**path, **bounded}}
    result = run(
        [
            {"name": name, "kubestrap.aws.iam_workload_role": {**ROLE, **options}, "ignore_errors": True}
            for name, options in cases.items()
        ]
    )

    assert {name: result.task(name).failed for name in cases} == {
        "neither": True,
        "path only": True,
        "boundary only": True,
        "both": False,
    }
    role = result.task("both").result["iam_workload_role"]
    assert role["arn"] == f"arn:aws:iam::{ACCOUNT}:role/kubestrap/kubestrap-guarded"
    assert role["permissions_boundary"] == BOUNDARY


def test_a_boundary_bounds(run: Run, gateway_sandbox: Sandbox) -> None:
    """A role whose boundary allows nothing of what its policy allows can do nothing."""
    narrow = {
        "name": "kubestrap-guard-narrow",
        "policy": {"Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]},
    }
    everything = {"all": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    as_role = {
        "name": "Take the role",
        "amazon.aws.sts_assume_role": {
            "role_arn": f"arn:aws:iam::{ACCOUNT}:role/{ROLE['name']}",
            "role_session_name": "test",
        },
        "register": "taken",
    }
    keys = {
        "access_key": "{{ taken.sts_creds.access_key }}",
        "secret_key": "{{ taken.sts_creds.secret_key }}",
        "session_token": "{{ taken.sts_creds.session_token }}",
        "profile": "",
    }
    look = {"name": "Look", "amazon.aws.iam_role_info": {"name": ROLE["name"], **keys}}
    managed = {"name": "Boundary", "amazon.aws.iam_managed_policy": narrow}

    def attempt(boundary: str) -> Result:
        make = {
            "kubestrap.aws.iam_workload_role": {**ROLE, "inline_policies": everything, "permissions_boundary": boundary}
        }
        tasks = [managed, {"name": "Role", **make}, as_role, look]
        return run(tasks)

    bound, free = attempt(f"{BOUNDARY}-narrow"), attempt("")

    assert bound.task("Look").failed, bound.report
    assert "AccessDenied" in str(bound.task("Look").result)
    assert free.ok, free.report


def test_a_principal_that_is_not_there_yet_is_waited_for(run: Run, gateway_sandbox: Sandbox) -> None:
    """IAM refuses a trust whose principal it does not know yet; nothing else of that error is retried."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/kubestrap-later"
    waiting = {**TRUST, "Principal": {"AWS": arn}}
    results: list[Result] = []
    mark = gateway_sandbox.mark()
    thread = threading.Thread(
        target=lambda: results.append(run("iam_workload_role", **{**ROLE, "trust_statements": [waiting]}))
    )
    thread.start()
    try:
        until(lambda: any(c["error_code"] == "MalformedPolicyDocument" for c in gateway_sandbox.calls(since=mark)))
        made = run("iam_workload_role", **{**ROLE, "name": "kubestrap-later"})
    finally:
        thread.join()
    gone = run("iam_workload_role", name="kubestrap-later", state="absent")

    assert made.ok, made.report
    assert results[0].ok, results[0].report
    assert gone.ok, gone.report


def test_a_wrong_document_is_not_retried(run: Run) -> None:
    wrong = {**TRUST, "Action": "no-such-action"}

    result = run("iam_workload_role", **{**ROLE, "trust_statements": [wrong]})

    assert not result.ok
    assert "MalformedPolicyDocument" in result.task("Do").result["msg"]
    assert result.count(operation="CreateRole") == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"throttle": True, "times": 2},
        {"status": 503, "times": 2},
        {"cut": True, "times": 1},
    ],
    ids=["throttled", "unavailable", "cut"],
)
def test_a_busy_service_is_asked_again(fault: dict[str, Any], run: Run, gateway_sandbox: Sandbox) -> None:
    gateway_sandbox.faults([{"service": "s3", "operation": "GetBucketPolicy", **fault}])

    result = run("s3_storage_bucket", **BUCKET)

    assert result.ok, result.report
    assert faults_met(gateway_sandbox) == fault["times"]


def test_a_bucket_whose_answer_was_lost_is_made_once(run: Run, gateway_sandbox: Sandbox) -> None:
    """The SDK repeats CreateBucket, and S3 says that we own the bucket already."""
    gateway_sandbox.faults([{"service": "s3", "operation": "CreateBucket", "cut": "after", "times": 1}])

    result = run("s3_storage_bucket", **BUCKET)

    assert result.ok, result.report
    assert result.count(operation="CreateBucket") == 2
    assert result.count(operation="CreateBucket", error_code="BucketAlreadyOwnedByYou") == 1
    assert run("s3_storage_bucket", **BUCKET).changed == []


@pytest.mark.parametrize(("operation", "after"), [("CreateRole", 0), ("PutRolePolicy", 0), ("PutRolePolicy", 2)])
def test_a_killed_run_is_completed_by_the_next(operation: str, after: int, run: Run, gateway_sandbox: Sandbox) -> None:
    document = [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]
    options = {**ROLE, "inline_policies": dict.fromkeys("abc", document)}
    # The call hangs, and is never served; meanwhile the run is killed.
    hang = {"service": "iam", "operation": operation, "after": after, "times": 1, "latency_ms": 20_000, "cut": True}
    gateway_sandbox.faults([hang])

    killed = run("iam_workload_role", **options, kill_when=lambda: faults_met(gateway_sandbox) == 1)
    gateway_sandbox.faults()
    step = {"kubestrap.aws.iam_workload_role": options}
    completed = run([{"name": "Do", **step}, {"name": "Again", **step}])

    assert killed.rc == -9
    assert completed.ok, completed.report
    done = 0 if operation == "CreateRole" else 1 + after
    assert len(completed.task("Do").result["changes"]) == 4 - done
    assert sorted(completed.task("Do").result["iam_workload_role"]["inline_policies"]) == ["a", "b", "c"]
    assert not completed.task("Again").changed


def faults_met(sandbox: Sandbox) -> int:
    """How many calls have met the faults that are set."""
    return sum(rule["hit"] for rule in sandbox.control("faults")["rules"])


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)
