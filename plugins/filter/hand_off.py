# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters for the documents that owners of payers and owners of clusters pass to each other."""

from __future__ import annotations

import typing as t

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _hand_off as documents
from ansible_collections.kubestrap.aws.plugins.module_utils import _two_owners as owners

_KINDS = {"billing": documents.BILLING, "readers": documents.READERS}


def hand_off_entries(content: t.Any, kind: str, option: str = "") -> dict[str, t.Any]:
    """The checked entries of a document; see hand_off_entries.yml."""

    def entries() -> dict[str, t.Any]:
        name = option or f"kubestrap_hand_off_{kind}"
        return documents.parse(_kind(kind), name, _loaded(name, content))

    return _told(entries)


def hand_off_document(entries: t.Any, kind: str, known: t.Any = None) -> dict[str, t.Any]:
    """The document with these entries; see hand_off_document.yml."""
    made = {name: entry for name, entry in entries.items() if entry}
    return _told(lambda: documents.document(_kind(kind), made, known or {}))


def hand_off_readers(
    payer: str, account_id: str, run: t.Any, known: t.Any = None, named: t.Any = None
) -> dict[str, list[str]]:
    """The clusters that read a payer; see hand_off_readers.yml."""
    return owners.readers_of(payer, account_id, run, known or {}, named or [])


def hand_off_billing(payers: t.Any, run: t.Any, known: t.Any = None) -> dict[str, t.Any]:
    """The billing data that a cluster reads; see hand_off_billing.yml."""
    return owners.billing_of(payers, run, known or {})


def hand_off_problems(side: t.Any) -> list[str]:
    """What does not fit between a payer and its clusters; see hand_off_problems.yml."""
    if "payers" in side:
        return owners.payer_problems(**side)
    return owners.reader_problems(**side)


def _kind(kind: str) -> str:
    if kind not in _KINDS:
        raise AnsibleFilterError(f"kind: '{kind}' is not a kind of document. Write one of: {', '.join(_KINDS)}")
    return _KINDS[kind]


def _loaded(option: str, content: t.Any) -> t.Any:
    """The data of a text in YAML or JSON; what is data already stays as it is."""
    if not isinstance(content, str):
        return content
    try:
        return yaml.safe_load(content)
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(e, "problem", None) or "it cannot be read"
        raise AnsibleFilterError(
            f"{option}: this is not YAML: {problem}{where}. Have the document written again by its playbook"
        ) from e


def _told(function: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    try:
        return function()
    except AnsibleAWSError as e:
        raise AnsibleFilterError(str(e.message)) from e


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "hand_off_entries": hand_off_entries,
            "hand_off_document": hand_off_document,
            "hand_off_readers": hand_off_readers,
            "hand_off_billing": hand_off_billing,
            "hand_off_problems": hand_off_problems,
        }
