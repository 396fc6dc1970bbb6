# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which verdict ends a run, and how. tests/integration/test_verify.py sees the exit codes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.action.verification_verdict import ARGUMENT_SPEC, ActionModule


def run(monkeypatch: pytest.MonkeyPatch, verdict: str, **texts: str) -> dict[str, Any]:
    monkeypatch.setattr(ActionModule, "__init__", lambda self: None)
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda self, tmp, task_vars: {})
    monkeypatch.setattr(
        ActionModule,
        "validate_argument_spec",
        lambda self, argument_spec: (None, {"verdict": verdict, "denied": None, "differs": None, **texts}),
    )
    return ActionModule().run()


@pytest.mark.parametrize(
    ("verdict", "ends"),
    [("fits", {}), ("pending", {}), ("differs", {"unreachable": True}), ("denied", {"failed": True})],
)
def test_how_a_run_ends(monkeypatch: pytest.MonkeyPatch, verdict: str, ends: dict[str, bool]) -> None:
    result = run(monkeypatch, verdict)
    assert {key: result[key] for key in ("failed", "unreachable") if key in result} == ends
    assert ("msg" in result) is bool(ends)


def test_a_report_has_words_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"denied": "No host answers.", "differs": "A tag is wrong."}
    assert run(monkeypatch, "denied", **texts)["msg"] == "No host answers."
    assert run(monkeypatch, "differs", **texts)["msg"].startswith("A tag is wrong. Nothing is unreachable")
    assert run(monkeypatch, "differs")["msg"].startswith("Every call works, but something is not as it should be")


def test_the_verdicts_are_those_of_the_documentation() -> None:
    assert ARGUMENT_SPEC["verdict"]["choices"] == ["fits", "pending", "differs", "denied"]
