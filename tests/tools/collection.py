# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lays the project out as Ansible's tools want it: ``python -m tools.collection``.

ansible-test, ansible-lint and Ansible itself want a collection below ansible_collections/<namespace>/<name>, and
ansible-test refuses symbolic links and folders that are no git repository. So the files are copied to
.make/ansible_collections/kubestrap/aws; only what changed is written, what vanished is deleted.
"""

from __future__ import annotations

import fcntl
import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.environment import site_packages
from tools.paths import COLLECTION, MAKE, ROOT
from tools.setup import point


def project_files(work_tree: Path) -> set[str]:
    """Relative paths of all files in work_tree that .gitignore does not exclude, committed or not.

    It is asked of the copy's own, empty repository: so it works in a checkout, a worktree and an unpacked archive, and
    a file that was deleted but not yet committed is not listed.
    """
    command = ["git", f"--git-dir={COLLECTION / '.git'}", f"--work-tree={work_tree}"]
    command += ["ls-files", "--others", "--exclude-standard", "-z"]
    output = subprocess.run(command, cwd=work_tree, check=True, stdout=subprocess.PIPE).stdout
    return {os.fsdecode(name) for name in output.split(b"\0") if name}


def copy_changed(names: set[str]) -> int:
    """Copies the files whose content or mode differs; the number of files written."""
    written = 0
    for name in sorted(names):
        source, target = ROOT / name, COLLECTION / name
        if same(source, target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f".{target.name}.new")
        shutil.copy2(source, new, follow_symlinks=False)
        new.replace(target)
        written += 1
    return written


def same(source: Path, target: Path) -> bool:
    """Are these the same file: kind, mode, content?"""
    if source.is_symlink() or target.is_symlink():
        return source.is_symlink() and target.is_symlink() and os.readlink(source) == os.readlink(target)
    if not target.exists() or source.stat().st_mode != target.stat().st_mode:
        return False
    return filecmp.cmp(source, target)


def delete_vanished(names: set[str]) -> int:
    """Deletes from the copy what the project no longer has; the number of files deleted."""
    vanished = project_files(COLLECTION) - names
    for name in vanished:
        (COLLECTION / name).unlink()
    for folder in {parent for name in vanished for parent in (COLLECTION / name).parents}:
        if folder.is_relative_to(COLLECTION) and folder != COLLECTION:
            drop_if_empty(folder)
    return len(vanished)


def drop_if_empty(folder: Path) -> None:
    """Removes a folder that holds nothing but compiled Python, and those above it that become empty by that."""
    while folder != COLLECTION and folder.is_dir() and all(entry.name == "__pycache__" for entry in folder.iterdir()):
        shutil.rmtree(folder)
        folder = folder.parent


def link_dependencies() -> None:
    """ansible-test finds other collections only in the same tree as the tested one."""
    for namespace in ("amazon", "kubernetes"):
        point(COLLECTION.parents[1] / namespace, site_packages() / "ansible_collections" / namespace)


def arrange() -> Path:
    """Brings the copy up to date and returns its path."""
    COLLECTION.mkdir(parents=True, exist_ok=True)
    with open(MAKE / "collection.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (COLLECTION / ".git").exists():
            command = ["git", "-c", "init.defaultBranch=main", "init", "--quiet", "--template=", str(COLLECTION)]
            subprocess.run(command, check=True)
        names = project_files(ROOT)
        copy_changed(names)
        delete_vanished(names)
        link_dependencies()
    return COLLECTION


if __name__ == "__main__":
    print(arrange())
    sys.exit(0)
