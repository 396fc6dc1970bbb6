# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One control plane: starts its programs in order, waits until it can be used, stops them in order."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ..processes import Child, free_port
from . import flags, kwok, objects, pki
from .api import ApiError, KubernetesApi
from .volumes import VolumeSupply

_START_SECONDS = 90.0  # patience, not an expectation: on an idle machine it takes a few


class ControlPlaneError(Exception):
    """A control plane did not start; the text ends with the last lines of the log that tells why."""


class ControlPlane:
    """The control plane of one cluster.

    `directory` is its own and is made here, `programs` holds the built programs, `issuer` is the OIDC issuer that its
    service account tokens carry, `url` and `gateway_ca` say where the gateway answers its webhooks
    (`<url>/authenticate`, `<url>/mutate-pod`).
    """

    def __init__(
        self, name: str, region: str, directory: Path, programs: Path, issuer: str, url: str, gateway_ca: Path
    ) -> None:
        self.name, self.region = name, region
        directory.mkdir(parents=True)
        self.plan = flags.Plan(directory, programs, issuer, free_port(), free_port(), free_port(), free_port())
        self.admin_token = secrets.token_urlsafe(32)
        self._url, self._gateway_ca = url, gateway_ca
        self._children: list[Child] = []
        self._supply: asyncio.Task[None] | None = None
        self.version = ""
        self.jwks: dict[str, Any] = {}
        self.api: KubernetesApi

    @property
    def ca_file(self) -> Path:
        """The CA of the API server's certificate (PEM)."""
        return self.plan.directory / "ca.crt"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: a JSON line per request of anyone but the control plane itself."""
        return self.plan.directory / "audit.jsonl"

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of its programs."""
        return {child.name: child.pid for child in self._children}

    @property
    def failed(self) -> list[str]:
        """Names of programs that have ended although nobody stopped them."""
        return [child.name for child in self._children if not child.alive]

    async def start(self) -> None:
        """Start everything and return when pods can run. Raises ControlPlaneError."""
        await asyncio.to_thread(self._write_files)
        self.api = KubernetesApi(self.plan.endpoint, self.ca_file, self.admin_token)
        self._spawn("etcd", flags.etcd(self.plan))
        self._spawn("kube-apiserver", flags.api_server(self.plan))
        await self._until("the API server is ready", self._api_ready)
        self._spawn("kube-controller-manager", flags.controller_manager(self.plan))
        self._spawn("kube-scheduler", flags.scheduler(self.plan))
        await self._create_objects()
        self._spawn("kwok", flags.kubelet(self.plan))
        await self._until("the nodes are ready", self._nodes_ready)
        await self._until("the default service account exists", self._service_account_exists)
        self.jwks = await self.api.arequest("GET", "/openid/v1/jwks")

    async def stop(self) -> None:
        """Stop everything: etcd last, because an API server without etcd hangs in its shutdown."""
        if self._supply:
            self._supply.cancel()
        children = {child.name: child for child in self._children}
        first = [children[name] for name in ("kube-scheduler", "kube-controller-manager", "kwok") if name in children]
        await asyncio.gather(*(asyncio.to_thread(child.stop, 2.0) for child in first))
        for name in ("kube-apiserver", "etcd"):
            if name in children:
                await asyncio.to_thread(children[name].stop, 3.0)
        self._children = []

    def _write_files(self) -> None:
        directory = self.plan.directory
        pki.write_serving_pair(directory, f"kubernetes of {self.name}")
        pki.write_service_account_pair(directory)
        tokens = {flags.CONTROLLER_MANAGER: secrets.token_urlsafe(32), flags.SCHEDULER: secrets.token_urlsafe(32)}
        tokens[flags.ADMIN] = self.admin_token
        flags.write_files(self.plan, tokens, f"{self._url}/authenticate", self._gateway_ca)

    def _spawn(self, name: str, argv: list[str]) -> None:
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.plan.directory)}
        self._children.append(Child(name, argv, self.plan.directory / f"{name}.log", env))

    async def _until(self, what: str, condition: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        said = ""
        while True:
            try:
                if await condition():
                    return
            except (OSError, ApiError) as error:
                said = str(error)
            for child in self._children:
                if not child.alive:
                    end = f"{child.name} ended with {child.process.returncode}:\n{child.last_words()}"
                    raise ControlPlaneError(f"cluster {self.name}: {end}")
            if time.monotonic() > deadline:
                waited = f"waited {_START_SECONDS:.0f} s until {what}; last: {said}"
                raise ControlPlaneError(f"cluster {self.name}: {waited}")
            await asyncio.sleep(0.1)

    async def _api_ready(self) -> bool:
        await self.api.arequest("GET", "/readyz")
        self.version = (await self.api.arequest("GET", "/version"))["gitVersion"]
        return True

    async def _create_objects(self) -> None:
        definitions = kwok.custom_resource_definitions()
        webhook = objects.pod_identity_webhook(f"{self._url}/mutate-pod", self._gateway_ca)
        supply = VolumeSupply(self.api)
        nodes = [
            objects.node(name, self.region, zone, self.version) for name, zone in zip(objects.NODES, "ab", strict=True)
        ]
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        await asyncio.gather(
            *(self.api.arequest("POST", crds, definition) for definition in definitions),
            *(self.api.arequest("POST", "/api/v1/nodes", node) for node in nodes),
            self.api.arequest("POST", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", webhook),
            supply.fill(),
        )
        self._supply = asyncio.create_task(supply.keep_filled())
        await self._until("kwok's kinds are served", self._kinds_served)

    async def _kinds_served(self) -> bool:
        served = await self.api.arequest("GET", "/apis/kwok.x-k8s.io/v1alpha1")
        return {resource["kind"] for resource in served["resources"]} >= set(kwok.LIVE_KINDS)

    async def _nodes_ready(self) -> bool:
        items = (await self.api.arequest("GET", "/api/v1/nodes"))["items"]
        conditions = [{c["type"]: c["status"] for c in item["status"].get("conditions", [])} for item in items]
        taints = [taint for item in items for taint in item["spec"].get("taints", [])]
        return len(items) == len(objects.NODES) and not taints and all(c.get("Ready") == "True" for c in conditions)

    async def _service_account_exists(self) -> bool:
        await self.api.arequest("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        return True
