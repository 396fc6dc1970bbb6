# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status page of Kubecost and the lines of its pods say what they were told to say."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import kubernetes.client as k8s
import kubernetes.stream
import pytest
from sandbox.client import SandboxError
from sandbox.cloud_cost_chain import configurations
from sandbox.control_plane.kwok import LOG_LINE
from sandbox.tests.clients import ClientSandbox, until

WAITING = {"data": [{"key": "111111111111/s3://results", "connectionStatus": "No Connection"}]}
DONE = {"data": [{"key": "111111111111/s3://results", "connectionStatus": "Connection Successful"}]}
LEGACY = {
    "aws": [
        {
            "athenaBucketName": "s3://results",
            "athenaRegion": "us-east-1",
            "athenaDatabase": "billing",
            "athenaTable": "kubecost",
            "athenaWorkgroup": "primary",
            "projectID": "111111111111",
            "masterPayerARN": "arn:aws:iam::111111111111:role/reader",
        }
    ]
}
OFF = {"http_status": 503, "text": "Cloud Cost is not enabled"}


@pytest.fixture(scope="module")
def pod(sandbox: ClientSandbox) -> Iterator[tuple[k8s.CoreV1Api, str]]:
    """A pod `web` in a namespace of its own."""
    core = k8s.CoreV1Api(sandbox.kubernetes())
    namespace = core.create_namespace({"metadata": {"generateName": "cloud-cost-"}}).metadata.name
    spec = {"containers": [{"name": "cloud-cost", "image": "example.com/cost-model:1"}]}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "web"}, "spec": spec})
    until(lambda: core.read_namespaced_pod("web", namespace).status.phase == "Running", "the pod does not run")
    yield core, namespace
    core.delete_namespace(namespace)
    sandbox.cloud_cost("demo", lines=[LOG_LINE])


def forwarded(core: k8s.CoreV1Api, namespace: str, port: int, path: str) -> tuple[int, str] | None:
    """Status and text of a page of the pod; None when nothing serves the port."""
    call = core.connect_get_namespaced_pod_portforward
    ports = kubernetes.stream.portforward(call, "web", namespace, ports=str(port))
    connection = http.client.HTTPConnection("pod", timeout=10)
    connection.sock = ports.socket(port)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def read(url: str) -> tuple[int, str]:
    """Status and text of a page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_pods_serve_the_page_on_the_vendors_ports(sandbox: ClientSandbox, pod: tuple[k8s.CoreV1Api, str]) -> None:
    core, namespace = pod
    sandbox.cloud_cost("demo", namespace=namespace, answers=[DONE])
    for port, path in ((9003, "/cloudCost/status"), (9005, "/cloudCost/status"), (9090, "/model/cloudCost/status")):
        # kwok learns of the forward by a watch, a moment later
        status, text = until(lambda p=port, q=path: forwarded(core, namespace, p, q), f"port {port} is not served")
        assert (status, json.loads(text)) == (200, {"code": 200, "data": DONE["data"]})
    assert forwarded(core, namespace, 9005, "/model/cloudCost/status") == (404, "404 page not found")
    assert forwarded(core, namespace, 9004, "/cloudCost/status") is None


def test_answers_follow_each_other_and_the_last_one_stays(
    sandbox: ClientSandbox, pod: tuple[k8s.CoreV1Api, str]
) -> None:
    page = sandbox.cloud_cost("demo", namespace=pod[1], answers=[OFF, WAITING, DONE])
    seen: list[Any] = [read(page["backend"]) for _time in range(4)]
    assert seen[0] == (503, "Cloud Cost is not enabled")
    states = [json.loads(text)["data"][0]["connectionStatus"] for _status, text in seen[1:]]
    assert states == ["No Connection", "Connection Successful", "Connection Successful"]
    assert read(page["frontend"])[0] == 200
    assert read(page["frontend"].removesuffix("/status"))[0] == 404
    assert sandbox.cloud_cost("demo")["asked"] == 5


def test_containers_log_the_lines(sandbox: ClientSandbox, pod: tuple[k8s.CoreV1Api, str]) -> None:
    core, namespace = pod
    sandbox.cloud_cost("demo", lines=["one", "two, with a date 2026-01-01", "three"])

    def log(**options: int) -> str:
        return core.read_namespaced_pod_log("web", namespace, _preload_content=False, **options).data.decode()

    assert log() == "one\ntwo, with a date 2026-01-01\nthree\n"
    assert log(tail_lines=1) == "three\n"


def test_the_page_can_follow_from_what_is_there(sandbox: ClientSandbox, pod: tuple[k8s.CoreV1Api, str]) -> None:
    """tests/integration/test_cloud_cost_status.py has the whole way, with and without rows."""
    core, namespace = pod
    page = sandbox.cloud_cost("demo", namespace=namespace, answers=[{"derive": True}])

    def seen(name: str) -> tuple[Any, str]:
        data = json.loads(read(page["backend"])[1])["data"]
        return data, core.read_namespaced_pod_log(name, namespace, _preload_content=False).data.decode()

    data, log = seen("web")
    assert data == []
    assert "cloud-integration.json: no such file" in log

    core.create_namespaced_secret(
        namespace,
        {"metadata": {"name": "cloud-integration"}, "stringData": {"cloud-integration.json": json.dumps(LEGACY)}},
    )
    spec = {
        "containers": [{"name": "cost-model", "image": "example.com/cost-model:1"}],
        "volumes": [{"name": "file", "secret": {"secretName": "cloud-integration"}}],
    }
    core.delete_namespaced_pod("web", namespace, grace_period_seconds=0)
    core.create_namespaced_pod(namespace, {"metadata": {"name": "model"}, "spec": spec})
    until(lambda: core.read_namespaced_pod("model", namespace).status.phase == "Running", "the pod does not run")
    [item], log = seen("model")
    assert (item["key"], item["connectionStatus"]) == ("111111111111/s3://results", "Failed Connection")
    assert item["config"]["table"] == "kubecost"
    node = "arn:aws:sts::222222222222:assumed-role/eks-node-group/i-0123456789abcdef0"
    assert f"ERR CloudCost[{item['key']}]: ingestor: build failed" in log
    assert f"User: {node} is not authorized to perform: sts:AssumeRole" in log, "its ServiceAccount has no role"


def test_both_forms_of_the_file_are_read() -> None:
    [old] = configurations(LEGACY)
    new = {key: value for key, value in old.items() if key != "role_arn"}
    authorizer = {"authorizerType": "AWSAssumeRole", "roleARN": old["role_arn"]}
    assert configurations({"aws": {"athena": [{**new, "authorizer": authorizer}]}}) == [old]
    assert configurations({"aws": []}) == configurations({}) == []


def test_a_wrong_request_is_refused(sandbox: ClientSandbox) -> None:
    with pytest.raises(SandboxError, match="there is no cluster nowhere; there are demo"):
        sandbox.cloud_cost("nowhere")
    with pytest.raises(SandboxError, match="unknown: line; there are cluster, namespace, answers, lines"):
        sandbox.cloud_cost("demo", line="x")
