# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options ask StackGres for, and what is told of other backups."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_jobs import Job, Plan
from ansible_collections.kubestrap.aws.plugins.modules import stackgres_backup_run as module

GIVEN = {"host": "https://x", "api_key": "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXhhbXBsZQ", "namespace": "postgres"}
GIVEN["sgcluster"] = "sales"


@pytest.mark.parametrize(("options", "managed"), [({}, True), ({"managed_lifecycle": False}, False)])
def test_the_spec(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], managed: bool) -> None:
    carried: list[Any] = []
    monkeypatch.setattr(module, "carry_out", lambda _module, *rest: carried.extend(rest))
    with patch_module_args({**GIVEN, **options}):
        module.main()
    assert carried == ["sgbackups", "backup", {"managedLifecycle": managed}, module.shape]


def test_what_it_waits_for_are_the_others_that_have_not_ended() -> None:
    def backup(name: str, state: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "spec": {}, "status": {"process": {"status": state}}}

    own = backup("own", "Pending")
    found = {"sgbackups": [own, backup("night", "Running"), backup("old", "Completed")]}
    job = Job("sgbackups", "postgres", "sales", None, {})
    assert module.shape(job, Plan("own", None), own, found)["cause"] == "it waits for night"
