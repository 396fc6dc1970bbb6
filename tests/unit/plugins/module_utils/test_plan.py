# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, apply: the mechanism of every managing module."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import (
    Change,
    Plan,
    apply,
    confirm,
    differing,
    gather,
)
from botocore.stub import Stubber

ROLE = {"RoleName": "reader", "AssumeRolePolicyDocument": "{}"}
KNOWN = {
    "Role": {
        "Path": "/",
        "RoleName": "reader",
        "RoleId": "AROAEXAMPLEEXAMPLE00",
        "Arn": "arn:aws:iam::222222222222:role/reader",
        "CreateDate": "2026-01-31T12:00:00Z",
    }
}


@pytest.fixture
def connection() -> AwsConnection:
    keys = {"aws_access_key_id": "not-a-key-id", "aws_secret_access_key": "not-a-secret-key"}
    return AwsConnection(region="eu-west-1", params=keys)


@pytest.fixture
def iam(connection: AwsConnection) -> Iterator[Stubber]:
    """AWS' answers to the calls of IAM, in their order; all must be taken."""
    with Stubber(connection.client("iam")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; none lasts."""
    made: list[float] = []
    monkeypatch.setattr("time.sleep", made.append)
    return made


def create(**options: Any) -> Change:
    return Change("create the role reader", "iam", "create_role", ROLE, **options)


def test_an_empty_plan_changes_nothing() -> None:
    assert not Plan({"a": 1}, {"a": 1}).changed
    assert Plan({"a": 1}, {"a": 2}, [create()]).changed


def test_the_diff_has_only_what_differs() -> None:
    plan = Plan({"same": 1, "other": 1, "gone": 1}, {"same": 1, "other": 2, "new": 3}, [create()])

    assert plan.diff == {"before": {"other": 1, "gone": 1}, "after": {"other": 2, "new": 3}}


@pytest.mark.parametrize(
    ("before", "after", "diff"),
    [
        (None, {"a": 1}, {"before": {}, "after": {"a": 1}}),
        ({"a": 1}, None, {"before": {"a": 1}, "after": {}}),
        (None, None, {"before": {}, "after": {}}),
    ],
)
def test_the_diff_of_what_comes_and_goes(before: Any, after: Any, diff: Any) -> None:
    assert Plan(before, after).diff == diff


def test_only_what_is_set_is_compared() -> None:
    current = {"a": 1, "b": [1], "c": "x"}

    assert differing(current, {"a": 1, "b": None}) == []
    assert differing(current, {"a": 2, "b": [2], "c": "x"}) == ["a", "b"]
    assert differing(None, {"a": False, "b": None}) == ["a"]


def test_reads_run_side_by_side() -> None:
    """Each read waits for the others: one after the other they would never end."""
    together = threading.Barrier(3, timeout=30)

    assert set(gather({name: together.wait for name in "abc"}).values()) == {0, 1, 2}


def test_reads_keep_their_names_and_errors() -> None:
    def fail(text: str) -> Any:
        raise ValueError(text)

    assert gather({}) == {}
    assert gather({"one": lambda: 1, "two": lambda: None}) == {"one": 1, "two": None}
    with pytest.raises(ValueError, match="first"):
        gather({"one": lambda: 1, "two": lambda: fail("first"), "three": lambda: fail("second")})


def test_changes_are_made_in_their_order(connection: AwsConnection) -> None:
    made: list[str] = []
    changes = [Change(name, "iam", "x", function=lambda _c, name=name: made.append(name) or name) for name in "abc"]

    assert apply(connection, changes) == ["a", "b", "c"]
    assert made == ["a", "b", "c"]


def test_a_failure_ends_the_plan_and_names_the_change(connection: AwsConnection, iam: Stubber) -> None:
    iam.add_client_error("create_role", "LimitExceeded", "Cannot exceed quota")
    after = Change("never made", "iam", "x", function=lambda _c: pytest.fail("made after a failure"))

    with pytest.raises(AnsibleAWSError) as caught:
        apply(connection, [create(), after])

    assert caught.value.message == "Failed to create the role reader"
    assert "Cannot exceed quota" in str(caught.value)


def test_a_hint_says_what_to_do_about_one_code(connection: AwsConnection, iam: Stubber) -> None:
    hinted = create(hints={"EntityAlreadyExists": "Choose another name"})
    iam.add_client_error("create_role", "EntityAlreadyExists")
    iam.add_client_error("create_role", "LimitExceeded")

    with pytest.raises(AnsibleAWSError) as caught:
        apply(connection, [hinted])
    assert caught.value.message == "Failed to create the role reader. Choose another name"
    with pytest.raises(AnsibleAWSError) as caught:
        apply(connection, [hinted])
    assert caught.value.message == "Failed to create the role reader"


def test_a_method_gets_its_parameters(connection: AwsConnection, iam: Stubber) -> None:
    iam.add_response("create_role", KNOWN, expected_params=ROLE)

    (answer,) = apply(connection, [create()])

    assert answer["Role"]["RoleName"] == "reader"


def test_bad_parameters_are_reported_like_errors(connection: AwsConnection) -> None:
    with pytest.raises(AnsibleAWSError, match="Failed to create the role reader"):
        apply(connection, [Change("create the role reader", "iam", "create_role", {"RoleName": 1})])


def test_what_is_in_place_already_is_done(connection: AwsConnection, iam: Stubber) -> None:
    iam.add_client_error("create_role", "EntityAlreadyExists")

    assert apply(connection, [create(done_codes=("EntityAlreadyExists",))]) == [None]


def test_not_yet_is_tried_again(connection: AwsConnection, iam: Stubber, naps: list[float]) -> None:
    iam.add_client_error("create_role", "NoSuchEntity", "not there yet")
    iam.add_client_error("create_role", "NoSuchEntity", "not there yet")
    iam.add_response("create_role", KNOWN)

    apply(connection, [create(retry_codes=("NoSuchEntity",))])

    assert len(naps) == 2


def test_not_yet_ends_once(connection: AwsConnection, iam: Stubber, naps: list[float]) -> None:
    for _unused in range(10):
        iam.add_client_error("create_role", "NoSuchEntity", "never there")

    with pytest.raises(AnsibleAWSError, match="never there"):
        apply(connection, [create(retry_codes=("NoSuchEntity",))])


def test_not_yet_may_end_sooner(connection: AwsConnection, iam: Stubber, naps: list[float]) -> None:
    for _unused in range(5):
        iam.add_client_error("create_role", "NoSuchEntity", "never there")

    with pytest.raises(AnsibleAWSError, match="never there"):
        apply(connection, [create(retry_codes=("NoSuchEntity",), attempts=5)])

    assert len(naps) == 4


def test_a_code_with_many_causes_is_tried_again_for_one(
    connection: AwsConnection, iam: Stubber, naps: list[float]
) -> None:
    codes = ("MalformedPolicyDocument: Invalid principal", "NoSuchEntity")
    iam.add_client_error("create_role", "MalformedPolicyDocument", "Invalid principal in policy: ...")
    iam.add_client_error("create_role", "NoSuchEntity", "anything")
    iam.add_client_error("create_role", "MalformedPolicyDocument", "Syntax errors in policy.")

    with pytest.raises(AnsibleAWSError, match="Syntax errors"):
        apply(connection, [create(retry_codes=codes)])

    assert len(naps) == 2


def test_without_retry_codes_nothing_is_tried_again(connection: AwsConnection, iam: Stubber) -> None:
    iam.add_client_error("create_role", "NoSuchEntity")

    with pytest.raises(AnsibleAWSError):
        apply(connection, [create()])


def test_a_waiter_runs_after_the_call(connection: AwsConnection, iam: Stubber, naps: list[float]) -> None:
    iam.add_response("create_role", KNOWN)
    iam.add_client_error("get_role", "NoSuchEntity")
    seen = {**KNOWN, "ResponseMetadata": {"HTTPStatusCode": 200}}
    iam.add_response("get_role", seen, expected_params={"RoleName": "reader"})

    apply(connection, [create(waiter="role_exists", waiter_params={"RoleName": "reader"})])

    assert naps == [1]


def test_a_waiter_that_waits_in_vain_is_an_error(connection: AwsConnection, iam: Stubber, naps: list[float]) -> None:
    iam.add_response("create_role", KNOWN)
    iam.add_client_error("get_role", "NoSuchEntity")
    params = {"RoleName": "reader", "WaiterConfig": {"MaxAttempts": 1}}

    with pytest.raises(AnsibleAWSError, match="Failed to create the role reader"):
        apply(connection, [create(waiter="role_exists", waiter_params=params)])


def test_a_change_may_go_to_another_region(connection: AwsConnection) -> None:
    regions = []

    class Recording(AwsConnection):
        def client(self, service: str, region: str | None = None) -> Any:
            regions.append((service, region))
            return super().client(service, region)

    recording = Recording(region="eu-west-1")
    change = Change(
        "list", "cur", "can_paginate", {"operation_name": "describe_report_definitions"}, region="us-east-1"
    )

    assert apply(recording, [change]) == [True]
    assert regions == [("cur", "us-east-1")]


class Shared:
    """A list that another run overwrites some times after we have written."""

    def __init__(self, overwritten: int) -> None:
        self.items: list[str] = ["theirs"]
        self.overwritten = overwritten
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.overwritten:
            self.overwritten -= 1
            self.items = ["theirs", "another"]

    def plan(self, current: list[str]) -> Plan:
        add = Change("add ours", "iam", "put", function=lambda _connection: self.items.append("ours"))
        other = Change("tag it", "iam", "tag", function=lambda _connection: self.items.append("tag"))
        return Plan({}, {}, [*([] if "ours" in current else [add]), other])

    def confirm(self) -> Any:
        return confirm(None, lambda: list(self.items), self.plan, ["put"], self.pause)


@pytest.mark.parametrize("overwritten", [0, 1, 3])
def test_what_another_run_has_overwritten_is_written_again(overwritten: int) -> None:
    shared = Shared(overwritten)
    shared.items.append("ours")

    found, again = shared.confirm()

    assert "ours" in found
    assert ("another" in found) is bool(overwritten), "what the other one wrote is lost"
    assert "tag" not in found, "only what is shared is looked after"
    assert again == ["add ours again: another run had overwritten it"] * overwritten
    assert len(shared.pauses) == overwritten + 1
    assert all(0.5 < pause < 2 for pause in shared.pauses)


def test_it_is_given_up_in_the_end() -> None:
    with pytest.raises(AnsibleAWSError, match="Failed to add ours: another run has overwritten it 5 times"):
        Shared(100).confirm()
