# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task may want of a user and its key, and what is refused of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._access_key_rotation import Rules
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import Settings

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


def of_size(size: int) -> list[dict[str, Any]]:
    without = 95  # of the document that has these statements, without white space
    return [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "x" * (size - without)}]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"path": "/", "permissions_boundary": "", "max_age": 0, "settle_hours": 0},
        {"path": "/a/b/", "permissions_boundary": "arn:aws-cn:iam::222222222222:policy/b", "max_age": 3650},
        {"inline_policies": {"read": READ, "text": '{"Statement": [{"Effect": "Allow"}]}'}, "settle_hours": 8760},
        {"known_access_key_id": "anything at all"},
    ],
)
def test_good_input(settings: dict[str, Any]) -> None:
    Settings(**settings).check("thanos+store=1,a.b@c-d_e")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"path": "kubestrap"}, "begins and ends with a slash"),
        ({"permissions_boundary": "boundary"}, "is not the ARN of a managed policy"),
        ({"max_age": -1}, "max_age: '-1' is not an age of a key. Write a number of days from 1 to 3650, 0 to"),
        ({"max_age": 3651}, "is not an age of a key"),
        ({"settle_hours": -1}, "settle_hours: '-1' is not allowed. Write 0 to 8760 hours, such as 24"),
        ({"settle_hours": 8761}, "is not allowed"),
        ({"inline_policies": {"a/b": READ}}, "inline_policies: 'a/b' is not a name of a policy"),
        ({"inline_policies": {"read": "not JSON"}}, "is not JSON"),
        (
            {"inline_policies": {"one": of_size(1500), "two": of_size(1000)}},
            "inline_policies: 'one, two' have 2500 characters together; IAM allows 2048 for all inline policies of a",
        ),
    ],
)
def test_bad_input(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleAWSError) as refusal:
        Settings(**settings).check("thanos")
    assert says in refusal.value.message


def test_the_quota_can_be_used_up() -> None:
    Settings(inline_policies={"one": of_size(1048), "two": of_size(1000)}).check("thanos")


def test_when_a_key_has_its_turn() -> None:
    assert Settings().rules == Rules(max_age=None, settle=timedelta(hours=24))
    assert Settings(max_age=90, settle_hours=2).rules == Rules(timedelta(days=90), timedelta(hours=2))
    assert Settings(max_age=0).rules.max_age == timedelta(0)


def test_whether_policies_are_exclusive() -> None:
    assert Settings(inline_policies={}).exclusive
    assert not Settings().exclusive
    assert not Settings(inline_policies={"read": READ}, purge_inline_policies=False).exclusive
