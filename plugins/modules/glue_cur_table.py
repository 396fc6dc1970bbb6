#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: glue_cur_table
version_added: 1.0.0
short_description: Manage a Glue table over a Cost and Usage Report
description:
  - Makes a table through which Athena queries a Cost and Usage Report (CUR 1.0) in Parquet, as Kubecost and OpenCost do.
  - Needs neither a crawler nor a Lambda function. Athena computes the partitions V(year) and V(month) (partition projection).
  - The columns come from the manifest that AWS delivers with the report.
  - The table can be made before AWS has delivered anything. It then has the columns that Kubecost and OpenCost need.
  - Each later run adds what AWS has delivered meanwhile, such as columns of newly activated cost allocation tags. No column is ever removed.
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
      - Glue table, in lower case.
    type: str
    required: true
  report_bucket:
    description:
      - Bucket into which AWS delivers the report, in O(region). Needed with O(state=present).
    type: str
  report_prefix:
    description:
      - Folder in the bucket, as in the report. Needed with O(state=present).
    type: str
  report_name:
    description:
      - Name of the report. Needed with O(state=present).
      - The location of the table follows from bucket, prefix and name; V(s3://BUCKET/PREFIX/NAME/NAME/).
    type: str
  create_database:
    description:
      - Whether the database is made when it does not exist.
    type: bool
    default: true
  first_year:
    description:
      - The first year whose data can be queried. The last one is always the current one, by Athena's clock.
      - Without it a new table begins with 2022, and an existing one keeps its own years if they go from last year or before to the next one or without an end.
      - A query without a condition on V(year) lists every month from then on, so that an early year makes it slower.
    type: int
  follow_delivery:
    description:
      - Whether the report's newest manifest is read, and its columns are taken up.
      - It needs C(s3:GetObject) on the report, and C(s3:ListBucket) on the bucket, without which S3 does not tell that an object does not exist.
    type: bool
    default: true
  partitions:
    description:
      - How Athena knows the months. With V(projected) it computes them, and nothing has to be done when a month begins.
      - With V(registered) the projection is switched off, and each run registers the delivered months as partitions. A month that begins is seen after
        the next run only. It is the way out where Athena finds no rows through the projection although AWS has delivered.
      - Without it a new table gets V(projected), and an existing one that a task of this module made V(registered) stays so.
      - V(registered) needs O(follow_delivery), and C(glue:GetPartitions) and C(glue:BatchCreatePartition).
    type: str
    choices: [projected, registered]
  overwrite:
    description:
      - Whether an existing table with another location, other partition keys or another format is made over this report. Without it such a table is an error.
    type: bool
    default: false
  tags:
    description:
      - Tags of the database. Glue tables have none.
      - A database that the task creates gets them in the call that creates it, with those of O(ownership_tags).
      - Without this option the tags of an existing database are neither read nor changed.
    type: dict
    aliases: [resource_tags]
  purge_tags:
    description:
      - Whether tags of the database that are not in O(tags) are removed. Only with O(tags).
    type: bool
    default: true
  ownership_tags:
    description:
      - Written as parameters of table and database when the task creates them, because Glue tables have no tags. A new database gets them as tags too.
      - With O(state=absent) a table that does not carry them as parameters is kept, and the result says so in C(kept).
      - With O(state=absent) the database is deleted too if it carries them and has no other table.
      - Without this option O(state=absent) deletes the table whoever made it, and keeps the database.
      - Set it where a table of somebody else could have that name.
    type: dict
  state:
    description:
      - Whether the table exists. Deleting it leaves in the bucket what AWS has delivered.
      - V(absent) deletes a table that somebody else made too, unless O(ownership_tags) says whose is meant.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.glue_cur_table_info
  - module: kubestrap.aws.cur_report_definition
"""

EXAMPLES = r"""
- name: Make the table, with the columns that AWS has delivered
  kubestrap.aws.glue_cur_table:
    database: athenacurcfn_example
    table: example
    report_bucket: example-glue-reports
    report_prefix: cur
    report_name: example
    region: eu-west-1
    tags:
      team: platform
    ownership_tags:
      managed-by: example
  register: billing_table

- name: Say whether AWS has delivered
  ansible.builtin.debug:
    msg: >-
      {{ 'Delivered for ' ~ billing_table.glue_cur_table.delivered_period
         if billing_table.glue_cur_table.delivered else 'Not delivered yet' }}

- name: Take table and database away
  kubestrap.aws.glue_cur_table:
    database: athenacurcfn_example
    table: example
    region: eu-west-1
    ownership_tags:
      managed-by: example
    state: absent
"""

RETURN = r"""
glue_cur_table:
  description: The table as it is after the task, in check mode as it would be; V(null) when it is absent.
  returned: always
  type: dict
  contains:
    database:
      description: Name of the database.
      type: str
      returned: when the table exists
      sample: athenacurcfn_kubecost
    table:
      description: Name of the table.
      type: str
      returned: when the table exists
      sample: kubecost
    arn:
      description: ARN of the table; it follows from account, region and names, so check mode knows it too.
      type: str
      returned: when the table exists
      sample: arn:aws:glue:eu-west-1:111111111111:table/athenacurcfn_kubecost/kubecost
    location:
      description: Where the data is.
      type: str
      returned: when the table exists
      sample: s3://example-billing-reports/cur/kubecost/kubecost/
    columns:
      description: Columns, without the partition keys.
      type: list
      elements: dict
      returned: when the table exists
      sample: [{name: line_item_usage_start_date, type: timestamp}, {name: resource_tags_user_team, type: string}]
    partition_keys:
      description: Partition keys.
      type: list
      elements: dict
      returned: when the table exists
      sample: [{name: year, type: string}, {name: month, type: string}]
    parameters:
      description: Parameters of the table, among them those of the partition projection.
      type: dict
      returned: when the table exists
      sample: {projection.enabled: "true"}
    delivered:
      description: Whether there is a manifest, which means that AWS has delivered; RV(glue_cur_table.delivered_period) says for which month at last.
      type: bool
      returned: with O(state=present) and O(follow_delivery)
      sample: true
    delivered_period:
      description: The newest month that AWS has delivered, whose manifest was read; V(null) without one.
      type: str
      returned: with O(state=present) and O(follow_delivery)
      sample: 2026-01
    delivery_stopped:
      description:
        - Whether the newest month that AWS has delivered is over by more than three days. The report has then stopped, or its folder has moved.
      type: bool
      returned: with O(state=present) and O(follow_delivery)
      sample: false
    database_tags:
      description: Tags of the database.
      type: dict
      returned: with O(state=present) and O(tags)
      sample: {team: platform}
    new_columns:
      description: Names of the columns that the task added to a table that was there.
      type: list
      elements: str
      returned: with O(state=present)
      sample: [resource_tags_user_team]
    new_partitions:
      description: The months that the task registered as partitions.
      type: list
      elements: str
      returned: with O(state=present)
      sample: [2026-01]
    create_time:
      description: When it was created, ISO 8601.
      type: str
      returned: when the table existed or was created, not in check mode before its creation
      sample: "2026-01-31T12:00:00+00:00"
kept:
  description: Why the table, or its database, stays although O(state=absent).
  returned: when one of them was not made with O(ownership_tags), or the database has other tables
  type: str
  sample: the Glue database athenacurcfn_kubecost is not empty
changes:
  description: What was done, or would be done in check mode, one line per call.
  returned: always
  type: list
  elements: str
  sample: ["update the Glue table athenacurcfn_kubecost.kubecost"]
"""

import datetime

from ansible_collections.kubestrap.aws.plugins.module_utils._glue_options import (
    check_report,
    check_table,
    place_of,
    table_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_projection import check_first_year
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import read
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table_plan import (
    Settings,
    plan_absent,
    plan_present,
    resource_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            database=dict(type="str", required=True),
            table=dict(type="str", required=True),
            report_bucket=dict(type="str"),
            report_prefix=dict(type="str"),
            report_name=dict(type="str"),
            create_database=dict(type="bool", default=True),
            first_year=dict(type="int"),
            follow_delivery=dict(type="bool", default=True),
            partitions=dict(type="str", choices=["projected", "registered"]),
            overwrite=dict(type="bool", default=False),
            tags=dict(type="dict", aliases=["resource_tags"]),
            purge_tags=dict(type="bool", default=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
            **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
        ),
        required_if=[("state", "present", ["report_bucket", "report_prefix", "report_name"])],
    )
    params = module.params
    today = datetime.datetime.now(datetime.UTC).date()
    module.guard(lambda: check(params, today.year))
    connection = module.connection
    target = module.guard(lambda: table_of(params, connection.region, module.account_id, connection.partition))
    present = params["state"] == "present"
    place = place_of(params)
    followed = place if present and params["follow_delivery"] else None
    seen = []

    def read_table():
        # The manifest need not be read again after a change.
        report = None if seen else followed
        with_tags = present and params["tags"] is not None
        wanted = params["partitions"]
        options = {"for_deletion": not present, "with_tags": with_tags, "today": today, "partitions": wanted}
        seen.append(read(connection, target, report, **options))
        return resource_of(target, seen[-1], seen[0])

    def plan(_current) -> Plan:
        if not present:
            return plan_absent(target, seen[0], params["ownership_tags"])
        options = ("create_database", "overwrite", "first_year", "tags", "purge_tags", "ownership_tags", "partitions")
        settings = Settings(**{option: params[option] for option in options})
        return plan_present(target, seen[0], place, settings, today.year)

    module.manage("glue_cur_table", read_table, plan)


def check(params, this_year: int) -> None:
    """Refuse what AWS would refuse or would make no sense, before a call is made."""
    check_table(params)
    if params["state"] == "present":
        check_report(params)
        check_first_year("first_year", params["first_year"], this_year)
        if params["partitions"] == "registered" and not params["follow_delivery"]:
            problem = "needs to know what AWS has delivered, which follow_delivery false does not read"
            refuse("partitions", "registered", problem, "Set follow_delivery to true")


if __name__ == "__main__":
    main()
