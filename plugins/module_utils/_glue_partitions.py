# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registered partitions of a table over a Cost and Usage Report: the catalog lists the months, Athena computes none.

The other way to the one of ``_glue_projection``. Athena passes over registered partitions while ``projection.enabled``
is true, so that a table has one or the other.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._connection import AwsConnection
from ._glue_table import PARTITIONS_PARAMETER, REGISTERED, ReportPlace, TableId
from ._plan import Change

_CALL_LIMIT = 100  # partitions of one BatchCreatePartition


def registering_parameters(current: t.Mapping[str, str]) -> dict[str, str]:
    """The parameters of a table whose partitions are registered; what else is set is kept."""
    return {**current, "projection.enabled": "false", PARTITIONS_PARAMETER: REGISTERED}


def missing_months(months: t.Iterable[datetime.date], registered: t.Iterable[tuple[str, ...]]) -> list[datetime.date]:
    """The delivered months that are no partition yet; one with a padded month is another partition to OpenCost.

    :param months: their first days
    :param registered: year and month of each partition, as texts
    """
    known = set(registered)
    return [month for month in months if _values(month) not in known]


def register(
    target: TableId, place: ReportPlace, storage: t.Mapping[str, t.Any], months: t.Sequence[datetime.date]
) -> list[Change]:
    """The calls that make partitions of these months.

    :param storage: StorageDescriptor of the table, which the partitions share but for their location
    """
    return [
        _register(target, place, storage, months[start : start + _CALL_LIMIT])
        for start in range(0, len(months), _CALL_LIMIT)
    ]


def _register(
    target: TableId, place: ReportPlace, storage: t.Mapping[str, t.Any], months: t.Sequence[datetime.date]
) -> Change:
    inputs = [
        {"Values": list(_values(month)), "StorageDescriptor": {**storage, "Location": place.data_folder(month)}}
        for month in months
    ]
    params = {"DatabaseName": target.database, "TableName": target.table, "PartitionInputList": inputs}
    summary = f"register {_in_words(months)} as partitions of the Glue table {target.name}"

    def create(connection: AwsConnection) -> None:
        answer = connection.client("glue").batch_create_partition(**params)
        # The answer is 200 whatever became of each of them. One that somebody else has made meanwhile is there.
        errors = [entry["ErrorDetail"] for entry in answer.get("Errors", [])]
        others = [error for error in errors if error.get("ErrorCode") != "AlreadyExistsException"]
        if others:
            raise AnsibleAWSError(message=f"Failed to {summary}: {others[0].get('ErrorMessage')}")

    return Change(summary, "glue", "batch_create_partition", params, function=create)


def _values(month: datetime.date) -> tuple[str, str]:
    return str(month.year), str(month.month)


def _in_words(months: t.Sequence[datetime.date]) -> str:
    names = [f"{month:%Y-%m}" for month in months]
    return names[0] if len(names) == 1 else f"{len(names)} months ({names[0]} to {names[-1]})"
