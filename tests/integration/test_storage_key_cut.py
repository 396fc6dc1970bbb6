# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that ends between a key and its alias leaves no second key behind."""

from __future__ import annotations

from typing import Any

from integration.playbook import Result, run_playbook
from integration.world import operator
from sandbox.client import Sandbox

ACCOUNT, REGION = "111111111111", "eu-west-1"
TASK = {"alias": "cut-key", "region": REGION, "account_id": ACCOUNT, "ownership_tags": {"managed-by": "example"}}


def run(sandbox: Sandbox, **options: Any) -> Result:
    """The module in a play of its own."""
    task = {"name": "Do", "kubestrap.aws.kms_storage_key": {**TASK, **options}}
    return run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], sandbox, "payer")


def test_the_key_of_a_run_that_was_cut_off_before_its_alias_is_found(gateway_sandbox: Sandbox) -> None:
    kms = operator(gateway_sandbox, ACCOUNT, REGION).client("kms")
    first = run(gateway_sandbox, enable_key_rotation=False).task("Do").result["kms_storage_key"]
    before = {key["KeyId"] for key in kms.list_keys()["Keys"]}
    kms.delete_alias(AliasName="alias/cut-key")

    completed = run(gateway_sandbox)

    assert completed.ok, completed.report
    assert {key["KeyId"] for key in kms.list_keys()["Keys"]} == before
    result = completed.task("Do").result
    assert result["kms_storage_key"]["arn"] == first["arn"]
    assert result["changes"] == [
        "create the alias alias/cut-key",
        "enable the yearly rotation of the key alias/cut-key",
    ]
    assert kms.describe_key(KeyId="alias/cut-key")["KeyMetadata"]["Arn"] == first["arn"]
    assert run(gateway_sandbox, state="absent").ok
