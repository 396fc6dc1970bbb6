#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ce_cost_allocation_tag_info
version_added: 1.0.0
short_description: Look at cost allocation tags
description:
  - Returns the tag keys that billing has seen on resources, whether they are active as cost allocation tags, and the backfills that were asked for.
  - Works in the management account of an organization, and in an account that is in none. A member account is told so.
  - The service exists in us-east-1 only, in China in cn-northwest-1. The module goes there whatever O(region) is.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  tag_keys:
    description:
      - Keys of tags, as they are on resources. All that billing has seen are returned without it.
    type: list
    elements: str
  status:
    description:
      - Returns tags with this status only.
    type: str
    choices: [active, inactive]
  type:
    description:
      - Returns tags of this type only.
    type: str
    choices: [AWSGenerated, UserDefined]
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: kubestrap.aws.ce_cost_allocation_tag
"""

EXAMPLES = r"""
- name: Look whether tags are active, and whether billing has seen them at all
  kubestrap.aws.ce_cost_allocation_tag_info:
    region: us-east-1
    tag_keys: [kubernetes_cluster, kubernetes_namespace]
  register: found

- name: List what was used on resources, but is not activated
  kubestrap.aws.ce_cost_allocation_tag_info:
    region: us-east-1
    status: inactive
    type: UserDefined
  register: unused
"""

RETURN = r"""
ce_cost_allocation_tags:
  description: The tags, by key.
  returned: always
  type: list
  elements: dict
  contains:
    tag_key:
      description: Key of the tag.
      type: str
      returned: always
      sample: kubernetes_namespace
    type:
      description: V(UserDefined), or V(AWSGenerated) for keys that begin with C(aws:).
      type: str
      returned: always
      sample: UserDefined
    status:
      description: V(active) or V(inactive).
      type: str
      returned: always
      sample: active
    last_updated_date:
      description: When it was activated or deactivated the last time; V(null) where AWS does not say.
      type: str
      returned: always
      sample: "2026-03-04T10:00:00Z"
    last_used_date:
      description: The last month in which a resource had the tag; V(null) where AWS does not say.
      type: str
      returned: always
      sample: "2026-03-01T00:00:00Z"
pending:
  description: Keys of O(tag_keys) that billing has not seen on a resource yet, in the order of the task.
  returned: always
  type: list
  elements: str
  sample: [kubernetes_pod]
backfills:
  description: The backfills that were asked for, the last one first.
  returned: always
  type: list
  elements: dict
  contains:
    from:
      description: The first of a month.
      type: str
      returned: always
      sample: "2026-01-01"
    status:
      description: V(PROCESSING), V(SUCCEEDED) or V(FAILED).
      type: str
      returned: always
      sample: SUCCEEDED
    requested_at:
      description: When AWS was asked.
      type: str
      returned: always
      sample: "2026-03-04T10:00:00Z"
    completed_at:
      description: When it ended; V(null) before that.
      type: str
      returned: always
      sample: "2026-03-04T19:30:00Z"
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._cost_allocation_tags import (
    STATUSES,
    check_tag_keys,
    read,
    read_backfills,
    read_tags,
    service_region,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import gather


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            # Keys of tags are no secrets, whatever their name.
            tag_keys=dict(type="list", elements="str", no_log=False),
            status=dict(type="str", choices=["active", "inactive"]),
            type=dict(type="str", choices=["AWSGenerated", "UserDefined"]),
        ),
    )
    module.exit_json(changed=False, **module.guard(lambda: look(module)))


def look(module: KubestrapAWSModule) -> dict:
    """The tags that the task asks for, and the backfills."""
    keys, status, kind = (module.params[option] for option in ("tag_keys", "status", "type"))
    check_tag_keys("tag_keys", keys or [])
    connection = module.connection
    region = service_region(connection)
    if keys is None:
        filters = {"Status": STATUSES.get(status), "Type": kind}
        given = {name: value for name, value in filters.items() if value is not None}
        reads = {
            "ce_cost_allocation_tags": lambda: read_tags(connection, region, **given),
            "backfills": lambda: read_backfills(connection, region),
        }
        return {**gather(reads), "pending": []}
    # A key with another status is known, so AWS is asked for all of them.
    found = read(connection, region, keys, with_backfills=True)
    fitting = [tag for tag in found.tags.values() if status in (None, tag["status"]) and kind in (None, tag["type"])]
    return {
        "ce_cost_allocation_tags": sorted(fitting, key=lambda tag: tag["tag_key"]),
        "backfills": found.backfills,
        "pending": found.pending(keys),
    }


if __name__ == "__main__":
    main()
