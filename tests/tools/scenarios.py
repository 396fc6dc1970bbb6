# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every Molecule scenario must have: Molecule passes over a missing playbook without a failure.

The scenario ``default`` starts and stops the sandbox that the others share. Each of the others runs a playbook, runs
it again, verifies, takes everything away again (side_effect.yml) and verifies that it is gone. What shall be there
before, prepare.yml makes, if there is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DEFAULT_SEQUENCE = ["create", "destroy"]
STEPS = ("converge", "idempotence", "verify", "side_effect", "verify gone.yml")
PLAYBOOKS = ("converge.yml", "verify.yml", "side_effect.yml", "gone.yml")


def scenarios(folder: Path) -> list[str]:
    """Names of the scenarios in extensions/molecule, the shared default one not among them."""
    return sorted(file.parent.name for file in folder.glob("*/molecule.yml") if file.parent.name != "default")


def problems(folder: Path) -> list[str]:
    """One line for each thing that would let a scenario pass without proving anything. Empty: all is well."""
    if not folder.is_dir():
        return [f"there is no folder {folder.parent.name}/{folder.name}"]
    found = shared_problems(folder)
    if not scenarios(folder):
        found.append(f"{folder.name}: there is no scenario but default")
    for name in scenarios(folder):
        found += [f"{name}: {text}" for text in scenario_problems(folder / name)]
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not (entry / "molecule.yml").exists() and (entry / "converge.yml").exists():
            found.append(f"{entry.name}: converge.yml, but no molecule.yml")
    return found


def shared_problems(folder: Path) -> list[str]:
    """What is wrong with config.yml and the default scenario."""
    found = []
    config = load(folder / "config.yml")
    if config.get("prerun") is not False:
        found.append("config.yml: prerun must be false, else Molecule installs a copy into the user's collections")
    if config.get("shared_state") is not True:
        found.append("config.yml: shared_state must be true, else each scenario starts a sandbox of its own")
    if sequence(folder / "default") != DEFAULT_SEQUENCE:
        found.append(f"default: scenario.test_sequence must be {DEFAULT_SEQUENCE}")
    found += [f"default: {name} is missing" for name in missing(folder / "default", ("create.yml", "destroy.yml"))]
    return found


def scenario_problems(folder: Path) -> list[str]:
    """What is wrong with one scenario."""
    found = [f"{name} is missing" for name in missing(folder, PLAYBOOKS)]
    steps = sequence(folder)
    prepared = not missing(folder, ("prepare.yml",))
    if prepared != ("prepare" in steps):
        found.append("prepare.yml and 'prepare' in scenario.test_sequence go together: one of the two is missing")
    elif prepared and "converge" in steps and steps.index("prepare") > steps.index("converge"):
        found.append("'prepare' must come before 'converge' in scenario.test_sequence")
    found += [f"'{step}' is not in scenario.test_sequence" for step in STEPS if step not in steps]
    if sorted(steps.index(step) for step in STEPS if step in steps) != [steps.index(s) for s in STEPS if s in steps]:
        found.append(f"scenario.test_sequence must have these in this order: {', '.join(STEPS)}")
    if "platforms" in load(folder / "molecule.yml"):
        found.append("platforms: with shared state and workers, scenarios would use each other's inventories")
    return found


def missing(folder: Path, names: tuple[str, ...]) -> list[str]:
    """Which of these playbooks do not exist or hold no play?"""
    return [name for name in names if not (folder / name).is_file() or not load(folder / name)]


def sequence(folder: Path) -> list[str]:
    """The test sequence of a scenario; empty when it names none."""
    return list(load(folder / "molecule.yml").get("scenario", {}).get("test_sequence", []))


def load(file: Path) -> Any:
    """A YAML file's content; an empty dictionary when it is missing or empty."""
    return (yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None) or {}
