# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The query for the cost that tags assign: months, columns, and what is refused. It is run in tests/integration."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._athena_query import check_reading
from ansible_collections.kubestrap.aws.plugins.module_utils._attributed_cost import query

DAY = datetime.date(2026, 2, 28)
COLUMNS = (
    "line_item_unblended_cost",
    "resource_tags_aws_eks_cluster_name",
    "resource_tags_user_kubernetes_namespace",
    "resource_tags_user_kubernetes_label_app",
    "resource_tags_user_kubernetes_labels",
    "resource_tags_user_team",
)


def asked(columns: Sequence[str] = COLUMNS, months: int = 3, database: str = "billing", table: str = "kubecost") -> str:
    return query(columns, database, table, months, DAY)


def test_the_last_months_are_read_and_no_other() -> None:
    sql = asked()
    check_reading("query", sql)
    assert "((\"year\" = '2025' AND \"month\" = '12') OR (\"year\" = '2026' AND \"month\" = '1') OR " in sql
    assert "(\"year\" = '2026' AND \"month\" = '2'))" in sql
    assert sql.count('"month" = ') == 3
    assert asked(months=1).count('"month" = ') == 1


def test_the_columns_that_the_table_has_decide() -> None:
    sql = asked()
    inside = "line_item_product_code = 'AmazonEKS' OR COALESCE(resource_tags_aws_eks_cluster_name, '') <> ''"
    outside = (
        "COALESCE(resource_tags_user_kubernetes_namespace, '') <> '' OR "
        "COALESCE(resource_tags_user_kubernetes_label_app, '') <> ''"
    )
    assert f"CASE WHEN {inside} THEN" in sql
    assert f"CASE WHEN NOT ({inside}) AND ({outside}) THEN" in sql
    assert "AND (FALSE) THEN" in asked(["line_item_unblended_cost"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"months": 0}, "months: '0' is no number of months. Write 1 to 13"),
        ({"months": 14}, "months: '14'"),
        ({"columns": ["a"]}, "table: 'kubecost' has no column line_item_unblended_cost"),
        ({"database": 'x"; DROP'}, "is no name"),
        ({"table": ""}, "table: '' is no name"),
    ],
)
def test_what_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        asked(**changes)
    assert said in str(error.value)
