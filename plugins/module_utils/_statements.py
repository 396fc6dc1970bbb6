# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements of a policy that several owners share: merged by Sid, those of strangers are kept.

IAM and S3 replace a policy document as a whole, so a task that owns a part of it reads, merges and writes.
"""

from __future__ import annotations

import fnmatch
import json
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ._identifiers import refuse
from .policies import VERSION

Statement = dict[str, t.Any]
Document = dict[str, t.Any]


def check_statements(option: str, statements: t.Sequence[t.Any] | None) -> None:
    """Refuse statements that cannot be merged, or that AWS would refuse in a resource's policy.

    :param option: the option of the module that has them
    :raises AnsibleAWSError: names the option, the statement and what to write
    """
    seen: set[str] = set()
    for statement in statements or []:
        sid = statement.get("Sid") if isinstance(statement, dict) else None
        if not isinstance(sid, str) or not re.fullmatch(r"[0-9A-Za-z]+", sid):
            write = "Give each statement a Sid of letters and digits; by it the statement is found again in the policy"
            refuse(option, statement, "has no Sid that can be used", write)
        if sid in seen:
            refuse(option, sid, "is the Sid of two statements", "Give each statement a Sid of its own")
        seen.add(sid)
        if statement.get("Effect") not in ("Allow", "Deny"):
            refuse(option, sid, "has no Effect", "Write Effect: Allow or Effect: Deny into the statement of this Sid")
        for wanted in (("Principal", "NotPrincipal"), ("Action", "NotAction")):
            if not any(key in statement for key in wanted):
                refuse(option, sid, f"has no {wanted[0]}", f"Write {wanted[0]} into the statement of this Sid")


def parse_document(option: str, name: str, document: t.Any) -> Document:
    """A policy document from what an inventory may hold: a dictionary, JSON text, or the list of its statements.

    :raises AnsibleAWSError: it is none of these
    """
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError as e:
            refuse(option, name, f"is not JSON ({e})", "Write the policy document as a dictionary or as JSON text")
    if isinstance(document, list):
        document = {"Version": VERSION, "Statement": document}
    if not isinstance(document, dict) or not statements_of(document):
        refuse(option, name, "is not a policy document", "Write a dictionary with Version and Statement")
    if any(not isinstance(item, dict) or "Statement" in item for item in statements_of(document)):
        write = "Write a list of statements there; each has Effect, Action and Resource"
        refuse(option, name, "has something else than statements in its Statement", write)
    return document


def statements_of(document: t.Mapping[str, t.Any] | None) -> list[Statement]:
    """The statements of a document; AWS allows one without a list around it."""
    statements = (document or {}).get("Statement") or []
    return [statements] if isinstance(statements, dict) else list(statements)


def merge(
    current: Document | None,
    wanted: t.Iterable[Statement] | None,
    absent_sids: t.Iterable[str] | None = None,
    purge: bool = False,
) -> Document | None:
    """The document with these statements in the place of those of the same Sid.

    :param current: as AWS has it, ``None`` for none
    :param wanted: statements with a Sid each; new ones come last
    :param absent_sids: Sids that leave; ``*`` in one stands for any end, and wanted ones stay all the same
    :param purge: whether all other statements leave too
    :returns: the current document itself when nothing differs, ``None`` when no statement is left
    """
    by_sid = {statement["Sid"]: statement for statement in wanted or []}
    gone = list(absent_sids or ())
    merged = []
    for statement in statements_of(current):
        sid = statement.get("Sid")
        if sid in by_sid:
            replacement = by_sid.pop(sid)
            merged.append(replacement if statements_differ(statement, replacement) else statement)
        elif not purge and not any(fnmatch.fnmatchcase(sid or "", pattern) for pattern in gone):
            merged.append(statement)
    merged += by_sid.values()
    if not merged:
        return None
    version = (current or {}).get("Version") or VERSION
    document = {**(current or {}), "Version": version, "Statement": merged}
    return current if current is not None and not compare_policies(current, document) else document


def statements_differ(one: Statement, other: Statement) -> bool:
    """Whether two statements say something different, by the rules under which AWS rewrites them."""
    return compare_policies({"Statement": [one]}, {"Statement": [other]})


def says_already(document: Document | None, statement: Statement) -> bool:
    """Whether the document has this statement, under whatever Sid."""
    bare = _without_sid(statement)
    return any(not statements_differ(_without_sid(other), bare) for other in statements_of(document))


def _without_sid(statement: Statement) -> Statement:
    return {key: value for key, value in statement.items() if key != "Sid"}
