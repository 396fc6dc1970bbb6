# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Molecule runs as ansible-playbook: it has a fork server do the run (``tools.warm_server``).

A program of its own, which imports nothing of the project: ``python -IS warm_playbook.py FOLDER OWNER_PID ARGUMENT
...``. FOLDER has the sockets of the servers, one for each way in which Ansible is set (its ANSIBLE_ variables, the text
of its configuration file); the first run that needs a server starts it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

SECONDS = 60  # within which a server must be there; it takes five


def main(folder: str, owner: str, arguments: list[str]) -> int:
    """The exit status of the run."""
    request = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}
    os.chdir(folder)  # a socket's path may have 108 characters
    name = settings(request["environment"])
    with open(f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(name):
            start_server(name, owner)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(name)
        message = json.dumps(request).encode()
        socket.send_fds(connection, [len(message).to_bytes(4, "big")], [1, 2])
        connection.sendall(message)
        with connection.makefile("r") as answers:
            run = int(answers.readline())
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: end(run))
            return int(answers.readline() or 1)


def settings(environment: dict[str, str]) -> str:
    """A name for how Ansible is set: equal when all that it reads at its start is."""
    digest = hashlib.sha256()
    for name in sorted(name for name in environment if name.startswith("ANSIBLE_")):
        value = environment[name]
        if name == "ANSIBLE_CONFIG" and os.path.isfile(value):
            with open(value) as file:
                value = file.read()
        digest.update(f"{name}={value}\0".encode())
    return digest.hexdigest()[:16]


def start_server(name: str, owner: str) -> None:
    """Start the server of this name; it is ready when its socket is there."""
    with open(f"{name}.log", "wb") as log:
        command = [sys.executable, "-m", "tools.warm_server", name, owner]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + SECONDS
    while not os.path.exists(name):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            with open(f"{name}.log") as log:
                sys.exit(f"ansible-playbook: the fork server did not start\n{log.read()}")
        time.sleep(0.02)


def end(run: int) -> None:
    """Ctrl-C for the run: Ansible ends its workers then."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(run, signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
