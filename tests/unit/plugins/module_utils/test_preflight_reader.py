# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the trust of the reader role, and whether those who are to come find room."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestrap.aws.plugins.module_utils import policies, trust
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_reader import judge_reader
from unit.billing_data_wanted import OURS, wanted

PROD, TEST = (f"arn:aws:iam::222222222222:role/kubecost-{name}" for name in ("prod", "test"))
STRANGER = {"Sid": "Ours", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:role/x"}, "Action": "sts:AssumeRole"}


def role(*statements: dict[str, Any], tags: dict[str, str] | None = None, path: str = "/") -> dict[str, Any]:
    """The role as it is read."""
    return {
        "arn": f"arn:aws:iam::111111111111:role{path}kubecost-cur-access",
        "path": path,
        "tags": OURS if tags is None else tags,
        "assume_role_policy_document": policies.document(statements),
    }


def reader(arn: str) -> dict[str, Any]:
    """The statement that lets a role in."""
    return trust.workload_role_trust(role_arns=[arn])[0]


def test_no_role() -> None:
    assert judge_reader(None, wanted()) == ({"exists": False, "ours": True, "readers": []}, [])


def test_readers_of_our_role_are_all_who_are_let_in() -> None:
    fact, problems = judge_reader(role(reader(PROD), STRANGER), wanted())
    assert (fact["exists"], fact["ours"], problems) == (True, True, [])
    assert fact["readers"] == [
        {"sid": trust.reader_sid(PROD), "principals": [PROD]},
        {"sid": "Ours", "principals": ["arn:aws:iam::1:role/x"]},
    ]


def test_readers_of_another_role_are_those_that_we_let_in() -> None:
    fact, _problems = judge_reader(role(reader(PROD), STRANGER, tags={}), wanted())
    assert not fact["ours"]
    assert [entry["principals"] for entry in fact["readers"]] == [[PROD]]


def test_a_role_in_another_path_is_refused() -> None:
    _fact, (problem,) = judge_reader(role(reader(PROD), path="/team/"), wanted())
    assert problem.startswith(
        "billing_data_iam_path: '/' is not the path of the role kubecost-cur-access, which exists"
    )
    assert judge_reader(role(reader(PROD), path="/team/"), wanted(role_path="/team/"))[1] == []
    assert judge_reader(role(reader(PROD), path="/team/"), wanted(taken_away=True))[1] == []


def test_the_size_is_told_before_the_first_write() -> None:
    eight, nine = ([f"arn:aws:iam::222222222222:role/kubecost-{n:02}" for n in range(count)] for count in (7, 9))
    assert judge_reader(None, wanted(reader_role_arns=eight))[1] == []
    _fact, (problem,) = judge_reader(None, wanted(reader_role_arns=nine))
    assert "billing_data_reader_role_arns: 9 roles would make the trust" in problem
    assert "IAM allows 2048" in problem
    assert judge_reader(None, wanted(reader_role_arns=nine, trust_size_limit=4096))[1] == []
    # Those that are there already count too.
    full = role(*[reader(arn) for arn in eight])
    assert judge_reader(full, wanted(reader_role_arns=eight))[1] == []
    assert len(judge_reader(full, wanted(reader_role_arns=[PROD, TEST]))[1]) == 1


def test_what_is_no_role_is_refused() -> None:
    _fact, (problem,) = judge_reader(None, wanted(reader_role_arns=["kubecost-prod"]))
    assert problem.startswith("billing_data_reader_role_arns: 'kubecost-prod' is not the ARN of an IAM role")
