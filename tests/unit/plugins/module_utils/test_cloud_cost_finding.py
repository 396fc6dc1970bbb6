# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told about an integration, from the status page, the log and the proof."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_finding import (
    PATIENCE,
    STATES,
    Expected,
    Finding,
    findings,
    findings_of_log,
    verdict,
    waits,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_status import Log, read_log

ACCOUNT, BUCKET = "111111111111", "s3://results/kubecost"
KEY = f"{ACCOUNT}/{BUCKET}"
PROVED = {
    "state": "proved",
    "query": {"rows": 1},
    "links": [{"link": "query", "state": "ok", "detail": "", "cause": ""}],
}
DENIED = (
    f"ERR CloudCost[{KEY}]: ingestor: build failed: api error AccessDenied: User: arn:aws:sts::2:assumed-role/k/1 is "
)
DENIED += "not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111111111111:role/reader"
OPAQUE = f"ERR CloudCost[{KEY}]: ingestor: build failed: no query results available for query 5c1a7a4e-0000"


def item(status: str, **fields: Any) -> dict[str, Any]:
    """An element of the status page."""
    made = {"key": KEY, "active": True, "valid": True, "connectionStatus": status, "runs": 1, "source": "multicloud"}
    return {**made, "nextRun": "2026-01-01T06:00:00Z", "coverage": "[a, b)", **fields}


def expected(**fields: Any) -> Expected:
    """What the task asks for."""
    return Expected(**{"account_id": ACCOUNT, "bucket": f"{BUCKET}/", **fields})


def proof(link: str, detail: str) -> dict[str, Any]:
    """A proof of which one link failed."""
    failed = {"link": link, "state": "failed", "detail": detail, "cause": "its cause", "change": "its change"}
    return {"state": "failed", "query": None, "links": [failed]}


def only(page: list[dict[str, Any]], log: Log | None = None, *wishes: Expected) -> Finding:
    """The verdict."""
    return verdict(findings(page, log or Log(), wishes))


def test_success() -> None:
    found = only([item("Connection Successful")], None, expected())
    assert (found.finding, found.state) == ("working", "ok")
    assert found.key == KEY
    assert found.detail == "Connection Successful, 1 runs, coverage [a, b)"


@pytest.mark.parametrize("status", ["No Connection", ""])
def test_the_first_query_is_waited_for(status: str) -> None:
    assert only([item(status)]).finding == "starting"
    assert only([item(status)], read_log([DENIED])).finding == "denied", "unless the log knows already how it ends"


def test_data_missing_before_the_delivery_is_nothing_to_mend() -> None:
    found = only([item("Data Missing")], None, expected(delivered=False))
    assert (found.finding, found.state) == ("not_delivered", "pending")
    assert "AWS has not delivered the report of account 111111111111" in found.cause
    assert "the next run is at 2026-01-01T06:00:00Z" in found.change


def test_data_missing_after_the_delivery_is_an_empty_query() -> None:
    found = only([item("Data Missing")], None, expected(delivered=True))
    assert (found.finding, found.state) == ("empty_query", "failed")
    assert "partitions" in found.cause
    assert "kubestrap.aws.athena_query" in found.change


def test_data_missing_while_the_proof_sees_rows_needs_another_run_only() -> None:
    found = only([item("Data Missing")], None, expected(delivered=True, proof=PROVED))
    assert (found.finding, found.state) == ("empty_query", "pending")
    assert "/cloudCost/rebuild?commit=true" in found.change


def test_data_missing_without_knowing_of_the_delivery_names_both() -> None:
    found = only([item("Data Missing")])
    assert (found.finding, found.state) == ("empty_query", "pending")
    assert "AWS has not delivered yet" in found.cause and "partitions" in found.cause


def test_a_failed_connection_is_explained_by_the_log() -> None:
    found = only([item("Failed Connection")], read_log([DENIED]), expected())
    assert (found.finding, found.state) == ("denied", "failed")
    assert "not authorized to perform: sts:AssumeRole" in found.detail
    assert "workload_identity_probe" in found.change


def test_a_failed_connection_of_the_past_is_told_as_such() -> None:
    found = only([item("Failed Connection")], read_log([DENIED]), expected(proof=PROVED))
    assert (found.finding, found.state) == ("denied", "pending")
    assert "By now the proof passes" in found.cause
    assert found.change.startswith("Restart the pods")


@pytest.mark.parametrize(
    ("link", "detail", "finding"),
    [
        ("payer_role", "cannot take the payer's role", "denied"),
        ("table", "the table has not all columns", "wrong_table"),
        ("table", "GetTable: AccessDeniedException: User: x is not authorized to perform: glue:GetTable", "denied"),
        ("query", "TABLE_NOT_FOUND: it does not exist", "wrong_table"),
        ("query", "The query was refused", "denied"),
        ("pods", "the pods have no AWS_ROLE_ARN", "denied"),
    ],
)
def test_without_a_telling_log_the_proof_explains(link: str, detail: str, finding: str) -> None:
    for log in (Log(), read_log([OPAQUE])):
        found = only([item("Failed Connection")], log, expected(proof=proof(link, detail)))
        assert (found.finding, found.cause, found.change) == (finding, "its cause", "its change")
        assert detail in found.detail


def test_without_both_the_next_step_is_the_proof() -> None:
    found = only([item("Failed Connection")], None, expected())
    assert found.finding == "query_failed"
    assert "workload_identity_probe" in found.change


def test_an_opaque_error_is_shown_where_nothing_else_is_known() -> None:
    found = only([item("Failed Connection")], read_log([OPAQUE]), expected())
    assert found.finding == "query_failed"
    assert "query_execution_id 5c1a7a4e-0000" in found.change


def test_a_failed_connection_that_the_proof_contradicts() -> None:
    found = only([item("Failed Connection")], None, expected(proof=PROVED))
    assert (found.finding, found.state) == ("query_failed", "pending")
    assert found.change.startswith("Restart the pods")


def test_a_wrong_configuration() -> None:
    assert only([item("Invalid Configuration")]).finding == "invalid_configuration"
    log = read_log([f"ERR AthenaIntegration[{KEY}]: AthenaConfiguration: missing database"])
    found = only([item("No Connection", valid=False)], log)
    assert found.finding == "invalid_configuration"
    assert "AthenaConfiguration: missing database" in found.detail


def test_rows_of_another_form() -> None:
    found = only([item("Parse Error")])
    assert found.finding == "wrong_table"
    assert "curVersion" in found.change


def test_an_integration_that_is_switched_off() -> None:
    found = only([item("Connection Successful", active=False)])
    assert found.finding == "disabled"
    assert f"integrationKey={KEY}&source=multicloud" in found.change


def test_a_status_of_the_future() -> None:
    found = only([item("Connection Throttled")])
    assert (found.finding, found.state) == ("query_failed", "failed")
    assert "Connection Throttled" in found.detail


# --- the configuration that the pods have


def test_an_empty_page_was_not_configured() -> None:
    for wishes in ((), (expected(),)):
        found = only([], None, *wishes)
        assert found.finding == "not_read"
        assert "restart the pods" in found.change


def test_the_log_or_the_proof_say_why_it_was_not_read() -> None:
    log = read_log(["ERR json: cannot unmarshal object into Go struct field MultiCloudConfig.aws of type []x"])
    assert "cannot be parsed" in only([], log, expected()).cause
    found = only([], None, expected(proof=proof("secret", "the Secret has another content")))
    assert (found.finding, found.cause) == ("not_read", "its cause")


def test_a_missing_integration_among_others() -> None:
    other = item("Connection Successful", key="333333333333/s3://theirs")
    made = findings([other], Log(), [expected()])
    assert [(found.finding, found.expected) for found in made] == [("not_read", True), ("working", False)]
    assert verdict(made).key == KEY


def test_what_the_task_does_not_ask_for_does_not_count() -> None:
    azure = item("Failed Connection", key="subscription/storage", provider="Azure")
    made = findings([azure, item("Connection Successful")], Log(), [expected()])
    assert verdict(made).finding == "working"
    assert [found.finding for found in made if not found.expected] == ["query_failed"]
    assert verdict(findings([azure, item("Connection Successful")], Log(), [])).state == "failed"


def test_pods_with_an_older_configuration() -> None:
    config = {"bucket": BUCKET, "database": "billing", "table": "old", "region": "us-east-1", "workgroup": ""}
    wish = expected(values={"table": "new", "database": "billing", "workgroup": "primary"})
    found = only([item("Connection Successful", config=config)], None, wish)
    assert (found.finding, found.detail) == ("not_read", "it reads table old, not new")
    assert "Restart the pods" in found.change
    same = expected(values={"table": "old"})
    assert only([item("Connection Successful", config=config)], None, same).finding == "working"


def test_pods_with_an_older_location_of_the_results() -> None:
    old = item("Failed Connection", key=f"{ACCOUNT}/s3://old", config={"bucket": "s3://old"})
    found = only([old], None, expected())
    assert (found.finding, found.detail) == ("not_read", f"it reads bucket s3://old, not {BUCKET}")


def test_two_reports_of_one_payer_are_told_apart() -> None:
    one, two = item("Connection Successful"), item("Data Missing", key=f"{ACCOUNT}/s3://results/two")
    wishes = [expected(), expected(bucket="s3://results/two", delivered=False)]
    made = findings([two, one], Log(), wishes)
    assert [found.finding for found in made] == ["working", "not_delivered"]


# --- Kubecost 1


def progress(percent: float) -> str:
    return f"INF ETL: CloudUsage[{KEY}]: Build[XPQMa]: coverage [2023-05-18, 2023-05-25) ({percent} complete)"


def of_log(*lines: str, **fields: Any) -> Finding:
    return verdict(findings_of_log(read_log(lines), [expected(**fields)]))


def test_the_build_of_kubecost_1() -> None:
    found = of_log(progress(7.7))
    assert (found.finding, found.state, found.percent) == ("ingesting", "pending", 7.7)
    assert found.detail == "7.7 percent of the first build are done"
    done = of_log(progress(7.7), progress(100.0))
    assert (done.finding, done.percent) == ("working", 100.0)


def test_kubecost_1_before_the_delivery() -> None:
    found = of_log(progress(7.7), delivered=False)
    assert (found.finding, found.percent) == ("not_delivered", 7.7)


def test_kubecost_1_is_denied() -> None:
    assert of_log(progress(7.7), DENIED).finding == "denied"
    assert of_log(DENIED, progress(7.7)).finding == "ingesting", "it goes on"
    assert of_log("INF hello", proof=proof("role", "AccessDenied")).finding == "denied"


def test_kubecost_1_has_not_begun() -> None:
    assert of_log(f"INF CloudCost: IngestionManager: creating integration with key: {KEY}").detail == (
        "the first build has begun"
    )
    assert of_log("INF hello").detail == "none of the 1 lines of the log is about it"
    assert verdict(findings_of_log(read_log(["INF hello"]), [])).finding == "starting"
    assert verdict(findings_of_log(read_log([progress(100)]), [])).key == KEY


# --- waiting, and words


def test_only_what_time_changes_is_waited_for() -> None:
    assert set(PATIENCE) == {"starting", "ingesting", "not_running", "unreachable", "not_read"}
    assert waits("starting", 1e6) and waits("ingesting", 1e6)
    assert waits("not_read", 10) and not waits("not_read", 30), "the configuration is read every 10 s"
    assert not any(
        waits(finding, 0) for finding in ("working", "denied", "wrong_table", "not_delivered", "empty_query")
    )
    assert set(PATIENCE) <= set(STATES)


def test_the_worst_stands_for_all() -> None:
    made = [Finding(name, "x") for name in ("working", "not_delivered", "starting", "wrong_table", "denied")]
    assert verdict(made).finding == "denied"
    assert verdict(made[:3]).finding == "starting", "which is waited for, the delivery is not"
    assert verdict(made[:2]).finding == "not_delivered"


def test_a_note_is_plain_sentences() -> None:
    found = Finding("denied", "Failed Connection", "the cause", "The change.", key=KEY)
    assert found.note == f"Ingestion of {KEY}: Failed Connection. The cause. The change."
    assert Finding("not_running", "there is no pod").note == "Ingestion of billing data: there is no pod."
