# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SimulateCustomPolicy and SimulatePrincipalPolicy, by the evaluator that decides real calls.

MiniStack looks at the first resource only, knows no context entries, no boundary and no role with a path. As on AWS a
condition key has the value that the caller gives, or none, and the answer says which keys were not given, and whether
the boundary and the organisation's policies allow it. Source: AWS API reference of IAM, SimulatePrincipalPolicy.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from ..aws_errors import aws_error
from ..call import Call, Response, xml_response
from .evaluator import SIMULATED, organization_limits
from .registry import before

# Condition keys that the simulator knows by itself.
_KNOWN = {"aws:principalarn", "aws:currenttime", "aws:epochtime"}
_DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}


@dataclass(frozen=True)
class _Subject:
    """Whose policies are simulated."""

    arn: str
    account: str
    kind: str
    policies: list[Any]
    boundary: list[Any]
    organization: list[Any]


@before("iam", "SimulateCustomPolicy", "SimulatePrincipalPolicy")
def simulate(call: Call, _gateway: Any) -> Response:
    """One result per action and resource."""
    from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

    given = [parse_policy_document(document) for document in _members(call.params, "PolicyInputList")]
    boundary = [parse_policy_document(text) for text in _members(call.params, "PermissionsBoundaryPolicyInputList")]
    if call.operation == "SimulateCustomPolicy":
        subject = _Subject(f"arn:aws:iam::{call.account_id}:user/simulated", call.account_id, "User", [], [], [])
    else:
        found = _principal(call.params.get("PolicySourceArn", ""), call.account_id)
        if found is None:
            return aws_error(
                call, "NoSuchEntity", f"The entity {call.params.get('PolicySourceArn')} cannot be found.", 404
            )
        subject = found
    actions = _members(call.params, "ActionNames")
    if not actions:
        return aws_error(call, "ValidationError", "ActionNames must not be empty.")
    context = {SIMULATED: True, **_context_entries(call.params)}
    results = []
    for action in actions:
        for resource in _members(call.params, "ResourceArns") or ["*"]:
            subject_context = EvalContext(
                principal_arn=subject.arn,
                principal_type=subject.kind,
                principal_account=subject.account,
                action=action,
                resource_arn=resource,
                region=call.region,
                service_context=context,
            )
            own = [*subject.policies, *given]
            limits = [*subject.boundary, *([boundary] if boundary else [])]
            result = evaluate(subject_context, own, *limits, *subject.organization)
            matched = (
                f"<member><SourcePolicyId>{escape(result.matched_sid or 'PolicyInputList.1')}</SourcePolicyId></member>"
                if result.decision != "ImplicitDeny"
                else ""
            )
            results.append(
                f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}"
                f"</EvalResourceName><EvalDecision>{_DECISIONS[result.decision]}</EvalDecision><MatchedStatements>{matched}"
                f"</MatchedStatements>{_missing_keys(subject_context, [own, *limits, *subject.organization])}"
                + _detail(
                    "OrganizationsDecisionDetail", "AllowedByOrganizations", subject_context, subject.organization
                )
                + _detail("PermissionsBoundaryDecisionDetail", "AllowedByPermissionsBoundary", subject_context, limits)
                + "</member>"
            )
    return xml_response(
        f'<{call.operation}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{call.operation}Result>'
        f"<EvaluationResults>{''.join(results)}</EvaluationResults><IsTruncated>false</IsTruncated>"
        f"</{call.operation}Result><ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        f"</{call.operation}Response>"
    )


def _principal(arn: str, account: str) -> _Subject | None:
    from ministack.core import iam_evaluator
    from ministack.services import iam

    found = re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}):(role|user)/(.+)", arn)
    if found is None or found.group(1) != account:
        return None
    name = found.group(3).rsplit("/", 1)[-1]
    store, gather, kind = (
        (iam._roles, iam_evaluator._gather_role_policies, "AssumedRole")
        if found.group(2) == "role"
        else (iam._users, iam_evaluator._gather_user_policies, "User")
    )
    entity = store.get(name)
    if entity is None or entity["Arn"] != arn:
        return None
    subject = _Subject(
        arn,
        account,
        kind,
        gather(name, account),
        iam_evaluator._permissions_boundary(store, name, account),
        [],
    )
    subject.organization.extend(organization_limits(subject))
    return subject


def _missing_keys(context: Any, layers: list[Any]) -> str:
    """The condition keys of statements about this action and resource that the caller gave no value for."""
    from ministack.core.iam_evaluator import _action_matches, _resource_matches

    found = {
        key
        for layer in layers
        for statements in layer
        for statement in statements
        if _action_matches(context.action, statement.actions, statement.not_actions)
        and _resource_matches(context.resource_arn, statement.resources, statement.not_resources)
        for conditions in statement.conditions.values()
        for key in conditions
        if key.lower() not in context.service_context and key.lower() not in _KNOWN
    }
    members = "".join(f"<member>{escape(key)}</member>" for key in sorted(found))
    return f"<MissingContextValues>{members}</MissingContextValues>"


def _detail(name: str, member: str, context: Any, limits: list[Any]) -> str:
    """Whether these limits alone allow it; nothing when there are none."""
    from ministack.core.iam_evaluator import evaluate

    if not limits:
        return ""
    allowed = all(evaluate(context, limit).decision == "Allow" for limit in limits)
    return f"<{name}><{member}>{'true' if allowed else 'false'}</{member}></{name}>"


def _members(params: dict[str, str], name: str) -> list[str]:
    numbered = [
        (int(found.group(1)), value)
        for key, value in params.items()
        if (found := re.fullmatch(rf"{name}\.member\.(\d+)", key))
    ]
    return [value for _number, value in sorted(numbered)]


def _context_entries(params: dict[str, str]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, value in params.items():
        found = re.fullmatch(r"ContextEntries\.member\.(\d+)\.ContextKeyName", key)
        if found:
            prefix = f"ContextEntries.member.{found.group(1)}"
            values = _members(params, re.escape(f"{prefix}.ContextKeyValues"))
            listed = params.get(f"{prefix}.ContextKeyType", "").endswith("List")
            entries[value.lower()] = values if listed or len(values) != 1 else values[0]
    return entries
