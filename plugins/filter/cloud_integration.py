# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter ``kubestrap.aws.cloud_integration``; documented in cloud_integration.yml."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.cloud_integration import build


def cloud_integration(entries: t.Any, form: str, others: t.Any = None) -> dict[str, t.Any]:
    """The document of Kubecost and OpenCost that names their billing data."""
    try:
        return build(entries, form, others)
    except AnsibleAWSError as e:
        raise AnsibleFilterError(f"cloud_integration: {e}") from e


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"cloud_integration": cloud_integration}
