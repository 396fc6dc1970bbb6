#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: athena_query
version_added: 1.0.0
short_description: Run an Athena query and return its rows
description:
  - Runs one statement that only reads, waits for its end, and returns its rows.
  - A query that fails ends the task with Athena's own reason, which clients such as Kubecost do not show, and with what to change.
  - While it waits it says every few seconds what it waits for, and for how long.
  - Athena charges for the data that a query scans. In check mode nothing is started.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  query:
    description:
      - The statement, one SELECT, WITH or VALUES. Instead of SHOW and DESCRIBE query the tables of C(information_schema).
      - Exactly one of O(query) and O(query_execution_id) is required.
    type: str
  query_execution_id:
    description:
      - A query that was started before. It is followed instead of a new one being started.
    type: str
  database:
    description:
      - Database of tables that O(query) names without one.
    type: str
  catalog:
    description:
      - Data catalog of the database. Without it Athena takes the Glue catalog of the account.
    type: str
  workgroup:
    description:
      - Workgroup to run in. Without it Athena takes V(primary).
    type: str
  output_location:
    description:
      - Where the result is written, V(s3://bucket/prefix/). A workgroup that enforces its own location ignores it.
    type: str
  expected_bucket_owner:
    description:
      - Account that the results bucket must belong to.
    type: str
  max_rows:
    description:
      - Most rows to return. More are left in the result file.
    type: int
    default: 100
  wait:
    description:
      - Whether to wait for the end. Without it the task returns the state of the query after its start.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait. A query that is not done then is returned with its state, and goes on.
    type: int
    default: 300
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: full
seealso:
  - module: kubestrap.aws.athena_workgroup
"""

EXAMPLES = r"""
- name: Look at the columns of the billing data
  kubestrap.aws.athena_query:
    query: >-
      SELECT column_name FROM information_schema.columns
      WHERE table_schema = 'athenacurcfn_kubecost' AND table_name = 'kubecost'
    database: athenacurcfn_kubecost
    workgroup: kubecost
    region: us-east-1
  register: columns

- name: Show their number
  ansible.builtin.debug:
    msg: "{{ columns.query.rows | length }} columns"
"""

RETURN = r"""
query:
  description: The query as it was last seen.
  returned: always
  type: dict
  contains:
    query_execution_id:
      description: Id of the query, V(null) when it was not started.
      type: str
      sample: 5c1a7a4e-0000-4000-8000-000000000000
    state:
      description: V(SUCCEEDED), V(FAILED), V(CANCELLED), V(QUEUED), V(RUNNING), or V(NOT_STARTED) in check mode.
      type: str
      sample: SUCCEEDED
    state_change_reason:
      description: Athena's reason for the state.
      type: str
      sample: "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"
    data_scanned_in_bytes:
      description: Data that was scanned, which Athena charges for.
      type: int
      sample: 1048576
    engine_execution_time_in_millis:
      description: How long the engine ran.
      type: int
      sample: 912
    output_location:
      description: File with the whole result.
      type: str
      sample: s3://acme-athena-results/kubecost/5c1a7a4e-0000-4000-8000-000000000000.csv
    columns:
      description: Name and type of each column.
      type: list
      elements: dict
      sample: [{name: column_name, type: varchar}]
    rows:
      description:
        - The rows, each with the names of the columns as keys and texts as values, V(null) for NULL.
        - Of columns with the same name only the last one is there; give them names with C(AS).
      type: list
      elements: dict
      sample: [{column_name: line_item_unblended_cost}]
"""

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._athena_query import (
    NOT_STARTED,
    Query,
    check_reading,
    fetch,
    follow,
    hint_of,
    start,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._athena_workgroup import check_s3_url, check_workgroup_name
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import check_account_id, refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def check(params):
    """Refuse an input before any call."""
    for option in ("max_rows", "wait_timeout"):
        if params[option] is None or params[option] < 0:
            refuse(option, params[option], "is not a number from 0 on", "Write one, or leave the option out")
    if params["query"] is not None:
        check_reading("query", params["query"])
    if params["workgroup"] is not None:
        check_workgroup_name("workgroup", params["workgroup"])
    if params["output_location"] is not None:
        check_s3_url("output_location", params["output_location"])
    if params["expected_bucket_owner"] is not None:
        check_account_id("expected_bucket_owner", params["expected_bucket_owner"])


def run(module):
    """The query as far as the task wants to go with it.

    :raises AnsibleAWSError: Athena refuses a call
    """
    try:
        return go(module)
    except (BotoCoreError, ClientError) as e:
        hint = hint_of(str(e))
        message = "Failed to run the query"
        raise AnsibleAWSError(message=f"{message}. {hint}" if hint else message, exception=e) from e


def go(module):
    """Start the query, or take up the one that was started."""
    params, connection = module.params, module.connection
    query_id = params["query_execution_id"]
    if not query_id and module.check_mode:
        return Query(id=None, state=NOT_STARTED)
    if not query_id:
        options = ("database", "catalog", "workgroup", "output_location", "expected_bucket_owner")
        query_id = start(connection, params["query"], **{option: params[option] for option in options})
    query = follow(connection, query_id, timeout=params["wait_timeout"] if params["wait"] else 0)
    return fetch(connection, query, max_rows=params["max_rows"])


def shape(query):
    """The query as the module returns it."""
    return {
        "query_execution_id": query.id,
        "state": query.state,
        "state_change_reason": query.reason,
        "data_scanned_in_bytes": query.bytes_scanned,
        "engine_execution_time_in_millis": query.milliseconds,
        "output_location": query.output_location,
        "columns": query.columns,
        "rows": query.rows,
    }


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            query=dict(type="str"),
            query_execution_id=dict(type="str"),
            database=dict(type="str"),
            catalog=dict(type="str"),
            workgroup=dict(type="str"),
            output_location=dict(type="str"),
            expected_bucket_owner=dict(type="str"),
            max_rows=dict(type="int", default=100),
            wait=dict(type="bool", default=True),
            wait_timeout=dict(type="int", default=300),
        ),
        required_one_of=[("query", "query_execution_id")],
        mutually_exclusive=[("query", "query_execution_id")],
    )
    module.guard(lambda: check(module.params))
    query = module.guard(lambda: run(module))
    if query.state in ("FAILED", "CANCELLED"):
        hint = f". {query.hint}" if query.hint else ""
        module.fail_json(msg=f"The query {query.id} ended as {query.state}: {query.reason}{hint}", query=shape(query))
    module.exit_json(changed=False, query=shape(query))


if __name__ == "__main__":
    main()
