# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entries of a ``cloud-integration.json``: which sections a form has, and what an entry is called.

Fields of the other clouds: OpenCost 1.112, pkg/cloud/{azure,gcp,alibaba} (``UnmarshalJSON`` demands the fields of the
new form, ``Convert...ToConfig`` tells which field of the legacy form is which).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ._identifiers import refuse
from ._integration_forms import converted

Document = dict[str, t.Any]
Entry = t.Mapping[str, t.Any]
Section = tuple[str, ...]  # path of a list in the document
Sections = dict[Section, list[t.Any]]

FORMS = ("legacy", "athena")


@dataclasses.dataclass(frozen=True)
class Kind:
    """What entries of a section look like.

    :ivar name: fields that tell an entry from the others of its section; none of them is a secret. The names of both
        forms are in the same order, so that an entry has the same name in both
    :ivar required: fields without which OpenCost refuses the whole document
    """

    name: tuple[str, ...]
    required: tuple[str, ...] = ()


_AZURE = ("azureSubscriptionID", "azureStorageAccount", "azureStorageContainer", "azureContainerPath")
KINDS: dict[str, dict[Section, Kind]] = {
    "legacy": {
        ("aws",): Kind(("projectID", "athenaBucketName")),
        ("azure",): Kind(_AZURE, (*_AZURE[:3], "azureStorageAccessKey")),
        ("gcp",): Kind(("projectID", "billingDataDataset"), ("projectID", "billingDataDataset")),
        ("alibaba",): Kind(("accountID", "clusterRegion"), ("accountID", "clusterRegion")),
    },
    "athena": {
        ("aws", "athena"): Kind(("account", "bucket")),
        ("azure", "storage"): Kind(
            ("subscriptionID", "account", "container", "path"),
            ("subscriptionID", "account", "container", "path", "cloud", "authorizer"),
        ),
        ("gcp", "bigQuery"): Kind(("projectID", "dataset", "table"), ("projectID", "dataset", "table", "authorizer")),
        ("alibaba", "boa"): Kind(("account", "region"), ("account", "region", "authorizer")),
    },
}
_BUCKETS = ("athenaBucketName", "bucket")


def form_of(document: t.Any) -> str | None:
    """The form of a document, ``None`` when it has no entries and so fits both.

    :raises ValueError: it has no form, or is a mix of both; the text says why
    """
    if not isinstance(document, t.Mapping):
        raise ValueError("it is no mapping")
    forms = set()
    for name, content in document.items():
        if content is None or content == [] or content == {}:
            continue
        if isinstance(content, list) and all(isinstance(entry, t.Mapping) for entry in content):
            forms.add("legacy")
        elif isinstance(content, t.Mapping) and all(
            isinstance(part, list) and all(isinstance(entry, t.Mapping) for entry in part) for part in content.values()
        ):
            forms.add("athena")
        else:
            raise ValueError(f"{name} is in none of the two forms")
    if len(forms) > 1:
        raise ValueError("it mixes the two forms")
    return forms.pop() if forms else None


def sections(document: t.Mapping[str, t.Any], form: str | None) -> Sections:
    """The lists of entries, those of unknown sections too; empty ones are left out."""
    found: Sections = {}
    for name, content in document.items():
        parts = {(name,): content} if form == "legacy" else {(name, part): c for part, c in (content or {}).items()}
        found.update({section: list(entries) for section, entries in parts.items() if entries})
    return found


def assembled(found: Sections, form: str) -> Document:
    """The document with these lists of entries."""
    if form == "legacy":
        # The empty lists are part of the vendor's form.
        document: Document = {section[0]: [] for section in KINDS["legacy"]}
        document.update({section[0]: entries for section, entries in found.items()})
        return document
    document = {}
    for (name, part), entries in found.items():
        if entries:
            document.setdefault(name, {})[part] = entries
    return document


def name_of(section: Section, entry: Entry, form: str) -> str:
    """What tells an entry from others, the same in both forms: ``aws 111111111111/s3://results``. No secret is in it.

    For AWS it is what Kubecost and OpenCost call the integration's key.
    """
    kind = KINDS[form].get(section)
    if kind is None:
        return ".".join(section)
    parts = [str(entry.get(field) or "") for field in kind.name]
    if section[0] == "aws":
        parts[1] = f"s3://{parts[1].removeprefix('s3://').rstrip('/')}"
    text = (".".join(parts[1:]) if section[0] == "gcp" else "/".join(parts[1:])).rstrip("./")
    return f"{section[0]} {parts[0]}/{text}"


def place_of(section: Section, number: int) -> str:
    """``aws.athena[0]``"""
    return f"{'.'.join(section)}[{number}]"


def check_others(option: str, others: t.Any, form: str) -> Sections:
    """The entries of other clouds that a user gives, as they stand in a document of this form.

    They may be given in either form, and never in both. No message has a value of them: they hold keys.

    :raises AnsibleAWSError: names the place and what to write
    """
    clouds = list(dict.fromkeys(section[0] for section in KINDS[form] if section[0] != "aws"))
    write = f"Write lists below {_shape(form)}, as the form '{form}' of this generation of Kubecost has them"
    if others is None:
        return {}
    if not isinstance(others, t.Mapping):
        refuse(option, type(others).__name__, "is not a mapping", write)
    for name in others:
        if name == "aws":
            refuse(f"{option}.aws", "...", "is made from the payers of this run", "Leave it out")
        if name not in clouds:
            refuse(option, name, "is not a cloud that this collection knows", write)
    try:
        given = form_of(others) or form
    except ValueError as e:
        refuse(option, ", ".join(others), f"cannot be read: {e}", write)
    found: Sections = {}
    names: set[str] = set()
    for section, entries in sections(others, given).items():
        if section not in KINDS[given]:
            write = f"Write lists below {_shape(given)}"
            refuse(option, ".".join(section), "is not a section that this collection knows", write)
        for number, entry in enumerate(entries):
            here = f"{option}.{place_of(section, number)}"
            _check_entry(here, entry, KINDS[given][section], given)
            name = name_of(section, entry, given)
            if name in names:
                refuse(here, name, "is there twice", "Leave one of the two out")
            names.add(name)
            there, content = (section, entry) if given == form else converted(section[0], entry, form, here)
            found.setdefault(there, []).append(content)
    return found


def _shape(form: str) -> str:
    return ", ".join(".".join(section) for section in KINDS[form] if section[0] != "aws")


def _check_entry(here: str, entry: Entry, kind: Kind, form: str) -> None:
    for field in kind.required:
        if form == "athena" and field in ("path", "cloud", "table") and entry.get(field) == "":
            continue  # has to be there, and may be empty
        if entry.get(field) in (None, ""):
            refuse(f"{here}.{field}", "", "is missing", f"Every entry there needs {', '.join(kind.required)}")
    if form == "athena" and not isinstance(entry["authorizer"], t.Mapping):
        refuse(f"{here}.authorizer", "...", "is not a mapping", "Write a mapping with the key authorizerType")
