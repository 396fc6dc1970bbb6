# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the status page and the log of Kubecost and OpenCost: over the pods' own ports, or from a URL.

The way to the pods is port-forward, which the kubelet answers. The API server's proxy is often closed on EKS: node
security groups let the control plane through to two ports only.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import typing as t

from ._cloud_cost_finding import (
    NO_ACCESS,
    NOT_RUNNING,
    UNREACHABLE,
    Expected,
    Finding,
    findings,
    findings_of_log,
    verdict,
)
from ._cloud_cost_status import DISABLED, Log, meaning_of, read_log
from ._kube_api import KubeApi, KubeError

try:
    import urllib3
    import urllib3.exceptions
except ImportError:
    pass  # A dependency of the kubernetes client and of botocore; the module reports it.

_TIMEOUT_SECONDS = 15.0
# Kubernetes gives the last lines of a log; a line of Kubecost is shorter than this.
_LONGEST_LINE = 1000


@dataclasses.dataclass(frozen=True)
class Product:
    """Where a product says how its ingestion goes.

    :ivar selector: labels of its pods
    :ivar container: the one that reads billing data, and logs about it
    :ivar port: of the status page on the pod, ``None`` when there is no such page
    :ivar path: of the page
    """

    selector: str
    container: str
    port: int | None
    path: str


# Sources: the charts' templates (labels, names of containers, ports) and OpenCost's router.
PRODUCTS = {
    "1": Product("app=cost-analyzer", "cost-model", None, ""),
    "2": Product("app in (cloud-cost,cost-analyzer)", "cloud-cost", 9005, "/cloudCost/status"),
    "3": Product("app=cloud-cost", "cloud-cost", 9005, "/cloudCost/status"),
    "opencost": Product("app.kubernetes.io/name=opencost", "opencost", 9003, "/cloudCost/status"),
}


@dataclasses.dataclass(frozen=True)
class Answer:
    """An HTTP answer: its status and text, and where it came from, in words."""

    status: int
    text: str
    where: str


class NoAnswer(Exception):
    """There is no page to read; ``finding`` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.detail)
        self.finding = finding


@dataclasses.dataclass(frozen=True)
class Source:
    """Where to look.

    :ivar product: what is running
    :ivar kube: the API server, ``None`` when there is only a URL
    :ivar forward: HTTP GET of a pod's port (namespace, pod, port, path), as ``PortForward.get``
    :ivar namespace: of the pods
    :ivar selector: labels of the pods
    :ivar get_url: reads the page from a URL, ``None`` to read it from the pods
    :ivar log_lines: how many lines of the log are read
    """

    product: Product
    kube: KubeApi | None
    forward: t.Callable[[str, str, int, str], Answer] | None
    namespace: str
    selector: str
    get_url: t.Callable[[], Answer] | None
    log_lines: int


def look(source: Source, expected: t.Sequence[Expected]) -> tuple[list[Finding], Log]:
    """Look once.

    :returns: a finding for each integration, or one about the workload; and what the log said, if it was read
    """
    try:
        pod = _pod(source, source.kube) if source.kube else None
        if source.get_url is None and source.product.port is None:
            log = _log(source, pod)
            return findings_of_log(log, expected), log
        page = _page(source, pod)
        made = findings(page, Log(), expected)
        if pod is None or verdict(made).state == "ok":
            return made, Log()
        log = _log(source, pod, needed=False)
        return findings(page, log, expected), log
    except NoAnswer as e:
        return [e.finding], Log()
    except KubeError as e:
        # No answer can be the API server's restart; a refusal stays one.
        kind = UNREACHABLE if e.status is None or e.status >= 500 else NO_ACCESS
        return [Finding(kind, e.detail, e.cause, e.change)], Log()


def _page(source: Source, pod: t.Mapping[str, t.Any] | None) -> list[t.Mapping[str, t.Any]]:
    if pod is None or source.forward is None or source.get_url is not None:
        return page_of(source.get_url())
    name = pod["metadata"]["name"]
    return page_of(source.forward(source.namespace, name, source.product.port, source.product.path))


def page_of(answer: Answer) -> list[t.Mapping[str, t.Any]]:
    """The integrations of a status page.

    :raises NoAnswer: it is none
    """
    detail = f"{answer.where} answers with {answer.status}: {' '.join(answer.text.split())[:200]}"
    known = meaning_of(answer.text)
    if answer.status in (501, 503) and (answer.status == 501 or (known and known.finding == DISABLED)):
        change = "Switch them on in the chart's values: cloudCost.enabled, or opencost.cloudCost.enabled"
        raise NoAnswer(Finding(DISABLED, detail, "cloud costs are switched off", change))
    if answer.status in (401, 403) or 300 <= answer.status < 400:
        cause = "the page wants a login"
        raise NoAnswer(Finding(NO_ACCESS, detail, cause, "Read it over port-forward, or give url_headers"))
    if answer.status == 404:
        cause = "the page is not at this place"
        change = (
            "Correct url, or generation; Kubecost's frontend has /model/cloudCost/status, OpenCost /cloudCost/status"
        )
        raise NoAnswer(Finding(NO_ACCESS, detail, cause, change))
    if answer.status != 200:
        raise NoAnswer(Finding(UNREACHABLE, detail, "the workload is not ready", "See the pods' log"))
    try:
        data = json.loads(answer.text)["data"]
        if data is not None and not all(isinstance(item, dict) for item in data):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        change = "Correct url: Kubecost's frontend has /model/cloudCost/status, OpenCost /cloudCost/status"
        raise NoAnswer(Finding(NO_ACCESS, detail, "this is no status page", change)) from None
    return data or []


# -- pods ------------------------------------------------------------------------------------------------------------


def _pod(source: Source, kube: KubeApi) -> t.Mapping[str, t.Any]:
    """The pod to ask: a ready one, the youngest.

    :raises NoAnswer: there is none
    """
    query = {"labelSelector": source.selector} if source.selector else None
    found = kube.get("api", "v1", "namespaces", source.namespace, "pods", query=query) or {}
    pods = [pod for pod in found.get("items", []) if not pod["metadata"].get("deletionTimestamp")]
    pods = [pod for pod in pods if source.product.container in containers(pod)] or pods
    ready = [pod for pod in pods if _is_ready(pod)]
    if ready:
        return max(ready, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
    where = f"namespace {source.namespace}, labels {source.selector}"
    if not pods:
        change = "Install it, or correct namespace and label_selectors"
        raise NoAnswer(Finding(NOT_RUNNING, f"there is no pod ({where})", "the workload is not installed here", change))
    states = ", ".join(f"{pod['metadata']['name']} is {_why(pod)}" for pod in pods)
    name = pods[0]["metadata"]["name"]
    cause = "a Secret or ServiceAccount that is missing, an image that cannot be pulled, or a crash"
    change = f"See kubectl describe pod {name} --namespace {source.namespace}"
    raise NoAnswer(Finding(NOT_RUNNING, f"no pod is ready ({where}): {states}", cause, change))


def containers(pod: t.Mapping[str, t.Any]) -> list[str]:
    """Names of a pod's containers."""
    return [container["name"] for container in pod["spec"]["containers"]]


def _is_ready(pod: t.Mapping[str, t.Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _why(pod: t.Mapping[str, t.Any]) -> str:
    """Why a pod is not ready: the reason that one of its containers gives, else its phase."""
    status = pod.get("status") or {}
    waiting = [(item.get("state") or {}).get("waiting") or {} for item in status.get("containerStatuses") or []]
    return next((item["reason"] for item in waiting if item.get("reason")), status.get("phase") or "unknown")


def _log(source: Source, pod: t.Mapping[str, t.Any] | None, needed: bool = True) -> Log:
    """What the pod's log says; where it is only for the explanation, one that may not be read is an empty one."""
    if not source.log_lines or source.kube is None or pod is None:
        return Log()
    names = containers(pod)
    query = {
        "container": source.product.container if source.product.container in names else names[0],
        "tailLines": str(source.log_lines),
        "limitBytes": str(source.log_lines * _LONGEST_LINE),
    }
    path = ("api", "v1", "namespaces", source.namespace, "pods", pod["metadata"]["name"], "log")
    try:
        return read_log((source.kube.get_text(*path, query=query) or "").splitlines())
    except KubeError:
        if needed:
            raise
        return Log()


# -- HTTP ------------------------------------------------------------------------------------------------------------


def get_url(url: str, ca_cert: str | None = None, headers: t.Mapping[str, str] | None = None) -> Answer:
    """The page at a URL; redirects are not followed, since they lead to a login.

    :raises NoAnswer: it does not answer
    """
    pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=ca_cert)
    try:
        answer = pool.request(
            "GET", url, headers=dict(headers or {}), redirect=False, retries=False, timeout=_TIMEOUT_SECONDS
        )
    except urllib3.exceptions.HTTPError as e:
        change = "Check that the controller may reach it, and url_ca_cert"
        raise NoAnswer(Finding(UNREACHABLE, f"{url} does not answer", str(e), change)) from e
    return Answer(answer.status, answer.data.decode("utf-8", "replace"), url)


class PortForward:
    """HTTP to ports of pods.

    :param client: a ``kubernetes.client.ApiClient``
    """

    def __init__(self, client: t.Any) -> None:
        self._client = client

    def get(self, namespace: str, pod: str, port: int, path: str) -> Answer:
        """GET a page of a pod.

        :raises NoAnswer: the port cannot be reached
        """
        import websocket  # comes with the kubernetes client
        from kubernetes import client, stream

        where = f"port {port} of pod {namespace}/{pod}"
        websocket.setdefaulttimeout(_TIMEOUT_SECONDS)  # the client itself would wait for ever
        forwarded = client.CoreV1Api(self._client).connect_get_namespaced_pod_portforward
        try:
            ports = stream.portforward(forwarded, pod, namespace, ports=str(port))
        except (client.ApiException, AttributeError) as e:
            # The client stumbles over a refusal without a body; what was refused is behind its error then.
            refusal = e.__context__ if isinstance(e, AttributeError) else e
            raise NoAnswer(_forward_refused(where, str(getattr(refusal, "reason", None) or e))) from e
        connection = http.client.HTTPConnection(pod, timeout=_TIMEOUT_SECONDS)
        connection.sock = ports.socket(port)
        connection.sock.settimeout(_TIMEOUT_SECONDS)
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode("utf-8", "replace"), f"{path} on {where}")
        except (OSError, http.client.HTTPException) as e:
            said = (ports.error(port) or str(e) or type(e).__name__).strip()
            change = "Wait until the pod listens; if it stays so, correct generation"
            raise NoAnswer(Finding(UNREACHABLE, f"{where} does not answer", said, change)) from e
        finally:
            connection.close()


def _forward_refused(where: str, reason: str) -> Finding:
    """Why there is no way to a pod's port."""
    said = " ".join(reason.split())[:300]
    if "403" in reason or "401" in reason:
        change = "Allow the verbs get and create on pods/portforward in the namespace, or give url"
        return Finding(NO_ACCESS, f"{where} may not be reached", said, change)
    change = "Check that proxies between the controller and the API server let websockets through, or give url"
    return Finding(UNREACHABLE, f"{where} cannot be reached", said, change)
