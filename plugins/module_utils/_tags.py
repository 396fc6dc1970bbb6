# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the tags that a resource has to those that it shall have."""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import compare_aws_tags

from ._plan import Change


def plan_tags(
    current: dict[str, str] | None,
    wanted: t.Mapping[str, str] | None,
    purge: bool,
    tag: t.Callable[[dict[str, str]], Change],
    untag: t.Callable[[list[str]], Change],
) -> tuple[list[Change], dict[str, str] | None]:
    """The calls, and the tags after them. Tags of AWS itself (``aws:...``) stay as they are.

    :param current: as read; ``None`` where they were not read
    :param wanted: as ``_ownership.kept_tags`` returns them; ``None`` leaves the tags as they are
    :param purge: take away what is not wanted
    :param tag: makes the call that sets these tags
    :param untag: makes the call that removes the tags with these keys
    """
    if wanted is None:
        return [], current
    actual = current or {}
    to_set, to_unset = compare_aws_tags(actual, dict(wanted), purge)
    changes = [untag(to_unset)] if to_unset else []
    changes += [tag(to_set)] if to_set else []
    return changes, {key: value for key, value in {**actual, **to_set}.items() if key not in to_unset}
