# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where rules announce themselves.

A rule is a function of a module in this package, marked with the service and the operations it belongs to::

    @before("cur", "PutReportDefinition")
    async def refuse_bad_reports(call, gateway):        # -> Response | None
        ...

    @after("eks", "DescribeCluster", "CreateCluster")
    def real_endpoint(call, response, gateway):         # -> Response | None
        ...

A `before` rule runs once the caller is known to be authenticated and (all services but S3, which MiniStack checks
itself) allowed; a Response it returns ends the call, None lets it go on. An `after` rule runs on the answer, errors
included, and may return another. Rules may be plain or async functions; while they run, MiniStack's request scope
(account, region, caller) is that of the call, so its stores answer for the caller's account. `"*"` as operation is
any operation. Rules of one call run by `order` (low first), then as registered. The first `before` that answers ends
the chain.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ANY = "*"


@dataclass(frozen=True)
class Rule:
    """One registered rule: `phase` is before or after, `service` a botocore service name, `operations` API
    operations."""

    phase: str
    service: str
    operations: frozenset[str]
    function: Callable[..., Any]
    order: int = 50

    def matches(self, service: str, operation: str) -> bool:
        """Whether the rule belongs to this operation."""
        return self.service in (service, ANY) and (operation in self.operations or ANY in self.operations)


_rules: list[Rule] = []


def before(service: str, *operations: str, order: int = 50) -> Callable[[Callable], Callable]:
    """Mark `function(call, gateway) -> Response | None` as a rule in front of MiniStack."""
    return _register("before", service, operations, order)


def after(service: str, *operations: str, order: int = 50) -> Callable[[Callable], Callable]:
    """Mark `function(call, response, gateway) -> Response | None` as a rule behind MiniStack."""
    return _register("after", service, operations, order)


def _register(phase: str, service: str, operations: tuple[str, ...], order: int) -> Callable[[Callable], Callable]:
    if not operations:
        raise ValueError("A rule names its operations, or '*'.")

    def mark(function: Callable) -> Callable:
        _rules.append(Rule(phase, service, frozenset(operations), function, order))
        return function

    return mark


def rules_for(phase: str, service: str, operation: str) -> list[Rule]:
    """The rules of this phase for one operation, in the order they run."""
    found = [rule for rule in _rules if rule.phase == phase and rule.matches(service, operation)]
    return sorted(found, key=lambda rule: rule.order)


async def run(rule: Rule, *arguments: Any) -> Any:
    """Call a rule, be it plain or async."""
    result = rule.function(*arguments)
    return await result if inspect.isawaitable(result) else result


def load(gateway: Any) -> None:
    """Import every rule module of this package; one with a function `setup(gateway)` gets the gateway once."""
    package = importlib.import_module(__package__)
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{__package__}.{found.name}")
        setup = getattr(module, "setup", None)
        if setup is not None and not module.__name__.endswith(".registry"):
            setup(gateway)
