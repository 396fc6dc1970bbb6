# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action report_lines in a real run: what is on the screen, in check mode, under no_log, beside a JSON callback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PASSWORD = "correct-horse-battery-staple"
TASKS = [
    {
        "name": "Show a report",
        "kubestrap.aws.report_lines": {
            "title": "Kubecost on two clusters",
            "table": {"columns": ["host", "state"], "rows": [["prod-eu", "ready"], {"host": "prod-us"}]},
            "lines": ["localhost : ok=3 changed=12"],
        },
        "register": "report",
    },
    {"name": "Show nothing", "kubestrap.aws.report_lines": {"lines": [PASSWORD]}, "no_log": True},
    {
        "name": "Look at the result",
        "ansible.builtin.assert": {"that": ["report is not changed", "'changed: 12' in report.lines | join"]},
    },
]
BAD = {
    "neither": ({"title": "Kubecost"}, "one of the following is required: lines, table"),
    "unknown": ({"lines": [], "text": "a"}, "Unsupported parameters"),
    "row": ({"table": {"columns": ["a", "b"], "rows": [[1]]}}, "table.rows[0]: '[1]' is not a list of 2 values"),
}


def run(
    place: Path, tasks: list[dict[str, object]], *arguments: str, callback: str = "default"
) -> subprocess.CompletedProcess[str]:
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    playbook = place / "play.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "ansible.cli.playbook", "-i", "localhost,", *arguments, str(playbook)],
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": callback, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(place)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("--check", "--diff")])
def test_a_report_can_be_read(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    made = run(tmp_path, TASKS, *arguments)
    assert made.returncode == 0, made.stdout
    report = """
Kubecost on two clusters
========================
host     state
-------  -----
prod-eu  ready
prod-us  -

localhost : ok: 3 changed: 12
"""
    assert report in made.stdout
    assert "changed=12" not in made.stdout, "only Ansible's recap has counts"
    assert "changed=0" in made.stdout
    assert PASSWORD not in made.stdout + made.stderr


def test_under_no_log_nothing_is_shown_at_any_verbosity(tmp_path: Path) -> None:
    made = run(tmp_path, TASKS[1:2], "-vvvv")
    assert made.returncode == 0, made.stdout
    assert PASSWORD not in made.stdout + made.stderr


def test_a_callback_that_writes_json_stays_valid(tmp_path: Path) -> None:
    made = run(tmp_path, TASKS, callback="ansible.posix.json")
    assert json.loads(made.stdout)["stats"]["localhost"]["failures"] == 0
    assert "prod-eu  ready" in made.stderr


@pytest.mark.parametrize("name", BAD)
def test_bad_input(tmp_path: Path, name: str) -> None:
    options, said = BAD[name]
    made = run(tmp_path, [{"name": "Show", "kubestrap.aws.report_lines": options}])
    assert made.returncode != 0
    assert said in made.stdout + made.stderr
