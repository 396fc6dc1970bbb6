# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM checks documents, names and quotas (MiniStack takes nearly anything), and offers its condition keys.

Source of codes and texts: AWS API reference of IAM; quotas: IAM user guide, "IAM and STS quotas".
"""

from __future__ import annotations

import re
from typing import Any

from ..aws_errors import access_denied, aws_error
from ..call import Call, Response
from .evaluator import context_keys
from .iam_documents import (
    GROUP_INLINE_LIMIT,
    MANAGED_LIMIT,
    ROLE_INLINE_LIMIT,
    TRUST_LIMIT,
    USER_INLINE_LIMIT,
    Malformed,
    check_principals,
    parse,
    size,
)
from .registry import before

_NAME = r"[\w+=,.@-]+"
# Which name each call carries: parameter, what the error calls it, longest allowed.
_NAMES = {"RoleName": ("roleName", 64), "PolicyName": ("policyName", 128), "UserName": ("userName", 64)}
_CREATES = ("CreateRole", "CreatePolicy", "CreateUser", "PutRolePolicy", "PutUserPolicy", "PutGroupPolicy")
_BOUNDARY_ACTIONS = {
    f"{action}{kind}{what}"
    for kind in ("Role", "User")
    for action, what in (
        ("Attach", "Policy"),
        ("Detach", "Policy"),
        ("Put", "Policy"),
        ("Delete", "Policy"),
        ("Delete", "PermissionsBoundary"),
    )
}


@before("iam", *_CREATES, order=10)
def names(call: Call, _gateway: Any) -> Response | None:
    """Length and characters of names and paths."""
    for parameter, (member, longest) in _NAMES.items():
        value = call.params.get(parameter)
        if value is None:
            continue
        if len(value) > longest:
            return _invalid(call, value, member, f"Member must have length less than or equal to {longest}")
        if not re.fullmatch(_NAME, value, re.ASCII):
            return aws_error(
                call,
                "ValidationError",
                f"The specified value for {member} is invalid. It must contain only alphanumeric characters "
                "and/or the following: +=,.@_-",
            )
    path = call.params.get("Path")
    if path is not None and (len(path) > 512 or not re.fullmatch(r"/|/[\x21-\x7e]+/", path)):
        return aws_error(
            call,
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / "
            "and contain only alphanumeric characters and/or / characters.",
        )
    if call.operation == "CreateRole":
        return _same_name_in_other_case(call)
    return None


def _same_name_in_other_case(call: Call) -> Response | None:
    from ministack.services import iam

    name = call.params.get("RoleName", "")
    if any(known.lower() == name.lower() for known in iam._roles):
        return aws_error(call, "EntityAlreadyExists", f"Role with name {name} already exists.", 409)
    return None


@before("iam", "CreateRole", "UpdateRole", order=15)
def role_limits(call: Call, _gateway: Any) -> Response | None:
    """MaxSessionDuration between one and twelve hours, at most 50 tags."""
    duration = call.params.get("MaxSessionDuration")
    if duration is not None and not 3600 <= int(duration) <= 43200:
        bound = "greater than or equal to 3600" if int(duration) < 3600 else "less than or equal to 43200"
        return _invalid(call, duration, "maxSessionDuration", f"Member must have value {bound}")
    if len([name for name in call.params if re.fullmatch(r"Tags\.member\.\d+\.Key", name)]) > 50:
        return aws_error(call, "LimitExceeded", "The number of tags has reached the maximum limit.", 409)
    return None


@before("iam", "CreateRole", "UpdateAssumeRolePolicy", order=20)
def trust_documents(call: Call, _gateway: Any) -> Response | None:
    """Grammar, principals and size of a trust policy."""
    if call.operation == "UpdateAssumeRolePolicy" and _role(call.params.get("RoleName", "")) is None:
        return None  # MiniStack says NoSuchEntity
    document = call.params.get("AssumeRolePolicyDocument") or call.params.get("PolicyDocument") or ""
    try:
        statements = parse(document, trust=True)
        check_principals(statements)
    except Malformed as error:
        return aws_error(call, "MalformedPolicyDocument", str(error))
    if size(document) > TRUST_LIMIT:
        return aws_error(call, "LimitExceeded", f"Cannot exceed quota for ACLSizePerRole: {TRUST_LIMIT}", 409)
    return None


@before("iam", "PutRolePolicy", "PutUserPolicy", "PutGroupPolicy", order=20)
def inline_documents(call: Call, _gateway: Any) -> Response | None:
    """Grammar of an inline policy, and the size of all of its role's (user's, group's) together."""
    from ministack.services import iam

    kind, limit, stored = {
        "PutRolePolicy": (
            "role",
            ROLE_INLINE_LIMIT,
            (_role(call.params.get("RoleName", "")) or {}).get("InlinePolicies"),
        ),
        "PutUserPolicy": ("user", USER_INLINE_LIMIT, iam._user_inline_policies.get(call.params.get("UserName", ""))),
        "PutGroupPolicy": (
            "group",
            GROUP_INLINE_LIMIT,
            iam._group_inline_policies.get(call.params.get("GroupName", "")),
        ),
    }[call.operation]
    name = call.params.get(f"{kind.capitalize()}Name", "")
    if {"role": iam._roles, "user": iam._users, "group": iam._groups}[kind].get(name) is None:
        return None  # MiniStack says NoSuchEntity
    document = call.params.get("PolicyDocument", "")
    try:
        parse(document)
    except Malformed as error:
        return aws_error(call, "MalformedPolicyDocument", str(error))
    others = sum(size(text) for other, text in (stored or {}).items() if other != call.params.get("PolicyName"))
    if others + size(document) > limit:
        return aws_error(call, "LimitExceeded", f"Maximum policy size of {limit} bytes exceeded for {kind} {name}", 409)
    return None


@before("iam", "CreatePolicy", "CreatePolicyVersion", order=20)
def managed_documents(call: Call, _gateway: Any) -> Response | None:
    """Grammar and size of a managed policy."""
    document = call.params.get("PolicyDocument", "")
    try:
        parse(document)
    except Malformed as error:
        return aws_error(call, "MalformedPolicyDocument", str(error))
    if size(document) > MANAGED_LIMIT:
        return aws_error(call, "LimitExceeded", f"Cannot exceed quota for PolicySize: {MANAGED_LIMIT}", 409)
    return None


@before("iam", "AttachRolePolicy", order=20)
def attached_policies(call: Call, _gateway: Any) -> Response | None:
    """The policy must exist, and a role has at most ten."""
    from ministack.services import iam

    arn, role = call.params.get("PolicyArn", ""), _role(call.params.get("RoleName", ""))
    if role is None:
        return None
    if not iam.policy_known(arn, call.account_id):
        return aws_error(call, "NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
    if arn not in role["AttachedPolicies"] and len(role["AttachedPolicies"]) >= 10:
        return aws_error(call, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", 409)
    return None


@before("iam", "DeletePolicy", order=20)
def versions_first(call: Call, _gateway: Any) -> Response | None:
    """A policy that has further versions cannot be deleted."""
    from ministack.services import iam

    policy = iam._policies.get(call.params.get("PolicyArn", ""))
    if policy and len(policy["Versions"]) > 1 and not policy.get("AttachmentCount"):
        return aws_error(
            call,
            "DeleteConflict",
            "This policy has more than one version. Before you delete a policy, you "
            "must delete the policy's versions. The default version is deleted with "
            "the policy.",
            409,
        )
    return None


@context_keys
def iam_keys(call: Call, action: str, resource_arn: str) -> dict[str, Any]:
    """iam:PermissionsBoundary, iam:PolicyARN, iam:PassedToService (service authorization reference of IAM)."""
    if call.service != "iam" or action != f"iam:{call.operation}":
        return {}
    keys: dict[str, Any] = {}
    if call.operation in ("CreateRole", "PutRolePermissionsBoundary", "CreateUser", "PutUserPermissionsBoundary"):
        keys["iam:PermissionsBoundary"] = call.params.get("PermissionsBoundary") or None
    elif call.operation in _BOUNDARY_ACTIONS:
        bounded = _role(call.params.get("RoleName", "")) or _user(call.params.get("UserName", "")) or {}
        keys["iam:PermissionsBoundary"] = bounded.get("PermissionsBoundary") or None
    if call.operation in ("AttachRolePolicy", "DetachRolePolicy", "AttachUserPolicy", "DetachUserPolicy"):
        keys["iam:PolicyARN"] = call.params.get("PolicyArn")
    return keys


def may_pass(call: Call, gateway: Any, role_arn: str, to_service: str) -> Response | None:
    """AccessDenied unless the caller may pass this role to a service (iam:PassRole, condition iam:PassedToService)."""
    denied = gateway.authorize(call, "iam:PassRole", role_arn, {"iam:PassedToService": to_service})
    return access_denied(call, "iam:PassRole", role_arn, denied.reason) if denied else None


def _role(name: str) -> dict[str, Any] | None:
    from ministack.services import iam

    return iam._roles.get(name)


def _user(name: str) -> dict[str, Any] | None:
    from ministack.services import iam

    return iam._users.get(name)


def _invalid(call: Call, value: str, member: str, constraint: str) -> Response:
    return aws_error(
        call,
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}",
    )
