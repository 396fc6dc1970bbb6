# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines of a control plane's programs, and the files these read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import kwok

LOOPBACK = "127.0.0.1"
ADMIN = "sandbox-admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"


@dataclass(frozen=True)
class Plan:
    """Where a control plane lives: its directory, programs, ports, issuer and token webhook."""

    directory: Path
    programs: Path
    issuer: str
    etcd_port: int
    etcd_peer_port: int
    api_port: int
    kubelet_port: int

    @property
    def endpoint(self) -> str:
        """The API server's address."""
        return f"https://{LOOPBACK}:{self.api_port}"

    def file(self, name: str) -> str:
        """The path of a file of this control plane."""
        return str(self.directory / name)


def kubeconfig(endpoint: str, ca_file: str, token: str) -> dict[str, Any]:
    """A kubeconfig for one user with a token."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": {"server": endpoint, "certificate-authority": ca_file}}],
        "users": [{"name": "sandbox", "user": {"token": token} if token else {}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
        "current-context": "sandbox",
    }


def audit_policy() -> dict[str, Any]:
    """Record who asked for what, except for the control plane's own calls: so tests can see what was (not) written."""
    system = {"level": "None", "users": ["system:apiserver", ADMIN, CONTROLLER_MANAGER, SCHEDULER]}
    accounts = {"level": "None", "userGroups": ["system:serviceaccounts:kube-system", "system:unauthenticated"]}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": [system, accounts, {"level": "Metadata"}],
    }


def etcd(plan: Plan) -> list[str]:
    """etcd, without the fsyncs that a throw-away store has no use for."""
    client, peer = f"http://{LOOPBACK}:{plan.etcd_port}", f"http://{LOOPBACK}:{plan.etcd_peer_port}"
    return [
        str(plan.programs / "etcd"),
        "--name=sandbox",
        f"--data-dir={plan.file('etcd')}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sandbox={peer}",
        "--log-level=warn",
    ]


def api_server(plan: Plan) -> list[str]:
    """The API server, set up as EKS sets it up where a client can tell."""
    return [
        str(plan.programs / "kube-apiserver"),
        f"--etcd-servers=http://{LOOPBACK}:{plan.etcd_port}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={plan.api_port}",
        f"--advertise-address={LOOPBACK}",
        "--endpoint-reconciler-type=none",  # a loopback address may not be an endpoint of a Service
        f"--cert-dir={plan.file('certificates')}",
        f"--tls-cert-file={plan.file('tls.crt')}",
        f"--tls-private-key-file={plan.file('tls.key')}",
        f"--service-account-issuer={plan.issuer}",
        f"--service-account-jwks-uri={plan.issuer}/keys",
        f"--service-account-key-file={plan.file('sa.pub')}",
        f"--service-account-signing-key-file={plan.file('sa.key')}",
        "--api-audiences=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        f"--token-auth-file={plan.file('tokens.csv')}",
        f"--authentication-token-webhook-config-file={plan.file('token-webhook.json')}",
        "--authentication-token-webhook-version=v1",
        # The webhook is asked again soon (10 s of another cache, of good tokens, stay): access can be withdrawn.
        "--authentication-token-webhook-cache-ttl=0s",
        "--service-cluster-ip-range=10.100.0.0/16",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={plan.file('audit-policy.json')}",
        f"--audit-log-path={plan.file('audit.jsonl')}",
        "--profiling=false",
    ]


def controller_manager(plan: Plan) -> list[str]:
    """The controller manager."""
    return [
        str(plan.programs / "kube-controller-manager"),
        f"--kubeconfig={plan.file('controller-manager.kubeconfig')}",
        f"--service-account-private-key-file={plan.file('sa.key')}",
        f"--root-ca-file={plan.file('ca.crt')}",
        "--use-service-account-credentials",
        "--kube-api-qps=500",  # the default of 20 makes it start in 5 s instead of one
        "--kube-api-burst=1000",
        # On a busy machine a heartbeat can be late. The node would be marked unready, and its pods with it; a kubelet
        # makes them ready again, kwok does not.
        "--node-monitor-grace-period=24h",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]


def scheduler(plan: Plan) -> list[str]:
    """The scheduler."""
    return [
        str(plan.programs / "kube-scheduler"),
        f"--kubeconfig={plan.file('scheduler.kubeconfig')}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]


def kubelet(plan: Plan) -> list[str]:
    """kwok: all nodes' kubelet, with the kubelet's own API on a port of the loopback."""
    return [
        str(plan.programs / "kwok"),
        f"--kubeconfig={plan.file('admin.kubeconfig')}",
        f"--config={plan.file('kwok.yaml')}",
        f"--enable-crds={','.join(kwok.LIVE_KINDS)}",
        "--manage-all-nodes=true",
        f"--node-ip={LOOPBACK}",
        f"--node-port={plan.kubelet_port}",
        f"--server-address={LOOPBACK}:{plan.kubelet_port}",
        f"--tls-cert-file={plan.file('tls.crt')}",
        f"--tls-private-key-file={plan.file('tls.key')}",
    ]


def write_files(plan: Plan, tokens: dict[str, str], webhook_url: str, gateway_ca: Path) -> None:
    """Write what the programs read: tokens (user -> token), kubeconfigs, webhook and audit configuration, kwok's."""
    lines = [f"{token},{user},{user}" + (",system:masters" if user == ADMIN else "") for user, token in tokens.items()]
    documents = {
        "admin.kubeconfig": kubeconfig(plan.endpoint, plan.file("ca.crt"), tokens[ADMIN]),
        "controller-manager.kubeconfig": kubeconfig(plan.endpoint, plan.file("ca.crt"), tokens[CONTROLLER_MANAGER]),
        "scheduler.kubeconfig": kubeconfig(plan.endpoint, plan.file("ca.crt"), tokens[SCHEDULER]),
        "token-webhook.json": kubeconfig(webhook_url, str(gateway_ca), ""),
        "audit-policy.json": audit_policy(),
    }
    texts = {name: json.dumps(document) for name, document in documents.items()}
    texts["tokens.csv"] = "\n".join(lines) + "\n"
    for name, text in texts.items():
        path = plan.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
    kwok.write_configuration(plan.directory)
