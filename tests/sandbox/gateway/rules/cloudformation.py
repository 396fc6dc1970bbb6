# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack without a service role makes and deletes its parts with the rights of whoever asked for it.

MiniStack 1.5.33 looks at the right to the stack only. Checked are the types that the crawler's template has, and roles;
other types need nothing. Who makes a crawler needs iam:PassRole to its role. Source: CloudFormation user guide,
"Control CloudFormation access"; the handlers' permissions in the schemas of the resource types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import authorize
from .evaluator import current_call

Right = tuple[str, str, dict[str, Any]]  # action, resource, condition keys


def setup(_gateway: Any) -> None:
    """Check before MiniStack makes or deletes a part; what is raised is the reason of the failed resource."""
    from ministack.services.cloudformation import stacks

    make, delete = stacks._provision_resource, stacks._delete_resource

    def checked_make(kind: str, logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        _check(kind, "make", props, lambda: _role_name(stack_name, logical_id, props))
        return make(kind, logical_id, props, stack_name)

    def checked_delete(
        kind: str, physical_id: str, props: dict[str, Any], stack_name: str | None = None, logical_id: str | None = None
    ) -> Any:
        _check(kind, "delete", props, lambda: physical_id)
        return delete(kind, physical_id, props, stack_name, logical_id)

    stacks._provision_resource, stacks._delete_resource = checked_make, checked_delete


def _check(kind: str, doing: str, props: dict[str, Any], role_name: Callable[[], str]) -> None:
    call = current_call.get()
    if call is None or call.is_setup:
        return
    if kind == "AWS::IAM::Role":
        rights = _role(call.account_id, doing, props, role_name())
    elif kind.startswith("AWS::Glue::"):
        rights = _glue(f"arn:aws:glue:{call.region}:{call.account_id}", kind.rsplit("::", 1)[-1], doing, props)
    else:
        return
    for action, resource, context in rights:
        denied = authorize.check(call, action, resource, context)
        if denied:
            raise ValueError(f"{denied.message} (Service: {action.split(':')[0]}, Status Code: 403)")


def _role_name(stack_name: str, logical_id: str, props: dict[str, Any]) -> str:
    from ministack.services.cloudformation import provisioners

    return props.get("RoleName") or provisioners._physical_name(stack_name, logical_id, max_len=64)


def _role(account: str, doing: str, props: dict[str, Any], name: str) -> list[Right]:
    arn = f"arn:aws:iam::{account}:role{props.get('Path', '/')}{name}"
    boundary = {"iam:PermissionsBoundary": props.get("PermissionsBoundary")}
    make = doing == "make"
    actions = ["CreateRole", "GetRole", "TagRole"] if make else ["GetRole", "DeleteRole"]
    actions += [] if make else ["ListAttachedRolePolicies", "ListRolePolicies"]
    if props.get("Policies"):
        actions += ["PutRolePolicy", "GetRolePolicy"] if make else ["DeleteRolePolicy"]
    rights: list[Right] = [(f"iam:{action}", arn, boundary) for action in actions]
    attach = f"iam:{'Attach' if make else 'Detach'}RolePolicy"
    return rights + [
        (attach, arn, {**boundary, "iam:PolicyARN": policy}) for policy in props.get("ManagedPolicyArns", [])
    ]


def _glue(base: str, kind: str, doing: str, props: dict[str, Any]) -> list[Right]:
    if kind == "Crawler":
        crawler = f"{base}:crawler/{props['Name']}"
        if doing == "delete":
            return [(f"glue:{action}Crawler", crawler, {}) for action in ("Get", "Stop", "Delete")]
        rights: list[Right] = [
            (f"glue:{action}", crawler, {}) for action in ("CreateCrawler", "GetCrawler", "TagResource")
        ]
        return [*rights, ("iam:PassRole", props["Role"], {"iam:PassedToService": "glue.amazonaws.com"})]
    database = props.get("DatabaseName") or (props.get("DatabaseInput") or {}).get("Name")
    resources = [f"{base}:catalog", f"{base}:database/{database}"]
    if kind == "Table":
        resources.append(f"{base}:table/{database}/{(props.get('TableInput') or {}).get('Name')}")
    actions = ("Create", "Get") if doing == "make" else ("Delete",)
    return [(f"glue:{action}{kind}", resource, {}) for action in actions for resource in resources]
