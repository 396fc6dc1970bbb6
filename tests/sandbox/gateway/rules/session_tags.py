# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who passes session tags needs sts:TagSession in his own policy, too; MiniStack asks for it in the role's trust only.

IAM user guide, "Pass session tags in AWS STS": "you must have the sts:TagSession permission".
"""

from __future__ import annotations

from typing import Any

from .. import authorize
from ..aws_errors import access_denied
from ..call import Call, Response
from .registry import before


@before("sts", "AssumeRole", order=40)
def tags_need_a_right(call: Call, _gateway: Any) -> Response | None:
    """Refuse tags of a caller whose policies do not allow them on the role."""
    if not any(name.startswith("Tags.member.") for name in call.params):
        return None
    role_arn = call.params.get("RoleArn", "")
    denied = authorize.check(call, "sts:TagSession", role_arn)
    return access_denied(call, "sts:TagSession", role_arn) if denied else None
