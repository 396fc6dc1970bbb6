# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the tarball and imports it as Galaxy does: ``python -m tools.importer``.

galaxy-importer goes on after warnings (documentation that is missing, for example); here they are failures. Its run of
ansible-lint is left out: the stage of that name looks at the same files, with a stricter profile. The tarball's
top-level names are compared with a list, because ansible-galaxy ships whatever build_ignore forgets.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tools.environment import environment
from tools.paths import COLLECTION, MAKE

SHIPPED = {
    "CHANGELOG.rst", "CONTRIBUTING.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "bindep.txt",
    "changelogs", "docs", "meta", "playbooks", "plugins", "requirements.txt", "roles",
}  # fmt: skip
FINDING = re.compile(r"^(WARNING|ERROR|CRITICAL)\b")


def build() -> Path:
    """The tarball's path, below .make/dist."""
    folder = MAKE / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = ["ansible-galaxy", "collection", "build", "--output-path", str(folder), str(COLLECTION)]
    subprocess.run(command, env=environment(), check=True)
    return next(folder.glob("*.tar.gz"))


def not_to_ship(tarball: Path) -> list[str]:
    """Top-level names in the tarball that are not meant to be shipped, and compiled Python anywhere."""
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    strangers = {name.split("/")[0] for name in names} - SHIPPED
    return sorted(strangers | {name for name in names if "__pycache__" in name or name.endswith(".pyc")})


def findings(tarball: Path) -> list[str]:
    """What galaxy-importer complains of; its whole output goes to standard output."""
    command = [sys.executable, "-m", "galaxy_importer.main", tarball.name]
    done = subprocess.run(
        command, cwd=tarball.parent, env=environment() | {"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false"},
        check=False, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    print(done.stdout)
    found = [line for line in done.stdout.splitlines() if FINDING.match(line)]
    return found or ([f"exit status {done.returncode}"] if done.returncode else [])


def main() -> int:
    """Exit status 0 when the tarball holds what it should and is imported without a word of complaint."""
    tarball = build()
    problems = [f"{name} is in the tarball: add it to build_ignore in galaxy.yml" for name in not_to_ship(tarball)]
    problems += findings(tarball)
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
