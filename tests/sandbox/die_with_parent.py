# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Become a program that is killed when its parent ends.

    python die_with_parent.py PARENT-PID PROGRAM [ARGUMENT ...]

A process of its own, and not code between fork and exec, because the parent has threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):  # it ended before it could be asked for
        sys.exit(1)
    os.execv(sys.argv[2], sys.argv[2:])
