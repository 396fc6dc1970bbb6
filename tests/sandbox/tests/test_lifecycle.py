# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox starts on the loopback alone, beside others, and leaves nothing, however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from sandbox import toolchain
from sandbox.client import Sandbox, SandboxError
from sandbox.processes import Child, free_port, is_running, start_time
from sandbox.tests.clients import ClientSandbox, until
from sandbox.tests.footprint import listeners, on_loopback, processes

PROGRAMS = {"server", "guardian.py", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(toolchain.HERE.parent)}


def command(*arguments: str) -> list[str]:
    """The command line of `python -m sandbox`."""
    return [sys.executable, "-m", "sandbox", *arguments]


def said(*arguments: str, code: int = 0) -> str:
    """Run the CLI, expect its exit code, return what it printed."""
    done = subprocess.run(command(*arguments), env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def gone(directory: Path) -> bool:
    """Whether neither a file nor a process of the sandbox is left."""
    return not directory.exists() and not processes(directory)


def wait_until_gone(directory: Path) -> None:
    """Fail when something of the sandbox stays."""
    until(lambda: gone(directory), f"left: {directory.exists()=} {processes(directory)}")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory for a sandbox; whatever still runs there after the test is killed."""
    directory = tmp_path / "own"
    yield directory
    for pid in processes(directory):
        os.kill(pid, signal.SIGKILL)


def started(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    """`python -m sandbox run` that has become ready."""
    run = subprocess.Popen(
        command("run", "--dir", str(directory), *arguments), env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    lines = list(iter(run.stdout.readline, "Ctrl-C ends it.\n"))
    assert run.poll() is None, lines
    return run


# -- while it runs --------------------------------------------------------------------------------------------------


def test_all_programs_run_and_listen_on_the_loopback_only(sandbox: ClientSandbox) -> None:
    running = processes(sandbox.state_file.parent)
    assert set(running.values()) == PROGRAMS
    found = listeners(running)
    assert {program for program, _address in found} >= {"server", "etcd", "kube-apiserver", "kwok"}
    assert [entry for entry in found if not on_loopback(entry[1])] == []


def test_a_listener_elsewhere_would_be_seen() -> None:
    with socket.socket() as everywhere, socket.socket() as loopback:
        everywhere.bind(("", 0))
        everywhere.listen()
        loopback.bind(("127.0.0.1", 0))
        loopback.listen()
        found = listeners({os.getpid(): "test"})
        wanted = {everywhere.getsockname()[1]: False, loopback.getsockname()[1]: True}
    seen = {int(address.partition(":")[2], 16): on_loopback(address) for _program, address in found}
    assert wanted.items() <= seen.items()


def test_set_up_is_not_recorded_and_calls_are(sandbox: ClientSandbox) -> None:
    def of_setup() -> list[dict]:
        return [
            call
            for call in sandbox.calls()
            if "sandbox-setup" in call["user_agent"] or call["operation"] == "CreateCluster"
        ]

    assert of_setup() == []
    before = sandbox.mark()
    sandbox.client("s3", "payer").list_buckets()
    with pytest.raises(ClientError):
        sandbox.client("iam", "cluster").get_role(RoleName="nobody-has-it")
    calls = sandbox.calls(since=before)
    assert sandbox.count(calls, service="s3", operation="ListBuckets", account_id="111111111111", kind="read") == 1
    assert sandbox.count(calls, service="iam", operation="GetRole", account_id="222222222222", status=404) == 1
    assert sandbox.count(calls, kind="write") == 0


def test_profiles_are_roles_of_two_accounts(sandbox: ClientSandbox) -> None:
    for profile, account in (("payer", "111111111111"), ("cluster", "222222222222")):
        arn = sandbox.session(profile).client("sts").get_caller_identity()["Arn"]
        assert re.fullmatch(rf"arn:aws:sts::{account}:assumed-role/operator/.+", arn)
        root = sandbox.session(f"{profile}-root").client("sts").get_caller_identity()["Arn"]
        assert root == f"arn:aws:iam::{account}:root"


def test_secrets_are_not_for_others_to_read(sandbox: ClientSandbox) -> None:
    assert sandbox.state_file.parent.stat().st_mode & 0o077 == 0


def test_two_run_side_by_side_and_grow(sandbox: ClientSandbox, place: Path) -> None:
    with ClientSandbox.start(directory=place, clusters=[("demo", "222222222222", "us-west-2")]) as other:
        sandbox.client("s3", "payer").create_bucket(Bucket="only-in-the-first")
        names = [bucket["Name"] for bucket in other.client("s3", "payer").list_buckets()["Buckets"]]
        assert "only-in-the-first" not in names
        ports = [set(listeners(processes(each.state_file.parent))) for each in (sandbox, other)]
        assert not ports[0] & ports[1]
        assert other.state["clusters"]["demo"]["issuer"] != sandbox.state["clusters"]["demo"]["issuer"]

        said("add-account", "--state", str(place), "333333333333", "third")
        said("add-cluster", "--state", str(place), "blue", "333333333333", "eu-north-1")
        arn = other.session("third").client("sts").get_caller_identity()["Arn"]
        assert arn.startswith("arn:aws:sts::333333333333:assumed-role/operator/")
        assert other.session("third").region_name == "eu-north-1"
        clusters = other.client("eks", "third", "eu-north-1").list_clusters()["clusters"]
        assert clusters == ["blue"]
        assert other.client("eks", "third", "us-west-2").list_clusters()["clusters"] == []
        programs = other.control("state")["processes"]
        assert set(programs) == {"demo", "blue"} and programs["blue"]["failed"] == []
        os.kill(programs["blue"]["pids"]["kwok"], signal.SIGKILL)
        until(lambda: other.control("state")["processes"]["blue"]["failed"] == ["kwok"], "a dead program is not told")
        assert sandbox.state["clusters"].keys() == {"demo"}
        with pytest.raises(SandboxError, match="account 333333333333 or profile third exists already"):
            other.add_account("333333333333", "third")
        with pytest.raises(SandboxError, match="cluster blue exists already"):
            other.add_cluster("blue", "333333333333", "eu-north-1")
        with pytest.raises(SandboxError, match="there is no account 999999999999"):
            other.add_cluster("green", "999999999999", "eu-north-1")

        blue = other.remove_cluster("blue")
        assert other.client("eks", "third", "eu-north-1").list_clusters()["clusters"] == []
        assert list(other.state["clusters"]) == ["demo"]
        assert not Path(blue["ca_file"]).exists()
        assert len([name for name in processes(place).values() if name == "etcd"]) == 1
        with pytest.raises(SandboxError, match="there is no cluster blue; there are demo"):
            other.remove_cluster("blue")
    wait_until_gone(place)
    assert sandbox.running


# -- ends -----------------------------------------------------------------------------------------------------------


def test_up_stays_until_down(place: Path) -> None:
    text = said("up", "--dir", str(place))
    assert str(place / "sandbox.json") in text and "export AWS_CONFIG_FILE=" in text
    assert "is ready (Kubernetes v" in text  # progress is shown
    assert set(processes(place).values()) == PROGRAMS
    exports = said("env", "--state", str(place), "--profile", "payer")
    shown = subprocess.run(
        ["sh", "-c", f'{exports}\nhelm version --short; echo "$AWS_PROFILE"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines()[0].startswith("v3.") and shown.stdout.splitlines()[1] == "payer"
    said("down", "--state", str(place))
    assert gone(place)
    assert "no sandbox runs" in said("down", "--state", str(place), code=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_ends_by_signal(place: Path, number: signal.Signals) -> None:
    run = started(place)
    assert set(processes(place).values()) >= PROGRAMS
    run.send_signal(number)
    assert run.wait(60) == 130
    assert gone(place)


def test_it_ends_with_a_killed_owner(place: Path) -> None:
    run = started(place)
    run.kill()
    run.wait()
    wait_until_gone(place)


def test_a_killed_server_leaves_nothing(place: Path) -> None:
    sandbox = Sandbox.start(directory=place)
    os.kill(sandbox.state["pid"], signal.SIGKILL)
    wait_until_gone(place)
    assert not sandbox.running
    sandbox.stop()  # has nothing to do and does not fail


def test_it_can_be_interrupted_while_it_starts(place: Path) -> None:
    run = subprocess.Popen(command("run", "--dir", str(place)), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    until(lambda: "kube-apiserver" in processes(place).values(), "the API server was never started")
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == 130
    run.stderr.close()
    wait_until_gone(place)


# -- refusals -------------------------------------------------------------------------------------------------------


def test_a_failed_start_says_why_and_leaves_nothing(place: Path) -> None:
    with pytest.raises(SandboxError, match="account_id '12' is not 12 digits"):
        Sandbox.start(accounts={"12": "payer"}, kubernetes=False, directory=place)
    wait_until_gone(place)


def test_a_directory_with_something_in_it_is_refused_and_kept(place: Path) -> None:
    place.mkdir()
    (place / "notes.txt").write_text("mine")
    with pytest.raises(SandboxError, match="is not empty"):
        Sandbox.start(directory=place)
    assert (place / "notes.txt").read_text() == "mine"


def test_without_kubernetes_no_cluster_can_be_added(gateway: ClientSandbox) -> None:
    assert set(processes(gateway.state_file.parent).values()) == {"server", "guardian.py"}
    with pytest.raises(SandboxError, match="without Kubernetes"):
        gateway.add_cluster("blue", "222222222222", "eu-west-1")


@pytest.mark.parametrize(
    "arguments",
    [
        ("up", "--account", "123=payer"),
        ("up", "--cluster", "demo=222222222222"),
        ("fault", "not json"),
        ("calls", "--state", "/nowhere/sandbox.json"),
    ],
)
def test_cli_refuses_what_it_does_not_understand(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(command(*arguments), env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert "error" in done.stderr and "Traceback" not in done.stderr


# -- calls and faults by the CLI ------------------------------------------------------------------------------------


def test_calls_and_faults_by_the_cli(gateway: ClientSandbox) -> None:
    where = ("--state", str(gateway.state_file))
    before = str(gateway.mark())
    said("fault", *where, '{"service": "kms", "throttle": true, "times": 1}')
    try:
        with pytest.raises(ClientError, match="ThrottlingException"):
            gateway.client("kms", "payer").list_keys()
        gateway.client("kms", "payer").list_keys()
    finally:
        said("fault", *where, "--clear")
    shown = said("calls", *where, "--since", before)
    assert re.search(r"1 kms +ListKeys +111111111111 +read +200", shown)
    assert re.search(r"1 kms +ListKeys +111111111111 +read +400", shown)


# -- processes ------------------------------------------------------------------------------------------------------


def test_a_process_is_known_by_its_start_time_too() -> None:
    own = start_time(os.getpid())
    assert own is not None and is_running(os.getpid(), own)
    assert not is_running(os.getpid(), own + 1)  # the pid of a later process
    assert not is_running(os.getpid(), None)


def test_a_zombie_does_not_run() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert start_time(child.pid) is None
    child.wait()


def test_a_stubborn_child_is_killed(tmp_path: Path) -> None:
    text = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    child = Child("deaf", [sys.executable, "-c", text], tmp_path / "log")
    until(lambda: "deaf" in child.last_words(), "the child did not begin")
    child.stop(0.2)
    assert not child.alive and child.process.returncode == -signal.SIGKILL


def test_free_ports_differ() -> None:
    ports = [free_port() for _unused in range(20)]
    assert len(set(ports)) == 20
