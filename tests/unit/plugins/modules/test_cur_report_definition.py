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
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._cur_report import PROPERTIES, ReportId, shape
from ansible_collections.kubestrap.aws.plugins.modules import cur_report_definition, cur_report_definition_info

OPTIONS = {
    name: option.get("default")
    for name, option in yaml.safe_load(cur_report_definition.DOCUMENTATION)["options"].items()
} | {"name": "kubecost", "s3_bucket": "example-reports", "s3_prefix": "cur", "s3_region": "eu-west-1"}


def checked(**params: Any) -> ReportId:
    """The report of a task with these options."""
    params = {**OPTIONS, **params}
    module = SimpleNamespace(params=params, connection=AwsConnection("eu-west-1"), account_id="111111111111")
    return cur_report_definition.checked(module, {option: params[option] for option in PROPERTIES})


def test_the_defaults_are_a_report_for_athena() -> None:
    assert checked().arn == "arn:aws:cur:us-east-1:111111111111:definition/kubecost"


def test_to_delete_it_its_name_is_enough() -> None:
    assert checked(state="absent", s3_bucket=None, s3_prefix=None, s3_region=None).name == "kubecost"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"name": "kube cost"}, "name: 'kube cost'"),
        ({"name": "kube cost", "state": "absent"}, "name: 'kube cost'"),
        ({"s3_region": "eu-wset-1"}, "s3_region: 'eu-wset-1' is not a region that AWS' SDK knows. Write eu-west-1?"),
        ({"s3_region": "il-central-1"}, "s3_region: 'il-central-1' is not a region into which AWS delivers"),
        ({"compression": "ZIP"}, "compression: 'ZIP'"),
    ],
)
def test_bad_input(params: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        checked(**params)
    assert str(error.value).startswith(said)


def test_the_documentation_shows_what_is_returned() -> None:
    returned = yaml.safe_load(cur_report_definition.RETURN)["cur_report_definition"]["contains"]
    report = shape(checked(), {"S3Bucket": "example-reports", "BillingViewArn": "primary"})
    assert set(returned) == {*report, "tags"}
    assert set(returned["report_status"]["contains"]) == set(report["report_status"])
    assert set(yaml.safe_load(cur_report_definition_info.RETURN)["cur_report_definitions"]["contains"]) == set(returned)
