# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How a module that proves something waits, and when it fails."""

    DOCUMENTATION = r"""
options:
  awaited:
    description:
      - What comes next where somebody else installs the workload, such as Argo CD or Flux; one sentence.
      - With it a ServiceAccount or pods that are not there yet, or have not got the role yet, are pending and not failed.
    type: str
  recently_changed:
    description:
      - Whether roles, policies, access keys or the OpenID Connect provider have just been changed. IAM spreads changes within seconds to minutes; refusals
        are repeated for up to O(wait_timeout) seconds then, unless their cause is one that time does not change.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds that IAM may take, for all links together.
    type: int
    default: 120
  fail_on:
    description:
      - V(failed) makes the task fail when a link failed, V(pending) also when one is pending, V(never) returns the proof in any case.
      - In check mode the task never fails for a link; what does not exist yet is pending there, because an earlier task may be about to make it.
    type: str
    choices: [failed, pending, never]
    default: failed
"""
