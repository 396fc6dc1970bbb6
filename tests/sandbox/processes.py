# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and ports: children that die with their parent, processes that are known by pid and start time.

Standard library only; the client side uses it too. Linux only (prctl, /proc).
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("die_with_parent.py")
# Below Linux' range for outgoing connections (32768 and up): none of those can take a port between its choice and use.
_PORTS = range(12000, 32000)
_TAKEN: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on and that this process has not given out before."""
    for port in random.sample(_PORTS, len(_PORTS)):
        if port in _TAKEN:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _TAKEN.add(port)
        return port
    raise OSError("no free port between 12000 and 32000 on 127.0.0.1")


def start_time(pid: int) -> int | None:
    """When that process began, in clock ticks since boot; None when it is gone (or a zombie).

    A pid alone is no name for a process: pids are used again.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the second field, the command, may contain anything
    return None if fields[0] in "ZX" else int(fields[19])


def is_running(pid: int, started: int | None) -> bool:
    """Whether the process that began at `started` still runs under that pid."""
    return started is not None and start_time(pid) == started


def wait_gone(pid: int, started: int | None, seconds: float) -> bool:
    """Wait until that process is gone; False when it still runs after so many seconds."""
    deadline = time.monotonic() + seconds
    while is_running(pid, started):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Child:
    """A program that lives as long as this process at most.

    Start it from the main thread: Linux sends the parent-death signal when the starting *thread* ends.
    """

    def __init__(self, name: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(_LAUNCHER), str(os.getpid()), *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                env=dict(env) if env is not None else {"PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def last_words(self, lines: int = 15) -> str:
        """The end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def stop(self, seconds: float) -> None:
        """Ask it to end (SIGTERM), and kill it after so many seconds."""
        if self.alive:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
