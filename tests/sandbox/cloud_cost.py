# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on which Kubecost and OpenCost say how the ingestion of billing data goes, and what their pods log.

POST /_sandbox/cloud-cost sets both, for one cluster; what is left out stays as it is:

    {"cluster": "demo", "namespace": "kubecost",
     "answers": [{"data": [{"key": "111111111111/s3://results", "connectionStatus": "No Connection"}]},
                 {"http_status": 503, "text": "Cloud Cost is not enabled"}],
     "lines": ["2026-01-01T00:00:01Z INF Cloud Costs enabled: true"]}

Each answer is given once, the last one from then on. {"derive": true} is one too: the page and the log then follow from
what is there, see sandbox.cloud_cost_chain. Pods of the namespace serve them by port-forward as the vendors'
do: /cloudCost/status on the ports 9003 (OpenCost) and 9005 (cloud-cost), /model/cloudCost/status on 9090 (frontend).
The answer of the control path has the addresses of both, for whoever reads a URL.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from .cloud_cost_chain import Chain
from .control_plane.cluster import ControlPlane
from .control_plane.flags import LOOPBACK

BACKEND_PATH, FRONTEND_PATH = "/cloudCost/status", "/model/cloudCost/status"
BACKEND_PORTS, FRONTEND_PORTS = (9003, 9005), (9090,)
_TIME = "2026-01-01T00:00:00.000000000Z"


@dataclasses.dataclass
class _Page:
    """The page of one cluster."""

    answers: list[dict[str, Any]]
    namespace: str
    ports: dict[str, int] = dataclasses.field(default_factory=dict)  # path -> port on the loopback
    servers: list[asyncio.Server] = dataclasses.field(default_factory=list)
    asked: int = 0

    def answer(self) -> dict[str, Any]:
        """The next answer."""
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class CloudCost:
    """The pages of all clusters.

    `planes`: their control planes, by name; `clusters`: their entries of the sandbox' state; `gateway`: answers AWS'
    calls.
    """

    def __init__(
        self, planes: Mapping[str, ControlPlane], clusters: Mapping[str, Mapping[str, str]], gateway: Any
    ) -> None:
        self._planes, self._clusters, self._gateway = planes, clusters, gateway
        self._pages: dict[str, _Page] = {}

    async def set(self, body: dict[str, Any]) -> dict[str, Any]:
        """The control path. Returns the page's addresses and how often it was asked since it was last set."""
        unknown = sorted(set(body) - {"cluster", "namespace", "answers", "lines"})
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)}; there are cluster, namespace, answers, lines")
        name = body.get("cluster")
        plane = self._planes.get(name)
        if plane is None:
            raise ValueError(f"there is no cluster {name}; there are {', '.join(self._planes)}")
        page = self._pages.setdefault(name, _Page([{"data": []}], "kubecost"))
        asked = page.asked
        if "answers" in body:
            page.answers, page.asked = [dict(answer) for answer in body["answers"]] or [{"data": []}], 0
        if "lines" in body:
            _write_log(plane, body["lines"])
        if not page.servers or body.get("namespace", page.namespace) != page.namespace:
            page.namespace = body.get("namespace", page.namespace)
            await self._serve(plane, page)
        urls = {path: f"http://{LOOPBACK}:{port}{path}" for path, port in page.ports.items()}
        return {"backend": urls[BACKEND_PATH], "frontend": urls[FRONTEND_PATH], "asked": asked}

    async def _serve(self, plane: ControlPlane, page: _Page) -> None:
        """Open the page's ports, once, and let the pods of its namespace forward to them."""
        for path in (BACKEND_PATH, FRONTEND_PATH):
            if path not in page.ports:
                server = await asyncio.start_server(self._handler(plane, page, path), LOOPBACK, 0)
                page.servers.append(server)
                page.ports[path] = server.sockets[0].getsockname()[1]
        forwards = [
            {"ports": list(ports), "target": {"address": LOOPBACK, "port": page.ports[path]}}
            for ports, path in ((BACKEND_PORTS, BACKEND_PATH), (FRONTEND_PORTS, FRONTEND_PATH))
        ]
        await plane.api.aapply(
            "/apis/kwok.x-k8s.io/v1alpha1/clusterportforwards/cloud-cost",
            {
                "apiVersion": "kwok.x-k8s.io/v1alpha1",
                "kind": "ClusterPortForward",
                "metadata": {"name": "cloud-cost"},
                "spec": {"selector": {"matchNamespaces": [page.namespace]}, "forwards": forwards},
            },
        )

    def _handler(self, plane: ControlPlane, page: _Page, path: str) -> Callable[..., Any]:
        """Answers HTTP requests on one port: one per connection, GET of the page only."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target = head.split(" ", 2)[:2]
                if (method, target.partition("?")[0]) != ("GET", path):
                    answer: dict[str, Any] = {"http_status": 404, "text": "404 page not found"}
                else:
                    answer = page.answer()
                if answer.get("derive"):
                    answer = await asyncio.to_thread(self._derived, plane, page)
                writer.write(_response(answer))
                await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass  # a connection without a request
            finally:
                writer.close()

        return handle

    def _derived(self, plane: ControlPlane, page: _Page) -> dict[str, Any]:
        """The page as it follows from what is there; the log is written with it."""
        chain = Chain(plane.api, self._gateway, self._clusters[plane.name]["account_id"])
        data, lines = chain.status(page.namespace)
        _write_log(plane, lines)
        return {"data": data}


def _write_log(plane: ControlPlane, lines: list[str]) -> None:
    """What all containers of the cluster have logged, in the format of container runtimes."""
    text = "".join(f"{_TIME} stdout F {line}\n" for line in lines)
    (plane.plan.directory / "container.log").write_text(text)


def _response(answer: Mapping[str, Any]) -> bytes:
    """`data` in the envelope of the vendors' answers, or `text` as it is."""
    status = answer.get("http_status", 200)
    if "text" in answer:
        kind, body = "text/plain", str(answer["text"]).encode()
    else:
        kind, body = "application/json", json.dumps({"code": status, "data": answer.get("data")}).encode()
    head = f"HTTP/1.1 {status} Answer\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
