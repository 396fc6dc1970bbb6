# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter ``kubestrap.aws.kubecost_values``; documented in kubecost_values.yml."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_values import build


def kubecost_values(wiring: t.Any) -> dict[str, t.Any]:
    """The Helm values that wire Kubecost to AWS, with the user's own under them."""
    try:
        return build(wiring)
    except AnsibleAWSError as e:
        raise AnsibleFilterError(f"kubecost_values: {e}") from e


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kubecost_values": kubecost_values}
