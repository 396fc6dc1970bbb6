# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS and Kubernetes on this machine, for tests and the demo: python -m sandbox COMMAND."""

from __future__ import annotations

import argparse
import collections
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from . import toolchain
from .client import ACCOUNTS, CLUSTERS, Sandbox, SandboxError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (SandboxError, toolchain.ToolchainError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _setup(options: argparse.Namespace) -> None:
    python, programs = toolchain.ensure(options.kubernetes)
    print(f"python: {python}\nprograms: {programs or 'not needed'}")


def _up(options: argparse.Namespace) -> None:
    sandbox = _start(options, options.owner_pid)
    print(f"The sandbox runs; its state is in\n  {sandbox.state_file}\nTo use it from this shell:")
    _print_exports(sandbox, None)
    print(f"To end it:\n  python -m sandbox down --state {sandbox.state_file}")


def _run(options: argparse.Namespace) -> None:
    def interrupted(*_signal: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    with _start(options, os.getpid()) as sandbox:
        print(f"The sandbox runs; its state is in\n  {sandbox.state_file}\nTo use it from another shell:")
        _print_exports(sandbox, None)
        print("Ctrl-C ends it.", flush=True)
        while sandbox.running:
            time.sleep(0.5)
    raise SandboxError("the sandbox has ended by itself")


def _start(options: argparse.Namespace, owner_pid: int | None) -> Sandbox:
    return Sandbox.start(
        kubernetes=options.kubernetes,
        accounts=dict(options.account) if options.account else None,
        clusters=options.cluster,
        directory=options.dir,
        owner_pid=owner_pid,
    )


def _down(options: argparse.Namespace) -> None:
    Sandbox.attach(options.state).stop()


def _env(options: argparse.Namespace) -> None:
    _print_exports(Sandbox.attach(options.state), options.profile)


def _print_exports(sandbox: Sandbox, profile: str | None) -> None:
    for name, value in sandbox.environment(profile).items():
        if name == "PATH":  # the shell that evaluates this has a PATH of its own
            value = f"{shlex.quote(value.partition(os.pathsep)[0])}:$PATH"
        else:
            value = shlex.quote(value)
        print(f"export {name}={value}")


def _add_account(options: argparse.Namespace) -> None:
    _print(Sandbox.attach(options.state).add_account(options.account_id, options.profile))


def _add_cluster(options: argparse.Namespace) -> None:
    _print(Sandbox.attach(options.state).add_cluster(options.name, options.account_id, options.region))


def _deliver(options: argparse.Namespace) -> None:
    _print(Sandbox.attach(options.state).deliver(**dict(options.option)))


def _cost_allocation_tags(options: argparse.Namespace) -> None:
    _print(Sandbox.attach(options.state).cost_allocation_tags(**dict(options.option)))


def _stackgres(options: argparse.Namespace) -> None:
    _print(Sandbox.attach(options.state).stackgres(options.cluster, **dict(options.option)))


def _fault(options: argparse.Namespace) -> None:
    sandbox = Sandbox.attach(options.state)
    if options.clear or options.rule:
        _print(sandbox.faults([] if options.clear else options.rule))
    else:
        _print(sandbox.control("faults"))


def _calls(options: argparse.Namespace) -> None:
    calls = Sandbox.attach(options.state).calls(options.since)
    if options.json:
        for call in calls:
            print(json.dumps(call))
        return
    columns = ("service", "operation", "account_id", "kind", "status")
    lines = collections.Counter(tuple(str(call.get(name, "")) for name in columns) for call in calls)
    for line, number in sorted(lines.items()):
        print(f"{number:5} {line[0]:12} {line[1]:36} {line[2]:12} {line[3]:8} {line[4]}")
    kinds = collections.Counter(call["kind"] for call in calls)
    print(f"{len(calls):5} calls: " + ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())))


def _print(document: Any) -> None:
    print(json.dumps(document, indent=2))


def _account(text: str) -> tuple[str, str]:
    account_id, separator, profile = text.partition("=")
    if not separator or not profile or not (account_id.isdigit() and len(account_id) == 12):
        raise argparse.ArgumentTypeError(f"{text!r} is not ID=PROFILE with an id of 12 digits")
    return account_id, profile


def _cluster(text: str) -> tuple[str, str, str]:
    name, _unused, rest = text.partition("=")
    account_id, _unused, region = rest.partition(":")
    if not (name and region and account_id.isdigit() and len(account_id) == 12):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=ACCOUNT:REGION with an account of 12 digits")
    return name, account_id, region


def _option(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _rule(text: str) -> dict[str, Any]:
    try:
        rule = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from None
    if not isinstance(rule, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object")
    return rule


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    def starting(added: argparse.ArgumentParser) -> None:
        accounts = ", ".join(f"{k}={v}" for k, v in ACCOUNTS.items())
        clusters = ", ".join(f"{name}={account}:{region}" for name, account, region in CLUSTERS)
        added.add_argument(
            "--account",
            action="append",
            type=_account,
            metavar="ID=PROFILE",
            help=f"an account; the first one is the payer; repeatable (default: {accounts})",
        )
        added.add_argument(
            "--cluster",
            action="append",
            type=_cluster,
            metavar="NAME=ACCOUNT:REGION",
            help=f"a cluster; repeatable (default: {clusters})",
        )
        added.add_argument("--dir", help="where it lives: a directory that is empty or missing; removed at the end")

    setup = command("setup", _setup, "make what a sandbox is made of, unless the cache has it")
    up = command("up", _up, "start a sandbox in the background and wait until it is ready")
    run = command("run", _run, "start a sandbox and keep it until Ctrl-C")
    for added in (setup, up, run):
        added.add_argument("--no-kubernetes", dest="kubernetes", action="store_false", help="AWS alone, no clusters")
    for added in (up, run):
        starting(added)
    up.add_argument("--owner-pid", type=int, help="end the sandbox when this process has gone (default: it stays)")
    env = command("env", _env, "print what to export")
    env.add_argument("--profile", help="an AWS profile to use")
    account = command("add-account", _add_account, "add an AWS account to a running sandbox")
    account.add_argument("account_id")
    account.add_argument("profile")
    cluster = command("add-cluster", _add_cluster, "add an EKS cluster to a running sandbox")
    cluster.add_argument("name")
    cluster.add_argument("account_id")
    cluster.add_argument("region")
    deliver = command("deliver", _deliver, "have AWS Billing deliver its reports")
    deliver.add_argument(
        "option", nargs="*", type=_option, metavar="NAME=VALUE", help="options of the delivery; VALUE may be JSON"
    )
    tags = command("tags", _cost_allocation_tags, "say which tag keys billing has seen, let hours pass for a backfill")
    tags.add_argument("option", nargs="*", type=_option, metavar="NAME=VALUE", help="e.g. seen='[\"team\"]' hours=25")
    stackgres = command("stackgres", _stackgres, "play StackGres' operator in a cluster: its kinds, webhooks, backups")
    stackgres.add_argument("cluster")
    stackgres.add_argument(
        "option", nargs="*", type=_option, metavar="NAME=VALUE", help="e.g. operator=1.18.6 hold=true"
    )
    calls = command("calls", _calls, "show the AWS calls that were made, counted")
    calls.add_argument("--since", type=int, default=0, metavar="N", help="only calls after number N")
    calls.add_argument("--json", action="store_true", help="one JSON line per call")
    fault = command("fault", _fault, "replace the fault rules, or show them")
    fault.add_argument(
        "rule", nargs="*", type=_rule, metavar="JSON", help='e.g. \'{"service": "s3", "throttle": true, "times": 2}\''
    )
    fault.add_argument("--clear", action="store_true", help="remove all rules")
    down = command("down", _down, "end a sandbox: no process and no file is left")
    for added in (down, env, account, cluster, deliver, tags, stackgres, calls, fault):
        added.add_argument("--state", help="sandbox.json (default: $KUBESTRAP_SANDBOX, else the only one that runs)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
