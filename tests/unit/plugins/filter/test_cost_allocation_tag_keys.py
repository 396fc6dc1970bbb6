# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter is offered by its name, and turns a refusal into Ansible's own error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter import cost_allocation_tag_keys as source
from ansible_collections.kubestrap.aws.plugins.module_utils.tag_scheme import GROUPS

cost_allocation_tag_keys = source.FilterModule().filters()["cost_allocation_tag_keys"]


def test_keys() -> None:
    known = ["kubernetes_pod", "kubernetes_label_app"]
    assert cost_allocation_tag_keys(known, ["guide"], known_only=True) == known
    assert cost_allocation_tag_keys(known, ["guide"], labels=False, more=["team"]) == [*GROUPS["guide"], "team"]


@pytest.mark.parametrize("known", ["kubernetes_pod", [{"tag_key": "kubernetes_pod"}], None])
def test_the_input_is_keys(known: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="the input is not a list of tag keys"):
        cost_allocation_tag_keys(known)


def test_a_refusal_names_filter_and_input() -> None:
    with pytest.raises(AnsibleFilterError, match="cost_allocation_tag_keys: groups: 'gke' is no group"):
        cost_allocation_tag_keys([], ["gke"])


def test_the_documentation_lists_the_groups() -> None:
    documented = yaml.safe_load(Path(source.__file__).with_suffix(".yml").read_text())
    groups = documented["DOCUMENTATION"]["options"]["groups"]
    assert groups["choices"] == groups["default"] == list(GROUPS)
