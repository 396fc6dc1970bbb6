# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every trust policy of the collection, as pure functions. Other policies: ``policies``.

A Sid is derived from whom its statement trusts. So runs for different clusters, which do not know of each other, add
statements to one role and replace only their own.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ._identifiers import check_account_id, refuse
from .policies import Statement

STS_AUDIENCE = "sts.amazonaws.com"  # the default of the EKS pod identity webhook, in every partition

_SUBJECT = re.compile(r"system:serviceaccount:[^:\s]+:[^:\s]+")


def subject(namespace: str, service_account: str) -> str:
    """The ``sub`` of a ServiceAccount's tokens."""
    return f"system:serviceaccount:{namespace}:{service_account}"


def irsa_trust(
    *, oidc_provider_arn: str, issuer: str, subjects: list[str], audience: str = STS_AUDIENCE
) -> list[Statement]:
    """Let ServiceAccounts of one cluster take the role with their own tokens.

    :param oidc_provider_arn: the provider in the account of the *role*, which must exist there
    :param issuer: of the cluster, with or without ``https://``
    :param subjects: ``system:serviceaccount:NAMESPACE:NAME``; ``*`` and ``?`` are allowed
    :returns: one statement for each subject, exact ones first. So one of them can leave the trust and the
        others stay (``absent_trust_sids``), whoever brought them. One with a wildcard needs an operator of its own: a
        StringEquals with ``*`` never matches
    """
    host = issuer.removeprefix("https://").rstrip("/")
    if not host or not oidc_provider_arn.endswith(f":oidc-provider/{host}"):
        refuse(
            "oidc_provider_arn",
            oidc_provider_arn,
            f"is not the provider of the issuer {issuer}",
            f"It ends with :oidc-provider/{host or '<issuer without https://>'}",
        )
    if not subjects:
        refuse("subjects", subjects, "is empty", "Write at least one system:serviceaccount:NAMESPACE:NAME")
    for name in subjects:
        if not _SUBJECT.fullmatch(name):
            refuse("subjects", name, "is not a ServiceAccount", "Write system:serviceaccount:NAMESPACE:NAME")

    def statement(name: str) -> Statement:
        conditions: dict[str, dict[str, t.Any]] = {"StringEquals": {f"{host}:aud": audience}}
        conditions.setdefault("StringLike" if _is_pattern(name) else "StringEquals", {})[f"{host}:sub"] = name
        return {
            "Sid": _sid("Irsa", name.split(":", 2)[2], host, name),
            "Effect": "Allow",
            "Principal": {"Federated": oidc_provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": conditions,
        }

    return [statement(name) for name in sorted(set(subjects), key=lambda name: (_is_pattern(name), name))]


def workload_role_trust(*, role_arns: list[str]) -> list[Statement]:
    """Let roles (of the cluster accounts) take the role (of the payer account), or users with an access key.

    One statement for each of them, with a Sid of its own. The principal is the role's account, narrowed by
    ``aws:PrincipalArn``: a role as principal must exist when the trust is written, and is replaced by an opaque id when
    it is deleted. ``*`` in the name of a role is allowed: one statement for a fleet of clusters keeps the trust short.
    """
    if not role_arns:
        refuse("role_arns", role_arns, "is empty", "Write at least one ARN of a role")
    statements = []
    for arn in sorted(set(role_arns)):
        parts = str(arn).split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or parts[2] != "iam" or not parts[5].startswith(("role/", "user/")):
            write = "Write the whole ARN, for example arn:aws:iam::222222222222:role/kubecost"
            refuse("role_arns", arn, "is not the ARN of an IAM role, nor of a user", write)
        partition, account_id, role = parts[1], parts[4], parts[5].partition("/")[2]
        check_account_id("role_arns", account_id)
        statements.append(
            {
                # Short: 8 of these statements fit into the 2,048 characters of a trust policy.
                "Sid": _sid(f"Role{account_id}", "", arn),
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{account_id}:root"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {"ArnLike" if _is_pattern(role) else "ArnEquals": {"aws:PrincipalArn": arn}},
            }
        )
    return statements


def reader_sid(role_arn: str) -> str:
    """The Sid of the statement that ``workload_role_trust`` makes for a role."""
    return workload_role_trust(role_arns=[role_arn])[0]["Sid"]


def is_reader_sid(sid: str) -> bool:
    """Whether a Sid has the form of those that ``workload_role_trust`` makes."""
    return re.fullmatch(r"Role\d{12}[0-9a-f]{8}", sid) is not None


def principals(statement: Statement) -> list[str]:
    """Whom a statement of a trust lets in: the roles to which its condition narrows it, else its principals.

    :returns: ARNs, account ids, names of services or ``*``; nothing for a Deny
    """
    if statement.get("Effect") != "Allow":
        return []
    for operator, condition in (statement.get("Condition") or {}).items():
        named = [value for key, value in condition.items() if key.lower() == "aws:principalarn"]
        if named and operator in ("ArnEquals", "ArnLike", "StringEquals", "StringLike"):
            return texts(named[0])
    principal = statement.get("Principal") or statement.get("NotPrincipal") or []
    if isinstance(principal, dict):
        return [text for value in principal.values() for text in texts(value)]
    return texts(principal)


def texts(value: t.Any) -> list[str]:
    """A list of a policy; AWS gives one of a single entry back as a text."""
    return [value] if isinstance(value, str) else [str(entry) for entry in value or []]


# Name, as lookup iam_document takes it -> function.
TRUSTS: dict[str, t.Callable[..., list[Statement]]] = {
    function.__name__: function for function in (irsa_trust, workload_role_trust)
}


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _sid(kind: str, words: str, *identity: str) -> str:
    """A Sid (letters and digits only): the kind, the beginning of some readable words, and a hash of the identity."""
    readable = "".join(word.capitalize() for word in re.split(r"[^0-9A-Za-z]+", words))[:24]
    digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:8]
    return f"{kind}{readable}{digest}"
