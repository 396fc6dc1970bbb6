# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the action: its options are those that the action takes."""

from __future__ import annotations

import yaml
from ansible_collections.kubestrap.aws.plugins.action.verification_verdict import ARGUMENT_SPEC
from ansible_collections.kubestrap.aws.plugins.modules import verification_verdict


def test_the_documentation_is_that_of_the_action() -> None:
    options = yaml.safe_load(verification_verdict.DOCUMENTATION)["options"]
    described = {
        name: {key: option[key] for key in ("type", "required", "choices") if key in option}
        for name, option in options.items()
    }
    assert described == ARGUMENT_SPEC
