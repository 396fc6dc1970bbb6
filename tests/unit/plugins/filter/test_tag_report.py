# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters are offered by their names, and turn refusals into Ansible's own errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter import tag_report as source

FILTERS = source.FilterModule().filters()
RESOURCE: dict[str, Any] = {"arn": "arn:aws:sqs:eu-west-1:2:q", "account_id": "2", "region": "eu-west-1"}
SEEN = {"one": {"state": "done", "resources": [{**RESOURCE, "scheme": {"kubernetes_pod": "p"}, "near_misses": []}]}}


def test_the_document_and_its_tables() -> None:
    document = FILTERS["tag_report_document"](SEEN)
    assert document["verdict"] == "fits"
    documented = yaml.safe_load(Path(source.__file__).with_name("tag_report_document.yml").read_text())
    assert list(documented["RETURN"]["_value"]["contains"]) == list(document)
    assert [table["title"] for table in FILTERS["tag_report_tables"](document)] == [
        "Resources outside the clusters",
        "Cost allocation tags",
    ]


def test_the_query_until_a_day() -> None:
    sql = FILTERS["attributed_cost_query"](["line_item_unblended_cost"], "d", "t", months="1", until="2026-03-31")
    assert "\"year\" = '2026' AND \"month\" = '3'" in sql


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("tag_report_document", ([],), "takes a dictionary"),
        ("tag_report_tables", ({"kind": "other"},), "takes what tag_report_document returns"),
        ("tag_report_keys", ({},), "takes a list of resources"),
        ("tag_plan_table", ("x",), "takes a list of resources"),
        ("attributed_cost_query", ("x", "d", "t"), "takes the list of the table's columns"),
        ("attributed_cost_query", (["line_item_unblended_cost"], "d", "t", 99), "months: '99' is no number of months"),
        ("attributed_cost_query", (["line_item_unblended_cost"], "d", "t", "x"), "attributed_cost_query: "),
    ],
)
def test_what_is_refused(name: str, arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        FILTERS[name](*arguments)
    assert said in str(error.value)
