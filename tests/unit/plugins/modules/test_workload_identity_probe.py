# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options ask to be proved, and when the task fails. The proof itself is made in the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestrap.aws.plugins.modules import workload_identity_probe as probe

ROLE = "arn:aws:iam::222222222222:role/kubecost"
GIVEN = {
    "host": "https://demo.example",
    "api_key": "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXhhbXBsZQ",
    "namespace": "kubecost",
    "service_account": "kubecost",
    "role_arn": ROLE,
}
ATHENA = {"workgroup": "w", "database": "d", "table": "t", "output_location": "s3://b/p"}


def params(**options: Any) -> dict[str, Any]:
    """The task's parameters with defaults filled in."""
    result = ArgumentSpecValidator(probe.ARGUMENTS).validate({**GIVEN, **options})
    assert not result.error_messages
    return result.validated_parameters


def test_the_least() -> None:
    claim = probe.claim_of(params())
    assert claim.name == "kubecost:kubecost"
    assert claim.audience == "sts.amazonaws.com"
    assert (claim.athena, claim.secret, claim.label_selectors, claim.helm_release) == (None, None, None, None)
    assert claim.patience_seconds == 0


def test_the_columns_are_those_of_kubecost_unless_others_are_named() -> None:
    columns = probe.claim_of(params(athena=ATHENA)).athena.required_columns
    assert {"line_item_resource_id", "line_item_unblended_cost", "year", "month"} <= set(columns)
    assert probe.claim_of(params(athena={**ATHENA, "required_columns": ["a"]})).athena.required_columns == ("a",)


def test_delivery_is_expected_unless_the_task_says_otherwise() -> None:
    assert probe.claim_of(params(athena=ATHENA)).athena.delivered is True
    assert probe.claim_of(params(athena=ATHENA, delivered=False)).athena.delivered is False


def test_pods_without_labels_are_all_of_the_namespace() -> None:
    assert probe.claim_of(params(pods={})).label_selectors == ()
    assert probe.claim_of(params(pods={"label_selectors": ["app=x"]})).label_selectors == ("app=x",)


def test_patience_only_after_a_change() -> None:
    assert probe.claim_of(params(wait_timeout=60)).patience_seconds == 0
    assert probe.claim_of(params(wait_timeout=60, recently_changed=True)).patience_seconds == 60


def test_the_secrets_key_is_the_vendors() -> None:
    assert probe.claim_of(params(secret={"name": "s"})).secret["key"] == "cloud-integration.json"


@pytest.mark.parametrize(
    ("fail_on", "state", "check_mode", "fails"),
    [
        ("failed", "failed", False, True),
        ("failed", "pending", False, False),
        ("pending", "pending", False, True),
        ("pending", "failed", False, True),
        ("pending", "proved", False, False),
        ("never", "failed", False, False),
        ("failed", "failed", True, False),
        ("pending", "pending", True, False),
    ],
)
def test_when_the_task_fails(fail_on: str, state: str, check_mode: bool, fails: bool) -> None:
    assert probe.fails({"state": state}, fail_on, check_mode) is fails


def test_the_token_is_never_shown() -> None:
    assert probe.ARGUMENTS["api_key"]["no_log"] is True
    shown = [name for name, option in probe.ARGUMENTS.items() if option.get("no_log")]
    assert shown == ["api_key"], "what is no_log is masked in all results"
