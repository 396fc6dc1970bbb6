# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter ``kubestrap.aws.cost_allocation_tag_keys``; documented in cost_allocation_tag_keys.yml."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.tag_scheme import GROUPS, keys


def cost_allocation_tag_keys(
    known: t.Any,
    groups: t.Sequence[str] = tuple(GROUPS),
    labels: bool = True,
    more: t.Sequence[str] = (),
    known_only: bool = False,
) -> list[str]:
    """The tag keys that Kubecost reads."""
    if not isinstance(known, list) or not all(isinstance(entry, str) for entry in known):
        raise AnsibleFilterError("cost_allocation_tag_keys: the input is not a list of tag keys")
    try:
        return keys(known, groups, labels, more, known_only)
    except AnsibleAWSError as e:
        raise AnsibleFilterError(f"cost_allocation_tag_keys: {e}") from e


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"cost_allocation_tag_keys": cost_allocation_tag_keys}
