# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merging statements into a policy that has other owners too."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._statements import (
    check_statements,
    merge,
    parse_document,
    says_already,
    statements_of,
)


def statement(sid: str | None = "Mine", action: Any = "s3:GetObject", **more: Any) -> dict[str, Any]:
    bare = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*", **more}
    return {"Sid": sid, **bare} if sid else bare


def document(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


STRANGER, NAMELESS = statement("Stranger"), statement(None, "s3:ListBucket")


def test_into_nothing() -> None:
    assert merge(None, [statement()]) == document(statement())
    assert merge(None, []) is None
    assert merge(None, None) is None


def test_strangers_are_kept_in_their_places() -> None:
    current = document(STRANGER, statement(action="s3:PutObject"), NAMELESS)

    assert merge(current, [statement(), statement("New")]) == document(
        STRANGER, statement(), NAMELESS, statement("New")
    )


@pytest.mark.parametrize(
    "same",
    [
        statement(),
        statement(action=["s3:GetObject"]),
        statement(Principal={"AWS": "*"}),
        dict(reversed(statement().items())),
    ],
)
def test_what_says_the_same_is_no_change(same: dict[str, Any]) -> None:
    current = document(same, STRANGER)

    assert merge(current, [statement()]) is current


def test_each_difference_is_one() -> None:
    current = document(statement())

    for other in (
        statement(action="s3:PutObject"),
        statement(Effect="Deny"),
        statement(Resource="arn:aws:s3:::x"),
        statement(Principal={"AWS": "111111111111"}),
        statement(Condition={"Bool": {"aws:SecureTransport": "false"}}),
    ):
        assert merge(current, [other]) == document(other)


def test_sids_leave() -> None:
    current = document(STRANGER, statement(), NAMELESS)

    assert merge(current, None, ["Mine", "NoSuch"]) == document(STRANGER, NAMELESS)
    assert merge(current, None, ["NoSuch"]) is current
    assert merge(document(statement()), None, ["Mine"]) is None


def test_what_is_wanted_does_not_leave() -> None:
    current = document(statement())

    assert merge(current, [statement()], ["Mine"]) is current


def test_purge() -> None:
    current = document(STRANGER, NAMELESS, statement())

    assert merge(current, [statement()], purge=True) == document(statement())
    assert merge(current, [], purge=True) is None
    assert merge(document(statement()), [statement()], purge=True) == document(statement())


def test_a_single_statement_and_an_old_version() -> None:
    current = {"Version": "2008-10-17", "Id": "old", "Statement": STRANGER}

    assert statements_of(current) == [STRANGER]
    assert merge(current, [statement()]) == {"Version": "2008-10-17", "Id": "old", "Statement": [STRANGER, statement()]}
    assert merge(current, None) is current
    assert current["Statement"] == STRANGER


def test_a_statement_under_another_sid() -> None:
    current = document(statement("Theirs"))

    assert says_already(current, statement("Mine"))
    assert says_already(document(statement(None)), statement("Mine"))
    assert not says_already(current, statement("Mine", "s3:PutObject"))
    assert not says_already(None, statement("Mine"))


def test_a_document_may_be_written_in_several_ways() -> None:
    expected = document(statement())

    assert parse_document("inline_policies", "p", expected) is expected
    assert parse_document("inline_policies", "p", [statement()]) == expected
    assert parse_document("inline_policies", "p", '{"Version": "2012-10-17", "Statement": {"Effect": "Allow"}}') == {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow"},
    }


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("not JSON", "is not JSON"),
        ("[]", "is not a policy document"),
        ({}, "is not a policy document"),
        ({"Version": "2012-10-17"}, "is not a policy document"),
        (document(document(statement())), "something else than statements"),  # a document in a document, as often seen
        (["x"], "something else than statements"),
        (None, "is not a policy document"),
    ],
)
def test_what_is_no_document(wrong: Any, problem: str) -> None:
    with pytest.raises(AnsibleAWSError, match=f"^inline_policies: 'p' .*{problem}"):
        parse_document("inline_policies", "p", wrong)


def test_statements_that_can_be_merged() -> None:
    check_statements("policy_statements", None)
    check_statements("policy_statements", [statement(), statement("Two", NotAction="x")])


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ([statement(None)], "has no Sid"),
        ([statement("with spaces")], "has no Sid"),
        ([statement(7)], "has no Sid"),
        (["x"], "has no Sid"),
        ([statement(), statement()], "is the Sid of two statements"),
        ([statement(Effect="allow")], "has no Effect"),
        ([{"Sid": "A", "Effect": "Allow", "Action": "x"}], "has no Principal"),
        ([{"Sid": "A", "Effect": "Allow", "Principal": "*"}], "has no Action"),
    ],
)
def test_statements_that_cannot(wrong: list[Any], problem: str) -> None:
    with pytest.raises(AnsibleAWSError, match=f"^policy_statements: .*{problem}"):
        check_statements("policy_statements", wrong)


def test_a_pattern_of_absent_sids_leaves_what_is_wanted() -> None:
    statements = [statement("SharedOne"), statement("SharedTwo"), statement("Other")]
    current = {"Version": "2012-10-17", "Statement": statements}

    merged = merge(current, [statement("SharedTwo")], ["Shared*"])

    assert [entry["Sid"] for entry in merged["Statement"]] == ["SharedTwo", "Other"]
    assert merge(current, [statement("SharedOne"), statement("SharedTwo")], ["Shared*", "Absent"]) is current
