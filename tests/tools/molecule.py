# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs all Molecule scenarios side by side against one sandbox: ``python -m tools.molecule [SCENARIO ...]``.

A scenario has passed when each of its actions was successful: Molecule itself also accepts actions whose playbook is
missing. The outcome is written as JUnit XML, a test case per scenario.

Most scenarios find an ansible-playbook on their PATH that forks a process in which everything is imported
(``warm_playbook``); those of ``PLAIN`` run Ansible as users do.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from integration.warm_ansible import PLAIN_VARIABLE

from tools.environment import environment
from tools.paths import COLLECTION, MAKE, RESULTS, VENV
from tools.scenarios import problems, scenarios

FOLDER = COLLECTION / "extensions" / "molecule"
WARM = MAKE / "warm"
PLAIN = ("default", "kubecost")
RECAP = re.compile(r"^(?P<name>\S+)\s*: actions=(?P<actions>\d+)\s+(?P<states>.*)$")


def run(names: list[str]) -> tuple[str, int]:
    """Runs the scenarios (none named: all) and shows Molecule's output as it comes; the output and the exit status."""
    shutil.rmtree(MAKE / "molecule", ignore_errors=True)
    command = ["molecule", "test", "--report", "--workers", str(os.cpu_count() or 2), "--continue-on-failure"]
    names = names or sorted(scenarios(FOLDER), key=lambda name: name not in PLAIN)  # the long ones first
    command += [f"--scenario-name={name}" for name in names]
    env = environment() | {"NO_COLOR": "1", "SANDBOX_OWNER_PID": str(os.getpid())}
    if not os.environ.get(PLAIN_VARIABLE):
        env["PATH"] = f"{warm_path()}:{env['PATH']}"
    process = subprocess.Popen(
        command, cwd=COLLECTION, env=env,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    lines = []
    for line in process.stdout or ():
        print(line, end="", flush=True)
        lines.append(line)
    return "".join(lines), process.wait()


def warm_path() -> Path:
    """A folder with the ansible-playbook that forks."""
    shutil.rmtree(WARM, ignore_errors=True)
    program = WARM / "bin" / "ansible-playbook"
    program.parent.mkdir(parents=True)
    own = str(VENV / "bin" / "ansible-playbook")
    warm = [VENV / "bin" / "python", "-IS", COLLECTION / "tests/tools/warm_playbook.py", WARM, os.getpid()]
    version = WARM / "version"
    version.write_bytes(
        subprocess.run([own, "--version"], env=environment(), check=True, stdout=subprocess.PIPE).stdout
    )
    program.write_text(
        "#!/bin/sh\n"
        f'case "$MOLECULE_SCENARIO_NAME" in {"|".join(PLAIN)}) exec {shlex.quote(own)} "$@";; esac\n'
        # Molecule asks for it before each step.
        f'case "$1" in --version) exec cat {shlex.quote(str(version))};; esac\n'
        f'exec {shlex.join(map(str, warm))} "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program.parent


def outcomes(output: str, expected: list[str]) -> dict[str, str]:
    """Per scenario what was wrong with it by Molecule's closing recap; an empty text when all went well."""
    found: dict[str, str] = {}
    for match in filter(None, map(RECAP.match, output.splitlines())):
        well = f"successful={match['actions']}" in match["states"].split()
        # The default scenario is there twice: it starts the sandbox and, at the end, stops it.
        found[match["name"]] = found.get(match["name"]) or ("" if well and int(match["actions"]) else match["states"])
    return {name: found.get(name, "is not in Molecule's recap: it did not run") for name in sorted({*expected, *found})}


def write_report(outcome: dict[str, str]) -> None:
    """Writes .make/results/molecule.xml."""
    suite = ElementTree.Element("testsuite", name="molecule")
    for name, problem in outcome.items():
        case = ElementTree.SubElement(suite, "testcase", classname="molecule", name=name)
        if problem:
            ElementTree.SubElement(case, "failure", message=problem)
    RESULTS.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(RESULTS / "molecule.xml")


def main(names: list[str]) -> int:
    """Exit status 0 when every scenario has passed."""
    wrong = problems(FOLDER)
    for problem in wrong:
        print(f"FAILED {problem}")
    output, status = run(names)
    outcome = outcomes(output, names or ["default", *scenarios(FOLDER)])
    outcome |= dict.fromkeys(wrong, "this lets a scenario pass without proving anything")
    if status and not any(outcome.values()):
        outcome["molecule"] = f"exit status {status}"
    write_report(outcome)
    return 1 if any(outcome.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
