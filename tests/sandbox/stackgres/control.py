# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts and stops the stand-in for StackGres' operator, cluster by cluster, and serves its webhooks.

POST /_sandbox/stackgres; what is left out stays as it is:

    {"cluster": "demo",
     "operator": "1.18.6",          # false: its Deployment comes from elsewhere, a chart for example
     "namespace": "stackgres",      # of the Deployment
     "cluster_version": "1.16.3",   # of SGClusters that are made from now on; null: the operator's
     "hold": true,                  # backups and restarts that run go on running
     "failure": "Lock lost"}        # each backup that ends fails with it; "": S3 decides
    {"cluster": "demo", "absent": true}   # operator, definitions and all their objects go

The answer says `operator`, the version that runs ("" while none does), once its kinds can be used.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..asgi import receive_json, send_json
from ..control_plane.api import ApiError
from ..control_plane.cluster import ControlPlane
from . import admission, objects
from .definitions import GROUP, PLURALS, custom_resource_definitions, path
from .operator import Operator

PREFIX = "/_sandbox/stackgres-webhook/"
_LOG = logging.getLogger("sandbox.stackgres")
_OPTIONS = ("absent", "cluster", "cluster_version", "failure", "hold", "namespace", "operator")
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_SOON, _LATER, _START_SECONDS = 0.25, 1.0, 60.0  # between two rounds, when there is something to do and when not


class _Cluster:
    """The stand-in of one cluster."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.wanted: str | bool = "1.18.6"
        self.namespace = objects.OPERATOR.removesuffix("-operator")
        self.cluster_version: str | None = None
        self.task: asyncio.Task[None] | None = None
        self.changed = asyncio.Event()  # wakes the loop


class StackGres:
    """The stand-ins of all clusters.

    `planes`: their control planes, by name; `clusters`: their entries of the sandbox' state; `gateway`: answers AWS'
    calls and serves the webhooks.
    """

    def __init__(
        self, planes: Mapping[str, ControlPlane], clusters: Mapping[str, Mapping[str, str]], gateway: Any
    ) -> None:
        self._planes, self._states, self._gateway = planes, clusters, gateway
        self._clusters: dict[str, _Cluster] = {}

    async def set(self, body: dict[str, Any]) -> dict[str, Any]:
        """The control path."""
        unknown = sorted(set(body) - set(_OPTIONS))
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join(_OPTIONS)}")
        name = body.get("cluster", "")
        plane = self._planes.get(name)
        if plane is None:
            raise ValueError(f"there is no cluster {name}; there are {', '.join(self._planes)}")
        for option in ("operator", "cluster_version"):
            if body.get(option):
                objects.version_of(str(body[option]))
        if body.get("absent"):
            await self._remove(name)
            return {"operator": ""}
        if name not in self._clusters:
            account_id = self._states[name]["account_id"]
            self._clusters[name] = _Cluster(Operator(plane.api, self._gateway, account_id))
        cluster = self._clusters[name]
        cluster.wanted = body.get("operator", cluster.wanted)
        cluster.namespace = body.get("namespace", cluster.namespace)
        cluster.cluster_version = body.get("cluster_version", cluster.cluster_version)
        cluster.operator.hold = body.get("hold", cluster.operator.hold)
        cluster.operator.failure = body.get("failure", cluster.operator.failure)
        if cluster.wanted:
            await asyncio.to_thread(self._deploy, cluster)
        if cluster.task is None:
            cluster.task = asyncio.create_task(self._run(name, cluster))
        cluster.changed.set()
        if cluster.wanted:
            await self._until_version(cluster)
        return {"operator": cluster.operator.installed}

    async def stop(self, name: str) -> None:
        """End the stand-in of a cluster, whose objects stay as they are."""
        cluster = self._clusters.pop(name, None)
        if cluster and cluster.task:
            cluster.task.cancel()
            await asyncio.wait({cluster.task})

    # -- the operator's Deployment, definitions and webhooks -------------------------------------------------------

    def _deploy(self, cluster: _Cluster) -> None:
        api, namespace = cluster.operator.api, cluster.namespace
        api.apply(
            f"/api/v1/namespaces/{namespace}",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        )
        deployment = objects.operator(namespace, str(cluster.wanted))
        api.apply(f"/apis/apps/v1/namespaces/{namespace}/deployments/{objects.OPERATOR}", deployment)

    @staticmethod
    async def _until_version(cluster: _Cluster) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while cluster.operator.installed != cluster.wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the operator {cluster.wanted} does not run after {_START_SECONDS:.0f} s")
            await asyncio.sleep(0.05)

    async def _remove(self, name: str) -> None:
        cluster = self._clusters.get(name)
        namespace = cluster.namespace if cluster else "stackgres"
        await self.stop(name)
        await asyncio.to_thread(_remove_all, self._planes[name].api, namespace)

    async def _run(self, name: str, cluster: _Cluster) -> None:
        """Round after round, until cancelled."""
        busy = True
        while True:
            try:
                await asyncio.wait_for(cluster.changed.wait(), _SOON if busy else _LATER)
                await asyncio.sleep(0.05)  # what woke the loop is stored a moment later
            except TimeoutError:
                pass
            cluster.changed.clear()
            try:
                busy = await asyncio.to_thread(self._round, name, cluster)
            except (OSError, ApiError) as error:  # busy or stopping: the next round sees to it
                _LOG.warning("cluster %s: %s", name, error)
                busy = True

    def _round(self, name: str, cluster: _Cluster) -> bool:
        operator = cluster.operator
        if not operator.look():
            return bool(cluster.wanted)
        if operator.installed != operator.version:
            for plural, document in self._webhooks(name).items():
                operator.api.apply(f"{_ADMISSION}/{plural}/{objects.OPERATOR}", document)
            operator.install()
            deadline = time.monotonic() + _START_SECONDS
            while not operator.served() and time.monotonic() < deadline:
                time.sleep(0.05)
            operator.installed = operator.version
        return operator.round()

    def _webhooks(self, name: str) -> dict[str, dict[str, Any]]:
        """The configurations by which the API server asks the operator."""
        ca_bundle = base64.b64encode(open(self._gateway.ca_bundle, "rb").read()).decode()

        def document(kind: str, action: str, operations: list[str], resources: list[str]) -> dict[str, Any]:
            url = f"{self._gateway.endpoint_url}{PREFIX}{name}/{action}"
            hook = {
                "name": f"{action}.{GROUP}",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 10,
                "clientConfig": {"url": url, "caBundle": ca_bundle},
                "rules": [
                    {"operations": operations, "apiGroups": [GROUP], "apiVersions": ["*"], "resources": resources}
                ],
            }
            metadata = {"name": objects.OPERATOR}
            return {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": f"{kind}WebhookConfiguration",
                "metadata": metadata,
                "webhooks": [hook],
            }

        changes = ["CREATE", "UPDATE"]
        return {
            "mutatingwebhookconfigurations": document(
                "Mutating", "mutate", changes, ["sgclusters", "sgshardedclusters"]
            ),
            "validatingwebhookconfigurations": document("Validating", "validate", [*changes, "DELETE"], [*PLURALS]),
        }

    # -- the webhooks ----------------------------------------------------------------------------------------------

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        """The ASGI application behind PREFIX."""
        review = await receive_json(receive)
        name, _slash, action = scope["path"].removeprefix(PREFIX).partition("/")
        cluster = self._clusters.get(name)
        if cluster is None or action not in ("mutate", "validate"):
            await send_json(send, 404, {"error": f"no such path: {scope['path']}"})
            return
        request = review["request"]
        response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
        if action == "mutate":
            new = {**request["object"], "kind": request["kind"]["kind"]}
            made = admission.filled_in(new, cluster.cluster_version or cluster.operator.version)
            patch = [{"op": "add", "path": f"/{key}", "value": made[key]} for key in made if made[key] != new[key]]
            if patch:
                text = base64.b64encode(json.dumps(patch).encode()).decode()
                response |= {"patchType": "JSONPatch", "patch": text}
        else:
            said = await asyncio.to_thread(self._refusal, cluster.operator, request)
            if said:
                response |= {"allowed": False, "status": {"code": 400, "message": said}}
            cluster.changed.set()
        await send_json(send, 200, {**{key: review[key] for key in ("apiVersion", "kind")}, "response": response})

    @staticmethod
    def _refusal(operator: Operator, request: dict[str, Any]) -> str | None:
        api, namespace = operator.api, request["namespace"]

        def secret(name: str) -> dict[str, str] | None:
            try:
                return api.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}").get("data") or {}
            except ApiError:
                return None

        def listed(plural: str) -> list[dict[str, Any]]:
            return api.request("GET", path(plural, namespace))["items"]

        around = admission.Around(
            secret=secret,
            names=lambda plural: [item["metadata"]["name"] for item in listed(plural)],
            users=lambda name: [
                item["metadata"]["name"] for item in listed("sgclusters") if name in admission.storages(item)
            ],
        )
        new = None if request["operation"] == "DELETE" else request["object"]
        return admission.refusal(request["resource"]["resource"], new, request.get("oldObject"), around)


def _remove_all(api: Any, namespace: str) -> None:
    """Take away what belongs to the operator: its objects go with the definitions."""
    places = [
        *(f"{_ADMISSION}/{kind}webhookconfigurations/{objects.OPERATOR}" for kind in ("mutating", "validating")),
        *(f"{_DEFINITIONS}/{item['metadata']['name']}" for item in custom_resource_definitions((1, 18, 6))),
        f"/apis/apps/v1/namespaces/{namespace}/deployments/{objects.OPERATOR}",
    ]
    for place in places:
        try:
            api.request("DELETE", place)
        except ApiError as error:
            if error.status != 404:
                raise
    deadline = time.monotonic() + _START_SECONDS
    names = {item["metadata"]["name"] for item in custom_resource_definitions((1, 18, 6))}
    while time.monotonic() < deadline:
        if not names & {item["metadata"]["name"] for item in api.request("GET", _DEFINITIONS)["items"]}:
            return
        time.sleep(0.1)
    raise TimeoutError(f"the definitions of {GROUP} are still there after {_START_SECONDS:.0f} s")
