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
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_oidc import plan_present
from ansible_collections.kubestrap.aws.plugins.modules import iam_oidc_provider


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run the module as Ansible does, without credentials: what it refuses, it refuses before any call."""

    def run_module(**options: Any) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            iam_oidc_provider.main()
        return json.loads(capsys.readouterr().out)

    return run_module


def test_the_documentation_shows_what_is_returned() -> None:
    plan = plan_present(None, "arn", "https://oidc.example.com", ["sts.amazonaws.com"])

    returned = yaml.safe_load(iam_oidc_provider.RETURN)["oidc_provider"]["contains"]
    assert set(returned) == {*(plan.after or {}), "thumbprints", "create_date"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "missing required arguments: url"),
        ({"url": "oidc.example.com"}, "it must start with https://"),
        ({"url": "https://oidc.example.com", "account_id": "1"}, "account_id: '1'"),
        ({"url": "https://oidc.example.com", "region": "eu-west-1"}, "No AWS credentials were found"),
    ],
)
def test_bad_input(options: dict[str, Any], says: str, run: Callable[..., dict[str, Any]]) -> None:
    result = run(**options)

    assert result["failed"] is True
    assert says in result["msg"]
