# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Tags that tell what the collection created."""

    DOCUMENTATION = r"""
options:
  ownership_tags:
    description:
      - Tags that are given only when the task creates the resource. One that existed before never gets them, and O(purge_tags) never removes them.
      - With O(state=absent) only a resource that carries them is deleted. Another one is kept, and the result says so in C(kept).
    type: dict
"""
