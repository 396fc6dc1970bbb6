# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All inline policies of a role (or user) share one quota: what is refused before a call, and what order fits."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import (
    _iam_role,
    _iam_role_plan,
    _iam_role_settings,
    _iam_user,
    _iam_user_plan,
    _iam_user_settings,
    policies,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_principal import check_inline_size
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan
from botocore.exceptions import ClientError

NOW = datetime(2026, 1, 31, tzinfo=UTC)
COMMON = {"path": "/", "permissions_boundary": "", "tags": {}}


def of_size(characters: int) -> dict[str, Any]:
    """A policy document of so many characters, as IAM counts them."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ""}
    statement["Resource"] = "x" * (characters - policies.size([statement]))
    return policies.document([statement])


def of_role(inline: dict[str, Any], others: dict[str, Any] | None = None, **settings: Any) -> Plan:
    current = {"name": "r", "arn": "a", "description": "", "max_session_duration": 3600, **COMMON}
    current |= {"assume_role_policy_document": policies.document([]), "inline_policies": inline}
    return _iam_role_plan.plan_present("r", "a", current, _iam_role_settings.Settings(**settings), others=others)


def of_user(inline: dict[str, Any], others: dict[str, Any] | None = None, **settings: Any) -> Plan:
    current = {"user_name": "u", "arn": "a", "access_keys": [], **COMMON, "inline_policies": inline}
    wanted = _iam_user_settings.Settings(purge_inline_policies=False, **settings)
    return _iam_user_plan.plan_present("u", "a", current, wanted, NOW, others)


def done(plan: Plan) -> list[str]:
    return [
        f"{change.method} {change.params['PolicyName']}" for change in plan.changes if "PolicyName" in change.params
    ]


@pytest.mark.parametrize(("kind", "plan", "limit"), [("role", of_role, 10240), ("user", of_user, 2048)])
def test_what_others_have_counts_too(kind: str, plan: Any, limit: int) -> None:
    new, others = {"storage": of_size(300)}, {"billing": of_size(limit - 300)}
    assert done(plan({}, others, inline_policies=new)) == [f"put_{kind}_policy storage"]
    with pytest.raises(AnsibleAWSError) as refused:
        plan({}, {"billing": of_size(limit - 299)}, inline_policies=new)
    said = f"inline_policies: 'storage' have 300 characters, and {limit + 1} together with billing; IAM allows {limit}"
    assert said in str(refused.value)
    assert "Shorten the largest one (storage, 300): fewer prefixes, or one wildcard for several" in str(refused.value)


def test_what_to_write_instead() -> None:
    for kind, said in (
        ("role", "make a managed policy of it (up to 6144) and name it in managed_policy_arns, or give the workload"),
        ("user", "split it over several users, or let the workload take a role, which may have 10240"),
    ):
        with pytest.raises(AnsibleAWSError, match=re.escape(said)):
            check_inline_size(kind, {"a": of_size(11000)})


def test_a_policy_that_goes_makes_room() -> None:
    """First, where both do not fit; else last, so that no right is missing meanwhile."""
    old, new = {"old": of_size(6000)}, {"new": of_size(6000)}
    assert done(of_role(old, inline_policies=new, absent_inline_policies=["old"])) == [
        "delete_role_policy old",
        "put_role_policy new",
    ]
    small = {"new": of_size(600)}
    wanted = {"inline_policies": small, "absent_inline_policies": ["old"]}
    assert done(of_role(old, **wanted)) == ["put_role_policy new", "delete_role_policy old"]
    tight = {"billing": of_size(4000)}
    assert done(of_role(old, tight, **wanted)) == ["delete_role_policy old", "put_role_policy new"]


def test_what_gets_shorter_goes_first() -> None:
    before = {"grows": of_size(1000), "shrinks": of_size(9000)}
    after = {"grows": of_size(9000), "shrinks": of_size(1000)}
    assert done(of_role(before, inline_policies=after)) == ["put_role_policy shrinks", "put_role_policy grows"]


def test_a_role_that_has_too_much_already_is_left_alone_where_nothing_is_put() -> None:
    full = {"a": of_size(6000), "b": of_size(6000)}
    assert done(of_role(full, absent_inline_policies=["b"])) == ["delete_role_policy b"]


@pytest.mark.parametrize(("kind", "module"), [("Role", _iam_role), ("User", _iam_user)])
def test_only_what_is_not_known_is_read(monkeypatch: pytest.MonkeyPatch, kind: str, module: Any) -> None:
    keys = {"aws_access_key_id": "not-a-key-id", "aws_secret_access_key": "not-a-secret-key"}
    connection = AwsConnection(region="eu-west-1", params=keys)
    document = policies.document([])
    called: list[str] = []

    def answer(operation: str, _params: dict[str, Any]) -> dict[str, Any]:
        called.append(operation)
        if code:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
        if operation.startswith("List"):
            return {"PolicyNames": ["storage", "billing"], "IsTruncated": False}
        return {"PolicyDocument": document}

    monkeypatch.setattr(connection.client("iam"), "_make_api_call", answer)
    code = ""
    assert module.read_others(connection, "x", ["storage"]) == {"billing": document}
    assert called == [f"List{kind}Policies", f"Get{kind}Policy"]
    code = "AccessDenied"
    assert module.read_others(connection, "x", []) == {}
    code = "ServiceFailure"
    with pytest.raises(AnsibleAWSError):
        module.read_others(connection, "x", [])
