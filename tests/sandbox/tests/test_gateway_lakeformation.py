# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lake Formation says whether it governs new databases."""

from __future__ import annotations

from typing import Any

from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, refused, role_client

EVERYBODY = [{"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}]


def defaults(gateway: Any, account_id: str) -> list[Any]:
    """Who may use new databases and tables of an account."""
    settings = gateway.client("lakeformation", account_id).get_data_lake_settings()["DataLakeSettings"]
    return [settings[f"Create{kind}DefaultPermissions"] for kind in ("Database", "Table")]


def test_an_account_is_left_to_iam_until_it_is_said_to_be_governed(gateway: Any) -> None:
    assert defaults(gateway, PAYER) == [EVERYBODY, EVERYBODY]
    gateway.control("/_sandbox/settings", {"lake_formation_accounts": [PAYER]})
    assert defaults(gateway, PAYER) == [[], []]
    assert defaults(gateway, CLUSTER) == [EVERYBODY, EVERYBODY]
    gateway.control("/_sandbox/settings", {"lake_formation_accounts": []})


def test_asking_takes_a_right(gateway: Any) -> None:
    may, may_not = (
        role_client(gateway, "lakeformation", PAYER, [allow(action, "*")])
        for action in ("lakeformation:GetDataLakeSettings", "s3:*")
    )
    assert may.get_data_lake_settings()
    assert refused(may_not.get_data_lake_settings).code == "AccessDeniedException"
