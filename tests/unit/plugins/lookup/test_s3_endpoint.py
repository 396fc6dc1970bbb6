# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup of host names."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader


def test_a_host_for_each_region() -> None:
    found = lookup_loader.get("kubestrap.aws.s3_endpoint").run(["eu-west-1", "cn-north-1"], {})
    assert found == ["s3.eu-west-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn"]


def test_an_unknown_region() -> None:
    with pytest.raises(AnsibleLookupError, match="s3_endpoint: region: 'eu-wset-1' is not a region"):
        lookup_loader.get("kubestrap.aws.s3_endpoint").run(["eu-wset-1"], {})
