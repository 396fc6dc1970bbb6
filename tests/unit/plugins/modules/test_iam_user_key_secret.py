# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module's options ask for, and what is refused before any call."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.modules import iam_user_key_secret as module


def params(**changes: Any) -> dict[str, Any]:
    given = {name: option.get("default") for name, option in module.ARGUMENTS.items()}
    return {**given, "user_name": "backup", "namespace": "db", "secret": "pair", **changes}


def test_names_of_the_guide_and_tags_as_texts() -> None:
    wanted = module.wanted_of(params(tags={"cost": 4711}, inline_policies={}))
    assert wanted.keys == ["accessKeyId", "secretAccessKey"]
    assert wanted.settings.tags == {"cost": "4711"}
    assert wanted.settings.exclusive


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"namespace": "D"}, "namespace: 'D'"),
        ({"secret": "a_b", "input_name": "mine.name"}, "mine.name: 'a_b'"),
        ({"access_key_id_key": "a/b"}, "access_key_id_key: 'a/b'"),
        ({"secret_access_key_key": "accessKeyId"}, "has the id already"),
        ({"user_name": "a b"}, "user_name: 'a b'"),
        ({"max_age": -1}, "max_age: '-1'"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError) as refused:
        module.wanted_of(params(**changes))
    assert said in str(refused.value)
