# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the ServiceAccount of an older generation has lost its last pod, where Helm does not tell."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_pods import accounts_of

OLD, NEW = "kubecost-cost-analyzer", "kubecost"
WIRING: dict[str, Any] = {"service_account": {"name": ""}, "user_values": {}}


def pod(account: str, ready: bool = True, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": metadata,
        "spec": {"serviceAccountName": account},
        "status": {"phase": phase, "conditions": conditions},
    }


@pytest.mark.parametrize(
    ("pods", "still", "former"),
    [
        ([], [], []),
        ([pod(OLD)], [OLD], []),
        ([pod(OLD), pod(NEW)], [OLD], []),
        ([pod(OLD, deletionTimestamp="2026-11-30T12:00:00Z"), pod(NEW)], [OLD], []),
        ([pod(NEW, ready=False)], [], []),
        ([pod(NEW), pod("other")], [], [OLD]),
        ([pod(OLD, phase="Succeeded"), pod(NEW)], [], [OLD]),
        ([{"spec": {}}], [], []),
    ],
)
def test_the_old_one_is_former_when_the_new_one_is_seen_alone(
    pods: list[Any], still: list[str], former: list[str]
) -> None:
    found = accounts_of(pods, "3", "kubecost", WIRING)
    assert found == {"service_accounts": still, "former_service_accounts": former}


def test_the_users_names_count() -> None:
    named = {"service_account": {"name": "finops"}, "user_values": {"fullnameOverride": "costs"}}
    found = accounts_of([pod("finops")], "2", "kubecost", named)
    assert found == {"service_accounts": [], "former_service_accounts": ["costs"]}
    assert accounts_of([pod(OLD)], "2", "kubecost", {})["former_service_accounts"] == [NEW]
