#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cur_report_definition
version_added: 1.0.0
short_description: Manage a Cost and Usage Report
description:
  - Defines a Cost and Usage Report (CUR 1.0) of the payer account, by default in the form that Kubecost and OpenCost query through Athena.
  - The service exists in us-east-1 only, in China in cn-northwest-1. The module goes there whatever O(region) is. The bucket may be in another region.
  - AWS checks the bucket's policy when a report is defined. Write the policy first, with M(kubestrap.aws.s3_storage_bucket).
  - AWS delivers within 24 hours for the first time. The module does not wait for it; RV(cur_report_definition.report_status) tells.
  - An existing report that serves is taken as it is, such as an hourly one, or one with further columns. What the task does not set is not changed.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  name:
    description:
      - Name of the report. Letters, digits, V(-) and V(_) are best, because names of Glue databases and tables derive from it.
      - The only option that O(state=absent) needs.
    type: str
    required: true
  time_unit:
    description:
      - How finely usage is summed up. V(DAILY) is enough for Kubecost and OpenCost.
      - A new report gets V(DAILY) where this is not set. An existing one may then have V(HOURLY) too.
      - AWS cannot change it later.
    type: str
    choices: [HOURLY, DAILY, MONTHLY]
  additional_schema_elements:
    description:
      - What the report has besides its usual columns. Kubecost and OpenCost need V(RESOURCES), the ids of resources.
      - A new report gets V(RESOURCES) where this is not set. An existing one may then have more.
      - AWS cannot change it later.
    type: list
    elements: str
    choices: [RESOURCES, SPLIT_COST_ALLOCATION_DATA, MANUAL_DISCOUNT_COMPATIBILITY]
  s3_bucket:
    description:
      - Bucket into which AWS delivers, in the same account. Needed with O(state=present).
    type: str
  s3_prefix:
    description:
      - Folder in the bucket, without slashes at its ends. Needed with O(state=present); it may be empty only without V(ATHENA) in O(additional_artifacts).
    type: str
  s3_region:
    description:
      - Region of the bucket. Needed with O(state=present).
    type: str
  format:
    description:
      - Format of the files.
      - A new report gets V(Parquet) where this is not set, and an existing one must have it.
    type: str
    choices: [Parquet, textORcsv]
  compression:
    description:
      - Compression of the files. V(Parquet) if and only if O(format=Parquet).
      - A new report gets V(Parquet) where this is not set, and an existing one must have it.
    type: str
    choices: [Parquet, GZIP, ZIP]
  additional_artifacts:
    description:
      - What AWS delivers besides the data. V(ATHENA) stands alone, and needs O(format=Parquet), O(report_versioning=OVERWRITE_REPORT) and O(s3_prefix).
      - V(REDSHIFT) and V(QUICKSIGHT) need O(format=textORcsv).
      - A new report gets V(ATHENA) where this is not set, and an existing one must have it.
    type: list
    elements: str
    choices: [ATHENA, REDSHIFT, QUICKSIGHT]
  report_versioning:
    description:
      - Whether a delivery replaces the one before it, or is put beside it.
      - A new report gets V(OVERWRITE_REPORT) where this is not set, and an existing one must have it.
      - AWS cannot change it later.
    type: str
    choices: [OVERWRITE_REPORT, CREATE_NEW_REPORT]
  refresh_closed_reports:
    description:
      - Whether months that are over are delivered again when AWS finds refunds, credits or fees for them.
      - A new report gets V(true) where this is not set.
    type: bool
  state:
    description:
      - Whether the report exists. Deleting it leaves in the bucket what AWS has delivered.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - kubestrap.aws.ownership
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.cur_report_definition_info
  - module: kubestrap.aws.glue_cur_table
  - module: kubestrap.aws.s3_storage_bucket
"""

EXAMPLES = r"""
- name: Make the bucket, with a policy that lets AWS deliver
  kubestrap.aws.s3_storage_bucket:
    name: example-billing-reports
    region: eu-west-1
    policy_statements: >-
      {{ lookup('kubestrap.aws.iam_document', 'billing_report_delivery', form='statements', partition='aws',
                bucket='example-billing-reports', account_id='111111111111') }}

- name: Define the report
  kubestrap.aws.cur_report_definition:
    name: example-kubecost
    s3_bucket: example-billing-reports
    s3_prefix: cur
    s3_region: eu-west-1
    region: us-east-1
    tags:
      team: platform
  register: report

- name: Delete the report
  kubestrap.aws.cur_report_definition:
    name: example-kubecost
    region: us-east-1
    state: absent
"""

RETURN = r"""
cur_report_definition:
  description: The report as it is after the task, in check mode as it would be; V(null) when it is absent.
  returned: always
  type: dict
  contains:
    report_name:
      description: Name of the report.
      type: str
      returned: when the report exists
      sample: kubecost
    arn:
      description: ARN of the report; it follows from account and name, so check mode knows it too.
      type: str
      returned: when the report exists
      sample: arn:aws:cur:us-east-1:111111111111:definition/kubecost
    time_unit:
      description: As the option.
      type: str
      returned: when the report exists
      sample: DAILY
    additional_schema_elements:
      description: As the option, sorted.
      type: list
      elements: str
      returned: when the report exists
      sample: [RESOURCES]
    s3_bucket:
      description: As the option.
      type: str
      returned: when the report exists
      sample: example-billing-reports
    s3_prefix:
      description: As the option.
      type: str
      returned: when the report exists
      sample: cur
    s3_region:
      description: As the option.
      type: str
      returned: when the report exists
      sample: eu-west-1
    format:
      description: As the option.
      type: str
      returned: when the report exists
      sample: Parquet
    compression:
      description: As the option.
      type: str
      returned: when the report exists
      sample: Parquet
    additional_artifacts:
      description: As the option, sorted.
      type: list
      elements: str
      returned: when the report exists
      sample: [ATHENA]
    report_versioning:
      description: As the option.
      type: str
      returned: when the report exists
      sample: OVERWRITE_REPORT
    refresh_closed_reports:
      description: As the option.
      type: bool
      returned: when the report exists
      sample: true
    billing_view_arn:
      description: The billing view that the report is of. The module keeps it.
      type: str
      returned: when the report has one
      sample: arn:aws:billing::111111111111:billingview/primary
    report_status:
      description: The last delivery; both are V(null) before the first one.
      type: dict
      returned: when the report exists
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
      returned: when the report exists
      sample: s3://example-billing-reports/cur/kubecost/kubecost/
    tags:
      description: Tags of the report.
      type: dict
      returned: with O(tags), or with O(ownership_tags) and O(state=absent), when the report exists
      sample: {team: platform}
kept:
  description: Why the report stays although O(state=absent).
  returned: when it was not made with O(ownership_tags)
  type: str
  sample: the Cost and Usage Report kubecost was not made by this collection (no tag managed-by=example)
changes:
  description: What was done, or would be done in check mode, one line per call.
  returned: always
  type: list
  elements: str
  sample: ["define the Cost and Usage Report kubecost"]
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._cur_report import (
    PROPERTIES,
    ReportId,
    check_properties,
    check_report_name,
    delivery_regions,
    read,
    service_region,
    with_defaults,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._cur_report_plan import plan_absent, plan_present
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan

SCHEMA_ELEMENTS = ["RESOURCES", "SPLIT_COST_ALLOCATION_DATA", "MANUAL_DISCOUNT_COMPATIBILITY"]


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            name=dict(type="str", required=True),
            time_unit=dict(type="str", choices=["HOURLY", "DAILY", "MONTHLY"]),
            additional_schema_elements=dict(type="list", elements="str", choices=SCHEMA_ELEMENTS),
            s3_bucket=dict(type="str"),
            s3_prefix=dict(type="str"),
            s3_region=dict(type="str"),
            format=dict(type="str", choices=["Parquet", "textORcsv"]),
            compression=dict(type="str", choices=["Parquet", "GZIP", "ZIP"]),
            additional_artifacts=dict(type="list", elements="str", choices=["ATHENA", "REDSHIFT", "QUICKSIGHT"]),
            report_versioning=dict(type="str", choices=["OVERWRITE_REPORT", "CREATE_NEW_REPORT"]),
            refresh_closed_reports=dict(type="bool"),
            tags=dict(type="dict", aliases=["resource_tags"]),
            purge_tags=dict(type="bool", default=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
            **KubestrapAWSModule.OWNERSHIP_ARGUMENT_SPEC,
        ),
        required_if=[("state", "present", ["s3_bucket", "s3_prefix", "s3_region"])],
    )
    params = module.params
    present = params["state"] == "present"
    wanted = {option: params[option] for option in PROPERTIES}
    report = module.guard(lambda: checked(module, wanted))

    def plan(current) -> Plan:
        if not present:
            return plan_absent(report, current, params["ownership_tags"])
        options = ("tags", "purge_tags", "ownership_tags")
        return plan_present(report, current, wanted, **{option: params[option] for option in options})

    # Tags are one call more. To define a report asks for those of the task only, to delete one who made it.
    with_tags = params["tags"] is not None if present else bool(params["ownership_tags"])
    module.manage("cur_report_definition", lambda: read(module.connection, report, with_tags), plan)


def checked(module: KubestrapAWSModule, wanted: dict) -> ReportId:
    """The report that the task names; everything that AWS would refuse is refused before a call is made."""
    name = module.params["name"]
    check_report_name("name", name)
    region = service_region(module.connection)
    if module.params["state"] == "present":
        check_properties(with_defaults(wanted), delivery_regions(module.connection, region))
    return ReportId(name, region, module.account_id, module.connection.partition)


if __name__ == "__main__":
    main()
