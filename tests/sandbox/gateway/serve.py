# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve a gateway over TLS on 127.0.0.1."""

from __future__ import annotations

import asyncio
import asyncio.constants
import logging
import socket
import ssl
from pathlib import Path
from typing import Any

from . import ministack_context
from .app import Gateway, create_gateway
from .tls import make_certificates


def prepare(directory: str | Path, state: dict[str, Any]) -> tuple[Gateway, socket.socket]:
    """A gateway and the bound socket of a free port.

    Makes the certificates in `directory` and fills `endpoint_url`, `ca_bundle` and (if missing) `calls_file` of
    `state`.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    ca, _certificate, _key = make_certificates(directory)
    state.setdefault("calls_file", str(Path(directory) / "calls.jsonl"))
    state.update(endpoint_url=f"https://127.0.0.1:{port}", ca_bundle=ca)
    return create_gateway(ministack_context.load(port), state), listener


async def serve(
    gateway: Gateway,
    listener: socket.socket,
    directory: str | Path,
    stop: asyncio.Event,
    ready: asyncio.Event | None = None,
) -> None:
    """Serve until `stop` is set. `ready` is set once connections are accepted."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    # A client that keeps its connection open does not answer the TLS shutdown, which asyncio awaits for 30 s each.
    # Hypercorn passes no value of its own, so the default counts.
    asyncio.constants.SSL_SHUTDOWN_TIMEOUT = 0.2  # type: ignore[attr-defined]
    asyncio.get_running_loop().set_exception_handler(_quiet_about_lost_clients)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.certfile, config.keyfile = str(Path(directory) / "server.pem"), str(Path(directory) / "server.key")
    config.alpn_protocols = ["http/1.1"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.h11_max_incomplete_size = 1 << 20
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")

    async def shutdown() -> None:
        # Hypercorn asks for this once it listens.
        if ready is not None:
            ready.set()
        await stop.wait()

    await hypercorn_serve(gateway, config, shutdown_trigger=shutdown)  # type: ignore[arg-type]


def _quiet_about_lost_clients(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), (TimeoutError, ConnectionError, ssl.SSLError)):
        loop.default_exception_handler(context)
