# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lines of a log mean. The lines are those that users paste into issues, and those of the guide."""

from __future__ import annotations

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_status import (
    TEXTS,
    Log,
    meaning_of,
    read_log,
    same_key,
)

KEY = "440082503234/s3://aws-athena-query-results-"
OTHER = "111111111111/s3://results"
BUILD = f"CloudCost[{KEY}]: ingestor: build failed for window [2024-01-01T00:00:00+0000, 2024-01-08T00:00:00+0000)"
QUERY = "GetCloudCost: error getting Athena columns: QueryAthenaPaginated"
STS = "operation error STS: AssumeRole, https response error StatusCode: 403, RequestID: 1, api error AccessDenied"
NODE = "arn:aws:sts::222222222222:assumed-role/eks-node-group/i-0123456789abcdef0"
POD = "arn:aws:sts::222222222222:assumed-role/kubecost/1700000000"
READER = "arn:aws:iam::111111111111:role/kubecost-cur-access"

# As in the guide, which says of them that "some errors (ERR) are expected".
GUIDE = f"""\
2023-05-24T19:41:31.63093249Z ERR Failed to lookup reserved instance data: no reservation data available in Athena
2023-05-24T19:41:31.630973097Z ERR Failed to lookup savings plan data: Error fetching Savings Plan Data: \
QueryAthenaPaginated: athena configuration incomplete
2023-05-24T19:41:34.577437245Z INF Adding AWS Provider to map with key: {KEY}
2023-05-24T19:41:34.57901059Z INF ETL: CloudUsage[{KEY}]: Starting PipelineController
2023-05-24T19:41:34.579037927Z INF CloudCost: IngestionManager: creating integration with key: {KEY}
2023-05-24T19:41:34.581131953Z INF RunBuildProcess[CloudCost][{KEY}]: build[NLzAH]: Starting build back to 2023-02-22
2023-05-24T19:41:34.581715777Z INF CloudCost[{KEY}]: ingestor: building window [2023-05-17T00:00:00+0000, 2023-05-24)
2023-05-24T19:41:34.581771159Z INF AthenaIntegration[{KEY}]: StoreCloudCost: [2023-05-17T00:00:00+0000, 2023-05-24)
2023-05-24T19:41:34.608040758Z ERR ETL:  CloudUsage[{KEY}]: Build[XPQMa]:  failed to load range from back up \
2023-05-18 00:00:00 +0000 UTC - 2023-05-25 00:00:00 +0000 UTC: file does not exist
2023-05-24T19:41:50.528544821Z INF ETL: CloudUsage[{KEY}]: Build[XPQMa]: \
coverage [2023-05-18T00:00:00+0000, 2023-05-25T00:00:00+0000) (7.7 complete)"""


def test_the_guides_log_is_harmless_and_shows_progress() -> None:
    log = read_log(GUIDE.splitlines())
    assert log.lines == 10
    assert [meaning.text.split("ERR ")[1][:40] for meaning in log.harmless] == [
        "Failed to lookup reserved instance data:",
        "Failed to lookup savings plan data: Erro",
        f"ETL:  CloudUsage[{KEY}"[:40],
    ]
    assert not log.errors
    assert log.percent_of(KEY) == 7.7
    assert log.started == (KEY,)


@pytest.mark.parametrize(
    ("line", "finding", "said"),
    [
        ("Failed to lookup reserved instance data: AccessDenied: not for you", "harmless", "pricing configuration"),
        ("ERR Failed to lookup savings plan data: No Athena Bucket configured", "harmless", "pricing configuration"),
        ("ERR No Athena Bucket configured", "harmless", "pricing configuration"),
        (f"{STS}: User: {NODE} is not authorized to perform: sts:AssumeRole", "denied", "role of their node"),
        (
            f"{STS}: User: {POD} is not authorized to perform: sts:AssumeRole on resource: {READER}",
            "denied",
            "payer's role is closed: sts:AssumeRole",
        ),
        (f"User: {POD} is not authorized to perform: sts:TagSession on resource: {READER}", "denied", "sts:TagSession"),
        ("InvalidIdentityToken: No OpenIDConnect provider found in your account", "denied", "OpenID Connect provider"),
        (
            "STS: AssumeRoleWithWebIdentity, api error AccessDenied: Not authorized to perform "
            "sts:AssumeRoleWithWebIdentity",
            "denied",
            "does not name this ServiceAccount",
        ),
        ("api error InvalidIdentityToken: Incorrect token audience", "denied", "does not accept the token"),
        ("Insufficient Lake Formation permission(s) on cur", "denied", "Lake Formation"),
        ("Permission denied on S3 path: s3://cur/x/year=2022/month=8", "denied", "s3://cur/x/year=2022/month=8"),
        (
            f"User: {POD} is not authorized to perform: athena:StartQueryExecution on resource: arn:aws:athena:w",
            "denied",
            "athena:StartQueryExecution is not allowed",
        ),
        ("https response error StatusCode: 403, api error AccessDenied: Access Denied", "denied", "AWS refuses a call"),
        ("InvalidRequestException: outputLocation is not a valid S3 path.", "invalid_configuration", "s3://"),
        ("Unable to verify/create output bucket results", "invalid_configuration", "bucket of the results"),
        ("InvalidRequestException: Queries of this type are not supported", "invalid_configuration", "another region"),
        ("InvalidRequestException: WorkGroup is not found.", "invalid_configuration", "workgroup"),
        ("AthenaConfiguration: missing database", "invalid_configuration", "lacks a value"),
        ("AWS: provider authorizer type 'X' is not valid", "invalid_configuration", "lacks a value"),
        (
            "COLUMN_NOT_FOUND: line 1:8: Column 'line_item_resource_id' cannot be resolved",
            "wrong_table",
            "resource ids",
        ),
        ("COLUMN_NOT_FOUND: Column 'year' cannot be resolved", "wrong_table", "no partitions by year and month"),
        ("Column 'product_region_code' cannot be resolved", "wrong_table", "lacks a column"),
        ("TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.b.t' does not exist", "wrong_table", "do not exist"),
        ("Schema my_cur does not exist", "wrong_table", "do not exist"),
        ("INF No columns retrieved from Athena", "wrong_table", "do not exist"),
        (
            "json: cannot unmarshal object into Go struct field MultiCloudConfig.aws of type []aws.AwsAthenaInfo",
            "not_read",
            "cannot be parsed",
        ),
        ("IngestionManager: PutConfig failed to create billing integration: x", "not_read", "cannot be parsed"),
        ("open /var/configs/cloud-integration.json: no such file or directory", "not_read", "another place"),
        ("INF Cloud Costs enabled: false", "disabled", "switched off"),
        ("Cloud Cost Pipeline Service is nil", "disabled", "switched off"),
        ("not found, ResolveEndpointV2", "query_failed", "AWS SDK"),
        (
            "QueryAthenaPaginated: query execution error: no query results available for query 5c1a7a4e-0000",
            "query_failed",
            "keeps Athena's reason to itself",
        ),
    ],
)
def test_each_text_has_its_meaning(line: str, finding: str, said: str) -> None:
    meaning = meaning_of(line)
    assert meaning is not None
    assert (meaning.finding, said in meaning.cause) == (finding, True), meaning
    assert bool(meaning.change) == (finding != "harmless"), "what is wrong comes with the next step"


def test_what_is_not_known_has_no_meaning() -> None:
    assert meaning_of("INF CloudCost: something new") is None


def test_the_next_step_for_an_opaque_failure_names_the_query() -> None:
    meaning = meaning_of("no query results available for query 5c1a7a4e-0000-4000-8000-000000000000")
    assert meaning is not None
    assert meaning.change.endswith("query_execution_id 5c1a7a4e-0000-4000-8000-000000000000")


def test_all_texts_can_be_filled_in() -> None:
    for text in TEXTS:
        names = dict.fromkeys(text.pattern.groupindex, "x")
        assert "{" not in text.cause.format_map(names) + text.change.format_map(names)


def test_an_error_belongs_to_its_integration() -> None:
    log = read_log([f"2024-01-01T00:00:00Z ERR {BUILD}: {QUERY}: start query error: {STS}"])
    error = log.error_of(KEY)
    assert error is not None
    assert (error.key, error.finding) == (KEY, "denied")
    assert log.error_of(f"{KEY}/") == error, "a slash at the end makes no difference"
    assert log.error_of(OTHER) is None


def test_an_error_without_a_key_is_everybodys() -> None:
    log = read_log(["ERR open /var/configs/cloud-integration.json: no such file or directory"])
    assert log.error_of(OTHER) is not None


def test_an_error_that_says_why_is_preferred_and_of_those_the_newest() -> None:
    opaque = f"ERR {BUILD}: query execution error: no query results available for query 5c1a7a4e-0000"
    table, denied = f"ERR {BUILD}: TABLE_NOT_FOUND", f"ERR {BUILD}: {STS}"
    error = read_log([table, denied, opaque]).error_of(KEY)
    assert error is not None and error.finding == "denied"
    only = read_log([opaque]).error_of(KEY)
    assert only is not None and only.finding == "query_failed"


def test_progress_makes_earlier_errors_good() -> None:
    denied = f"ERR CloudUsage[{KEY}]: Build[a]: {STS}"
    done = f"INF ETL: CloudUsage[{KEY}]: Build[a]: coverage [2023-05-18, 2023-05-25) (42 complete)"
    assert read_log([denied, done]).error_of(KEY) is None
    assert read_log([done, denied]).error_of(KEY) is not None
    of_another = denied.replace(KEY, OTHER)
    assert read_log([of_another, done]).error_of(OTHER) is not None


def test_info_lines_are_no_errors_whatever_they_quote() -> None:
    assert not read_log([f"INF CloudCost[{KEY}]: looking for AccessDenied in the log"]).errors
    assert read_log([f'level=error msg="CloudCost[{KEY}]: AccessDenied"']).errors


def test_nothing() -> None:
    assert read_log([]) == Log()
    assert Log().percent_of(KEY) is None


def test_keys() -> None:
    assert same_key("1/s3://a/b/", "1/s3://a/b")
    assert not same_key("1/s3://a/b", "1/s3://a")
