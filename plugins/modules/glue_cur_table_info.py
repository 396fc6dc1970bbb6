#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: glue_cur_table_info
version_added: 1.0.0
short_description: Look at Glue tables over Cost and Usage Reports
description:
  - Returns one table of a Glue database, or all that have the columns of a Cost and Usage Report.
  - With O(report_name) it also tells whether a table or view that somebody else keeps serves the queries of Kubecost and OpenCost over that report, and
    what AWS has delivered. Nothing is ever changed.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  database:
    description:
      - Glue database, in lower case.
    type: str
    required: true
  table:
    description:
      - Glue table, in lower case. Without it all tables of the database that have the columns of a Cost and Usage Report are returned.
    type: str
  report_bucket:
    description:
      - Bucket into which AWS delivers the report, in O(region). Needed with O(report_name).
    type: str
  report_prefix:
    description:
      - Folder in the bucket, as in the report. Needed with O(report_name).
    type: str
  report_name:
    description:
      - Name of the report over which O(table) has to lie. Needs O(table), O(report_bucket) and O(report_prefix).
      - It needs C(s3:GetObject) on the report, and C(s3:ListBucket) on the bucket.
    type: str
  must_fit:
    description:
      - Whether a table that does not serve is an error, which names each difference. A table that does not exist is none. Only with O(report_name).
    type: bool
    default: false
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.glue_cur_table
"""

EXAMPLES = r"""
- name: Look at a table
  kubestrap.aws.glue_cur_table_info:
    database: athenacurcfn_kubecost
    table: kubecost
    region: eu-west-1
  register: found

- name: Check a view that somebody else keeps before it is used
  kubestrap.aws.glue_cur_table_info:
    database: finops
    table: billing_view
    report_bucket: example-billing-reports
    report_prefix: cur
    report_name: kubecost
    must_fit: true
    region: eu-west-1
  register: checked

- name: Look at all tables over Cost and Usage Reports in a database
  kubestrap.aws.glue_cur_table_info:
    database: athenacurcfn_kubecost
    region: eu-west-1
  register: all_found
"""

RETURN = r"""
glue_cur_tables:
  description: The tables, by name; an empty list when there is none, or no such database.
  returned: always
  type: list
  elements: dict
  contains:
    database:
      description: Name of the database.
      type: str
      returned: always
      sample: athenacurcfn_kubecost
    table:
      description: Name of the table.
      type: str
      returned: always
      sample: kubecost
    arn:
      description: ARN of the table.
      type: str
      returned: always
      sample: arn:aws:glue:eu-west-1:111111111111:table/athenacurcfn_kubecost/kubecost
    location:
      description: Where the data is.
      type: str
      returned: always
      sample: s3://example-billing-reports/cur/kubecost/kubecost/
    columns:
      description: Columns, without the partition keys.
      type: list
      elements: dict
      returned: always
      sample: [{name: line_item_usage_start_date, type: timestamp}, {name: resource_tags_user_team, type: string}]
    partition_keys:
      description: Partition keys.
      type: list
      elements: dict
      returned: always
      sample: [{name: year, type: string}, {name: month, type: string}]
    parameters:
      description: Parameters of the table.
      type: dict
      returned: always
      sample: {projection.enabled: "true"}
    create_time:
      description: When it was created, ISO 8601.
      type: str
      returned: always
      sample: "2026-01-31T12:00:00+00:00"
    view:
      description: Whether it is a view.
      type: bool
      returned: with O(report_name)
      sample: false
    base_tables:
      description: The tables and views below a view, as C(database.table). Whoever reads the view has to read them too.
      type: list
      elements: str
      returned: with O(report_name)
      sample: [finops.kubecost]
    differences:
      description: What does not serve the queries of Kubecost and OpenCost over this report. An empty list means that it fits.
      type: list
      elements: str
      returned: with O(report_name)
      sample: ["it has no column line_item_resource_id"]
    partition_missing:
      description:
        - Whether the newest delivered month is no partition of the table, where the catalog lists the partitions. A crawler has then not run since.
      type: bool
      returned: with O(report_name)
      sample: false
delivery:
  description: What AWS has delivered of the report.
  returned: with O(report_name)
  type: dict
  contains:
    delivered:
      description: Whether there is a manifest, which means that AWS has delivered.
      type: bool
      sample: true
    delivered_period:
      description: The newest month that AWS has delivered; V(null) without one.
      type: str
      sample: 2026-01
    delivery_stopped:
      description: Whether that month is over by more than three days. The report has then stopped, or its folder has moved.
      type: bool
      sample: false
"""

import datetime
import typing as t

from ansible_collections.kubestrap.aws.plugins.module_utils._glue_existing import (
    described,
    read_existing,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_options import (
    check_region,
    check_report,
    check_table,
    place_of,
    table_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import delivery_of, read_tables
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            database=dict(type="str", required=True),
            table=dict(type="str"),
            report_bucket=dict(type="str"),
            report_prefix=dict(type="str"),
            report_name=dict(type="str"),
            must_fit=dict(type="bool", default=False),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
        ),
        required_by={"report_name": ["table", "report_bucket", "report_prefix"], "report_bucket": ["report_name"]},
    )
    module.exit_json(changed=False, **module.guard(lambda: look(module)))


def look(module: KubestrapAWSModule) -> dict[str, t.Any]:
    """What the task asks for: the tables, and the delivery of the report."""
    params = module.params
    database, table, report = params["database"], params["table"], params["report_name"]
    check_table(params)
    if report is not None:
        check_report(params)
    check_region(module.connection.region)
    if report is None:
        return {"glue_cur_tables": read_tables(module.connection, module.account_id, database, table)}
    target = table_of(params, module.connection.region, module.account_id, module.connection.partition)
    place = place_of(params)
    today = datetime.datetime.now(datetime.UTC).date()
    found = read_existing(module.connection, target, place, today)
    tables = described(found, target, place, today.year)
    if params["must_fit"] and tables and tables[0]["differences"]:
        refuse(
            "table",
            target.name,
            f"does not serve the queries of Kubecost: {'; '.join(tables[0]['differences'])}",
            "Nothing was changed. Name another database and table, correct report_bucket, report_prefix and "
            "report_name, or let a table be made of its own",
        )
    return {"glue_cur_tables": tables, "delivery": delivery_of(found.delivery, today)}


if __name__ == "__main__":
    main()
