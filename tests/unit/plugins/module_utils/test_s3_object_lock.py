# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Object lock of a bucket: what is refused, what is read, and what differs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_object_lock import (
    check_object_lock,
    configuration,
    parse,
    wanted_lock,
)

MONTH = {"mode": "GOVERNANCE", "days": 30, "years": None}
NO_RETENTION = {"mode": None, "days": None, "years": None}


@pytest.mark.parametrize("lock", [None, {}, NO_RETENTION, MONTH, {"mode": "COMPLIANCE", "years": 1}])
def test_what_s3_takes(lock: dict[str, Any] | None) -> None:
    check_object_lock(lock, "Enabled")
    check_object_lock(lock, None)


@pytest.mark.parametrize(
    ("lock", "versioning", "said"),
    [
        ({}, "Suspended", "versioning: 'Suspended' cannot be had with object_lock"),
        ({"mode": "GOVERNANCE"}, None, "object_lock: 'GOVERNANCE' does not tell how long"),
        ({"mode": "GOVERNANCE", "days": 1, "years": 1}, None, "object_lock: 'days and years' does not tell how long"),
        ({"mode": "GOVERNANCE", "days": 0}, None, "object_lock.days: '0' is no time"),
        ({"years": 1}, None, "object_lock.mode: '' is missing"),
    ],
)
def test_what_s3_would_refuse(lock: dict[str, Any], versioning: str | None, said: str) -> None:
    with pytest.raises(AnsibleAWSError) as e:
        check_object_lock(lock, versioning)
    assert said in str(e.value)


def test_versioning_alone_may_be_suspended() -> None:
    check_object_lock(None, "Suspended")


@pytest.mark.parametrize(
    ("answer", "lock"),
    [
        ({}, None),
        ({"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}, NO_RETENTION),
        ({"ObjectLockConfiguration": configuration(MONTH)}, MONTH),
    ],
)
def test_what_s3_answers(answer: dict[str, Any], lock: dict[str, Any] | None) -> None:
    assert parse(answer) == lock


def test_only_another_retention_is_a_difference() -> None:
    assert wanted_lock("b", NO_RETENTION, {}) is None
    assert wanted_lock("b", MONTH, {}) is None
    assert wanted_lock("b", MONTH, MONTH) is None
    assert wanted_lock("b", NO_RETENTION, MONTH) == MONTH
    year = {"mode": "COMPLIANCE", "days": None, "years": 1}
    assert wanted_lock("b", MONTH, year) == year
    assert configuration(year)["Rule"] == {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}


def test_a_bucket_without_it_is_refused() -> None:
    with pytest.raises(AnsibleAWSError) as e:
        wanted_lock("reports", None, MONTH)
    assert "is not what the bucket reports was made with" in str(e.value)
