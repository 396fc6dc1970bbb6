# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace with StackGres in it, for tests of the stand-in: objects, refusals, roles for its pods."""

from __future__ import annotations

import json
from typing import Any

import kubernetes.client as k8s
from kubernetes.client.exceptions import ApiException
from sandbox.stackgres.definitions import GROUP
from sandbox.tests.clients import ClientSandbox, until
from sandbox.tests.gateway_tools import CLUSTER, allow, make_role, unique

REGION = "eu-west-1"
VERSIONS = {"sgobjectstorages": "v1beta1", "sgshardedclusters": "v1alpha1"}
KINDS = {
    "sgobjectstorages": "SGObjectStorage",
    "sgclusters": "SGCluster",
    "sgshardedclusters": "SGShardedCluster",
    "sgbackups": "SGBackup",
    "sgdbops": "SGDbOps",
}
PODS: dict[str, Any] = {"persistentVolume": {"size": "1Gi"}}
Document = dict[str, Any]


class StackGres:
    """The objects of one namespace, as administrator."""

    def __init__(self, sandbox: ClientSandbox, namespace: str) -> None:
        self.sandbox, self.namespace = sandbox, namespace
        self._objects = k8s.CustomObjectsApi(sandbox.kubernetes())
        self.core = k8s.CoreV1Api(sandbox.kubernetes())

    def make(self, plural: str, name: str, spec: Document, **options: Any) -> Document:
        """Make an object."""
        version = VERSIONS.get(plural, "v1")
        body = {"apiVersion": f"{GROUP}/{version}", "kind": KINDS[plural], "metadata": {"name": name}, "spec": spec}
        create = self._objects.create_namespaced_custom_object
        return create(GROUP, version, self.namespace, plural, body, **options)

    def get(self, plural: str, name: str) -> Document:
        """An object as it is now."""
        version = VERSIONS.get(plural, "v1")
        return self._objects.get_namespaced_custom_object(GROUP, version, self.namespace, plural, name)

    def patch(self, plural: str, name: str, body: Document) -> Document:
        """Merge something into an object."""
        version = VERSIONS.get(plural, "v1")
        return self._objects.patch_namespaced_custom_object(GROUP, version, self.namespace, plural, name, body)

    def delete(self, plural: str, name: str) -> None:
        """Delete an object."""
        version = VERSIONS.get(plural, "v1")
        self._objects.delete_namespaced_custom_object(GROUP, version, self.namespace, plural, name)

    # -- clusters and what they need --------------------------------------------------------------------------------

    def bucket(self, region: str = REGION) -> str:
        """A new bucket of the cluster's account."""
        name = unique("stackgres")
        self.sandbox.client("s3", CLUSTER, region).create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": region}
        )
        return name

    def storage(self, name: str, bucket: str, **block: Any) -> Document:
        """An SGObjectStorage of type s3, with the role unless the block says otherwise."""
        content = {"bucket": bucket, "awsCredentials": {"useIAMRole": True}, **block}
        return self.make("sgobjectstorages", name, {"type": "s3", "s3": content})

    def cluster(self, name: str, storage: str, role: str = "", **spec: Any) -> Document:
        """An SGCluster of one instance whose pods run, as it is then."""
        annotations = {"serviceAccount": {"eks.amazonaws.com/role-arn": role}} if role else {}
        content = {
            "instances": 1,
            "postgres": {"version": "16.6"},
            "pods": PODS,
            "metadata": {"annotations": annotations},
            "configurations": {"backups": [{"sgObjectStorage": storage}]},
        }
        self.make("sgclusters", name, {**content, **spec})
        return until(lambda: self._running(name), f"SGCluster {name} does not run")

    def _running(self, name: str) -> Document | None:
        found = self.get("sgclusters", name)
        selector = f"{GROUP}/cluster-name={name},role=primary"
        pods = self.core.list_namespaced_pod(self.namespace, label_selector=selector).items
        return (
            found
            if pods and pods[0].status.phase == "Running" and "backupPaths" in (found.get("status") or {})
            else None
        )

    def environment(self, pod: str) -> dict[str, str]:
        """Variables of the container patroni."""
        [container] = self.core.read_namespaced_pod(pod, self.namespace).spec.containers
        assert container.name == "patroni"
        return {variable.name: variable.value for variable in container.env}

    def role(self, cluster: str, rights: list[Document]) -> str:
        """A role that the pods of a cluster may take."""
        issuer = self.sandbox.state["clusters"]["demo"]["issuer"].removeprefix("https://")
        provider = f"arn:aws:iam::{CLUSTER}:oidc-provider/{issuer}"
        iam = self.sandbox.client("iam", CLUSTER)
        if provider not in [item["Arn"] for item in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]:
            iam.create_open_id_connect_provider(Url=f"https://{issuer}", ClientIDList=["sts.amazonaws.com"])
        subject = f"system:serviceaccount:{self.namespace}:{cluster}-patroni"
        equals = {f"{issuer}:sub": subject, f"{issuer}:aud": "sts.amazonaws.com"}
        trust = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}
        return make_role(self.sandbox, CLUSTER, [{**trust, "Condition": {"StringEquals": equals}}], rights)

    def backup(self, name: str, cluster: str) -> Document:
        """The process of an SGBackup, once it is Completed or Failed."""
        self.make("sgbackups", name, {"sgCluster": cluster, "managedLifecycle": True})
        return self.ended(name)

    def ended(self, name: str) -> Document:
        """The process of an SGBackup that was made, once it has ended."""

        def process() -> Document | None:
            found = (self.get("sgbackups", name).get("status") or {}).get("process") or {}
            return found if found.get("status") in ("Completed", "Failed") else None

        return until(process, f"SGBackup {name} does not end")

    def restart(self, name: str, cluster: str, **options: Any) -> Document:
        """The status of a restart, once it has ended."""
        self.make("sgdbops", name, {"sgCluster": cluster, "op": "restart", **({"restart": options} if options else {})})

        def ended() -> Document | None:
            status = self.get("sgdbops", name).get("status") or {}
            true = {item["type"] for item in status.get("conditions", []) if item["status"] == "True"}
            return status if true & {"Completed", "Failed"} else None

        return until(ended, f"SGDbOps {name} does not end")


def rights(bucket: str, *left_out: str) -> list[Document]:
    """What WAL-G needs on a bucket, but for some actions."""
    actions = {"s3:ListBucket": bucket, "s3:PutObject": f"{bucket}/*", "s3:GetObject": f"{bucket}/*"}
    return [allow(action, f"arn:aws:s3:::{where}") for action, where in actions.items() if action not in left_out]


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    """What the API server says to a call that it refuses."""
    try:
        call(*arguments, **options)
    except ApiException as error:
        return json.loads(error.body)["message"]
    raise AssertionError("it was not refused")
