# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the stages and counts: ``python -m tools.run_all [--check | --only NAME] [-- ARGUMENT ...]``.

Every stage runs, also after one has failed. The quick ones run two at a time, each showing its output when it is done;
then the others run one by one, with their output as it comes. A line now and then says what is still running. The last
line is 'N passed, N failed' over all stages; exit status 1 when anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.collection import arrange
from tools.environment import environment
from tools.paths import RESULTS
from tools.report import Result, count, duration, table
from tools.stages import STAGES, Stage

PLAIN = {"ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1", "PY_COLORS": "0"}
SILENCE = 20  # seconds without output after which a line says what is still running
SIDE_BY_SIDE = 2  # quick stages; each has phases in which it uses one core only
STOP = threading.Event()  # set when everything shall end


def run_stage(stage: Stage, title: str, collection: Path, arguments: list[str], live: bool = True) -> Result:
    """Runs one stage to its end and counts what it reports. Not live: its output is shown in one piece at its end."""
    heading = f"\n=== {title}: {stage.about}"
    if live:
        print(heading, flush=True)
    started = time.monotonic()
    if stage.folder and not (collection / stage.folder).is_dir():
        result = Result(stage.name, failed=1, problems=(f"the folder {stage.folder} does not exist",))
    else:
        for old in reports(stage, collection):
            old.unlink()
        status = run_command(with_arguments(stage, arguments), stage, collection, live)
        result = judge(stage, collection, status)
    result.seconds = time.monotonic() - started
    closing = f"=== {stage.name}: {result.passed} passed, {result.failed} failed, {duration(result.seconds)}"
    if not live:
        log = RESULTS / f"{stage.name}.log"
        closing = f"{heading}\n{log.read_text(encoding='utf-8') if log.exists() else ''}{closing}"
    print(closing, flush=True)
    return result


def with_arguments(stage: Stage, arguments: list[str]) -> list[str]:
    """The stage's command. A file of its folder that is named takes the place of the folder: only that is run."""
    command = list(stage.command)
    if stage.folder and any(argument.startswith(f"{stage.folder}/") for argument in arguments):
        command = [word for word in command if word != stage.folder]
    return [*command, *arguments]


def reports(stage: Stage, collection: Path) -> list[Path]:
    """The JUnit XML files of a stage that exist now."""
    if not stage.report:
        return []
    pattern = Path(stage.report) if os.path.isabs(stage.report) else collection / stage.report
    return sorted(pattern.parent.glob(pattern.name))


def judge(stage: Stage, collection: Path, status: int) -> Result:
    """Counts of a stage that has ended with this exit status. No report, or one without tests, is a failure."""
    if not stage.report:
        if status:
            return Result(stage.name, failed=1, problems=(f"exit status {status}",))
        return Result(stage.name, passed=1)
    passed, problems = count(reports(stage, collection))
    if status and not problems:
        problems.append(f"exit status {status}")
    if not passed and not problems:
        problems.append("no test has run")
    return Result(stage.name, passed, len(problems), tuple(problems))


def run_command(command: list[str], stage: Stage, collection: Path, live: bool) -> int:
    """Runs the command in a process group of its own, keeps its output, shows it when live.

    Its exit status; 124 when it took too long, 130 when everything shall end.
    """
    lines: queue.Queue[str | None] = queue.Queue()
    started = said = time.monotonic()
    process = subprocess.Popen(
        command, cwd=collection, env=environment() | PLAIN, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        with open(RESULTS / f"{stage.name}.log", "w", encoding="utf-8") as log:
            while (now := time.monotonic()) - started < stage.minutes * 60 and not STOP.is_set():
                if now - said >= SILENCE:
                    said = now
                    print(f"... {stage.name} is still running, {duration(now - started)}", flush=True)
                with contextlib.suppress(queue.Empty):
                    line = lines.get(timeout=1)
                    if line is None:
                        return process.wait()
                    log.write(line)
                    if live:
                        said = time.monotonic()
                        print(line, end="", flush=True)
        if STOP.is_set():
            return 130
        print(f"{stage.name} was ended after {stage.minutes} minutes.", flush=True)
        return 124
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[str]) -> None:
    """Ends what a stage has left running: first asked to (sandboxes clean up then), after ten seconds killed."""
    for number, seconds in ((signal.SIGINT, 10), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
            return


def chosen(options: argparse.Namespace) -> list[Stage]:
    """The stages to run."""
    if options.only:
        return [stage for stage in STAGES if stage.name == options.only]
    return [stage for stage in STAGES if stage.check or not options.check]


def run_stages(stages: list[Stage], arguments: list[str]) -> list[Result]:
    """Runs the stages, the quick ones side by side; their results in the order of the stages."""
    collection = arrange()
    titles = {stage.name: f"[{number}/{len(stages)}] {stage.name}" for number, stage in enumerate(stages, start=1)}
    quick = [stage for stage in stages if stage.check and len(stages) > 1]
    results = run_side_by_side(quick, titles, collection)
    results += [run_stage(stage, titles[stage.name], collection, arguments) for stage in stages if stage not in quick]
    return results


def run_side_by_side(stages: list[Stage], titles: dict[str, str], collection: Path) -> list[Result]:
    """Runs quick stages, a few at a time. Ctrl-C and a kill end all of them."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        try:
            return list(pool.map(lambda stage: run_stage(stage, titles[stage.name], collection, [], False), stages))
        except BaseException:
            STOP.set()
            pool.shutdown(cancel_futures=True)
            raise


def main(arguments: list[str]) -> int:
    """Exit status: 0 when all tests of all chosen stages have passed."""
    parser = argparse.ArgumentParser(prog="python -m tools.run_all")
    parser.add_argument("--check", action="store_true", help="the quick stages only")
    parser.add_argument("--only", choices=[stage.name for stage in STAGES], help="one stage")
    parser.add_argument("arguments", nargs="*", help="with --only: more arguments for its command")
    options = parser.parse_args(arguments)
    if options.arguments and not options.only:
        parser.error("arguments are passed on to a stage only with --only")

    if not options.only:
        shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    results = run_stages(chosen(options), options.arguments)
    text = table(results, time.monotonic() - started)
    print(f"\n{text}", flush=True)
    (RESULTS / "summary.txt").write_text(text.splitlines()[-1] + "\n", encoding="utf-8")
    return 1 if any(result.failed for result in results) else 0


def terminated(number: int, frame: object) -> None:
    """A kill ends the running stage as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminated)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
