# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a trust policy lets a ServiceAccount's token in, or does not. Pure functions.

STS only says AccessDenied, and the policy simulator of IAM does not evaluate trust policies. This explains; it does not
decide: a condition that is not understood here is left to STS.
"""

from __future__ import annotations

import base64
import dataclasses
import fnmatch
import json
import typing as t

_ACTION = "sts:AssumeRoleWithWebIdentity"


@dataclasses.dataclass(frozen=True)
class Claims:
    """What a token says of itself.

    :ivar issuer: URL, with its scheme
    :ivar subject: ``system:serviceaccount:NAMESPACE:NAME``
    :ivar audiences: whom it is for
    """

    issuer: str
    subject: str
    audiences: tuple[str, ...]

    @property
    def host(self) -> str:
        """The issuer without its scheme: how IAM names providers and condition keys."""
        return self.issuer.removeprefix("https://").rstrip("/")

    @property
    def service_account(self) -> str:
        """``NAMESPACE:NAME``"""
        return self.subject.removeprefix("system:serviceaccount:")


def claims_of(token: str) -> Claims:
    """What a token says of itself. Whether that is true, STS decides."""
    payload = token.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    audience = said.get("aud", [])
    return Claims(said["iss"], said["sub"], tuple([audience] if isinstance(audience, str) else audience))


@dataclasses.dataclass(frozen=True)
class Opinion:
    """What one reads from a trust policy.

    :ivar matches: ``True`` it lets the token in, ``False`` it does not, ``None`` it depends on what cannot be seen here
    :ivar reason: why not; empty when it matches
    :ivar change: what to write into the trust instead; empty when it matches
    """

    matches: bool | None
    reason: str = ""
    change: str = ""


def judge(trust: t.Mapping[str, t.Any], claims: Claims, provider_arn: str) -> Opinion:
    """Whether a role's trust policy lets the token in.

    The statement that comes nearest is the one that is explained.

    :param provider_arn: of the token's issuer in the account of the role
    """
    statements = [statement for statement in _list(trust.get("Statement")) if _is_about_tokens(statement)]
    if not statements:
        return Opinion(
            False,
            "the trust policy lets nobody take the role with a token of a cluster (sts:AssumeRoleWithWebIdentity)",
            _add(claims, provider_arn),
        )
    ours = [s for s in statements if provider_arn in _list(_principal(s).get("Federated"))]
    if not ours:
        others = sorted({str(p) for s in statements for p in _list(_principal(s).get("Federated"))})
        return Opinion(
            False,
            f"the trust policy names another OpenID Connect provider ({', '.join(others)}), but the tokens of this "
            f"cluster come from {claims.issuer}",
            _add(claims, provider_arn),
        )
    opinions = [_judge_conditions(statement, claims) for statement in ours]
    for answer in (True, None):
        for opinion in opinions:
            if opinion.matches is answer:
                return _unless_denied(trust, opinion)
    trusted = sorted({name for statement in ours for name in _trusted_subjects(statement, claims)})
    if len(opinions) > 1 and trusted:
        return _other_subject(trusted, claims)
    return opinions[0]


def _judge_conditions(statement: t.Mapping[str, t.Any], claims: Claims) -> Opinion:
    unknown = []
    for operator, block in (statement.get("Condition") or {}).items():
        for key, wanted in block.items():
            values = [str(value) for value in _list(wanted)]
            matches = _holds(operator, key, values, claims)
            if matches is None:
                unknown.append(f"{operator} {key}")
            elif not matches:
                return _mismatch(operator, key, values, claims)
    if unknown:
        return Opinion(None, f"the trust policy has conditions that only AWS can judge ({', '.join(unknown)})")
    return Opinion(True)


def _mismatch(operator: str, key: str, values: list[str], claims: Claims) -> Opinion:
    name = key.lower()
    if name == f"{claims.host}:aud".lower():
        return Opinion(
            False,
            f"the trust policy demands the audience {' or '.join(values)}, but the token is for "
            f"{' and '.join(claims.audiences)}",
            f"Let the trust policy name {claims.audiences[0]} under {claims.host}:aud",
        )
    if name != f"{claims.host}:sub".lower():
        return Opinion(
            False,
            f"the trust policy has a condition on {key}, which is a key of another issuer",
            f"Write {claims.host}:{name.rsplit(':', 1)[-1]} instead of {key}",
        )
    if any(_like(claims.subject, value) for value in values):
        return Opinion(
            False,
            f"the trust policy compares the subject with {' and '.join(values)} under {operator}, where '*' and '?' "
            "are ordinary characters",
            f"Put {key} under StringLike",
        )
    return _other_subject(values, claims)


def _other_subject(trusted: list[str], claims: Claims) -> Opinion:
    return Opinion(
        False,
        f"the trust policy names {' and '.join(trusted)}, but the ServiceAccount is {claims.service_account}",
        f"Let the trust policy name {claims.subject} under {claims.host}:sub, or install the workload with the "
        "ServiceAccount that is named there",
    )


def _unless_denied(trust: t.Mapping[str, t.Any], opinion: Opinion) -> Opinion:
    if any(statement.get("Effect") == "Deny" for statement in _list(trust.get("Statement"))):
        return Opinion(None, "the trust policy has a statement that denies, which only AWS can judge")
    return opinion


def _trusted_subjects(statement: t.Mapping[str, t.Any], claims: Claims) -> list[str]:
    blocks = (statement.get("Condition") or {}).values()
    wanted = f"{claims.host}:sub".lower()
    conditions = [(key.lower(), values) for block in blocks for key, values in block.items()]
    return [str(value) for key, values in conditions if key == wanted for value in _list(values)]


def _holds(operator: str, key: str, wanted: list[str], claims: Claims) -> bool | None:
    """Whether one condition holds, ``None`` where it is not one of those that trusts of ServiceAccounts have."""
    actual = {
        f"{claims.host}:sub".lower(): (claims.subject,),
        f"{claims.host}:aud".lower(): claims.audiences,
    }.get(key.lower())
    compare = {
        "stringequals": lambda value, pattern: value == pattern,
        "stringlike": _like,
    }.get(operator.lower().removeprefix("foranyvalue:").removesuffix("ifexists"))
    if compare is None:
        return None
    if actual is None:
        # Another issuer's key is not in the context of this token, so that the condition cannot hold.
        return False if key.lower().endswith((":sub", ":aud")) and not operator.lower().endswith("ifexists") else None
    return any(compare(value, pattern) for value in actual for pattern in wanted)


def _like(value: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def _add(claims: Claims, provider_arn: str) -> str:
    return (
        f"Add a statement for {provider_arn} and {claims.subject} to the trust policy "
        "(lookup kubestrap.aws.iam_document, irsa_trust)"
    )


def _is_about_tokens(statement: t.Mapping[str, t.Any]) -> bool:
    actions = [str(action).lower() for action in _list(statement.get("Action"))]
    if statement.get("Effect") != "Allow" or "Federated" not in _principal(statement):
        return False
    return any(_like(_ACTION.lower(), action) for action in actions)


def _principal(statement: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    principal = statement.get("Principal")
    return principal if isinstance(principal, dict) else {}


def _list(value: t.Any) -> list[t.Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
