# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter ``kubestrap.aws.cost_allocation_tag_facts``; documented in cost_allocation_tag_facts.yml."""

from __future__ import annotations

import datetime
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.module_utils._cost_allocation_state import facts


def cost_allocation_tag_facts(
    tags: t.Any,
    keys: t.Sequence[str],
    statuses: t.Mapping[str, str] | None = None,
    own: t.Sequence[str] = (),
    columns: t.Sequence[str] | None = None,
    backfill: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """How far cost allocation tags have come."""
    if not isinstance(tags, list) or not all(isinstance(tag, t.Mapping) and "tag_key" in tag for tag in tags):
        raise AnsibleFilterError("cost_allocation_tag_facts: the input is not a list of cost allocation tags")
    now = datetime.datetime.now(datetime.UTC)
    return facts(keys, tags, now, statuses, own, columns, backfill)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"cost_allocation_tag_facts": cost_allocation_tag_facts}
