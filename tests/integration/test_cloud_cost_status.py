# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for Kubecost to read billing data: what is shown meanwhile, how it ends, and the same within a run.

The tests run in the order of the file, over one installation. The status page follows from what is there: the Secret
that the pods mount, the role in their environment, the payer's trust, the rows that AWS delivered.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from integration.installation import Installation, Run
from integration.playbook import Result, run_playbook
from sandbox.client import Sandbox

PAYER, CLUSTER = "status-payer", "status"
WAIT = "kubestrap.aws.kubecost : Wait until Kubecost reads the billing data"


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Installation:
    """A payer and a cluster whose runs ask Kubecost."""
    made = Installation(sandbox, "status", number=17)
    made.vars[CLUSTER] |= {"kubecost_wait_for_status": True, "kubecost_status_timeout": 60}
    return made


def wait(place: Installation, *tasks: dict[str, Any]) -> Result:
    """Tasks with the module, over the cluster's kubeconfig; each is its options, ``_`` has keywords of the task."""
    kubeconfig = place.sandbox.state["clusters"][CLUSTER]["admin_kubeconfig"]
    made = [
        {
            "name": f"Wait {number}",
            "kubestrap.aws.cloud_cost_status_info": {
                "kubeconfig": kubeconfig,
                **{name: value for name, value in options.items() if name != "_"},
            },
            **options.get("_", {}),
        }
        for number, options in enumerate(tasks)
    ]
    plays = [{"name": "Wait", "hosts": "localhost", "gather_facts": False, "tasks": made}]
    return run_playbook(plays, place.sandbox, "payer")


def seen(result: Result, number: int) -> dict[str, Any]:
    """What a task of ``wait`` saw."""
    return result.task(f"Wait {number}").result["cloud_cost"]


def ingestion(run: Run) -> list[str]:
    """The row of the summary."""
    return [row for row in run.outcome(CLUSTER)["proof"] if row[0] == "ingestion"][0]


def key(place: Installation) -> str:
    """The integration, as Kubecost names it."""
    return f"{place.account(PAYER)}/s3://kubestrap-athena-{place.account(PAYER)}-us-east-1/kubecost"


def test_check_mode_from_nothing_waits_for_nothing(place: Installation) -> None:
    run = place.run(check=True)
    assert run.ok, run.report
    assert run.outcome(CLUSTER)["state"] == "pending"
    assert ingestion(run)[1] == "pending", "the pods may be what the run starts"
    assert ingestion(run)[2].startswith("there is no pod (namespace kubecost, ")
    assert "ingestion of billing data" not in run.stderr


def test_a_run_before_the_delivery_says_that_there_is_nothing_to_mend(place: Installation) -> None:
    begun = {"data": [{"key": key(place), "active": True, "valid": True, "connectionStatus": "No Connection"}]}
    place.sandbox.cloud_cost(CLUSTER, answers=[begun, {"derive": True}])

    run = place.run()

    assert run.ok, run.report
    assert run.outcome(CLUSTER)["state"] == "pending"
    assert ingestion(run) == ["ingestion", "pending", "Data Missing"]
    assert f"Ingestion of {key(place)}: Data Missing. AWS has not delivered the report" in run.notes(CLUSTER)
    assert "nothing is to be mended" in run.notes(CLUSTER)
    assert "status: ingestion of billing data is starting (No Connection), " in run.stderr
    assert " s of at most 60 s" in run.stderr


def test_a_run_after_the_delivery_is_done_when_kubecost_reads(place: Installation) -> None:
    place.deliver()
    run = place.run()
    assert run.ok, run.report
    assert run.outcome(CLUSTER)["state"] == "done", run.outcome(CLUSTER)
    assert ingestion(run)[:2] == ["ingestion", "ok"]
    assert ingestion(run)[2].startswith("Connection Successful")
    assert "Ingestion" not in run.notes(CLUSTER)


def test_a_verification_looks_once_and_names_what_kubecost_is_denied(place: Installation) -> None:
    iam = place.payer_aws().client("iam")
    [policy] = iam.list_role_policies(RoleName="kubecost-cur-access")["PolicyNames"]
    kept = iam.get_role_policy(RoleName="kubecost-cur-access", PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName="kubecost-cur-access", PolicyName=policy)
    asked = place.sandbox.cloud_cost(CLUSTER)["asked"]
    try:
        run = place.run("verify")
    finally:
        iam.put_role_policy(RoleName="kubecost-cur-access", PolicyName=policy, PolicyDocument=json.dumps(kept))
    assert run.rc != 0
    status = run.task(WAIT).result["cloud_cost"]
    assert (status["finding"], status["state"]) == ("denied", "failed")
    assert place.sandbox.cloud_cost(CLUSTER)["asked"] == asked + 1
    assert "athena:StartQueryExecution is not allowed" in status["cause"]
    assert run.links(CLUSTER)["ingestion"] == "failed"
    assert "Add athena:StartQueryExecution to the policy of the role" in run.notes(CLUSTER)


def test_it_ends_with_a_state_when_the_time_is_up_and_is_silent_under_no_log(place: Installation) -> None:
    begun = {"data": [{"key": key(place), "active": True, "valid": True, "connectionStatus": "No Connection"}]}
    done = {"data": [{"key": key(place), "active": True, "valid": True, "connectionStatus": "Connection Successful"}]}
    place.sandbox.cloud_cost(CLUSTER, answers=[begun, begun, done], lines=[])
    hidden, elsewhere = {"_": {"no_log": True}}, {"namespace": "elsewhere", "wait": False}
    result = wait(place, {"wait_timeout": 1}, hidden, elsewhere)
    assert result.ok, result.report
    assert (seen(result, 0)["state"], seen(result, 0)["finding"]) == ("pending", "starting")
    assert "ingestion of billing data" not in result.stderr
    assert "cloud_cost" not in result.task("Wait 1").result
    assert place.sandbox.cloud_cost(CLUSTER)["asked"] == 3, "the hidden task waited for the third answer"
    assert seen(result, 2)["finding"] == "not_running"
