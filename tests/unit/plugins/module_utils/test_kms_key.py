# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key is found by its alias, and by its tag where it has lost or never got the alias."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._kms_key import read
from botocore.exceptions import ClientError

ALIAS = "alias/example"
MARK = {"TagKey": "kubestrap.aws/alias", "TagValue": ALIAS}


class Kms:
    """KMS with these keys.

    :param keys: id -> state, tags, and the aliases that lead to it
    """

    def __init__(self, **keys: tuple[str, list[dict[str, str]], list[str]]) -> None:
        self.keys = keys
        self.asked: list[str] = []

    def describe_key(self, KeyId: str) -> dict[str, Any]:
        for key, (state, _tags, aliases) in self.keys.items():
            if KeyId in (key, *aliases):
                return {"KeyMetadata": {"KeyId": key, "Arn": f"arn:{key}", "KeyState": state}}
        raise ClientError({"Error": {"Code": "NotFoundException", "Message": ""}}, "DescribeKey")

    def get_key_policy(self, KeyId: str, PolicyName: str) -> dict[str, str]:
        return {"Policy": '{"Statement": []}'}

    def get_key_rotation_status(self, KeyId: str) -> dict[str, bool]:
        return {"KeyRotationEnabled": True}

    def get_paginator(self, method: str) -> Any:
        def paginate(KeyId: str = "") -> Any:
            self.asked.append(f"{method} {KeyId}".strip())
            if method == "list_keys":
                return SimpleNamespace(build_full_result=lambda: {"Keys": [{"KeyId": key} for key in self.keys]})
            if self.keys[KeyId][0] == "Denied":
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "ListResourceTags")
            return SimpleNamespace(build_full_result=lambda: {"Tags": self.keys[KeyId][1]})

        return SimpleNamespace(paginate=paginate)


def found(kms: Kms) -> dict[str, Any] | None:
    return read(SimpleNamespace(client=lambda _service: kms), ALIAS)


def test_by_its_alias() -> None:
    team = {"TagKey": "team", "TagValue": "platform"}
    kms = Kms(one=("Enabled", [MARK, team], [ALIAS]), two=("Enabled", [], []))
    assert found(kms) == {
        "alias": ALIAS,
        "arn": "arn:one",
        "key_id": "one",
        "description": "",
        "key_state": "Enabled",
        "key_spec": "SYMMETRIC_DEFAULT",
        "enable_key_rotation": True,
        "policy": {"Statement": []},
        "tags": {"team": "platform"},
        "aliased": True,
    }
    assert kms.asked == ["list_resource_tags one"], "no other key is looked at"


def test_by_its_tag() -> None:
    key = found(Kms(one=("Denied", [], []), two=("Enabled", [MARK], [])))
    assert key is not None
    assert (key["key_id"], key["aliased"]) == ("two", False)


@pytest.mark.parametrize(
    ("states", "expected"), [(("PendingDeletion", "Enabled"), "two"), (("PendingDeletion",), "one")]
)
def test_rather_one_that_is_not_to_be_deleted(states: tuple[str, ...], expected: str) -> None:
    keys = {name: (state, [MARK], []) for name, state in zip(("one", "two"), states, strict=False)}
    key = found(Kms(**keys))
    assert key is not None
    assert key["key_id"] == expected


def test_there_is_none() -> None:
    assert found(Kms()) is None
    other = {"TagKey": "kubestrap.aws/alias", "TagValue": "alias/other"}
    assert found(Kms(one=("Enabled", [other], ["alias/other"]))) is None
