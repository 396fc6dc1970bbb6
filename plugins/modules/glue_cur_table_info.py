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
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
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
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import check_glue_name, read_tables
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            database=dict(type="str", required=True),
            table=dict(type="str"),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
        ),
    )
    module.exit_json(changed=False, glue_cur_tables=module.guard(lambda: look(module)))


def look(module: KubestrapAWSModule) -> list:
    """The tables that the task asks for."""
    database, table = module.params["database"], module.params["table"]
    check_glue_name("database", database)
    if table is not None:
        check_glue_name("table", table)
    if not module.connection.region:
        refuse("region", None, "is not a region", "Set the region of the table, for example eu-west-1")
    return read_tables(module.connection, module.account_id, database, table)


if __name__ == "__main__":
    main()
