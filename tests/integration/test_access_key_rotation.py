# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key of a user over the months, with a workload that signs with what was written down for it; and cut connections.

What is done in which state is tested with the pure functions. Here the states come from IAM's own dates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from integration.playbook import Result, run_playbook
from sandbox.client import Sandbox

ACCOUNT, USER = "222222222222", "kubestrap-rotated"
OPTIONS = {
    "user_name": USER,
    "account_id": ACCOUNT,
    "region": "eu-west-1",
    "ownership_tags": {"managed-by": "example"},
    "max_age": 90,
    "inline_policies": {"list": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]},
}
PLAY = {"name": "Test", "hosts": "localhost", "gather_facts": False}


class Workload:
    """It holds the key that was written down for it, as a Kubernetes Secret does."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.key: dict[str, str] = {}

    def run(self, write_down: bool = True, **options: Any) -> dict[str, Any]:
        """A run of the module; what it returned."""
        ran = self.start(**options)
        assert ran.ok, ran.report
        result = ran.task("Do").result
        if write_down and result["new_key"]:
            self.key = {name: result[name] for name in ("access_key_id", "secret_access_key")}
        return result

    def start(self, **options: Any) -> Result:
        """A run of the module with the id of the key that the workload holds."""
        task = {**OPTIONS, "known_access_key_id": self.key.get("access_key_id", ""), **options}
        play = {**PLAY, "tasks": [{"name": "Do", "kubestrap.aws.iam_user_access_key": task}]}
        return run_playbook([play], self.sandbox, "cluster")

    def sign(self, key: dict[str, str] | None = None) -> str:
        """Use a key, the held one unless another one is given: who it is, or the error's code."""
        found = key or self.key
        state = self.sandbox.state
        sts = boto3.client(
            "sts",
            "eu-west-1",
            endpoint_url=state["endpoint_url"],
            verify=state["ca_bundle"],
            aws_access_key_id=found["access_key_id"],
            aws_secret_access_key=found["secret_access_key"],
        )
        try:
            return sts.get_caller_identity()["Arn"]
        except sts.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    def age(self, key: dict[str, str], **hours: float) -> None:
        """Make a key older: `created_hours_ago`, `last_used_hours_ago`."""
        self.sandbox.control("access-keys", {"access_key_id": key["access_key_id"], **hours})


@pytest.fixture
def workload(gateway_sandbox: Sandbox) -> Iterator[Workload]:
    made = Workload(gateway_sandbox)
    yield made
    gateway_sandbox.faults()
    assert made.start(state="absent").ok


def test_a_key_over_the_months(workload: Workload) -> None:
    arn = workload.run()["iam_user_access_key"]["arn"]
    first = dict(workload.key)
    assert workload.sign() == arn
    idle = workload.start()
    assert (idle.changed, idle.writes) == ([], [])
    assert idle.count(service="iam") == 5, "the reads of a run that changes nothing"

    workload.age(first, created_hours_ago=24 * 91)
    replaced = workload.run()
    assert replaced["changes"] == [
        f"make an access key for the user {USER} ({first['access_key_id']} is 91 days old, max_age is 90 days)"
    ]
    second = dict(workload.key)
    assert first != second
    assert workload.sign(first) == workload.sign(second) == arn, "both work until nobody uses the first"

    workload.age(second, created_hours_ago=30)
    assert not workload.run()["changed"], "a pod has used the first a moment ago"
    workload.age(first, last_used_hours_ago=25)
    assert workload.run()["rotation"]["state"] == "old_key_inactive"
    assert workload.sign(first) == "InvalidClientTokenId"
    assert workload.sign() == arn
    assert not workload.run()["changed"], "a day has to pass"
    assert workload.run(settle_hours=0)["rotation"]["state"] == "current"
    assert workload.sign() == arn
    assert not workload.run()["changed"]


def test_a_lost_key_is_made_anew_but_not_at_the_cost_of_those_in_use(workload: Workload) -> None:
    workload.run()
    first, workload.key = workload.key, {}
    workload.run()
    second, workload.key = workload.key, {}
    assert workload.sign(first) == workload.sign(second)

    refused = workload.start()
    assert not refused.ok
    assert refused.writes == []
    assert "the two that there are are in use" in refused.task("Do").result["msg"]

    workload.age(first, last_used_hours_ago=25)
    healed = workload.run()
    assert f"delete the access key {first['access_key_id']}" in healed["changes"][0]
    assert workload.sign() == workload.sign(second) == healed["iam_user_access_key"]["arn"]


@pytest.mark.parametrize("keys", [0, 1])
def test_an_answer_that_was_lost_leaves_no_key_behind(keys: int, workload: Workload) -> None:
    """IAM has made the key and the answer is cut off: boto3 asks again, which makes one more, or is refused."""
    if keys:
        workload.run()
        workload.age(workload.key, created_hours_ago=24 * 91)
        workload.sign()
    workload.sandbox.faults([{"service": "iam", "operation": "CreateAccessKey", "cut": "after", "times": 1}])
    cut = workload.start()
    workload.sandbox.faults()
    assert cut.ok is (keys == 0), cut.report
    if keys:
        assert "IAM did not show a moment ago. Run this again" in cut.task("Do").result["msg"]
    else:
        result = cut.task("Do").result
        workload.key = {name: result[name] for name in ("access_key_id", "secret_access_key")}
    done = workload.run()
    assert workload.sign() == done["iam_user_access_key"]["arn"]
    for _run in range(3):
        done = workload.run(settle_hours=0)
    assert [key["access_key_id"] for key in done["iam_user_access_key"]["access_keys"]] == [
        workload.key["access_key_id"]
    ]
    assert done["rotation"]["state"] == "current"
