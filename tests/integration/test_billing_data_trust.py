# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that write one trust at the same time: nobody's statement is lost, though IAM replaces it as a whole."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from integration.playbook import Result, run_playbook
from integration.world import ATHENA_REGION, PAYER, operator, text, trust
from sandbox.client import Sandbox

ROLE = "kubecost-shared-trust"
HERE, THERE, OTHER = (
    trust.workload_role_trust(role_arns=[f"arn:aws:iam::222222222222:role/kubecost-{name}"])[0]
    for name in ("here", "there", "other")
)


@pytest.fixture
def iam(gateway_sandbox: Sandbox) -> Any:
    """IAM of the payer, with a role that lets one reader in."""
    client = operator(gateway_sandbox, PAYER, ATHENA_REGION).client("iam")
    client.create_role(RoleName=ROLE, AssumeRolePolicyDocument=text([HERE]))
    yield client
    client.delete_role(RoleName=ROLE)


def sids(iam: Any) -> set[str]:
    """Of the statements in the trust."""
    return {s["Sid"] for s in iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]["Statement"]}


def add(sandbox: Sandbox, **readers: dict[str, Any]) -> Result:
    """A run for each, all at the same time. Host -> the statement that it adds."""
    task = {
        "name": "Add a reader",
        "kubestrap.aws.iam_workload_role": {
            "name": ROLE,
            "region": ATHENA_REGION,
            "trust_statements": ["{{ reader }}"],
        },
    }
    hosts = {host: {"reader": statement} for host, statement in readers.items()}
    play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
    return run_playbook([play], sandbox, profile="payer", inventory={"all": {"hosts": hosts}})


def test_what_another_run_overwrites_is_put_back(gateway_sandbox: Sandbox, iam: Any) -> None:
    mark = gateway_sandbox.mark()

    def overwrite() -> None:
        deadline = time.monotonic() + 120
        while not gateway_sandbox.count(gateway_sandbox.calls(since=mark), operation="UpdateAssumeRolePolicy"):
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)
        # It had read the trust before ours was written.
        iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=text([HERE, OTHER]))

    other = threading.Thread(target=overwrite)
    other.start()
    run = add(gateway_sandbox, ours=THERE)
    other.join()

    assert run.ok, run.report
    assert sids(iam) == {HERE["Sid"], OTHER["Sid"], THERE["Sid"]}
    update = f"update the trust policy of the role {ROLE}"
    assert run.task("Add a reader").result["changes"] == [update, f"{update} again: another run had overwritten it"]


def test_two_runs_at_once(gateway_sandbox: Sandbox, iam: Any) -> None:
    run = add(gateway_sandbox, one=THERE, two=OTHER)

    assert run.ok, run.report
    assert sids(iam) == {HERE["Sid"], OTHER["Sid"], THERE["Sid"]}
