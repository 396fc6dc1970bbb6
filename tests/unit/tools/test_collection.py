# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy in which Ansible's tools run is the project, no more and no less."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import collection


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A small project and the place of its copy."""
    root = tmp_path / "project"
    (root / "plugins/modules").mkdir(parents=True)
    (root / "plugins/modules/a.py").write_text("a = 1\n", encoding="utf-8")
    (root / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (root / ".gitignore").write_text("/.make/\n*.pyc\n/output/\n", encoding="utf-8")
    copy = root / ".make/ansible_collections/kubestrap/aws"
    monkeypatch.setattr(collection, "ROOT", root)
    monkeypatch.setattr(collection, "MAKE", root / ".make")
    monkeypatch.setattr(collection, "COLLECTION", copy)
    collection.arrange()
    return root, copy


def contents(folder: Path) -> set[str]:
    files = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return {str(file) for file in files if file.parts[0] not in (".git", ".make")}


def test_it_is_a_copy_and_a_git_repository(project: tuple[Path, Path]) -> None:
    root, copy = project
    assert contents(copy) == contents(root)
    assert (copy / ".git").is_dir() and not copy.is_symlink()


def test_changes_arrive_and_what_vanished_is_deleted(project: tuple[Path, Path]) -> None:
    root, copy = project
    (copy / "plugins/modules/__pycache__").mkdir()
    (copy / "plugins/modules/__pycache__/a.cpython-311.pyc").touch()
    (root / "plugins/modules/a.py").unlink()
    (root / "run.sh").chmod(0o755)
    (root / "new.py").write_text("new = 1\n", encoding="utf-8")
    (root / "old.pyc").touch()
    collection.arrange()
    assert contents(copy) == {"run.sh", "new.py", ".gitignore"}
    assert (copy / "run.sh").stat().st_mode & 0o111
    assert not (copy / "plugins").exists()


def test_what_tests_wrote_there_stays(project: tuple[Path, Path]) -> None:
    copy = project[1]
    (copy / "output").mkdir()
    (copy / "output/result.xml").touch()
    collection.arrange()
    assert (copy / "output/result.xml").exists()
