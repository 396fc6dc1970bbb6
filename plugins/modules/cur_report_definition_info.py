#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cur_report_definition_info
version_added: 1.0.0
short_description: Look at Cost and Usage Reports
description:
  - Returns one Cost and Usage Report (CUR 1.0), or all of the account, with the status of the last delivery.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  name:
    description:
      - Name of the report. All are returned without it.
    type: str
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.cur_report_definition
"""

EXAMPLES = r"""
- name: Look whether AWS has delivered a report
  kubestrap.aws.cur_report_definition_info:
    name: kubecost
    region: us-east-1
  register: found

- name: Look at all reports of the account
  kubestrap.aws.cur_report_definition_info:
    region: us-east-1
  register: all_found
"""

RETURN = r"""
cur_report_definitions:
  description: The reports, by name; an empty list when there is none.
  returned: always
  type: list
  elements: dict
  contains:
    report_name:
      description: Name of the report.
      type: str
      returned: always
      sample: kubecost
    arn:
      description: ARN of the report.
      type: str
      returned: always
      sample: arn:aws:cur:us-east-1:111111111111:definition/kubecost
    time_unit:
      description: How finely usage is summed up; V(HOURLY), V(DAILY) or V(MONTHLY).
      type: str
      returned: always
      sample: DAILY
    additional_schema_elements:
      description: What the report has besides its usual columns, sorted.
      type: list
      elements: str
      returned: always
      sample: [RESOURCES]
    s3_bucket:
      description: Bucket into which AWS delivers.
      type: str
      returned: always
      sample: example-billing-reports
    s3_prefix:
      description: Folder in the bucket.
      type: str
      returned: always
      sample: cur
    s3_region:
      description: Region of the bucket.
      type: str
      returned: always
      sample: eu-west-1
    format:
      description: Format of the files.
      type: str
      returned: always
      sample: Parquet
    compression:
      description: Compression of the files.
      type: str
      returned: always
      sample: Parquet
    additional_artifacts:
      description: What AWS delivers besides the data, sorted.
      type: list
      elements: str
      returned: always
      sample: [ATHENA]
    report_versioning:
      description: Whether a delivery replaces the one before it.
      type: str
      returned: always
      sample: OVERWRITE_REPORT
    refresh_closed_reports:
      description: Whether months that are over are delivered again; V(null) when that was never set.
      type: bool
      returned: always
      sample: true
    billing_view_arn:
      description: The billing view that the report is of.
      type: str
      returned: when the report has one
      sample: arn:aws:billing::111111111111:billingview/primary
    report_status:
      description: The last delivery; both are V(null) before the first one.
      type: dict
      returned: always
      contains:
        last_delivery:
          description: When it was.
          type: str
          sample: 20260131T120000Z
        last_status:
          description: How it ended; V(SUCCESS), V(ERROR_PERMISSIONS) or V(ERROR_NO_BUCKET).
          type: str
          sample: SUCCESS
    location:
      description: Where the data of a report for Athena lies. Below it are year and month.
      type: str
      returned: always
      sample: s3://example-billing-reports/cur/kubecost/kubecost/
    tags:
      description: Tags of the report.
      type: dict
      returned: always
      sample: {team: platform}
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._cur_report import (
    ReportId,
    check_report_name,
    read,
    read_all,
    service_region,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(name=dict(type="str"), **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC),
    )
    module.exit_json(changed=False, cur_report_definitions=module.guard(lambda: look(module)))


def look(module: KubestrapAWSModule) -> list:
    """The reports that the task asks for."""
    name = module.params["name"]
    if name is not None:
        check_report_name("name", name)
    connection, account_id = module.connection, module.account_id
    region = service_region(connection)
    if name is None:
        return read_all(connection, region, account_id)
    found = read(connection, ReportId(name, region, account_id, connection.partition), with_tags=True)
    return [] if found is None else [found]


if __name__ == "__main__":
    main()
