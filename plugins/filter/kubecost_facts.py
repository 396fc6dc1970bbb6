# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter ``kubestrap.aws.kubecost_facts``; documented in kubecost_facts.yml."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.kubecost_chart import facts


def kubecost_facts(release: t.Any) -> dict[str, t.Any]:
    """Names and labels of what a release of Kubecost makes."""
    try:
        return facts(release)
    except AnsibleAWSError as e:
        raise AnsibleFilterError(f"kubecost_facts: {e}") from e


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kubecost_facts": kubecost_facts}
