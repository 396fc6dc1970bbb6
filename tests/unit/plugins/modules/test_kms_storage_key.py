# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module refuses before any call, and that its documentation shows what it returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kubestrap.aws.plugins.module_utils._kms_key_plan import Settings, plan_present
from ansible_collections.kubestrap.aws.plugins.modules import kms_storage_key


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run the module as Ansible does, without credentials: what it refuses, it refuses before any call."""

    def run_module(**options: Any) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            kms_storage_key.main()
        return json.loads(capsys.readouterr().out)

    return run_module


def test_the_documentation_shows_what_is_returned() -> None:
    plan = plan_present("alias/x", None, Settings(), "aws", "111111111111")
    returned = yaml.safe_load(kms_storage_key.RETURN)["kms_storage_key"]["contains"]
    assert set(returned) == set(plan.after or {})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "missing required arguments: alias"),
        ({"alias": "a b", "region": "eu-west-1"}, "alias: 'alias/a b' is not an alias of a key"),
        ({"alias": "x", "account_id": "1", "region": "eu-west-1"}, "account_id: '1'"),
        ({"alias": "x"}, "Set the region of the buckets"),
        ({"alias": "x", "region": "eu-west-1"}, "No AWS credentials were found"),
    ],
)
def test_bad_input(options: dict[str, Any], says: str, run: Callable[..., dict[str, Any]]) -> None:
    result = run(**options)

    assert result["failed"] is True
    assert says in result["msg"]


def test_a_key_on_its_way_out_is_there_only_for_a_task_that_wants_it_back() -> None:
    going = {"key_state": "PendingDeletion", "aliased": False}
    assert kms_storage_key.seen(going, "present") is going
    assert kms_storage_key.seen(going, "absent") is None
    half = {"key_state": "PendingDeletion", "aliased": True}
    assert kms_storage_key.seen(half, "absent") is half
    assert kms_storage_key.seen(None, "absent") is None
