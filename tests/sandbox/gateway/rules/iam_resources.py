# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources that IAM's calls are authorized on (service authorization reference of IAM).

MiniStack 1.5.33 leaves out paths, and checks OIDC providers, policies to be made and the use of keys on `*`.
"""

from __future__ import annotations

from typing import Any


def setup(_gateway: Any) -> None:
    """Have MiniStack's authorization use `resource_of` for IAM."""
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
        if service == "iam":
            flat = {name: value[0] if isinstance(value, list) else value for name, value in query_params.items()}
            return resource_of(flat, account_id)
        return extract(service, method, path, headers, body, query_params, region, account_id)

    iam_actions.extract_resource_arn = corrected


def resource_of(params: dict[str, str], account_id: str) -> str:
    """The ARN that a call with these parameters is about, `*` when it has none."""
    from ministack.services import iam

    base, path = f"arn:aws:iam::{account_id}:", params.get("Path") or "/"
    for parameter, kind, store in (
        ("RoleName", "role", iam._roles),
        ("UserName", "user", iam._users),
        ("GroupName", "group", iam._groups),
    ):
        name = params.get(parameter)
        if name:
            known = store.get_scoped(account_id, None, name)
            return known["Arn"] if known else f"{base}{kind}{path}{name}"
    if params.get("Action") == "GetAccessKeyLastUsed":  # which names a key, and is about its user
        key = iam._access_keys.get_scoped(account_id, None, params.get("AccessKeyId", ""))
        user = iam._users.get_scoped(account_id, None, key["UserName"]) if key else None
        return user["Arn"] if user else "*"
    if params.get("Action") == "CreatePolicy":
        return f"{base}policy{path}{params.get('PolicyName', '')}"
    if params.get("Url"):
        return f"{base}oidc-provider/{params['Url'].removeprefix('https://')}"
    return params.get("PolicyArn") or params.get("OpenIDConnectProviderArn") or params.get("PolicySourceArn") or "*"
