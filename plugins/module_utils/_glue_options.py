# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Table and report as the options of a module name them: ``database``, ``table``, ``report_bucket`` and so on."""

from __future__ import annotations

import typing as t

from ._cur_report import check_report_name, check_report_prefix
from ._glue_table import ReportPlace, TableId, check_glue_name
from ._identifiers import refuse
from ._s3_names import check_bucket_name

Options = t.Mapping[str, t.Any]


def check_table(params: Options) -> None:
    """Refuse names that Glue would refuse; a table need not be named.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    check_glue_name("database", params["database"])
    if params["table"] is not None:
        check_glue_name("table", params["table"])


def check_report(params: Options) -> None:
    """Refuse what S3 and AWS Billing would refuse.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    check_bucket_name("report_bucket", params["report_bucket"])
    check_report_prefix("report_prefix", params["report_prefix"])
    check_report_name("report_name", params["report_name"])


def check_region(region: str | None) -> str:
    """The region of the table.

    :raises AnsibleAWSError: there is none
    """
    if not region:
        refuse("region", region, "is not a region", "Set the region of bucket and table, for example eu-west-1")
    return region


def table_of(params: Options, region: str | None, account_id: str, partition: str) -> TableId:
    """The table that a task names.

    :raises AnsibleAWSError: there is no region
    """
    return TableId(params["database"], params["table"], check_region(region), account_id, partition)


def place_of(params: Options) -> ReportPlace:
    """Where AWS delivers the report that a task names."""
    return ReportPlace(params["report_bucket"], params["report_prefix"], params["report_name"])
