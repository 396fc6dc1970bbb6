# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM tells how many roles there are and may be, and keeps to it."""

from __future__ import annotations

from typing import Any

from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, make_role, policy, refused, role_client, unique

TRUST = [allow("sts:AssumeRole", "*") | {"Principal": {"Service": "glue.amazonaws.com"}}]
for statement in TRUST:
    del statement["Resource"]


def test_the_quota_of_roles_is_told_and_kept(gateway: Any) -> None:
    iam = gateway.client("iam", PAYER)
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["RolesQuota"] == 1000
    make_role(gateway, PAYER, TRUST, [])
    gateway.control("/_sandbox/settings", {"role_quotas": {PAYER: summary["Roles"] + 1}})
    try:
        full = iam.get_account_summary()["SummaryMap"]
        assert full["Roles"] == full["RolesQuota"] == summary["Roles"] + 1
        said = refused(iam.create_role, RoleName=unique("role"), AssumeRolePolicyDocument=policy(*TRUST))
        assert (said.code, said.status) == ("LimitExceeded", 409)
        assert said.message == f"Cannot exceed quota for RolesPerAccount: {full['RolesQuota']}"
        assert make_role(gateway, CLUSTER, TRUST, [])
    finally:
        gateway.control("/_sandbox/settings", {"role_quotas": {}})
    assert make_role(gateway, PAYER, TRUST, [])


def test_providers_are_counted_and_their_quota_is_kept(gateway: Any) -> None:
    iam = gateway.client("iam", PAYER)
    before = iam.get_account_summary()["SummaryMap"]["Providers"]
    url = f"https://{unique('issuer')}.example.com"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])["OpenIDConnectProviderArn"]
    assert iam.get_account_summary()["SummaryMap"]["Providers"] == before + 1
    gateway.control("/_sandbox/settings", {"provider_quotas": {PAYER: before + 1}})
    try:
        said = refused(iam.create_open_id_connect_provider, Url=f"{url}/2", ClientIDList=["sts.amazonaws.com"])
        assert said.message == f"Cannot exceed quota for OpenIdConnectProvidersPerAccount: {before + 1}"
    finally:
        gateway.control("/_sandbox/settings", {"provider_quotas": {}})
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def test_asking_takes_a_right(gateway: Any) -> None:
    may, may_not = (
        role_client(gateway, "iam", PAYER, [allow(action, "*")]) for action in ("iam:GetAccountSummary", "s3:*")
    )
    assert may.get_account_summary()
    assert refused(may_not.get_account_summary).code == "AccessDenied"
