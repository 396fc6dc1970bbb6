# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which report is used, which is refused, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._cur_report import ReportId, shape
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_report import judge_report
from unit.billing_data_wanted import wanted

DEFINITION = {
    "TimeUnit": "DAILY",
    "Format": "Parquet",
    "Compression": "Parquet",
    "AdditionalSchemaElements": ["RESOURCES"],
    "S3Bucket": "acme-cur",
    "S3Prefix": "cur",
    "S3Region": "us-east-1",
    "AdditionalArtifacts": ["ATHENA"],
    "ReportVersioning": "OVERWRITE_REPORT",
}


def report(name: str = "kubecost", **members: Any) -> dict[str, Any]:
    """A report as it is read."""
    return shape(ReportId(name, "us-east-1", "111111111111", "aws"), {**DEFINITION, **members})


def problem(*reports: dict[str, Any], **changes: Any) -> str:
    """What is said against them."""
    _fact, problems = judge_report(reports, wanted(**changes))
    return " ".join(problems)


def test_a_report_that_is_not_there_is_made() -> None:
    fact, problems = judge_report([report("another", S3Bucket="theirs")], wanted())
    assert fact == {"exists": False, "fits": False, "status": {}, "others_in_bucket": []}
    assert problems == []


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"TimeUnit": "HOURLY"},
        {"AdditionalSchemaElements": ["SPLIT_COST_ALLOCATION_DATA", "RESOURCES"]},
        {"RefreshClosedReports": False},
    ],
)
def test_a_report_that_serves_is_used(more: dict[str, Any]) -> None:
    delivered = {"lastDelivery": "20260131T120000Z", "lastStatus": "SUCCESS"}
    fact, problems = judge_report([report("another"), report(**more, ReportStatus=delivered)], wanted())
    status = {"last_delivery": "20260131T120000Z", "last_status": "SUCCESS"}
    assert fact == {"exists": True, "fits": True, "status": status, "others_in_bucket": ["another"]}
    assert problems == []


def test_a_report_in_another_place_is_adopted_by_naming_it() -> None:
    theirs = report(S3Bucket="theirs", S3Prefix="billing/daily")
    said = problem(theirs)
    assert said.startswith("billing_data_report_name: 'kubecost' is a report that exists with other settings: ")
    assert "s3_bucket is theirs, not acme-cur; s3_prefix is billing/daily, not cur" in said
    settings = "billing_data_report_bucket: theirs, billing_data_report_prefix: billing/daily"
    assert f"To use the report as it is, write {settings}." in said
    assert "billing_data_report_change: true" in said
    assert problem(theirs, report_bucket="theirs", report_prefix="billing/daily") == ""
    fact, problems = judge_report([theirs], wanted(report_change=True))
    assert (fact["fits"], problems) == (False, [])


def test_what_aws_can_change_is_changed_on_request() -> None:
    csv = report(Format="textORcsv", Compression="GZIP", AdditionalArtifacts=[])
    said = problem(csv)
    assert "format is textORcsv, not Parquet; compression is GZIP, not Parquet; additional_artifacts is empty" in said
    assert "To use the report as it is" not in said
    assert "To have AWS change format, compression, additional_artifacts, write billing_data_report_change" in said
    assert problem(csv, report_change=True) == ""


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"TimeUnit": "MONTHLY"}, "time_unit is MONTHLY, not DAILY or HOURLY"),
        ({"AdditionalSchemaElements": []}, "additional_schema_elements is empty, not RESOURCES"),
        ({"ReportVersioning": "CREATE_NEW_REPORT"}, "report_versioning is CREATE_NEW_REPORT, not OVERWRITE_REPORT"),
    ],
)
@pytest.mark.parametrize("change", [False, True])
def test_what_aws_cannot_change_is_refused_always(members: dict[str, Any], said: str, change: bool) -> None:
    text = problem(report(**members), report_change=change)
    assert said in text
    assert "AWS cannot change" in text
    assert "delete the report and let it be made again" in text
    assert "billing_data_report_change" not in text


def test_nothing_has_to_fit_what_is_taken_away() -> None:
    assert problem(report(TimeUnit="MONTHLY"), taken_away=True) == ""
