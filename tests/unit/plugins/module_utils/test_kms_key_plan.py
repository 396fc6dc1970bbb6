# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a key: from nothing, for each difference, for none, after a run that was cut off, and to end it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._kms_key_plan import (
    Settings,
    account_statement,
    plan_absent,
    plan_present,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan

ALIAS, KEY_ID = "alias/example", "1234abcd-12ab-34cd-56ef-1234567890ab"
OURS = {"managed-by": "example"}
USE = {"Sid": "Use", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
ACCOUNT = account_statement("aws", "111111111111")


def key(**changes: Any) -> dict[str, Any]:
    """A key as it is read, as a task without settings wants it."""
    return {
        "alias": ALIAS,
        "arn": f"arn:aws:kms:eu-west-1:111111111111:key/{KEY_ID}",
        "key_id": KEY_ID,
        "description": "",
        "key_state": "Enabled",
        "key_spec": "SYMMETRIC_DEFAULT",
        "enable_key_rotation": True,
        "policy": {"Version": "2012-10-17", "Statement": [ACCOUNT]},
        "tags": OURS,
        "aliased": True,
        **changes,
    }


def present(current: dict[str, Any] | None, **settings: Any) -> Plan:
    return plan_present(ALIAS, current, Settings(**{"ownership_tags": OURS, **settings}), "aws", "111111111111")


def methods(plan: Plan) -> list[str]:
    return [change.method for change in plan.changes]


class Kms:
    """A client that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def client(self, _service: str) -> Kms:
        return self

    def __getattr__(self, method: str) -> Any:
        def call(**params: Any) -> dict[str, Any]:
            self.asked.append((method, params))
            return {"KeyMetadata": {"KeyId": KEY_ID}}

        return call


def test_from_nothing() -> None:
    plan = present(None, policy_statements=[USE], tags={"team": "platform"}, description="Of a test")
    kms = Kms()
    for change in plan.changes:
        change.function(kms)

    assert methods(plan) == [method for method, _params in kms.asked]
    create, alias, rotation = (params for _method, params in kms.asked)
    assert json.loads(create["Policy"])["Statement"] == [ACCOUNT, USE]
    tags = {tag["TagKey"]: tag["TagValue"] for tag in create["Tags"]}
    assert tags == {"team": "platform", **OURS, "kubestrap.aws/alias": ALIAS}
    assert alias == {"AliasName": ALIAS, "TargetKeyId": KEY_ID}
    assert rotation == {"KeyId": KEY_ID}
    assert plan.after["arn"] is None
    assert plan.after["tags"] == {"team": "platform", **OURS}
    assert methods(present(None, enable_key_rotation=False)) == ["create_key", "create_alias"]


def test_nothing_differs() -> None:
    assert present(key()).changes == []
    assert present(key(enable_key_rotation=False), enable_key_rotation=False).changes == []
    assert present(key(tags={}, key_state="Enabled"), tags=None).changes == [], "of somebody else, but usable"


@pytest.mark.parametrize(
    ("current", "settings", "expected"),
    [
        ({"enable_key_rotation": False}, {}, ["enable_key_rotation"]),
        ({}, {"description": "new"}, ["update_key_description"]),
        ({}, {"policy_statements": [USE]}, ["put_key_policy"]),
        ({"policy": {"Statement": [ACCOUNT, USE]}}, {"absent_policy_sids": ["U*"]}, ["put_key_policy"]),
        ({}, {"tags": {"a": "b"}}, ["tag_resource"]),
        ({"tags": {**OURS, "a": "b"}}, {"tags": {}}, ["untag_resource"]),
        ({"aliased": False}, {}, ["create_alias"]),
        ({"key_state": "Disabled"}, {}, ["enable_key"]),
        ({"key_state": "PendingDeletion"}, {}, ["cancel_key_deletion", "enable_key"]),
    ],
)
def test_each_difference(current: dict[str, Any], settings: dict[str, Any], expected: list[str]) -> None:
    plan = present(key(**current), **settings)
    assert methods(plan) == expected
    assert present(plan.after, **settings).changes == []


@pytest.mark.parametrize(
    ("current", "said"),
    [
        ({"key_spec": "RSA_2048"}, "of the kind RSA_2048, and S3 uses symmetric keys only"),
        ({"key_state": "Disabled", "tags": {}}, "is Disabled, and that this collection did not make"),
        ({"key_state": "PendingImport"}, "is PendingImport. "),
    ],
)
def test_keys_that_cannot_be_used(current: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as e:
        present(key(**current))
    assert said in str(e.value)


def test_a_policy_that_kms_would_not_take() -> None:
    with pytest.raises(AnsibleAWSError, match="would be a key without a policy"):
        present(key(), absent_policy_sids=["*"])
    long = {**USE, "Resource": ["x" * 100] * 400}
    with pytest.raises(AnsibleAWSError, match="KMS allows 32768"):
        present(key(), policy_statements=[long])


def test_to_delete_it() -> None:
    plan = plan_absent(ALIAS, key(), 7, OURS)
    assert methods(plan) == ["schedule_key_deletion", "delete_alias"]
    assert plan.changes[0].params == {"KeyId": KEY_ID, "PendingWindowInDays": 7}
    assert plan.after is None
    assert methods(plan_absent(ALIAS, key(aliased=False), 7, OURS)) == ["schedule_key_deletion"]
    assert methods(plan_absent(ALIAS, key(key_state="PendingDeletion"), 7, OURS)) == ["delete_alias"]
    for gone in (None, key(key_state="PendingDeletion", aliased=False)):
        assert plan_absent(ALIAS, gone, 7, OURS).changes == []
    foreign = plan_absent(ALIAS, key(tags={}), 7, OURS)
    assert foreign.changes == []
    assert "managed-by=example" in str(foreign.kept)


@pytest.mark.parametrize(
    ("alias", "settings", "days", "said"),
    [
        ("alias/", {}, 30, "alias: 'alias/' is not an alias of a key"),
        ("alias/aws/s3", {}, 30, "alias: 'alias/aws/s3' belongs to AWS"),
        ("alias/x", {"description": "x" * 8193}, 30, "has 8193 characters"),
        ("alias/x", {"policy_statements": [{}]}, 30, "has no Sid that can be used"),
        ("alias/x", {}, 6, "pending_window_in_days: '6' is not allowed"),
    ],
)
def test_bad_input(alias: str, settings: dict[str, Any], days: int, said: str) -> None:
    with pytest.raises(AnsibleAWSError) as e:
        Settings(**settings).check(alias, days)
    assert said in str(e.value)


def test_good_input() -> None:
    Settings(description="", policy_statements=[USE]).check("alias/a/b_c-D", 7)
