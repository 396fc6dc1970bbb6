# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the environment can have wrong: no credentials, no region, no way to the API server. Never a write.

Bad input of each kind is in modules/preflight_info.yml.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from integration.playbook import Result, run_playbook
from integration.world import CLUSTER, PAYER, World, text
from sandbox.client import Sandbox


def preflight(sandbox: Sandbox, who: str | None, environment: dict[str, str] | None = None, **options: Any) -> Result:
    """Run the module by a playbook."""
    tasks = [{"name": "Preflight", "kubestrap.aws.preflight_info": options}]
    plays = [{"name": "Preflight", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    result = run_playbook(plays, sandbox, who, environment=environment)
    assert result.tasks, result.report
    assert not result.writes
    return result


def problems(result: Result) -> list[str]:
    """What was found; the message has all of it."""
    assert not result.ok, "it was accepted"
    said = result.task("Preflight").result
    assert all(problem in said["msg"] for problem in said["preflight"]["problems"])
    return said["preflight"]["problems"]


NOWHERE = {"AWS_CONFIG_FILE": os.devnull}


def test_no_credentials(gateway_sandbox: Sandbox) -> None:
    options = {"region": "us-east-1", "expected_account_id": PAYER}
    (problem,) = problems(preflight(gateway_sandbox, None, NOWHERE, **options))
    assert problem.startswith("The AWS credentials of this host do not work. No AWS credentials were found. Set")
    assert "kubestrap_aws_profile" in problem


def test_neither_region_nor_credentials(gateway_sandbox: Sandbox) -> None:
    region, credentials = problems(preflight(gateway_sandbox, None, NOWHERE))
    assert region.startswith("kubestrap_aws_region: no region is set for this host. Write the name of a region")
    assert "No AWS credentials were found" in credentials


def test_an_unknown_profile_is_not_taken_for_a_missing_region(gateway_sandbox: Sandbox) -> None:
    _region, credentials = problems(preflight(gateway_sandbox, None, profile="tpyo"))
    assert "The profile is not in the AWS configuration of the controller. Correct 'profile'" in credentials
    assert "tpyo" in credentials


def test_keys_that_aws_does_not_know(gateway_sandbox: Sandbox) -> None:
    keys = {"access_key": "ASIAIOSFODNN7EXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
    (problem,) = problems(preflight(gateway_sandbox, "payer", region="us-east-1", profile="", **keys))
    assert problem.startswith("The AWS credentials of this host do not work. AWS does not know these credentials")


def test_a_good_host_costs_one_call_for_itself_and_one_for_each_bucket(gateway_sandbox: Sandbox) -> None:
    buckets = [{"option": f"{use}_bucket", "name": f"preflight-{use}"} for use in ("report", "results")]
    names = [{"option": "role", "kind": "iam_role", "value": "kubecost"}]
    result = preflight(gateway_sandbox, "payer", region="us-east-1", buckets=buckets, names=names)
    assert result.ok, result.report
    calls = sorted(call["operation"] for call in result.calls if call["kind"] != "session")
    assert calls == ["GetCallerIdentity", "HeadBucket", "HeadBucket"]


@pytest.fixture(scope="module")
def remote_cluster(gateway_sandbox: Sandbox) -> str:
    """A cluster whose API server is nowhere: its name cannot be resolved."""
    world = World(gateway_sandbox, "preflight-world")
    trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "eks.amazonaws.com"}}
    role = world.cluster.client("iam").create_role(RoleName=world.name, AssumeRolePolicyDocument=text([trusted]))
    made = world.cluster.client("eks").create_cluster(
        name=world.name, roleArn=role["Role"]["Arn"], resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]}
    )
    known = {"account_id": CLUSTER, "region": "eu-west-1", "name": world.name, "endpoint": "https://nowhere.invalid"}
    known["issuer"] = made["cluster"]["identity"]["oidc"]["issuer"]
    known["ca_data"] = base64.b64encode(Path(gateway_sandbox.state["ca_bundle"]).read_bytes()).decode()
    gateway_sandbox.control("cluster-endpoints", known)
    return world.name


def test_an_api_server_that_does_not_answer(gateway_sandbox: Sandbox, remote_cluster: str) -> None:
    options = {"region": "eu-west-1", "cluster_name": remote_cluster, "expected_account_id": CLUSTER}
    (problem,) = problems(preflight(gateway_sandbox, "cluster", **options))
    assert problem.startswith("kubestrap_eks_cluster_name: The API server https://")
    assert " does not answer: " in problem
    assert "Check that the controller may reach it: a private endpoint answers within its VPC only" in problem

    result = preflight(gateway_sandbox, "cluster", **options, cluster_access=False)
    assert result.ok, result.report
    assert json.dumps(result.task("Preflight").result["preflight"]["cluster"]).count(remote_cluster) == 2
