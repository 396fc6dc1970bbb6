# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The columns of a CUR 1.0 report in Parquet.

A column of the report is a category and a name (`lineItem/UsageStartDate`); in Parquet and Athena it is one lower-case
name (`line_item_usage_start_date`) (AWS Cost and Usage Reports guide, "Column names" of the Athena integration).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

STRING, TIMESTAMP, DOUBLE = "STRING", "TIMESTAMP", "DOUBLE"

SPLIT_COST_TAGS = (
    "aws:eks:namespace",
    "aws:eks:deployment",
    "aws:eks:node",
    "aws:eks:workload-name",
    "aws:eks:workload-type",
)
# Tags that a payer of the sandbox has activated before it began. Reports only have columns for activated tags.
OWN_TAGS = (
    "aws:eks:cluster-name",
    "Name",
    "team",
    "eks:cluster-name",
    "alpha.eksctl.io/cluster-name",
    "kubernetes.io/service-name",
    "kubernetes.io/created-for/pvc/name",
    "kubernetes.io/created-for/pv/name",
    "kubernetes_cluster",
    "kubernetes_namespace",
)


@dataclass(frozen=True)
class Column:
    """A column: `category` as in the manifest (lineItem), `name` as in Parquet, `kind` STRING, TIMESTAMP or DOUBLE."""

    category: str
    name: str
    kind: str = STRING


_NAMES = {
    "identity": "line_item_id time_interval",
    "bill": "invoice_id invoicing_entity billing_entity bill_type payer_account_id billing_period_start_date:t "
    "billing_period_end_date:t",
    "lineItem": "usage_account_id line_item_type usage_start_date:t usage_end_date:t product_code usage_type operation "
    "availability_zone resource_id usage_amount:d normalization_factor:d normalized_usage_amount:d "
    "currency_code unblended_rate unblended_cost:d blended_rate blended_cost:d line_item_description "
    "tax_type legal_entity net_unblended_rate net_unblended_cost:d",
    "product": "product_name availability_zone capacitystatus clock_speed current_generation database_engine "
    "deployment_option description from_location from_location_type group group_description "
    "instance_family instance_type instance_type_family license_model location location_type marketoption "
    "memory network_performance normalization_size_factor operating_system operation physical_processor "
    "pre_installed_sw processor_architecture product_family region region_code servicecode servicename sku "
    "storage storage_class storage_media tenancy to_location to_location_type transfer_type usagetype vcpu "
    "version volume_api_name volume_type",
    "pricing": "currency lease_contract_length offering_class public_on_demand_cost:d public_on_demand_rate "
    "purchase_option rate_code rate_id term unit",
    "reservation": "amortized_upfront_cost_for_usage:d amortized_upfront_fee_for_billing_period:d effective_cost:d "
    "end_time modification_status net_effective_cost:d normalized_units_per_reservation "
    "number_of_reservations recurring_fee_for_usage:d reservation_a_r_n start_time subscription_id "
    "total_reserved_normalized_units total_reserved_units units_per_reservation "
    "unused_amortized_upfront_fee_for_billing_period:d unused_normalized_unit_quantity:d "
    "unused_quantity:d unused_recurring_fee:d upfront_value:d",
    "savingsPlan": "total_commitment_to_date:d savings_plan_a_r_n savings_plan_rate:d used_commitment:d "
    "savings_plan_effective_cost:d net_savings_plan_effective_cost:d "
    "amortized_upfront_commitment_for_billing_period:d recurring_commitment_for_billing_period:d "
    "offering_type payment_option purchase_term start_time end_time region",
}
_SPLIT_NAMES = (
    "actual_usage:d net_split_cost:d net_unused_cost:d parent_resource_id public_on_demand_split_cost:d "
    "public_on_demand_unused_cost:d reserved_usage:d split_cost:d split_usage:d split_usage_ratio:d "
    "unused_cost:d"
)
# Only payers with a private discount have the net columns.
_NET = {
    "line_item_net_unblended_rate",
    "line_item_net_unblended_cost",
    "reservation_net_effective_cost",
    "savings_plan_net_savings_plan_effective_cost",
}
_KINDS = {"": STRING, "t": TIMESTAMP, "d": DOUBLE}


def athena_name(name: str) -> str:
    """A report column (`resourceTags/user:Name`) under its Athena name (`resource_tags_user_name`).

    AWS' rule: an underscore before each capital, lower case, everything that is no letter or digit is an underscore,
    several underscores are one, none at the ends.
    """
    spaced = re.sub(r"([A-Z])", r"_\1", name).lower()
    return re.sub(r"_+", "_", re.sub(r"[^0-9a-z]", "_", spaced)).strip("_")


def tag_column(key: str) -> str:
    """The column of a tag: resource_tags_user_team for `team`, resource_tags_aws_eks_x for `aws:eks:x`."""
    return athena_name(f"resourceTags/{key}" if key.startswith("aws:") else f"resourceTags/user:{key}")


def report_columns(
    schema_elements: list[str], tags: tuple[str, ...] = OWN_TAGS, discounts: bool = True
) -> list[Column]:
    """The columns of a report, in the order AWS writes them.

    `schema_elements`: AdditionalSchemaElements of the definition (RESOURCES, SPLIT_COST_ALLOCATION_DATA). `tags`: the
    activated ones. `discounts`: whether the payer has a private discount.
    """
    columns = [column for category, names in _NAMES.items() for column in _parse(category, names)]
    if "RESOURCES" not in schema_elements:
        columns = [column for column in columns if column.name != "line_item_resource_id"]
    if not discounts:
        columns = [column for column in columns if column.name not in _NET]
    keys = [key for key in tags if key.startswith("aws:")]
    if "SPLIT_COST_ALLOCATION_DATA" in schema_elements:
        columns += _parse("splitLineItem", _SPLIT_NAMES)
        keys += SPLIT_COST_TAGS
    names = dict.fromkeys(tag_column(key) for key in (*keys, *tags))
    return columns + [Column("resourceTags", name) for name in names]


def _parse(category: str, names: str) -> list[Column]:
    found = []
    for entry in names.split():
        name, _unused, kind = entry.partition(":")
        found.append(Column(category, f"{athena_name(category)}_{name}", _KINDS[kind]))
    return found
