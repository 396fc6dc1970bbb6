# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the charts read values, and cut names. Names of whole releases are in test_kubecost_chart.py."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._kubecost_names import (
    aggregator_method,
    cut,
    full_name,
    value_at,
)


def test_a_value_below_a_dotted_key() -> None:
    values = {"a": {"b": {"c": 0}}, "x": None}
    assert value_at(values, "a.b.c") == 0
    assert value_at(values, "a.b") == {"c": 0}
    assert value_at(values, "a.b.c.d") is None
    assert value_at(values, "x.y") is None


def test_a_name_is_cut_at_63_characters_and_loses_one_dash() -> None:
    assert cut("m" * 63) == "m" * 63
    assert cut("m" * 64) == "m" * 63
    assert cut("m" * 62 + "-eu") == "m" * 62
    assert cut("m" * 61 + "--eu") == "m" * 61 + "-"


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("costs", {}, "costs-thanos"),
        ("my-thanos", {}, "my-thanos"),
        ("costs", {"nameOverride": "th"}, "costs-th"),
        ("costs", {"nameOverride": "th", "fullnameOverride": "blocks"}, "blocks"),
        ("costs", {"nameOverride": "", "fullnameOverride": None}, "costs-thanos"),
    ],
)
def test_the_full_name_of_a_subchart(release: str, values: dict[str, Any], name: str) -> None:
    assert full_name(release, "thanos", values) == name


@pytest.mark.parametrize(
    ("values", "method"),
    [
        ({}, "singlepod"),
        ({"kubecostAggregator": {"deployMethod": "statefulset"}}, "statefulset"),
        ({"kubecostAggregator": {"enabled": True}}, "statefulset"),
        ({"federatedETL": {"primaryCluster": True}}, "statefulset"),
        ({"federatedETL": {"primaryCluster": True, "agentOnly": True}}, "statefulset"),
        ({"federatedETL": {"agentOnly": True}}, "disabled"),
        ({"agent": True}, "disabled"),
        ({"cloudAgent": True}, "disabled"),
    ],
)
def test_where_chart_2_runs_its_aggregator(values: dict[str, Any], method: str) -> None:
    assert aggregator_method(values) == method
