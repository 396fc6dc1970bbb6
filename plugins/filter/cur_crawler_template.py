# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter ``kubestrap.aws.cur_crawler_template``; documented in cur_crawler_template.yml."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.plugin_utils.cur_crawler import scheduled


def cur_crawler_template(text: str, schedule: str, database: str, **options: t.Any) -> dict[str, t.Any]:
    """The delivered template without its Lambda functions, and with a schedule."""
    try:
        return scheduled(str(text), str(schedule), str(database), **options)
    except AnsibleAWSError as e:
        raise AnsibleFilterError(f"cur_crawler_template: {e}") from e


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"cur_crawler_template": cur_crawler_template}
