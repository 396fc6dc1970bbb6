# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests that take a right away from a policy, and look what a call says then."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from integration.world import AwsConnection

Statements = list[dict[str, Any]]
DENIED = {"AccessDenied", "AccessDeniedException", "403"}


def without(statements: Statements, sid: str, action: str | None = None) -> Statements:
    """The statements without one, or without one action of it."""
    left = copy.deepcopy(statements)
    for statement in left:
        if statement["Sid"] == sid and action:
            statement["Action"] = [name for name in statement["Action"] if name != action]
    return [s for s in left if s["Action"] and (s["Sid"] != sid or action)]


def rights(statements: Statements) -> list[tuple[str, str]]:
    """Each action with the Sid of its statement."""
    return [(s["Sid"], action) for s in statements for action in s["Action"]]


def code(call: Callable[[], Any]) -> str:
    """The error code of a call, empty when it passes."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def take(connection: AwsConnection, role_arn: str, **options: Any) -> AwsConnection:
    """A connection as this role."""
    answer = connection.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="both-ways", **options)
    return connection.with_credentials(answer["Credentials"])
