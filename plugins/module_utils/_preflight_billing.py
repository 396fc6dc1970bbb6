# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a payer account already, and whether it fits: report, workgroup, reader role, key.

One call for each, side by side. What is found decides what the role billing_data makes, uses and refuses, before
anything is written. The judgements are pure; the variables in their sentences are those of the role.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from . import _athena_workgroup, _cur_report, _iam_role, policies
from ._connection import AwsConnection
from ._errors import error_code, explain
from ._plan import gather
from ._preflight import check_bucket
from ._preflight_names import problems_of
from ._preflight_quota import check_reports
from ._preflight_reader import judge_reader
from ._preflight_report import judge_report
from ._preflight_workgroup import fits, judge_workgroup

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

_KEY_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the inventory asks for.

    :ivar taken_away: whether it is to be taken away, so that nothing has to fit
    :ivar report_change: whether an existing report may be changed
    :ivar workgroup_change: whether a workgroup that is not ours may be changed, ``primary`` too
    :ivar results_location: where the results are to go, ``s3://bucket/folder/``
    :ivar reader_role_arns: roles that are to be let in, as far as they are known
    :ivar tags: of a workgroup that is ours
    :ivar ownership_tags: by which our own resources are known
    :ivar account_id: of the payer, where it is known
    :ivar check_quotas: whether a new report has to find room among those of the account
    """

    region: str
    report_name: str
    report_bucket: str
    report_prefix: str
    workgroup: str
    results_location: str
    role_name: str
    taken_away: bool = False
    report_change: bool = False
    report_kms_key_arn: str = ""
    workgroup_change: bool = False
    results_kms_key_arn: str = ""
    scan_limit_bytes: int = 0
    role_path: str = "/"
    reader_role_arns: t.Sequence[str] = ()
    trust_size_limit: int = policies.TRUST_POLICY_SIZE
    tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    ownership_tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    check_quotas: bool = False
    account_id: str = ""


def look(connection: AwsConnection, account_id: str, wanted: Wanted) -> tuple[dict[str, t.Any], list[str]]:
    """What the account has, and what of it does not fit.

    :returns: ``report``, ``workgroup``, ``reader_role`` as their judges describe them, ``notes`` (sentences for the
        user); and the problems, one sentence each
    """
    wanted = dataclasses.replace(wanted, account_id=account_id)
    try:
        found = _read(connection, account_id, wanted)
    except AnsibleAWSError as e:
        reason = explain(e.exception)
        return {"notes": []}, [f"{reason}: {e}" if reason else str(e)]
    report, report_problems = judge_report(found["reports"], wanted)
    workgroup, workgroup_problems, notes = judge_workgroup(found["workgroup"], wanted)
    reader, reader_problems = judge_reader(found["role"], wanted)
    problems = [*report_problems, *workgroup_problems, *reader_problems]
    if not wanted.taken_away:
        if wanted.check_quotas and not report["exists"]:
            problems += check_reports(len(found["reports"]), wanted.report_name)
        problems += _check_results_bucket(connection, account_id, workgroup)
        key_problems, key_notes = _check_keys(connection, account_id, wanted)
        problems += key_problems
        notes += key_notes
    return {"report": report, "workgroup": workgroup, "reader_role": reader, "notes": notes}, problems


def _read(connection: AwsConnection, account_id: str, wanted: Wanted) -> dict[str, t.Any]:
    partition = connection.partition
    service = _cur_report.service_region(connection)
    arn = _athena_workgroup.workgroup_arn(partition, wanted.region, account_id, wanted.workgroup)
    return gather(
        {
            "reports": lambda: _cur_report.read_definitions(connection, service, account_id),
            "workgroup": lambda: _read_workgroup(connection, wanted, arn),
            "role": functools.partial(_iam_role.read, connection, wanted.role_name),
        }
    )


def _read_workgroup(connection: AwsConnection, wanted: Wanted, arn: str) -> dict[str, t.Any] | None:
    """The workgroup; its tags only where it matters whose it is, or some are wanted."""
    found = _athena_workgroup.read(connection, wanted.workgroup, arn, with_tags=bool(wanted.tags))
    if found is None or wanted.tags or fits(found, wanted):
        return found
    return {**found, "tags": _athena_workgroup.read_tags(connection, arn)}


def _check_results_bucket(connection: AwsConnection, account_id: str, workgroup: t.Mapping[str, t.Any]) -> list[str]:
    """Problems of the bucket that a workgroup of somebody else sends the results to; one call where there is one."""
    if not workgroup["follows"]:
        return []
    bucket = {"option": "billing_data_workgroup", "name": workgroup["results_bucket"]}
    try:
        exists, problems = check_bucket(connection, bucket, account_id)
    except BotoCoreError as e:
        return [f"billing_data_workgroup: the bucket '{bucket['name']}' cannot be read: {e}"]
    if exists or problems:
        return problems
    return [
        f"billing_data_workgroup: the workgroup '{workgroup['name']}' sends its results to the bucket "
        f"'{bucket['name']}', which does not exist. Choose another workgroup, or make the bucket"
    ]


def _check_keys(connection: AwsConnection, account_id: str, wanted: Wanted) -> tuple[list[str], list[str]]:
    """Problems and notes of customer keys; one call where the report bucket has one."""
    keys = {
        "billing_data_report_kms_key_arn": wanted.report_kms_key_arn,
        "billing_data_results_kms_key_arn": wanted.results_kms_key_arn,
    }
    problems = [
        problem
        for option, arn in keys.items()
        if arn
        for problem in problems_of(lambda option=option, arn=arn: policies.check_key(option, arn, wanted.region))
    ]
    if problems or not wanted.report_kms_key_arn:
        return problems, []
    return judge_key_policy(_key_policy(connection, wanted.report_kms_key_arn), account_id, wanted.report_kms_key_arn)


def _key_policy(connection: AwsConnection, arn: str) -> dict[str, t.Any] | None:
    """The policy of a key; empty where there is no such key, ``None`` where these credentials may not read it."""
    try:
        answer = connection.client("kms", arn.split(":")[3]).get_key_policy(KeyId=arn, PolicyName="default")
        return json.loads(answer["Policy"])
    except ClientError as e:
        if error_code(e) == "NotFoundException":
            return {}
        return None
    except (BotoCoreError, ValueError):
        return None


def judge_key_policy(policy: t.Mapping[str, t.Any] | None, account_id: str, arn: str) -> tuple[list[str], list[str]]:
    """Problems and notes of the policy of the report bucket's key.

    :param policy: ``None`` where it could not be read, empty where there is no key
    """
    need = (
        f"its policy lets {policies.BILLING_SERVICE} do {' and '.join(_KEY_ACTIONS)} (statement: lookup "
        f"kubestrap.aws.iam_document 'billing_report_key' with account_id '{account_id}')"
    )
    option = f"billing_data_report_kms_key_arn: '{arn}'"
    if policy is None:
        return [], [f"The policy of the key {arn} could not be read. AWS delivers nothing unless {need}."]
    if not policy:
        return [f"{option} is not a key that exists. Write the ARN of a key of this region"], []
    if policies.admits_service(policy, policies.BILLING_SERVICE, _KEY_ACTIONS):
        return [], []
    return [f"{option} is a key that AWS Billing may not use, so that nothing would be delivered unless {need}"], []
