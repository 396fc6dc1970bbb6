# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter is offered by its name, and turns a refusal into Ansible's own error."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.kubecost_values import FilterModule

WIRING = {"generation": "3", "release": "kubecost", "cluster_id": "prod-eu", "cloud_integration_secret": "billing"}
kubecost_values = FilterModule().filters()["kubecost_values"]
kubecost_values_changes = FilterModule().filters()["kubecost_values_changes"]


def test_values() -> None:
    assert kubecost_values(WIRING)["cloudCost"]["cloudIntegrationSecret"] == "billing"


def test_a_refusal_names_filter_and_input() -> None:
    user = {"global": {"clusterId": "other"}}
    with pytest.raises(AnsibleFilterError, match="kubecost_values: user_values.global.clusterId: 'other' contradicts"):
        kubecost_values({**WIRING, "user_values": user})


def test_changes() -> None:
    values = kubecost_values({**WIRING, "user_values": {"cloudCost": {"env": {"TOKEN": "hush"}}}})
    lines = kubecost_values_changes({}, values, {"cloudCost": {"env": {"TOKEN": "hush"}}})
    assert '+ cloudCost.cloudIntegrationSecret: "billing"' in lines
    assert "+ cloudCost.env.TOKEN" in lines
    assert kubecost_values_changes(values, values) == []
