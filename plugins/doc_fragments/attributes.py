# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Attributes that modules of the collection share."""

    # A module that manages something: fragment kubestrap.aws.attributes
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
"""

    # A module that only reads: fragment kubestrap.aws.attributes.info
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode); this module changes nothing.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: N/A
    details:
      - This module does not modify state.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
    details:
      - This module does not modify state.
"""

    # Beside it, where an action plugin does the work: fragment kubestrap.aws.attributes.action
    ACTION = r"""
options: {}
attributes:
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
"""

    # Beside it, where the module has an AWS connection: fragment kubestrap.aws.attributes.action_group
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/kubestrap.aws.aws) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - kubestrap.aws.aws
"""
