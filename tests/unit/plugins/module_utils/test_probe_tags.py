# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The query for the cost of a tagged resource, and what is said where there is none. It is run in the sandbox."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_tags as tags
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_billing import Athena

ATHENA = Athena("us-east-1", "kubecost", "billing", "kubecost", "s3://acme/x", ("a",), delivered=True)
NAMESPACE, POD = "resource_tags_user_kubernetes_namespace", "resource_tags_user_kubernetes_pod"
KEYS = ("kubernetes_namespace", "kubernetes_pod", "eks:cluster-name", "aws:createdBy")


def wanted(**options: Any) -> tags.Tags:
    return tags.Tags(**{"keys": KEYS, **options})


def test_the_query_reads_two_months_and_returns_one_row() -> None:
    sql = tags.tags_sql(ATHENA, [NAMESPACE, POD], ["year", "month"], datetime.date(2026, 1, 5))
    of = f'"line_item_resource_id", "{NAMESPACE}", "{POD}"'
    assert sql == (
        f'SELECT {of}, sum("line_item_unblended_cost") AS "cost", max("a") AS "a" FROM "billing"."kubecost" '
        "WHERE ((\"year\" = '2026' AND \"month\" = '1') OR (\"year\" = '2025' AND \"month\" = '12')) "
        f"AND (\"{NAMESPACE}\" <> '' OR \"{POD}\" <> '') "
        f'GROUP BY {of} ORDER BY "cost" DESC LIMIT 1'
    )
    assert f"WHERE (\"{POD}\" <> '')" in tags.tags_sql(ATHENA, [POD], [], datetime.date(2026, 1, 5))


def test_tags_of_the_cluster_itself_prove_nothing() -> None:
    assert wanted().assigning == ["kubernetes_namespace", "kubernetes_pod"]
    assert wanted().in_table({NAMESPACE, "resource_tags_user_eks_cluster_name"}) == {NAMESPACE: "kubernetes_namespace"}


def test_two_keys_with_one_column_are_one() -> None:
    both = tags.Tags(("kubernetes_pod", "kubernetes-pod"))
    assert both.in_table({POD}) == {POD: "kubernetes_pod"}


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"active": {"kubernetes_pod": "2026-01-04T10:00:00Z"}}, "kubernetes_pod (since 2026-01-04T10:00:00Z)"),
        ({"active": {"kubernetes_pod": ""}}, "kubernetes_pod (since an unknown time)"),
        ({"active": {}}, "not one of them is active as a cost allocation tag"),
        ({"active": {}, "pending": KEYS}, "billing has not seen one of them on any resource"),
        ({"active": {"eks:cluster-name": ""}, "pending": KEYS[:2]}, "billing has not seen one of them on any resource"),
        ({}, "not one of them is active as a cost allocation tag, or none is used"),
        ({"keys": KEYS[2:]}, "no such tag is asked for"),
    ],
)
def test_where_there_is_no_column_the_cause_is_named(options: dict[str, Any], cause: str) -> None:
    link = tags.no_columns_link(wanted(**options), ATHENA)
    assert (link.link, link.state) == ("tags", "pending")
    assert cause in link.cause and link.change


def test_a_cost_is_a_proof() -> None:
    row = {"line_item_resource_id": "shop-db", NAMESPACE: "shop", POD: None, "cost": "12.3456"}
    link = tags.tags_link([row], wanted(), [NAMESPACE, POD], ATHENA)
    assert link.state == "ok"
    assert link.detail == "Athena returned what shop-db costs: 12.35 under kubernetes_namespace=shop"


def test_no_tagged_resource_is_pending() -> None:
    link = tags.tags_link([], wanted(), [NAMESPACE], ATHENA)
    assert link.state == "pending" and "kubernetes_namespace was billed" in link.cause
