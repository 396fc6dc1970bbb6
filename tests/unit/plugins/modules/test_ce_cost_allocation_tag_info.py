# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tags are looked at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _cost_allocation_tags
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.modules import ce_cost_allocation_tag_info

ENTRIES = {
    "aws:createdBy": {"TagKey": "aws:createdBy", "Type": "AWSGenerated", "Status": "Inactive"},
    "shop": {"TagKey": "shop", "Type": "UserDefined", "Status": "Active"},
    "team": {"TagKey": "team", "Type": "UserDefined", "Status": "Inactive"},
}
REQUEST = {"BackfillFrom": "2026-01-01T00:00:00Z", "RequestedAt": "2026-02-01T00:00:00Z", "BackfillStatus": "FAILED"}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What AWS is asked for; it knows three tags and one backfill."""
    calls: list[dict[str, Any]] = []

    def pages(_connection: Any, region: str, _what: str, _method: str, name: str, filters: Any) -> list[dict[str, Any]]:
        assert region == "us-east-1"
        if name == "BackfillRequests":
            return [REQUEST]
        calls.append(filters)
        keys = filters.get("TagKeys", ENTRIES)
        return [ENTRIES[key] for key in keys if key in ENTRIES]

    monkeypatch.setattr(_cost_allocation_tags, "_pages", pages)
    return calls


def look(**params: Any) -> dict[str, Any]:
    """What the module returns for these options."""
    options = {"tag_keys": None, "status": None, "type": None, **params}
    module = SimpleNamespace(connection=AwsConnection("eu-west-1"), params=options)
    return ce_cost_allocation_tag_info.look(module)


def keys_of(result: dict[str, Any]) -> list[str]:
    """The keys that were found."""
    return [tag["tag_key"] for tag in result["ce_cost_allocation_tags"]]


def test_all_with_what_the_documentation_shows() -> None:
    result = look()
    assert keys_of(result) == ["aws:createdBy", "shop", "team"] and result["pending"] == []
    returned = yaml.safe_load(ce_cost_allocation_tag_info.RETURN)
    assert set(returned) == set(result)
    for name in ("ce_cost_allocation_tags", "backfills"):
        assert set(returned[name]["contains"]) == set(result[name][0])


def test_filters_are_aws_own(asked: list[dict[str, Any]]) -> None:
    look(status="inactive", type="UserDefined")
    assert asked == [{"Status": "Inactive", "Type": "UserDefined"}]


def test_a_key_with_another_status_is_not_pending(asked: list[dict[str, Any]]) -> None:
    result = look(tag_keys=["team", "new", "shop"], status="active")
    assert keys_of(result) == ["shop"] and result["pending"] == ["new"]
    assert asked == [{"TagKeys": ["team", "new", "shop"]}]
    assert keys_of(look(tag_keys=["team", "aws:createdBy"], type="AWSGenerated")) == ["aws:createdBy"]


def test_no_keys_are_none(asked: list[dict[str, Any]]) -> None:
    assert keys_of(look(tag_keys=[])) == [] and asked == []


def test_a_key_that_cannot_be() -> None:
    with pytest.raises(AnsibleAWSError, match="is a column of the report"):
        look(tag_keys=["resource_tags_user_team"])
