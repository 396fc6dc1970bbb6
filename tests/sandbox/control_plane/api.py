# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to an API server, as its administrator: JSON over HTTPS, nothing more."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


class ApiError(Exception):
    """The API server refused a call: `status` (HTTP) and its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class KubernetesApi:
    """One API server."""

    def __init__(self, endpoint: str, ca_file: Path, token: str) -> None:
        self.endpoint = endpoint
        self._context = ssl.create_default_context(cafile=str(ca_file))
        self._token = token

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """Send one request and return the decoded answer (text where it is not JSON).

        Raises ApiError for an error status, OSError when the server cannot be reached.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Accept", "application/json, */*")
        if data is not None:
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=15, context=self._context) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            try:
                message = json.loads(text).get("message", text)
            except (ValueError, AttributeError):
                message = text
            raise ApiError(error.code, message) from None
        except http.client.HTTPException as error:
            raise OSError(f"{self.endpoint}: {error!r}") from None
        try:
            return json.loads(text)
        except ValueError:
            return text

    def apply(self, path: str, document: dict[str, Any]) -> Any:
        """Server-side apply of one object at its path (name included)."""
        query = "?fieldManager=kubestrap-sandbox&force=true"
        return self.request("PATCH", path + query, document, "application/apply-patch+yaml")

    async def arequest(self, method: str, path: str, body: Any = None) -> Any:
        """`request` from the event loop."""
        return await asyncio.to_thread(self.request, method, path, body)

    async def aapply(self, path: str, document: dict[str, Any]) -> Any:
        """`apply` from the event loop."""
        return await asyncio.to_thread(self.apply, path, document)
