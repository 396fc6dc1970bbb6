# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter is offered by its name, and refuses what is no list of tags."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter import cost_allocation_tag_facts as source

cost_allocation_tag_facts = source.FilterModule().filters()["cost_allocation_tag_facts"]


def test_facts() -> None:
    tags = [{"tag_key": "a", "status": "active", "last_updated_date": None}]
    found = cost_allocation_tag_facts(tags, ["a", "b"], columns=["resource_tags_user_a"])
    assert (found["active"], found["pending"], found["columns"]) == ({"a": ""}, ["b"], {"a": "resource_tags_user_a"})


@pytest.mark.parametrize("tags", ["kubernetes_pod", ["kubernetes_pod"], [{"key": "kubernetes_pod"}], None])
def test_the_input_is_tags(tags: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="the input is not a list of cost allocation tags"):
        cost_allocation_tag_facts(tags, [])
