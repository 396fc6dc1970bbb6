# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The query of the proof, and what its end means. Table and query themselves are tried in the sandbox."""

from __future__ import annotations

import dataclasses
import datetime

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_billing as billing

ROLE = "arn:aws:iam::111111111111:role/kubecost-cur-access"
ATHENA = billing.Athena("us-east-1", "kubecost", "billing", "kubecost", "s3://acme/x", ("a", "b"), delivered=True)
SELECT = 'SELECT "a", "b" FROM "billing"."kubecost"'


@pytest.mark.parametrize(
    ("partitions", "today", "where"),
    [
        (
            ["year", "month"],
            datetime.date(2026, 3, 31),
            " WHERE (\"year\" = '2026' AND \"month\" = '3') OR (\"year\" = '2026' AND \"month\" = '2')",
        ),
        (
            ["month", "year"],
            datetime.date(2026, 1, 1),
            " WHERE (\"year\" = '2026' AND \"month\" = '1') OR (\"year\" = '2025' AND \"month\" = '12')",
        ),
        (
            ["billing_period"],
            datetime.date(2026, 1, 15),
            " WHERE \"billing_period\" = '2026-01' OR \"billing_period\" = '2025-12'",
        ),
        ([], datetime.date(2026, 1, 15), ""),
    ],
)
def test_the_query_reads_two_partitions_at_most(partitions: list[str], today: datetime.date, where: str) -> None:
    assert billing.probe_sql(ATHENA, partitions, today) == f"{SELECT}{where} LIMIT 1"


def test_a_row_is_a_proof() -> None:
    link = billing.query_link("SUCCEEDED", 1, "", ATHENA, ROLE)
    assert (link.link, link.state) == ("query", "ok")


def test_no_row_before_the_first_delivery_is_pending() -> None:
    waiting = dataclasses.replace(ATHENA, delivered=False)
    link = billing.query_link("SUCCEEDED", 0, "", waiting, ROLE)
    assert link.state == "pending"
    assert "24 hours" in link.cause


def test_no_row_after_a_delivery_is_a_failure() -> None:
    link = billing.query_link("SUCCEEDED", 0, "", ATHENA, ROLE)
    assert link.state == "failed"
    assert "partitions" in link.change


@pytest.mark.parametrize("state", ["CANCELLED", "RUNNING"])
def test_a_query_that_does_not_end_well(state: str) -> None:
    link = billing.query_link(state, 0, "", ATHENA, ROLE)
    assert link.state == "failed"
    assert state in link.detail


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("COLUMN_NOT_FOUND: line 1:8: Column 'a' cannot be resolved", "lacks a column"),
        ("TABLE_NOT_FOUND: line 1:15: Table does not exist", "does not exist"),
        ("HIVE_BAD_DATA: Field a's type INT64 is incompatible", "not that of the report's files"),
        ("TYPE_MISMATCH: line 1", "another type"),
        ("Bytes scanned limit was exceeded", "scan limit"),
        ("Permission denied on S3 path: s3://acme/report", f"{ROLE} lacks a right"),
        (
            f"User: {ROLE} is not authorized to perform: glue:GetTable on resource: arn:aws:glue:x",
            "allows glue:GetTable on arn:aws:glue:x",
        ),
        ("GENERIC_INTERNAL_ERROR: null", "Athena's own reason"),
    ],
)
def test_why_a_query_fails(reason: str, cause: str) -> None:
    link = billing.query_link("FAILED", 0, reason, ATHENA, ROLE)
    assert link.state == "failed"
    assert cause in link.cause
    assert reason in link.detail


@pytest.mark.parametrize(
    ("reason", "lacks"),
    [
        ("Permission denied on S3 path", True),
        ("Access denied when writing output to url", True),
        ("Insufficient Lake Formation permission(s)", True),
        ("COLUMN_NOT_FOUND: line 1:8", False),
    ],
)
def test_what_is_a_missing_right(reason: str, lacks: bool) -> None:
    assert billing.lacks_right(reason) is lacks
