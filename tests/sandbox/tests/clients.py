# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox with boto3 and Kubernetes clients, for tests."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
import kubernetes.client as k8s
from botocore.config import Config
from sandbox.client import Sandbox


class ClientSandbox(Sandbox):
    """A sandbox that hands out clients."""

    _sessions: dict[str, boto3.Session]

    @property
    def endpoint_url(self) -> str:
        """Where AWS is."""
        return self.state["endpoint_url"]

    @property
    def ca_bundle(self) -> str:
        """What AWS' certificate is verified with."""
        return self.state["ca_bundle"]

    def session(self, profile: str) -> boto3.Session:
        """A boto3 session with a profile of the sandbox, as a user's configuration gives it."""
        sessions = self.__dict__.setdefault("_sessions", {})
        if profile not in sessions:
            core = botocore.session.Session(profile=profile)
            core.set_config_variable("config_file", self.state["aws_config_file"])
            core.set_config_variable("credentials_file", os.devnull)
            sessions[profile] = boto3.Session(botocore_session=core)
        return sessions[profile]

    def client(self, service: str, account_or_profile: str, region: str = "us-east-1", **options: Any) -> Any:
        """A boto3 client: as root of a 12-digit account, or with a profile (payer, cluster: the operator roles)."""
        if account_or_profile.isdigit():
            keys = {"aws_access_key_id": account_or_profile, "aws_secret_access_key": "test"}
            return self.client_with(service, keys, region, **options)
        return self.session(account_or_profile).client(service, region_name=region, config=_config(options))

    def client_with(self, service: str, keys: dict[str, str], region: str = "us-east-1", **options: Any) -> Any:
        """A boto3 client with these keys (aws_access_key_id, ...)."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            verify=self.ca_bundle,
            config=_config(options),
            **keys,
        )

    def kubernetes(self, token: str | None = None, cluster: str = "demo") -> k8s.ApiClient:
        """A client of a cluster, with a token or as the sandbox' administrator."""
        state = self.state["clusters"][cluster]
        configuration = k8s.Configuration()
        configuration.host = state["endpoint"]
        configuration.ssl_ca_cert = state["ca_file"]
        configuration.api_key = {"authorization": f"Bearer {token or state['admin_token']}"}
        return k8s.ApiClient(configuration)


def _config(options: dict[str, Any]) -> Config:
    retries = {"max_attempts": options.pop("retries", 0)}
    return Config(retries=retries, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=30, **options)


def eks_token(sts: Any, cluster: str, expires: int = 60) -> str:
    """A token for a cluster as `aws eks get-token` makes it, from an STS client."""

    def add_header(request: Any, **_: Any) -> None:
        request.headers["x-k8s-aws-id"] = cluster

    sts.meta.events.register("before-sign.sts.GetCallerIdentity", add_header, unique_id="eks-token")
    try:
        url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=expires, HttpMethod="GET")
    finally:
        sts.meta.events.unregister("before-sign.sts.GetCallerIdentity", unique_id="eks-token")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def until(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Poll until the condition holds and return its value; fail the test when it does not come true."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s: {what}"
        time.sleep(0.1)


def new_namespace(core: k8s.CoreV1Api, prefix: str) -> str:
    """Name of a new namespace, which the controller manager has given its ServiceAccount ``default``."""
    name = core.create_namespace({"metadata": {"generateName": f"{prefix}-"}}).metadata.name
    until(lambda: core.list_namespaced_service_account(name).items, f"the ServiceAccount default of {name}")
    return name
