# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of name is checked by its own rules, under the name of the variable that holds it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_names import (
    NAME_KINDS,
    check_account,
    check_name,
    problems_of,
)

# Kind -> a good name, a bad one, a part of what is said.
NAMES = {
    "report": ("kubecost-cur", "kubecost/cur", "is not the name of a report"),
    "report_prefix": ("cur", "", "a report for Athena needs one"),
    "workgroup": ("kubecost", "kube cost", "is not the name of an Athena workgroup"),
    "glue": ("athenacurcfn_kubecost", "Kubecost", "has capitals"),
    "iam_role": ("kubecost-cur-access", "x" * 65, "has 65 characters"),
    "iam_user": ("kubecost-billing", "x" * 65, "has 65 characters"),
    "iam_path": ("/kubestrap/", "kubestrap", "is not a path of IAM"),
    "namespace": ("kubecost", "Kubecost", "it has upper-case letters"),
    "helm release": ("kubecost", "x" * 54, "it has 54 characters"),
    "secret": ("cloud-integration", "cloud_integration", "it has an underscore"),
    "serviceaccount": ("kubecost.reader", "-kubecost", "in a place where it is not allowed"),
}


def test_each_kind_is_here() -> None:
    assert set(NAMES) == set(NAME_KINDS)


@pytest.mark.parametrize("kind", NAMES)
def test_a_good_and_a_bad_name(kind: str) -> None:
    good, bad, said = NAMES[kind]
    assert check_name("some_variable", kind, good) == []
    (problem,) = check_name("some_variable", kind, bad)
    assert problem.startswith(f"some_variable: '{bad}' ")
    assert said in problem
    assert problem.partition(". ")[2], "it says what to write"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1402433619, "'1402433619' has 10 digits; YAML takes leading zeros from a number without quotes. Write the 12"),
        ("12345670123", "'12345670123' has 11 digits"),
        (111111111111, "'111111111111' is a number, not a string. Write the 12 digits of the account in quotes"),
        ("11111111111x", "'11111111111x' is not an AWS account id"),
        ("1111111111111", "'1111111111111' is not an AWS account id"),
    ],
)
@pytest.mark.parametrize("required", [True, False])
def test_an_account_id_that_is_wrong(value: Any, said: str, required: bool) -> None:
    (problem,) = check_account(value, required)
    assert problem.startswith(f"kubestrap_account_id: {said}")


@pytest.mark.parametrize("value", [None, ""])
def test_an_account_id_that_is_missing(value: Any) -> None:
    assert check_account(value, required=False) == []
    (problem,) = check_account(value, required=True)
    assert problem.startswith("kubestrap_account_id: no account is named for this host. Write the 12 digits")


def test_an_account_id() -> None:
    assert check_account("012345670123", required=True) == []


def test_only_refusals_are_problems() -> None:
    assert problems_of(lambda: refuse("option", "value", "is bad", "Write another")) == [
        "option: 'value' is bad. Write another"
    ]
    assert problems_of(lambda: None) == []
    with pytest.raises(ZeroDivisionError):
        problems_of(lambda: 1 / 0)
