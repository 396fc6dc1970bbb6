# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway itself: an ASGI application around MiniStack's.

A call is identified (service, operation, who), meets the fault rules, is authenticated and authorized, passes the
rules of sandbox.gateway.rules, MiniStack, the rules behind it, and is recorded. Paths below /_sandbox/ are the
sandbox' own.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from . import authorize, ministack_context
from .call import SETUP_USER_AGENT, Call, Response
from .faults import CutConnection, Faults
from .record import Recorder
from .rules import registry
from .rules.evaluator import current_call

logger = logging.getLogger(__name__)
CONTROL_PREFIX = "/_sandbox/"
Handler = Callable[[dict[str, Any]], Any]
Asgi = Callable[[dict, Callable, Callable], Awaitable[None]]


class Gateway:
    """All that rules, the control plane and the billing writer share.

    `state`: the sandbox' state (accounts: id -> {profile, ...}, the first one is the payer; `calls_file`).
    `settings`: switches of POST /_sandbox/settings; a rule module adds its own with `define_setting`.
    `issuers`: issuer URL -> JWKS document, or a (plain or async) callable that returns one.
    `clusters`: (account id, region, name) -> {"endpoint", "ca_data" (base64 PEM), "issuer"}.
    `endpoint_url`, `ca_bundle`: where this gateway is served; the server sets them.
    """

    def __init__(self, ministack: Asgi, state: dict[str, Any]) -> None:
        self.ministack = ministack
        self.state = state
        self.settings: dict[str, Any] = {}
        self.issuers: dict[str, Any] = {}
        self.clusters: dict[tuple[str, str, str], dict[str, str]] = {}
        self.endpoint_url = state.get("endpoint_url", "")
        self.ca_bundle = state.get("ca_bundle", "")
        self.record = Recorder(state.get("calls_file"))
        self.faults = Faults()
        self._control: dict[tuple[str, str], Handler] = {}
        self._routes: list[tuple[str, Asgi]] = []
        self._on_settings: list[Callable[[], None]] = []

    # -- the organisation ----------------------------------------------------------------------------------------

    def payer(self) -> str:
        """The management account: the first one of the sandbox."""
        return next(iter(self.state.get("accounts", {})), "")

    def members(self) -> list[str]:
        """The other accounts of the organisation; those of the setting `standalone_accounts` are in none."""
        alone = self.settings.get("standalone_accounts", [])
        return [account for account in list(self.state.get("accounts", {}))[1:] if account not in alone]

    def payer_of(self, account_id: str) -> str:
        """The account that pays for this one: the management account for its members, else the account itself."""
        return self.payer() if account_id in self.members() else account_id

    def organization_id(self, account_id: str) -> str | None:
        """The organisation's id for its accounts, None for any other."""
        from .rules.organizations import organization_id

        return organization_id(self.payer()) if account_id in (self.payer(), *self.members()) else None

    # -- what others plug in -------------------------------------------------------------------------------------

    def control(self, path: str, method: str = "") -> Callable[[Handler], Handler]:
        """Serve JSON at a path below /_sandbox/: `handler(body) -> dict`, plain or async; any method unless named.

        An exception answers status 400 with its text as `error`.
        """

        def mark(handler: Handler) -> Handler:
            self._control[(method.upper(), path)] = handler
            return handler

        return mark

    def route(self, prefix: str) -> Callable[[Asgi], Asgi]:
        """Serve all paths with this prefix by an ASGI application of one's own; such requests are no AWS calls."""

        def mark(application: Asgi) -> Asgi:
            self._routes.append((prefix, application))
            return application

        return mark

    def define_setting(self, name: str, default: Any, on_change: Callable[[], None] | None = None) -> None:
        """Make `name` a setting that POST /_sandbox/settings knows; `on_change()` runs after each change."""
        self.settings.setdefault(name, default)
        if on_change:
            self._on_settings.append(on_change)

    def setup_client(self, service: str, account_id: str, region: str = "us-east-1") -> Any:
        """A boto3 client as root of an account, over this gateway, neither recorded nor faulted.

        It blocks: from async code call it in `asyncio.to_thread`.
        """
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            verify=self.ca_bundle,
            aws_access_key_id=account_id,
            aws_secret_access_key="test",
            config=Config(
                user_agent_extra=SETUP_USER_AGENT, s3={"addressing_style": "path"}, retries={"max_attempts": 0}
            ),
        )

    def authorize(
        self, call: Call, action: str, resource: str, context: dict[str, Any] | None = None
    ) -> authorize.Denied | None:
        """Whether the caller may do `action` (glue:GetTable) on `resource` (an ARN); None = allowed.

        Identity policies, boundary, session policies, organization policies, and the resource's own policy where it
        has one.
        """
        return authorize.check(call, action, resource, context)

    async def forward(self, call: Call) -> Response:
        """Have MiniStack answer the call as it is now, rules left out."""
        return await ministack_context.forward(self.ministack, call)

    # -- the pipeline --------------------------------------------------------------------------------------------

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            await self.ministack(scope, receive, send)
            return
        for prefix, application in self._routes:
            if scope["path"].startswith(prefix):
                await application(scope, receive, send)
                return
        body = await _read(receive)
        if scope["path"].startswith(CONTROL_PREFIX):
            response = await self._answer_control(scope, body)
        else:
            try:
                # A context of its own: MiniStack keeps account, region and caller of a request in context variables.
                response = await asyncio.create_task(self._answer_aws(scope, body), context=contextvars.copy_context())
            except CutConnection:
                await _cut(send)
                return
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})

    async def _answer_control(self, scope: dict, body: bytes) -> Response:
        from .call import json_response

        handler = self._control.get((scope["method"], scope["path"])) or self._control.get(("", scope["path"]))
        if handler is None:
            return json_response(
                {"error": f"The sandbox has no {scope['method']} {scope['path']}."}, 404, "application/json"
            )
        try:
            answer = handler(json.loads(body or b"{}"))
            answer = await answer if hasattr(answer, "__await__") else answer
        except Exception as error:  # whatever went wrong is told to the caller, who is a test or a person
            logger.warning("%s: %s", scope["path"], traceback.format_exc())
            return json_response({"error": f"{type(error).__name__}: {error}"}, 400, "application/json")
        return json_response(answer if answer is not None else {}, 200, "application/json")

    async def _answer_aws(self, scope: dict, body: bytes) -> Response:
        call = ministack_context.enter(scope, body)
        current_call.set(call)
        recorded = not call.is_setup
        number = self.record.begin() if recorded else 0
        fault = self.faults.pick(call) if recorded else None
        try:
            response = await self.faults.apply(fault, call) if fault else None
            if response is None:
                response = await self.answer(call)
            if fault and fault.cut == "after":
                raise CutConnection
        except CutConnection:
            self.record.write(number, call, None)
            raise
        if recorded:
            self.record.write(number, call, response)
        return response

    async def answer(self, call: Call) -> Response:
        """Authorize the call, then rules, MiniStack, rules."""
        response = authorize.refuse(call)
        if response is None:
            for rule in registry.rules_for("before", call.service, call.operation):
                response = await registry.run(rule, call, self)
                if response is not None:
                    break
            else:
                response = await self.forward(call)
        for rule in registry.rules_for("after", call.service, call.operation):
            changed = await registry.run(rule, call, response, self)
            response = response if changed is None else changed
        return response


def create_gateway(ministack_app: Asgi, state: dict[str, Any]) -> Gateway:
    """A gateway around MiniStack's ASGI application, with all rules loaded."""
    gateway = Gateway(ministack_app, state)
    registry.load(gateway)

    @gateway.control("/_sandbox/settings")
    def settings(body: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(body) - set(gateway.settings))
        if unknown:
            raise ValueError(f"unknown setting {', '.join(unknown)}; there are {', '.join(sorted(gateway.settings))}")
        previous = dict(gateway.settings)
        gateway.settings.update(body)
        try:
            for on_change in gateway._on_settings:
                on_change()
        except Exception:
            gateway.settings.update(previous)
            raise
        return gateway.settings

    @gateway.control("/_sandbox/issuers")
    def register_issuer(body: dict[str, Any]) -> dict[str, Any]:
        gateway.issuers[body["issuer"]] = body["jwks"]
        return {"issuers": sorted(gateway.issuers)}

    @gateway.control("/_sandbox/cluster-endpoints")
    def register_cluster(body: dict[str, Any]) -> dict[str, Any]:
        gateway.clusters[(body["account_id"], body["region"], body["name"])] = {
            name: body[name] for name in ("endpoint", "ca_data", "issuer")
        }
        return {"clusters": ["/".join(key) for key in gateway.clusters]}

    @gateway.control("/_sandbox/faults", "POST")
    def set_faults(body: dict[str, Any]) -> dict[str, Any]:
        gateway.faults.replace(body.get("rules", []))
        return gateway.faults.show()

    @gateway.control("/_sandbox/faults", "GET")
    def show_faults(_body: dict[str, Any]) -> dict[str, Any]:
        return gateway.faults.show()

    return gateway


async def _read(receive: Callable) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _cut(send: Callable) -> None:
    """Drop the connection under the client, without an answer.

    ASGI has no word for that. Under hypercorn `send` belongs to the stream, that to the protocol, that to the TCP
    server.
    """
    stream = send.__self__  # type: ignore[attr-defined]
    server = stream.send.__self__.send.__self__
    stream.closed = True
    server.writer.transport.abort()
