# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart on 127.0.0.1, over TLS and behind a password, as a Helm repository and as an OCI registry.

with ChartServer(CHARTS / "kubecost", folder) as server:
    ...  # server.repository, server.registry, server.digest, server.ca_file, server.requests
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import ssl
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import yaml
from sandbox.gateway.tls import make_certificates

USERNAME, PASSWORD = "reader", "correct-horse-battery"
_JSON = "application/vnd.oci.image.manifest.v1+json"


def packed(folder: Path) -> bytes:
    """The archive of a chart's folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=yaml.safe_load((folder / "Chart.yaml").read_text())["name"])
    return buffer.getvalue()


class ChartServer(ThreadingHTTPServer):
    """Serves one chart until the block ends.

    :ivar repository: URL of the Helm repository
    :ivar registry: ``oci://`` address of the chart
    :ivar digest: of the chart's manifest in the registry
    :ivar archive_digest: of the chart's archive
    :ivar requests: path of each request, and whether it had the right password
    """

    def __init__(self, chart: Path, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ca_file, certificate, key = make_certificates(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.requests: list[tuple[str, bool]] = []
        host = f"127.0.0.1:{self.server_port}"
        metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
        name, version = metadata["name"], metadata["version"]
        self.repository, self.registry = f"https://{host}/charts", f"oci://{host}/mirror/{name}"
        archive, config = packed(chart), json.dumps(metadata).encode()
        layers = {
            "config": _descriptor("application/vnd.cncf.helm.config.v1+json", config),
            "layers": [_descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", archive)],
        }
        manifest = json.dumps({"schemaVersion": 2, "mediaType": _JSON, **layers}).encode()
        self.digest, self.archive_digest = _digest(manifest), _digest(archive)
        entry = {**metadata, "urls": [f"{name}-{version}.tgz"], "digest": _digest(archive).partition(":")[2]}
        index = yaml.safe_dump({"apiVersion": "v1", "entries": {name: [entry]}}).encode()
        blobs = f"/v2/mirror/{name}/blobs"
        self.content: dict[str, tuple[str, bytes]] = {
            "/charts/index.yaml": ("text/yaml", index),
            f"/charts/{name}-{version}.tgz": ("application/gzip", archive),
            "/v2/": ("application/json", b"{}"),
            f"{blobs}/{_digest(config)}": ("application/octet-stream", config),
            f"{blobs}/{_digest(archive)}": ("application/octet-stream", archive),
            f"/v2/mirror/{name}/tags/list": ("application/json", json.dumps({"tags": [version]}).encode()),
        }
        for reference in (version, self.digest):
            self.content[f"/v2/mirror/{name}/manifests/{reference}"] = (_JSON, manifest)

    def __enter__(self) -> ChartServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: ChartServer

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        path = self.path.partition("?")[0]
        allowed = self.headers.get("Authorization") == wanted
        self.server.requests.append((path, allowed))
        kind, body = self.server.content.get(path, ("text/plain", b"not here"))
        status = 401 if not allowed else 200 if path in self.server.content else 404
        self.send_response(status)
        if not allowed:
            kind, body = "text/plain", b"no"
            self.send_header("WWW-Authenticate", 'Basic realm="charts"')
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if kind == _JSON:
            self.send_header("Docker-Content-Digest", self.server.digest)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_arguments: object) -> None:
        """Keep the output of the tests clean."""


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}
