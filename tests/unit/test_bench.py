# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``make bench`` prints, and how it fills in the parameters of the calls that it repeats."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.__main__ import Row, further, table
from bench.floor import of_operators, parameters

ROWS = [
    Row(1, 60, "from nothing", 21, 70, 30.04),
    Row(1, 60, "without change", 13, 31, 10.0, (31, 0.5)),
    Row(10, 60, "without change", 85, 130, 55.0, (130, 2.0)),
]


def test_the_table() -> None:
    lines = table(ROWS).splitlines()
    assert lines[0].split() == "clusters latency run modules calls seconds floor calls floor seconds ratio".split()
    assert lines[2].split() == ["1", "60", "ms", "from", "nothing", "21", "70", "30.0"]
    assert lines[3].split()[-4:] == ["10.0", "31", "0.5", "20.0"]
    assert len({line.index("w") for line in lines[3:]}) == 1


def test_what_a_further_cluster_adds() -> None:
    assert further(ROWS) == ["Each further cluster, without change, 60 ms: 8.0 modules, 11.0 calls, 5.0 s"]
    assert further(ROWS[:2]) == []


@pytest.mark.parametrize(
    ("service", "operation", "resource", "filled"),
    [
        ("s3", "GetObject", "bucket/a/key", {"Bucket": "bucket", "Key": "a/key"}),
        ("s3", "HeadBucket", "bucket", {"Bucket": "bucket"}),
        ("iam", "GetRolePolicy", "role", {"RoleName": "role", "PolicyName": "role"}),
        ("athena", "GetWorkGroup", "", {"WorkGroup": "none"}),
        ("sts", "GetCallerIdentity", "", {}),
    ],
)
def test_parameters(service: str, operation: str, resource: str, filled: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    assert parameters(model.input_shape, {"resource": resource}) == filled


def test_only_reads_of_operators_are_repeated() -> None:
    calls = [
        {"kind": kind, "account_id": account}
        for kind, account in (("read", "111111111111"), ("write", "111111111111"), ("read", "333333333333"))
    ]
    assert of_operators(calls, ["111111111111"]) == calls[:1]
