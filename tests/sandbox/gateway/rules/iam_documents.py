# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy documents as IAM takes them: grammar, size, principals.

Source: IAM user guide, "Grammar of the IAM JSON policy language" and "IAM and STS quotas".
"""

from __future__ import annotations

import json
import re
from typing import Any

ROLE_INLINE_LIMIT, USER_INLINE_LIMIT, GROUP_INLINE_LIMIT, MANAGED_LIMIT, TRUST_LIMIT = 10240, 2048, 5120, 6144, 2048
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_STATEMENT_MEMBERS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_CHARACTERS = re.compile("[\t\n\r -ÿ]+")
_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
_ACCOUNT = re.compile(r"\d{12}|arn:aws[a-z-]*:iam::\d{12}:root")


class Malformed(ValueError):
    """What IAM says about a document that it does not take."""


def size(document: str) -> int:
    """The size that counts against a quota: characters, white space left out."""
    return len(re.sub(r"\s", "", document))


def parse(document: str, trust: bool = False) -> list[dict[str, Any]]:
    """The statements of a document, identity policy or trust. Malformed says what is wrong."""
    if not _CHARACTERS.fullmatch(document):
        raise Malformed(
            "The specified value for policyDocument is invalid. It must contain only printable ASCII characters."
        )
    try:
        parsed = json.loads(document, object_pairs_hook=_no_duplicates)
    except ValueError:
        raise Malformed("This policy contains invalid Json" if trust else "Syntax errors in policy.") from None
    if not isinstance(parsed, dict) or set(parsed) - {"Version", "Id", "Statement"}:
        raise Malformed("Syntax errors in policy.")
    if parsed.get("Version", "2008-10-17") not in ("2008-10-17", "2012-10-17"):
        raise Malformed("The policy must contain a valid version string.")
    statements = parsed.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise Malformed("Syntax errors in policy.")
    sids = [statement["Sid"] for statement in statements if isinstance(statement, dict) and statement.get("Sid")]
    if len(sids) != len(set(sids)):
        raise Malformed("Statement IDs (SID) in a single policy must be unique.")
    for statement in statements:
        _check_statement(statement, trust)
    return statements


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _unused in pairs}) != len(pairs):
        raise ValueError("duplicate member")
    return dict(pairs)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _check_statement(statement: Any, trust: bool) -> None:
    if not isinstance(statement, dict) or set(statement) - _STATEMENT_MEMBERS:
        raise Malformed("Syntax errors in policy.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise Malformed("Syntax errors in policy.")
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not re.fullmatch(r"[A-Za-z0-9]*", sid):
        raise Malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
            f"expression [0-9A-Za-z]*: {sid}"
        )
    _check_actions(statement, trust)
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict) or not all(isinstance(keys, dict) for keys in condition.values()):
        raise Malformed("Syntax errors in policy.")
    _check_operators(condition)
    if not trust:
        _check_resources(statement)
    elif "Resource" in statement or "NotResource" in statement:
        raise Malformed("Has prohibited field Resource")
    elif not statement.get("Principal"):
        raise Malformed("AssumeRole policy must contain principals.")


def _check_actions(statement: dict[str, Any], trust: bool) -> None:
    actions = _listed(statement.get("Action")) + _listed(statement.get("NotAction"))
    if not actions or ("Action" in statement and "NotAction" in statement):
        raise Malformed("Policy statement must contain actions.")
    for action in actions:
        if not isinstance(action, str) or not _ACTION.fullmatch(action):
            if isinstance(action, str) and ":" not in action:
                raise Malformed(_VENDOR)
            raise Malformed(f"The action '{action}' is not valid.")
        if trust and not action.startswith(("sts:", "*")):
            raise Malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def _check_resources(statement: dict[str, Any]) -> None:
    if "Principal" in statement or "NotPrincipal" in statement:
        raise Malformed("Policy document should not specify a principal.")
    resources = _listed(statement.get("Resource")) + _listed(statement.get("NotResource"))
    if not resources or ("Resource" in statement and "NotResource" in statement):
        raise Malformed("Policy statement must contain resources.")
    for resource in resources:
        if resource != "*" and not (isinstance(resource, str) and re.fullmatch(r"arn(:[^:]*){4}:.+", resource)):
            raise Malformed(f'Resource {resource} must be in ARN format or "*".')


def _check_operators(condition: dict[str, Any]) -> None:
    from ministack.core.iam_evaluator import _CONDITION_OPS

    for operator in condition:
        name = operator.lower().removeprefix("forallvalues:").removeprefix("foranyvalue:").removesuffix("ifexists")
        if name not in _CONDITION_OPS and name != "null":
            raise Malformed(f"Invalid Condition type : {operator}.")
        for key in condition[operator]:
            if ":" not in key:
                raise Malformed(_VENDOR)


def check_principals(statements: list[dict[str, Any]]) -> None:
    """Roles and users that a trust names must exist (accounts too, but every account exists for the sandbox)."""
    for statement in statements:
        principal = statement["Principal"]
        if principal == "*":
            continue
        if not isinstance(principal, dict) or set(principal) - {"AWS", "Service", "Federated", "CanonicalUser"}:
            raise Malformed("Invalid principal in policy: Syntax errors in policy.")
        for named in _listed(principal.get("AWS")):
            if named != "*" and not _ACCOUNT.fullmatch(str(named)) and not principal_exists(str(named)):
                raise Malformed(f'Invalid principal in policy: "AWS":"{named}"')
        for named in _listed(principal.get("Federated")):
            if ":oidc-provider/" not in str(named) and ":saml-provider/" not in str(named) and "." not in str(named):
                raise Malformed("Federated principals must be valid domain names or SAML metadata ARNs")
        for named in _listed(principal.get("Service")):
            if not re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?", str(named)):
                raise Malformed(f'Invalid principal in policy: "SERVICE":"{named}"')


def principal_exists(arn: str) -> bool:
    """Whether a user, role or role session of this ARN (or a role of this unique id) is there."""
    from ministack.services import iam

    from .evaluator import lagging

    late = lagging.set(True)
    try:
        return _exists(iam, arn)
    finally:
        lagging.reset(late)


def _exists(iam: Any, arn: str) -> bool:
    found = re.fullmatch(r"arn:aws[a-z-]*:(iam|sts)::(\d{12}):(role|user|assumed-role)/(.+)", arn)
    if found is None:
        return any(role["RoleId"] == arn for role in iam._roles._data.values())
    _service, account, kind, name = found.groups()
    if kind == "assumed-role":
        return iam._roles.get_scoped(account, None, name.split("/")[0]) is not None
    entity = (iam._roles if kind == "role" else iam._users).get_scoped(account, None, name.rsplit("/", 1)[-1])
    return entity is not None and entity["Arn"] == arn
