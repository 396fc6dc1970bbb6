# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost and Usage Reports: what is refused before a call, and what is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _cur_report as cur
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from botocore.stub import Stubber

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
REGIONS = ["us-east-1", "eu-west-1", "cn-north-1"]


def current() -> cur.Report:
    """The report as it was read."""
    return cur.shape(REPORT, {**DEFINITION, **STATUS})


def test_shape() -> None:
    assert current() == {
        **WANTED,
        "report_name": "kubecost",
        "arn": "arn:aws:cur:us-east-1:111111111111:definition/kubecost",
        "report_status": {"last_delivery": "20260131T120000Z", "last_status": "SUCCESS"},
        "location": "s3://example-reports/cur/kubecost/kubecost/",
    }


def test_shape_of_a_report_that_has_little() -> None:
    few = {key: DEFINITION[key] for key in ("ReportName", "TimeUnit", "S3Bucket")}
    report = cur.shape(REPORT, {**few, "S3Prefix": "", "AdditionalSchemaElements": []})
    assert report["report_versioning"] == "CREATE_NEW_REPORT"
    assert report["additional_artifacts"] == []
    assert report["report_status"] == {"last_delivery": None, "last_status": None}
    assert report["location"] == "s3://example-reports/kubecost/kubecost/"


@pytest.fixture
def connection() -> AwsConnection:
    """One in a region in which the service is not."""
    credentials = {"aws_access_key_id": "example-access-key", "aws_secret_access_key": "example-secret-key"}
    return AwsConnection("eu-west-1", None, credentials)


@pytest.fixture
def api(connection: AwsConnection) -> Iterator[Stubber]:
    """The API that answers in us-east-1."""
    with Stubber(connection.client("cur", "us-east-1")) as stubber:
        yield stubber


def page(*names: str, token: str | None = None) -> dict[str, Any]:
    """A page of reports."""
    reports = [{**DEFINITION, **STATUS, "ReportName": name} for name in names]
    return {"ReportDefinitions": reports, **({"NextToken": token} if token else {})}


def test_the_region_of_the_service(connection: AwsConnection) -> None:
    assert cur.service_region(connection) == "us-east-1"
    assert cur.service_region(AwsConnection("cn-north-1")) == "cn-northwest-1"
    with pytest.raises(AnsibleAWSError, match="aws-us-gov, which has no Cost and Usage Reports"):
        cur.service_region(AwsConnection("us-gov-west-1"))


def test_the_regions_of_buckets_are_the_sdks(connection: AwsConnection) -> None:
    assert set(cur.delivery_regions(connection, "us-east-1")) >= set(REGIONS)


def test_pages_after_the_report_are_not_read(connection: AwsConnection, api: Stubber) -> None:
    api.add_response("describe_report_definitions", page("a", token="2"))
    api.add_response("describe_report_definitions", page("kubecost", token="3"), {"NextToken": "2"})
    assert cur.read(connection, REPORT) == current()
    api.assert_no_pending_responses()


def test_a_report_that_does_not_exist(connection: AwsConnection, api: Stubber) -> None:
    api.add_response("describe_report_definitions", page("a", "kubecost2"))
    assert cur.read(connection, REPORT) is None


def test_all_reports_with_their_tags(connection: AwsConnection, monkeypatch: pytest.MonkeyPatch, api: Stubber) -> None:
    monkeypatch.setattr(cur, "_read_tags", lambda _connection, report: {"of": report.name})
    api.add_response("describe_report_definitions", page("b", token="2"))
    api.add_response("describe_report_definitions", page("a"), {"NextToken": "2"})
    found = cur.read_all(connection, "us-east-1", "111111111111")
    assert [(report["report_name"], report["tags"]) for report in found] == [("a", {"of": "a"}), ("b", {"of": "b"})]
    assert found[0]["arn"] == "arn:aws:cur:us-east-1:111111111111:definition/a"


def test_tags_of_a_report_that_does_not_exist(connection: AwsConnection, api: Stubber) -> None:
    api.add_client_error("list_tags_for_resource", "ResourceNotFoundException")
    assert cur._read_tags(connection, REPORT) == {}


def test_a_refusal_names_what_was_tried(connection: AwsConnection, api: Stubber) -> None:
    api.add_client_error("describe_report_definitions", "AccessDeniedException")
    with pytest.raises(AnsibleAWSError, match="Failed to read the Cost and Usage Reports"):
        cur.read(connection, REPORT)


CSV = {"format": "textORcsv", "compression": "GZIP", "additional_artifacts": []}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"time_unit": "HOURLY", "additional_schema_elements": []},
        {**CSV, "s3_prefix": ""},
        {**CSV, "compression": "ZIP", "additional_artifacts": ["REDSHIFT", "QUICKSIGHT"]},
        {**CSV, "report_versioning": "CREATE_NEW_REPORT"},
        {"additional_artifacts": [], "report_versioning": "CREATE_NEW_REPORT"},
        {"s3_prefix": "a/b-c_d.e", "s3_region": "cn-north-1"},
    ],
)
def test_good_combinations(changes: dict[str, Any]) -> None:
    cur.check_properties({**WANTED, **changes}, REGIONS)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"s3_bucket": "Bad_Bucket"}, "s3_bucket: 'Bad_Bucket'"),
        ({"s3_region": "il-central-1"}, "s3_region: 'il-central-1'"),
        ({"s3_prefix": ""}, "s3_prefix: ''"),
        ({"s3_prefix": "/"}, "s3_prefix: '/'"),
        ({"compression": "GZIP"}, "compression: 'GZIP' cannot be used with format Parquet"),
        ({"format": "textORcsv"}, "compression: 'Parquet' cannot be used with format textORcsv"),
        ({**CSV, "additional_artifacts": ["ATHENA"]}, "format: 'textORcsv' cannot be used with additional_artifacts"),
        ({"additional_artifacts": ["ATHENA", "QUICKSIGHT"]}, "additional_artifacts: 'ATHENA, QUICKSIGHT'"),
        ({"additional_artifacts": ["QUICKSIGHT"]}, "additional_artifacts: 'QUICKSIGHT' cannot be used with"),
        ({"report_versioning": "CREATE_NEW_REPORT"}, "report_versioning: 'CREATE_NEW_REPORT'"),
    ],
)
def test_bad_combinations(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleAWSError) as refused:
        cur.check_properties({**WANTED, **changes}, REGIONS)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize("name", ["kubecost", "Kubecost_2-x", "a.b!c*(d)'e", "x" * 256])
def test_good_names(name: str) -> None:
    cur.check_report_name("name", name)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 257, "s3://x", "kubecost\n"])
def test_bad_names(name: str) -> None:
    with pytest.raises(AnsibleAWSError, match="^report: "):
        cur.check_report_name("report", name)


@pytest.mark.parametrize("prefix", ["cur", "a/b", "x" * 256])
def test_good_prefixes(prefix: str) -> None:
    cur.check_report_prefix("prefix", prefix)


@pytest.mark.parametrize(
    ("prefix", "write"),
    [
        ("/cur", "Write cur"),
        ("a//b/", "Write a/b"),
        ("s3://bucket/a/b/", "Write a/b"),
        ("s3://bucket", "Write cur"),
        ("a b", "only"),
        ("", "Write one"),
        ("x" * 257, "at most 256"),
    ],
)
def test_bad_prefixes(prefix: str, write: str) -> None:
    with pytest.raises(AnsibleAWSError) as refused:
        cur.check_report_prefix("prefix", prefix)
    assert str(refused.value).startswith(f"prefix: '{prefix}'")
    assert write in str(refused.value)
