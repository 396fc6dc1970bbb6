# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""S3 object lock of a bucket: what a task may want of it, and what it takes. Pure, no call.

It can never be turned off again, and a bucket with it keeps versions for good. So a bucket gets it when it is made;
that one which exists gets it later is left to its owner (S3 user guide, "Locking objects with Object Lock").
"""

from __future__ import annotations

import typing as t

from ._identifiers import refuse

ObjectLock = dict[str, t.Any]  # mode, days, years: the default retention, None where there is none


def check_object_lock(lock: t.Mapping[str, t.Any] | None, versioning: str | None) -> None:
    """Refuse what S3 would refuse.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    if lock is None:
        return
    if versioning == "Suspended":
        refuse("versioning", versioning, "cannot be had with object_lock", "Write Enabled, or leave object_lock out")
    mode = lock.get("mode")
    periods = [unit for unit in ("days", "years") if lock.get(unit) is not None]
    for unit in periods:
        if lock[unit] < 1:
            refuse(f"object_lock.{unit}", lock[unit], "is no time", "Write a number from 1")
    if mode and len(periods) != 1:
        value = " and ".join(periods) or mode
        refuse("object_lock", value, "does not tell how long objects are locked", "Write either days or years")
    if periods and not mode:
        write = "Write GOVERNANCE, which may be lifted, or COMPLIANCE, which nobody can lift before its time"
        refuse("object_lock.mode", "", "is missing", write)


def parse(answer: t.Mapping[str, t.Any]) -> ObjectLock | None:
    """Object lock as GetObjectLockConfiguration says it; ``None`` when the bucket has none."""
    configuration = answer.get("ObjectLockConfiguration", {})
    if configuration.get("ObjectLockEnabled") != "Enabled":
        return None
    retention = configuration.get("Rule", {}).get("DefaultRetention", {})
    return {"mode": retention.get("Mode"), "days": retention.get("Days"), "years": retention.get("Years")}


def wanted_lock(bucket: str, current: ObjectLock | None, lock: t.Mapping[str, t.Any]) -> ObjectLock | None:
    """The object lock to set; ``None`` when it is as the task wants it. Without a mode, the retention stays as it is.

    :raises AnsibleAWSError: the bucket was made without object lock
    """
    if current is None:
        refuse(
            "object_lock",
            lock.get("mode") or "on",
            f"is not what the bucket {bucket} was made with, and could never be turned off again",
            "Leave it out, choose a new bucket, or enable object lock in S3 yourself and run this again",
        )
    new = {key: lock.get(key) for key in ("mode", "days", "years")}
    return None if not lock.get("mode") or new == current else new


def configuration(lock: ObjectLock) -> dict[str, t.Any]:
    """The argument of PutObjectLockConfiguration."""
    unit = "Days" if lock["days"] is not None else "Years"
    retention = {"Mode": lock["mode"], unit: lock[unit.lower()]}
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
