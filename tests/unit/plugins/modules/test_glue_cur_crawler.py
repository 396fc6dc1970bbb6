# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module refuses before any call, and that its documentation shows what it returns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._cur_crawler import Found, shape
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_existing import Existing
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import ReportPlace
from ansible_collections.kubestrap.aws.plugins.modules import glue_cur_crawler

GOOD = {
    "report_bucket": "example-reports",
    "report_prefix": "cur",
    "report_name": "kubecost",
    "database": "athenacurcfn_kubecost",
    "table": "kubecost",
    "stack_name": "kubestrap-cur-crawler-kubecost",
    "wait_timeout": 300,
}


def check(region: str | None = "eu-west-1", **options: Any) -> None:
    """Good input with other options."""
    module: Any = SimpleNamespace(params={**GOOD, **options}, connection=SimpleNamespace(region=region))
    glue_cur_crawler.check(module)


def test_good_input() -> None:
    check()
    check(wait_timeout=0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("report_bucket", "s3://a"),
        ("report_prefix", ""),
        ("report_name", "a b"),
        ("database", "A"),
        ("table", "a.b"),
        ("stack_name", "cur_crawler"),
        ("stack_name", "4"),
    ],
)
def test_bad_input(option: str, value: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        check(**{option: value})
    assert str(error.value).startswith(f"{option}: '{value}'")


def test_time_and_region() -> None:
    with pytest.raises(AnsibleAWSError, match="wait_timeout: '-1'"):
        check(wait_timeout=-1)
    with pytest.raises(AnsibleAWSError, match="Set the region of bucket and table"):
        check(region=None)


def test_the_documentation_shows_what_is_returned() -> None:
    stack = {"StackName": "s", "StackStatus": "CREATE_COMPLETE"}
    returned = shape(Found(None, stack, None, False, Existing(None)), ReportPlace("a", "b", "c"), None)
    documented = yaml.safe_load(glue_cur_crawler.RETURN)["glue_cur_crawler"]["contains"]
    assert set(documented) == set(returned)
    assert set(documented["stack"]["contains"]) == set(returned["stack"])
