# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module refuses before any call, and that its documentation shows what it returns."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_existing import Existing, described
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import (
    Delivery,
    Found,
    ReportPlace,
    TableId,
    delivery_of,
    shape,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table_plan import resource_of
from ansible_collections.kubestrap.aws.plugins.modules import glue_cur_table, glue_cur_table_info

GOOD = {
    "database": "athenacurcfn_kubecost",
    "table": "kubecost",
    "report_bucket": "example-reports",
    "report_prefix": "cur",
    "report_name": "kubecost",
    "first_year": None,
    "partitions": None,
    "follow_delivery": True,
    "state": "present",
}


def test_good_input() -> None:
    glue_cur_table.check(GOOD, 2026)
    glue_cur_table.check({**GOOD, "first_year": 2026}, 2026)
    glue_cur_table.check({**dict.fromkeys(GOOD), "database": "a", "table": "b", "state": "absent"}, 2026)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("database", "A"),
        ("table", "a.b"),
        ("report_bucket", "s3://a"),
        ("report_prefix", ""),
        ("report_name", "a b"),
        ("first_year", 2027),
        ("first_year", 22),
    ],
)
def test_bad_input(option: str, value: Any) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        glue_cur_table.check({**GOOD, option: value}, 2026)
    assert str(error.value).startswith(f"{option}: '{value}'")


def test_what_is_not_read_cannot_be_registered() -> None:
    glue_cur_table.check({**GOOD, "partitions": "registered"}, 2026)
    with pytest.raises(AnsibleAWSError, match="Set follow_delivery to true"):
        glue_cur_table.check({**GOOD, "partitions": "registered", "follow_delivery": False}, 2026)


def test_the_documentation_shows_what_is_returned() -> None:
    target = TableId("a", "b", "eu-west-1", "111111111111", "aws")
    table = {"CreateTime": datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)}
    found = Found(table, followed=True, delivery=Delivery("2026-01", []), database_tags={})
    returned = yaml.safe_load(glue_cur_table.RETURN)["glue_cur_table"]["contains"]
    assert set(returned) == set(resource_of(target, found, found) or {})
    compared = described(Existing(table), target, ReportPlace("c", "d", "e"), 2026)
    documented = yaml.safe_load(glue_cur_table_info.RETURN)
    assert set(documented["glue_cur_tables"]["contains"]) == set(compared[0])
    assert set(compared[0]) > set(shape(target, table))
    assert set(documented["delivery"]["contains"]) == set(delivery_of(None, None))
