# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who made a resource: tags that are given at creation, and asked for before a deletion.

What the collection did not create it does not delete. Ownership tags go into the call that creates a resource. They
are never added to one that existed before, never purged, and a resource without them is not deleted.
"""

from __future__ import annotations

import typing as t

from ._plan import Plan

Tags = t.Mapping[str, str]


def creation_tags(tags: Tags | None, ownership_tags: Tags | None) -> dict[str, str]:
    """The tags of a resource that is being created."""
    return {**(tags or {}), **(ownership_tags or {})}


def kept_tags(tags: Tags | None, ownership_tags: Tags | None, current: Tags) -> dict[str, str] | None:
    """The tags that an existing resource shall have: those of the task, and the ownership tags if it has them.

    :returns: ``None`` when the task sets no tags, so that none are compared
    """
    if tags is None:
        return None
    return {**tags, **{key: value for key, value in (ownership_tags or {}).items() if current.get(key) == value}}


def is_foreign(current: Tags, ownership_tags: Tags | None) -> bool:
    """Whether a resource lacks the ownership tags that the task asks for."""
    return any(current.get(key) != value for key, value in (ownership_tags or {}).items())


def keep_foreign(resource: dict[str, t.Any], current: Tags, ownership_tags: Tags | None, what: str) -> Plan | None:
    """The plan that leaves a foreign resource alone; ``None`` when it may be deleted.

    :param what: the resource in plain words, such as ``the bucket reports``
    """
    if not is_foreign(current, ownership_tags):
        return None
    missing = ", ".join(f"{key}={value}" for key, value in (ownership_tags or {}).items())
    return Plan(resource, resource, kept=f"{what} was not made by this collection (no tag {missing})")
