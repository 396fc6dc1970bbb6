# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cost and Usage Reports (CUR 1.0): input checks and reading; the plan is in ``_cur_report_plan``.

API reference: AWS Cost and Usage Report Service. AWS answers a combination that it does not accept with a
ValidationException without text, so that every rule is checked here before a call is made.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ._connection import AwsConnection
from ._errors import error_handler
from ._identifiers import refuse
from ._plan import gather
from ._regions import check_region
from ._s3_names import check_bucket_name

_CurError = error_handler("ResourceNotFoundException")

Report = dict[str, t.Any]  # report_name, arn, the keys of PROPERTIES, report_status, location; tags where asked for

# Option of the module -> member of ReportDefinition.
PROPERTIES = {
    "time_unit": "TimeUnit",
    "format": "Format",
    "compression": "Compression",
    "additional_schema_elements": "AdditionalSchemaElements",
    "s3_bucket": "S3Bucket",
    "s3_prefix": "S3Prefix",
    "s3_region": "S3Region",
    "additional_artifacts": "AdditionalArtifacts",
    "refresh_closed_reports": "RefreshClosedReports",
    "report_versioning": "ReportVersioning",
}
# What a new report gets where the task says nothing: the form that Kubecost and OpenCost query through Athena.
DEFAULTS: t.Mapping[str, t.Any] = {
    "time_unit": "DAILY",
    "format": "Parquet",
    "compression": "Parquet",
    "additional_schema_elements": ["RESOURCES"],
    "additional_artifacts": ["ATHENA"],
    "refresh_closed_reports": True,
    "report_versioning": "OVERWRITE_REPORT",
}
MAX_TAGS = 200
_MAX_LENGTH = 256
_EXAMPLE = "for example kubecost-cur"


@dataclasses.dataclass(frozen=True)
class ReportId:
    """What a report is known by.

    :ivar region: of the service, not of the bucket
    """

    name: str
    region: str
    account_id: str
    partition: str

    @property
    def arn(self) -> str:
        """The ARN follows from the name."""
        return f"arn:{self.partition}:cur:{self.region}:{self.account_id}:definition/{self.name}"


def service_region(connection: AwsConnection) -> str:
    """The one region in which the service is: ``us-east-1``, in China ``cn-northwest-1``, whatever the task's region.

    :raises AnsibleAWSError: the partition has no Cost and Usage Reports
    """
    regions = connection.session.get_available_regions("cur", partition_name=connection.partition)
    if not regions:
        refuse(
            "region",
            connection.region,
            f"is in the partition {connection.partition}, which has no Cost and Usage Reports",
            "Define the report in the payer account, which is in another partition",
        )
    return regions[0]


def delivery_regions(connection: AwsConnection, region: str) -> list[str]:
    """The regions of buckets that AWS delivers into, as the SDK knows them (no call)."""
    return connection.client("cur", region).meta.service_model.shape_for("AWSRegion").enum


def with_defaults(wanted: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The properties of a new report, lists sorted.

    :param wanted: the keys of ``PROPERTIES``; ``None`` where the task says nothing
    """
    given = {key: value for key, value in wanted.items() if value is not None}
    return {key: sorted(value) if isinstance(value, list) else value for key, value in {**DEFAULTS, **given}.items()}


# --- input checks


def check_report_name(option: str, value: str) -> None:
    """Refuse a name that AWS would refuse."""
    if not value:
        refuse(option, value, "is empty", f"Write the name of the report, {_EXAMPLE}")
    if not re.fullmatch(r"[0-9A-Za-z!\-_.*'()]+", value):
        write = f"Use letters, digits, '-' and '_' only (names of database and table derive from it), {_EXAMPLE}"
        refuse(option, value, "is not the name of a report", write)
    if len(value) > _MAX_LENGTH:
        refuse(option, value, f"has {len(value)} characters", f"Write at most {_MAX_LENGTH}")


def check_report_prefix(option: str, value: str) -> None:
    """Refuse a prefix under which AWS would not deliver for Athena, or not where one would look for it."""
    if value.startswith("s3://"):
        folder = value.removeprefix("s3://").partition("/")[2].strip("/") or "cur"
        refuse(option, value, "is an S3 URL, not a folder in the bucket", f"Write {folder}")
    if not value.strip("/"):
        refuse(option, value, "is no folder, and a report for Athena needs one", "Write one, for example cur")
    if value != value.strip("/") or "//" in value:
        folder = re.sub("/+", "/", value.strip("/"))
        refuse(option, value, "has a slash too many, which makes a folder without a name", f"Write {folder}")
    if not re.fullmatch(r"[0-9A-Za-z!\-_.*'()/]+", value):
        refuse(option, value, "is not a prefix of a report", "Use letters, digits, '-', '_', '.' and '/' only")
    if len(value) > _MAX_LENGTH:
        refuse(option, value, f"has {len(value)} characters", f"Write at most {_MAX_LENGTH}")


def check_properties(wanted: t.Mapping[str, t.Any], regions: t.Sequence[str]) -> None:
    """Refuse what AWS refuses, often without saying why.

    :param wanted: the keys of ``PROPERTIES``, with those of ``DEFAULTS`` set
    :param regions: those of ``delivery_regions``
    :raises AnsibleAWSError: names the option, the value and what to write
    """
    check_bucket_name("s3_bucket", wanted["s3_bucket"])
    artifacts = wanted["additional_artifacts"] or []
    for_athena = "ATHENA" in artifacts
    if for_athena or wanted["s3_prefix"]:
        check_report_prefix("s3_prefix", wanted["s3_prefix"])
    region = wanted["s3_region"]
    if region not in regions:
        check_region("s3_region", region)
        write = "Make the bucket in one that it knows, for example eu-west-1"
        refuse("s3_region", region, "is not a region into which AWS delivers Cost and Usage Reports", write)
    is_parquet = wanted["format"] == "Parquet"
    if is_parquet and wanted["compression"] != "Parquet":
        refuse("compression", wanted["compression"], "cannot be used with format Parquet", "Write Parquet")
    if not is_parquet and wanted["compression"] == "Parquet":
        refuse("compression", "Parquet", "cannot be used with format textORcsv", "Write GZIP or ZIP")
    if for_athena:
        _check_athena(artifacts, wanted)
    elif is_parquet and artifacts:
        others = ", ".join(artifacts)
        refuse("additional_artifacts", others, "cannot be used with format Parquet", "Write textORcsv as format")


def _check_athena(artifacts: list[str], wanted: t.Mapping[str, t.Any]) -> None:
    if len(set(artifacts)) > 1:
        problem = "has more than ATHENA, which must be alone"
        refuse("additional_artifacts", ", ".join(artifacts), problem, "Write ATHENA")
    if wanted["format"] != "Parquet":
        refuse("format", wanted["format"], "cannot be used with additional_artifacts ATHENA", "Write Parquet")
    if wanted["report_versioning"] != "OVERWRITE_REPORT":
        problem = "cannot be used with additional_artifacts ATHENA"
        refuse("report_versioning", wanted["report_versioning"], problem, "Write OVERWRITE_REPORT")


def check_tags(option: str, tags: t.Mapping[str, str]) -> None:
    """Refuse more tags than a report can have."""
    if len(tags) > MAX_TAGS:
        refuse(option, f"{len(tags)} tags", "are too many", f"A report has at most {MAX_TAGS}")


# --- reading


def read(connection: AwsConnection, report: ReportId, with_tags: bool = False) -> Report | None:
    """The report, ``None`` when it does not exist (a call for each five reports of the account, and one for tags)."""
    reads: dict[str, t.Callable[[], t.Any]] = {"definition": lambda: _find(connection, report)}
    if with_tags:
        reads["tags"] = lambda: _read_tags(connection, report)
    found = gather(reads)
    if found["definition"] is None:
        return None
    resource = shape(report, found["definition"])
    return {**resource, "tags": found["tags"]} if with_tags else resource


def read_definitions(connection: AwsConnection, region: str, account_id: str) -> list[Report]:
    """All reports of the account, without their tags (a call for each five)."""
    partition = connection.partition
    return [
        shape(ReportId(definition["ReportName"], region, account_id, partition), definition)
        for definition in _definitions(connection, region)
    ]


def read_all(connection: AwsConnection, region: str, account_id: str) -> list[Report]:
    """All reports of the account, by name, with their tags (one call for the tags of each)."""
    definitions = {definition["ReportName"]: definition for definition in _definitions(connection, region)}
    ids = {name: ReportId(name, region, account_id, connection.partition) for name in sorted(definitions)}
    tags = gather({name: lambda report=report: _read_tags(connection, report) for name, report in ids.items()})
    return [{**shape(report, definitions[name]), "tags": tags[name]} for name, report in ids.items()]


def shape(report: ReportId, definition: t.Mapping[str, t.Any]) -> Report:
    """A ReportDefinition of the API as the modules return it."""
    resource: Report = {"report_name": report.name, "arn": report.arn}
    for option, member in PROPERTIES.items():
        value = definition.get(member)
        resource[option] = sorted(value) if isinstance(value, list) else value
    resource["additional_artifacts"] = resource["additional_artifacts"] or []
    resource["report_versioning"] = resource["report_versioning"] or "CREATE_NEW_REPORT"
    if definition.get("BillingViewArn"):
        resource["billing_view_arn"] = definition["BillingViewArn"]
    status = definition.get("ReportStatus") or {}
    resource["report_status"] = {
        "last_delivery": status.get("lastDelivery"),
        "last_status": status.get("lastStatus"),
    }
    resource["location"] = location(definition["S3Bucket"], definition.get("S3Prefix") or "", report.name)
    return resource


def location(bucket: str, prefix: str, name: str) -> str:
    """Where the data of a report lies: the name is there twice, and below it are year and month."""
    folders = "/".join(part for part in (bucket, prefix, name, name) if part)
    return f"s3://{folders}/"


@_CurError.common_error_handler("read the Cost and Usage Reports")
def _definitions(connection: AwsConnection, region: str) -> list[dict[str, t.Any]]:
    return list(_each(connection, region))


@_CurError.common_error_handler("read the Cost and Usage Reports")
def _find(connection: AwsConnection, report: ReportId) -> dict[str, t.Any] | None:
    """The definition of this name; pages after it are not asked for."""
    return next((found for found in _each(connection, report.region) if found["ReportName"] == report.name), None)


def _each(connection: AwsConnection, region: str) -> t.Iterator[dict[str, t.Any]]:
    # A page has five, and MaxResults can be nothing else.
    paginator = connection.client("cur", region).get_paginator("describe_report_definitions")
    for page in paginator.paginate():
        yield from page.get("ReportDefinitions", [])


@_CurError.list_error_handler("read the tags of the Cost and Usage Report", {})
def _read_tags(connection: AwsConnection, report: ReportId) -> dict[str, str]:
    answer = connection.client("cur", report.region).list_tags_for_resource(ReportName=report.name)
    return boto3_tag_list_to_ansible_dict(answer.get("Tags", []))
