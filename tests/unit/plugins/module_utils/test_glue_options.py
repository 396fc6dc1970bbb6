# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Table and report of a task, and what is refused of them before a call."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_options import (
    check_region,
    check_report,
    check_table,
    place_of,
    table_of,
)

OPTIONS: dict[str, Any] = {
    "database": "athenacurcfn_kubecost",
    "table": "kubecost",
    "report_bucket": "acme-cur",
    "report_prefix": "cur",
    "report_name": "kubecost",
}


def test_what_the_options_name() -> None:
    check_table(OPTIONS)
    check_table({**OPTIONS, "table": None})
    check_report(OPTIONS)
    table = table_of(OPTIONS, "us-east-1", "111111111111", "aws")
    assert table.arn == "arn:aws:glue:us-east-1:111111111111:table/athenacurcfn_kubecost/kubecost"
    assert place_of(OPTIONS).folder == "cur/kubecost/"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("database", "Upper"),
        ("table", "a-b c"),
        ("report_bucket", "s3://x"),
        ("report_prefix", ""),
        ("report_name", "a b"),
    ],
)
def test_what_is_refused(option: str, value: str) -> None:
    with pytest.raises(AnsibleAWSError, match=f"^{option}: "):
        check_table({**OPTIONS, option: value})
        check_report({**OPTIONS, option: value})


@pytest.mark.parametrize("region", [None, ""])
def test_without_a_region(region: str | None) -> None:
    assert check_region("eu-west-1") == "eu-west-1"
    with pytest.raises(AnsibleAWSError, match="^region: .*Set the region of bucket and table"):
        table_of(OPTIONS, region, "111111111111", "aws")
