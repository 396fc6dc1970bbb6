# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small client of the API server, against an HTTP server of this test's own."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import (
    KubeApi,
    KubeError,
    answer_or_error,
    principal_of,
)

ARN = "arn:aws:iam::222222222222:role/operator"
TOKEN = "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXhhbXBsZQ"


class Server(ThreadingHTTPServer):
    """Answers every request with the next answer (status, body) and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        status, content = self.server.answers.pop(0)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, *_args: Any) -> None:
        """Keep the output of pytest clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def api(server: Server, **options: Any) -> KubeApi:
    return KubeApi(server.url + "/", TOKEN, **options)


def status(text: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "message": text}


def test_get_sends_token_and_query(server: Server) -> None:
    server.answers = [(200, {"items": []})]
    found = api(server).get("api", "v1", "namespaces", "a/b", "pods", query={"labelSelector": "app=kubecost,x"})
    assert found == {"items": []}
    method, path, headers, _body = server.requests[0]
    assert (method, path) == ("GET", "/api/v1/namespaces/a%2Fb/pods?labelSelector=app%3Dkubecost%2Cx")
    assert headers["Authorization"] == f"Bearer {TOKEN}"


def test_post_sends_the_object(server: Server) -> None:
    server.answers = [(201, {"status": {"token": "t"}})]
    assert api(server).post("api", "v1", "x", body={"kind": "TokenRequest"}) == {"status": {"token": "t"}}
    assert server.requests[0][3] == {"kind": "TokenRequest"}


@pytest.mark.parametrize(
    ("method", "content_type", "query"),
    [
        ("APPLY", "application/apply-patch+yaml", "?fieldManager=us&force=true"),
        ("POST", "application/json", "?fieldManager=us"),
        ("PATCH", "application/merge-patch+json", "?fieldManager=us"),
        ("DELETE", "application/json", ""),
    ],
)
def test_changes_say_who_makes_them(server: Server, method: str, content_type: str, query: str) -> None:
    server.answers = [(200, {"kind": "Secret"}), (404, status("not found"))]
    assert api(server).send(method, "api", "x", body={"data": {}}, field_manager="us") == {"kind": "Secret"}
    assert api(server).send(method, "api", "x", body={}, field_manager="us") is None
    sent, path, headers, body = server.requests[0]
    assert (path, headers["Content-Type"], body) == (f"/api/x{query}", content_type, {"data": {}})
    assert sent == ("PATCH" if method == "APPLY" else method)


def test_a_dry_run_says_so(server: Server) -> None:
    server.answers = [(200, {})]
    api(server).send("PATCH", "api", "x", body={}, field_manager="us", dry_run=True)
    assert server.requests[0][1] == "/api/x?fieldManager=us&dryRun=All"


def test_what_does_not_exist_is_none(server: Server) -> None:
    server.answers = [(404, status("not found")), (404, status("not found"))]
    assert api(server).get("api") is None
    assert api(server).post("api", body={}) is None


def test_a_token_that_is_not_accepted_names_the_access_entry(server: Server) -> None:
    server.answers = [(401, status("Unauthorized"))]
    with pytest.raises(KubeError) as error:
        api(server, principal=lambda: ARN, cluster_name="demo").get("api")
    assert error.value.status == 401
    assert f"the IAM principal {ARN} has no access entry in the cluster demo" in error.value.cause
    assert f"aws eks create-access-entry --cluster-name demo --principal-arn {ARN}" in error.value.change
    assert TOKEN not in str(error.value)


def test_a_refusal_names_verb_and_resource(server: Server) -> None:
    said = 'serviceaccounts "kubecost" is forbidden: User "x" cannot create resource "serviceaccounts/token"'
    server.answers = [(403, status(said))]
    with pytest.raises(KubeError) as error:
        api(server).post("api", "v1", body={})
    assert error.value.status == 403
    assert error.value.detail == "The API server refuses POST /api/v1"
    assert error.value.cause == said


def test_other_errors_are_told_as_they_are(server: Server) -> None:
    server.answers = [(422, status("spec is invalid"))]
    with pytest.raises(KubeError, match="spec is invalid"):
        api(server).get("api")


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.answers = [(503, status("try later")), (200, {})]
    assert api(server).get("api") == {}
    assert len(server.requests) == 2


def test_something_else_than_an_api_server(server: Server) -> None:
    server.answers = [(200, b"<html>")]
    with pytest.raises(KubeError, match="does not answer as an API server does"):
        api(server).get("api")


def test_nobody_answers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"https://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(KubeError) as error:
            KubeApi(host, TOKEN).get("api")
    assert error.value.detail == f"The API server {host} does not answer"
    assert "private endpoint" in error.value.change


def test_a_kubeconfig_gives_server_and_token(server: Server, tmp_path: Path) -> None:
    server.answers = [(200, {})]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "token-of-the-file"}}],
        "contexts": [{"name": "right", "context": {"cluster": "c", "user": "u"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert KubeApi.from_kubeconfig(str(file), "right").get("version") == {}
    assert server.requests[0][2]["Authorization"] == "Bearer token-of-the-file"
    with pytest.raises(KubeError, match="Correct kubeconfig or context"):
        KubeApi.from_kubeconfig(str(file), "wrong")


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="cannot be used"):
        KubeApi.from_kubeconfig(str(tmp_path / "none"), None)


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:sts::222222222222:assumed-role/operator/session", ARN),
        ("arn:aws-cn:sts::222222222222:assumed-role/a/b", "arn:aws-cn:iam::222222222222:role/a"),
        ("arn:aws:iam::222222222222:user/anna", "arn:aws:iam::222222222222:user/anna"),
    ],
)
def test_the_principal_of_an_access_entry(arn: str, principal: str) -> None:
    assert principal_of(arn) == principal


@pytest.mark.parametrize("option", ["ca_cert", "cert_file", "key_file"])
def test_a_file_that_does_not_exist(option: str, tmp_path: Path) -> None:
    with pytest.raises(KubeError, match=r"none.pem cannot be read: it does not exist"):
        KubeApi("https://127.0.0.1", TOKEN, **{option: str(tmp_path / "none.pem")})


@pytest.mark.parametrize("option", ["ca_cert", "cert_file"])
def test_a_file_that_holds_no_certificates(option: str, tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("none")
    api = KubeApi("https://127.0.0.1:1", TOKEN, **{option: str(tmp_path / "text.pem")})
    with pytest.raises(KubeError, match=r"text.pem cannot be used: .*Give a file with certificates in PEM"):
        api.get("version")


def test_connections_share_what_was_read_of_the_files_and_read_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read for each connection, several at a time, made OpenSSL crash once in some thousand tasks."""
    read: list[str] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda _self, cafile: read.append(cafile))
    api = KubeApi("https://127.0.0.1", TOKEN, ca_cert=__file__)
    pool = api._pool.connection_from_url(api.host)
    connections = [pool._new_conn() for _number in range(4)]
    assert read == [__file__]
    assert {connection.ssl_context for connection in connections} == {api._pool.connection_pool_kw["ssl_context"]}
    assert {(each.ca_certs, each.cert_file, each.key_file) for each in connections} == {(None, None, None)}


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("checked", [True, False])
def test_the_certificate_of_the_api_server_is_checked_unless_it_shall_not_be(checked: bool, tmp_path: Path) -> None:
    from sandbox.control_plane import pki

    pki.write_serving_pair(tmp_path, "somebody else")
    with Server() as server:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.answers = [(200, {"kind": "Namespace"})]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        api = KubeApi(server.url.replace("http:", "https:"), TOKEN, validate_certs=checked)
        try:
            if checked:
                with pytest.raises(KubeError, match="cannot be trusted"):
                    api.get("api", "v1", "namespaces", "kubecost")
            else:
                assert api.get("api", "v1", "namespaces", "kubecost") == {"kind": "Namespace"}
        finally:
            server.shutdown()


def test_of_reads_side_by_side_an_error_is_an_answer() -> None:
    error = KubeError("No", "RBAC", "Allow it")

    def refuse() -> None:
        raise error

    assert answer_or_error(refuse) is error
    assert answer_or_error(lambda: 1) == 1
