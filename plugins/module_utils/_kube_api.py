# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few requests to an API server, with errors that say what to do.

Managing Kubernetes objects is kubernetes.core's. This is for a handful of objects within one task, where importing the
kubernetes client would cost more time than all the requests, and for the Secret whose entries are merged with those of
others: what it holds is read, put together and written in one process, and never gets into a variable of a play.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import typing as t
import urllib.parse
import urllib.request

try:
    import urllib3
    import urllib3.exceptions
except ImportError:
    pass  # A dependency of botocore, whose absence AnsibleAWSModule reports.

# Lists without the objects' bodies: labels are enough, and a Helm release can have a megabyte.
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_TIMEOUT_SECONDS = 15.0


class KubeError(Exception):
    """The API server cannot be asked, or refuses.

    :ivar detail: what happened
    :ivar cause: why, as far as it is known
    :ivar change: what to do
    :ivar status: HTTP status, ``None`` when there was no answer
    """

    def __init__(self, detail: str, cause: str, change: str, status: int | None = None) -> None:
        super().__init__(f"{detail}: {cause}. {change}" if cause else f"{detail}. {change}")
        self.detail = detail
        self.cause = cause
        self.change = change
        self.status = status


class KubeApi:
    """One API server.

    :param host: URL of the API server
    :param api_key: bearer token
    :param ca_cert: file with the certificate authority of the API server; without it the system's are used
    :param cert_file, key_file: client certificate, in place of a token
    :param validate_certs: whether the API server's certificate is checked
    :param principal: who the token stands for, and
    :param cluster_name: the cluster, both for the texts of errors only
    :raises KubeError: a file does not exist; one that does not hold what it should is told by the first request
    """

    def __init__(
        self,
        host: str,
        api_key: str | None = None,
        ca_cert: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        validate_certs: bool = True,
        principal: t.Callable[[], str | None] = lambda: None,
        cluster_name: str | None = None,
    ) -> None:
        for file in filter(None, (ca_cert, cert_file, key_file)):
            if not os.path.isfile(file):
                raise KubeError(f"The file {file} cannot be read", "it does not exist", "Correct ca_cert or kubeconfig")
        self.host = host.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._principal = principal
        self._cluster_name = cluster_name
        reqs = ssl.CERT_REQUIRED if validate_certs else ssl.CERT_NONE
        options: dict[str, t.Any] = {
            "cert_reqs": reqs,
            "maxsize": 8,  # objects are read side by side
            "timeout": urllib3.Timeout(connect=_TIMEOUT_SECONDS / 3, read=_TIMEOUT_SECONDS),
            "retries": urllib3.Retry(total=2, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504)),
        }
        self._unusable: KubeError | None = None
        try:
            options["ssl_context"] = _ssl_context(ca_cert, cert_file, key_file, reqs)
        except KubeError as e:
            self._unusable = e
        self._pool = _pool(self.host, options)

    @classmethod
    def from_kubeconfig(cls, path: str | None, context: str | None, **kwargs: t.Any) -> KubeApi:
        """The API server of a kubeconfig's context, with whatever means of access it describes.

        :raises KubeError: the file or the context cannot be used
        """
        try:
            from kubernetes import client, config  # only this way of access needs it
        except ImportError as e:
            raise KubeError("A kubeconfig cannot be read", str(e), "Install the Python package kubernetes") from e
        settings = client.Configuration()
        try:
            config.load_kube_config(config_file=path, context=context, client_configuration=settings)
        except Exception as e:
            where = path or "of the environment"
            raise KubeError(f"The kubeconfig {where} cannot be used", str(e), "Correct kubeconfig or context") from e
        headers = [
            item["value"] for item in settings.auth_settings().values() if item["key"].lower() == "authorization"
        ]
        token = headers[0] if headers else ""
        return cls(
            settings.host,
            api_key=token.removeprefix("Bearer ").strip() or None,
            ca_cert=settings.ssl_ca_cert,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            validate_certs=settings.verify_ssl,
            **kwargs,
        )

    def get(self, *path: str, query: t.Mapping[str, str] | None = None, accept: str = "application/json") -> t.Any:
        """The object or list at a path, ``None`` when it does not exist.

        :param path: segments, for example ``"api", "v1", "namespaces", "kubecost"``
        :raises KubeError: no answer, or refused
        """
        return self._request("GET", path, query, None, accept)

    def get_text(self, *path: str, query: t.Mapping[str, str] | None = None) -> str | None:
        """The text at a path, such as a log, ``None`` when it does not exist.

        :raises KubeError: no answer, or refused
        """
        answer = self._answer("GET", path, query, None, "text/plain, */*")
        return None if answer is None else answer.data.decode("utf-8", "replace")

    def post(self, *path: str, body: t.Mapping[str, t.Any]) -> t.Any:
        """The answer to an object posted to a path, ``None`` when the path does not exist.

        :raises KubeError: no answer, or refused
        """
        return self._request("POST", path, None, body, "application/json")

    def send(
        self, method: str, *path: str, body: t.Mapping[str, t.Any], field_manager: str, dry_run: bool = False
    ) -> t.Any:
        """The answer to a change of an object, ``None`` when the path does not exist.

        :param method: ``POST``, ``PATCH`` (the body is a merge patch), ``APPLY`` (the body is all that the field
            manager wants of the object, which is taken from others) or ``DELETE`` (the body is its options)
        :param field_manager: whom the API server remembers for the fields that are written
        :param dry_run: ask whether it would be done: rights, admission and validation are looked at, nothing is stored
        :raises KubeError: no answer, or refused
        """
        query = {} if method == "DELETE" else {"fieldManager": field_manager}
        query |= {"force": "true"} if method == "APPLY" else {}
        query |= {"dryRun": "All"} if dry_run else {}
        return self._request(method, path, query, body, "application/json")

    def _request(
        self,
        method: str,
        path: t.Sequence[str],
        query: t.Mapping[str, str] | None,
        body: t.Mapping[str, t.Any] | None,
        accept: str,
    ) -> t.Any:
        answer = self._answer(method, path, query, body, accept)
        if answer is None:
            return None
        try:
            return json.loads(answer.data)
        except ValueError as e:
            detail = f"{self.host} does not answer as an API server does"
            raise KubeError(detail, "the answer is not JSON", "Check the endpoint, and proxies on the way") from e

    def _answer(
        self,
        method: str,
        path: t.Sequence[str],
        query: t.Mapping[str, str] | None,
        body: t.Mapping[str, t.Any] | None,
        accept: str,
    ) -> t.Any:
        if self._unusable:
            raise self._unusable
        url = f"{self.host}/" + "/".join(urllib.parse.quote(segment, safe="") for segment in path)
        if query:
            url += f"?{urllib.parse.urlencode(query)}"
        headers = {**self._headers, "Accept": accept}
        content = None
        if body is not None:
            headers["Content-Type"] = {"PATCH": MERGE_PATCH, "APPLY": APPLY_PATCH}.get(method, "application/json")
            content = json.dumps(body).encode()
        method = "PATCH" if method == "APPLY" else method
        try:
            answer = self._pool.request(method, url, headers=headers, body=content)
        except urllib3.exceptions.HTTPError as e:
            raise self._unreachable(e) from e
        if answer.status == 404:
            return None
        if answer.status >= 400:
            raise self._refused(method, url, answer)
        return answer

    def _unreachable(self, error: Exception) -> KubeError:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, urllib3.exceptions.SSLError):
            return KubeError(
                f"The API server {self.host} cannot be trusted",
                f"its certificate is not signed by the certificate authority given ({reason})",
                "Give ca_cert the cluster's own certificate authority (certificate_authority_data of eks_cluster_info)",
            )
        return KubeError(
            f"The API server {self.host} does not answer",
            str(reason).split(": ", 1)[-1],
            "Check that the controller may reach it: a private endpoint answers within its VPC only, a public one may "
            "be limited to some networks (public access CIDRs of the cluster)",
        )

    def _refused(self, method: str, url: str, answer: t.Any) -> KubeError:
        try:
            said = json.loads(answer.data).get("message") or ""
        except (ValueError, AttributeError):
            said = answer.data.decode("utf-8", "replace")[:200]
        path = url.removeprefix(self.host).partition("?")[0]
        if answer.status == 401:
            who = self._principal() or "<IAM role>"
            name = self._cluster_name or "<cluster>"
            return KubeError(
                f"The API server {self.host} does not accept the token",
                f"the IAM principal {who} has no access entry in the cluster {name}, or the token is older than "
                "15 minutes or made for another cluster",
                f"Give it access: aws eks create-access-entry --cluster-name {name} --principal-arn {who} "
                "--type STANDARD, and aws eks associate-access-policy",
                401,
            )
        if answer.status == 403:
            return KubeError(
                f"The API server refuses {method} {path}",
                said or "the cluster's RBAC does not allow it",
                "Allow the verb on the resource in a Role or ClusterRole, or give the access entry a policy with it",
                403,
            )
        return KubeError(
            f"The API server answers {method} {path} with {answer.status}", said, "See the API server", answer.status
        )


def answer_or_error(read: t.Callable[[], t.Any]) -> t.Any:
    """What the read returns, or its ``KubeError``: of reads side by side one does not hide the others."""
    try:
        return read()
    except KubeError as e:
        return e


def principal_of(arn: str) -> str:
    """The IAM principal that an access entry has to name: of a session the role (its path is not in the session)."""
    found = re.fullmatch(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/.+", arn)
    return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else arn


def _ssl_context(
    ca_cert: str | None, cert_file: str | None, key_file: str | None, reqs: ssl.VerifyMode
) -> ssl.SSLContext:
    """What all connections share. The files are read here: were they given to urllib3, each connection would read them
    into it, several at a time, and OpenSSL may crash then (see ``_connection``)."""
    context = urllib3.util.create_urllib3_context(cert_reqs=reqs)
    # Python 3.13 asks more of certificates than the authorities of many clusters write (no Authority Key Identifier).
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    file = ca_cert
    try:
        if ca_cert:
            context.load_verify_locations(ca_cert)
        else:
            context.load_default_certs()
        if cert_file:
            file = cert_file
            context.load_cert_chain(cert_file, key_file)
    except OSError as e:  # ssl.SSLError is one
        write = "Give a file with certificates in PEM (ca_cert), or correct the kubeconfig"
        raise KubeError(f"The file {file} cannot be used", str(e), write) from e
    return context


def _pool(host: str, options: dict[str, t.Any]) -> t.Any:
    """Connections to the host, through the environment's proxy where it names one for it."""
    parts = urllib.parse.urlsplit(host)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)
