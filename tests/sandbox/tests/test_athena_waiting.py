# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries that take their time, on request."""

from __future__ import annotations

import pytest
from sandbox.client import SandboxError
from sandbox.tests.billing_tools import finished, make_bucket, unique


@pytest.fixture
def slow(gateway):
    """Each query runs for two seconds."""
    gateway.settings({"athena_query_seconds": 2})
    yield gateway
    gateway.settings({"athena_query_seconds": 0})


def state(athena, query_id):
    """The query's state now."""
    return athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"]


def test_a_query_runs_for_as_long_as_was_asked(slow):
    athena = slow.client("athena", "payer")
    location = {"OutputLocation": f"s3://{make_bucket(slow, unique('results'))}/"}
    query_id = athena.start_query_execution(QueryString="SELECT 1", ResultConfiguration=location)["QueryExecutionId"]
    assert state(athena, query_id) in ("QUEUED", "RUNNING")
    execution = finished(athena, query_id)
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["Statistics"]["EngineExecutionTimeInMillis"] >= 2000

    stopped = athena.start_query_execution(QueryString="SELECT 2", ResultConfiguration=location)["QueryExecutionId"]
    athena.stop_query_execution(QueryExecutionId=stopped)
    assert state(athena, stopped) == "CANCELLED"


def test_a_time_that_is_none_is_refused(gateway):
    with pytest.raises(SandboxError):
        gateway.settings({"athena_query_seconds": "long"})
