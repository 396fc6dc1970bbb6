# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module documents exactly what the action plugin takes."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.kubestrap.aws.plugins.action.report_lines import ARGUMENT_SPEC
from ansible_collections.kubestrap.aws.plugins.modules.report_lines import DOCUMENTATION


def taken(options: dict[str, Any]) -> dict[str, Any]:
    """The options without their descriptions, in the words of an argument spec."""
    said = {}
    for name, option in options.items():
        said[name] = {key: value for key, value in option.items() if key not in ("description", "suboptions")}
        if "suboptions" in option:
            said[name]["options"] = taken(option["suboptions"])
    return said


def test_the_documentation_is_the_argument_spec() -> None:
    assert taken(yaml.safe_load(DOCUMENTATION)["options"]) == ARGUMENT_SPEC
