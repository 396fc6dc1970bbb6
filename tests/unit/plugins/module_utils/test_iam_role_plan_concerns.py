# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role that several concerns share: one leaves, the others keep what is theirs."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestrap.aws.plugins.module_utils._iam_role_plan import plan_absent

OURS = {"managed-by": "kubestrap.aws"}


def role(*policies: str, tags: dict[str, str] | None = None, managed: tuple[str, ...] = ()) -> dict[str, Any]:
    """A role as it is read before it is deleted."""
    return {
        "name": "kubecost",
        "tags": OURS if tags is None else tags,
        "inline_policy_names": list(policies),
        "managed_policy_arns": list(managed),
        "instance_profiles": [],
    }


def test_the_last_concern_takes_the_role_with_it() -> None:
    plan = plan_absent("kubecost", role("billing-data"), OURS, ["billing-data"])
    assert [change.method for change in plan.changes] == ["delete_role_policy", "delete_role"]
    assert plan.after is None and plan.kept is None


def test_a_role_without_policies_goes_too() -> None:
    plan = plan_absent("kubecost", role(), OURS, ["billing-data"])
    assert [change.method for change in plan.changes] == ["delete_role"]


def test_a_role_with_another_concern_stays() -> None:
    plan = plan_absent("kubecost", role("billing-data", "bucket"), OURS, ["billing-data"])
    assert [change.params for change in plan.changes] == [{"RoleName": "kubecost", "PolicyName": "billing-data"}]
    assert plan.after["inline_policy_names"] == ["bucket"]
    assert plan.kept == "the role kubecost has other policies: bucket"


def test_a_role_with_a_managed_policy_stays() -> None:
    plan = plan_absent("kubecost", role(managed=("arn:aws:iam::aws:policy/ReadOnlyAccess",)), OURS, ["billing-data"])
    assert not plan.changes
    assert plan.kept == "the role kubecost has other policies: arn:aws:iam::aws:policy/ReadOnlyAccess"


def test_a_foreign_role_loses_only_the_policies_of_the_concern() -> None:
    plan = plan_absent("kubecost", role("billing-data", tags={}), OURS, ["billing-data"])
    assert [change.method for change in plan.changes] == ["delete_role_policy"]
    assert "was not made by this collection" in plan.kept


def test_without_the_option_all_policies_go() -> None:
    plan = plan_absent("kubecost", role("billing-data", "bucket"), OURS)
    assert [change.method for change in plan.changes] == ["delete_role_policy", "delete_role_policy", "delete_role"]


def test_a_role_that_is_gone_needs_nothing() -> None:
    assert not plan_absent("kubecost", None, OURS, ["billing-data"]).changes


def trusting(*sids: str) -> dict[str, Any]:
    """A trust with these statements."""
    return {"Version": "2012-10-17", "Statement": [{"Sid": sid, "Effect": "Allow"} for sid in sids]}


def test_a_kept_role_loses_the_statements_of_those_who_leave() -> None:
    theirs = {**role("billing-data", tags={}), "assume_role_policy_document": trusting("Theirs", "Leaving")}
    plan = plan_absent("kubecost", theirs, OURS, ["billing-data"], ["Leaving", "Unknown"])
    assert [change.method for change in plan.changes] == ["update_assume_role_policy", "delete_role_policy"]
    assert plan.after["assume_role_policy_document"] == trusting("Theirs")
    assert not plan_absent("kubecost", plan.after, OURS, ["billing-data"], ["Leaving"]).changes


def test_statements_that_concerns_share_leave_with_the_last_one() -> None:
    trust = {"assume_role_policy_document": trusting("Theirs", "Leaving")}
    shared = {**role("billing-data", "bucket", tags={}), **trust}
    plan = plan_absent("kubecost", shared, OURS, ["billing-data"], ["Leaving"], share_trust=True)
    assert [change.method for change in plan.changes] == ["delete_role_policy"]
    assert plan.after["assume_role_policy_document"] == trusting("Theirs", "Leaving")
    last = plan_absent("kubecost", plan.after, OURS, ["bucket"], ["Leaving"], share_trust=True)
    assert [change.method for change in last.changes] == ["update_assume_role_policy", "delete_role_policy"]
    assert last.after["assume_role_policy_document"] == trusting("Theirs")


def test_the_last_statement_stays() -> None:
    theirs = {**role(tags={}), "assume_role_policy_document": trusting("Leaving")}
    assert not plan_absent("kubecost", theirs, OURS, ["billing-data"], ["Leaving"]).changes
