# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that removes a sandbox' directory when its server has ended, however it ended (a kill -9 too).

python guardian.py DIRECTORY        standard input: a pipe whose other end only the server holds
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path


def start(directory: Path) -> int:
    """Start the guardian of a directory; it acts when this process ends. Returns the pipe's end to hold on to."""
    reading, writing = os.pipe()  # not inheritable: no other child of the server keeps it open
    subprocess.Popen(
        [sys.executable, "-S", "-E", os.path.abspath(__file__), str(directory)],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    os.close(reading)
    return writing


def main() -> None:
    """Wait for the end of standard input, then remove the directory."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    for _attempt in range(100):  # the server's children die at the same moment and may still be writing
        shutil.rmtree(sys.argv[1], ignore_errors=True)
        if not os.path.exists(sys.argv[1]):
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main()
