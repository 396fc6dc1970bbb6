# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON over ASGI, for what the gateway serves beside AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


async def receive_json(receive: Callable) -> Any:
    """The body of a request, {} when it is empty."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return json.loads(body or b"{}")


async def send_json(send: Callable, status: int, answer: Any) -> None:
    """The answer to a request."""
    content = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
