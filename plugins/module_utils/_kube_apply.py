# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns which field of an object, as the API server remembers it, and what a server-side apply would do. Pure.

Source: Kubernetes documentation, "Server-Side Apply": a field that another manager owns with another value is a
conflict; what a manager applied before and does not apply again goes, unless others own it too.
"""

from __future__ import annotations

import typing as t

from ._kube_objects import FIELD_MANAGER

Object = t.Mapping[str, t.Any]
Path = tuple[str, ...]


def leaves(definition: Object) -> dict[Path, t.Any]:
    """The fields of what is applied: maps by their entries, lists as a whole (no list of these kinds is merged)."""
    found: dict[Path, t.Any] = {}

    def walk(value: t.Any, path: Path) -> None:
        if isinstance(value, t.Mapping) and value:
            for key, inside in value.items():
                walk(inside, (*path, key))
        else:
            found[path] = value

    walk({key: value for key, value in definition.items() if key not in ("apiVersion", "kind")}, ())
    for identity in (("metadata", "name"), ("metadata", "namespace")):
        found.pop(identity, None)
    return found


def value_at(thing: Object | None, path: Path) -> t.Any:
    """What an object has there, ``None`` for nothing."""
    value: t.Any = thing
    for key in path:
        value = value.get(key) if isinstance(value, t.Mapping) else None
    return value


def owned(thing: Object | None, manager: str = FIELD_MANAGER) -> set[Path]:
    """The fields that a manager has applied."""
    found: set[Path] = set()
    for entry in ((thing or {}).get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            found |= _fields(entry.get("fieldsV1") or {})
    return found


def conflicts(thing: Object | None, definition: Object) -> list[tuple[str, str]]:
    """What a server-side apply would refuse: each field with another value, and who owns it."""
    found = []
    for path, value in leaves(definition).items():
        there = value_at(thing, path)
        if there is None or there == value:
            continue
        others = _owners(thing, path)
        if others:
            found.append((f".{'.'.join(path)}", ", ".join(others)))
    return found


def differs(thing: Object | None, definition: Object) -> bool:
    """Whether an apply would change the object, or what we own of it."""
    wanted = leaves(definition)
    if thing is None or any(value_at(thing, path) != value for path, value in wanted.items()):
        return True
    mine = owned(thing)
    return any(not _covers(mine, path) for path in wanted) or any(not _covers(set(wanted), path) for path in mine)


def _covers(paths: set[Path], path: Path) -> bool:
    """Whether one of the paths is this one, or a part of it (a map that the schema takes as a whole)."""
    return any(path[: len(each)] == each or each[: len(path)] == path for each in paths)


def _owners(thing: Object | None, path: Path) -> list[str]:
    managers = []
    for entry in ((thing or {}).get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply":
            continue
        if entry.get("subresource"):
            continue
        if any(path[: len(each)] == each for each in _fields(entry.get("fieldsV1") or {})):
            managers.append(str(entry.get("manager")))
    return list(dict.fromkeys(managers))


def _fields(tree: t.Mapping[str, t.Any], path: Path = ()) -> set[Path]:
    """The leaves of ``fieldsV1``."""
    inside = {key.removeprefix("f:"): value for key, value in tree.items() if key.startswith("f:")}
    if not inside:
        return {path} if path else set()
    return {leaf for key, value in inside.items() for leaf in _fields(value or {}, (*path, key))}
