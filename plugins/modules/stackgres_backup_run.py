#!/usr/bin/python
# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stackgres_backup_run
version_added: 1.0.0
short_description: Have StackGres make a backup now, and follow it to its end
description:
  - Makes an SGBackup for an SGCluster and waits until it is stored or has failed. It is the only proof that backups really work, since it goes the whole
    way with the identity of the database's own pod.
  - While it waits it says every few seconds what it waits for, how long, and how far the backup is.
  - A backup that failed ends the task with StackGres' text, why it came to that, and what to do.
  - A backup that is not done in time is no error. It goes on, and is returned as V(Pending) or V(Running).
  - Nothing is ever deleted, no backup of somebody else is touched.
author:
  - Contributors to kubestrap.aws (@kubestrap)
options:
  name:
    description:
      - Name of the SGBackup. One that the collection made is followed, not made again; one of somebody else is refused.
      - Without it one that the collection made and that has not ended is followed, else a new one is made. So a run that was cut off is completed by the next.
    type: str
  managed_lifecycle:
    description:
      - Whether StackGres deletes the backup when newer ones have taken its place (C(retention) of the SGCluster). A backup with V(false) stays for ever.
    type: bool
    default: true
extends_documentation_fragment:
  # First: its attributes win over those of the others.
  - kubestrap.aws.stackgres_job
  - kubestrap.aws.attributes
  - kubestrap.aws.attributes.action
  - kubestrap.aws.kubernetes
notes:
  - In the cluster it takes the verbs C(get) on C(sgclusters), C(list) on C(sgbackups) and C(sgdbops), and C(create) on C(sgbackups), all of the group
    C(stackgres.io).
seealso:
  - module: kubestrap.aws.stackgres_restart
  - module: kubestrap.aws.object_storage_probe
"""

EXAMPLES = r"""
- name: Prove that backups of the database work
  kubestrap.aws.stackgres_backup_run:
    host: "{{ cluster.endpoint }}"
    ca_cert: "{{ ca_file }}"
    api_key: "{{ lookup('kubestrap.aws.eks_token', 'demo', region='eu-west-1', profile='cluster') }}"
    namespace: postgres
    sgcluster: sales
    wait_timeout: 600
  register: proof

- name: Show where it is
  ansible.builtin.debug:
    msg: "{{ proof.backup.name }} is {{ proof.backup.state }} below {{ proof.backup.path }}"
"""

RETURN = r"""
backup:
  description: The backup as it was last seen.
  returned: when the SGCluster could be asked
  type: dict
  contains:
    name:
      description: Name of the SGBackup.
      type: str
      sample: sales-proof-20260102030405
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
      sample: "Backup failed while perfroming backup-push: AccessDenied: Access Denied"
    cause:
      description: Why it is in this state, empty when it is completed.
      type: str
      sample: "WAL-G called AWS as the node: its pod has no role"
    change:
      description: The next step, empty when it is completed.
      type: str
      sample: restart the pods
    path:
      description: Where backups of the SGCluster are, below bucket and prefix of its SGObjectStorage.
      type: str
      sample: sgbackups.stackgres.io/postgres/sales/2026-01-01-00-00-00/16
    internal_name:
      description: Name that WAL-G gave it.
      type: str
      sample: base_000000010000000000000004
    compressed_bytes:
      description: Its size in the bucket, V(null) where it is not known.
      type: int
      sample: 4194304
    started:
      description: When its Job started.
      type: str
      sample: "2026-01-02T03:04:06Z"
    stored:
      description: When it was stored.
      type: str
      sample: "2026-01-02T03:05:06Z"
    seconds:
      description: For how long it was waited.
      type: int
      sample: 61
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_connection import KUBERNETES_RULES
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_follow import ARGUMENTS, carry_out
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_jobs import (
    BACKUPS,
    ENDED,
    backup_of,
    names,
    state_of,
)


def shape(job, wanted, item, found):
    """The backup as the module returns it."""
    going = [other for other in found[BACKUPS] if state_of(other) not in ENDED]
    return backup_of(job, wanted, item, [name for name in names(going) if name != wanted.name])


def main():
    module = AnsibleModule(
        argument_spec=dict(**ARGUMENTS, managed_lifecycle=dict(type="bool", default=True)),
        supports_check_mode=True,
        **KUBERNETES_RULES,
    )
    carry_out(module, BACKUPS, "backup", {"managedLifecycle": module.params["managed_lifecycle"]}, shape)


if __name__ == "__main__":
    main()
