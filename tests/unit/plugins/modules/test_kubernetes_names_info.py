# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation names the kinds that are looked for. What is found is tested with its functions."""

from __future__ import annotations

import yaml
from ansible_collections.kubestrap.aws.plugins.module_utils._kubernetes_lookup import LISTS
from ansible_collections.kubestrap.aws.plugins.modules import kubernetes_names_info


def test_the_kinds_are_documented() -> None:
    said = " ".join(yaml.safe_load(kubernetes_names_info.DOCUMENTATION)["options"]["names"]["description"])
    assert [kind for kind in LISTS if f"V({kind})" not in said] == []
