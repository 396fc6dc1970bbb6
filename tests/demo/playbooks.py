# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a playbook of the collection and shows what a person wants to see of it."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from sandbox.client import Sandbox

_BANNER = re.compile(r"^(PLAY RECAP|PLAY|TASK) ?(\[(?P<name>.*)\])? \*+$")
_RESULT = re.compile(r"^(?P<state>ok|changed|skipping|included|rescued|ignored|fatal|failed): \[(?P<host>[^\]]*)\]")
_ROLE = re.compile(r"^kubestrap\.aws\.\w+ : ")


@dataclasses.dataclass(frozen=True)
class Run:
    """How a run of a playbook ended.

    :ivar returncode: 0 when all hosts are done or pending
    :ivar seconds: how long it took
    :ivar calls: the AWS calls it made, as the gateway recorded them
    """

    returncode: int
    seconds: float
    calls: list[dict]

    def count(self, kind: str) -> int:
        """Number of calls of a kind: ``read``, ``write``, ``query`` or ``session``."""
        return Sandbox.count(self.calls, kind=kind)

    @property
    def in_words(self) -> str:
        """The calls in one line."""
        reads, writes = self.count("read"), self.count("write")
        return (
            f"{reads + writes} AWS calls ({_number(reads, 'read')}, {_number(writes, 'change')}), "
            f"{_number(self.count('query'), 'query')}, {_number(self.count('session'), 'session')}"
        )


def run_playbook(sandbox: Sandbox, playbook: str, inventory: Path, extra_vars: Path, verbose: bool) -> Run:
    """Run a playbook by its full name; print its changes and its reports as they come, or everything."""
    command = ["ansible-playbook", "-i", str(inventory), "-e", f"@{extra_vars}", playbook]
    print(f"  $ ansible-playbook -i {inventory.name} {playbook}\n", flush=True)
    mark = sandbox.mark()
    started = time.monotonic()
    environment = {**os.environ, **sandbox.environment(), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    show = _Everything() if verbose else _Changes()
    with process.stdout:
        for line in process.stdout:
            show.line(line.rstrip("\n"))
    returncode = process.wait()
    return Run(returncode, time.monotonic() - started, sandbox.calls(mark))


def _number(count: int, thing: str) -> str:
    plural = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{count} {thing if count == 1 else plural}"


class _Everything:
    def line(self, line: str) -> None:
        print(f"  {line}", flush=True)


class _Changes:
    """Shows one line for each change, and what tasks print themselves; hides Ansible's banners and results."""

    def __init__(self) -> None:
        self._task = ""
        self._reporting = False

    def line(self, line: str) -> None:
        banner = _BANNER.match(line)
        if banner:
            self._task = _ROLE.sub("", banner["name"] or "")
            self._reporting = self._task.startswith("Print the")
            return
        result = _RESULT.match(line)
        if result:
            if result["state"] == "changed":
                print(f"    {result['host']:<12} {self._task}", flush=True)
            self._reporting = self._reporting and result["state"] not in ("ok",)
            return
        if self._reporting:
            print(f"    {line}", flush=True)


def fail(text: str) -> None:
    """End the demo with what went wrong."""
    print(f"\nThe demo did not go as it should: {text}", file=sys.stderr)
    raise SystemExit(1)
