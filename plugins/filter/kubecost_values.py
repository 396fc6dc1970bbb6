# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters ``kubecost_values`` and ``kubecost_values_changes``; documented in the .yml files of these names."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._kubecost_values_changes import changes
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_values import build


def kubecost_values(wiring: t.Any) -> dict[str, t.Any]:
    """The Helm values that wire Kubecost to AWS, with the user's own under them."""
    try:
        return build(wiring)
    except AnsibleAWSError as e:
        raise AnsibleFilterError(f"kubecost_values: {e}") from e


def kubecost_values_changes(current: t.Any, planned: t.Any, user_values: t.Any = None) -> list[str]:
    """What changes of a release's values, in lines."""
    return changes(current or {}, planned, user_values or {})


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kubecost_values": kubecost_values, "kubecost_values_changes": kubecost_values_changes}
