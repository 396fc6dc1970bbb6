# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivers the reports of CUR definitions, as AWS Billing does several times a day; here, when it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any

from ..gateway import buckets, rights
from ..gateway.buckets import Bucket
from . import tags
from .columns import report_columns
from .documents import Layout, crawler_template, create_table_sql, manifest
from .fleet import Cluster, Fleet
from .line_items import LineItems, periods
from .parquet import report_parquet, status_parquet

SERVICE = "billingreports.amazonaws.com"
TEST_OBJECT = "aws-programmatic-access-test-object"


@dataclass
class Request:
    """Body of POST /_sandbox/deliver.

    `months` periods are delivered, the last one being that of `until` (an ISO date, that day included; none = today),
    with about `rows` line items in all; the same `seed` gives the same rows. Activated cost allocation tags are columns
    (see `tags`, which the keys of the resources are known to afterwards); `tags` are further user tags that get one.
    `discounts` = whether the payer has a private discount (the net columns). `usage_accounts` and `clusters` ([{name,
    account_id, region}]) default to what the sandbox has.
    """

    account_id: str
    report_name: str
    months: int = 3
    rows: int = 3000
    seed: int | str = 1
    until: str | None = None
    tags: list[str] = field(default_factory=list)
    discounts: bool = True
    usage_accounts: list[str] | None = None
    clusters: list[dict[str, str]] | None = None

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Request:
        """ValueError names what the body lacks or has too much."""
        known = {entry.name for entry in fields(cls)}
        if unknown := sorted(set(body) - known):
            raise ValueError(f"deliver does not know {', '.join(unknown)}; it knows {', '.join(sorted(known))}")
        if missing := sorted({"account_id", "report_name"} - set(body)):
            raise ValueError(f"deliver needs {', '.join(missing)}")
        request = cls(**body)
        if not 1 <= request.months <= 36 or request.rows < 1:
            raise ValueError("months must be 1 to 36, rows at least 1")
        return request


def source_context(account: str, report: str) -> list[dict[str, str]]:
    """What billing says about itself (aws:SourceAccount, aws:SourceArn), one entry per form of the ARN.

    AWS' published policy compares aws:SourceArn with `definition/*` by StringEquals, so that literal ARN counts as well
    as the report's own.
    """
    arn = f"arn:aws:cur:us-east-1:{account}:definition"
    return [{"aws:SourceAccount": account, "aws:SourceArn": f"{arn}/{name}"} for name in (report, "*")]


def admitted(account: str, report: str, bucket: Bucket, action: str, key: str | None = None) -> bool:
    """Whether the bucket's policy lets billing do `action` on the bucket, or on the object `key`, for this report."""
    resource = bucket.arn if key is None else f"{bucket.arn}/{key}"
    return any(
        rights.service_admitted(SERVICE, bucket.policy, action, resource, context)
        for context in source_context(account, report)
    )


def key_admitted(account: str, report: str, bucket: Bucket) -> bool:
    """Whether billing may use the customer key of the bucket's default encryption; True when it has none."""
    key = bucket.default_kms_key
    return not key or any(
        rights.service_may_use_key(SERVICE, key, bucket.owner, bucket.region, context)
        for context in source_context(account, report)
    )


def deliver(body: dict[str, Any], state: dict[str, Any], payer: str) -> dict[str, Any]:
    """Deliver one report. `state` is the sandbox' state (accounts, clusters), `payer` manages the account's tags.

    Returns {status, last_delivery, objects: [keys written], rows, columns}; status as in ReportStatus.lastStatus:
    SUCCESS, or ERROR_PERMISSIONS or ERROR_NO_BUCKET with nothing written. ValueError: no such report, bad request.
    """
    from ministack.services import cur

    request = Request.parse(body)
    definition = cur._report_definitions.get_scoped(request.account_id, None, request.report_name)
    if definition is None:
        raise ValueError(f"account {request.account_id} has no report {request.report_name}")
    if "ATHENA" not in definition.get("AdditionalArtifacts", []):
        raise ValueError("only reports with the ATHENA artifact (Parquet) are delivered here")
    now = datetime.now(UTC)
    bucket = buckets.find(definition["S3Bucket"])
    files, rows, columns = _files(request, definition, state, tags.of(payer), now)
    status = _status(request, bucket, files)
    written = []
    if bucket is not None and status == "SUCCESS":
        present = {entry.key for entry in bucket.objects(Layout(definition).root)}
        for key, (data, content_type) in files.items():
            if key.endswith("/crawler-cfn.yml") and key in present:
                continue  # only the first delivery brings it
            bucket.write(key, data, content_type)
            written.append(key)
    report_status = {"lastStatus": status}
    last = f"{now:%Y%m%dT%H%M%SZ}" if written else definition.get("ReportStatus", {}).get("lastDelivery")
    if last:
        report_status["lastDelivery"] = last
    definition["ReportStatus"] = report_status
    return {"status": status, "last_delivery": last, "objects": written, "rows": rows, "columns": columns}


def _status(request: Request, bucket: Bucket | None, files: dict[str, Any]) -> str:
    account, report = request.account_id, request.report_name
    if bucket is None:
        return "ERROR_NO_BUCKET"
    checks = admitted(account, report, bucket, "s3:GetBucketAcl") and admitted(
        account, report, bucket, "s3:GetBucketPolicy"
    )
    writes = all(admitted(account, report, bucket, "s3:PutObject", key) for key in files)
    return "SUCCESS" if checks and writes and key_admitted(account, report, bucket) else "ERROR_PERMISSIONS"


def _files(
    request: Request, definition: dict[str, Any], state: dict[str, Any], known: tags.Tags, now: datetime
) -> tuple[dict[str, tuple[bytes, str]], int, int]:
    """Key -> (content, content type) of all objects in the order AWS writes them, the number of rows and of columns."""
    layout = Layout(definition)
    until = date.fromisoformat(request.until) if request.until else now.date()
    activated = (*known.active, *request.tags)
    columns = report_columns(definition["AdditionalSchemaElements"], activated, request.discounts)
    fleet = Fleet(request.seed, request.account_id, _accounts(request, state), _clusters(request, state))
    lines = LineItems(request.seed, fleet, max(1, round(request.rows / (request.months * 30))), definition["TimeUnit"])
    known.see(lines.tag_keys, until)
    files, count = {layout.crawler: (crawler_template(layout), "text/yaml")}, 0
    for period in periods(until, request.months):
        rows = lines.of(period, until)
        count += len(rows)
        files[layout.data(period)] = (report_parquet(columns, rows), "application/octet-stream")
        files[layout.create_table(period)] = (create_table_sql(layout, columns), "application/octet-stream")
        files[layout.manifest(period)] = (
            manifest(layout, request.account_id, period, columns, f"{now:%Y%m%dT%H%M%SZ}"),
            "application/json",
        )
    files[layout.status] = (status_parquet("READY"), "application/octet-stream")
    return files, count, len(columns)


def _accounts(request: Request, state: dict[str, Any]) -> list[str]:
    if request.usage_accounts is not None:
        return request.usage_accounts
    others = [account for account in state.get("accounts", {}) if account != request.account_id]
    return [request.account_id, *others]


def _clusters(request: Request, state: dict[str, Any]) -> list[Cluster]:
    given = request.clusters
    if given is None:
        given = [{"name": name, **cluster} for name, cluster in state.get("clusters", {}).items()]
    if not given and request.clusters is None:
        # A sandbox without clusters still has a bill with one.
        given = [{"name": "demo", "account_id": _accounts(request, state)[-1], "region": "eu-west-1"}]
    return [Cluster(entry["name"], entry["account_id"], entry["region"]) for entry in given]
