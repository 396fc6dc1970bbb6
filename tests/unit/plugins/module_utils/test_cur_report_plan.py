# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a Cost and Usage Report, and what takes it away."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _cur_report as cur
from ansible_collections.kubestrap.aws.plugins.module_utils._cur_report_plan import plan_absent, plan_present

REPORT = cur.ReportId("kubecost", "us-east-1", "111111111111", "aws")
WANTED: dict[str, Any] = {
    "time_unit": "DAILY",
    "format": "Parquet",
    "compression": "Parquet",
    "additional_schema_elements": ["RESOURCES"],
    "s3_bucket": "example-reports",
    "s3_prefix": "cur",
    "s3_region": "eu-west-1",
    "additional_artifacts": ["ATHENA"],
    "refresh_closed_reports": True,
    "report_versioning": "OVERWRITE_REPORT",
}
DEFINITION = {"ReportName": "kubecost", **{member: WANTED[option] for option, member in cur.PROPERTIES.items()}}
STATUS = {"ReportStatus": {"lastDelivery": "20260131T120000Z", "lastStatus": "SUCCESS"}}
OWNER = {"managed-by": "example"}
# What a task says that leaves the form of the report open.
PLACE = {option: value if option.startswith("s3_") else None for option, value in WANTED.items()}


def current(tags: dict[str, str] | None = None, **changes: Any) -> cur.Report:
    """The report as it was read."""
    report = cur.shape(REPORT, {**DEFINITION, **STATUS, **changes})
    return report if tags is None else {**report, "tags": tags}


class TestPresent:
    def test_from_nothing(self) -> None:
        plan = plan_present(REPORT, None, WANTED, {"team": "platform"}, True, OWNER)
        (put,) = plan.changes
        assert (put.service, put.method, put.region) == ("cur", "put_report_definition", "us-east-1")
        assert put.params["ReportDefinition"] == DEFINITION
        assert {tag["Key"]: tag["Value"] for tag in put.params["Tags"]} == {"team": "platform", **OWNER}
        assert put.retry_codes == ("ValidationException",)
        assert put.attempts == 5
        assert "billingreports.amazonaws.com" in put.hints["ValidationException"]
        assert plan.after == {
            **current({"team": "platform", **OWNER}),
            "report_status": {"last_delivery": None, "last_status": None},
        }

    def test_without_tags(self) -> None:
        plan = plan_present(REPORT, None, WANTED)
        assert "Tags" not in plan.changes[0].params
        assert "tags" not in (plan.after or {})

    def test_no_change(self) -> None:
        assert plan_present(REPORT, current(), WANTED).changes == []
        assert plan_present(REPORT, current({"a": "b"}), WANTED, {"a": "b"}).changes == []

    def test_the_order_of_lists_is_none(self) -> None:
        both = ["SPLIT_COST_ALLOCATION_DATA", "RESOURCES"]
        found = current(AdditionalSchemaElements=both[::-1])
        assert plan_present(REPORT, found, {**WANTED, "additional_schema_elements": both}).changes == []

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("s3_bucket", "other-reports"),
            ("s3_prefix", "other"),
            ("s3_region", "us-east-1"),
            ("format", "textORcsv"),
            ("compression", "GZIP"),
            ("additional_artifacts", []),
            ("refresh_closed_reports", False),
        ],
    )
    def test_each_difference(self, option: str, value: Any) -> None:
        plan = plan_present(REPORT, current(), {**WANTED, option: value})
        (modify,) = plan.changes
        assert modify.method == "modify_report_definition"
        assert modify.params["ReportName"] == "kubecost"
        assert modify.params["ReportDefinition"] == {**DEFINITION, cur.PROPERTIES[option]: value}
        assert plan.after is not None
        assert plan.after[option] == value
        assert plan.after["report_status"] == current()["report_status"]

    def test_the_billing_view_is_kept(self) -> None:
        view = "arn:aws:billing::111111111111:billingview/primary"
        plan = plan_present(REPORT, current(BillingViewArn=view), {**WANTED, "s3_prefix": "other"})
        assert plan.changes[0].params["ReportDefinition"]["BillingViewArn"] == view

    @pytest.mark.parametrize(
        ("option", "value", "says"),
        [
            ("time_unit", "HOURLY", "time_unit is DAILY, not HOURLY"),
            ("additional_schema_elements", [], "additional_schema_elements is RESOURCES, not empty"),
            ("report_versioning", "CREATE_NEW_REPORT", "report_versioning is OVERWRITE_REPORT, not CREATE_NEW_REPORT"),
        ],
    )
    def test_what_aws_cannot_change(self, option: str, value: Any, says: str) -> None:
        with pytest.raises(AnsibleAWSError) as refused:
            plan_present(REPORT, current(), {**WANTED, option: value, "s3_prefix": "other"})
        assert says in str(refused.value)
        assert "Nothing was changed" in str(refused.value)
        assert "s3_prefix" not in str(refused.value)

    def test_a_new_report_gets_the_defaults(self) -> None:
        assert plan_present(REPORT, None, PLACE) == plan_present(REPORT, None, WANTED)

    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"TimeUnit": "HOURLY"},
            {"AdditionalSchemaElements": ["RESOURCES", "SPLIT_COST_ALLOCATION_DATA"]},
            {"RefreshClosedReports": False},
        ],
    )
    def test_an_existing_report_that_serves_is_left_as_it_is(self, more: dict[str, Any]) -> None:
        plan = plan_present(REPORT, current(**more), PLACE)
        assert plan.changes == []
        assert plan.after == current(**more)

    def test_another_change_keeps_what_the_report_has_more(self) -> None:
        more = {"TimeUnit": "HOURLY", "AdditionalSchemaElements": ["RESOURCES", "SPLIT_COST_ALLOCATION_DATA"]}
        (modify,) = plan_present(REPORT, current(**more), {**PLACE, "s3_prefix": "other"}).changes
        assert modify.params["ReportDefinition"] == {**DEFINITION, **more, "S3Prefix": "other"}

    @pytest.mark.parametrize(
        ("less", "says"),
        [
            ({"TimeUnit": "MONTHLY"}, "time_unit is MONTHLY, not DAILY or HOURLY"),
            (
                {"AdditionalSchemaElements": ["SPLIT_COST_ALLOCATION_DATA"]},
                "additional_schema_elements is SPLIT_COST_ALLOCATION_DATA, not RESOURCES",
            ),
            ({"ReportVersioning": "CREATE_NEW_REPORT"}, "report_versioning is CREATE_NEW_REPORT, not OVERWRITE_REPORT"),
            (
                {"Format": "textORcsv", "Compression": "GZIP", "AdditionalArtifacts": ["REDSHIFT"]},
                "format is textORcsv, not Parquet; compression is GZIP, not Parquet; additional_artifacts is REDSHIFT, "
                "not ATHENA",
            ),
        ],
    )
    def test_an_existing_report_that_does_not_serve(self, less: dict[str, Any], says: str) -> None:
        with pytest.raises(AnsibleAWSError) as refused:
            plan_present(REPORT, current(**less), PLACE)
        assert f"is a report that exists and does not fit: {says}. Nothing was changed" in str(refused.value)
        assert ("AWS can change format" in str(refused.value)) is ("Format" in less)

    def test_what_the_task_sets_is_not_asked_to_serve(self) -> None:
        assert plan_present(REPORT, current(TimeUnit="MONTHLY"), {**PLACE, "time_unit": "MONTHLY"}).changes == []

    def test_tags(self) -> None:
        found = current({"old": "1", "same": "1", **OWNER})
        plan = plan_present(REPORT, found, WANTED, {"same": "1", "new": "1"}, True, OWNER)
        assert [change.method for change in plan.changes] == ["untag_resource", "tag_resource"]
        assert plan.changes[0].params == {"ReportName": "kubecost", "TagKeys": ["old"]}
        assert plan.changes[1].params == {"ReportName": "kubecost", "Tags": [{"Key": "new", "Value": "1"}]}
        assert (plan.after or {})["tags"] == {"same": "1", "new": "1", **OWNER}

    def test_tags_that_are_not_purged(self) -> None:
        plan = plan_present(REPORT, current({"old": "1"}), WANTED, {"new": "1"}, False, OWNER)
        assert [change.method for change in plan.changes] == ["tag_resource"]
        assert (plan.after or {})["tags"] == {"old": "1", "new": "1"}

    def test_too_many_tags(self) -> None:
        with pytest.raises(AnsibleAWSError, match="at most 200"):
            plan_present(REPORT, None, WANTED, {f"tag{number}": "" for number in range(201)})


class TestAbsent:
    def test_it_goes(self) -> None:
        (delete,) = plan_absent(REPORT, current()).changes
        assert (delete.method, delete.params) == ("delete_report_definition", {"ReportName": "kubecost"})

    def test_it_is_gone(self) -> None:
        assert plan_absent(REPORT, None, OWNER).changes == []

    def test_someone_else_made_it(self) -> None:
        plan = plan_absent(REPORT, current({"team": "x"}), OWNER)
        assert plan.changes == []
        assert "managed-by=example" in (plan.kept or "")

    def test_it_is_ours(self) -> None:
        assert len(plan_absent(REPORT, current(OWNER), OWNER).changes) == 1
