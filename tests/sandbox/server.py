# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server process of a sandbox: the gateway, and a control plane per cluster as children.

    python -m sandbox.server REQUEST.json

It tells the process that started it how far it is, in JSON lines on standard output: {"progress": text}, and at the
end either {"ready": path of sandbox.json} or {"failed": text}. Then it lets go of standard output. It ends on SIGTERM,
SIGINT, or when its owner has gone; its directory is removed by a guardian process then.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from . import accounts, cloud_cost, eks, guardian
from .control_plane.cluster import ControlPlane
from .processes import is_running, start_time
from .stackgres import control as stackgres

_LOG = logging.getLogger("sandbox.server")
_OWNER_SECONDS = 0.5  # how often the owner is looked for


class Server:
    """One sandbox. `request` is what the client asks for: see client.Sandbox.start."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.directory = Path(request["directory"])
        self.stop = asyncio.Event()
        self.planes: dict[str, ControlPlane] = {}
        self.state: dict[str, Any] = {
            "pid": os.getpid(),
            "start_time": start_time(os.getpid()),
            "calls_file": str(self.directory / "calls.jsonl"),
            "aws_config_file": str(self.directory / "aws-config"),
            "log_dir": str(self.directory / "logs"),
            "programs_dir": request.get("programs_dir"),
            "helm": f"{request['programs_dir']}/helm" if request.get("programs_dir") else None,
            "accounts": {},
            "clusters": {},
        }
        self._changes = asyncio.Lock()  # one change of accounts or clusters at a time
        self._begun = time.monotonic()

    async def run(self) -> None:
        """Start everything, serve until told to stop, stop everything."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)
        background = [asyncio.create_task(self._watch_owner())]
        try:
            starting = asyncio.create_task(self._start(background))
            stopping = asyncio.create_task(self.stop.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.wait({starting})
            else:
                starting.result()
            await stopping
        except Exception as error:
            _LOG.error("%s", traceback.format_exc())
            _tell({"failed": f"{type(error).__name__}: {error}"})
        finally:
            self.stop.set()
            await asyncio.gather(*(plane.stop() for plane in self.planes.values()))
            for task in background[1:]:
                await asyncio.wait({task}, timeout=5)

    async def _start(self, background: list[asyncio.Task[None]]) -> None:
        from .gateway import serve

        self._progress("starting the AWS gateway")
        self.gateway, listener = await asyncio.to_thread(serve.prepare, self.directory, self.state)
        host = self.state["endpoint_url"].removeprefix("https://")
        self.routes = eks.Routes({host, host.replace("127.0.0.1", "localhost")})
        self.gateway.route(eks.PREFIX)(self.routes)
        self._serve_control()
        for account_id, profile in self.request["accounts"].items():
            self._declare_account(account_id, profile)
        listening = asyncio.Event()
        background.append(
            asyncio.create_task(serve.serve(self.gateway, listener, self.directory, self.stop, listening))
        )
        clusters = self.request["clusters"] if self.request["kubernetes"] else []
        if clusters:
            names = ", ".join(cluster[0] for cluster in clusters)
            self._progress(f"starting etcd, API server, controller manager, scheduler and kwok of {names}")
        planes = asyncio.gather(*(self._start_plane(*cluster) for cluster in clusters))
        try:
            await listening.wait()
            await asyncio.gather(*(self._create_operator(account_id) for account_id in self.state["accounts"]))
            self._progress("the AWS gateway is ready, accounts " + ", ".join(self.state["accounts"]))
            for cluster, plane in zip(clusters, await planes, strict=True):
                await self._publish(*cluster, plane)
                self._progress(f"cluster {cluster[0]} is ready (Kubernetes {plane.version})")
        except BaseException:
            planes.cancel()
            raise
        self._write_state()
        self._progress("everything is ready")
        _tell({"ready": str(self.directory / "sandbox.json")})

    # -- accounts and clusters -----------------------------------------------------------------------------------

    def _serve_control(self) -> None:
        self.gateway.control("/_sandbox/state")(lambda _body: self._shown())
        self.gateway.control("/_sandbox/accounts", "POST")(self._add_account)
        self.gateway.control("/_sandbox/clusters", "POST")(self._add_cluster)
        pages = cloud_cost.CloudCost(self.planes, self.state["clusters"], self.gateway)
        self.gateway.control("/_sandbox/cloud-cost", "POST")(pages.set)
        self.stackgres = stackgres.StackGres(self.planes, self.state["clusters"], self.gateway)
        self.gateway.route(stackgres.PREFIX)(self.stackgres)
        self.gateway.control("/_sandbox/stackgres", "POST")(self.stackgres.set)
        self.gateway.control("/_sandbox/clusters/remove", "POST")(self._remove_cluster)

    def _shown(self) -> dict[str, Any]:
        """The state, and per cluster what runs and what has ended although nobody stopped it."""
        running = {name: {"pids": plane.pids, "failed": plane.failed} for name, plane in self.planes.items()}
        return {**self.state, "processes": running}

    async def _add_account(self, body: dict[str, Any]) -> dict[str, Any]:
        account_id, profile = str(body["account_id"]), str(body["profile"])
        async with self._changes:
            self._declare_account(account_id, profile)
            await self._create_operator(account_id)
            self._write_state()
        return self.state["accounts"][account_id]

    async def _add_cluster(self, body: dict[str, Any]) -> dict[str, Any]:
        name, account_id, region = str(body["name"]), str(body["account_id"]), str(body["region"])
        async with self._changes:
            if not self.request["kubernetes"]:
                raise ValueError("this sandbox was started without Kubernetes")
            if account_id not in self.state["accounts"]:
                raise ValueError(f"there is no account {account_id}; there are {', '.join(self.state['accounts'])}")
            plane = await self._start_plane(name, account_id, region)
            await self._publish(name, account_id, region, plane)
            self._write_state()
        return self.state["clusters"][name]

    async def _remove_cluster(self, body: dict[str, Any]) -> dict[str, Any]:
        name = str(body["name"])
        async with self._changes:
            if name not in self.state["clusters"]:
                raise ValueError(f"there is no cluster {name}; there are {', '.join(self.state['clusters'])}")
            await self.stackgres.stop(name)
            gone = self.state["clusters"].pop(name)
            plane = self.planes.pop(name)
            await plane.stop()
            self.routes.remove(gone["account_id"], gone["region"], name)
            self.gateway.issuers.pop(gone["issuer"], None)
            await asyncio.to_thread(accounts.delete_cluster, self.gateway, gone["account_id"], gone["region"], name)
            shutil.rmtree(plane.plan.directory, ignore_errors=True)
            self._write_state()
        return gone

    def _declare_account(self, account_id: str, profile: str) -> None:
        if not re.fullmatch(r"\d{12}", account_id):
            raise ValueError(f"account_id {account_id!r} is not 12 digits")
        taken = {account["profile"] for account in self.state["accounts"].values()}
        if account_id in self.state["accounts"] or profile in taken:
            raise ValueError(f"account {account_id} or profile {profile} exists already")
        self.state["accounts"][account_id] = {
            "profile": profile,
            "root_profile": f"{profile}-root",
            "operator_role_arn": f"arn:aws:iam::{account_id}:role/{accounts.OPERATOR}",
        }

    async def _create_operator(self, account_id: str) -> None:
        await asyncio.to_thread(accounts.create_operator, self.gateway, account_id)

    async def _start_plane(self, name: str, account_id: str, region: str) -> ControlPlane:
        if name in self.planes:
            raise ValueError(f"cluster {name} exists already (names are unique in a sandbox)")
        if not re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9-]{0,99}", name):
            raise ValueError(f"cluster name {name!r} is not one that EKS accepts")
        issuer = f"https://oidc.eks.{region}.amazonaws.com/id/{secrets.token_hex(16).upper()}"
        url = self.state["endpoint_url"] + self.routes.path(account_id, region, name)
        plane = ControlPlane(
            name=name,
            region=region,
            directory=self.directory / "clusters" / name,
            programs=Path(self.request["programs_dir"]),
            issuer=issuer,
            url=url,
            gateway_ca=Path(self.state["ca_bundle"]),
        )
        self.planes[name] = plane
        self.routes.add(eks.Cluster(account_id, region, name, plane))
        try:
            await plane.start()
        except Exception:
            await self.planes.pop(name).stop()
            shutil.rmtree(plane.plan.directory, ignore_errors=True)
            raise
        return plane

    async def _publish(self, name: str, account_id: str, region: str, plane: ControlPlane) -> None:
        """Make the EKS cluster object of a running control plane, and its issuer's keys known to STS."""
        endpoint, issuer = plane.plan.endpoint, plane.plan.issuer
        self.gateway.issuers[issuer] = plane.jwks
        accounts.register(self.gateway, account_id, region, name, endpoint, plane.ca_file, issuer)
        version = ".".join(plane.version.removeprefix("v").split(".")[:2])
        arn = await asyncio.to_thread(accounts.create_cluster, self.gateway, account_id, region, name, version)
        self.state["clusters"][name] = {
            "name": name,
            "arn": arn,
            "account_id": account_id,
            "region": region,
            "endpoint": endpoint,
            "ca_file": str(plane.ca_file),
            "issuer": issuer,
            "admin_kubeconfig": plane.plan.file("admin.kubeconfig"),
            "admin_token": plane.admin_token,
            "audit_log": str(plane.audit_log),
        }

    def _write_state(self) -> None:
        for path, text in (
            (self.directory / "aws-config", accounts.profiles(self.state)),
            (self.directory / "sandbox.json", json.dumps(self.state, indent=2)),
        ):
            temporary = path.with_suffix(".new")
            temporary.write_text(text)
            temporary.rename(path)

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def _signalled(self) -> None:
        if self.stop.is_set():  # a second time: at once; the children die with this process
            os._exit(1)
        self.stop.set()

    async def _watch_owner(self) -> None:
        owner = self.request.get("owner")
        while owner and not self.stop.is_set():
            if not is_running(*owner):
                _LOG.info("the owner, process %s, has gone", owner[0])
                self.stop.set()
            await asyncio.sleep(_OWNER_SECONDS)

    def _progress(self, text: str) -> None:
        _LOG.info("%s", text)
        _tell({"progress": f"{text} ({time.monotonic() - self._begun:.1f} s)"})


def _tell(message: dict[str, str]) -> None:
    """Say something to whoever started this process, as long as they listen."""
    try:
        os.write(1, json.dumps(message).encode() + b"\n")
    except OSError:
        pass
    if "progress" not in message:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.close(nothing)


def main() -> None:
    """Run the server that a request file describes."""
    request = json.loads(Path(sys.argv[1]).read_text())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    guardian.start(Path(request["directory"]))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    asyncio.run(_main(request))


async def _main(request: dict[str, Any]) -> None:
    try:
        await Server(request).run()
    finally:
        sys.stderr.flush()
        os._exit(0)  # nobody need wait for MiniStack's background threads


if __name__ == "__main__":
    main()
