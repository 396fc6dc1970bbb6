# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's options are those of the plan, and its documentation shows what it returns."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_plan import outcome, plan_present
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import Settings
from ansible_collections.kubestrap.aws.plugins.modules import iam_user_access_key


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run the module as Ansible does, without credentials: what it refuses, it refuses before any call."""

    def run_module(**options: Any) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            iam_user_access_key.main()
        return json.loads(capsys.readouterr().out)

    return run_module


def test_defaults_are_those_of_the_plan() -> None:
    defaults = {name: option.get("default") for name, option in iam_user_access_key.SETTINGS.items()}

    assert defaults == dataclasses.asdict(Settings())


def test_the_documentation_shows_what_is_returned() -> None:
    settings, now = Settings(inline_policies={}), datetime(2026, 4, 1, tzinfo=UTC)
    plan = plan_present("thanos", "arn:aws:iam::222222222222:user/thanos", None, settings, now)
    made = {"AccessKey": {"AccessKeyId": "AKIANEW", "SecretAccessKey": "not-a-secret-key"}}
    result = outcome(plan, [{}, made], settings, now)

    returned = yaml.safe_load(iam_user_access_key.RETURN)
    assert set(returned) == {"iam_user_access_key", "changes", "kept", *result}
    assert set(returned["rotation"]["contains"]) == set(result["rotation"])
    # Known after the creation only, and read before a deletion only.
    later = {"user_id", "create_date", "managed_policy_arns", "groups"}
    user = returned["iam_user_access_key"]["contains"]
    assert plan.after
    assert set(user) == {*plan.after, *later}
    assert set(user["access_keys"]["contains"]) == set(plan.after["access_keys"][0])


def test_an_id_of_a_key_is_no_secret() -> None:
    assert iam_user_access_key.SETTINGS["known_access_key_id"]["no_log"] is False


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"user_name": "x" * 65}, "has 65 characters; IAM allows 64"),
        ({"user_name": "thanos", "path": "x"}, "path: 'x' is not a path"),
        ({"user_name": "thanos", "account_id": "1"}, "account_id: '1'"),
        ({"user_name": "thanos", "max_age": -1}, "is not an age of a key"),
        ({"user_name": "thanos", "region": "eu-west-1"}, "No AWS credentials were found"),
    ],
)
def test_bad_input(options: dict[str, Any], says: str, run: Callable[..., dict[str, Any]]) -> None:
    result = run(**options)

    assert result["failed"] is True
    assert says in result["msg"]
