# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter is offered by its name, and turns a refusal into Ansible's own error."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.kubecost_facts import FilterModule

RELEASE = {"generation": "3", "release": "kubecost", "namespace": "finops"}
kubecost_facts = FilterModule().filters()["kubecost_facts"]


def test_facts() -> None:
    assert kubecost_facts(RELEASE)["service_account_subject"] == "system:serviceaccount:finops:kubecost"
    values = {"serviceAccount": {"name": "reader"}}
    assert kubecost_facts({**RELEASE, "values": values})["service_account_name"] == "reader"


def test_a_refusal_names_filter_and_input() -> None:
    with pytest.raises(AnsibleFilterError, match="kubecost_facts: namespace: 'Fin Ops' is not a name"):
        kubecost_facts({**RELEASE, "namespace": "Fin Ops"})
