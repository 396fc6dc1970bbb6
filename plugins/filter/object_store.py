# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters ``object_store_yaml`` and ``object_store_facts``; documented in the YAML files of their names."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import object_store


def object_store_yaml(options: t.Any, consumer: str, option: str = "options") -> str:
    """The text of object-store.yaml or federated-store.yaml."""
    try:
        return object_store.render(object_store.build(options, consumer, option=str(option)))
    except AnsibleAWSError as e:
        raise AnsibleFilterError(f"object_store_yaml: {e}") from e


def object_store_facts(
    content: t.Any, consumer: str, region: str = "", partition: str = "", option: str = "document"
) -> dict[str, t.Any]:
    """What a document says, after it has been checked."""
    try:
        document = object_store.parse(content, option=str(option)) if isinstance(content, str) else content
        notes = object_store.check(document, consumer, region or "", partition or "", option=str(option))
        return object_store.facts(document, notes)
    except AnsibleAWSError as e:
        raise AnsibleFilterError(f"object_store_facts: {e}") from e


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"object_store_yaml": object_store_yaml, "object_store_facts": object_store_facts}
