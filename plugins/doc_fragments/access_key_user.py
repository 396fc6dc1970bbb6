# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """An IAM user of a workload, whose access key is made where it is written down."""

    DOCUMENTATION = r"""
options:
  user:
    description:
      - An IAM user whose access key the workload has. Only with this option there is a connection to AWS.
      - A user that was not made with O(ownership_tags) is refused, since others may use its keys.
    type: dict
    suboptions:
      user_name:
        description:
          - Name of the user, unique in its account.
        type: str
        required: true
      path:
        description:
          - Path of the user, with a slash at both ends. A user without it is created in V(/).
        type: str
      permissions_boundary:
        description:
          - ARN of the managed policy that bounds what the user may do. An empty string removes the boundary.
        type: str
      inline_policies:
        description:
          - Inline policies, name to document, such as a document of the lookup P(kubestrap.aws.iam_document#lookup). The user has these and no
            others. IAM allows 2048 characters for all of them together.
        type: dict
      tags:
        description:
          - Tags of the user. Others are removed.
        type: dict
      max_age:
        description:
          - Days after which the key is replaced. Without it a key is kept for ever.
          - V(0) replaces it now; it is meant for one run, such as after a key was leaked.
        type: int
      settle_hours:
        description:
          - How many hours nothing may have used a key that was replaced before it is made inactive, and again before it is deleted.
        type: int
        default: 24
  ownership_tags:
    description:
      - Tags that are given to O(user) only when the task creates it. One that existed before never gets them, and is refused.
      - With O(state=absent) only a user that carries them is deleted. Another one is kept, and RV(kept) says so.
    type: dict
"""
