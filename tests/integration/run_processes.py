# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of one run of ansible-playbook: how they are known, and how to end them.

Ansible's workers have sessions of their own, so a process group does not hold them all.
"""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from pathlib import Path

# In the environment of those that are started as programs.
VARIABLE = "KUBESTRAP_TEST_RUN"


def new_mark() -> str:
    """A name for the processes of a run (``/proc/PID/comm`` or ``VARIABLE``), as long as Linux allows."""
    return f"kt-{uuid.uuid4().hex}"[:15]


def kill(mark: str) -> None:
    """Kill all processes of a run at once; by their name or their environment, whichever tells."""
    wanted = f"{VARIABLE}={mark}".encode()
    found = True
    while found:
        found = False
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                named = (folder / "comm").read_text().strip() == mark
                if state != "Z" and (named or wanted in (folder / "environ").read_bytes().split(b"\0")):
                    os.kill(int(folder.name), signal.SIGKILL)
                    found = True
