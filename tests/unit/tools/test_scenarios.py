# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Molecule scenario that would pass without proving anything is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.molecule import outcomes
from tools.scenarios import problems

SEQUENCE = "[create, converge, idempotence, verify, side_effect, verify gone.yml, destroy]"
PREPARED = SEQUENCE.replace("converge", "prepare, converge")
PLAY = "- hosts: all\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A complete extensions/molecule with one scenario."""
    files = {
        "config.yml": "{prerun: false, shared_state: true}",
        "default/molecule.yml": "scenario: {test_sequence: [create, destroy]}",
        "default/create.yml": PLAY,
        "default/destroy.yml": PLAY,
        "one/molecule.yml": f"scenario: {{test_sequence: {SEQUENCE}}}",
        "one/converge.yml": PLAY,
        "one/verify.yml": PLAY,
        "one/side_effect.yml": PLAY,
        "one/gone.yml": PLAY,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_complete_one_passes(folder: Path) -> None:
    assert problems(folder) == []


def test_one_with_something_to_prepare_passes(folder: Path) -> None:
    (folder / "one/molecule.yml").write_text(f"scenario: {{test_sequence: {PREPARED}}}", encoding="utf-8")
    (folder / "one/prepare.yml").write_text(PLAY, encoding="utf-8")
    assert problems(folder) == []


def test_what_is_prepared_too_late_is_named(folder: Path) -> None:
    late = "[create, converge, prepare, idempotence, verify, side_effect, verify gone.yml, destroy]"
    (folder / "one/molecule.yml").write_text(f"scenario: {{test_sequence: {late}}}", encoding="utf-8")
    (folder / "one/prepare.yml").write_text(PLAY, encoding="utf-8")
    assert problems(folder) == ["one: 'prepare' must come before 'converge' in scenario.test_sequence"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("one/side_effect.yml", None, "one: side_effect.yml is missing"),
        ("one/gone.yml", "", "one: gone.yml is missing"),
        ("one/molecule.yml", "scenario: {test_sequence: [converge, verify]}", "one: 'side_effect' is not in"),
        ("one/prepare.yml", PLAY, "one: prepare.yml and 'prepare' in scenario.test_sequence go together"),
        ("one/molecule.yml", f"scenario: {{test_sequence: {PREPARED}}}", "one: prepare.yml and 'prepare' in"),
        ("one/molecule.yml", None, "one: converge.yml, but no molecule.yml"),
        ("one/molecule.yml", f"{{platforms: [], scenario: {{test_sequence: {SEQUENCE}}}}}", "one: platforms"),
        (
            "one/molecule.yml",
            "scenario: {test_sequence: [converge, verify, idempotence, side_effect, verify gone.yml]}",
            "one: scenario.test_sequence must have these in this order",
        ),
        ("config.yml", "{prerun: true, shared_state: true}", "config.yml: prerun"),
        ("config.yml", "{prerun: false}", "config.yml: shared_state"),
        ("default/create.yml", None, "default: create.yml is missing"),
        ("default/molecule.yml", "scenario: {test_sequence: [create, converge, destroy]}", "default: scenario.test_"),
    ],
)
def test_what_is_missing_is_named(folder: Path, name: str, text: str | None, expected: str) -> None:
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text, encoding="utf-8")
    assert any(problem.startswith(expected) for problem in problems(folder))


def test_molecules_recap_is_read_strictly() -> None:
    recap = """SCENARIO RECAP
default                   : actions=1  successful=1  disabled=0  skipped=0  missing=0  failed=0
good                      : actions=5  successful=5  disabled=0  skipped=0  missing=0  failed=0
quiet                     : actions=5  successful=4  disabled=0  skipped=0  missing=1  failed=0
empty                     : actions=0  successful=0  disabled=0  skipped=0  missing=0  failed=0
default                   : actions=1  successful=0  disabled=0  skipped=0  missing=0  failed=1
"""
    found = outcomes(recap, ["default", "good", "quiet", "never"])
    assert {name for name, problem in found.items() if not problem} == {"good"}
    assert found["never"].startswith("is not in Molecule's recap")
    assert "failed=1" in found["default"]
