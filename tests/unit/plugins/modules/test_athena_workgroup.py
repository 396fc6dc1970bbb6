# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module refuses before any call, and that its documentation shows what it returns."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._athena_workgroup import Settings, shape
from ansible_collections.kubestrap.aws.plugins.modules import athena_workgroup, athena_workgroup_info


def check(settings: Settings | None = None, **params: Any) -> None:
    """The module's check of these options."""
    options = {"name": "kubecost", "state": "present", "allow_primary": False, **params}
    athena_workgroup.check(options, settings or Settings())


def test_good_input() -> None:
    check()
    check(state="absent")
    check(name="primary", allow_primary=True)
    check(Settings(output_location="s3://acme-results/", expected_bucket_owner="012345670123"))


@pytest.mark.parametrize(
    ("settings", "params", "said"),
    [
        ({}, {"name": "kube cost"}, "name: 'kube cost' is not the name of an Athena workgroup"),
        ({}, {"name": "primary"}, "name: 'primary' is shared by the whole account. Write another name, or allow_"),
        ({}, {"name": "primary", "state": "absent"}, "name: 'primary' is the account's own workgroup, which cannot be"),
        ({}, {"name": "primary", "state": "absent", "allow_primary": True}, "cannot be deleted"),
        ({"expected_bucket_owner": "1402433619"}, {}, "expected_bucket_owner: '1402433619' has 10 digits"),
        ({"output_location": "acme"}, {}, "output_location: 'acme' does not begin with s3://"),
    ],
)
def test_bad_input(settings: dict[str, Any], params: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        check(Settings(**settings), **params)
    assert said in error.value.message


def test_the_documentation_shows_what_is_returned() -> None:
    returned = yaml.safe_load(athena_workgroup.RETURN)["athena_workgroup"]["contains"]
    assert set(returned) == {*shape({"Name": "kubecost"}), "arn", "tags"}
    assert set(yaml.safe_load(athena_workgroup_info.RETURN)["athena_workgroups"]["contains"]) == set(returned)
