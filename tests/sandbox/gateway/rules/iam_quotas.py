# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many roles and OpenID Connect providers an account may have.

MiniStack 1.5.33 tells a quota of roles and keeps none, and does not count identity providers. The settings
`role_quotas` and `provider_quotas` are account id -> quota; 1,000 and 100 elsewhere, as AWS gives them. Source: IAM
user guide, "IAM and STS quotas"; API reference of IAM, GetAccountSummary, CreateRole, CreateOpenIDConnectProvider.
"""

from __future__ import annotations

import re
from typing import Any

from ..aws_errors import aws_error
from ..call import Call, Response
from .registry import after, before

ROLES, PROVIDERS = "role_quotas", "provider_quotas"


def setup(gateway: Any) -> None:
    """Define the settings."""
    gateway.define_setting(ROLES, {})
    gateway.define_setting(PROVIDERS, {})


@after("iam", "GetAccountSummary")
def summary(call: Call, response: Response, gateway: Any) -> Response | None:
    """The quota that is kept, and the number of providers."""
    from ministack.services import iam

    if response.status != 200:
        return None
    text = response.body.decode()
    quota = gateway.settings[ROLES].get(call.account_id, 1000)
    text = re.sub(r"(<key>RolesQuota</key><value>)\d+", rf"\g<1>{quota}", text)
    providers = f"<entry><key>Providers</key><value>{len(iam._oidc_providers)}</value></entry>"
    return response.with_body(text.replace("</SummaryMap>", f"{providers}</SummaryMap>").encode())


@before("iam", "CreateRole", order=30)
def roles(call: Call, gateway: Any) -> Response | None:
    """No more roles than the quota."""
    from ministack.services import iam

    return _refuse(call, "RolesPerAccount", len(iam._roles), gateway.settings[ROLES].get(call.account_id, 1000))


@before("iam", "CreateOpenIDConnectProvider", order=30)
def providers(call: Call, gateway: Any) -> Response | None:
    """No more providers than the quota."""
    from ministack.services import iam

    quota = gateway.settings[PROVIDERS].get(call.account_id, 100)
    return _refuse(call, "OpenIdConnectProvidersPerAccount", len(iam._oidc_providers), quota)


def _refuse(call: Call, quota_name: str, number: int, quota: int) -> Response | None:
    if number < quota:
        return None
    return aws_error(call, "LimitExceeded", f"Cannot exceed quota for {quota_name}: {quota}", 409)
