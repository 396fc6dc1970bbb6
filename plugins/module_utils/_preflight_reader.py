# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role that reads billing data, as it is: who is let in, and whether those who are to come find room. Pure."""

from __future__ import annotations

import typing as t

from . import policies, trust
from ._ownership import is_foreign
from ._preflight_names import problems_of
from ._statements import merge, statements_of


def judge_reader(role: t.Mapping[str, t.Any] | None, wanted: t.Any) -> tuple[dict[str, t.Any], list[str]]:
    """The reader role.

    :param role: as ``_iam_role.read`` returns it
    :param wanted: a ``Wanted`` of ``_preflight_billing``
    :returns: ``exists``, ``ours``, ``readers`` (of each statement that lets a reader in: ``sid`` and ``principals``);
        and problems. In a role that we made each statement is one of a reader, in another one those of our form.
    """
    problems = []
    if role is None:
        fact: dict[str, t.Any] = {"exists": False, "ours": True, "readers": []}
    else:
        ours = not is_foreign(role["tags"], wanted.ownership_tags)
        statements = statements_of(role["assume_role_policy_document"])
        readers = [
            {"sid": statement.get("Sid") or "", "principals": trust.principals(statement)}
            for statement in statements
            if ours or trust.is_reader_sid(statement.get("Sid") or "")
        ]
        fact = {"exists": True, "ours": ours, "readers": [reader for reader in readers if reader["principals"]]}
        if role["path"] != wanted.role_path:
            problems.append(
                f"billing_data_iam_path: '{wanted.role_path}' is not the path of the role {wanted.role_name}, which "
                f"exists as {role['arn']}; IAM cannot move a role. Write {role['path']} (or kubestrap_iam_path), or "
                "choose another billing_data_reader_role_name"
            )
    if not wanted.taken_away:
        problems += _check_size(role, wanted)
    return fact, [] if wanted.taken_away else problems


def _check_size(role: t.Mapping[str, t.Any] | None, wanted: t.Any) -> list[str]:
    """Why the readers that are known do not fit into the trust."""
    if not wanted.reader_role_arns:
        return []
    statements: list[t.Any] = []
    arns = list(wanted.reader_role_arns)
    problems = problems_of(lambda: statements.extend(trust.workload_role_trust(role_arns=arns)))
    if problems:
        return [problem.replace("role_arns:", "billing_data_reader_role_arns:", 1) for problem in problems]
    current = role["assume_role_policy_document"] if role else None
    merged = merge(current, statements) or {}
    size = policies.size(merged)
    if merged is current or size <= wanted.trust_size_limit:
        return []
    return [
        f"billing_data_reader_role_arns: {len(arns)} roles would make the trust of the role {wanted.role_name} "
        f"{size} characters long, and IAM allows {wanted.trust_size_limit}. Name them by a pattern (such as "
        "arn:aws:iam::222222222222:role/kubecost-*), have AWS raise the quota and write it in "
        "billing_data_trust_size_limit, or use several roles (billing_data_reader_role_name)"
    ]
