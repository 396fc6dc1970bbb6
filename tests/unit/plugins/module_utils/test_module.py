# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From read and plan to the result of a module: check mode, diff, prediction, errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Change, Plan

Run = Callable[..., dict[str, Any]]


class World:
    """A resource with a size, and what was done to it."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        self.reads = 0

    def read(self) -> dict[str, Any] | None:
        self.reads += 1
        return None if self.size is None else {"arn": "arn:aws:thing", "size": self.size, "born": "today"}

    def resize(self, size: int | None) -> None:
        self.size = size

    def plan(self, current: dict[str, Any] | None, size: int) -> Plan:
        if current and current["size"] == size:
            return Plan(current, current)
        change = Change(f"resize it to {size}", "iam", "x", function=lambda _connection: self.resize(size))
        return Plan(current, {**(current or {"arn": "arn:aws:thing"}), "size": size}, [change])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a module's main function with these options; what it returned."""

    def run_module(main: Callable[[KubestrapAWSModule], None], check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"region": "eu-west-1", **options, "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            main(
                KubestrapAWSModule(argument_spec=dict(size={"type": "int"}, **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC))
            )
        return json.loads(capsys.readouterr().out)

    return run_module


def manage(world: World) -> Callable[[KubestrapAWSModule], None]:
    return lambda module: module.manage(
        "thing", world.read, lambda current: world.plan(current, module.params["size"]), extra="more"
    )


def test_from_nothing(run: Run) -> None:
    world = World()

    predicted = run(manage(world), check=True, size=3)
    assert world.size is None
    assert world.reads == 1
    made = run(manage(world), size=3)

    assert world.size == 3
    assert predicted["changed"] is made["changed"] is True
    assert predicted["changes"] == made["changes"] == ["resize it to 3"]
    assert predicted["diff"] == made["diff"] == {"before": {}, "after": {"arn": "arn:aws:thing", "size": 3}}
    assert predicted["thing"] == {"arn": "arn:aws:thing", "size": 3}
    # For real the resource is read again: what only AWS knows is in it then.
    assert made["thing"] == {"arn": "arn:aws:thing", "size": 3, "born": "today"}
    assert made["extra"] == "more"


@pytest.mark.parametrize("check", [False, True])
def test_without_a_change(check: bool, run: Run) -> None:
    world = World(3)

    result = run(manage(world), check=check, size=3)

    assert result["changed"] is False
    assert result["changes"] == []
    assert "diff" not in result
    assert result["thing"]["size"] == 3
    assert world.reads == 1


def test_what_aws_tells_once(run: Run) -> None:
    """The outcome gets the plan and what AWS answered to its calls; in check mode nothing was answered."""

    def main(module: KubestrapAWSModule) -> None:
        change = Change("make a key", "iam", "x", function=lambda _connection: {"secret": 7})
        module.manage(
            "thing",
            lambda: {"size": 3},
            lambda current: Plan(current, {"size": 4}, [change]),
            outcome=lambda planned, answers: {"size_then": planned.after["size"], "answers": answers},
        )

    made, predicted = run(main), run(main, check=True)

    assert (made["size_then"], made["answers"], made["thing"]) == (4, [{"secret": 7}], {"size": 3})
    assert (predicted["size_then"], predicted["answers"], predicted["thing"]) == (4, [], {"size": 4})


def test_what_is_kept_is_reported(run: Run) -> None:
    thing = {"arn": "arn:aws:thing"}

    result = run(lambda m: m.manage("thing", lambda: thing, lambda _current: Plan(thing, thing, kept="it is not ours")))

    assert result["kept"] == "it is not ours"
    assert result["changed"] is False
    assert result["thing"] == thing


@pytest.mark.parametrize("stage", ["read", "plan", "change"])
def test_a_failure_at_any_stage(stage: str, run: Run) -> None:
    def fail(*_args: Any) -> Any:
        raise AnsibleAWSError(message=f"failed at {stage}")

    def main(module: KubestrapAWSModule) -> None:
        change = Change("x", "iam", "x", function=fail)
        module.manage(
            "thing",
            fail if stage == "read" else lambda: None,
            fail if stage == "plan" else lambda _current: Plan(None, {}, [change]),
        )

    result = run(main)

    assert result["failed"] is True
    assert result["msg"] == f"failed at {stage}"


def test_an_error_of_aws_is_explained(run: Run) -> None:
    def read() -> Any:
        answer = {"Error": {"Code": "ExpiredToken", "Message": "The token has expired"}}
        error = botocore.exceptions.ClientError(answer, "GetRole")
        raise AnsibleAWSError(message="Failed to read the role", exception=error)

    result = run(lambda module: module.manage("thing", read, lambda _current: Plan(None, None)))

    assert result["msg"].startswith("Failed to read the role. The session of these AWS credentials has expired. Log in")
    assert "The token has expired" in result["msg"]
    assert result["error"]["code"] == "ExpiredToken"


def test_no_credentials_is_a_plain_error(run: Run) -> None:
    """The first call of any module, in an environment without credentials."""
    result = run(lambda module: module.guard(lambda: module.account_id))

    assert result["failed"] is True
    assert "No AWS credentials were found. Set 'profile'" in result["msg"]


def test_a_wrong_profile_is_a_plain_error(run: Run) -> None:
    result = run(lambda module: module.guard(lambda: module.account_id), profile="no-such-profile")

    assert result["failed"] is True
    assert "no-such-profile" in result["msg"]


def test_a_bug_is_not_hidden(run: Run) -> None:
    """An exception that is not AWS' goes through, with its traceback."""
    arguments = {"region": "eu-west-1", "_ansible_check_mode": False}
    with patch_module_args(arguments):
        module = KubestrapAWSModule(argument_spec={})

    with pytest.raises(ZeroDivisionError):
        module.guard(lambda: 1 / 0)


def test_guard_returns_what_the_function_returns(run: Run) -> None:
    assert run(lambda module: module.exit_json(said=module.guard(lambda: 7)))["said"] == 7


def test_the_account_is_checked_and_not_asked_for(run: Run) -> None:
    said = run(lambda module: module.exit_json(account=module.account_id), account_id="111111111111")
    refused = run(lambda module: module.exit_json(), account_id="1111")

    assert said["account"] == "111111111111"
    assert refused["failed"] is True
    assert "account_id: '1111' has 4 digits" in refused["msg"]


def test_the_connection_is_that_of_the_options(run: Run) -> None:
    def main(module: KubestrapAWSModule) -> None:
        client = module.connection.client("iam")
        agent = client.meta.config.user_agent_extra
        module.exit_json(region=module.connection.region, url=client.meta.endpoint_url, agent=agent)

    said = run(main, access_key="not-a-key-id", secret_key="not-a-secret-key", endpoint_url="https://127.0.0.1:1")

    assert said["region"] == "eu-west-1"
    assert said["url"] == "https://127.0.0.1:1"
    assert "kubestrap.aws" in said["agent"]


@pytest.mark.parametrize("option", ["tags", "ownership_tags"])
def test_tags_are_texts(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """YAML makes a number of 4711, a truth value of true and a date of 2026-11-01; AWS stores texts."""
    given = {"cost-centre": 4711, 2026: "year", "billed": True, "since": "2026-11-01", "empty": ""}
    with patch_module_args({"region": "eu-west-1", option: given}), pytest.raises(SystemExit):
        module = KubestrapAWSModule(argument_spec={option: {"type": "dict"}})
        module.exit_json(said=module.params[option])

    wanted = {"cost-centre": "4711", "2026": "year", "billed": "True", "since": "2026-11-01", "empty": ""}
    assert json.loads(capsys.readouterr().out)["said"] == wanted


@pytest.mark.parametrize("value", [None, {}])
def test_tags_that_are_not_set_and_tags_that_are_empty_stay_apart(
    value: dict[str, str] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with patch_module_args({"region": "eu-west-1", "tags": value}), pytest.raises(SystemExit):
        module = KubestrapAWSModule(argument_spec={"tags": {"type": "dict"}})
        module.exit_json(said=module.params["tags"])

    assert json.loads(capsys.readouterr().out)["said"] == value
