# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting: from JUnit XML to numbers, from numbers to the closing table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

# ansible-test skips a sanity test when the collection has no file of its kind.
NOT_APPLICABLE = "No tests applicable."


@dataclass
class Result:
    """Outcome of a stage: numbers of tests, what failed (one line each), seconds."""

    name: str
    passed: int = 0
    failed: int = 0
    problems: tuple[str, ...] = ()
    seconds: float = 0.0


def count(files: Iterable[Path]) -> tuple[int, list[str]]:
    """Passed test cases, and a line for each that did not pass. A skipped test has not passed: it proves nothing."""
    passed, problems = 0, []
    for file in files:
        for case in ElementTree.parse(file).getroot().iter("testcase"):
            name = "::".join(filter(None, [case.get("classname"), case.get("name")]))
            bad = [element for element in case if element.tag in ("failure", "error", "skipped")]
            if not bad:
                passed += 1
            elif not is_not_applicable(bad[0]):
                problems.append(f"{name}: {bad[0].tag} {first_line(bad[0])}".rstrip())
    return passed, problems


def first_line(element: ElementTree.Element) -> str:
    """Beginning of what a failure says."""
    lines = (element.get("message") or element.text or "").strip().splitlines()
    return lines[0][:200] if lines else ""


def is_not_applicable(element: ElementTree.Element) -> bool:
    """Is this ansible-test's word for a sanity test that has nothing to look at?"""
    return element.tag == "skipped" and NOT_APPLICABLE in (element.get("message"), element.text)


def table(results: list[Result], seconds: float) -> str:
    """The stages with their counts and durations, the seconds of all, then what failed. The last line is the sum."""
    width = max(len(result.name) for result in results)
    lines = [f"{'stage':<{width}}  passed  failed   time"]
    lines += [f"{r.name:<{width}}  {r.passed:6}  {r.failed:6}  {duration(r.seconds):>6}" for r in results]
    lines += [f"{'all':<{width}}  {'':6}  {'':6}  {duration(seconds):>6}"]
    lines += [f"FAILED {result.name}: {problem}" for result in results for problem in result.problems]
    return "\n".join([*lines, "", total(results)])


def total(results: list[Result]) -> str:
    """The closing line."""
    return f"{sum(result.passed for result in results)} passed, {sum(result.failed for result in results)} failed"


def duration(seconds: float) -> str:
    """Minutes and seconds, as 0:07 or 12:30."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
