# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the Cost and Usage Report of a payer account fits what the inventory asks for. Pure: no call."""

from __future__ import annotations

import typing as t

from ._cur_report_plan import FIXED, differences, told

# Property of the report -> variable that names what it has.
_VARIABLES = {
    "s3_bucket": "billing_data_report_bucket",
    "s3_prefix": "billing_data_report_prefix",
    "s3_region": "billing_data_region",
}


def judge_report(reports: t.Sequence[t.Mapping[str, t.Any]], wanted: t.Any) -> tuple[dict[str, t.Any], list[str]]:
    """The report of this name among all of the account.

    :param reports: as ``_cur_report.shape`` makes them
    :param wanted: a ``Wanted`` of ``_preflight_billing``
    :returns: ``exists``, ``fits`` (whether nothing of it is to be changed but tags), ``status`` (its last delivery) and
        ``others_in_bucket`` (names of further reports that AWS delivers into the report bucket); and a problem when it
        exists with other settings
    """
    named = {report["report_name"]: report for report in reports}
    current = named.pop(wanted.report_name, None)
    others = sorted(name for name, report in named.items() if report["s3_bucket"] == wanted.report_bucket)
    fact: dict[str, t.Any] = {"exists": current is not None, "fits": False, "status": {}, "others_in_bucket": others}
    if current is None or wanted.taken_away:
        return fact, []
    place = {"s3_bucket": wanted.report_bucket, "s3_prefix": wanted.report_prefix, "s3_region": wanted.region}
    expected = differences(dict(current), place)
    fact |= {"fits": not expected, "status": current["report_status"]}
    fixed = [key for key in expected if key in FIXED]
    if not expected or (wanted.report_change and not fixed):
        return fact, []
    ways = _ways(current, expected, fixed)
    return fact, [
        f"billing_data_report_name: '{wanted.report_name}' is a report that exists with other settings: "
        f"{told(dict(current), expected)}. {'. '.join(ways)}"
    ]


def _ways(current: t.Mapping[str, t.Any], expected: t.Mapping[str, str], fixed: t.Sequence[str]) -> list[str]:
    """What a user can do about it."""
    ways = []
    placed = {_VARIABLES[key]: current[key] for key in expected if key in _VARIABLES}
    if placed and len(placed) == len(expected):
        settings = ", ".join(f"{name}: {value}" for name, value in placed.items())
        ways.append(f"To use the report as it is, write {settings}")
    changeable = [key for key in expected if key not in fixed]
    if fixed:
        ways.append(
            f"AWS cannot change {', '.join(fixed)} of a report: choose another name, or delete the report and let it "
            "be made again (a new one starts with the current month)"
        )
    elif changeable:
        ways.append(
            f"To have AWS change {', '.join(changeable)}, write billing_data_report_change: true; what is delivered "
            "already stays where and as it is"
        )
    return ways
