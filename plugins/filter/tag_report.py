# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of the playbooks ``tag_report`` and ``tag_apply``; each is documented in the YAML file of its name."""

from __future__ import annotations

import datetime
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _attributed_cost, _tag_report


def tag_report_document(seen: t.Any, other_clusters: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """The report of all hosts; see the documentation beside this file."""
    if not isinstance(seen, t.Mapping):
        raise AnsibleFilterError(
            f"tag_report_document takes a dictionary of what each host has seen, not {type(seen).__name__}"
        )
    return _tag_report.document(seen, other_clusters)


def tag_report_tables(report: t.Any, path: str = "") -> list[dict[str, t.Any]]:
    """The report as tables; see the documentation beside this file."""
    if not isinstance(report, t.Mapping) or report.get("kind") != _tag_report.KIND:
        raise AnsibleFilterError("tag_report_tables takes what tag_report_document returns")
    return _tag_report.tables(report, path)


def tag_report_keys(resources: t.Any) -> list[str]:
    """The keys whose activation matters; see the documentation beside this file."""
    if isinstance(resources, (str, t.Mapping)) or not isinstance(resources, t.Sequence):
        raise AnsibleFilterError("tag_report_keys takes a list of resources, as tagged_resources_info returns them")
    return _tag_report.keys_to_ask(resources)


def tag_plan_table(resources: t.Any) -> dict[str, t.Any]:
    """Columns and rows of a plan; see the documentation beside this file."""
    if isinstance(resources, (str, t.Mapping)) or not isinstance(resources, t.Sequence):
        raise AnsibleFilterError("tag_plan_table takes a list of resources, as resource_tags returns them")
    return _tag_report.plan_table(resources)


def attributed_cost_query(columns: t.Any, database: str, table: str, months: int = 3, until: str = "") -> str:
    """The query for the cost that tags assign; see the documentation beside this file."""
    if isinstance(columns, (str, t.Mapping)) or not isinstance(columns, t.Sequence):
        raise AnsibleFilterError("attributed_cost_query takes the list of the table's columns")
    try:
        day = datetime.date.fromisoformat(until) if until else datetime.datetime.now(datetime.UTC).date()
        return _attributed_cost.query([str(name) for name in columns], database, table, int(months), day)
    except (AnsibleAWSError, ValueError) as e:
        raise AnsibleFilterError(f"attributed_cost_query: {e}") from e


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "attributed_cost_query": attributed_cost_query,
            "tag_plan_table": tag_plan_table,
            "tag_report_document": tag_report_document,
            "tag_report_keys": tag_report_keys,
            "tag_report_tables": tag_report_tables,
        }
