# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an entry has its access key."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._integration_keys import pair_of
from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import KeyPair
from ansible_collections.kubestrap.aws.plugins.module_utils.cloud_integration import build

PAIR = KeyPair("AKIA1", "hush")
PAYER = {
    "account_id": "111111111111",
    "bucket": "results",
    "region": "us-east-1",
    "database": "d",
    "table": "t",
    "workgroup": "w",
}
ROLE = "arn:aws:iam::111111111111:role/reader"


@pytest.mark.parametrize("role", ["", ROLE])
@pytest.mark.parametrize("form", ["legacy", "athena"])
def test_a_key_that_is_written_is_found_again(form: str, role: str) -> None:
    document = build([{**PAYER, "role_arn": role}], form, pair=PAIR)
    [entry] = document["aws"] if form == "legacy" else document["aws"]["athena"]
    assert pair_of(entry) == PAIR
    assert (role in str(entry)) == bool(role) or not role


def test_the_forms_are_those_of_the_vendor() -> None:
    [legacy] = build([{**PAYER, "role_arn": ROLE}], "legacy", pair=PAIR)["aws"]
    assert (legacy["serviceKeyName"], legacy["serviceKeySecret"], legacy["masterPayerARN"]) == ("AKIA1", "hush", ROLE)
    [athena] = build([{**PAYER, "role_arn": ROLE}], "athena", pair=PAIR)["aws"]["athena"]
    assert athena["authorizer"] == {
        "authorizerType": "AWSAssumeRole",
        "roleARN": ROLE,
        "authorizer": {"authorizerType": "AWSAccessKey", "id": "AKIA1", "secret": "hush"},
    }


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"serviceKeyName": "AKIA1"},
        {"serviceKeyName": "AKIA1", "serviceKeySecret": 4},
        {"authorizer": None},
        {"authorizer": {"authorizerType": "AWSServiceAccount"}},
        {"authorizer": {"authorizerType": "AWSAccessKey", "id": "AKIA1"}},
        {"authorizer": {"authorizerType": "AWSAssumeRole", "authorizer": {"authorizerType": "AWSServiceAccount"}}},
    ],
)
def test_an_entry_without_a_key(entry: Any) -> None:
    assert pair_of(entry) is None
