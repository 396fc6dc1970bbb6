# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options ask StackGres for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_jobs import Job, Plan
from ansible_collections.kubestrap.aws.plugins.modules import stackgres_restart as module

GIVEN = {"host": "https://x", "api_key": "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXhhbXBsZQ", "namespace": "postgres"}
GIVEN["sgcluster"] = "sales"


@pytest.mark.parametrize(
    ("options", "restart"),
    [
        ({}, {"method": "InPlace", "onlyPendingRestart": False}),
        (
            {"method": "ReducedImpact", "only_pending": True},
            {"method": "ReducedImpact", "onlyPendingRestart": True},
        ),
    ],
)
def test_the_spec(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], restart: dict[str, Any]) -> None:
    carried: list[Any] = []
    monkeypatch.setattr(module, "carry_out", lambda _module, *rest: carried.extend(rest))
    with patch_module_args({**GIVEN, **options}):
        module.main()
    assert carried == ["sgdbops", "restart", {"op": "restart", "restart": restart}, module.shape]


def test_what_is_around_a_restart_is_not_told() -> None:
    job = Job("sgdbops", "postgres", "sales", None, {})
    assert module.shape(job, Plan("r", None), None, {})["state"] == "NotStarted"
