# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pod is asked, what an answer means, when the log is read. Port-forward itself is tried in the sandbox."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _cloud_cost_read as reading
from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_finding import Expected, verdict
from ansible_collections.kubestrap.aws.plugins.module_utils._cloud_cost_read import Answer, NoAnswer, Source
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from kubernetes import client

KEY = "111111111111/s3://results"
DENIED = f"ERR CloudCost[{KEY}]: ingestor: build failed: AccessDenied"


def pod(
    name: str, ready: bool = True, container: str = "cloud-cost", reason: str = "", **metadata: Any
) -> dict[str, Any]:
    """A pod as the API server shows it."""
    status: dict[str, Any] = {"phase": "Running" if ready else "Pending"}
    status["conditions"] = [{"type": "Ready", "status": str(ready)}]
    if reason:
        status["containerStatuses"] = [{"state": {"waiting": {"reason": reason}}}]
    spec = {"containers": [{"name": "sidecar"}, {"name": container}]}
    return {"metadata": {"name": name, **metadata}, "spec": spec, "status": status}


class Cluster:
    """An API server with these pods, a port that answers so, and these lines in each log."""

    def __init__(self, *pods: dict[str, Any], answer: Any = None, lines: Any = ()) -> None:
        self.pods, self.answer, self.lines = pods, answer, lines
        self.asked: list[Any] = []

    def get(self, *path: str, query: Any = None) -> dict[str, Any]:
        self.asked.append(("pods", path[3], query))
        return {"items": list(self.pods)}

    def get_text(self, *path: str, query: Any = None) -> str:
        self.asked.append(("log", path[5], query))
        if isinstance(self.lines, Exception):
            raise self.lines
        return "\n".join(self.lines)

    def forward(self, namespace: str, name: str, port: int, path: str) -> Answer:
        self.asked.append(("page", name, port, path))
        if isinstance(self.answer, Exception):
            raise self.answer
        return Answer(200, json.dumps({"code": 200, "data": self.answer}), "there")

    def source(self, generation: str = "3", **fields: Any) -> Source:
        product = reading.PRODUCTS[generation]
        given = {"kube": self, "forward": self.forward, "namespace": "kubecost", "selector": product.selector}
        return Source(**{"product": product, "get_url": None, "log_lines": 100, **given, **fields})

    def found(self, generation: str = "3", **fields: Any) -> Any:
        return verdict(reading.look(self.source(generation, **fields), [Expected("111111111111", "s3://results")])[0])


def item(status: str) -> dict[str, Any]:
    return {"key": KEY, "connectionStatus": status}


def test_all_is_well() -> None:
    cluster = Cluster(pod("a"), answer=[item("Connection Successful")])
    assert cluster.found().finding == "working"
    assert cluster.asked == [
        ("pods", "kubecost", {"labelSelector": "app=cloud-cost"}),
        ("page", "a", 9005, "/cloudCost/status"),
    ], "then the log is not read"


def test_the_log_is_read_where_the_reason_has_to_be_found() -> None:
    cluster = Cluster(pod("a"), answer=[item("Failed Connection")], lines=[DENIED])
    assert cluster.found().finding == "denied"
    assert cluster.asked[-1] == (
        "log",
        "a",
        {"container": "cloud-cost", "tailLines": "100", "limitBytes": "100000"},
    )


def test_a_log_that_may_not_be_read_is_done_without() -> None:
    refused = KubeError("refused", "", "", 403)
    assert Cluster(pod("a"), answer=[item("Failed Connection")], lines=refused).found().finding == "query_failed"
    assert Cluster(pod("a"), lines=refused).found("1").finding == "no_access", "of Kubecost 1 there is nothing else"
    no_lines = Cluster(pod("a"), answer=[item("Failed Connection")], lines=[DENIED])
    assert no_lines.found(log_lines=0).finding == "query_failed"


def test_kubecost_1_has_its_log_only() -> None:
    line = f"INF ETL: CloudUsage[{KEY}]: Build[a]: coverage [x, y) (7.7 complete)"
    cluster = Cluster(pod("a", container="cost-model"), lines=[line])
    assert cluster.found("1").percent == 7.7
    assert [asked[0] for asked in cluster.asked] == ["pods", "log"]
    assert cluster.asked[1][2]["container"] == "cost-model"


def test_the_youngest_ready_pod_with_the_container_is_asked() -> None:
    cluster = Cluster(
        pod("old", creationTimestamp="2026-01-01T00:00:00Z"),
        pod("young", creationTimestamp="2026-01-02T00:00:00Z"),
        pod("starting", ready=False, creationTimestamp="2026-01-03T00:00:00Z"),
        pod("leaving", creationTimestamp="2026-01-03T00:00:00Z", deletionTimestamp="2026-01-03T00:00:01Z"),
        pod("frontend", container="frontend", creationTimestamp="2026-01-03T00:00:00Z"),
        answer=[item("Connection Successful")],
    )
    assert cluster.found("2").finding == "working"
    assert cluster.asked[1][1] == "young"


def test_a_container_of_another_name_is_taken_too() -> None:
    cluster = Cluster(pod("a", container="other"), answer=[item("Failed Connection")])
    cluster.found()
    assert cluster.asked[-1][2]["container"] == "sidecar"


def test_no_pod() -> None:
    found = Cluster().found()
    assert (found.finding, found.state) == ("not_running", "failed")
    assert found.detail == "there is no pod (namespace kubecost, labels app=cloud-cost)"


def test_no_pod_that_is_ready() -> None:
    found = Cluster(pod("a", ready=False), pod("b", ready=False, reason="CrashLoopBackOff")).found()
    assert found.finding == "not_running"
    assert "a is Pending, b is CrashLoopBackOff" in found.detail
    assert found.change == "See kubectl describe pod a --namespace kubecost"


@pytest.mark.parametrize(("status", "finding"), [(None, "unreachable"), (500, "unreachable"), (403, "no_access")])
def test_an_api_server_that_cannot_be_asked_is_a_finding(status: int | None, finding: str) -> None:
    cluster = Cluster()

    def refuse(*_path: str, **_query: str) -> None:
        raise KubeError("No", "why", "what", status)

    cluster.get = refuse
    found = cluster.found()
    assert (found.finding, found.detail, found.cause, found.change) == (finding, "No", "why", "what")


@pytest.mark.parametrize(
    ("status", "text", "finding"),
    [
        (501, "Cloud Cost Pipeline Service is nil", "disabled"),
        (503, "Cloud Cost is not enabled", "disabled"),
        (503, "no healthy upstream", "unreachable"),
        (502, "Bad Gateway", "unreachable"),
        (302, "", "no_access"),
        (401, "who are you", "no_access"),
        (404, "404 page not found", "no_access"),
        (200, "<html>Kubecost</html>", "no_access"),
        (200, '{"data": {"a": 1}}', "no_access"),
        (200, '{"code": 200}', "no_access"),
    ],
)
def test_an_answer_that_is_no_status_page(status: int, text: str, finding: str) -> None:
    with pytest.raises(NoAnswer) as none:
        reading.page_of(Answer(status, text, "https://kubecost.example/x"))
    found = none.value.finding
    assert found.finding == finding
    assert found.detail.startswith(f"https://kubecost.example/x answers with {status}")
    assert found.change


def test_a_page_without_integrations_is_an_empty_list() -> None:
    assert reading.page_of(Answer(200, '{"code": 200, "data": null}', "there")) == []
    assert reading.page_of(Answer(200, '{"code": 200, "data": []}', "there")) == []


def test_the_page_of_a_url_needs_no_pod() -> None:
    page = Answer(200, json.dumps({"data": [item("Failed Connection")]}), "there")
    cluster = Cluster(pod("a"), lines=[DENIED])
    assert cluster.found(kube=None, forward=None, get_url=lambda: page).finding == "query_failed"
    assert cluster.found(get_url=lambda: page).finding == "denied", "with a cluster its log explains"


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """A page behind a login."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Bearer fake"
            body = b'{"code": 200, "data": []}' if known else b""
            self.send_response(200 if known else 302)
            self.send_header("Location", "/login")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    made = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def test_a_url(server: HTTPServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}/model/cloudCost/status"
    assert reading.get_url(url).status == 302, "a redirect to a login is not followed"
    assert reading.get_url(url, headers={"Authorization": "Bearer fake"}).status == 200


def test_a_url_that_does_not_answer(server: HTTPServer) -> None:
    server.server_close()
    with pytest.raises(NoAnswer) as none:
        reading.get_url(f"http://127.0.0.1:{server.server_port}/")
    assert none.value.finding.finding == "unreachable"


def test_what_keeps_from_a_pods_port() -> None:
    forbidden = reading._forward_refused("port 9005", "Handshake status 403 Forbidden pods/portforward is forbidden")
    assert forbidden.finding == "no_access"
    assert "get and create on pods/portforward" in forbidden.change
    proxied = reading._forward_refused("port 9005", "Handshake status 502 Bad Gateway")
    assert proxied.finding == "unreachable"
    assert "websockets" in proxied.change


def test_a_refused_port_forward_is_a_finding() -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(NoAnswer) as none:
            reading.PortForward(client.ApiClient(settings)).get("kubecost", "a", 9005, "/cloudCost/status")
    finally:
        server.shutdown()
        server.server_close()
    assert none.value.finding.finding == "no_access"
    assert none.value.finding.detail == "port 9005 of pod kubecost/a may not be reached"
