# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook against a sandbox, and see what each task said and which AWS calls were made meanwhile.

result = run_playbook("kubestrap.aws.kubecost", sandbox, inventory=inventory, check=True)
assert result.ok, result.report
assert not result.writes
"""

from __future__ import annotations

import configparser
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import yaml
from integration import run_processes, warm_ansible
from integration.warm_ansible import PLAIN_VARIABLE, SETTINGS
from sandbox.client import Sandbox

# How all tasks of the collection run: on the controller, in its own Python, arguments never in a file.
BASE_VARS = {
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "ansible_pipelining": True,
}
# Actions that Ansible does itself, in milliseconds. Any other one starts a module: a Python process, half a second.
IN_ANSIBLE = frozenset(
    ("add_host", "assert", "debug", "fail", "group_by", "include_role", "include_tasks", "include_vars", "import_role")
    + ("import_tasks", "meta", "report_lines", "set_fact", "set_stats", "validate_argument_spec")
)


@dataclasses.dataclass(frozen=True)
class Task:
    """One task on one host.

    :ivar start: seconds since the epoch; ``end`` too
    :ivar result: what the module returned, a loop's items in ``results``
    :ivar action: the full name of the module or action
    """

    name: str
    host: str
    changed: bool
    failed: bool
    result: dict[str, Any]
    skipped: bool = False
    action: str = ""
    start: float = 0.0
    end: float = 0.0


@dataclasses.dataclass(frozen=True)
class Result:
    """A playbook's run.

    :ivar tasks: in the order in which they ran; a failed one may have been rescued
    :ivar stats: host -> ``ok``, ``changed``, ``failures``, ``unreachable``, ``rescued``, ``skipped``, ``ignored``
    :ivar calls: the AWS calls that the sandbox recorded meanwhile, see ``Sandbox.calls``
    """

    rc: int
    tasks: list[Task]
    stats: dict[str, dict[str, int]]
    stdout: str
    stderr: str
    calls: list[dict[str, Any]]

    @property
    def ok(self) -> bool:
        """Did it end well, and do anything at all?"""
        return self.rc == 0 and bool(self.tasks)

    @property
    def changed(self) -> list[str]:
        """Names of the tasks that changed something."""
        return [task.name for task in self.tasks if task.changed]

    @property
    def writes(self) -> list[str]:
        """The calls that change something in AWS, as ``service:operation resource``, those that were refused too."""
        return [f"{c['service']}:{c['operation']} {c['resource']}" for c in self.calls if c["kind"] == "write"]

    def count(self, **fields: Any) -> int:
        """How many of the calls have all these values, such as ``kind="read"``."""
        return Sandbox.count(self.calls, **fields)

    @property
    def modules(self) -> list[str]:
        """``host: task`` for each module that was started; a loop starts one for each of its items."""
        started = []
        for task in self.tasks:
            if task.skipped or task.action.rpartition(".")[2] in IN_ANSIBLE:
                continue
            items = [item for item in task.result.get("results", [task.result]) if not item.get("skipped")]
            started += [f"{task.host}: {task.name}"] * len(items)
        return started

    def task(self, name: str, host: str | None = None) -> Task:
        """The last task of this name (on this host).

        :raises KeyError: none ran
        """
        for task in reversed(self.tasks):
            if task.name == name and host in (None, task.host):
                return task
        raise KeyError(f"no task '{name}'; there are {', '.join(task.name for task in self.tasks)}")

    @property
    def report(self) -> str:
        """What a person needs to see when a test fails."""
        lines = [f"ansible-playbook ended with {self.rc}"]
        for task in self.tasks:
            if task.failed:
                said = {key: value for key, value in task.result.items() if key not in ("invocation", "exception")}
                lines.append(f"failed on {task.host}: {task.name}\n{json.dumps(said, indent=2, default=str)}")
        return "\n".join([*lines, self.stderr.strip(), "" if self.tasks else self.stdout.strip()])


def run_playbook(
    playbook: str | Path | list[dict[str, Any]],
    sandbox: Sandbox,
    profile: str | None = None,
    *,
    check: bool = False,
    diff: bool = False,
    extra_vars: Mapping[str, Any] | None = None,
    inventory: Path | Mapping[str, Any] | None = None,
    limit: str | None = None,
    environment: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = (),
    timeout: float = 600,
    kill_when: Callable[[], bool] | None = None,
    plain: bool = False,
    role_profiles: bool = False,
) -> Result:
    """Run a playbook.

    :param playbook: a file, the full name of a playbook in a collection, or plays
    :param profile: AWS profile of tasks that name none (``payer``, ``cluster``, ...)
    :param inventory: a file, or what would be in one; without it there is ``localhost``
    :param environment: on top of that of the run; nothing of the user's AWS or Ansible settings is in it
    :param arguments: more arguments of ansible-playbook
    :param timeout: seconds, after which it is killed and the test fails
    :param kill_when: asked all the time; once it says so the run is killed (SIGKILL), as by a machine that goes down. A
        run that ends before is a failed test
    :param plain: every module is a process of its own, as where our users are. Else the run is a fork of a process that
        has imported everything, which takes a third of the processor time (``warm_ansible``). The demo and the
        benchmark are always plain
    :param role_profiles: profiles assume their roles, as users' do: one AssumeRole for each task. Else they have the
        keys of a session of the same role, which saves a tenth of the processor time
    :raises TimeoutError: it took too long
    """
    with tempfile.TemporaryDirectory(prefix="kubestrap-playbook-") as name:
        place = Path(name)
        command = ["-i", _write(place / "base.yml", {"all": {"vars": BASE_VARS}})]
        if isinstance(inventory, Path):
            command += ["-i", str(inventory)]
        else:
            command += ["-i", _write(place / "hosts.yml", inventory or {"all": {"hosts": {"localhost": {}}}})]
        if extra_vars:
            command += ["--extra-vars", "@" + _write(place / "extra.yml", dict(extra_vars))]
        command += [option for option, wanted in (("--check", check), ("--diff", diff)) if wanted]
        command += ["--limit", limit] if limit else []
        command += arguments
        command += [_write(place / "play.yml", playbook) if isinstance(playbook, list) else str(playbook)]
        # What Ansible reads once, when it is imported, cannot be another for one run.
        plain = plain or bool(os.environ.get(PLAIN_VARIABLE)) or any(key in SETTINGS for key in environment or {})
        own = {} if plain or role_profiles else {"AWS_CONFIG_FILE": _with_sessions(sandbox, place / "aws-config")}
        environment = {**_environment(place, sandbox, profile), **own, **(environment or {})}
        mark = sandbox.mark()  # after the sessions, whose calls are not the run's
        rc, stdout, stderr = (_run_plain if plain else _run_warm)(place, command, environment, timeout, kill_when)
        calls = sandbox.calls(since=mark)
    tasks, stats = _parse(stdout)
    return Result(rc, tasks, stats, stdout, stderr, calls)


def _run_plain(
    place: Path, arguments: list[str], environment: dict[str, str], timeout: float, kill_when: Callable[[], bool] | None
) -> tuple[int, str, str]:
    """Exit status, output and errors of a process of its own."""
    mark = run_processes.new_mark()
    outputs = place / "stdout", place / "stderr"
    with outputs[0].open("wb") as stdout, outputs[1].open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "ansible.cli.playbook", *arguments],
            env={**environment, run_processes.VARIABLE: mark},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is for pytest, which ends the run then
        )

    def wait(seconds: float) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(seconds)
        return None

    return _watch(wait, mark, outputs, timeout, kill_when)


def _run_warm(
    place: Path, arguments: list[str], environment: dict[str, str], timeout: float, kill_when: Callable[[], bool] | None
) -> tuple[int, str, str]:
    """The same of a fork."""
    mark = run_processes.new_mark()
    outputs = place / "stdout", place / "stderr"
    process = warm_ansible.start(arguments, {**environment, run_processes.VARIABLE: mark}, mark, *outputs)

    def wait(seconds: float) -> int | None:
        process.join(seconds)
        return process.exitcode

    return _watch(wait, mark, outputs, timeout, kill_when)


def _watch(
    wait: Callable[[float], int | None],
    mark: str,
    outputs: tuple[Path, Path],
    timeout: float,
    kill_when: Callable[[], bool] | None,
) -> tuple[int, str, str]:
    """Wait for the end of a run, or bring it about. No process of it is left afterwards, whatever happened."""
    deadline = time.monotonic() + timeout
    try:
        while (code := wait(0.1 if kill_when else timeout)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"ansible-playbook did not end in {timeout:.0f} s")
            if kill_when and kill_when():
                run_processes.kill(mark)
                code = wait(timeout)
                kill_when = None
                break
    finally:
        run_processes.kill(mark)
        wait(timeout)
    stdout, stderr = (path.read_text(encoding="utf-8") if path.exists() else "" for path in outputs)
    assert not kill_when, f"the run ended before it was killed\n{stdout}\n{stderr}"
    return code if code is not None else 1, stdout, stderr


def _write(path: Path, content: Any) -> str:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return str(path)


def _environment(place: Path, sandbox: Sandbox, profile: str | None) -> dict[str, str]:
    kept = ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_CONFIG")
    dropped = ("AWS_", "ANSIBLE_", "KUBECONFIG", "K8S_AUTH_", "HELM_")
    own = {name: value for name, value in os.environ.items() if name in kept or not name.startswith(dropped)}
    return {
        **own,
        "ANSIBLE_HOME": str(place / "ansible"),
        **SETTINGS,
        "HELM_CACHE_HOME": str(place / "helm" / "cache"),
        "HELM_CONFIG_HOME": str(place / "helm" / "config"),
        "HELM_DATA_HOME": str(place / "helm" / "data"),
        **sandbox.environment(profile),
    }


# Keys of the sessions that were begun, by the file of the sandbox' profiles and the role.
_sessions: dict[tuple[str, str], dict[str, str]] = {}


def _with_sessions(sandbox: Sandbox, path: Path) -> str:
    """Write the sandbox' profiles, with the keys of a session in each that would assume a role."""
    state = sandbox.state
    profiles = configparser.RawConfigParser()
    profiles.read(state["aws_config_file"])
    for name in profiles.sections():
        profile = profiles[name]
        if role_arn := profile.pop("role_arn", ""):
            source = profiles[f"profile {profile.pop('source_profile')}"]
            profile.update(_session(state["aws_config_file"], source, role_arn))
    with path.open("w", encoding="utf-8") as file:
        profiles.write(file)
    return str(path)


def _session(config: str, source: Mapping[str, str], role_arn: str) -> dict[str, str]:
    if (config, role_arn) not in _sessions:
        sts = boto3.client(
            "sts",
            region_name=source["region"],
            endpoint_url=source["endpoint_url"],
            verify=source["ca_bundle"],
            aws_access_key_id=source["aws_access_key_id"],
            aws_secret_access_key=source["aws_secret_access_key"],
        )
        keys = sts.assume_role(RoleArn=role_arn, RoleSessionName="integration", DurationSeconds=43200)["Credentials"]
        _sessions[config, role_arn] = {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
    return _sessions[config, role_arn]


def _parse(stdout: str) -> tuple[list[Task], dict[str, dict[str, int]]]:
    """What the JSON callback printed; nothing when Ansible ended before it (a syntax error)."""
    try:
        said = json.loads(stdout[stdout.index("{") :])
    except ValueError:
        return [], {}
    tasks = [
        Task(
            name=task["task"]["name"],
            host=host,
            changed=bool(result.get("changed")),
            failed=bool(result.get("failed") or result.get("unreachable")),
            result=result,
            skipped=bool(result.get("skipped")),
            action=result.get("action") or "",
            start=_seconds(task["task"]["duration"].get("start")),
            end=_seconds(task["task"]["duration"].get("end")),
        )
        for play in said["plays"]
        for task in play["tasks"]
        for host, result in task["hosts"].items()
    ]
    return tasks, said["stats"]


def _seconds(stamp: str | None) -> float:
    """Seconds since the epoch of the callback's UTC times."""
    return datetime.fromisoformat(stamp).timestamp() if stamp else 0.0
