# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client side of a sandbox: start one, use one, stop one. Standard library only, for any Python 3.11 or newer.

with Sandbox.start() as sandbox:
    subprocess.run(["aws", "s3", "ls"], env=sandbox.environment("payer"))
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import toolchain
from .processes import is_running, start_time, wait_gone

STATE_VARIABLE = "KUBESTRAP_SANDBOX"
ACCOUNTS = {"111111111111": "payer", "222222222222": "cluster"}
CLUSTERS = (("demo", "222222222222", "eu-west-1"),)
_STOP_SECONDS = 30.0


class SandboxError(RuntimeError):
    """A sandbox did not start or refused something; the text says why."""


class Sandbox:
    """A running sandbox, known by its state file (sandbox.json)."""

    def __init__(self, state_file: Path) -> None:
        self.state_file = Path(state_file).resolve()
        self._context: ssl.SSLContext | None = None

    # -- lifecycle -----------------------------------------------------------------------------------------------

    @classmethod
    def start(
        cls,
        kubernetes: bool = True,
        accounts: Mapping[str, str] | None = None,
        clusters: Iterable[Sequence[str]] | None = None,
        directory: str | Path | None = None,
        owner_pid: int | None = -1,
        say: toolchain.Say = toolchain.say_on_stderr,
    ) -> Sandbox:
        """Start a sandbox and wait until it is ready; what it is made of is built first where that is missing.

        `accounts`: account id -> profile; the first one is the payer, which manages the organisation of all.
        `clusters`: (name, account id, region). `directory`: where it lives, must be empty or missing, and is removed at
        its end. The sandbox ends with the process `owner_pid` (this one unless given; None: it stays until stopped).
        Raises SandboxError, toolchain.ToolchainError.
        """
        python, programs = toolchain.ensure(kubernetes, say)
        place = _prepare_directory(directory)
        owner = os.getpid() if owner_pid == -1 else owner_pid
        request = {
            "directory": str(place),
            "programs_dir": str(programs) if programs else None,
            "kubernetes": kubernetes,
            "accounts": dict(ACCOUNTS if accounts is None else accounts),
            "clusters": [list(cluster) for cluster in (CLUSTERS if clusters is None else clusters)],
            "owner": None if owner is None else [owner, start_time(owner)],
        }
        state_file = _launch(python, place, request, say)
        return cls(state_file)

    @classmethod
    def attach(cls, state_file: str | Path | None = None) -> Sandbox:
        """A sandbox that runs: by its state file or directory, else by $KUBESTRAP_SANDBOX, else the only one there is.

        Raises SandboxError when none, or more than one, is meant.
        """
        given = state_file or os.environ.get(STATE_VARIABLE)
        found = [Path(given)] if given else sorted(Path(tempfile.gettempdir()).glob("kubestrap-sandbox-*/sandbox.json"))
        found = [path / "sandbox.json" if path.is_dir() else path for path in found]
        found = [path for path in found if os.access(path, os.R_OK) and cls(path).running]
        if not found:
            raise SandboxError(f"no sandbox runs at {given}" if given else "no sandbox runs")
        if len(found) > 1:
            raise SandboxError("several sandboxes run, name one with --state:\n" + "\n".join(map(str, found)))
        return cls(found[0])

    def stop(self) -> None:
        """End it, and wait until its processes and its directory are gone. Does nothing when it has ended already."""
        try:
            state = self.state
        except OSError:
            return
        pid, started = state["pid"], state["start_time"]
        if is_running(pid, started):
            os.kill(pid, signal.SIGTERM)
            if not wait_gone(pid, started, _STOP_SECONDS):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + _STOP_SECONDS
        while self.state_file.parent.exists():
            if time.monotonic() > deadline:
                raise SandboxError(f"the sandbox has ended, but {self.state_file.parent} is still there")
            time.sleep(0.05)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether its server process is there."""
        try:
            state = self.state
        except (OSError, ValueError):
            return False
        return is_running(state["pid"], state["start_time"])

    # -- use -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """What sandbox.json says now (accounts and clusters can be added while it runs)."""
        return json.loads(self.state_file.read_text())

    def environment(self, profile: str | None = None) -> dict[str, str]:
        """Environment variables for programs that are to see the sandbox as AWS; with `profile`, as AWS_PROFILE too.

        They belong on top of a process' own; `without_credentials` removes from it what would get in the way.
        """
        state = self.state
        variables = {
            "AWS_CONFIG_FILE": state["aws_config_file"],
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CA_BUNDLE": state["ca_bundle"],
            "AWS_EC2_METADATA_DISABLED": "true",
            STATE_VARIABLE: str(self.state_file),
        }
        if state["programs_dir"]:
            variables["PATH"] = f"{state['programs_dir']}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        if profile:
            variables["AWS_PROFILE"] = profile
        return variables

    @staticmethod
    def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
        """An environment without AWS settings of its own (they would win over the sandbox' profiles)."""
        return {name: value for name, value in environment.items() if not name.startswith("AWS_")}

    def control(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call the control API: GET without a body, POST with one; `path` with or without the leading /_sandbox/.

        Raises SandboxError with the sandbox' own words when it refuses.
        """
        state = self.state
        if self._context is None:
            self._context = ssl.create_default_context(cafile=state["ca_bundle"])
        url = f"{state['endpoint_url']}/_sandbox/{path.removeprefix('/_sandbox/').lstrip('/')}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )
        try:
            with opener.open(request, timeout=300) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            try:
                text = json.loads(text)["error"]
            except (ValueError, KeyError, TypeError):
                pass
            raise SandboxError(text) from None
        except urllib.error.URLError as error:
            raise SandboxError(f"{url}: {error.reason}") from None

    def add_account(self, account_id: str, profile: str) -> dict[str, Any]:
        """Add an account while the sandbox runs; returns its entry of the state."""
        return self.control("accounts", {"account_id": account_id, "profile": profile})

    def add_cluster(self, name: str, account_id: str, region: str) -> dict[str, Any]:
        """Add a cluster with a control plane of its own (seconds); returns its entry of the state."""
        return self.control("clusters", {"name": name, "account_id": account_id, "region": region})

    def remove_cluster(self, name: str) -> dict[str, Any]:
        """Delete a cluster and end its control plane (half a gigabyte, and some of a core even when it is idle)."""
        return self.control("clusters/remove", {"name": name})

    def deliver(self, **options: Any) -> dict[str, Any]:
        """Have AWS Billing deliver its reports; options as in sandbox.billing."""
        return self.control("deliver", options)

    def cost_allocation_tags(self, **options: Any) -> dict[str, Any]:
        """Say which tag keys billing has seen, or let time pass for them; options as in sandbox.billing.tags."""
        return self.control("cost-allocation-tags", options)

    def cloud_cost(self, cluster: str, **options: Any) -> dict[str, Any]:
        """Set what the status page of Kubecost and the logs of its pods say; options as in sandbox.cloud_cost."""
        return self.control("cloud-cost", {"cluster": cluster, **options})

    def stackgres(self, cluster: str, **options: Any) -> dict[str, Any]:
        """Have the stand-in for StackGres' operator play in a cluster; options as in sandbox.stackgres.control."""
        return self.control("stackgres", {"cluster": cluster, **options})

    def faults(self, rules: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """Replace all fault rules; none given: remove them."""
        return self.control("faults", {"rules": [dict(rule) for rule in rules]})

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change switches of the gateway; returns all of them."""
        return self.control("settings", dict(values))

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """The recorded AWS calls with a number above `since`, in the order of their numbers."""
        try:
            lines = Path(self.state["calls_file"]).read_text().splitlines()
        except FileNotFoundError:
            return []
        calls = [json.loads(line) for line in lines if line.endswith("}")]
        return sorted((call for call in calls if call["n"] > since), key=lambda call: call["n"])

    def mark(self) -> int:
        """The number of the last recorded call: give it to `calls` later to see what came after."""
        return max((call["n"] for call in self.calls()), default=0)

    @staticmethod
    def count(calls: Iterable[Mapping[str, Any]], **fields: Any) -> int:
        """How many of the calls have all these values, e.g. `kind="write"`, `service="s3"`, `account_id=...`."""
        return sum(all(call.get(name) == value for name, value in fields.items()) for call in calls)


def _prepare_directory(directory: str | Path | None) -> Path:
    if directory is None:
        place = Path(tempfile.mkdtemp(prefix="kubestrap-sandbox-"))
    else:
        place = Path(directory).resolve()
        if place.exists() and any(place.iterdir()):
            raise SandboxError(
                f"{place} is not empty: a sandbox removes its directory at its end, it wants one of its own"
            )
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.chmod(0o700)
    (place / "logs").mkdir()
    return place


def _launch(python: Path, place: Path, request: dict[str, Any], say: toolchain.Say) -> Path:
    """Start the server process and follow it until it is ready. Returns the state file's path."""
    request_file = place / "request.json"
    request_file.write_text(json.dumps(request))
    environment = Sandbox.without_credentials(os.environ)
    environment |= {"PYTHONPATH": str(toolchain.HERE.parent), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    log = place / "logs" / "server.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [str(python), "-m", "sandbox.server", str(request_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    last: dict[str, str] = {}
    words = ""
    try:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                last = json.loads(line)
                if "progress" in last:
                    say(last["progress"])
        if "ready" in last:
            return Path(last["ready"])
        words = "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""
    except BaseException:  # Ctrl-C while it starts
        process.terminate()
        raise
    finally:
        if "ready" not in last:
            process.wait(_STOP_SECONDS)
            shutil.rmtree(place, ignore_errors=True)
    raise SandboxError(f"the sandbox did not start: {last.get('failed') or words or 'its server ended without a word'}")
