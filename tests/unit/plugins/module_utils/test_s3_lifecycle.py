# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifecycle rules."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_lifecycle import check_rules, merge_rules, rule_of

EXPIRE = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "results/"}, "Expiration": {"Days": 1}}
STRANGER = {
    "ID": "theirs",
    "Status": "Disabled",
    "Filter": {"Tag": {"Key": "a", "Value": "b"}},
    "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
}


def test_a_rule_in_the_form_of_s3() -> None:
    everything = {
        "id": "expire",
        "prefix": "results/",
        "expiration_days": 1,
        "noncurrent_version_expiration_days": 2,
        "abort_incomplete_multipart_upload_days": 3,
    }

    assert rule_of({"id": "expire", "prefix": "results/", "expiration_days": 1}) == EXPIRE
    assert rule_of({"id": "x", "prefix": "", "expiration_days": None})["Filter"] == {"Prefix": ""}
    assert rule_of(everything) == {
        **EXPIRE,
        "NoncurrentVersionExpiration": {"NoncurrentDays": 2},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
    }


def test_strangers_are_kept() -> None:
    other = {**EXPIRE, "Expiration": {"Days": 9}}

    assert merge_rules([], [EXPIRE]) == [EXPIRE]
    assert merge_rules([STRANGER, other], [EXPIRE]) == [STRANGER, EXPIRE]
    assert merge_rules([STRANGER, EXPIRE], [EXPIRE]) == [STRANGER, EXPIRE]
    assert merge_rules([STRANGER], []) == [STRANGER]


def test_purge() -> None:
    assert merge_rules([STRANGER, EXPIRE], [EXPIRE], purge=True) == [EXPIRE]
    assert merge_rules([STRANGER], [], purge=True) == []


@pytest.mark.parametrize("same", [{"Filter": {}}, {"Filter": {"Prefix": ""}}, {"Prefix": ""}, {}])
def test_all_forms_of_no_prefix_are_one(same: dict[str, Any]) -> None:
    current = [{"ID": "all", "Status": "Enabled", "Expiration": {"Days": 1}, **same}]
    wanted = rule_of({"id": "all", "expiration_days": 1})

    assert merge_rules(current, [wanted]) == current


def test_the_old_form_of_a_prefix() -> None:
    old = {"ID": "expire", "Status": "Enabled", "Prefix": "results/", "Expiration": {"Days": 1}}

    assert merge_rules([old], [EXPIRE]) == [old]
    assert merge_rules([{**old, "Prefix": "else/"}], [EXPIRE]) == [EXPIRE]


def test_a_disabled_rule_is_enabled() -> None:
    assert merge_rules([{**EXPIRE, "Status": "Disabled"}], [EXPIRE]) == [EXPIRE]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([{"id": "x"}], "does nothing"),
        ([{"id": "x", "expiration_days": 0}], "expiration_days 0"),
        ([{"id": "", "expiration_days": 1}], "0 characters"),
        ([{"id": "x" * 256, "expiration_days": 1}], "256 characters"),
        ([{"id": "x", "expiration_days": 1}, {"id": "x", "expiration_days": 2}], "id of two rules"),
    ],
)
def test_bad_rules(rules: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(AnsibleAWSError, match=f"^lifecycle_rules: .*{says}"):
        check_rules(rules)


def test_good_rules() -> None:
    check_rules(None)
    check_rules([{"id": "x", "expiration_days": 1}, {"id": "y", "abort_incomplete_multipart_upload_days": 7}])


def test_rules_leave_by_their_id() -> None:
    rules = [rule_of({"id": name, "expiration_days": 1}) for name in ("ours", "theirs")]
    assert merge_rules(rules, [], absent=["ours", "unknown"]) == rules[1:]
    assert merge_rules(rules, [], absent=["unknown"]) == rules
