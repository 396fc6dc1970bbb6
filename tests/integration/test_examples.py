# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EXAMPLES of every plugin run as they are written, so that no user copies one that does not work.

examples/<plugin>.yml holds tasks that make what the examples refer to, where that is needed.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.files import ACCOUNTS, COLLECTION, Head, plugins
from integration.playbook import run_playbook

PREPARATIONS = Path(__file__).parent / "examples"
KINDS = ("modules", "lookup", "filter", "inventory")
PLUGINS = [(kind, name) for kind in KINDS for name in plugins(kind)]


@pytest.mark.parametrize(("kind", "name"), PLUGINS, ids=[name for _kind, name in PLUGINS])
def test_examples(kind: str, name: str, request: pytest.FixtureRequest) -> None:
    examples = yaml.safe_load(examples_of(kind, name))
    assert isinstance(examples, list) and examples, f"the EXAMPLES of {name} are no list of tasks or plays"
    preparation = PREPARATIONS / f"{name}.yml"
    head = Head.of(preparation)

    result = run_playbook(plays(examples, preparation), head.choose(request), head.profile, extra_vars=ACCOUNTS)

    assert result.ok, result.report
    ran = {task.name for task in result.tasks if not task.skipped}
    for example in examples:
        assert "hosts" in example or example["name"] in ran, f"'{example['name']}' was not run"


def test_no_preparation_is_left_over() -> None:
    """A preparation whose plugin was renamed would never run again."""
    assert {path.stem for path in PREPARATIONS.glob("*.yml")} <= {name for _kind, name in PLUGINS}


def examples_of(kind: str, name: str) -> str:
    """The text of EXAMPLES, in the plugin itself or in the YAML file beside it."""
    folder = COLLECTION / "plugins" / kind
    beside = folder / f"{name}.yml"
    if beside.exists():
        examples = yaml.safe_load(beside.read_text(encoding="utf-8")).get("EXAMPLES")
        assert examples, f"{beside.relative_to(COLLECTION)} has no EXAMPLES"
        return examples
    for statement in ast.parse((folder / f"{name}.py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "EXAMPLES":
            return ast.literal_eval(statement.value)
    pytest.fail(f"the {kind} plugin {name} has no EXAMPLES")


def plays(examples: list[dict[str, Any]], preparation: Path) -> list[dict[str, Any]]:
    """The preparation and the examples as plays; examples that are tasks share one play with the preparation."""
    prepared = []
    if preparation.exists():
        prepared = [{"name": "Prepare", "ansible.builtin.import_tasks": str(preparation)}]
    play = {"name": "Examples", "hosts": "localhost", "gather_facts": False}
    if "hosts" in examples[0]:
        return [{**play, "tasks": prepared}, *examples]
    return [{**play, "tasks": [*prepared, *examples]}]
