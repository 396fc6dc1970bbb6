# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which months become registered partitions, and with which calls."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_partitions import (
    missing_months,
    register,
    registering_parameters,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import ReportPlace, TableId

TARGET = TableId("athenacurcfn_kubecost", "kubecost", "eu-west-1", "111111111111", "aws")
PLACE = ReportPlace("example-reports", "cur", "kubecost")
MONTHS = [datetime.date(2025, 12, 1), datetime.date(2026, 1, 1)]
STORAGE = {"Location": PLACE.location, "Columns": [{"Name": "a", "Type": "string"}]}


def test_a_padded_month_is_another_partition() -> None:
    assert missing_months(MONTHS, [("2025", "12"), ("2026", "01")]) == MONTHS[1:]
    assert missing_months(MONTHS, []) == MONTHS
    assert missing_months(MONTHS, [("2025", "12"), ("2026", "1")]) == []


def test_the_projection_is_switched_off_and_the_rest_is_kept() -> None:
    parameters = registering_parameters({"projection.enabled": "true", "owner": "x"})
    assert parameters == {"projection.enabled": "false", "owner": "x", "kubestrap.partitions": "registered"}


def test_a_partition_lies_where_its_month_is() -> None:
    (change,) = register(TARGET, PLACE, STORAGE, MONTHS)
    assert change.method == "batch_create_partition"
    assert change.summary.startswith("register 2 months (2025-12 to 2026-01) as partitions of the Glue table")
    december, january = change.params["PartitionInputList"]
    assert (december["Values"], january["Values"]) == (["2025", "12"], ["2026", "1"])
    assert january["StorageDescriptor"] == {**STORAGE, "Location": f"{PLACE.location}year=2026/month=1/"}


def test_a_call_takes_a_hundred() -> None:
    months = [datetime.date(2010 + index // 12, index % 12 + 1, 1) for index in range(120)]
    calls = register(TARGET, PLACE, STORAGE, months)
    assert [len(call.params["PartitionInputList"]) for call in calls] == [100, 20]
    assert register(TARGET, PLACE, STORAGE, []) == []


def created(*errors: dict[str, Any]) -> None:
    """Make the call, which AWS answers with these errors."""
    (change,) = register(TARGET, PLACE, STORAGE, MONTHS[:1])
    glue = SimpleNamespace(batch_create_partition=lambda **_params: {"Errors": [{"ErrorDetail": e} for e in errors]})
    assert change.function is not None
    change.function(SimpleNamespace(client=lambda _service: glue))  # type: ignore[arg-type]


def test_what_somebody_else_has_registered_meanwhile_is_there() -> None:
    created()
    created({"ErrorCode": "AlreadyExistsException", "ErrorMessage": "Partition already exists."})


def test_a_refusal_within_a_good_answer_is_none() -> None:
    with pytest.raises(AnsibleAWSError, match="Failed to register 2025-12 as partitions .*: no more"):
        created({"ErrorCode": "ResourceNumberLimitExceededException", "ErrorMessage": "no more"})
