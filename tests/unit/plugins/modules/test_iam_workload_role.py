# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's options are those of the plan, and its documentation shows what it returns."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role_plan import plan_present
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role_settings import Settings
from ansible_collections.kubestrap.aws.plugins.modules import iam_workload_role


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run the module as Ansible does, without credentials: what it refuses, it refuses before any call."""

    def run_module(**options: Any) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            iam_workload_role.main()
        return json.loads(capsys.readouterr().out)

    return run_module


def test_defaults_are_those_of_the_plan() -> None:
    defaults = {name: option.get("default") for name, option in iam_workload_role.SETTINGS.items()}

    assert defaults == dataclasses.asdict(Settings())


def test_the_documentation_shows_what_is_returned() -> None:
    trust = {"Sid": "A", "Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole"}
    settings = Settings(trust_statements=[trust], managed_policy_arns=[])
    plan = plan_present("reader", "arn:aws:iam::222222222222:role/reader", None, settings)

    returned = yaml.safe_load(iam_workload_role.RETURN)["iam_workload_role"]["contains"]
    # Known after the creation only, and read before a deletion only.
    later = {"role_id", "create_date", "inline_policy_names", "instance_profiles"}
    assert set(returned) == {*(plan.after or {}), *later}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "x" * 65}, "has 65 characters; IAM allows 64"),
        ({"name": "reader", "path": "x"}, "path: 'x' is not a path"),
        ({"name": "reader", "account_id": "1"}, "account_id: '1'"),
        ({"name": "reader", "trust_statements": [{"Sid": "A"}]}, "has no Effect"),
        ({"name": "reader", "region": "eu-west-1"}, "No AWS credentials were found"),
    ],
)
def test_bad_input(options: dict[str, Any], says: str, run: Callable[..., dict[str, Any]]) -> None:
    result = run(**options)

    assert result["failed"] is True
    assert says in result["msg"]
