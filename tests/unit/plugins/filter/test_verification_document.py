# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verification of all hosts, for programs."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.verification_document import FilterModule, verification_document


def test_the_document() -> None:
    made = verification_document({"one": {"state": "fits", "changes": [], "notes": [], "links": []}})
    assert made["kind"] == "kubestrap.aws/verification"
    assert made["version"] == 1
    assert made["verdict"] == "fits"


def test_only_outcomes_by_host_are_taken() -> None:
    with pytest.raises(AnsibleFilterError, match="takes a dictionary of outcomes"):
        verification_document([])


def test_its_name() -> None:
    assert FilterModule().filters() == {"verification_document": verification_document}
