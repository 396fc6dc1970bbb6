# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples in the pages and READMEs are what users copy: they parse, and name only what the collection has."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs/docsite/rst").glob("*.rst"))
READMES = [ROOT / "README.md", *sorted((ROOT / "roles").glob("*/README.md"))]
ROLES = sorted(folder.name for folder in (ROOT / "roles").iterdir())
# Names of roles' facts and of host variables that no option describes: results, and what Ansible itself knows.
_WORD = re.compile(rf"(?<![\w./-])(?:{'|'.join(ROLES)}|kubestrap)_[a-z0-9_]+(?![\w/-]|\.yml)")
_PLUGIN = re.compile(r"kubestrap\.aws\.([a-z_0-9]+)")


def examples(path: Path) -> Iterator[tuple[str, str, str]]:
    """(place, language, text) of each code block of a page (rst) or README (markdown)."""
    lines = path.read_text(encoding="utf-8").splitlines()
    opening = re.compile(r"^(?P<indent> *)(?:```(?P<md>\w+)|\.\. code-block:: (?P<rst>\w+)) *$")
    for number, line in enumerate(lines, start=1):
        found = opening.match(line)
        if not found:
            continue
        body = lines[number:]
        if found["md"]:
            length = [text.strip() for text in body].index("```")
        else:
            inner = len(found["indent"]) + 1
            length = next(
                (index for index, text in enumerate(body) if text.strip() and not text.startswith(" " * inner)),
                len(body),
            )
        yield f"{path.name}:{number}", found["md"] or found["rst"], textwrap.dedent("\n".join(body[:length]))


EXAMPLES = [example for path in [*PAGES, *READMES] for example in examples(path)]


def of(*languages: str) -> list[Any]:
    """The examples in these languages, as parameters of a test."""
    return [pytest.param(text, id=place) for place, language, text in EXAMPLES if language in languages]


class Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, as ansible-lint does."""


def mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """A mapping, of which no key is lost in silence."""
    keys = [loader.construct_object(key) for key, _value in node.value]
    assert len(keys) == len(set(keys)), f"a key is there twice: {keys}"
    return loader.construct_mapping(node, deep=True)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)


def numbers(node: Any) -> Iterator[int]:
    """All whole numbers in a document."""
    if isinstance(node, dict):
        node = [*node.keys(), *node.values()]
    if isinstance(node, list):
        for entry in node:
            yield from numbers(entry)
    elif isinstance(node, int):
        yield node


@pytest.mark.parametrize("text", of("yaml"))
def test_yaml_parses(text: str) -> None:
    documents = list(yaml.load_all(text, Loader=Loader))
    assert all(document is not None for document in documents)
    assert not [n for document in documents for n in numbers(document) if n >= 10**9], "an account id wants quotes"


def test_json_parses() -> None:
    for place, language, text in EXAMPLES:
        if language == "json":
            assert json.loads(text) is not None, place


def test_there_are_examples() -> None:
    """A parser that finds none would be content with everything."""
    assert len(of("yaml")) > 8
    assert len({place.partition(":")[0] for place, _language, _text in EXAMPLES}) > 4
    assert {language for _place, language, _text in EXAMPLES} <= {"yaml", "json", "shell", "text", "ini"}


def known_variables() -> set[str]:
    """Options of all roles, results of roles, and the variables that hold for a whole inventory.

    The latter have no default in a role: roles and playbooks use them.
    """
    known = {f"{role}_result" for role in ROLES} | {f"{role}_preflight_result" for role in ROLES}
    for role in ROLES:
        specs = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
        known |= {option for entry in specs["argument_specs"].values() for option in entry.get("options", {})}
    used = [*(ROOT / "roles").rglob("*.yml"), *(ROOT / "playbooks").rglob("*.yml")]
    return known | {word for path in used for word in re.findall(r"kubestrap_[a-z0-9_]+", path.read_text("utf-8"))}


def known_names() -> set[str]:
    """Plugins, roles, playbooks (kubestrap.aws.NAME), and the documents of the lookup iam_document."""
    plugins = [path for path in (ROOT / "plugins").rglob("*") if path.suffix in (".py", ".yml")]
    documents = re.findall(r"[a-z_]+", (ROOT / "plugins/lookup/iam_document.py").read_text(encoding="utf-8"))
    named = {path.stem for path in (*plugins, *(ROOT / "playbooks").glob("*.yml"))}
    return {*named, *documents, *ROLES, "aws", "docsite"}


@pytest.mark.parametrize("path", [*PAGES, *READMES], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    unknown = set(_WORD.findall(text)) - known_variables() - known_names()
    assert not unknown, f"no role knows {', '.join(sorted(unknown))}"
    unknown = set(_PLUGIN.findall(text)) - known_names()
    assert not unknown, f"there is no kubestrap.aws.{', '.join(sorted(unknown))}"
    files = set(re.findall(r"``(tests/[\w./-]+)``", text))
    missing = {name for name in files if not (ROOT / name).exists()}
    assert not missing, f"there is no {', '.join(sorted(missing))}"


def test_messages_of_ours_are_those_that_we_print() -> None:
    """The page of error texts is searched for them."""
    page = (ROOT / "docs/docsite/rst/troubleshooting.rst").read_text(encoding="utf-8")
    section = page.partition("What this collection says\n")[2].partition("\nHelm and Kubernetes\n")[0]
    terms = [line for line in section.splitlines() if line.startswith("``")]
    parts = [part.strip() for term in terms for text in re.findall("``(.+?)``", term) for part in text.split("...")]
    sources = [path for folder in ("plugins", "roles", "playbooks") for path in (ROOT / folder).rglob("*.*")]
    said = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.suffix in (".py", ".yml"))
    said = re.sub(r'"\s*\n\s*f?"', "", said)  # Python puts texts together
    said = re.sub(r"\s+", " ", said)
    assert len(terms) > 10
    unknown = [part for part in parts if not part.startswith("'") and part not in said]
    assert not unknown, f"no message has the words {unknown}"


def test_every_page_is_in_the_contents() -> None:
    contents = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text(encoding="utf-8"))
    listed = [name for section in contents["sections"] for name in section["toctree"]]
    assert sorted(listed) == [path.stem for path in PAGES]
