#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ce_cost_allocation_tag
version_added: 1.0.0
short_description: Activate cost allocation tags
description:
  - Activates tag keys as cost allocation tags, or deactivates them. Reports of AWS have a column for each active one, from the moment on in which it
    was activated. A backfill writes them into months that are over.
  - Works in the management account of an organization, and in an account that is in none. A member account is told so.
  - A key can be activated once billing has seen it on a resource, which takes AWS up to 24 hours. Until then the key is returned as RV(pending), which
    is no failure; run the task again later. Activating takes AWS up to 24 hours more.
  - The service exists in us-east-1 only, in China in cn-northwest-1. The module goes there whatever O(region) is.
  - Tags that the task does not name are left as they are.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  tag_keys:
    description:
      - Keys of tags, as they are on resources; capitals count. Keys that AWS generates (C(aws:createdBy), C(aws:eks:cluster-name)) can be activated too.
      - Two keys that differ in their special characters only, such as C(kubernetes_namespace) and C(kubernetes-namespace), share a column in reports for
        Athena. Each has to be activated by itself.
    type: list
    elements: str
    required: true
  state:
    description:
      - Whether the keys are cost allocation tags. A key that billing has never seen is inactive as it is.
    type: str
    choices: [active, inactive]
    default: active
  backfill:
    description:
      - Has AWS write the status that the keys have now into months that are over. It does so for all tags of the account.
      - AWS does one at a time, and one in 24 hours. Where it cannot be asked for yet, and as long as a key is RV(pending),
        RV(ce_cost_allocation_tag.backfill) says why it waits; run the task again later. The module does not wait for a backfill to end.
      - One that was asked for after the keys got their status, from this month or an earlier one, is not asked for again.
    type: dict
    suboptions:
      from:
        description:
          - First day of a month that has begun, C(YYYY-MM-01). AWS goes back twelve months.
        type: str
        required: true
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.ce_cost_allocation_tag_info
  - module: kubestrap.aws.cur_report_definition
  - module: kubestrap.aws.glue_cur_table
"""

EXAMPLES = r"""
- name: Activate the tags by which Kubecost assigns resources outside the cluster
  kubestrap.aws.ce_cost_allocation_tag:
    region: us-east-1
    tag_keys:
      - kubernetes_cluster
      - kubernetes_namespace
      - kubernetes_deployment
      - kubernetes_label_app.kubernetes.io/name
  register: tags

- name: Say what billing has not seen on any resource yet
  ansible.builtin.debug:
    msg: "Not yet: {{ tags.pending | join(', ') }}"
  when: tags.pending | length > 0

- name: Have the tag of AWS for EKS in the bills of this year, too
  kubestrap.aws.ce_cost_allocation_tag:
    region: us-east-1
    tag_keys: ["aws:eks:cluster-name"]
    backfill:
      from: "{{ now(utc=true).year }}-01-01"

- name: Take a column out of the reports to come
  kubestrap.aws.ce_cost_allocation_tag:
    region: us-east-1
    tag_keys: [kubernetes_deployment]
    state: inactive
"""

RETURN = r"""
ce_cost_allocation_tag:
  description: The tags of the task as they are after it, in check mode as they would be.
  returned: always
  type: dict
  contains:
    statuses:
      description: Key to V(active) or V(inactive), of the keys that billing has seen.
      returned: always
      type: dict
      sample: {kubernetes_namespace: active}
    backfill:
      description: The backfill that the task wants.
      returned: with O(backfill)
      type: dict
      contains:
        from:
          description: As the option.
          type: str
          sample: "2026-01-01"
        state:
          description:
            - V(done); V(running), which takes AWS up to 24 hours; or V(waiting), when AWS cannot be asked yet.
            - V(absent) is in the diff only.
          type: str
          sample: running
        reason:
          description: Why it waits; V(null) when it does not.
          type: str
          sample: billing has not seen kubernetes_pod yet, and a backfill would leave that out
        requested_at:
          description: When AWS was asked; V(null) when it was not, and in check mode.
          type: str
          sample: "2026-03-04T10:00:00Z"
        completed_at:
          description: When it ended; V(null) before that.
          type: str
          sample: "2026-03-04T19:30:00Z"
pending:
  description: Keys that are to be active and that billing has not seen on a resource yet, in the order of the task. Run the task again later.
  returned: always
  type: list
  elements: str
  sample: [kubernetes_pod]
changes:
  description: What was done, or would be done in check mode. AWS takes 20 keys in a call.
  returned: always
  type: list
  elements: str
  sample: ["activate the cost allocation tags kubernetes_cluster, kubernetes_namespace"]
"""

import datetime

from ansible_collections.kubestrap.aws.plugins.module_utils._cost_allocation_tags import (
    check_backfill_from,
    check_tag_keys,
    read,
    service_region,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._cost_allocation_tags_plan import Wanted, plan, resource_of
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            # Keys of tags are no secrets, whatever their name.
            tag_keys=dict(type="list", elements="str", required=True, no_log=False),
            state=dict(type="str", choices=["active", "inactive"], default="active"),
            backfill=dict(type="dict", options={"from": dict(type="str", required=True)}),
        ),
    )
    now = datetime.datetime.now(datetime.UTC)
    wanted = module.guard(lambda: checked(module.params, now.date()))
    region = module.guard(lambda: service_region(module.connection))
    seen = []

    def look():
        seen.append(read(module.connection, region, wanted.keys, with_backfills=wanted.backfill_from is not None))
        return resource_of(seen[-1], wanted, now)

    module.manage(
        "ce_cost_allocation_tag",
        look,
        lambda _current: plan(seen[-1], wanted, region, now),
        outcome=lambda _planned, _answers: {"pending": wanted.pending(seen[-1])},
    )


def checked(params: dict, today: datetime.date) -> Wanted:
    """What the task wants; everything that AWS would refuse is refused before a call is made."""
    check_tag_keys("tag_keys", params["tag_keys"])
    start = (params["backfill"] or {}).get("from")
    if start is not None:
        check_backfill_from("backfill.from", start, today)
    return Wanted(tuple(params["tag_keys"]), params["state"], start)


if __name__ == "__main__":
    main()
