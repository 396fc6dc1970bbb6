# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Lake Formation governs new databases of an account: the one question of it that is answered here.

MiniStack 1.5.33 has no Lake Formation. The setting `lake_formation_accounts` lists the accounts in which somebody has
switched off "Use only IAM access control" for new databases and tables; it is on elsewhere, as in a new account. Grants
are not enforced. Source: API reference of Lake Formation, GetDataLakeSettings.
"""

from __future__ import annotations

from typing import Any

from ..call import Call, Response, json_response
from .registry import before

SETTING = "lake_formation_accounts"
_EVERYBODY = {"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}


def setup(gateway: Any) -> None:
    """Define the setting, and let MiniStack know the service's name without looking for it.

    It would read the models of all services of AWS, which takes seconds and lets every other call wait.
    """
    from ministack.core import router

    gateway.define_setting(SETTING, [])
    known = router._is_aws_service_name
    router._is_aws_service_name = lambda name: name == "lakeformation" or known(name)


@before("lakeformation", "GetDataLakeSettings")
def settings_of_account(call: Call, gateway: Any) -> Response:
    """What new databases and tables of the caller's account are open to by default."""
    default = [] if call.account_id in gateway.settings[SETTING] else [_EVERYBODY]
    settings = {
        "DataLakeAdmins": [],
        "CreateDatabaseDefaultPermissions": default,
        "CreateTableDefaultPermissions": default,
    }
    return json_response({"DataLakeSettings": settings}, 200, "application/json")
