# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module's options ask for, that secrets among them are hidden, and what is returned."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.module_utils import exceptions
from ansible_collections.kubestrap.aws.plugins.module_utils import _store_secret
from ansible_collections.kubestrap.aws.plugins.modules import object_store_secret as module

HUSH = "hush-hush-hush"
PAIR = {"access_key": "AKIA0", "secret_key": HUSH, "session_token": None}
OWNED = {name: option.get("default") for name, option in module.USER_ARGUMENTS.items()} | {"user_name": "thanos"}
EXISTING = {name: option.get("default") for name, option in module.EXISTING_SECRET.items()} | {"name": "theirs"}
ACCOUNT = {"name": "store", "created_by": "chart", "annotations": {"a": 1}, "release": None}


def params(**changes: Any) -> dict[str, Any]:
    given = {name: option.get("default") for name, option in module.ARGUMENTS.items()}
    config = {"bucket": "acme-store", "region": "eu-west-1"}
    return {**given, "namespace": "thanos", "secret": "store", "consumer": "thanos", "config": config, **changes}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run the module as Ansible does: what it refuses here, it refuses before any call."""

    def run_module(**options: Any) -> dict[str, Any]:
        given = {name: value for name, value in params(**options).items() if value is not None}
        with (
            patch_module_args({**given, "host": "https://127.0.0.1:9", "api_key": "not-a-token"}),
            pytest.raises(SystemExit),
        ):
            module.main()
        out = capsys.readouterr().out
        assert HUSH not in out
        return json.loads(out)

    return run_module


def test_a_user_and_its_settings() -> None:
    task = module.task_of(params(user={**OWNED, "tags": {"cost": 4711}}, ownership_tags={"by": "us"}))
    assert (task.user, task.pair) == ("thanos", None)
    assert (task.settings.tags, task.settings.ownership_tags) == ({"cost": "4711"}, {"by": "us"})
    assert (task.settings.exclusive, task.settings.purge_tags) == (False, True)


def test_a_pair_an_existing_secret_and_accounts() -> None:
    task = module.task_of(params(key_pair=PAIR, service_accounts=[ACCOUNT]))
    assert task.pair and task.pair.secret_key == HUSH
    assert HUSH not in repr(task)
    assert task.wanted.accounts[0].annotations == {"a": "1"}
    found = module.task_of(params(existing_secret=EXISTING)).wanted.existing
    assert found and found.access_key_id_key == "AWS_ACCESS_KEY_ID"


def test_when_it_goes_nothing_but_names_is_looked_at() -> None:
    task = module.task_of(params(state="absent", consumer=None, config=None, key_pair=PAIR, existing_secret=EXISTING))
    assert (task.source, task.pair, task.wanted.existing) == (None, None, None)


def test_messages_name_the_inputs_of_a_role() -> None:
    names = {"config": "thanos_store", "service_accounts": "thanos_accounts", "created_by": None}
    with pytest.raises(exceptions.AnsibleAWSError, match="^thanos_store.bukket"):
        module.task_of(params(input_names=names, config={"bukket": "b"}))
    account = module.task_of(params(input_names=names, service_accounts=[ACCOUNT])).wanted.accounts[0]
    assert (account.inputs.account, account.inputs.created_by) == ("thanos_accounts", "service_accounts.created_by")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"namespace": "Thanos"}, "namespace: 'Thanos'"),
        ({"secret": "a_b"}, "secret: 'a_b'"),
        ({"key": "a/b"}, "key: 'a/b' is not a key of a Secret"),
        ({"existing_secret": {**EXISTING, "name": "A"}}, "existing_secret.name: 'A'"),
        ({"service_accounts": [ACCOUNT, ACCOUNT]}, "service_accounts: 'store' is there twice"),
        ({"service_accounts": [{**ACCOUNT, "name": "A"}]}, "service_accounts.name: 'A'"),
        ({"config": {"bucket": "b", "secret_key": HUSH}}, "config.secret_key: '...' may be shown where it stands"),
        ({"key_pair": {**PAIR, "session_token": HUSH}, "consumer": "kubecost"}, "session_token"),
        ({"consumer": None}, "state is present but all of the following are missing: consumer"),
        ({"config": None}, "any of the following are missing: config, content"),
        ({"content": "type: S3"}, "parameters are mutually exclusive: config|content"),
        ({"user": OWNED, "key_pair": PAIR}, "mutually exclusive: user|key_pair|existing_secret"),
        ({"config": None, "content": "type: S3", "key_pair": PAIR}, "mutually exclusive: content|key_pair"),
        ({"config": None, "content": f"config:\n\tsecret_key: {HUSH}"}, "content: 'line 2' has a tab"),
        ({}, "The API server https://127.0.0.1:9 does not answer"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], said: str, run: Callable[..., dict[str, Any]]) -> None:
    result = run(**changes)
    assert result["failed"] is True
    assert said in result["msg"]


def test_the_documentation_shows_what_is_returned() -> None:
    task = module.task_of(params(user=OWNED))
    state = {"namespace": None, "secret": None, "existing": None, "accounts": {}, "user": None}
    now = datetime(2026, 4, 1, tzinfo=UTC)
    told = _store_secret.told(_store_secret.plan(state, task, "arn", now), [], now)
    returned = yaml.safe_load(module.RETURN)
    assert set(returned) == {"changes", "kept", *told}
    assert set(returned["rotation"]["contains"]) == set(told["rotation"])
    assert set(returned["object_store"]["sample"]) <= set(told["object_store"])
