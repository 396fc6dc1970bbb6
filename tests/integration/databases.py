# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SGClusters of one EKS cluster, and runs of the playbooks that give them backups, for the tests of StackGres."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

from integration.installation import Installation, Run
from kubernetes import client
from kubernetes.client.exceptions import ApiException

NAMESPACE = "databases"
GROUP, VERSIONS = "stackgres.io", {"sgobjectstorages": "v1beta1", "sgshardedclusters": "v1alpha1"}
KINDS = {"sgclusters": "SGCluster", "sgshardedclusters": "SGShardedCluster", "sgbackups": "SGBackup"}
ROLE = "eks.amazonaws.com/role-arn"
PODS = {"persistentVolume": {"size": "1Gi"}}
PLAIN: dict[str, Any] = {"instances": 1, "postgres": {"version": "16.6"}, "pods": PODS}


def until(answer: Callable[[], Any], what: str) -> Any:
    """What comes within half a minute."""
    deadline = time.monotonic() + 30
    while True:
        found = answer()
        if found:
            return found
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


class Databases:
    """SGClusters of the first cluster of an installation."""

    def __init__(self, place: Installation) -> None:
        self.place, self.cluster = place, place.clusters[0]
        self.custom = client.CustomObjectsApi(place.kube(self.cluster))
        self.core = place.core(self.cluster)

    def run(
        self,
        playbook: str = "stackgres_backup",
        entries: list[dict[str, Any]] | None = None,
        rc: int = 0,
        **options: Any,
    ) -> Run:
        """A run, with another list of SGClusters perhaps, that ends with this code."""
        inventory = copy.deepcopy(self.place.inventory())
        if entries is not None:
            inventory["clusters"]["hosts"][self.cluster]["stackgres_backup_clusters"] = entries
        run = self.place.run(playbook, inventory=inventory, **options)
        assert run.rc == rc, run.report
        return run

    # --- objects

    def make(self, plural: str, name: str, spec: dict[str, Any], namespace: str = NAMESPACE) -> None:
        """Make an object as somebody else."""
        version = VERSIONS.get(plural, "v1")
        body = {"apiVersion": f"{GROUP}/{version}", "kind": KINDS[plural], "metadata": {"name": name}, "spec": spec}
        create = self.custom.create_namespaced_custom_object
        create(GROUP, version, namespace, plural, body, field_manager="kubectl-create")

    def change(self, plural: str, name: str, patch: dict[str, Any]) -> None:
        """Change an object as somebody else."""
        change = self.custom.patch_namespaced_custom_object
        change(GROUP, VERSIONS.get(plural, "v1"), NAMESPACE, plural, name, patch, field_manager="kubectl-edit")

    def get(self, plural: str, name: str, namespace: str = NAMESPACE) -> Any:
        """An object, None when it is not there."""
        try:
            version = VERSIONS.get(plural, "v1")
            return self.custom.get_namespaced_custom_object(GROUP, version, namespace, plural, name)
        except ApiException as e:
            assert e.status == 404
            return None

    def runs(self, pod: str, namespace: str = NAMESPACE) -> Any:
        """A pod that runs, None when it does not."""
        try:
            found = self.core.read_namespaced_pod(pod, namespace)
        except ApiException:
            return None
        return found if found.status.phase == "Running" and not found.metadata.deletion_timestamp else None

    def environment(self, pod: str, namespace: str = NAMESPACE) -> dict[str, str]:
        """What a pod has in its environment."""
        return {each.name: each.value for each in self.runs(pod, namespace).spec.containers[0].env or []}

    # --- AWS, and what a run says

    def role_arn(self, name: str, namespace: str = NAMESPACE) -> str:
        """The role of an SGCluster."""
        return f"arn:aws:iam::{self.place.cluster_account}:role/stackgres-{self.cluster}-{namespace}-{name}"

    def outcome(self, run: Run, name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
        """What a run says of one SGCluster."""
        clusters = run.outcome(self.cluster)["clusters"]
        return next(each for each in clusters if each["label"] == f"{namespace}/{name}")

    @property
    def aws(self) -> Any:
        """A connection as operator of the cluster's account."""
        return self.place.cluster_aws(self.cluster)
