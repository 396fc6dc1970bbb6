# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one command in the collection's copy and its environment: ``python -m tools.run COMMAND ...``."""

from __future__ import annotations

import os
import sys

from tools.collection import arrange
from tools.environment import environment


def main(command: list[str]) -> int:
    """Replaces this process by the command; returns only on a wrong call."""
    if not command:
        print("usage: python -m tools.run COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 2
    os.chdir(arrange())
    env = environment()
    try:
        os.execvpe(command[0], command, env)
    except FileNotFoundError:
        print(f"{command[0]} was not found on the PATH of the virtualenv.", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
