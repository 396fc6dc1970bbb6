# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runs of ansible-playbook may be forks of one process, and how one that asks for it is answered."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tools import molecule, warm_playbook


def test_runs_share_a_server_when_ansible_is_set_alike(tmp_path: Path) -> None:
    texts = {"one": "[defaults]\nforks = 50\n", "same": "[defaults]\nforks = 50\n", "other": "[defaults]\nforks = 5\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)

    def named(config: str, **more: str) -> str:
        return warm_playbook.settings({"ANSIBLE_CONFIG": str(tmp_path / config), **more})

    assert named("one") == named("same", HOME="/elsewhere")
    assert len({named("one"), named("other"), named("one", ANSIBLE_NOCOWS="1"), named("missing")}) == 4


def test_a_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(SystemExit, match="the fork server did not start(.|\n)*No module named"):
        warm_playbook.start_server("none", str(os.getpid()))


def test_scenarios_that_are_to_be_plain_get_the_ansible_playbook_of_the_virtualenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "venv" / "bin" / "ansible-playbook"
    own.parent.mkdir(parents=True)
    own.write_text('#!/bin/sh\necho plain "$@"\n')
    own.chmod(0o755)
    fork = tmp_path / "venv" / "bin" / "python"
    fork.write_text('#!/bin/sh\necho forked "$5"\n')
    fork.chmod(0o755)
    monkeypatch.setattr(molecule, "VENV", tmp_path / "venv")
    monkeypatch.setattr(molecule, "WARM", tmp_path / "warm")
    program = molecule.warm_path() / "ansible-playbook"
    for scenario, argument, said in (
        ("kubecost", "play.yml", "plain"),
        ("default", "play.yml", "plain"),
        ("fleet", "play.yml", "forked"),
        ("fleet", "--version", "plain"),
    ):
        env = {"MOLECULE_SCENARIO_NAME": scenario, "PATH": os.environ["PATH"]}
        found = subprocess.run([program, argument], env=env, capture_output=True, text=True, check=True)
        assert found.stdout == f"{said} {argument}\n"
