# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane is a real one, and its pods become Ready."""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import os
import subprocess
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes.client as k8s
import kubernetes.stream
import pytest
from sandbox.control_plane.kwok import LOG_LINE
from sandbox.tests.clients import ClientSandbox, eks_token, new_namespace, until
from sandbox.toolchain import kubernetes_version


@pytest.fixture
def core(sandbox: ClientSandbox) -> k8s.CoreV1Api:
    """The core API, as administrator."""
    return k8s.CoreV1Api(sandbox.kubernetes())


@pytest.fixture
def namespace(core: k8s.CoreV1Api) -> Iterator[str]:
    """A namespace of one's own."""
    name = new_namespace(core, "test")
    yield name
    core.delete_namespace(name)


def claims(claim: dict[str, Any]) -> dict[str, Any]:
    """The payload of a token, unverified."""
    part = claim["status"]["token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def run_pod(core: k8s.CoreV1Api, namespace: str, name: str = "web", **spec: Any) -> k8s.V1Pod:
    """Create a pod and return it once it is Ready."""
    pod = {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "example.com/main:1"}], **spec},
    }
    core.create_namespaced_pod(namespace, pod)

    def ready() -> k8s.V1Pod | None:
        found = core.read_namespaced_pod(name, namespace)
        conditions = {condition.type: condition.status for condition in found.status.conditions or []}
        return found if conditions.get("Ready") == "True" else None

    return until(ready, f"pod {name} is not Ready")


def test_version_and_nodes(sandbox: ClientSandbox, core: k8s.CoreV1Api) -> None:
    assert k8s.VersionApi(sandbox.kubernetes()).get_code().git_version == kubernetes_version()
    nodes = core.list_node().items
    assert len(nodes) == 2
    for node in nodes:
        assert {c.type: c.status for c in node.status.conditions}["Ready"] == "True"
        assert node.spec.taints is None
        assert {a.type: a.address for a in node.status.addresses}["InternalIP"] == "127.0.0.1"
        assert node.metadata.labels["topology.kubernetes.io/region"] == "eu-west-1"


def test_no_token_no_access(sandbox: ClientSandbox) -> None:
    for token in ("no-such-token", "k8s-aws-v1.bm90LWEtdXJs"):
        with pytest.raises(k8s.ApiException) as refusal:
            k8s.CoreV1Api(sandbox.kubernetes(token)).list_namespace()
        assert refusal.value.status == 401


def test_rbac_is_on(sandbox: ClientSandbox, core: k8s.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "reader"}})
    token = core.create_namespaced_service_account_token("reader", namespace, {"spec": {}}).status.token
    theirs = k8s.CoreV1Api(sandbox.kubernetes(token))
    with pytest.raises(k8s.ApiException) as refusal:
        theirs.list_namespaced_pod(namespace)
    assert refusal.value.status == 403
    k8s.RbacAuthorizationV1Api(sandbox.kubernetes()).create_namespaced_role_binding(
        namespace,
        {
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
        },
    )
    # The authorizer follows bindings by a watch, as on a real cluster: a moment later.
    until(lambda: allowed(lambda: theirs.list_namespaced_pod(namespace)), "the binding does not count")


def allowed(call: Any) -> bool:
    """Whether the API server lets a call pass."""
    try:
        call()
    except k8s.ApiException as refusal:
        assert refusal.status == 403
        return False
    return True


def test_tokens_carry_an_issuer_as_on_eks(sandbox: ClientSandbox, core: k8s.CoreV1Api, namespace: str) -> None:
    issuer = sandbox.state["clusters"]["demo"]["issuer"]
    prefix, _unused, identifier = issuer.rpartition("/")
    assert prefix == "https://oidc.eks.eu-west-1.amazonaws.com/id"
    assert len(identifier) == 32 and set(identifier) <= set("0123456789ABCDEF")
    body = {"spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}}
    token = sandbox.kubernetes().sanitize_for_serialization(
        core.create_namespaced_service_account_token("default", namespace, body)
    )
    payload = claims(token)
    assert payload["iss"] == issuer
    assert payload["aud"] == ["sts.amazonaws.com"]
    assert payload["sub"] == f"system:serviceaccount:{namespace}:default"
    discovery = json.loads(
        k8s.WellKnownApi(sandbox.kubernetes()).get_service_account_issuer_open_id_configuration().replace("'", '"')
    )
    assert discovery["issuer"] == issuer and discovery["jwks_uri"] == f"{issuer}/keys"


CHART = {
    "Chart.yaml": """
        apiVersion: v2
        name: store
        version: 1.2.3
        kubeVersion: ">=1.30.0"
        """,
    "templates/all.yaml": """
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: data}
        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 32Gi}}}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: store}
        spec:
          replicas: 2
          selector: {matchLabels: {app: store}}
          template:
            metadata: {labels: {app: store}}
            spec:
              initContainers: [{name: prepare, image: "example.com/prepare:1"}]
              containers: [{name: store, image: "example.com/store:1", volumeMounts: [{name: data, mountPath: /data}]}]
              volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
        """,
}


def test_helm_waits_for_a_deployment_with_a_volume_claim(
    sandbox: ClientSandbox, core: k8s.CoreV1Api, namespace: str, tmp_path: Path
) -> None:
    for name, text in CHART.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    cluster = sandbox.state["clusters"]["demo"]
    access = [
        "--kube-apiserver",
        cluster["endpoint"],
        "--kube-token",
        cluster["admin_token"],
        "--kube-ca-file",
        cluster["ca_file"],
    ]
    environment = {**os.environ, "HOME": str(tmp_path), "KUBECONFIG": os.devnull}
    subprocess.run(
        [
            sandbox.state["helm"],
            "install",
            "store",
            str(tmp_path),
            "--namespace",
            namespace,
            "--wait",
            "--timeout",
            "60s",
            *access,
        ],
        env=environment,
        check=True,
        capture_output=True,
    )
    pods = core.list_namespaced_pod(namespace).items
    assert [pod.status.phase for pod in pods] == ["Running", "Running"]
    assert {pod.spec.service_account_name for pod in pods} == {"default"}
    assert core.read_namespaced_persistent_volume_claim("data", namespace).status.phase == "Bound"


def test_a_pod_whose_claim_cannot_be_bound_waits(core: k8s.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_persistent_volume_claim(
        namespace,
        {
            "metadata": {"name": "huge"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Ti"}}},
        },
    )
    pod = {
        "metadata": {"name": "waits"},
        "spec": {
            "containers": [{"name": "main", "image": "example.com/main:1"}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "huge"}}],
        },
    }
    core.create_namespaced_pod(namespace, pod)

    def unschedulable() -> bool:
        found = core.read_namespaced_pod("waits", namespace)
        return any(
            c.reason == "Unschedulable" and "PersistentVolumeClaim" in c.message for c in found.status.conditions or []
        )

    until(unschedulable, "the scheduler says nothing of the claim")


def test_volumes_are_replenished_and_removed(core: k8s.CoreV1Api, namespace: str) -> None:
    for number in range(25):  # more than lie ready at once
        core.create_namespaced_persistent_volume_claim(
            namespace,
            {
                "metadata": {"name": f"data-{number}"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "200Gi"}}},
            },
        )

    def bound() -> list[str]:
        items = core.list_namespaced_persistent_volume_claim(namespace).items
        return [item.spec.volume_name for item in items if item.status.phase == "Bound"]

    volumes = until(lambda: found if len(found := bound()) == 25 else None, "not all claims are bound")
    core.delete_collection_namespaced_persistent_volume_claim(namespace)
    left = until(
        lambda: (
            names
            if not (names := {v.metadata.name for v in core.list_persistent_volume().items}) & set(volumes)
            else None
        ),
        "volumes of deleted claims stay",
    )
    assert left


def test_jobs_complete_and_namespaces_go(sandbox: ClientSandbox, core: k8s.CoreV1Api) -> None:
    name = core.create_namespace({"metadata": {"generateName": "goes-"}}).metadata.name
    batch = k8s.BatchV1Api(sandbox.kubernetes())
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.com/job:1"}]}}
    batch.create_namespaced_job(name, {"metadata": {"name": "once"}, "spec": {"template": template}})
    until(lambda: batch.read_namespaced_job("once", name).status.succeeded == 1, "the job does not complete")
    core.delete_namespace(name)
    until(lambda: name not in {n.metadata.name for n in core.list_namespace().items}, "the namespace stays")


def test_logs_and_exec(core: k8s.CoreV1Api, namespace: str) -> None:
    run_pod(core, namespace)
    log = core.read_namespaced_pod_log("web", namespace, _preload_content=False).data.decode()
    assert log == f"{LOG_LINE}\n"
    said = kubernetes.stream.stream(
        core.connect_get_namespaced_pod_exec, "web", namespace, command=["echo", "hello"], stdout=True, stderr=True
    )
    assert said.strip() == "hello"


def test_a_loopback_server_answers_as_a_pods_port(sandbox: ClientSandbox, core: k8s.CoreV1Api, namespace: str) -> None:
    class Status(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"ingestion": "done"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))  # a forwarded connection is not closed by the far end
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    run_pod(core, namespace)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Status)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    custom = k8s.CustomObjectsApi(sandbox.kubernetes())
    kind = ("kwok.x-k8s.io", "v1alpha1", "clusterportforwards")
    forward = {"ports": [9003], "target": {"address": "127.0.0.1", "port": server.server_port}}
    custom.create_cluster_custom_object(
        *kind,
        {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterPortForward",
            "metadata": {"name": namespace},
            "spec": {"selector": {"matchNamespaces": [namespace]}, "forwards": [forward]},
        },
    )

    def answer() -> Any:
        ports = kubernetes.stream.portforward(
            core.connect_get_namespaced_pod_portforward, "web", namespace, ports="9003"
        )
        connection = http.client.HTTPConnection("pod", timeout=10)
        connection.sock = ports.socket(9003)
        try:
            connection.request("GET", "/status")
            return json.load(connection.getresponse())
        except (OSError, http.client.HTTPException):  # kwok learns of the object by a watch, a moment later
            return None
        finally:
            connection.close()

    try:
        assert until(answer, "the port is not served") == {"ingestion": "done"}
    finally:
        custom.delete_cluster_custom_object(*kind, namespace)
        server.shutdown()
        server.server_close()


def test_the_audit_log_has_what_users_do_and_not_what_the_sandbox_does(
    sandbox: ClientSandbox, core: k8s.CoreV1Api, namespace: str
) -> None:
    token = eks_token(sandbox.session("cluster").client("sts"), "demo")
    theirs = k8s.CoreV1Api(sandbox.kubernetes(token))
    theirs.create_namespaced_config_map(namespace, {"metadata": {"name": "by-the-operator"}})
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "by-the-administrator"}})

    def written() -> list[tuple[str, str]]:
        lines = Path(sandbox.state["clusters"]["demo"]["audit_log"]).read_text().splitlines()
        events = [json.loads(line) for line in lines if line.endswith("}")]
        return [
            (event["objectRef"]["name"], event["user"]["username"])
            for event in events
            if event["verb"] == "create"
            and event.get("objectRef", {}).get("namespace") == namespace
            and event["objectRef"]["resource"] == "configmaps"
            and "name" in event["objectRef"]
        ]

    until(
        lambda: "by-the-operator" in {name for name, _user in written()}, "the operator's write is not in the audit log"
    )
    found = dict(written())
    assert found["by-the-operator"].startswith("arn:aws:sts::222222222222:assumed-role/operator/")
    assert "by-the-administrator" not in found
