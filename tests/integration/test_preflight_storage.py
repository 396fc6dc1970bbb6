# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights to object storage, asked of IAM before the first write: the whole policy passes, one without an action is
named. The run that it stands for is in test_operator_permissions_storage.py and test_operator_permissions_thanos.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from integration.test_operator_permissions_storage import ACCOUNT, REGION, Operator
from integration.world import preflight_rights
from sandbox.client import Sandbox

BUCKET, WORKLOAD = "workload_storage_operator", "object_storage_workload_operator"
PARAMETERS: dict[str, dict[str, Any]] = {
    BUCKET: {
        "region": REGION,
        "bucket": "rights-blocks",
        "kms_key_alias": "rights-blocks",
        "versioning": True,
        "object_lock": True,
    },
    WORKLOAD: {
        "identity_method": "access_key",
        "user_name": "rights-thanos",
        "region": REGION,
        "cluster_name": "rights",
        "permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    },
}


class Asker(Operator):
    """An operator whose rights are looked up."""

    arn = f"arn:aws:iam::{ACCOUNT}:role/rights-asker"

    def asked(self, document: str, *missing: str) -> tuple[list[str], list[str]]:
        """Problems and notes with the policy that is enough for a run, without these actions."""
        place = {"partition": "aws", "account_id": ACCOUNT, "extent": "run", **PARAMETERS[document]}
        statements = preflight_rights.DOCUMENTS[document](**place)
        own = preflight_rights.DOCUMENTS[document](**place, operator_arn=self.arn)
        left = [{**each, "Action": [name for name in each["Action"] if name not in missing]} for each in own]
        self.give([statement for statement in left if statement["Action"]])
        session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.name}/test"
        tags = {"managed-by": "kubestrap.aws"}
        return preflight_rights.check_rights(self.connection, session, statements, document, tags)


@pytest.fixture(scope="module")
def asker(gateway_sandbox: Sandbox) -> Iterator[Asker]:
    made = Asker(gateway_sandbox, "rights-asker")
    yield made
    made.away()


@pytest.mark.parametrize("document", PARAMETERS)
def test_the_whole_policy_is_enough(asker: Asker, document: str) -> None:
    assert asker.asked(document) == ([], [])


@pytest.mark.parametrize(
    ("document", "action", "resource"),
    [
        (BUCKET, "s3:CreateBucket", "arn:aws:s3:::rights-blocks"),
        (BUCKET, "s3:PutEncryptionConfiguration", "arn:aws:s3:::rights-blocks"),
        (BUCKET, "s3:PutBucketObjectLockConfiguration", "arn:aws:s3:::rights-blocks"),
        (BUCKET, "kms:CreateKey", "*"),
        (WORKLOAD, "iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/rights-thanos"),
        (WORKLOAD, "iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/rights-thanos"),
        (WORKLOAD, "eks:DescribeCluster", f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/rights"),
    ],
)
def test_a_right_that_is_missing_is_named(asker: Asker, document: str, action: str, resource: str) -> None:
    (problem,), notes = asker.asked(document, action)
    assert f"lacks rights that this run needs: {action} on {resource} (no policy allows it). Give it" in problem
    assert notes == []


def test_the_rights_to_each_of_two_users_are_asked_for(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARAMETERS[WORKLOAD], "user_names", ["rights-billing"])
    assert asker.asked(WORKLOAD) == ([], [])
    (problem,), _notes = asker.asked(WORKLOAD, "iam:CreateUser")
    users = [f"arn:aws:iam::{ACCOUNT}:user/{user}" for user in ("rights-thanos", "rights-billing")]
    assert f"iam:CreateUser on {' and '.join(users)}" in problem


@pytest.mark.parametrize(
    ("document", "action"),
    [(BUCKET, "kms:EnableKey"), (BUCKET, "s3:PutBucketTagging"), (WORKLOAD, "iam:UpdateAccessKey")],
)
def test_what_no_first_run_calls_is_not_asked_for(asker: Asker, document: str, action: str) -> None:
    assert asker.asked(document, action) == ([], [])
