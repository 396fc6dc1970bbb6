# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the texts mean that Kubecost and OpenCost write about the ingestion of billing data. Pure functions, no call.

One table, ``TEXTS``, for lines of their logs and for AWS' own words within them. Sources: OpenCost's packages
pkg/cloud/aws and pkg/cloudcost, Kubecost's troubleshooting pages, and the issues of both projects.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

HARMLESS = "harmless"
DENIED = "denied"
WRONG_TABLE = "wrong_table"
INVALID = "invalid_configuration"
NOT_READ = "not_read"
DISABLED = "disabled"
# The query failed, and the text does not say why.
OPAQUE = "query_failed"


@dataclasses.dataclass(frozen=True)
class Text:
    """What a text means.

    :ivar finding: one of the constants above
    :ivar pattern: found anywhere in the text; its named groups may stand in ``cause`` and ``change``
    :ivar cause: why it is so
    :ivar change: what to do
    """

    finding: str
    pattern: re.Pattern[str]
    cause: str
    change: str


def _text(finding: str, pattern: str, cause: str, change: str) -> Text:
    return Text(finding, re.compile(pattern, re.IGNORECASE), cause, change)


_PRICING = (
    "reserved instances and savings plans are looked up on another way, which reads the pricing configuration and not "
    "cloud-integration.json"
)
_IDENTITY = (
    "Prove the ServiceAccount's identity with kubestrap.aws.workload_identity_probe, which names the side that refuses"
)
_READER = "the policy of the role that reads the billing data (lookup kubestrap.aws.iam_document, billing_data_reader)"
_DOCUMENT = "Write cloud-integration.json anew (filter kubestrap.aws.cloud_integration), then restart the pods"

# The first one that fits counts, so the special ones stand before the general ones.
TEXTS: tuple[Text, ...] = (
    _text(HARMLESS, r"Failed to lookup (?:reserved instance|savings plan) data", _PRICING, ""),
    _text(HARMLESS, r"no reservation data available in Athena", _PRICING, ""),
    _text(HARMLESS, r"No Athena Bucket configured|athena configuration incomplete", _PRICING, ""),
    _text(
        HARMLESS,
        r"failed to load range from back ?up.*file does not exist",
        "no backup of this range was made yet; it is built from Athena instead",
        "",
    ),
    _text(
        DENIED,
        r"User: (?P<user>\S+:assumed-role/\S+/i-[0-9a-f]{8,}) is not authorized",
        "the pods work with the role of their node ({user}), not with that of their ServiceAccount",
        "Annotate the ServiceAccount with its role, then restart the pods",
    ),
    _text(
        DENIED,
        r"No OpenIDConnect provider found",
        "the account of the role has no OpenID Connect provider for the cluster's issuer",
        "Register it: kubestrap.aws.iam_oidc_provider",
    ),
    _text(
        DENIED,
        r"AssumeRoleWithWebIdentity.*(?:AccessDenied|not authorized)|not authorized to perform: "
        r"sts:AssumeRoleWithWebIdentity",
        "the trust policy of the cluster's role does not name this ServiceAccount",
        _IDENTITY,
    ),
    _text(
        DENIED,
        r"InvalidIdentityToken|WebIdentityErr|failed to retrieve jwt",
        "AWS does not accept the token of the ServiceAccount",
        _IDENTITY,
    ),
    _text(
        DENIED,
        r"not authorized to perform: (?P<action>sts:AssumeRole|sts:TagSession)(?: on resource: (?P<on>[^\s\"']+))?",
        "the way on to the payer's role is closed: {action} is not allowed, by the policy of the cluster's role or by "
        "the trust policy of the payer's",
        _IDENTITY,
    ),
    _text(
        DENIED,
        r"Insufficient Lake Formation permission",
        "Lake Formation governs the table and has not granted it to the role",
        "Grant DESCRIBE and SELECT on database and table to the payer's role in Lake Formation",
    ),
    _text(
        DENIED,
        r"Permission denied on S3 path: (?P<path>\S+)",
        "the role may not read the report at {path}",
        f"Allow s3:ListBucket and s3:GetObject on that bucket, and kms:Decrypt on its key, in {_READER}",
    ),
    _text(
        DENIED,
        r"not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<on>[^\s\"']+))?",
        "{action} is not allowed to the role that reads the billing data",
        "Add {action} to " + _READER,
    ),
    _text(
        INVALID,
        r"outputLocation is not a valid S3 path",
        "the location of the results does not begin with s3://",
        _DOCUMENT,
    ),
    _text(
        INVALID,
        r"Unable to verify/create output bucket|Queries of this type are not supported",
        "the bucket of the results does not exist, is in another region than Athena, or the role may not look it up",
        "Correct the location of the results, or allow s3:GetBucketLocation and s3:ListBucket on it in " + _READER,
    ),
    _text(
        INVALID,
        r"WorkGroup (?:\S+ )?is not found",
        "the workgroup does not exist in this region of the payer's account",
        _DOCUMENT,
    ),
    _text(
        WRONG_TABLE,
        r"Column '(?:line_item_resource_id)' cannot be resolved",
        "the report has no resource ids",
        "Make a report with resource ids: kubestrap.aws.cur_report_definition. They cannot be added to a report",
    ),
    _text(
        WRONG_TABLE,
        r"Column '(?:year|month)' cannot be resolved",
        "the table has no partitions by year and month: it was made by hand, or over another kind of report (CUR 2.0), "
        "or another table is named than that of the report",
        "Name the table of a legacy report, or make it: kubestrap.aws.glue_cur_table",
    ),
    _text(
        WRONG_TABLE,
        r"Column '(?P<column>[^']+)' cannot be resolved|COLUMN_NOT_FOUND",
        "the table lacks a column that the query needs",
        "Name the table of a legacy report, or let it follow the report's columns: kubestrap.aws.glue_cur_table",
    ),
    _text(
        WRONG_TABLE,
        r"TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|EntityNotFoundException|(?:Table|Schema|Database) \S+ (?:does not exist|not "
        r"found)|No columns retrieved from Athena",
        "database or table do not exist in the region and account that are configured, or the role may not see them",
        "Correct database, table and region, or make the table: kubestrap.aws.glue_cur_table",
    ),
    _text(
        INVALID,
        r"(?:AthenaConfiguration|AccessKey|AssumeRole): (?:missing|invalid)|provider authorizer type \S+ is not valid",
        "an entry of cloud-integration.json lacks a value or has a wrong one",
        _DOCUMENT,
    ),
    _text(
        NOT_READ,
        r"cannot unmarshal .*MultiCloudConfig|MultiCloudConfig\S* .*cannot unmarshal|PutConfig failed",
        "cloud-integration.json cannot be parsed: a key is missing, or entries of the old and the new form are mixed",
        _DOCUMENT,
    ),
    _text(
        NOT_READ,
        r"cloud-integration\S*: no such file or directory",
        "the pod looks for the file in another place than where the Secret is mounted",
        "Compare the mount of the Secret and CONFIG_PATH with what this version of the chart expects",
    ),
    _text(
        DISABLED,
        r"Cloud Costs? (?:enabled: false|is not enabled|not enabled)|Cloud Cost Pipeline Service is nil",
        "cloud costs are switched off",
        "Switch them on in the chart's values: cloudCost.enabled, or opencost.cloudCost.enabled",
    ),
    _text(
        OPAQUE,
        r"not found, ResolveEndpointV2",
        "this version of Kubecost or OpenCost has parts of the AWS SDK that do not fit each other",
        "Update the chart",
    ),
    _text(
        OPAQUE,
        r"no query results available for query (?P<query>[0-9a-f-]{8,})",
        "the log keeps Athena's reason to itself",
        "Ask Athena for it, in the payer's account: kubestrap.aws.athena_query with query_execution_id {query}",
    ),
    _text(
        DENIED,
        r"AccessDenied|Access Denied|is not authorized|StatusCode: 403",
        "AWS refuses a call of the pods",
        _IDENTITY,
    ),
)

_CONTEXT = re.compile(r"(?:CloudCost|CloudUsage|AthenaIntegration|AthenaQuerier)\]?\[(?P<key>\d{12}/[^\]]*)\]")
_PROGRESS = re.compile(r"coverage \[(?P<from>.+?), (?P<to>.+?)\) \((?P<percent>[0-9.]+) complete\)")
# Level in either log format: `ERR`, or `level=error`. A warning or an error, no more: info lines quote names freely.
_ERROR = re.compile(r"\b(?:ERR|WRN|FTL)\b|level=(?:error|warn|warning|fatal)\b", re.IGNORECASE)
_TOLD_AS_INFO = re.compile(r"No columns retrieved from Athena|Cloud Costs enabled: false")
_STARTED = re.compile(r"creating integration with key: (?P<key>\d{12}/\S*)")


@dataclasses.dataclass(frozen=True)
class Meaning:
    """What one text means.

    :ivar finding: a finding of ``Text``
    :ivar text: the text itself
    :ivar cause: why it is so
    :ivar change: what to do, empty when it is harmless
    :ivar key: the integration it is about, ``<account>/<bucket>``; ``None`` when it does not say
    """

    finding: str
    text: str
    cause: str
    change: str
    key: str | None = None


@dataclasses.dataclass(frozen=True)
class Log:
    """What a log says.

    :ivar lines: how many lines were read
    :ivar harmless: errors that are none for the integration
    :ivar errors: the others that are known, oldest first; those that a later success has made good are left out
    :ivar progress: integration -> percent of the first build that is done (Kubecost 1)
    :ivar started: integrations that the log names
    """

    lines: int = 0
    harmless: tuple[Meaning, ...] = ()
    errors: tuple[Meaning, ...] = ()
    progress: t.Mapping[str, float] = dataclasses.field(default_factory=dict)
    started: tuple[str, ...] = ()

    def error_of(self, key: str) -> Meaning | None:
        """The newest error of an integration; one that says why is preferred to one that does not."""
        mine = [error for error in self.errors if error.key is None or same_key(error.key, key)]
        telling = [error for error in mine if error.finding != OPAQUE]
        return (telling or mine or [None])[-1]

    def percent_of(self, key: str) -> float | None:
        """How much of an integration's first build is done."""
        return next((percent for known, percent in self.progress.items() if same_key(known, key)), None)


def meaning_of(text: str) -> Meaning | None:
    """What a text means, ``None`` when it is not known."""
    for known in TEXTS:
        found = known.pattern.search(text)
        if found:
            names = {name: (value or "").rstrip(".,)") for name, value in found.groupdict().items()}
            cause, change = known.cause.format_map(names), known.change.format_map(names)
            return Meaning(known.finding, text.strip(), cause, change, _key_in(text))
    return None


def read_log(lines: t.Iterable[str]) -> Log:
    """What the lines of a log say, oldest first."""
    count = 0
    harmless: list[Meaning] = []
    errors: list[Meaning] = []
    progress: dict[str, float] = {}
    started: dict[str, None] = {}
    for line in lines:
        count += 1
        key = _key_in(line)
        done = _PROGRESS.search(line)
        if key:
            started[key] = None
        if done and key:
            progress[key] = float(done["percent"])
            errors = [error for error in errors if error.key is not None and error.key != key]
            continue
        if not _ERROR.search(line) and not _TOLD_AS_INFO.search(line):
            continue
        meaning = meaning_of(line)
        if meaning:
            (harmless if meaning.finding == HARMLESS else errors).append(meaning)
    return Log(count, tuple(harmless), tuple(errors), progress, tuple(started))


def same_key(one: str, other: str) -> bool:
    """Whether two keys ``<account>/<bucket>`` mean the same integration: a slash at the end makes no difference."""
    return one.rstrip("/") == other.rstrip("/")


def _key_in(line: str) -> str | None:
    found = _CONTEXT.search(line) or _STARTED.search(line)
    return found["key"] if found else None
