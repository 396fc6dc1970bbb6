#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stackgres_restart
version_added: 1.0.0
short_description: Have StackGres restart the pods of an SGCluster, and follow it to its end
description:
  - Makes an SGDbOps with the operation C(restart) and waits until all pods are new. A pod gets its IAM role when it is made, so a role that a
    ServiceAccount was given later takes a restart.
  - StackGres restarts one pod after the other and switches over from the primary. An SGCluster of one instance is not reachable meanwhile.
  - It is refused while a backup runs, or while StackGres does something else with the SGCluster.
  - While it waits it says every few seconds which pods it waits for, and how long.
  - A restart that failed ends the task. One that is not done in time is no error; it goes on, and is returned as V(Pending) or V(Running).
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  name:
    description:
      - Name of the SGDbOps, at most 21 characters. One that the collection made is followed, not made again; one of somebody else is refused.
      - Without it one that the collection made and that has not ended is followed, else a new one is made. So a run that was cut off is completed by the next.
    type: str
  method:
    description:
      - V(InPlace) takes no more resources than there are. V(ReducedImpact) adds a pod for the time of the restart.
    type: str
    choices: [InPlace, ReducedImpact]
    default: InPlace
  only_pending:
    description:
      - Restart only pods that StackGres itself knows to need it. It does not know of a new role, so this is V(false) where that is the reason.
    type: bool
    default: false
extends_documentation_fragment:
  # First: its attributes win over those of the others.
  - kubestrap.aws.stackgres_job
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action
  - kubestrap.aws.kubernetes
notes:
  - In the cluster it takes the verbs C(get) on C(sgclusters), C(list) on C(sgbackups) and C(sgdbops), and C(create) on C(sgdbops), all of the group
    C(stackgres.io).
seealso:
  - module: kubestrap.aws.stackgres_backup_run
"""

EXAMPLES = r"""
- name: Restart the database, so that its pods get their new role
  kubestrap.aws.stackgres_restart:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    namespace: postgres
    sgcluster: sales
  register: done

- name: Show which pods are new
  ansible.builtin.debug:
    msg: "{{ done.restart.restarted | join(', ') }}"
"""

RETURN = r"""
restart:
  description: The restart as it was last seen.
  returned: when the SGCluster could be asked
  type: dict
  contains:
    name:
      description: Name of the SGDbOps.
      type: str
      sample: restart-260102030405
    namespace:
      description: Its namespace.
      type: str
      sample: postgres
    sgcluster:
      description: The SGCluster.
      type: str
      sample: sales
    state:
      description: V(Completed), V(Failed), V(Running), V(Pending), or V(NotStarted) in check mode.
      type: str
      sample: Completed
    failure:
      description: StackGres' text of a failure.
      type: str
      sample: Timed out waiting for pod sales-0
    cause:
      description: Why it is in this state, empty when it is completed.
      type: str
      sample: "1 pods are to be restarted: sales-0"
    change:
      description: The next step, empty when it is completed.
      type: str
      sample: Wait; it goes on by itself
    restarted:
      description: Pods that are new.
      type: list
      elements: str
      sample: [sales-0, sales-1]
    pending:
      description: Pods that are still to be restarted.
      type: list
      elements: str
      sample: []
    started:
      description: When it started.
      type: str
      sample: "2026-01-02T03:04:06Z"
    seconds:
      description: For how long it was waited.
      type: int
      sample: 61
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import KUBERNETES_RULES
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_follow import ARGUMENTS, carry_out
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_jobs import OPERATIONS, restart_of


def shape(job, wanted, item, _found):
    """The restart as the module returns it."""
    return restart_of(job, wanted, item)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            **ARGUMENTS,
            method=dict(type="str", choices=["InPlace", "ReducedImpact"], default="InPlace"),
            only_pending=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
        **KUBERNETES_RULES,
    )
    options = {"method": module.params["method"], "onlyPendingRestart": module.params["only_pending"]}
    carry_out(module, OPERATIONS, "restart", {"op": "restart", "restart": options}, shape)


if __name__ == "__main__":
    main()
