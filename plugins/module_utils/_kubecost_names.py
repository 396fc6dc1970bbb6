# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Kubecost's charts read values and make names of them. Pure functions, no call."""

from __future__ import annotations

import typing as t

Values = t.Mapping[str, t.Any]


def value_at(values: t.Any, dotted: str) -> t.Any:
    """The value below a dotted key, ``None`` when a part of the way is missing."""
    for part in dotted.split("."):
        if not isinstance(values, t.Mapping):
            return None
        values = values.get(part)
    return values


def cut(name: str) -> str:
    """``trunc 63 | trimSuffix "-"`` of the charts; trimSuffix takes one dash, not all."""
    return name[:63].removesuffix("-")


def full_name(release: str, chart: str, values: t.Any) -> str:
    """The ``fullname`` of a chart, or of a subchart with the values below its own key."""
    override = value_at(values, "fullnameOverride")
    if override:
        return cut(str(override))
    name = str(value_at(values, "nameOverride") or chart)
    return cut(release if name in release else f"{release}-{name}")


def aggregator_method(values: Values) -> str:
    """How chart 2 deploys its aggregator: ``singlepod``, ``statefulset`` or ``disabled`` (helper of the same name)."""
    if value_at(values, "federatedETL.primaryCluster"):
        return "statefulset"
    if value_at(values, "federatedETL.agentOnly") or values.get("agent") or values.get("cloudAgent"):
        return "disabled"
    if value_at(values, "kubecostAggregator.enabled"):
        return "statefulset"
    return str(value_at(values, "kubecostAggregator.deployMethod") or "singlepod")
