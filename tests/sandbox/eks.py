# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What EKS does around an API server: it says who a token is, and gives pods their AWS identity.

Served by the gateway, for the API servers, below /_sandbox/eks/<account>/<region>/<cluster>/: `authenticate`
(TokenReview) and `mutate-pod` (AdmissionReview).
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

from . import eks_tokens, pod_identity
from .asgi import receive_json, send_json
from .control_plane.api import ApiError
from .control_plane.cluster import ControlPlane

PREFIX = "/_sandbox/eks/"
_ADMIN_POLICY = "cluster-access-policy/AmazonEKSClusterAdminPolicy"
_LOG = logging.getLogger("sandbox.eks")


class Cluster:
    """An EKS cluster of an account, and the control plane behind it."""

    def __init__(self, account_id: str, region: str, name: str, plane: ControlPlane) -> None:
        self.account_id, self.region, self.name, self.plane = account_id, region, name, plane
        self._applied: set[str] = set()

    async def review(self, token: str, own_hosts: set[str]) -> dict[str, Any]:
        """The status of a TokenReview for this token."""
        if not token.startswith(eks_tokens.PREFIX):
            return {"authenticated": False}
        try:
            identity = eks_tokens.identify(token, self.name, own_hosts)
            groups, username = await self._access(identity)
        except eks_tokens.Refused as refusal:
            _LOG.info("cluster %s: %s", self.name, refusal)
            return {"authenticated": False, "error": str(refusal)}
        extra = {"arn": [identity.arn], "principalId": [identity.principal_id], "accessKeyId": [identity.access_key]}
        user = {"username": username, "uid": f"aws-iam-authenticator:{identity.account_id}:{identity.principal_id}"}
        return {"authenticated": True, "user": {**user, "groups": groups, "extra": extra}}

    async def _access(self, identity: eks_tokens.Identity) -> tuple[list[str], str]:
        """Groups and name of a caller, by the cluster's access entries. Raises Refused when it has none."""
        from ministack.services import eks

        entry = eks._access_entry_for_principal(self.name, self.account_id, self.region, identity.arn)
        if entry is None:
            raise eks_tokens.Refused(f"the cluster has no access entry for {identity.arn}")
        groups = list(entry.get("kubernetesGroups") or [])
        limited = False
        associations = eks._access_policy_associations(self.name, self.account_id, self.region)
        for principal, policy, association in associations:
            if principal != entry["principalArn"]:
                continue
            if policy.endswith(_ADMIN_POLICY) and association["accessScope"]["type"] == "cluster":
                groups.append("system:masters")
            else:
                groups.append(eks._access_policy_group(self.name, principal, policy))
                limited = True
        if limited:
            await self._apply_policies()
        return groups, entry.get("username") or identity.arn

    async def _apply_policies(self) -> None:
        """Give the groups of access policies their rights, as RBAC objects (EKS has an authorizer of its own)."""
        from ministack.services import eks

        listed = await self.plane.api.arequest("GET", "/api/v1/namespaces")
        namespaces = [item["metadata"]["name"] for item in listed["items"]]
        for document in eks._access_policy_rbac_objects(self.name, self.account_id, self.region, namespaces):
            text = json.dumps(document, sort_keys=True)
            if text not in self._applied:
                metadata = document["metadata"]
                where = f"namespaces/{metadata['namespace']}/" if "namespace" in metadata else ""
                path = f"/apis/rbac.authorization.k8s.io/v1/{where}{document['kind'].lower()}s/{metadata['name']}"
                await self.plane.api.aapply(path, document)
                self._applied.add(text)

    async def admit(self, request: dict[str, Any]) -> dict[str, Any]:
        """The response to the admission request of a new pod."""
        response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
        pod = request["object"]
        account = pod["spec"].get("serviceAccountName") or "default"
        path = f"/api/v1/namespaces/{request['namespace']}/serviceaccounts/{account}"
        try:
            annotations = (await self.plane.api.arequest("GET", path))["metadata"].get("annotations") or {}
        except ApiError as error:
            _LOG.warning("cluster %s: pod is left as it is: %s", self.name, error)
            return response
        patch = pod_identity.mutate(pod, annotations, self.region)
        if patch:
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        return response


class Routes:
    """The ASGI application behind PREFIX. `own_hosts`: the `host:port` under which clients reach this sandbox' STS."""

    def __init__(self, own_hosts: set[str]) -> None:
        self.clusters: dict[str, Cluster] = {}
        self._own_hosts = own_hosts

    @staticmethod
    def path(account_id: str, region: str, name: str) -> str:
        """The path below which a cluster's API server calls."""
        return f"{PREFIX}{account_id}/{region}/{name}"

    def add(self, cluster: Cluster) -> None:
        """Serve a cluster."""
        self.clusters[self.path(cluster.account_id, cluster.region, cluster.name)] = cluster

    def remove(self, account_id: str, region: str, name: str) -> None:
        """Serve it no longer."""
        self.clusters.pop(self.path(account_id, region, name), None)

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        base, _unused, action = scope["path"].rpartition("/")
        review = await receive_json(receive)
        cluster = self.clusters.get(base)
        status, answer = 404, {"error": f"no such path: {scope['path']}"}
        if cluster and action == "authenticate":
            status = 200
            answer = {k: review[k] for k in ("apiVersion", "kind")}
            answer["status"] = await cluster.review(review["spec"].get("token", ""), self._own_hosts)
        elif cluster and action == "mutate-pod":
            status = 200
            answer = {k: review[k] for k in ("apiVersion", "kind")}
            answer["response"] = await cluster.admit(review["request"])
        await send_json(send, status, answer)
