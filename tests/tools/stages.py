# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of ``make check`` and ``make test``, in the order in which they start.

Those of ``make check`` run two at a time, so the long ones among them start early. A stage is a command that runs in
the collection's copy. Where it writes JUnit XML, its test cases are counted; else its exit status is one test. A stage
whose folder is missing fails: nothing is left out in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.paths import RESULTS


@dataclass(frozen=True)
class Stage:
    """One stage.

    name:    one word, also the name of its make target and of its files below .make/results
    about:   what it does, and how long that takes on two cores
    command: argument list; more arguments can be given on the command line when the stage runs alone
    report:  glob pattern, below the collection or absolute, of the JUnit XML files that it writes; None: exit status
    folder:  must exist in the collection, because the stage would prove nothing without it
    minutes: limit, after which it is killed and has failed
    check:   is it part of ``make check``?
    """

    name: str
    about: str
    command: tuple[str, ...]
    report: str | None = None
    folder: str | None = None
    minutes: int = 20
    check: bool = True


def pytest_stage(name: str, about: str, folder: str, *options: str, minutes: int, check: bool = False) -> Stage:
    """A stage that is a folder of pytest tests."""
    report = str(RESULTS / f"{name}.xml")
    command = ("python", "-m", "pytest", f"--junit-xml={report}", *options, folder)
    return Stage(name, about, command, report=report, folder=folder, minutes=minutes, check=check)


STAGES = (
    Stage("style", "ruff over all Python: what it finds, and how it is set (1 s; make fix corrects most)",
          ("bash", "-c", "ruff check --output-format concise . && ruff format --check --output-format concise .")),
    Stage("changelog", "antsibull-changelog over the fragments (1 s)", ("antsibull-changelog", "lint")),
    Stage(
        "sanity", "ansible-test sanity, all tests, nothing ignored (two minutes; the first time 3)",
        ("python", "-m", "tools.sanity"), report="tests/output/junit/*.xml", minutes=20,
    ),
    Stage("ansible-lint", "the production profile, warnings count (a minute or two)",
          ("ansible-lint", "--offline", "--strict")),
    pytest_stage("unit", "pytest: functions, and the repository's own rules (half a minute)", "tests/unit", minutes=20,
                 check=True),
    Stage(
        "docs", "antsibull-docs: documentation of all plugins and roles (15 s)",
        ("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "dependent", "."),
    ),
    Stage("import", "galaxy-importer takes the built tarball (15 s)", ("python", "-m", "tools.importer")),
    pytest_stage("sandbox", "pytest: the sandbox plays AWS and EKS as the real ones do (a few minutes)",
                 "tests/sandbox/tests", "-n", "2", "--dist", "loadfile", minutes=20),
    Stage(
        "molecule", "whole jobs: converge, idempotence, verify, teardown (four minutes)",
        ("python", "-m", "tools.molecule"), report=str(RESULTS / "molecule.xml"), folder="extensions/molecule",
        minutes=40, check=False,
    ),
    pytest_stage("integration", "pytest: modules and whole playbooks against the sandbox (20 minutes on two cores)",
                 "tests/integration", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", minutes=75),
)  # fmt: skip
