# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line items of a billing period."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from .columns import tag_column
from .fleet import Fleet, Item
from .resources import with_present_tags

Row = dict[str, Any]
_DISCOUNT = 0.96  # what a payer with a private discount pays


class Period:
    """A month of billing; `end` is the first day of the next month."""

    def __init__(self, year: int, month: int) -> None:
        self.start = date(year, month, 1)
        self.end = date(year + month // 12, month % 12 + 1, 1)

    @property
    def folder(self) -> str:
        """The period in names of folders: 20240501-20240601."""
        return f"{self.start:%Y%m%d}-{self.end:%Y%m%d}"

    def days(self, until: date) -> list[date]:
        """The days of the period up to `until`, that day included."""
        last = min(self.end, until + timedelta(days=1))
        return [self.start + timedelta(days=number) for number in range(max(0, (last - self.start).days))]


def periods(until: date, months: int) -> list[Period]:
    """The last `months` periods, oldest first; the one of `until` is the last."""
    found = []
    for back in range(months - 1, -1, -1):
        index = until.year * 12 + until.month - 1 - back
        found.append(Period(index // 12, index % 12 + 1))
    return found


class LineItems:
    """Makes rows; the same seed and fleet give the same rows for a day, whatever else is delivered."""

    def __init__(self, seed: int | str, fleet: Fleet, per_day: int, time_unit: str) -> None:
        self._seed = seed
        self._fleet = fleet
        self._items = with_present_tags(fleet.items(per_day))
        self._time_unit = time_unit

    @property
    def tag_keys(self) -> list[str]:
        """The tag keys of all resources, in the order in which they come."""
        return list(dict.fromkeys(key for item in self._items for key in item.tags))

    def of(self, period: Period, until: date) -> list[Row]:
        """All rows of a period up to a day."""
        days = period.days(until)
        rows = [row for day in days for row in self._day(period, day)]
        if self._time_unit == "MONTHLY":
            rows = self._monthly(rows, period)
        if days:
            rows += self._once_a_month(period, sum(row["line_item_unblended_cost"] for row in rows))
        return rows

    def _day(self, period: Period, day: date) -> Iterator[Row]:
        generator = random.Random(f"{self._seed}/{day.isoformat()}")
        for item in self._items:
            start, length = datetime.combine(day, time()), timedelta(days=1)
            amount = item.amount * (1 if item.unit in ("Hrs", "Hours") else generator.uniform(0.7, 1.3))
            if self._time_unit == "HOURLY":
                start, length, amount = (
                    start + timedelta(hours=generator.randrange(24)),
                    timedelta(hours=1),
                    amount / 24,
                )
            yield self._usage(period, item, start, start + length, round(amount, 8))

    def _base(self, period: Period, account: str, kind: str, start: datetime, end: datetime, mark: str) -> Row:
        line = f"{self._seed}/{account}/{kind}/{mark}/{start.isoformat()}"
        return {
            "identity_line_item_id": hashlib.blake2b(line.encode(), digest_size=26).hexdigest(),
            "identity_time_interval": f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}",
            "bill_invoicing_entity": "Amazon Web Services, Inc.",
            "bill_billing_entity": "AWS",
            "bill_bill_type": "Anniversary",
            "bill_payer_account_id": self._fleet.payer,
            "bill_billing_period_start_date": datetime.combine(period.start, time()),
            "bill_billing_period_end_date": datetime.combine(period.end, time()),
            "line_item_usage_account_id": account,
            "line_item_line_item_type": kind,
            "line_item_usage_start_date": start,
            "line_item_usage_end_date": end,
            "line_item_currency_code": "USD",
            "line_item_legal_entity": "Amazon Web Services, Inc.",
            "pricing_currency": "USD",
        }

    def _usage(self, period: Period, item: Item, start: datetime, end: datetime, amount: float) -> Row:
        listed = round(amount * item.rate, 10)
        row = self._base(period, item.account, item.line_type, start, end, item.resource + item.usage_type)
        row |= {
            "line_item_product_code": item.product,
            "line_item_usage_type": item.usage_type,
            "line_item_operation": item.operation,
            "line_item_availability_zone": item.zone or None,
            "line_item_resource_id": item.resource,
            "line_item_usage_amount": amount,
            "line_item_unblended_rate": f"{item.rate:.10f}",
            "line_item_unblended_cost": listed,
            "line_item_blended_rate": f"{item.rate:.10f}",
            "line_item_blended_cost": listed,
            "line_item_line_item_description": item.description or f"${item.rate} per {item.unit} - {item.usage_type}",
            "line_item_net_unblended_rate": f"{item.rate * _DISCOUNT:.10f}",
            "line_item_net_unblended_cost": round(listed * _DISCOUNT, 10),
            "product_product_name": item.service_name,
            "product_product_family": item.family,
            "product_region": item.region,
            "product_region_code": item.region,
            "product_location": item.location,
            "product_location_type": "AWS Region",
            "product_servicecode": item.product,
            "product_servicename": item.service_name,
            "product_usagetype": item.usage_type,
            "product_operation": item.operation,
            "product_instance_type": item.instance_type or None,
            "pricing_public_on_demand_cost": listed,
            "pricing_public_on_demand_rate": f"{item.rate:.10f}",
            "pricing_term": "OnDemand",
            "pricing_unit": item.unit,
        }
        if item.line_type == "DiscountedUsage":
            paid = round(listed * 0.62, 10)
            row |= {
                "line_item_unblended_cost": 0.0,
                "line_item_net_unblended_cost": 0.0,
                "pricing_term": "Reserved",
                "reservation_effective_cost": paid,
                "reservation_net_effective_cost": round(paid * _DISCOUNT, 10),
                "reservation_reservation_a_r_n": (
                    f"arn:aws:ec2:{item.region}:{self._fleet.payer}:reserved-instances/3f1c9a52"
                ),
                "pricing_lease_contract_length": "1yr",
                "pricing_purchase_option": "No Upfront",
            }
        if item.line_type == "SavingsPlanCoveredUsage":
            paid = round(listed * 0.72, 10)
            row |= {
                "savings_plan_savings_plan_effective_cost": paid,
                "savings_plan_savings_plan_rate": item.rate * 0.72,
                "savings_plan_net_savings_plan_effective_cost": round(paid * _DISCOUNT, 10),
                "savings_plan_savings_plan_a_r_n": f"arn:aws:savingsplans::{self._fleet.payer}:savingsplan/8a0c6b1e",
                "savings_plan_offering_type": "ComputeSavingsPlans",
                "savings_plan_purchase_term": "1yr",
            }
        return row | {tag_column(key): value for key, value in item.tags.items()}

    @staticmethod
    def _monthly(rows: list[Row], period: Period) -> list[Row]:
        start, end = (datetime.combine(day, time()) for day in (period.start, period.end))
        merged: dict[tuple, Row] = {}
        for row in rows:
            key = (row["line_item_resource_id"], row["line_item_usage_type"], row["line_item_line_item_type"])
            known = merged.setdefault(
                key, {**row, "line_item_usage_start_date": start, "line_item_usage_end_date": end}
            )
            if known["identity_line_item_id"] != row["identity_line_item_id"]:
                for name, value in row.items():
                    if isinstance(value, float) and not name.endswith("rate"):
                        known[name] = round(known.get(name, 0.0) + value, 10)
        return list(merged.values())

    def _once_a_month(self, period: Period, total: float) -> list[Row]:
        """Tax, credit, refund and the fees and discounts that Kubecost leaves out or treats on their own."""
        start = datetime.combine(period.start, time())
        end = datetime.combine(period.end, time())
        payer, lines = self._fleet.payer, []
        for kind, product, cost, text in (
            ("Tax", "AmazonEC2", total * 0.19, "Tax for product code AmazonEC2"),
            ("Credit", "AmazonEC2", -25.0, "AWS Activate credit"),
            ("Refund", "AmazonS3", -1.75, "Refund of overcharged requests"),
            ("RIFee", "AmazonEC2", 148.92, "m6i.large reserved instance, no upfront"),
            ("SavingsPlanRecurringFee", "ComputeSavingsPlans", 201.6, "1 year No Upfront Compute Savings Plan"),
            ("EdpDiscount", "AmazonEC2", -total * 0.04, "Private pricing discount"),
            ("Fee", "AWSSupportBusiness", 100.0, "AWS Support (Business)"),
        ):
            row = self._base(period, payer, kind, start, end, product)
            cost = round(cost, 10)
            row |= {
                "line_item_product_code": product,
                "line_item_usage_type": kind,
                "line_item_usage_amount": 1.0,
                "line_item_unblended_cost": cost,
                "line_item_blended_cost": cost,
                "line_item_net_unblended_cost": cost,
                "line_item_line_item_description": text,
                "line_item_tax_type": "VAT" if kind == "Tax" else None,
                "product_product_name": product,
                "pricing_unit": None,
            }
            lines.append(row)
        return lines
