# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of Cost and Usage Reports."""

from __future__ import annotations

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _cur_schema as schema


@pytest.mark.parametrize(
    ("category", "name", "column"),
    [
        # Parquet reports name columns as Athena does.
        ("lineItem", "line_item_usage_start_date", "line_item_usage_start_date"),
        ("lineItem", "line_item_line_item_type", "line_item_line_item_type"),
        ("resourceTags", "resource_tags_user_team", "resource_tags_user_team"),
        # CSV reports do not; "LineItemType" only looks as if it had its category in front.
        ("lineItem", "LineItemType", "line_item_line_item_type"),
        ("product", "region", "product_region"),
        ("reservation", "ReservationARN", "reservation_reservation_a_r_n"),
        ("resourceTags", "user:Name", "resource_tags_user_name"),
        ("resourceTags", "aws:eks:cluster-name", "resource_tags_aws_eks_cluster_name"),
        (
            "resourceTags",
            "user:kubernetes.io/created-for/pvc/name",
            "resource_tags_user_kubernetes_io_created_for_pvc_name",
        ),
    ],
)
def test_names_as_athena_knows_them(category: str, name: str, column: str) -> None:
    manifest = {"columns": [{"category": category, "name": name, "type": "STRING"}]}
    assert schema.manifest_columns(manifest) == [{"name": column, "type": "string"}]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("STRING", "string"),
        ("TIMESTAMP", "timestamp"),
        ("DOUBLE", "double"),
        ("OptionalString", "string"),
        ("OptionalBigDecimal", "double"),
        ("DateTime", "timestamp"),
        ("Interval", "string"),
        ("BIGINT", "bigint"),
        ("BigDecimal", "double"),
        ("decimal(38, 9)", "decimal(38, 9)"),
        ("something else", "string"),
        ("Boolean", "string"),
        ("varchar(10)", "string"),
        ("map", "string"),
        (None, "string"),
    ],
)
def test_types(said: str | None, kind: str) -> None:
    manifest = {"columns": [{"category": "bill", "name": "bill_x", "type": said}]}
    assert schema.manifest_columns(manifest) == [{"name": "bill_x", "type": kind}]


def test_names_that_are_the_same_for_athena_are_one_column() -> None:
    names = ["user:Team", "user:team", "user:te-am", "user:te.am"]
    manifest = {"columns": [{"category": "resourceTags", "name": name} for name in names]}
    found = [column["name"] for column in schema.manifest_columns(manifest)]
    assert found == ["resource_tags_user_team", "resource_tags_user_te_am"]


def test_partition_keys_are_no_columns() -> None:
    assert schema.manifest_columns({"columns": [{"category": "", "name": "year"}]}) == []


@pytest.mark.parametrize("manifest", [{}, {"columns": "x"}, {"columns": [{"category": "bill"}]}])
def test_what_is_no_manifest(manifest: dict) -> None:
    with pytest.raises(ValueError, match="it lists no columns"):
        schema.manifest_columns(manifest)


def test_the_base_set_has_what_kubecost_needs_with_types() -> None:
    types = {column["name"]: column["type"] for column in schema.base_columns()}
    assert set(types) >= {*schema.KUBECOST_REQUIRED_COLUMNS, *schema.KUBECOST_OPTIONAL_COLUMNS}
    assert len(types) == len(schema.base_columns())
    assert types["line_item_usage_start_date"] == "timestamp"
    assert types["line_item_unblended_cost"] == "double"
    assert types["savings_plan_savings_plan_effective_cost"] == "double"
    assert types["line_item_resource_id"] == "string"


def test_the_base_set_has_the_types_that_are_delivered() -> None:
    from sandbox.billing.columns import report_columns

    delivered = {column.name: column.kind.lower() for column in report_columns(["RESOURCES"])}
    base = {column["name"]: column["type"] for column in schema.base_columns()}
    assert base == {name: delivered[name] for name in base}


def test_merging_loses_no_column_and_takes_delivered_types() -> None:
    current = [{"name": "resource_tags_user_old", "type": "string"}, {"name": "line_item_unblended_cost", "type": "x"}]
    delivered = [{"name": "resource_tags_user_new", "type": "string"}, {"name": "product_sku", "type": "string"}]
    merged = schema.merge_columns(current, delivered)
    names = [column["name"] for column in merged]
    assert merged[:2] == current
    assert names[-2:] == ["resource_tags_user_new", "product_sku"]
    assert set(names) >= set(schema.KUBECOST_REQUIRED_COLUMNS)
    assert len(names) == len(set(names))
    corrected = schema.merge_columns(current, [{"name": "line_item_unblended_cost", "type": "double"}])
    assert corrected[1] == {"name": "line_item_unblended_cost", "type": "double"}
    assert schema.merge_columns(merged, delivered) == merged


def test_the_types_of_the_base_set_win_over_those_of_a_manifest() -> None:
    for current in ([], [{"name": "line_item_unblended_cost", "type": "decimal(38,9)"}]):
        merged = schema.merge_columns(current, [{"name": "line_item_unblended_cost", "type": "string"}])
        assert {"name": "line_item_unblended_cost", "type": "double"} in merged
