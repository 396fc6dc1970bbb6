# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caller, or an AWS service, may do with buckets and keys that may belong to another account.

MiniStack's own check (1.5.33) knows the policies of the caller's account only; across accounts both sides must allow.
"""

from __future__ import annotations

from typing import Any

from . import authorize
from .buckets import Bucket
from .call import Call

Context = dict[str, Any]


def bucket_denied(
    call: Call, action: str, bucket: Bucket, key: str | None = None, context: Context | None = None
) -> authorize.Denied | None:
    """Whether the caller may not do `action` on a bucket (or its object `key`); None = allowed."""
    resource = bucket.arn if key is None else f"{bucket.arn}/{key}"
    denied = authorize.check(call, action, resource, context)
    if denied is None and bucket.owner != call.account_id:
        denied = _other_side(call, action, resource, bucket.policy, context)
    return denied


def key_denied(call: Call, action: str, key: str, owner: str, region: str) -> authorize.Denied | None:
    """Whether the caller may not use a KMS key (`kms:Decrypt`) through S3 in `region`; None = allowed.

    `key` is an ARN, or an id or alias of the bucket's owner `owner`. A key that does not exist is denied.
    """
    from ministack.core.responses import request_scope

    arn, account, policy = _key(key, owner, region)
    context = {"kms:ViaService": f"s3.{region}.amazonaws.com", "kms:CallerAccount": call.account_id}
    if not policy:
        return authorize.Denied(action, arn, call.principal_arn)
    with request_scope(call.account_id, region):
        denied = authorize.check(call, action, arn, context)
    if denied is None and account != call.account_id:
        denied = _other_side(call, action, arn, policy, context)
    return denied


def service_admitted(service: str, policy: str, action: str, resource: str, context: Context) -> bool:
    """Whether a resource policy admits an AWS service (billingreports.amazonaws.com); it has no policy of its own."""
    from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy

    given = {"aws:PrincipalIsAWSService": "true", "aws:PrincipalServiceName": service, **context}
    evaluation = EvalContext(
        principal_arn=service,
        principal_type="AWSService",
        principal_account="",
        action=action,
        resource_arn=resource,
        region="us-east-1",
        secure_transport=True,
        service_context={name.lower(): value for name, value in given.items()},
    )
    return evaluate_resource_policy(policy, evaluation, service=service).decision == "Allow"


def service_may_use_key(service: str, key: str, owner: str, region: str, context: Context) -> bool:
    """Whether a key's policy lets an AWS service write with it (kms:GenerateDataKey and kms:Decrypt)."""
    arn, _account, policy = _key(key, owner, region)
    given = {"kms:ViaService": f"s3.{region}.amazonaws.com", **context}
    return bool(policy) and all(
        service_admitted(service, policy, action, arn, given) for action in ("kms:GenerateDataKey", "kms:Decrypt")
    )


def _other_side(
    call: Call, action: str, resource: str, policy: str, context: Context | None
) -> authorize.Denied | None:
    from ministack.core.iam_evaluator import AuthError, EvalContext, evaluate_resource_policy, resolve_principal

    principal = resolve_principal(call.access_key, call.account_id)
    if isinstance(principal, AuthError):
        return authorize.Denied(action, resource, call.principal_arn)
    evaluation = EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource,
        region=call.region,
        secure_transport=True,
        principal_keys=principal.keys,
        service_context={name.lower(): value for name, value in (context or {}).items()},
    )
    decision = evaluate_resource_policy(policy, evaluation).decision
    return None if decision == "Allow" else authorize.Denied(action, resource, call.principal_arn, decision == "Deny")


def _key(key: str, owner: str, region: str) -> tuple[str, str, str]:
    """ARN, account and policy of a key; the policy is "" when there is no such key."""
    from ministack.core.responses import request_scope
    from ministack.services import kms

    account = key.split(":")[4] if key.startswith("arn:") else owner
    with request_scope(account, region):
        record = kms._resolve_key(key)
    if not record:
        return key, account, ""
    policy = record.get("Policy") or ""
    return record["Arn"], account, policy
