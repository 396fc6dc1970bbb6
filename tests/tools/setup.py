# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the virtualenv of the Makefile, or finds it: ``python -m tools.setup``.

Run by the user's own Python, so it imports the standard library only. The virtualenv lies in the cache under a key of
the requirement files, the Python version and the platform; a fresh clone finds it there. .make/venv points to it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.paths import MAKE, ROOT, VENV, cache

REQUIREMENTS = ("requirements.txt", "tests/requirements.txt", "tests/constraints.txt")
OLDEST = (3, 11)
NEWEST = (3, 13)


class SetupError(Exception):
    """What is missing on this machine, and what to do about it."""


def key() -> str:
    """Name of the virtualenv in the cache: changes with all that its contents depend on."""
    digest = hashlib.sha256()
    for name in REQUIREMENTS:
        digest.update((ROOT / name).read_bytes())
    digest.update(f"{sys.implementation.cache_tag} {platform.system()} {platform.machine()}".encode())
    return f"main-{sys.version_info[0]}.{sys.version_info[1]}-{digest.hexdigest()[:12]}"


def works(python: Path) -> bool:
    """Does the virtualenv's Python start? (Not when the Python it was made with has been removed.)"""
    try:
        return subprocess.run([python, "-c", "import ansible"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def ensure_virtualenv() -> Path:
    """The folder of the finished virtualenv; made now when it is not there. Raises SetupError."""
    target = cache() / "venv" / key()
    done = target / "complete"
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f"{target.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (done.exists() and works(target / "bin" / "python")):
            shutil.rmtree(target, ignore_errors=True)
            make_virtualenv(target)
            done.touch()
    return target


def make_virtualenv(target: Path) -> None:
    """Creates the virtualenv and installs the requirements with pip and its own configuration."""
    say(f"Ansible and the test tools are installed into {target}. Once, about 2 minutes.")
    started = time.monotonic()
    try:
        import venv  # Debian's python3-minimal has none

        venv.create(target, with_pip=True, symlinks=True)
    except (subprocess.CalledProcessError, ImportError) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise SetupError(
            f"{sys.executable} cannot make a virtualenv with pip ({error}).\n"
            "Its modules venv and ensurepip are needed. On Debian and Ubuntu: apt-get install python3-venv. "
            "Or name another Python: make PYTHON=/path/to/python3 ..."
        ) from error
    command = [target / "bin" / "python", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--quiet", "--requirement", ROOT / "tests" / "requirements.txt"]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        shutil.rmtree(target, ignore_errors=True)
        raise SetupError("pip could not install the requirements (its messages are above); pip's own settings apply.")
    say(f"Done after {time.monotonic() - started:.0f} s.")


def check_machine() -> None:
    """Raises SetupError when the Python is too old or a program is missing that nothing here brings along."""
    if sys.version_info[:2] < OLDEST:
        raise SetupError(f"Python {sys.version.split()[0]} is too old: 3.11 or later is needed (make PYTHON=...).")
    if sys.version_info[:2] > NEWEST:
        say(f"Note: ansible-core 2.19 is made for Python 3.11 to 3.13; this is {sys.version.split()[0]}.")
    if not shutil.which("git"):
        raise SetupError("git is not on the PATH. It is needed to list the project's files, and by ansible-test.")


def point(link: Path, target: Path) -> None:
    """Makes the symbolic link, or turns it, in one step (other commands may be using it)."""
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and os.readlink(link) == str(target):
        return
    new = link.with_name(f"{link.name}.{os.getpid()}")
    new.symlink_to(target)
    new.replace(link)


def say(text: str) -> None:
    """A line of progress."""
    print(f"set-up: {text}", flush=True)


def main() -> int:
    """Exit status 0 when .make/venv is ready."""
    try:
        check_machine()
        MAKE.mkdir(exist_ok=True)
        point(VENV, ensure_virtualenv())
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
