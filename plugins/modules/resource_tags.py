#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: resource_tags
version_added: 1.0.0
short_description: Tag resources of any service by rules
description:
  - Sets tags of resources in some regions of one account, by rules that select them and say what they get. So Kubecost finds the namespace and the
    workload to which what is outside the cluster belongs.
  - AWS refuses by resource. The others are tagged all the same; then the task fails with each refusal and what to change.
  - What it has set is remembered on the resource, by the tag C(kubestrap.aws/tags), which has a checksum of each tag. A tag that somebody else has set,
    or whose value somebody has changed since, is never removed, and changed with O(override) only.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  state:
    description:
      - V(absent) removes all tags that it has set in the regions. It takes no rules.
    type: str
    choices: [present, absent]
    default: present
  regions:
    description:
      - Regions to look at. Without it the one of the task. A bucket is in the region in which it was made.
    type: list
    elements: str
  rules_file:
    description:
      - YAML file on the controller with one key, C(rules), below which are the rules as in O(rules).
      - One of O(rules_file) and O(rules) is required with O(state=present).
    type: path
  rules:
    description:
      - The rules. A resource gets the tags of all rules that select it.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the rule in results and messages.
        type: str
      select:
        description:
          - What the rule is about. All selectors that are given have to fit, and of each one of its values.
          - C(arn) takes ARNs in which C(*) and C(?) stand for any text and any character. AWS lists what has or had a tag; what never had one is
            found by its whole ARN only.
          - C(resource_type) takes services and their types as in ARNs (V(s3), V(rds:db)), C(region) regions, C(account_id) accounts.
          - C(tags) takes keys that the resource has, each with values in which C(*) and C(?) may stand.
          - C(everything) is V(true) for a rule that is to select every resource. Without it such a rule is refused.
        type: dict
      tags:
        description:
          - The tags, texts in quotes. Keys that begin with C(aws:) are refused, and so are those that were meant to be one that Kubecost reads.
        type: dict
        required: true
  override:
    description:
      - Changes values that somebody else has set. Without it they stay, and are returned as C(kept).
    type: bool
    default: false
  purge:
    description:
      - Removes tags that were set here and that no rule wants any more, from resources that no rule selects any more, too.
    type: bool
    default: false
  allow_unmatched:
    description:
      - Whether the rules may select nothing at all.
    type: bool
    default: false
extends_documentation_fragment:
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action_group
  - kubestrap.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - It takes C(tag:GetResources), C(tag:TagResources), and the right to tag of each service whose resources are tagged, such as C(rds:AddTagsToResource).
    See P(kubestrap.aws.iam_document#lookup), document C(tag_apply_operator).
  - AWS lists new tags after some seconds. A run within these seconds sets them again.
  - O(rules_file) needs PyYAML.
seealso:
  - module: kubestrap.aws.tagged_resources_info
  - module: kubestrap.aws.ce_cost_allocation_tag
"""

EXAMPLES = r"""
- name: Say to whom databases and a bucket belong
  kubestrap.aws.resource_tags:
    regions: [eu-west-1]
    region: eu-west-1
    rules:
      - name: orders
        select:
          arn: ["arn:aws:sqs:*:*:orders-*", "arn:aws:s3:::example-orders-archive"]
        tags:
          kubernetes_cluster: demo
          kubernetes_namespace: shop
          kubernetes_deployment: orders
      - name: what the search team has
        select:
          resource_type: sqs
          tags: {team: "search*"}
        tags: {kubernetes_namespace: search}
  register: tagged

- name: Show what somebody else has set otherwise
  ansible.builtin.debug:
    msg: "{{ item.arn }}: {{ item.kept }}"
  loop: "{{ tagged.resources }}"
  when: item.kept | length > 0
  loop_control:
    label: "{{ item.arn }}"

- name: Take away what was set
  kubestrap.aws.resource_tags:
    state: absent
    regions: [eu-west-1]
    region: eu-west-1
"""

RETURN = r"""
resources:
  description: The resources that a rule selects, or whose tags are taken away, by ARN. In check mode as they would be.
  returned: always
  type: list
  elements: dict
  contains:
    arn:
      description: ARN of the resource.
      type: str
      sample: arn:aws:rds:eu-west-1:222222222222:db:orders
    region:
      description: Its region.
      type: str
      sample: eu-west-1
    rules:
      description: Names of the rules that select it.
      type: list
      elements: str
      sample: [orders]
    state:
      description: V(changed), V(unchanged), or V(refused).
      type: str
      sample: changed
    set:
      description: Tags that were added or changed.
      type: dict
      sample: {kubernetes_namespace: shop}
    removed:
      description: Keys that were removed.
      type: list
      elements: str
      sample: []
    kept:
      description: Keys that somebody else has set otherwise, each with C(value) and the one that is C(wanted).
      type: dict
      sample: {kubernetes_deployment: {value: billing, wanted: orders}}
    refused:
      description: Why it was left as it is, with C(code) and C(message) of AWS and what to do about it as C(hint); V(null) when it was not refused.
      type: dict
      sample:
        code: AccessDeniedException
        message: Access Denied
        hint: Allow s3:GetBucketTagging, s3:PutBucketTagging on arn:aws:s3:::example-orders-archive
listed:
  description: How many resources were looked at.
  returned: always
  type: int
  sample: 412
unmatched:
  description: Names of rules that select nothing.
  returned: always
  type: list
  elements: str
  sample: []
left:
  description: How many tags that were set here no rule wants any more. They stay without O(purge).
  returned: always
  type: int
  sample: 0
changes:
  description: What was done, or would be done in check mode. A call tags 20 resources.
  returned: always
  type: list
  elements: str
  sample: ["set the tags kubernetes_namespace=shop, kubestrap.aws/tags=0f3a51c2 on rds:eu-west-1:222222222222:db:orders"]
"""

from ansible_collections.kubestrap.aws.plugins.module_utils._identifiers import refuse
from ansible_collections.kubestrap.aws.plugins.module_utils._module import KubestrapAWSModule
from ansible_collections.kubestrap.aws.plugins.module_utils._resource_tags import apply, calls_of, named_only
from ansible_collections.kubestrap.aws.plugins.module_utils._resource_tags_plan import Step, TagPlan, Wish, plan
from ansible_collections.kubestrap.aws.plugins.module_utils._tag_rules import MARKER, check, load
from ansible_collections.kubestrap.aws.plugins.module_utils._tagged_resources import check_regions, read


def main():
    module = KubestrapAWSModule(
        argument_spec=dict(
            state=dict(type="str", choices=["present", "absent"], default="present"),
            regions=dict(type="list", elements="str"),
            rules_file=dict(type="path"),
            rules=dict(
                type="list",
                elements="dict",
                options=dict(
                    name=dict(type="str"), select=dict(type="dict"), tags=dict(type="dict", required=True, no_log=False)
                ),
            ),
            override=dict(type="bool", default=False),
            purge=dict(type="bool", default=False),
            allow_unmatched=dict(type="bool", default=False),
            **KubestrapAWSModule.ACCOUNT_ARGUMENT_SPEC,
        ),
        mutually_exclusive=[("rules_file", "rules")],
    )
    wish = module.guard(lambda: wanted(module.params))
    planned, listed = module.guard(lambda: look(module, wish))
    calls = calls_of(planned.steps)
    refused = {} if module.check_mode else module.guard(lambda: apply(module.connection, calls))
    resources = [shown(step, refused) for step in planned.steps]
    result = {
        "changed": any(each["state"] == "changed" for each in resources),
        "resources": resources,
        "listed": listed,
        "unmatched": planned.unmatched,
        "left": planned.left,
        "changes": [call.summary for call in calls],
    }
    if result["changed"]:
        result["diff"] = difference(planned.steps, refused)
    problems = [told(each) for each in resources if each["refused"]]
    if problems:
        module.fail_json(
            msg=f"{len(problems)} of {len(resources)} resources were refused. {' '.join(problems)}", **result
        )
    module.exit_json(**result)


def wanted(params: dict) -> Wish:
    """What the task wants; rules that cannot be are refused before a call is made."""
    if params["state"] == "absent":
        for option in ("rules_file", "rules"):
            if params[option] is not None:
                refuse(option, params[option], "is not used with state: absent", "Leave it out")
        return Wish(purge=True)
    if params["rules_file"] is not None:
        rules = load("rules_file", params["rules_file"])
    elif params["rules"] is not None:
        # What was not given is there as None.
        given = [{key: value for key, value in rule.items() if value is not None} for rule in params["rules"]]
        rules = check("rules", given)
    else:
        refuse("rules_file", "", "is missing", "Write rules_file, or rules")
    return Wish(tuple(rules), params["override"], params["purge"])


def look(module: KubestrapAWSModule, wish: Wish) -> tuple[TagPlan, int]:
    """The plan, and how many resources were looked at."""
    connection = module.connection
    regions = module.params["regions"]
    if regions is None:
        regions = [connection.region] if connection.region else []
    check_regions("regions", regions, connection.partition)
    resources = read(connection, regions, module.account_id)
    resources += named_only(connection, wish.rules, resources, module.account_id, regions)
    planned = plan(resources, wish)
    if wish.rules and len(planned.unmatched) == len(wish.rules) and not module.params["allow_unmatched"]:
        write = "Correct the selectors or the regions, or write allow_unmatched: true"
        option = "rules" if module.params["rules_file"] is None else "rules_file"
        looked = f"select none of the {len(resources)} resources of {', '.join(regions)}"
        refuse(option, ", ".join(planned.unmatched), looked, write)
    return planned, len(resources)


def shown(step: Step, refused: dict) -> dict:
    """A resource as the module returns it."""
    refusal = refused.get(step.resource.arn)
    problem = None
    if refusal:
        problem = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
    elif step.refused:
        problem = {"code": "", "message": step.refused, "hint": ""}
    return {
        "arn": step.resource.arn,
        "region": step.resource.region,
        "rules": list(step.rules),
        "state": "refused" if problem else "changed" if step.changed else "unchanged",
        "set": {} if problem else {key: value for key, value in step.add.items() if key != MARKER},
        "removed": [] if problem else [key for key in step.remove if key != MARKER],
        "kept": {key: dict(value) for key, value in step.kept.items()},
        "refused": problem,
    }


def difference(steps: list, refused: dict) -> dict:
    """Ansible's diff: the tags that differ, by resource."""
    done = [step for step in steps if step.changed and step.resource.arn not in refused]
    sides: dict = {"before": {}, "after": {}}
    for step in done:
        before, after = dict(step.resource.tags), step.after
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        for side, tags in (("before", before), ("after", after)):
            sides[side][step.resource.arn] = {key: tags[key] for key in keys if key in tags}
    return sides


def told(resource: dict) -> str:
    """One refusal as a sentence."""
    refused = resource["refused"]
    code = f" ({refused['code']})" if refused["code"] else ""
    hint = f". {refused['hint']}" if refused["hint"] else ""
    return f"{resource['arn']}: {refused['message'].rstrip('.')}{code}{hint}."


if __name__ == "__main__":
    main()
