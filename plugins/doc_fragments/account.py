# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The account whose ARNs a module computes."""

    DOCUMENTATION = r"""
options:
  account_id:
    description:
      - Account that the resource is in, 12 digits in quotes. It is part of the ARNs that the module computes.
      - Without it the module asks STS for the account of its credentials, which is one call more.
    type: str
"""
