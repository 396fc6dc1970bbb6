# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: MiniStack's evaluator, asked before any rule runs, and by rules that check further rights.

MiniStack checks a call as part of serving it. Rules that refuse or answer calls themselves must not run for callers
who have no right to the call (AWS authorizes before it validates), so the check is made first, here. S3 has more than
one check per call and rules that come before authorization (wrong region, expected owner), and is left to MiniStack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .call import Call, Response


@dataclass(frozen=True)
class Denied:
    """A right that the caller has not got."""

    action: str
    resource: str
    principal_arn: str
    explicit: bool = False
    by_organization: bool = False
    by_resource: bool = False

    @property
    def reason(self) -> str:
        """Why, as AWS words it."""
        if self.by_organization:
            return "with an explicit deny in a service control policy"
        kind = "a resource-based" if self.by_resource else "an identity-based"
        if self.explicit:
            return f"with an explicit deny in {kind} policy"
        return f"because no {kind.split()[-1]} policy allows the {self.action} action"

    @property
    def message(self) -> str:
        """The whole sentence, as AWS words it."""
        return (
            f"User: {self.principal_arn} is not authorized to perform: {self.action} on resource: "
            f"{self.resource} {self.reason}"
        )


def check(call: Call, action: str, resource: str, context: dict[str, Any] | None = None) -> Denied | None:
    """Whether the caller may do `action` on `resource`; None = allowed. Root of an account always may."""
    from ministack.core.iam_evaluator import AuthError, enforce

    denied = enforce(
        call.access_key, action, action.split(":")[0], call.region, resource_arn=resource, service_context=context or {}
    )
    if denied is None or isinstance(denied, AuthError):
        return None  # bad credentials are MiniStack's to refuse
    return Denied(
        action,
        resource,
        call.principal_arn,
        denied.decision == "Deny",
        bool(call.notes.get("denied_by_organization")),
        bool(call.notes.get("denied_by_resource")),
    )


def refuse(call: Call) -> Response | None:
    """MiniStack's answer to a call that its caller may not make, None when it may (or the call is not checked here)."""
    from ministack import app
    from ministack.core import iam_actions, iam_evaluator
    from ministack.core.router import detect_service

    if call.service in ("s3", "") or not call.operation:
        return None
    query_lists = {name: [value] for name, value in call.query.items()}
    routing = app._routing_params(call.method, call.path, call.headers, call.body, query_lists)
    service = detect_service(call.method, call.path, call.headers, routing)
    if service not in iam_actions.SERVICE_TO_IAM_NAMESPACE:
        service = call.service
    iam_evaluator.pin_request_caller(call.headers, query_lists)
    action = iam_actions.extract_iam_action(service, call.method, call.path, call.headers, call.body, routing)
    if action is None:
        action = f"{iam_actions.SERVICE_TO_IAM_NAMESPACE.get(service, service)}:{call.operation}"
    resource = iam_actions.extract_resource_arn(
        service, call.method, call.path, call.headers, call.body, routing, call.region, call.account_id
    )
    context = iam_actions.request_tag_context(service, action, call.body, routing)
    denied = iam_evaluator.enforce(
        call.access_key, action, service, call.region, resource_arn=resource, service_context=context
    )
    if denied is None:
        return None
    request_id = "00000000-0000-4000-8000-000000000000"
    if isinstance(denied, iam_evaluator.AuthError):
        return _response(app._credential_failure(service, action, request_id, denied, call.headers))
    # Corrected in rules.evaluator.
    return _response(
        iam_actions.access_denied_response(
            service,
            action,
            denied.principal_arn,
            request_id,
            headers=call.headers,
            resource_arn=resource,
            explicit_deny=denied.decision == "Deny",
            resource_policy_arn=denied.resource_policy_arn,
        )
    )


def _response(answer: tuple[int, dict[str, str], bytes]) -> Response:
    status, headers, body = answer
    listed = [
        (name.lower().encode(), str(value).encode())
        for name, value in headers.items()
        if name.lower() != "content-length"
    ]
    return Response(status, [*listed, (b"content-length", str(len(body)).encode())], body)
