# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on request: latency, throttling, server errors, cut connections."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, fields
from typing import Any

from .aws_errors import throttled, unavailable
from .call import Call, Response
from .record import kind_of


class CutConnection(Exception):
    """Close the client's connection without an answer."""


@dataclass
class Fault:
    """One rule. Matchers: service, operation, account_id, kind as in the record ("" = any; kind "write" lets a test
    cut a run at its n-th change without knowing which call that is). `after` matching calls pass first; then the next
    `times` (0 = all) meet the fault: `latency_ms` (alone or with another), `throttle`, `status` (5xx), or `cut`: true
    closes the connection before the call is served, "after" once it was served (the work is done, the answer lost).
    """

    service: str = ""
    operation: str = ""
    account_id: str = ""
    kind: str = ""
    after: int = 0
    times: int = 0
    latency_ms: int = 0
    throttle: bool = False
    status: int = 0
    cut: bool | str = False
    seen: int = 0
    hit: int = 0

    def matches(self, call: Call) -> bool:
        """Whether this rule is about this call."""
        return all(
            wanted in ("", "*", actual)
            for wanted, actual in (
                (self.service, call.service),
                (self.operation, call.operation),
                (self.account_id, call.account_id),
                (self.kind, kind_of(call.service, call.operation)),
            )
        )


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []

    def replace(self, rules: list[dict[str, Any]]) -> None:
        """Take these rules instead of the present ones. ValueError names what a rule must not have."""
        known = {field.name for field in fields(Fault)} - {"seen", "hit"}
        parsed = []
        for rule in rules:
            unknown = sorted(set(rule) - known)
            if unknown:
                raise ValueError(
                    f"unknown field {', '.join(unknown)} in a fault rule; there are {', '.join(sorted(known))}"
                )
            fault = Fault(**rule)
            if not (fault.latency_ms or fault.throttle or fault.status or fault.cut):
                raise ValueError("a fault rule needs one of latency_ms, throttle, status, cut")
            if fault.status and not 500 <= fault.status <= 599:
                raise ValueError(f"status is a 5xx code, not {fault.status}")
            if fault.cut not in (False, True, "after"):
                raise ValueError(f"cut is true or 'after', not {fault.cut!r}")
            parsed.append(fault)
        self._rules = parsed

    def show(self) -> dict[str, Any]:
        """The rules with `seen` (matching calls) and `hit` (calls that met the fault)."""
        return {"rules": [asdict(rule) for rule in self._rules]}

    def pick(self, call: Call) -> Fault | None:
        """Count the call against every matching rule; the first that is due now, if any."""
        due = None
        for rule in self._rules:
            if not rule.matches(call):
                continue
            rule.seen += 1
            if due is None and rule.seen > rule.after and (not rule.times or rule.hit < rule.times):
                rule.hit += 1
                due = rule
        return due

    async def apply(self, fault: Fault, call: Call) -> Response | None:
        """Wait, then answer with the fault; None lets the call go on."""
        if fault.latency_ms:
            await asyncio.sleep(fault.latency_ms / 1000)
        if fault.cut is True:
            raise CutConnection
        if fault.throttle:
            return throttled(call)
        return unavailable(call, fault.status) if fault.status else None
