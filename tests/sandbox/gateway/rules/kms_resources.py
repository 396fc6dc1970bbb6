# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources that KMS' calls are authorized on (service authorization reference of KMS).

A key that a call names by its alias is the key all the same, and who makes or deletes an alias needs the right to both
the alias and its key. MiniStack 1.5.33 asks for the alias in the first case, and for `*` in the second.
"""

from __future__ import annotations

import json
from typing import Any

from ..aws_errors import access_denied
from ..call import Call, Response
from .kms import find_key
from .registry import before


def setup(_gateway: Any) -> None:
    """Have MiniStack's authorization use `resource_of` for KMS."""
    from ministack.core import iam_actions

    extract = iam_actions.extract_resource_arn

    def corrected(
        service: str,
        method: str,
        path: str,
        headers: dict,
        body: bytes,
        query_params: dict,
        region: str,
        account_id: str,
    ) -> str:
        found = extract(service, method, path, headers, body, query_params, region, account_id)
        return resource_of(found, _parameters(body), region, account_id) if service == "kms" else found

    iam_actions.extract_resource_arn = corrected


def resource_of(found: str, params: dict[str, Any], region: str, account_id: str) -> str:
    """What a call is about: an alias where it makes or deletes one, the key where it names it by its alias.

    :param found: what MiniStack takes it for
    """
    if params.get("AliasName"):
        return f"arn:aws:kms:{region}:{account_id}:{params['AliasName']}"
    if ":alias/" in found and (record := find_key(found, account_id, region)):
        return record["Arn"]
    return found


@before("kms", "CreateAlias", "DeleteAlias", order=5)
def key_of_the_alias(call: Call, gateway: Any) -> Response | None:
    """AccessDenied unless the caller has the right to the alias' key too."""
    named = call.params.get("TargetKeyId") or call.params.get("AliasName", "")
    record = find_key(named, call.account_id, call.region)
    if record is None:
        return None  # MiniStack says NotFoundException
    action = f"kms:{call.operation}"
    denied = gateway.authorize(call, action, record["Arn"])
    return access_denied(call, action, record["Arn"], denied.reason) if denied else None


def _parameters(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
