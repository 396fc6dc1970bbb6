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
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket import BucketId
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket_plan import plan_present
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket_settings import Settings
from ansible_collections.kubestrap.aws.plugins.modules import s3_storage_bucket


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run the module as Ansible does, without credentials: what it refuses, it refuses before any call."""

    def run_module(**options: Any) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            s3_storage_bucket.main()
        return json.loads(capsys.readouterr().out)

    return run_module


def test_defaults_are_those_of_the_plan() -> None:
    defaults = {name: option.get("default") for name, option in s3_storage_bucket.SETTINGS.items()}

    assert defaults == dataclasses.asdict(Settings())


def test_the_documentation_shows_what_is_returned() -> None:
    everything = Settings(
        encryption={"sse_algorithm": "AES256"},
        versioning="Enabled",
        object_lock={},
        lifecycle_rules=[],
        tags={"a": "b"},
    )
    plan = plan_present(BucketId("reports", "eu-west-1", "111111111111", "aws"), None, everything)

    returned = yaml.safe_load(s3_storage_bucket.RETURN)["s3_storage_bucket"]["contains"]
    assert set(returned) == {*(plan.after or {}), "empty"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "s3://reports", "region": "eu-west-1"}, "Write reports"),
        ({"name": "reports", "region": "europe", "account_id": "111111111111"}, "'europe' is not a region"),
        ({"name": "reports", "account_id": "111111111111"}, "Set the region of the bucket"),
        ({"name": "reports", "region": "eu-west-1", "account_id": "1"}, "account_id: '1'"),
        ({"name": "reports", "region": "eu-west-1"}, "No AWS credentials were found"),
        ({"name": "reports", "versioning": "enabled"}, "value of versioning must be one of: Enabled, Suspended"),
    ],
)
def test_bad_input(options: dict[str, Any], says: str, run: Callable[..., dict[str, Any]]) -> None:
    result = run(**options)

    assert result["failed"] is True
    assert says in result["msg"]
