# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the module. What it finds is tested with its functions, and in the sandbox."""

from __future__ import annotations

import yaml
from ansible_collections.kubestrap.aws.plugins.modules import kubecost_workload_info


def test_the_names_default_to_those_of_the_guide() -> None:
    options = yaml.safe_load(kubecost_workload_info.DOCUMENTATION)["options"]
    assert {name: option["default"] for name, option in options.items()} == {
        "namespace": "kubecost",
        "release": "kubecost",
    }
