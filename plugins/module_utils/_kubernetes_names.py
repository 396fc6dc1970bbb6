# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that Kubernetes and Helm accept, checked before anything is written."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ._identifiers import refuse

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a name may look like.

    :ivar longest: number of characters
    :ivar dots: whether the name may consist of several parts with dots between them
    """

    longest: int
    dots: bool


# Kind of the object, lower case -> rule. Kubernetes documentation, "Object Names and IDs": a namespace is an RFC 1123
# label, the others are RFC 1123 subdomains. Helm (chartutil.ValidateReleaseName) leaves 10 characters for suffixes.
RULES = {
    "namespace": Rule(63, dots=False),
    "helm release": Rule(53, dots=True),
    "secret": Rule(253, dots=True),
    "serviceaccount": Rule(253, dots=True),
}


def check_kubernetes_name(option: str, value: t.Any, kind: str) -> None:
    """Refuse a name that Kubernetes (or Helm) would refuse.

    :param option: the input that holds the name
    :param kind: a key of ``RULES``, in any case
    :raises AnsibleAWSError: names option, value, what is wrong with it and what to write
    """
    rule = RULES[kind.lower()]
    problem = _problem(value, rule)
    if problem:
        allowed = "lower-case letters, digits, '-' and '.'" if rule.dots else "lower-case letters, digits and '-'"
        ends = "the first and the last one a letter or a digit"
        refuse(
            option,
            value,
            f"is not a name of a {kind} that Kubernetes accepts: {problem}",
            f"Write at most {rule.longest} {allowed}, {ends}, for example kubecost",
        )


def check_secret_key(option: str, value: t.Any) -> None:
    """Refuse a key of a Secret's data that Kubernetes would refuse (validation.IsConfigMapKey).

    :raises AnsibleAWSError: names option, value and what to write
    """
    if not isinstance(value, str) or not re.fullmatch(r"(?!\.\.)[-._a-zA-Z0-9]{1,253}", value) or value == ".":
        refuse(
            option,
            value,
            "is not a key of a Secret that Kubernetes accepts",
            "Write at most 253 letters, digits, '-', '_' and '.', for example object-store.yaml",
        )


def _problem(value: t.Any, rule: Rule) -> str | None:
    if not isinstance(value, str):
        return f"it is no text ({type(value).__name__}); put it in quotes"
    if not value:
        return "it is empty"
    if len(value) > rule.longest:
        return f"it has {len(value)} characters"
    if value != value.lower():
        return "it has upper-case letters"
    if "_" in value:
        return "it has an underscore"
    pattern = rf"{_LABEL}(\.{_LABEL})*" if rule.dots else _LABEL
    if not re.fullmatch(pattern, value):
        return "it has a character in a place where it is not allowed"
    return None
