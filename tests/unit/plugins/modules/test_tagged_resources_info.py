# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation shows what is returned."""

from __future__ import annotations

import yaml
from ansible_collections.kubestrap.aws.plugins.module_utils._tagged_resources import Resource
from ansible_collections.kubestrap.aws.plugins.modules import tagged_resources_info


def test_a_resource_as_it_is_documented() -> None:
    documented = yaml.safe_load(tagged_resources_info.RETURN)["tagged_resources"]["contains"]
    tags = {"kubernetes_namespace": "shop", "kubernetes-pod": "orders-0", "team": "shop"}
    found = tagged_resources_info.shown(Resource(documented["arn"]["sample"], "222222222222", "eu-west-1", tags))
    assert list(documented) == list(found)
    for key in ("account_id", "region", "service", "resource_type", "scheme", "near_misses"):
        assert found[key] == documented[key]["sample"], key
