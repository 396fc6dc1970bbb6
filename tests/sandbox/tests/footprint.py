# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sandbox leaves on a machine: its processes and its open sockets, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path

_LISTENING = "0A"
_LOOPBACK = "0100007F"


def processes(directory: Path) -> dict[int, str]:
    """Processes whose command line names the sandbox' directory (each program of a sandbox has it): pid -> program."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(entry.name) != os.getpid() and any(str(directory).encode() in argument for argument in arguments[1:]):
            programs = [os.path.basename(argument.decode()) for argument in arguments[:4]]
            found[int(entry.name)] = (
                "server" if "sandbox.server" in programs else programs[-1] if "guardian.py" in programs else programs[0]
            )
    return found


def listeners(pids: dict[int, str]) -> list[tuple[str, str]]:
    """What these processes listen on (TCP) or receive on (UDP), as (program, address in /proc's form)."""
    owners = {}
    for pid, program in pids.items():
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(descriptor)
            except OSError:
                continue
            if target.startswith("socket:["):
                owners[target[8:-1]] = program
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            unconnected = fields[3] == _LISTENING if table.startswith("tcp") else True
            if unconnected and fields[9] in owners:
                found.append((owners[fields[9]], fields[1]))
    return found


def on_loopback(address: str) -> bool:
    """Whether an address of /proc/net is one of 127.0.0.1."""
    return address.partition(":")[0] == _LOOPBACK
