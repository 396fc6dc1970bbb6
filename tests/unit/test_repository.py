# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that the repository keeps about itself: nothing is added without its tests, its documentation, its entry."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import scenarios

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
# Plugin kinds that Ansible shows to users, with their folder.
PUBLIC = ("modules", "action", "lookup", "filter", "inventory", "test", "callback")


def names(folder: str) -> list[str]:
    """Plugins in plugins/<folder>, without .py; private ones (with a leading underscore) are not among them."""
    return sorted(file.stem for file in (PLUGINS / folder).glob("*.py") if not file.stem.startswith("_"))


MODULES = names("modules")
ROLES = sorted(folder.name for folder in (ROOT / "roles").glob("*") if folder.is_dir())
TESTED = sorted(
    str(file.relative_to(PLUGINS))
    for kind in ("action", "filter", "inventory", "lookup", "module_utils", "modules", "plugin_utils")
    for file in (PLUGINS / kind).rglob("*.py")
    if file.name != "__init__.py"
)


def load(name: str) -> Any:
    """Content of a YAML file of the repository."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def tracked_files() -> list[Path]:
    """All files of the repository that .gitignore does not exclude."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [ROOT / name for name in output.split("\0") if name and (ROOT / name).is_file()]


def documentation(kind: str, name: str) -> dict[str, Any]:
    """DOCUMENTATION of a plugin: from its own Python file, or from the .yml file next to it."""
    sidecar = PLUGINS / kind / f"{name}.yml"
    if sidecar.exists():
        return yaml.safe_load(sidecar.read_text(encoding="utf-8"))["DOCUMENTATION"]
    source = (PLUGINS / kind / f"{name}.py").read_text(encoding="utf-8")
    match = re.search(r'^DOCUMENTATION = r?"""(.*?)^"""|^DOCUMENTATION = r?\'\'\'(.*?)^\'\'\'', source, re.M | re.S)
    assert match, f"plugins/{kind}/{name}.py has no DOCUMENTATION block"
    return yaml.safe_load(match[1] or match[2])


def documented() -> list[tuple[str, str]]:
    """(kind, name) of each plugin that users see. An action plugin is documented by its module; filters one by one."""
    found = [(kind, name) for kind in PUBLIC if kind not in ("action", "filter", "test") for name in names(kind)]
    found += [(kind, file.stem) for kind in ("filter", "test") for file in sorted((PLUGINS / kind).glob("*.yml"))]
    return found


@pytest.mark.parametrize("plugin", TESTED)
def test_every_python_file_of_the_collection_has_its_unit_test(plugin: str) -> None:
    path = Path(plugin)
    expected = ROOT / "tests/unit/plugins" / path.parent / f"test_{path.stem.lstrip('_')}.py"
    assert expected.exists(), f"add {expected.relative_to(ROOT)}"


def test_the_unit_tests_mirror_the_plugins() -> None:
    known = {Path(plugin).with_suffix("") for plugin in TESTED}
    known = {path.with_name(path.name.lstrip("_")) for path in known}
    folder = ROOT / "tests/unit/plugins"
    strays = [
        str(test.relative_to(ROOT))
        for test in folder.rglob("test_*.py")
        if not any(is_test_of(test.relative_to(folder), plugin) for plugin in known)
    ]
    assert not strays, "these tests belong to no file below plugins/"


def is_test_of(test: Path, plugin: Path) -> bool:
    """Is it test_<plugin>.py or test_<plugin>_<topic>.py in the folder of the same name?"""
    return test.parent == plugin.parent and f"{test.stem}_".startswith(f"test_{plugin.name}_")


def test_the_action_group_lists_exactly_the_modules_that_call_aws() -> None:
    group = load("meta/runtime.yml")["action_groups"]["aws"]
    assert {"metadata": {"extend_group": ["amazon.aws.aws"]}} in group
    # Defaults of the group such as profile would be unknown options elsewhere.
    aws = "amazon.aws.common.modules"
    calling = [
        name for name in MODULES if aws in documentation("modules", name).get("extends_documentation_fragment", [])
    ]
    assert [entry for entry in group if isinstance(entry, str)] == calling, "meta/runtime.yml: list them sorted"


@pytest.mark.parametrize(("kind", "name"), documented())
def test_every_plugin_says_since_when_it_exists(kind: str, name: str) -> None:
    text = documentation(kind, name)
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(text.get("version_added"))), "version_added is the collection's version"
    assert text.get("short_description")


def test_every_filter_is_documented() -> None:
    offered: set[str] = set()
    for name in names("filter"):
        plugin = importlib.import_module(f"ansible_collections.kubestrap.aws.plugins.filter.{name}")
        offered |= set(plugin.FilterModule().filters())
    described = {file.stem for file in (PLUGINS / "filter").glob("*.yml")}
    assert offered == described, "each filter has its plugins/filter/<name>.yml"


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_complete(role: str) -> None:
    folder = ROOT / "roles" / role
    wanted = ("README.md", "meta/argument_specs.yml", "meta/main.yml", "defaults/main.yml", "tasks/main.yml")
    assert [name for name in wanted if not (folder / name).is_file()] == []
    about = load(f"roles/{role}/meta/main.yml")
    assert not about.get("dependencies")
    specs = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    assert about["galaxy_info"]["description"] == specs["main"]["short_description"]


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_defaults_are_its_argument_specs(role: str) -> None:
    defaults = load(f"roles/{role}/defaults/main.yml") or {}
    specs = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    assert set(defaults) <= set(specs["main"].get("options") or {}), "defaults without an entry in argument_specs.yml"
    for name, option in [item for entry in specs.values() for item in (entry.get("options") or {}).items()]:
        assert not (option.get("required") and name in defaults), f"{name} has a default, so `required` never fails"
        if is_computed(defaults.get(name)):
            assert "default" not in option, f"{name} is computed: describe its default in the text"
        else:
            assert option.get("default") == defaults.get(name), f"{name}: defaults/main.yml and the spec differ"
    foreign = [name for name in defaults if not name.startswith((f"{role}_", "kubestrap_"))]
    assert not foreign, "a role's variables begin with its name"


def is_computed(value: Any) -> bool:
    """Is this default a template?"""
    return isinstance(value, str) and "{{" in value


def test_the_execution_environment_installs_what_the_collection_needs() -> None:
    dependencies = load("meta/execution-environment.yml")["dependencies"]
    assert dependencies == {"python": "requirements.txt", "system": "bindep.txt"}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    needed = [line for line in lines if line and not line.startswith("#")]
    assert needed == ["boto3>=1.40", "kubernetes>=31,<37"]


def test_every_molecule_scenario_proves_something() -> None:
    assert scenarios.problems(ROOT / "extensions/molecule") == []


FORBIDDEN = {
    "a folder of one machine": r"/(?:home/(?!runner\b)[a-z]\w*|root|work|Users/\w+|tmp/dev)/",
    "a live-looking access key": r"\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[A-Z2-7]{16}\b",
    "a private key": r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----\n[A-Za-z0-9+/]{40}",
    "a package host": r"https?://[\w.-]*(?:pypi|proxy\.golang|pythonhosted|goproxy)[\w.-]*",
    "a page that is not in this repository": r"\b(?:shared|facts)/[\w./-]+\.md",
    "a note to oneself": r"\b(?:TODO|FIXME|XXX)\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_contains(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for file in tracked_files():
        if file.suffix in {".sum", ".parquet", ".png"} or file == Path(__file__).resolve() or file.name == "LICENSE":
            continue
        text = file.read_text(encoding="utf-8")
        found += [f"{file.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


@pytest.mark.parametrize("file", [str(f.relative_to(ROOT)) for f in tracked_files() if f.suffix == ".py"])
def test_every_python_file_names_its_licence(file: str) -> None:
    head = (ROOT / file).read_text(encoding="utf-8")[:600]
    assert "SPDX-License-Identifier: GPL-3.0-or-later" in head
    assert "GNU General Public License v3.0+" in head
