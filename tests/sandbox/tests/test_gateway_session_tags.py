# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Session tags need sts:TagSession on both sides of AssumeRole."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, assume, make_role, refused

TAGS = [{"Key": "kubernetes-namespace", "Value": "kubecost"}]


@pytest.mark.parametrize(
    ("caller_may", "trust_allows", "passes"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
def test_session_tags_need_a_right_on_both_sides(
    gateway: Any, caller_may: bool, trust_allows: bool, passes: bool
) -> None:
    def actions(tags: bool) -> list[str]:
        return ["sts:AssumeRole", *(["sts:TagSession"] if tags else [])]

    def trust(account: str, tags: bool) -> dict[str, Any]:
        return {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": actions(tags)}

    target = make_role(gateway, PAYER, [trust(CLUSTER, trust_allows)], [])
    caller = make_role(gateway, CLUSTER, [trust(CLUSTER, True)], [allow(actions(caller_may), target)])
    sts = gateway.client_with("sts", assume(gateway.client("sts", CLUSTER), caller))
    assume(sts, target)
    if passes:
        assume(sts, target, Tags=TAGS)
    else:
        error = refused(lambda: assume(sts, target, Tags=TAGS))
        assert error.code == "AccessDenied"
        assert "sts:TagSession" in error.message
