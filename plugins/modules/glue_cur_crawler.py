#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: glue_cur_crawler
version_added: 1.0.0
short_description: Run the crawler of a Cost and Usage Report when it has to
description:
  - Looks at the Glue crawler that AWS' template C(crawler-cfn.yml) makes for a Cost and Usage Report, and runs it when AWS has delivered a month or a
    column that its table does not show.
  - Returns the template as AWS delivered it, so that P(kubestrap.aws.cur_crawler_template#filter) and M(amazon.aws.cloudformation) can make the crawler.
  - Before the first delivery there is neither template nor crawler. The module then does nothing, and says so.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  report_bucket:
    description:
      - Bucket into which AWS delivers the report, in O(region).
    type: str
    required: true
  report_prefix:
    description:
      - Folder in the bucket, as in the report.
    type: str
    required: true
  report_name:
    description:
      - Name of the report. The crawler is called C(AWSCURCrawler-NAME).
    type: str
    required: true
  database:
    description:
      - Glue database of the crawler, C(athenacurcfn_NAME) with V(_) for V(-).
    type: str
    required: true
  table:
    description:
      - Glue table that the crawler makes; the name of the report in lower case with V(_) for V(-).
    type: str
    required: true
  stack_name:
    description:
      - CloudFormation stack that makes the crawler. One in a broken state is an error, before anything is changed.
    type: str
    required: true
  run:
    description:
      - Whether the crawler is run when it has to. With V(false) the module only looks.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait for the end of the crawl, which takes one to three minutes on AWS. It goes on when the time is up. V(0) does not wait.
    type: int
    default: 300
  ownership_tags:
    description:
      - Tags of a stack that this user has made; RV(glue_cur_crawler.stack.owned) tells whether it has them.
    type: dict
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.glue_cur_table
  - module: amazon.aws.cloudformation
  - plugin: kubestrap.aws.cur_crawler_template
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at the crawler, and at the template that AWS delivers
  kubestrap.aws.glue_cur_crawler:
    report_bucket: example-crawled-reports
    report_prefix: cur
    report_name: example-crawled
    database: athenacurcfn_example_crawled
    table: example_crawled
    stack_name: example-cur-crawler
    region: eu-west-1
    run: false
  register: found

- name: Make the crawler once AWS has delivered
  amazon.aws.cloudformation:
    stack_name: example-cur-crawler
    template_body: >-
      {{ found.glue_cur_crawler.template
         | kubestrap.aws.cur_crawler_template('cron(15 12 * * ? *)', 'athenacurcfn_example_crawled') | to_json }}
    capabilities: [CAPABILITY_IAM]
    on_create_failure: DELETE
    region: eu-west-1
  when: found.glue_cur_crawler.template is not none

- name: Run it when it has to
  kubestrap.aws.glue_cur_crawler:
    report_bucket: example-crawled-reports
    report_prefix: cur
    report_name: example-crawled
    database: athenacurcfn_example_crawled
    table: example_crawled
    stack_name: example-cur-crawler
    region: eu-west-1
"""

RETURN = r"""
glue_cur_crawler:
  description: The crawler as it is after the task.
  returned: always
  type: dict
  contains:
    name:
      description: Name of the crawler.
      type: str
      sample: AWSCURCrawler-kubecost
    exists:
      description: Whether it exists.
      type: bool
      sample: true
    state:
      description: V(READY), V(RUNNING) or V(STOPPING); V(null) when it does not exist.
      type: str
      sample: READY
    last_status:
      description: How its last run ended; V(null) before it.
      type: str
      sample: SUCCEEDED
    schedule:
      description: When it runs; V(null) when only AWS' Lambda function starts it, or it does not exist.
      type: str
      sample: cron(15 12 * * ? *)
    stack:
      description: The CloudFormation stack O(stack_name); V(null) when it does not exist.
      type: dict
      contains:
        name:
          description: Name of the stack.
          type: str
          sample: kubestrap-cur-crawler-kubecost
        status:
          description: State of the stack.
          type: str
          sample: CREATE_COMPLETE
        owned:
          description: Whether it carries the tags of O(ownership_tags).
          type: bool
          sample: true
    template:
      description: C(crawler-cfn.yml) as AWS delivered it; V(null) before that, and where the crawler exists.
      type: str
      sample: "AWSTemplateFormatVersion: 2010-09-09"
glue_cur_tables:
  description: The crawler's table with what was compared, as M(kubestrap.aws.glue_cur_table_info) returns it; an empty list when it does not exist.
  returned: always
  type: list
  elements: dict
delivery:
  description: What AWS has delivered of the report, as M(kubestrap.aws.glue_cur_table_info) returns it.
  returned: always
  type: dict
changes:
  description: What was done, or would be done in check mode, one line per call.
  returned: always
  type: list
  elements: str
  sample: ["run the Glue crawler AWSCURCrawler-kubecost, because there is no table yet"]
"""

import datetime
import re
import typing as t

from ansible_collections.kubestrap.aws.plugins.module_utils._cur_crawler import (
    Found,
    check_stack,
    plan_run,
    read,
    shape,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_existing import described
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_options import (
    check_region,
    check_report,
    check_table,
    place_of,
    table_of,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._glue_table import delivery_of
from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import apply


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            report_bucket=dict(type="str", required=True),
            report_prefix=dict(type="str", required=True),
            report_name=dict(type="str", required=True),
            database=dict(type="str", required=True),
            table=dict(type="str", required=True),
            stack_name=dict(type="str", required=True),
            run=dict(type="bool", default=True),
            wait_timeout=dict(type="int", default=300),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
            **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
        ),
    )
    module.guard(lambda: check(module))
    module.exit_json(**module.guard(lambda: work(module)))


def check(module: KubestrapAWSModule) -> None:
    """Refuse what AWS would refuse or would make no sense, before a call is made."""
    params = module.params
    check_report(params)
    check_table(params)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", params["stack_name"]):
        write = "Use letters, digits and '-', beginning with a letter"
        refuse("stack_name", params["stack_name"], "is not the name of a CloudFormation stack", write)
    if params["wait_timeout"] < 0:
        refuse("wait_timeout", params["wait_timeout"], "is less than nothing", "Write seconds, for example 300")
    check_region(module.connection.region)


def work(module: KubestrapAWSModule) -> dict[str, t.Any]:
    """Look, run the crawler when it has to, and look again."""
    params, connection = module.params, module.connection
    place = place_of(params)
    target = table_of(params, connection.region, module.account_id, connection.partition)
    today = datetime.datetime.now(datetime.UTC).date()

    def look() -> Found:
        return read(connection, target, place, params["stack_name"], today)

    found = look()
    check_stack(found, target, params["stack_name"])
    resource = shape(found, place, params["ownership_tags"])
    planned = plan_run(found, resource, place, params["run"], params["wait_timeout"])
    if planned.changes and not module.check_mode:
        apply(connection, planned.changes)
        found = look()
    return {
        "changed": planned.changed,
        "changes": [change.summary for change in planned.changes],
        "glue_cur_crawler": shape(found, place, params["ownership_tags"]),
        "glue_cur_tables": described(found.existing, target, place, today.year),
        "delivery": delivery_of(found.existing.delivery, today),
    }


if __name__ == "__main__":
    main()
