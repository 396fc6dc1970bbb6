# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings of Lake Formation mean for a database that does not exist yet."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_lake import lake_notes
from botocore.exceptions import ClientError

OPEN = [{"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}]
ADMIN = [{"Principal": {"DataLakePrincipalIdentifier": "arn:aws:iam::111111111111:role/lake"}, "Permissions": ["ALL"]}]


class Lake:
    """Lake Formation with one answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def client(self, service: str) -> Lake:
        assert service == "lakeformation"
        return self

    def get_data_lake_settings(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"DataLakeSettings": self.answer}


def notes(answer: Any) -> list[str]:
    return lake_notes(Lake(answer), "billing", "kubecost-cur-access")


def test_where_iam_alone_decides_nothing_is_said() -> None:
    assert notes({"CreateDatabaseDefaultPermissions": OPEN, "CreateTableDefaultPermissions": OPEN}) == []


@pytest.mark.parametrize(
    ("database", "table", "said"),
    [([], [], "new databases and tables"), (OPEN, ADMIN, "new tables"), (None, OPEN, "new databases")],
)
def test_what_is_governed_is_named_with_the_grants(database: Any, table: Any, said: str) -> None:
    (note,) = notes({"CreateDatabaseDefaultPermissions": database, "CreateTableDefaultPermissions": table})
    assert note.startswith(f"Lake Formation governs {said} of this account and region: ")
    assert "Grant DESCRIBE on the database billing" in note and "to the role kubecost-cur-access" in note


def test_what_cannot_be_seen_is_said() -> None:
    for code, said in (("AccessDeniedException", "may not call lakeformation:GetDataLakeSettings"), ("Oh", "said AWS")):
        (note,) = notes(ClientError({"Error": {"Code": code, "Message": "said AWS"}}, "GetDataLakeSettings"))
        assert note.startswith("Whether Lake Formation governs new databases here was not seen: ")
        assert said in note
