# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two documents that the owner of a payer account and the owner of a cluster pass to each other. Pure.

    {version: 1, kind: kubestrap.aws/billing-data, payers: {payer-main: {account_id: ..., database: ..., ...}}}
    {version: 1, kind: kubestrap.aws/readers, clusters: {prod-eu: {account_id: ..., role_arn: ..., payers: [...]}}}

There is no secret in them, but they decide who is trusted with what. So each value is checked as if a stranger had
written it: a trust gets no pattern and no other account, and a role of the cluster no right but to read billing data.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._identifiers import check_account_id, refuse
from ._regions import check_region
from .cloud_integration import build

Entry = dict[str, t.Any]

VERSION = 1
BILLING = "kubestrap.aws/billing-data"
READERS = "kubestrap.aws/readers"
# Kind -> key of its entries, what it is called, and which playbook writes it.
_KINDS = {
    BILLING: ("payers", "billing document", "kubestrap.aws.kubecost_payer"),
    READERS: ("clusters", "readers document", "kubestrap.aws.kubecost_cluster"),
}

# Of billing_data_result; what a run did (changes, notes) is no business of the other owner.
_BILLING_NEEDED = (
    "account_id",
    "partition",
    "region",
    "results_location",
    "workgroup",
    "database",
    "table",
    "reader_role_arn",
    "cloud_integration",
    "delivered",
)
_BILLING_TEXTS = ("report_name", "report_bucket", "report_prefix", "catalog", "last_delivery", "last_status")
BILLING_KEYS = (*_BILLING_NEEDED, *_BILLING_TEXTS, "reader_statements")
_READER_NEEDED = ("account_id", "partition", "role_arn", "payers")
READER_KEYS = (*_READER_NEEDED, "leaving")

_NAME = re.compile(r"[\w.:@+-]+")  # of a host of an inventory
_ROLE_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account_id>\d{12}):(?P<kind>role|user)/[\w+=,.@/-]+", re.ASCII
)
_NO_NAME = re.compile(r"[\s{}'\"`$]")
_STATEMENT_KEYS = ("Sid", "Effect", "Action", "Resource", "Condition")
_READING = re.compile(
    r"athena:(Batch)?(Get|List|Start|Stop)\w+|glue:(Batch)?(Get|List|Search)\w+|lakeformation:GetDataAccess"
    r"|s3:((Get|List)[\w*]+|PutObject|AbortMultipartUpload)|kms:(Decrypt|DescribeKey|GenerateDataKey\*?)"
)


def parse(kind: str, option: str, document: t.Any) -> dict[str, Entry]:
    """The entries of a document, checked.

    :param kind: ``BILLING`` or ``READERS``
    :param option: the variable, or variable and file, that the document comes from; for the message
    :param document: as YAML or JSON gives it; ``None`` when there is none yet
    :returns: inventory name -> entry
    :raises AnsibleAWSError: of another version or kind, a foreign key, a wrong value
    """
    if document is None or document == {}:
        return {}
    key, called, playbook = _KINDS[kind]
    again = f"Use the {called} that the playbook {playbook} writes"
    if not isinstance(document, t.Mapping):
        refuse(option, _short(document), f"is not a {called}", again)
    if document.get("kind") != kind:
        _refuse_kind(option, document.get("kind"), called, again)
    version = document.get("version")
    if isinstance(version, bool) or version != VERSION:
        same = "Use the same release of kubestrap.aws on both sides, and have the document written again"
        refuse(f"{option}.version", version, f"is not the version {VERSION} that is understood here", same)
    _refuse_foreign(option, document, ("version", "kind", key))
    entries = document.get(key)
    if not isinstance(entries, t.Mapping):
        refuse(f"{option}.{key}", _short(entries), "is not a mapping of inventory names", again)
    check = _billing_entry if kind == BILLING else _reader_entry
    for name in entries:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            refuse(f"{option}.{key}", name, "is not the name of a host of an inventory", again)
    return {name: check(f"{option}.{key}.{name}", entry, again) for name, entry in sorted(entries.items())}


def document(kind: str, entries: t.Mapping[str, t.Mapping[str, t.Any]], known: t.Mapping[str, Entry]) -> Entry:
    """The document with these entries.

    :param entries: inventory name -> what a run found out; keys that do not go to the other owner are left out
    :param known: entries of the document so far. They stay where ``entries`` has none of the name: a run under --limit
        forgets nobody
    """
    allowed = BILLING_KEYS if kind == BILLING else READER_KEYS
    new = {name: {key: entry[key] for key in allowed if key in entry} for name, entry in entries.items()}
    merged = {**known, **new}
    return {"version": VERSION, "kind": kind, _KINDS[kind][0]: {name: merged[name] for name in sorted(merged)}}


def _refuse_kind(option: str, kind: t.Any, called: str, again: str) -> t.NoReturn:
    problem = f"is not the kind of a {called}"
    if kind in _KINDS:
        problem = f"is the kind of a {_KINDS[kind][1]}, not of a {called}: they are mixed up"
    refuse(f"{option}.kind", kind, problem, again)


def _refuse_foreign(option: str, mapping: t.Mapping[t.Any, t.Any], allowed: tuple[str, ...]) -> None:
    foreign = [key for key in mapping if key not in allowed]
    if foreign:
        write = f"Remove it; the keys are: {', '.join(allowed)}"
        refuse(f"{option}.{foreign[0]}", _short(mapping[foreign[0]]), "is a foreign key", write)


def _checked_mapping(option: str, entry: t.Any, allowed: tuple[str, ...], needed: tuple[str, ...], again: str) -> Entry:
    if not isinstance(entry, t.Mapping):
        refuse(option, _short(entry), "is not a mapping", again)
    _refuse_foreign(option, entry, allowed)
    for key in needed:
        if key not in entry:
            refuse(f"{option}.{key}", "", "is missing", again)
    check_account_id(f"{option}.account_id", entry["account_id"])
    return dict(entry)


def _billing_entry(option: str, entry: t.Any, again: str) -> Entry:
    entry = _checked_mapping(option, entry, BILLING_KEYS, _BILLING_NEEDED, again)
    for key in ("partition", "results_location", "workgroup", "database", "table", *_BILLING_TEXTS):
        value = entry.get(key, "")
        if not isinstance(value, str) or _NO_NAME.search(value.replace(" ", "") if key == "last_delivery" else value):
            refuse(f"{option}.{key}", _short(value), "is not a name", again)
    partition = check_region(f"{option}.region", entry["region"])
    if partition != entry["partition"]:
        refuse(f"{option}.partition", entry["partition"], f"is not that of the region {entry['region']}", again)
    _check_role(f"{option}.reader_role_arn", entry["reader_role_arn"], entry, again, ("role",))
    if not isinstance(entry["delivered"], bool):
        refuse(f"{option}.delivered", _short(entry["delivered"]), "is neither true nor false", again)
    integration = entry["cloud_integration"]
    try:
        build([integration], "athena")
    except AnsibleAWSError as e:
        reason = str(e.message).removeprefix("entries[0]")
        raise AnsibleAWSError(message=f"{option}.cloud_integration{reason}") from e
    _same(f"{option}.cloud_integration.account_id", integration["account_id"], entry["account_id"], again)
    if integration.get("role_arn"):
        _same(f"{option}.cloud_integration.role_arn", integration["role_arn"], entry["reader_role_arn"], again)
    _check_statements(f"{option}.reader_statements", entry.get("reader_statements", []), again)
    return entry


def _reader_entry(option: str, entry: t.Any, again: str) -> Entry:
    entry = _checked_mapping(option, entry, READER_KEYS, _READER_NEEDED, again)
    _check_role(f"{option}.role_arn", entry["role_arn"], entry, again)
    payers = entry["payers"]
    if not isinstance(payers, list) or not all(isinstance(name, str) and _NAME.fullmatch(name) for name in payers):
        refuse(f"{option}.payers", _short(payers), "is not a list of inventory names", again)
    leaving = entry.setdefault("leaving", False)
    if not isinstance(leaving, bool):
        refuse(f"{option}.leaving", _short(leaving), "is neither true nor false", again)
    return entry


def _check_role(option: str, arn: t.Any, entry: Entry, again: str, kinds: tuple[str, ...] = ("role", "user")) -> None:
    """A workload may have a user with an access key in place of a role."""
    match = _ROLE_ARN.fullmatch(arn) if isinstance(arn, str) else None
    if not match or match["kind"] not in kinds:
        refuse(option, _short(arn), "is not the whole ARN of one role", again)
    for key in ("account_id", "partition"):
        if match[key] != entry[key]:
            refuse(option, arn, f"is not in the {key.removesuffix('_id')} {entry[key]} of its entry", again)


def _check_statements(option: str, statements: t.Any, again: str) -> None:
    """The cluster's owner puts them into a policy, so they may do no more than read billing data."""
    if not isinstance(statements, list):
        refuse(option, _short(statements), "is not a list of statements", again)
    for number, statement in enumerate(statements):
        place = f"{option}[{number}]"
        if not isinstance(statement, t.Mapping):
            refuse(place, _short(statement), "is not a statement", again)
        _refuse_foreign(place, statement, _STATEMENT_KEYS)
        if statement.get("Effect") != "Allow":
            refuse(f"{place}.Effect", statement.get("Effect"), "is not Allow", again)
        actions, resources = _listed(statement.get("Action")), _listed(statement.get("Resource"))
        for action in actions or [""]:
            if not isinstance(action, str) or not _READING.fullmatch(action):
                refuse(f"{place}.Action", _short(action), "is not needed to read billing data", again)
        stored = [action for action in actions if action.startswith(("s3:", "kms:"))]
        if stored and any(str(resource).strip("*") in ("", "arn:") for resource in resources or [""]):
            refuse(f"{place}.Resource", _short(resources), f"leaves it open where {stored[0]} is allowed", again)


def _listed(value: t.Any) -> list[t.Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _same(option: str, value: t.Any, other: t.Any, again: str) -> None:
    if value != other:
        refuse(option, _short(value), f"differs from '{other}' in the same entry", again)


def _short(value: t.Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
