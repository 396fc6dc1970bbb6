# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook in a process that is forked from one which has imported all that a run needs.

Most of the processor time of a run goes into importing the same code again: Ansible once, boto3 and the collections
once for each module. Here a fork server (``multiprocessing``) has imported it. Each run is a fork of it, and a module
runs in the worker that Ansible forks for its task. Actions that only compute (``COMPUTE``) need no worker. Playbooks,
plugins, modules, their arguments and what goes over the network are the same as ever; only how Python comes to its code
differs.

    start([*arguments], environment=..., stdout=..., stderr=...)  ->  a multiprocessing.Process

What begins with ``import_everything`` runs in the fork server and its forks alone: Ansible reads settings when it is
imported. Molecule's runs have a fork server of their own (``tools.warm_server``), with Molecule's settings.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import multiprocessing
import multiprocessing.process
import os
import pkgutil
import runpy
import signal
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

# Set to anything, it has all runs start Ansible and its modules as users do.
PLAIN_VARIABLE = "KUBESTRAP_TEST_PLAIN"
# How Ansible tells a test what it did, and what it shall not say.
SETTINGS = {
    "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    "ANSIBLE_RETRY_FILES_ENABLED": "false",
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_NOCOLOR": "true",
}
# Modules of others that our playbooks call, beside all of ours.
FOREIGN_MODULES = ("kubernetes.core.plugins.modules.k8s", "kubernetes.core.plugins.modules.helm")
# Services whose models take botocore longest to read.
SERVICES = ("athena", "cloudformation", "cur", "eks", "glue", "iam", "kms", "s3", "sts")
# Actions that ask nobody and wait for nothing: three of four tasks, each of which would be a process of its own.
COMPUTE = frozenset(
    f"ansible.builtin.{name}"
    for name in (
        *("assert", "debug", "fail", "include_role", "include_tasks"),
        *("set_fact", "set_stats", "validate_argument_spec"),
    )
)
# How arguments and results are written; all modules have this one.
PROFILE = "legacy"

_forks = multiprocessing.get_context("forkserver")
# Module payloads of a worker: what Ansible hands to the connection -> what is to be run.
_payloads: dict[bytes, tuple[str, bytes, dict[str, str]]] = {}
_real: dict[str, Any] = {}
# Modules that have run in this process.
_ran: list[str] = []


def start(
    arguments: Sequence[str], environment: Mapping[str, str], mark: str, stdout: Path, stderr: Path
) -> multiprocessing.process.BaseProcess:
    """Start ``ansible-playbook ARGUMENTS``. Its first call takes two seconds, any other one some milliseconds.

    :param environment: all of it
    :param mark: name of its processes (``/proc/PID/comm``, 15 characters), but of programs that they start
    :param stdout: file for the output; ``stderr`` too
    """
    _forks.set_forkserver_preload([f"{__package__}.warm_ansible_server"])
    request = (list(arguments), dict(environment), mark, os.getcwd(), str(stdout), str(stderr))
    process = _forks.Process(target=_serve, args=request)
    process.start()
    return process


def _serve(arguments: list[str], environment: dict[str, str], mark: str, folder: str, stdout: str, stderr: str) -> None:
    importlib.import_module(f"{__package__}.warm_ansible_server")
    with open(stdout, "wb") as output, open(stderr, "wb") as errors:
        code = be_run(arguments, environment, mark, folder, output.fileno(), errors.fileno())
    os._exit(code)


# --- in the fork server, and in its forks


def import_everything() -> None:
    """Import what runs need, with the settings of the environment, and have modules run in Ansible's workers."""
    from ansible.cli import playbook  # the first of Ansible's modules to be imported, as it demands
    from ansible.executor import module_common
    from ansible.executor.process.worker import WorkerProcess
    from ansible.plugins import action, loader

    loader._configure_collection_loader()
    importlib.import_module("ansible_collections.ansible.posix.plugins.callback.json")
    ours = importlib.import_module("ansible_collections.kubestrap.aws.plugins.modules")
    names = [f"{ours.__name__}.{module.name}" for module in pkgutil.iter_modules(ours.__path__)]
    for name in [*names, *(f"ansible_collections.{name}" for name in FOREIGN_MODULES)]:
        importlib.import_module(name)
        del sys.modules[name]  # a run executes it anew, as a program
    _share_event_names()
    connection = importlib.import_module("ansible_collections.kubestrap.aws.plugins.module_utils._connection")
    for service in SERVICES:
        connection.AwsConnection("us-east-1", "https://127.0.0.1:1", {}).client(service)
    connection._loader(None).list_available_services("paginators-1")  # looks into each of 400 folders
    # Ansible looks at each of these when a run begins; what it has read once it keeps.
    for kind in ("become", "callback", "connection", "shell", "vars"):
        list(getattr(loader, f"{kind}_loader").all(class_only=True))
    _real.update(
        cli=playbook.PlaybookCLI,
        common=module_common,
        modify_module=action.modify_module,
        execute=action.ActionBase._low_level_execute_command,
        start=WorkerProcess.start,
    )
    WorkerProcess.start = _start
    action.modify_module = _modify_module
    action.ActionBase._low_level_execute_command = _execute
    root = Path(ours.__path__[0]).parents[1]
    folders = root / "roles", root / "playbooks"
    importlib.import_module(f"{__package__}.warm_lookups").remember(*folders)
    templates = importlib.import_module(f"{__package__}.warm_templates")
    templates.remember()
    templates.compile_files(*folders)
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
    gc.collect()
    gc.freeze()


def _share_event_names() -> None:
    """One table of botocore's names of events for all sessions and clients; each of them fills one of its own else."""
    from botocore import hooks

    names: dict[str, str] = {}
    initialize = hooks.EventAliaser.__init__

    def with_names(self: Any, event_emitter: Any, event_aliases: Any = None) -> None:
        initialize(self, event_emitter, event_aliases)
        if self._event_aliases == hooks.EVENT_ALIASES:
            self._alias_name_cache = names

    hooks.EventAliaser.__init__ = with_names


def be_run(arguments: list[str], environment: dict[str, str], mark: str, folder: str, stdout: int, stderr: int) -> int:
    """Become ``ansible-playbook ARGUMENTS`` and do its work; its exit status.

    :param folder: in which it runs
    :param stdout: descriptor of an open file; ``stderr`` too
    """
    gc.disable()  # it would write to the memory that forks share, and so have it copied
    os.setsid()  # Ctrl-C is for whoever started the run, and ends it then
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Path("/proc/self/comm").write_text(mark)
    os.dup2(stdout, sys.stdout.fileno())
    os.dup2(stderr, sys.stderr.fileno())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["ansible-playbook", *arguments]
    code: Any = 1
    try:
        _real["cli"].cli_executor(sys.argv)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


def _start(worker: Any) -> None:
    """Fork the worker, or do in this process what it would do, on copies of what it would have to itself."""
    if worker._task.action not in COMPUTE:
        _real["start"](worker)
        return
    from ansible._internal._task import TaskContext  # hidden, but what WorkerProcess.run uses as well
    from ansible.executor.task_executor import TaskExecutor
    from ansible.executor.task_result import _RawTaskResult

    task = worker._task.copy()
    with TaskContext(task):
        result = TaskExecutor(
            worker._host,
            task,
            worker._task_vars,
            worker._play_context.copy(),
            worker._loader,
            worker._shared_loader_obj,
            worker._final_q,
            worker._variable_manager,
        ).run()
    worker._final_q.send_task_result(
        _RawTaskResult(host=worker._host, task=task, return_data=result, task_fields=task.dump_attrs())
    )


def _modify_module(**options: Any) -> Any:
    """The payload of a module: a key in place of a program that has all its imports in it."""
    from ansible.module_utils.common.json import Direction, get_module_encoder

    with contextlib.suppress(ValueError):  # no module of Ansible's or of a collection
        name = _real["common"]._get_ansible_module_fqn(options["module_path"])
        encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
        parameters = json.dumps({"ANSIBLE_MODULE_ARGS": options["module_args"]}, cls=encoder).encode()
        key = f"{name} {len(_payloads)}".encode()
        _payloads[key] = name, parameters, {name: str(value) for name, value in options["environment"].items()}
        shebang = f"#!{sys.executable}"
        return _real["common"]._BuiltModule(
            b_module_data=key, module_style="new", shebang=shebang, serialization_profile=PROFILE
        )
    return _real["modify_module"](**options)


def _execute(self: Any, cmd: str, *args: Any, in_data: bytes | None = None, **options: Any) -> dict[str, Any]:
    if in_data in _payloads:
        return _run_module(*_payloads[in_data])
    return _real["execute"](self, cmd, *args, in_data=in_data, **options)


def _run_module(name: str, parameters: bytes, environment: dict[str, str]) -> dict[str, Any]:
    """Run a module: what it printed, and its exit code. The first one of a worker needs no process of its own."""
    if not _ran:
        _ran.append(name)
        code, output = _be_module(name, parameters, environment)
        return _answer(code, output)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code, output = _be_module(name, parameters, environment)
        with open(writer, "wb") as pipe:
            pipe.write(output.encode())
        os._exit(code)
    os.close(writer)
    with open(reader, "rb") as pipe:
        output = pipe.read().decode()
    _child, status = os.waitpid(child, 0)
    return _answer(os.waitstatus_to_exitcode(status), output)


def _answer(code: int, output: str) -> dict[str, Any]:
    return {"rc": code, "stdout": output, "stdout_lines": output.splitlines(), "stderr": "", "stderr_lines": []}


def _be_module(name: str, parameters: bytes, environment: dict[str, str]) -> tuple[int, str]:
    from ansible.module_utils import _internal, basic

    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = parameters, PROFILE
    printed = io.StringIO()
    with mock.patch.object(_internal, "is_controller", False):  # a module tells of warnings in its result
        with mock.patch.dict(os.environ, environment), redirect_stdout(printed), redirect_stderr(printed):
            code: Any = 1
            try:
                globals_ = {"_module_fqn": name, "_modlib_path": ""}
                runpy.run_module(name, init_globals=globals_, run_name="__main__", alter_sys=True)
                print(f"{name} has not ended itself")
            except SystemExit as end:
                code = end.code or 0
            except BaseException:
                traceback.print_exc()
    return code if isinstance(code, int) else 1, printed.getvalue()
