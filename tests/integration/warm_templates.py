# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates that Ansible has compiled once are not compiled again.

Ansible compiles the text of a variable each time that a task looks at it, which was half of the processor time of a
task without a module. What comes out of it depends on the text and on how it is to be read alone. Values are computed
each time as ever.

Part of ``warm_ansible``, whose processes alone import this.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import yaml
from ansible._internal._templating import _jinja_bits as bits
from jinja2 import nodes
from jinja2.environment import TemplateExpression

# Keywords whose text is an expression without braces.
EXPRESSIONS = ("when", "that", "until", "failed_when", "changed_when")

_real_compile = bits.AnsibleEnvironment.compile
_real_compile_expression = bits.AnsibleEnvironment.compile_expression
_compiled: dict[tuple[Any, ...], CodeType] = {}
# Key of the expression that is being compiled.
_expression: list[tuple[Any, ...]] = []


def remember() -> None:
    """Let all environments of this process and of its forks share what they compile."""
    bits.AnsibleEnvironment.compile = _compile
    bits.AnsibleEnvironment.compile_expression = _compile_expression


def compile_files(*folders: Path) -> None:
    """Compile what stands in the YAML files of these folders."""
    environment = bits.AnsibleEnvironment()
    for folder in folders:
        for path in folder.rglob("*.yml"):
            for text, expression in _texts(yaml.safe_load(path.read_text(encoding="utf-8"))):
                with bits._TemplateCompileContext(escape_backslashes=True):
                    if expression:
                        environment.compile_expression(text, False)
                    elif "{{" in text or "{%" in text:
                        environment.from_string(text)


def _texts(value: Any, expression: bool = False) -> Iterator[tuple[str, bool]]:
    """All strings of a document, and whether each is an expression."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, key in EXPRESSIONS)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, expression)
    elif isinstance(value, str):
        yield value, expression


def _key(environment: Any, kind: str, source: str) -> tuple[Any, ...]:
    context = bits._TemplateCompileContext.current(optional=True)
    settings = tuple(getattr(environment, name) for name in bits._TEMPLATE_OVERRIDE_FIELD_NAMES)
    return kind, str(source), bool(context and context.escape_backslashes), settings


def _compile(environment: Any, source: Any, *args: Any, **options: Any) -> Any:
    if isinstance(source, str) and not args and not options:
        key = _key(environment, "template", source)
    elif isinstance(source, nodes.Template) and _expression:
        key = _expression.pop()
    else:
        return _real_compile(environment, source, *args, **options)
    if key not in _compiled:
        _compiled[key] = _real_compile(environment, source)
    return _compiled[key]


def _compile_expression(environment: Any, source: str, undefined_to_none: bool = True) -> TemplateExpression:
    key = _key(environment, "expression", source)
    if key in _compiled:
        globals_ = environment.make_globals(None)
        template = environment.template_class.from_code(environment, _compiled[key], globals_, None)
        return TemplateExpression(template, undefined_to_none)
    _expression[:] = [key]
    try:
        return _real_compile_expression(environment, source, undefined_to_none)
    finally:
        _expression.clear()
