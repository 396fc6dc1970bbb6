# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The counts that ``make test`` ends with can be trusted: what did not pass is counted as failed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tools import run_all
from tools.report import Result, count, table
from tools.stages import STAGES, Stage

CASES = """
<testsuites><testsuite>
  <testcase classname="a" name="good"/>
  <testcase classname="a" name="wrong"><failure message="2 is not 1&#10;more"/></testcase>
  <testcase classname="a" name="broken"><error>no such fixture</error></testcase>
  <testcase classname="a" name="left out"><skipped message="not today"/></testcase>
  <testcase name="pslint"><skipped>No tests applicable.</skipped></testcase>
</testsuite></testsuites>
"""


def report(folder: Path, text: str) -> Path:
    file = folder / "report.xml"
    file.write_text(text, encoding="utf-8")
    return file


def test_failures_errors_and_skips_have_not_passed(tmp_path: Path) -> None:
    assert count([report(tmp_path, CASES)]) == (
        1,
        ["a::wrong: failure 2 is not 1", "a::broken: error no such fixture", "a::left out: skipped not today"],
    )


def test_the_last_line_is_the_sum() -> None:
    results = [Result("a", passed=3, seconds=61), Result("b", passed=1, failed=1, problems=("x: failure",))]
    lines = table(results, 75)
    assert lines.splitlines()[-1] == "4 passed, 1 failed"
    assert "FAILED b: x: failure" in lines.splitlines()
    assert any(line.split() == ["a", "3", "0", "1:01"] for line in lines.splitlines())
    assert any(line.split() == ["all", "1:15"] for line in lines.splitlines())


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (0, '<testsuite><testcase name="a"/></testsuite>', (1, 0)),
        (1, '<testsuite><testcase name="a"/></testsuite>', (1, 1)),
        (0, "<testsuite/>", (0, 1)),
        (0, None, (0, 1)),
        (0, '<testsuite><testcase name="a"><skipped/></testcase></testsuite>', (0, 1)),
    ],
    ids=["good", "died after its tests", "no tests", "no report", "only a skip"],
)
def test_a_stage_with_a_report(tmp_path: Path, status: int, text: str | None, expected: tuple[int, int]) -> None:
    if text:
        report(tmp_path, text)
    stage = Stage("x", "", ("true",), report="report.xml")
    result = run_all.judge(stage, tmp_path, status)
    assert (result.passed, result.failed) == expected


def test_a_stage_whose_folder_is_missing_fails(tmp_path: Path) -> None:
    stage = Stage("x", "", ("true",), folder="tests/none")
    assert run_all.run_stage(stage, "x", tmp_path, []).problems == ("the folder tests/none does not exist",)


def test_a_stage_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_all, "RESULTS", tmp_path)
    stage = Stage("x", "", ("bash", "-c", "echo started; sleep 1000 & wait"), minutes=0)
    assert run_all.run_stage(stage, "x", tmp_path, []).problems == ("exit status 124",)


def side_by_side(folder: Path, monkeypatch: pytest.MonkeyPatch, **commands: str) -> list[Result]:
    """Results of stages with these shell commands, which run side by side."""
    monkeypatch.setattr(run_all, "RESULTS", folder)
    stages = [Stage(name, f"about {name}", ("bash", "-c", command)) for name, command in commands.items()]
    return run_all.run_side_by_side(stages, {name: name for name in commands}, folder)


def test_stages_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the first two waits for the other, so they can only end if both run. Their outputs do not mix."""
    wait = "until [ -e {other} ]; do :; done"
    results = side_by_side(
        tmp_path,
        monkeypatch,
        a=f"echo a1; touch a; {wait.format(other='b')}; echo a2",
        b=f"echo b1; touch b; {wait.format(other='a')}; echo b2; exit 3",
        c="echo c1",
    )

    assert [(result.name, result.passed, result.failed) for result in results] == [
        ("a", 1, 0),
        ("b", 0, 1),
        ("c", 1, 0),
    ]
    shown = capsys.readouterr().out
    assert "=== a: about a\na1\na2\n=== a: 1 passed, 0 failed" in shown
    assert "=== b: about b\nb1\nb2\n=== b: 0 passed, 1 failed" in shown
    assert "=== c: about c\nc1\n=== c: 1 passed, 0 failed" in shown


def test_stages_side_by_side_end_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after Ctrl-C: what runs is ended, and what is left does not start."""
    monkeypatch.setattr(run_all, "STOP", threading.Event())
    run_all.STOP.set()
    endless = "touch {name}; sleep 1000 & wait"

    results = side_by_side(tmp_path, monkeypatch, a=endless.format(name="a"), b=endless.format(name="b"))

    assert [result.problems for result in results] == [("exit status 130",)] * 2


def test_check_is_a_part_of_test() -> None:
    assert [stage.name for stage in STAGES if not stage.check] == ["sandbox", "molecule", "integration"]
    assert len({stage.name for stage in STAGES}) == len(STAGES)
