# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identifiers as users write them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import check_account_id, refuse


def test_account_id() -> None:
    check_account_id("account_id", "012345670123")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("12345", "has 5 digits"),
        (yaml.safe_load("123456789012"), "is a number"),
        (yaml.safe_load("012345670123"), "has 10 digits"),  # YAML read an octal number
        ("12345678901a", "is not an AWS account id"),
        ("", "is not an AWS account id"),
        (None, "is not an AWS account id"),
    ],
)
def test_what_is_no_account_id(value: Any, problem: str) -> None:
    with pytest.raises(AnsibleAWSError) as caught:
        check_account_id("kubestrap_account_id", value)

    message = caught.value.message
    assert message.startswith(f"kubestrap_account_id: '{value}' ")
    assert problem in message
    assert "in quotes" in message


def test_the_form_of_a_refusal() -> None:
    with pytest.raises(AnsibleAWSError) as caught:
        refuse("option", "value", "is wrong", "Write another one")

    assert caught.value.message == "option: 'value' is wrong. Write another one"
