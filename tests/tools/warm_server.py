# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fork server for Molecule's runs of ansible-playbook: ``python -m tools.warm_server NAME OWNER_PID``.

``tools/warm_playbook.py`` starts it, and asks it for runs by a Unix socket NAME in the working folder. Its environment
says how Ansible is set. It ends, with all of its runs, half a second after the process OWNER_PID.

Request: length of what follows (4 bytes, big endian), then JSON ``{"arguments": [...], "environment": {...}, "folder":
...}``; with it come two descriptors, standard output and standard error. Answer: a line with the run's process, and, at
its end, a line with its exit status.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path

from integration import run_processes
from integration.warm_ansible import be_run, import_everything
from sandbox.processes import is_running, start_time

PATIENCE = 0.5  # seconds between two looks at the owner
HEADER = 4


def serve(name: str, owner: int) -> None:
    """Fork a run for each request, as long as the owner lives."""
    began = start_time(owner)
    import_everything()
    mark = run_processes.new_mark()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"{name}.new")
    listener.listen(64)
    listener.settimeout(PATIENCE)
    os.rename(f"{name}.new", name)  # who sees it can connect
    while is_running(owner, began):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        with contextlib.suppress(TimeoutError):
            connection, _address = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    answer(connection, mark)
    Path(name).unlink(missing_ok=True)
    run_processes.kill(mark)


def answer(connection: socket.socket, mark: str) -> None:
    """In the fork: do what was asked for, and end."""
    code = 1
    try:
        connection.setblocking(True)
        header, descriptors, _flags, _address = socket.recv_fds(connection, HEADER, 2)
        with connection.makefile("rb") as stream:
            request = json.loads(stream.read(int.from_bytes(header, "big")))
        connection.sendall(f"{os.getpid()}\n".encode())
        code = be_run(request["arguments"], request["environment"], mark, request["folder"], *descriptors)
        connection.sendall(f"{code}\n".encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the runs, which end then
    serve(sys.argv[1], int(sys.argv[2]))
