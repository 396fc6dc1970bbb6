#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: tagged_resources_info
version_added: 1.0.0
short_description: Look which resources carry the tags by which Kubecost assigns them
description:
  - Lists the tagged resources of some regions of one account, of any service, with the tags by which Kubecost assigns resources outside the cluster, and
    with keys that were meant to be such tags.
  - AWS lists what has a tag, or had one once. A resource that never had one is not among them.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  regions:
    description:
      - Regions to look at. Without it the one of the task. A bucket is in the region in which it was made.
    type: list
    elements: str
  resource_types:
    description:
      - Services (V(s3)), or types of their resources (V(rds:db)), as they are in ARNs. Without it all.
    type: list
    elements: str
    default: []
  scheme_only:
    description:
      - Returns only resources that carry a tag of the scheme, or a key that was meant to be one. The others are counted.
    type: bool
    default: false
extends_documentation_fragment:
  - kubestrap.aws.attributes.info
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - It takes the right C(tag:GetResources), and makes one call for each 100 resources of a region.
seealso:
  - module: kubestrap.aws.resource_tags
  - module: kubestrap.aws.ce_cost_allocation_tag_info
  - module: kubestrap.aws.kubernetes_names_info
"""

EXAMPLES = r"""
- name: Look which databases and buckets Kubecost can assign
  kubestrap.aws.tagged_resources_info:
    regions: [eu-west-1, us-east-1]
    resource_types: [rds:db, s3]
    scheme_only: true
    region: eu-west-1
  register: found

- name: Show keys that Kubecost does not read
  ansible.builtin.debug:
    msg: "{{ item.0.arn }} has {{ item.1.key }}, which was meant to be {{ item.1.meant }}"
  loop: "{{ found.tagged_resources | subelements('near_misses') }}"
  when: not item.1.same_column
  loop_control:
    label: "{{ item.0.arn }}"

- name: Say how many there are
  ansible.builtin.debug:
    msg: "{{ found.tagged_resources | length }} of {{ found.listed }} resources"
"""

RETURN = r"""
tagged_resources:
  description: The resources, by ARN.
  returned: always
  type: list
  elements: dict
  contains:
    arn:
      description: ARN of the resource.
      type: str
      returned: always
      sample: arn:aws:rds:eu-west-1:222222222222:db:orders
    account_id:
      description: Its account.
      type: str
      returned: always
      sample: "222222222222"
    region:
      description: Region in which AWS lists it.
      type: str
      returned: always
      sample: eu-west-1
    service:
      description: Service of the ARN.
      type: str
      returned: always
      sample: rds
    resource_type:
      description: Service and type, as O(resource_types) takes them.
      type: str
      returned: always
      sample: rds:db
    tags:
      description: All tags.
      type: dict
      returned: always
      sample: {kubernetes_namespace: shop, team: shop}
    scheme:
      description: The tags by which Kubecost assigns it.
      type: dict
      returned: always
      sample: {kubernetes_namespace: shop}
    near_misses:
      description: Keys that were meant to be of the scheme, each with C(key), C(value), C(meant), and C(same_column), which says whether reports have the
        same column for both. Then Kubecost finds the tag, once that spelling is activated as a cost allocation tag, too.
      type: list
      elements: dict
      returned: always
      sample: [{key: kubernetes-pod, value: orders-0, meant: kubernetes_pod, same_column: true}]
listed:
  description: How many resources AWS has listed, those that are not returned among them.
  returned: always
  type: int
  sample: 412
names:
  description: What the tags name, by kind of object, for M(kubestrap.aws.kubernetes_names_info).
  returned: always
  type: dict
  sample: {deployment: [orders], namespace: [shop]}
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._tag_findings import names_in, near_misses_of, scheme_of
from ansible_collections.kubestrap.aws.plugins.module_utils._tagged_resources import (
    Resource,
    check_regions,
    check_types,
    read,
)


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            regions=dict(type="list", elements="str"),
            resource_types=dict(type="list", elements="str", default=[]),
            scheme_only=dict(type="bool", default=False),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
        ),
    )
    module.exit_json(changed=False, **module.guard(lambda: look(module)))


def look(module: KubestrapAWSModule) -> dict:
    """The resources that the task asks for."""
    connection, types = module.connection, module.params["resource_types"]
    regions = module.params["regions"]
    if regions is None:
        regions = [connection.region] if connection.region else []
    check_regions("regions", regions, connection.partition)
    check_types("resource_types", types)
    found = [shown(resource) for resource in read(connection, regions, module.account_id, types)]
    kept = [each for each in found if not module.params["scheme_only"] or each["scheme"] or each["near_misses"]]
    return {"tagged_resources": kept, "listed": len(found), "names": names_in(kept)}


def shown(resource: Resource) -> dict:
    """A resource as the module returns it."""
    return {
        "arn": resource.arn,
        "account_id": resource.account_id,
        "region": resource.region,
        "service": resource.service,
        "resource_type": resource.resource_type,
        "tags": dict(resource.tags),
        "scheme": scheme_of(resource.tags),
        "near_misses": near_misses_of(resource.tags),
    }


if __name__ == "__main__":
    main()
