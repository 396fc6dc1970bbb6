# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter is offered by its name, and turns a refusal into Ansible's own error."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.cloud_integration import FilterModule

ENTRY = {
    "account_id": "111111111111",
    "bucket": "acme-results",
    "region": "us-east-1",
    "database": "billing",
    "table": "kubecost",
    "workgroup": "kubecost",
}
cloud_integration = FilterModule().filters()["cloud_integration"]


def test_both_forms() -> None:
    assert cloud_integration([ENTRY], "athena")["aws"]["athena"][0]["bucket"] == "s3://acme-results"
    assert cloud_integration([ENTRY], form="legacy")["aws"][0]["athenaBucketName"] == "s3://acme-results"


def test_a_refusal_names_filter_and_input() -> None:
    with pytest.raises(AnsibleFilterError, match=r"cloud_integration: entries\[0\].account_id: 'payer' is not"):
        cloud_integration([{**ENTRY, "account_id": "payer"}], "athena")
