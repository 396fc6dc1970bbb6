# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identifiers that users write into an inventory, and what to say when they are wrong.

Every check raises ``AnsibleAWSError`` with the name of the option, the value and what to write instead.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError


def refuse(option: str, value: t.Any, problem: str, write: str) -> t.NoReturn:
    """Raise the one form in which the collection refuses an input."""
    raise AnsibleAWSError(message=f"{option}: '{value}' {problem}. {write}")


def check_account_id(option: str, value: t.Any) -> None:
    """An AWS account id: a string of 12 digits.

    YAML reads an unquoted id as a number: one with leading zeros loses them or is taken for an octal number.
    """
    text = str(value)
    if isinstance(value, str) and re.fullmatch(r"\d{12}", value):
        return
    write = 'Write the 12 digits of the account in quotes, for example "012345670123"'
    if text.isdigit() and len(text) < 12:
        refuse(option, value, f"has {len(text)} digits; YAML takes leading zeros from a number without quotes", write)
    if isinstance(value, int):
        refuse(option, value, "is a number, not a string", write)
    refuse(option, value, "is not an AWS account id", write)
