# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the operator of StackGres does for an SGCluster, started and followed to its end."""

    DOCUMENTATION = r"""
options:
  namespace:
    description:
      - Namespace of the SGCluster.
    type: str
    required: true
  sgcluster:
    description:
      - Name of the SGCluster. Of a sharded cluster those that it consists of, for example V(sales-coord).
    type: str
    required: true
  wait:
    description:
      - Whether to wait for the end. Without it the task returns the state after the start.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait at most.
    type: int
    default: 1800
attributes:
  async:
    description: Supports being used with the C(async) keyword.
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - With O(name) there is one of that name. Without it each run makes a new one when the last has ended.
notes:
  - O(api_key) has to live as long as the task waits; the tokens of EKS do so for 15 minutes. When it ends before, the last state is returned with a warning.
"""
