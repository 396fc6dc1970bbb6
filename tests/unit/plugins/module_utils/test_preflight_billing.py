# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a payer account, and what is said about keys and buckets."""

from __future__ import annotations

import json
from typing import Any

import botocore.exceptions
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _preflight_billing as billing
from ansible_collections.kubestrap.aws.plugins.module_utils import policies
from ansible_collections.kubestrap.aws.plugins.module_utils._athena_workgroup import shape
from unit.billing_data_wanted import OURS, wanted

KEY = "arn:aws:kms:us-east-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ACCOUNT = "111111111111"


class Account:
    """A connection to an account that has a workgroup with a location of its own, and keys."""

    partition, region = "aws", "us-east-1"

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.bucket: tuple[bool, list[str]] = (True, [])
        self.key_policy: Any = policies.document(policies.billing_report_key(account_id=ACCOUNT))
        configuration = {
            "EnforceWorkGroupConfiguration": True,
            "ResultConfiguration": {"OutputLocation": "s3://theirs"},
        }
        self.workgroup = {**shape({"Name": "kubecost", "Configuration": configuration}), "tags": None}
        self.tags: dict[str, str] = {}

    def client(self, service: str, region: str) -> Account:
        assert (service, region) == ("kms", "us-east-1")
        return self

    def get_key_policy(self, **params: str) -> dict[str, str]:
        assert params == {"KeyId": KEY, "PolicyName": "default"}
        if isinstance(self.key_policy, str):
            raise botocore.exceptions.ClientError({"Error": {"Code": self.key_policy}}, "GetKeyPolicy")
        return {"Policy": json.dumps(self.key_policy)}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """It."""
    made = Account()
    monkeypatch.setattr(billing._cur_report, "service_region", lambda _connection: "us-east-1")
    monkeypatch.setattr(billing._cur_report, "read_definitions", lambda *_args: made.reports)
    monkeypatch.setattr(billing._athena_workgroup, "read", lambda *_args, **_options: made.workgroup)
    monkeypatch.setattr(billing._athena_workgroup, "read_tags", lambda *_args: made.tags)
    monkeypatch.setattr(billing._iam_role, "read", lambda *_args: None)
    monkeypatch.setattr(billing, "check_bucket", lambda *_args: made.bucket)
    return made


def look(account: Account, **changes: Any) -> tuple[dict[str, Any], list[str]]:
    """What is found, and problems."""
    return billing.look(account, ACCOUNT, wanted(**changes))


def test_what_is_found(account: Account) -> None:
    found, problems = look(account)
    assert problems == []
    assert set(found) == {"report", "workgroup", "reader_role", "notes"}
    assert found["workgroup"]["results_location"] == "s3://theirs"
    assert len(found["notes"]) == 1


def test_whose_a_workgroup_is_is_asked_where_it_differs_only(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.tags = OURS
    assert look(account)[0]["workgroup"]["managed"], "it gets our settings"
    monkeypatch.setattr(billing, "fits", lambda _workgroup, asked: asked.account_id == ACCOUNT)
    monkeypatch.setattr(billing._athena_workgroup, "read_tags", lambda *_args: pytest.fail("nobody needs them"))
    look(account)


def test_the_bucket_of_another_workgroup_has_to_be_there(account: Account) -> None:
    account.bucket = (False, [])
    _found, (problem,) = look(account)
    assert "sends its results to the bucket 'theirs', which does not exist" in problem
    account.bucket = (True, ["billing_data_workgroup: the bucket 'theirs' is in region eu-west-1"])
    assert look(account)[1] == account.bucket[1]
    assert look(account, taken_away=True)[1] == []
    assert look(account, workgroup_change=True)[1] == [], "it gets our bucket"


def test_what_cannot_be_read_is_a_problem(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any) -> Any:
        denied = botocore.exceptions.ClientError(
            {"Error": {"Code": "AccessDenied", "Message": "not allowed to do cur:DescribeReportDefinitions"}},
            "Describe",
        )
        raise AnsibleAWSError(message="Failed to read the Cost and Usage Reports", exception=denied)

    monkeypatch.setattr(billing._cur_report, "read_definitions", refuse)
    found, (problem,) = look(account)
    assert found == {"notes": []}
    assert problem.startswith("Failed to read the Cost and Usage Reports: ")
    assert "not allowed to do cur:DescribeReportDefinitions" in problem


def test_the_key_of_the_report(account: Account) -> None:
    assert look(account, report_kms_key_arn=KEY)[1] == []
    account.key_policy = policies.document([])
    _found, (problem,) = look(account, report_kms_key_arn=KEY)
    assert f"billing_data_report_kms_key_arn: '{KEY}' is a key that AWS Billing may not use" in problem
    assert "'billing_report_key' with account_id '111111111111'" in problem
    account.key_policy = "NotFoundException"
    assert "is not a key that exists" in look(account, report_kms_key_arn=KEY)[1][0]


def test_a_key_policy_that_cannot_be_read_is_told(account: Account) -> None:
    account.key_policy = "AccessDeniedException"
    found, problems = look(account, report_kms_key_arn=KEY)
    assert problems == []
    assert f"The policy of the key {KEY} could not be read. AWS delivers nothing unless" in found["notes"][-1]


@pytest.mark.parametrize("option", ["report_kms_key_arn", "results_kms_key_arn"])
@pytest.mark.parametrize(
    ("arn", "said"),
    [
        ("alias/acme", "is not an ARN of KMS"),
        ("arn:aws:kms:us-east-1:111111111111:alias/acme", "is not a key; policies name keys"),
        (KEY.replace("us-east-1", "eu-west-1"), "is a key in region eu-west-1, and the bucket is in us-east-1"),
    ],
)
def test_keys_that_cannot_be_used(account: Account, option: str, arn: str, said: str) -> None:
    _found, (problem,) = look(account, **{option: arn})
    assert f"billing_data_{option}: '{arn}' {said}" in problem


@pytest.mark.parametrize(("number", "check", "refused"), [(9, True, False), (10, True, True), (10, False, False)])
def test_a_new_report_has_to_find_room(account: Account, number: int, check: bool, refused: bool) -> None:
    account.reports = [{"report_name": f"r{index}", "s3_bucket": "theirs"} for index in range(number)]
    said = [problem for problem in look(account, check_quotas=check)[1] if "Cost and Usage Reports already" in problem]
    assert bool(said) is refused
    assert look(account, check_quotas=check, taken_away=True)[1] == []
