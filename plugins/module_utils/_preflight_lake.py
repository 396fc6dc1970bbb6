# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Lake Formation will govern the database that a payer gets: then IAM policies alone let nobody read it.

In an account as AWS makes it, new databases and tables are open to whatever IAM allows (the principal
IAM_ALLOWED_PRINCIPALS). Who switches that off has to grant each table. Source: Lake Formation developer guide,
"Changing the default settings for your data lake".
"""

from __future__ import annotations

import typing as t

from ._connection import AwsConnection
from ._errors import error_code

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

_EVERYBODY = "IAM_ALLOWED_PRINCIPALS"


def lake_notes(connection: AwsConnection, database: str, role_name: str) -> list[str]:
    """What the payer's side has to grant in Lake Formation, or that it could not be seen (one call).

    :param database: that will be made
    :param role_name: the role that reads the billing data
    :returns: sentences; none where IAM alone decides
    """
    try:
        answer = connection.client("lakeformation").get_data_lake_settings()
    except (ClientError, BotoCoreError) as e:
        denied = error_code(e) in ("AccessDenied", "AccessDeniedException")
        why = "these credentials may not call lakeformation:GetDataLakeSettings" if denied else str(e)
        return [f"Whether Lake Formation governs new databases here was not seen: {why}."]
    settings = answer.get("DataLakeSettings", {})
    governed = [kind for kind in ("Database", "Table") if not _open(settings.get(f"Create{kind}DefaultPermissions"))]
    if not governed:
        return []
    return [
        f"Lake Formation governs new {' and '.join(f'{kind.lower()}s' for kind in governed)} of this account and "
        f"region: policies alone let nobody read them. Grant DESCRIBE on the database {database}, and SELECT and "
        f"DESCRIBE on its tables, to the role {role_name} once they are made; until then the proof fails at the table."
    ]


def _open(permissions: t.Sequence[t.Mapping[str, t.Any]] | None) -> bool:
    return any(
        entry.get("Principal", {}).get("DataLakePrincipalIdentifier") == _EVERYBODY
        and "ALL" in entry.get("Permissions", [])
        for entry in permissions or []
    )
