# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backup is called while it is followed. How that goes: test_stackgres_job.py."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.kubestrap.aws.plugins.action import stackgres_backup_run as action
from ansible_collections.kubestrap.aws.plugins.plugin_utils import waiting_action


def test_the_line_names_the_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    shown = SimpleNamespace(display=lambda line, stderr: said.append(line))
    monkeypatch.setattr(waiting_action, "Display", lambda: shown)
    made = object.__new__(action.ActionModule)
    made._task = SimpleNamespace(no_log=False)
    seen = {"name": "x", "namespace": "postgres", "sgcluster": "sales", "state": "Pending", "cause": "why"}
    made._say(seen, 6, 60, None)
    assert said == ["localhost: backup x of SGCluster postgres/sales is Pending (why), 6 s of at most 60 s"]
    assert made.result_name == "backup"
