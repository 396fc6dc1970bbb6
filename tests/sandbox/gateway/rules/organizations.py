# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One organisation: the first account of the sandbox is its management account, the others are members, but
for those of the setting `standalone_accounts`.

Organization policies (SCPs) come from settings, since a test wants to say what holds: `organization_policies` is a
list of policy documents beside FullAWSAccess, `organization_policies_bind_payer` lets them bind the management
account too (on AWS they never do), `organization_required_tags` writes the usual policy that denies to create things
without those tags. They bind roles and users; root stays free, because tests set up as root.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from ..aws_errors import aws_error
from ..call import Call, Response
from .evaluator import ORGANIZATION, limits
from .registry import before

_FULL_ACCESS = {"Effect": "Allow", "Action": "*", "Resource": "*"}
# What members may ask (AWS API reference of Organizations: these can be called from any account of the organization).
_FOR_MEMBERS = {"DescribeOrganization", "ListHandshakesForAccount", "LeaveOrganization"}
# The create calls of the services in use that take tags.
_TAGGED_CREATES = [
    "athena:CreateWorkGroup",
    "cur:PutReportDefinition",
    "eks:CreatePodIdentityAssociation",
    "eks:CreateAccessEntry",
    "glue:CreateCrawler",
    "glue:CreateDatabase",
    "iam:CreateOpenIDConnectProvider",
    "iam:CreatePolicy",
    "iam:CreateRole",
    "kms:CreateKey",
    "s3:CreateBucket",
]


def required_tags_policy(names: list[str]) -> dict[str, Any]:
    """The policy that denies creating things without these tags."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": f"Require{index}",
                "Effect": "Deny",
                "Action": _TAGGED_CREATES,
                "Resource": "*",
                "Condition": {"Null": {f"aws:RequestTag/{name}": "true"}},
            }
            for index, name in enumerate(names)
        ],
    }


def setup(gateway: Any) -> None:
    """Define the settings and the limit they make."""
    from ministack.core.iam_evaluator import parse_policy_document

    def check() -> None:
        for document in gateway.settings["organization_policies"]:
            if not isinstance(document, dict) or not parse_policy_document(document):
                raise ValueError("organization_policies is a list of policy documents (objects with Statement)")

    gateway.define_setting("organization_policies", [], check)
    gateway.define_setting("organization_policies_bind_payer", False)
    gateway.define_setting("organization_required_tags", [])
    gateway.define_setting("standalone_accounts", [])

    @limits
    def organization_policies(principal: Any) -> list[Any]:
        documents = list(gateway.settings["organization_policies"])
        if gateway.settings["organization_required_tags"]:
            documents.append(required_tags_policy(gateway.settings["organization_required_tags"]))
        bound = principal.account in gateway.members() or (
            gateway.settings["organization_policies_bind_payer"] and principal.account == gateway.payer()
        )
        if not documents or not bound:
            return []
        parsed = [parse_policy_document(document) for document in ({"Statement": [_FULL_ACCESS]}, *documents)]
        for statements in parsed:
            for statement in statements:
                statement.sid = ORGANIZATION + statement.sid
        return [parsed]


def organization_id(payer: str) -> str:
    """The id of the organisation of this management account, always the same."""
    return "o-" + hashlib.sha256(payer.encode()).hexdigest()[:10]


@before("organizations", "*")
async def one_organisation(call: Call, gateway: Any) -> Response | None:
    """Members see the payer's organisation and may ask for little else; strangers are in none."""
    from ministack.core.responses import request_scope

    payer, members = gateway.payer(), gateway.members()
    if call.account_id not in (payer, *members):
        return aws_error(call, "AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
    with request_scope(payer, "us-east-1"):
        _synchronise(gateway)
    if call.account_id == payer:
        return None
    if call.operation not in _FOR_MEMBERS:
        return aws_error(call, "AccessDeniedException", "You don't have permissions to access this resource.")
    if call.operation != "DescribeOrganization":
        return None
    from ministack.services import organizations

    from ..call import json_response

    organization = organizations._orgs.get_scoped(payer, None, "self")
    return json_response({"Organization": dict(organization)})


def _synchronise(gateway: Any) -> None:
    """Write the sandbox' accounts into MiniStack's organisation of the payer (the request scope is the payer's)."""
    from ministack.services import organizations as service

    payer = gateway.payer()
    service._ensure_org()
    organization = service._orgs["self"]
    wanted = organization_id(payer)
    if organization["Id"] != wanted:
        # Made with an id of its own and not used yet: take ours, in every ARN.
        for store in (service._orgs, service._roots, service._accounts):
            for key, value in store.items():
                store[key] = json.loads(json.dumps(value).replace(organization["Id"], wanted))
    root_id = next(iter(service._roots))
    for account_id in set(service._accounts) - {payer, *gateway.members()}:
        del service._accounts[account_id]
    for account_id in (payer, *gateway.members()):
        profile = gateway.state["accounts"][account_id].get("profile", account_id)
        known = service._accounts.get(account_id)
        if known is not None and known["Name"] == profile:
            continue
        service._accounts[account_id] = {
            "Id": account_id,
            "Arn": f"arn:aws:organizations::{payer}:account/{wanted}/{account_id}",
            "Email": f"{profile}@example.com",
            "Name": profile,
            "Status": "ACTIVE",
            "State": "ACTIVE",
            "JoinedMethod": "INVITED" if account_id == payer else "CREATED",
            "JoinedTimestamp": int(time.time()),
            "Path": "/",
            "_ParentId": root_id,
        }
