# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of MiniStack's policy evaluator (ministack.core.iam_evaluator, 1.5.33), made in place once per process.

- `aws:PrincipalArn` of a role session is the role's ARN, path included (MiniStack: the session's ARN).
- `aws:PrincipalOrgID` is the one organisation of the sandbox (MiniStack: each account is its own).
- `aws:ResourceAccount` of a bucket is its owner (MiniStack: the caller), `s3:TlsVersion` is there.
- Further keys come from `context_keys` functions of rule modules, further limits (organization policies) from `limits`.
- A caller from another account is checked against a bucket's policy as who it is (MiniStack: as its account's root),
and
  needs both that policy and its own.
- Denials name the resource, and whose policy it is that denies or does not allow (an organization's, the resource's);
  JSON services answer them with status 400.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

from ..call import Call
from ..identify import protocol_of

# Statement ids of organization policies begin with this, so that a denial can say who denied.
ORGANIZATION = "organization-policy/"
# In the context of a simulation: only what the caller gives is known.
SIMULATED = "sandbox:simulated"
# The call that is being answered, for context keys that need its parameters.
current_call: contextvars.ContextVar[Call | None] = contextvars.ContextVar("sandbox_call", default=None)

# While set, IAM's stores answer with what has propagated (see propagation).
lagging: contextvars.ContextVar[bool] = contextvars.ContextVar("sandbox_lagging", default=False)

_context_keys: list[Callable[[Call, str, str], dict[str, Any]]] = []
_limits: list[Callable[[Any], list[Any]]] = []


def context_keys(function: Callable[[Call, str, str], dict[str, Any]]) -> Callable:
    """Register `function(call, action, resource_arn) -> {condition key: value}`, asked for every authorization."""
    _context_keys.append(function)
    return function


def limits(function: Callable[[Any], list[Any]]) -> Callable:
    """Register `function(principal) -> [limit, ...]`: what else must allow (each a list of statement lists)."""
    _limits.append(function)
    return function


def organization_limits(principal: Any) -> list[Any]:
    """The registered limits of this principal (an object with `account`)."""
    return [limit for function in _limits for limit in function(principal)]


def role_arn_of(principal_arn: str) -> str:
    """The ARN of the role behind a session's ARN; any other ARN as it is."""
    from ministack.services import iam

    if ":assumed-role/" not in principal_arn:
        return principal_arn
    partition, account = principal_arn.split(":")[1], principal_arn.split(":")[4]
    name = principal_arn.split("/")[1]
    # Past the lag of a new role too: a session of it exists, so it has an ARN.
    role = iam._roles._data.get((account, name))
    return role["Arn"] if role else f"arn:{partition}:iam::{account}:role/{name}"


def setup(gateway: Any) -> None:
    """Correct the evaluator."""
    from ministack.core import iam_evaluator

    if getattr(iam_evaluator, "_corrected_for", None) is not None:
        raise RuntimeError("One gateway per process: MiniStack's stores and evaluator are global.")
    iam_evaluator._corrected_for = gateway
    resolve_key = iam_evaluator._resolve_condition_key
    resolve_principal = iam_evaluator.resolve_principal
    enforce = iam_evaluator.enforce

    def corrected_key(key: str, context: Any) -> Any:
        name = key.lower()
        if SIMULATED in context.service_context and name not in (
            "aws:principalarn",
            "aws:currenttime",
            "aws:epochtime",
        ):
            return context.service_context.get(name)
        if name == "aws:principalarn":
            return role_arn_of(context.principal_arn)
        if name == "aws:principalorgid":
            return gateway.organization_id(context.principal_account)
        if name == "aws:resourceorgid":
            return gateway.organization_id(_resource_account(context) or context.principal_account)
        if name in ("aws:resourceaccount", "s3:resourceaccount"):
            return _resource_account(context) or resolve_key(key, context)
        if name == "s3:tlsversion" and context.secure_transport:
            return "1.3"
        return resolve_key(key, context)

    def corrected_principal(access_key: str, account_id: str, credential: Any = None) -> Any:
        principal = resolve_principal(access_key, account_id, credential)
        if getattr(principal, "policies", None) is not None:
            principal.limits = [*principal.limits, *organization_limits(principal)]
        return principal

    def corrected_enforce(
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        context = dict(service_context or {})
        call = current_call.get()
        for function in _context_keys if call is not None else ():
            context.update({key.lower(): value for key, value in function(call, action, resource_arn).items()})
        if call is not None:
            call.notes["denied_by_resource"] = False
        late = lagging.set(True)
        try:
            result = enforce(access_key, action, service, region, resource_arn=resource_arn, service_context=context)
        finally:
            lagging.reset(late)
        if call is not None:
            call.notes["denied_by_organization"] = getattr(result, "matched_sid", "").startswith(ORGANIZATION)
        return result

    iam_evaluator._resolve_condition_key = corrected_key
    iam_evaluator.resolve_principal = corrected_principal
    iam_evaluator.enforce = corrected_enforce
    _note_whose_policy_denies()
    _correct_denials()
    _correct_foreign_buckets()


def _note_whose_policy_denies() -> None:
    from ministack.core import iam_evaluator

    combine = iam_evaluator.combine_resource_policy

    def noted(identity: Any, *arguments: Any, **options: Any) -> Any:
        result = combine(identity, *arguments, **options)
        call = current_call.get()
        if call is not None and result.decision != "Allow":
            call.notes["denied_by_resource"] = identity.decision == "Allow" or bool(result.resource_policy_arn)
        return result

    iam_evaluator.combine_resource_policy = noted


def _correct_denials() -> None:
    from ministack.core import iam_actions

    respond = iam_actions.access_denied_response

    def corrected(service: str, action: str, principal_arn: str, request_id: str, **details: Any) -> tuple:
        if details.get("error_code") or details.get("message") or details.get("resource_policy_arn"):
            return respond(service, action, principal_arn, request_id, **details)
        resource = details.get("resource_arn", "*")
        call = current_call.get()
        if call is not None and call.notes.get("denied_by_organization"):
            reason = "with an explicit deny in a service control policy"
        elif details.get("explicit_deny"):
            reason = "with an explicit deny in an identity-based policy"
        elif call is not None and call.notes.get("denied_by_resource"):
            reason = f"because no resource-based policy allows the {action} action"
        else:
            reason = f"because no identity-based policy allows the {action} action"
        details["message"] = (
            f"User: {principal_arn} is not authorized to perform: {action} on resource: "
            + (f'"{resource}"' if service == "s3" else resource)
            + f" {reason}"
        )
        status, headers, body = respond(service, action, principal_arn, request_id, **details)
        if protocol_of(call.service if call else service) == "json":
            status = 400
        return status, headers, body

    iam_actions.access_denied_response = corrected


def _correct_foreign_buckets() -> None:
    from ministack.core.iam_actions import _s3_action
    from ministack.services import s3

    allows, policy_for = s3._foreign_bucket_allows, s3.bucket_policy_for_arn

    def corrected_policy(resource_arn: str) -> tuple[str, str] | None:
        found = policy_for(resource_arn)
        call = current_call.get()
        creating = call is not None and call.operation == "CreateBucket"  # asks for a name, not for a bucket
        if found is not None or creating or not resource_arn.startswith("arn:aws:s3:::"):
            return found
        bucket = resource_arn.removeprefix("arn:aws:s3:::").split("/")[0]
        owner = s3._bucket_owner_account(bucket)
        return None if owner is None else (s3._bucket_policies.get_scoped(owner, None, bucket) or "", owner)

    def corrected_allows(
        owner: str, bucket: str, key: str, method: str, query: dict, caller: str, headers: dict | None = None
    ) -> bool:
        call = current_call.get()
        path = f"/{bucket}/{key}" if key else f"/{bucket}"
        if caller and call is not None and not call.is_root and _s3_action(method, path, query):
            return True  # `enforce` had this bucket's policy, and the caller, and allowed it
        return allows(owner, bucket, key, method, query, caller, headers)

    s3.bucket_policy_for_arn = corrected_policy
    s3._foreign_bucket_allows = corrected_allows


def _resource_account(context: Any) -> str:
    from ministack.core.iam_evaluator import _account_from_arn

    if context.resource_arn.startswith("arn:") and context.resource_arn.split(":")[2] == "s3":
        from .s3 import bucket_owner

        return bucket_owner(context.resource_arn.split(":", 5)[5].split("/")[0]) or ""
    return _account_from_arn(context.resource_arn) or ""
