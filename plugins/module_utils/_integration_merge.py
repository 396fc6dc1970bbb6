# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our entries in a ``cloud-integration.json`` that others write too: what is theirs stays, and only ours ever goes.

Pure functions. Entries are told by name (``_integration_entries.name_of``); which of them we made is remembered by
the caller. Nothing here shows a value of an entry.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ._differences import differences
from ._identifiers import refuse
from ._integration_entries import (
    Document,
    Entry,
    Section,
    Sections,
    assembled,
    form_of,
    name_of,
    place_of,
    sections,
)


@dataclasses.dataclass(frozen=True)
class Merged:
    """A document with what we want in it.

    :ivar made: names of the entries in it that we made
    :ivar changes: ``+``, ``-`` or ``~`` and the name of each entry that differs from before, with the places
    """

    document: Document
    made: tuple[str, ...]
    changes: tuple[str, ...]


def merge(
    existing: t.Any, ours: Document, form: str, made: t.Sequence[str] = (), own: bool = False, secret: str = ""
) -> Merged:
    """The existing document with our entries.

    :param existing: as it was read, ``None`` when there is none
    :param ours: document with all entries that we want, in the form ``form``
    :param made: names of the entries that we made in an earlier run; of these, those that we no longer want go
    :param own: whether we made the Secret; an entry with the name of one of ours is then ours
    :param secret: name of the Secret, for messages
    :raises AnsibleAWSError: an entry of somebody else contradicts ours, or stands in the other form
    """
    wanted = sections(ours, form)
    present, converted = _present(existing, form, made, own, wanted, secret)
    lost = set(made) - {name_of(section, entry, form) for section, entry in _walk(present)}
    left = {section: {name_of(section, entry, form): entry for entry in entries} for section, entries in wanted.items()}
    result: Sections = {}
    mine: list[str] = []
    for section, entries in present.items():
        kept = result.setdefault(section, [])
        for number, entry in enumerate(entries):
            name = name_of(section, entry, form)
            want = left.get(section, {}).pop(name, None)
            if want is not None:
                is_ours = own or name in made
                if entry != want and not is_ours:
                    _contradiction(secret, place_of(section, number), name, entry, want)
                kept.append(want)
                mine += [name] if is_ours else []
            elif name not in made and not _edited(section, entry, form, lost, left.get(section, {})):
                kept.append(entry)
    for section, entries_left in left.items():
        result.setdefault(section, []).extend(entries_left.values())
        mine += entries_left
    after = {section: entries for section, entries in result.items() if entries}
    # A document that says the same in other words (empty lists, say) stays as it is.
    document = existing if isinstance(existing, dict) and not converted and after == present else assembled(after, form)
    changes = [*_changes(present, after, form)]
    if converted:
        changes.insert(0, f"~ all of it: now in the form {form}")
    return Merged(document, tuple(sorted(mine)), tuple(changes))


def without(existing: t.Any, made: t.Sequence[str] | None) -> tuple[Document | None, tuple[str, ...]]:
    """The existing document without our entries.

    :param made: names of our entries, ``None``: all of them are ours
    :returns: the document (``None`` when no entry is left) and what goes, as in ``Merged.changes``
    """
    if not isinstance(existing, dict) or not _fits(existing):
        return (None, ()) if made is None else (existing, ())
    form = form_of(existing) or "athena"
    present = sections(existing, form)
    names = [name_of(section, entry, form) for section, entry in _walk(present)]
    gone = tuple(f"- {name}" for name in names if made is None or name in made)
    kept = {
        section: [entry for entry in entries if made is not None and name_of(section, entry, form) not in made]
        for section, entries in present.items()
    }
    kept = {section: entries for section, entries in kept.items() if entries}
    return (assembled(kept, form) if kept else None), gone


def differing_entries(actual: t.Any, expected: Document) -> list[str]:
    """Where the entries of ``expected`` are not, or differ, in ``actual``; other entries are not looked at.

    An entry that is not there by its name is compared with the only other one of its account, when there is one.
    """
    form = t.cast("str", form_of(expected))
    try:
        found_form = form_of(actual)
    except ValueError as e:
        return [f"the whole document ({e})"]
    if found_form not in (form, None):
        return [f"the whole document (its form is {found_form}, not {form})"]
    present = sections(actual, found_form)
    found: list[str] = []
    for section, entries in sections(expected, form).items():
        there = present.get(section, [])
        wanted = {name_of(section, entry, form) for entry in entries}
        for number, entry in enumerate(entries):
            name = name_of(section, entry, form)
            same = [other for other in there if name_of(section, other, form) == name]
            rest = [other for other in there if name_of(section, other, form) not in wanted]
            same = same or [other for other in rest if _account(section, other, form) == name.partition("/")[0]]
            if same:
                found += differences(same[0], entry, place_of(section, there.index(same[0])))
            else:
                found.append(f"{place_of(section, number)} ({name} is not there)")
    return found


def _fits(document: t.Any) -> bool:
    try:
        form_of(document)
    except ValueError:
        return False
    return True


def _walk(found: Sections) -> t.Iterator[tuple[Section, Entry]]:
    return ((section, entry) for section, entries in found.items() for entry in entries)


def _account(section: Section, entry: Entry, form: str) -> str:
    return name_of(section, entry, form).partition("/")[0]


def _present(
    existing: t.Any, form: str, made: t.Sequence[str], own: bool, wanted: Sections, secret: str
) -> tuple[Sections, bool]:
    """Entries that stand there, and whether the document has to be written anew."""
    if existing is None:
        return {}, False
    if own and not isinstance(existing, dict):
        return {}, True  # nothing in it can be somebody else's
    try:
        found_form = form_of(existing)
    except ValueError as e:
        write = "Correct it by hand, or name another Secret (kubecost_cloud_integration_secret)"
        refuse("secret", secret, f"has a cloud integration that Kubecost cannot read: {e}", write)
    if found_form in (form, None):
        return sections(existing, form) if found_form else {}, False
    found = sections(existing, found_form)
    ours = {*made, *(name_of(section, entry, form) for section, entry in _walk(wanted) if own)}
    foreign = [
        place_of(section, number)
        for section, entries in found.items()
        for number, entry in enumerate(entries)
        if name_of(section, entry, t.cast("str", found_form)) not in ours
    ]
    if foreign:
        refuse(
            "secret",
            secret,
            f"has entries of somebody else in the form '{found_form}' ({', '.join(foreign)}), but this generation of "
            f"Kubecost needs the form '{form}', and a document has one form only",
            f"Rewrite them in the form '{form}', or name another Secret (kubecost_cloud_integration_secret) and give "
            "them by kubecost_other_cloud_integrations",
        )
    return {}, True


def _edited(section: Section, entry: Entry, form: str, lost: set[str], left: t.Mapping[str, Entry]) -> bool:
    """Whether an entry is one of ours in which somebody changed the name, and nothing else."""
    for name in sorted(lost & set(left)):
        if len(differences(entry, left[name])) == 1:
            lost.discard(name)
            return True
    return False


def _contradiction(secret: str, place: str, name: str, entry: Entry, want: Entry) -> t.NoReturn:
    where = ", ".join(differences(entry, want, place))
    refuse(
        "secret",
        secret,
        f"has an entry {name} that this collection did not make, and that contradicts ours in {where}",
        "Delete that entry when nothing else needs it, make the input fit it, or name another Secret "
        "(kubecost_cloud_integration_secret)",
    )


def _changes(before: Sections, after: Sections, form: str) -> t.Iterator[str]:
    """The entries that differ, by name."""
    for section in dict.fromkeys([*before, *after]):
        old = {name_of(section, entry, form): entry for entry in before.get(section, [])}
        new = {name_of(section, entry, form): entry for entry in after.get(section, [])}
        for name in dict.fromkeys([*old, *new]):
            if name not in new:
                yield f"- {name}"
            elif name not in old:
                yield f"+ {name}"
            elif old[name] != new[name]:
                yield f"~ {name}: {', '.join(differences(old[name], new[name]))}"
