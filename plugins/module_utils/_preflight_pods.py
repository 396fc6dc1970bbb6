# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ServiceAccounts the pods of Kubecost run with, where Argo CD or Flux installs it and Helm has no record.

After an upgrade of a generation the old ServiceAccount has to lose its place in the role's trust, and no earlier than
its last pod is gone: what runs tells that, whoever installed it.
"""

from __future__ import annotations

import json
import typing as t

from ._kube_api import KubeApi
from .kubecost_chart import GENERATIONS, fullname, service_account_name

_OVER = ("Succeeded", "Failed")

Pod = t.Mapping[str, t.Any]


def look_at_pods(api: KubeApi, wanted: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    """The ServiceAccounts that pods run with, and those that no pod runs with any more (one request).

    :param wanted: the option ``release`` of M(kubestrap.aws.preflight_info), with its ``wiring``
    :raises KubeError: no answer, or refused
    """
    listed = api.get("api", "v1", "namespaces", wanted["namespace"], "pods") or {}
    return accounts_of(listed.get("items") or [], wanted["generation"], wanted["name"], json.loads(wanted["wiring"]))


def accounts_of(
    pods: t.Iterable[Pod], generation: str, release: str, wiring: t.Mapping[str, t.Any]
) -> dict[str, list[str]]:
    """The same of pods as the API server returns them; pure.

    :returns: ``service_accounts`` (of another generation, with which pods run still; those that are on their way out
        count too) and ``former_service_accounts`` (of another generation, with which no pod runs, once a pod of the one
        that is wanted is ready)
    """
    values = wiring.get("user_values") or {}
    account = (wiring.get("service_account") or {}).get("name") or service_account_name(generation, release, values)
    others = {fullname(number, release, values) for number in GENERATIONS} - {account}
    living = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in _OVER]
    running = {pod["spec"].get("serviceAccountName", "default") for pod in living}
    arrived = any(_ready(pod) for pod in living if pod["spec"].get("serviceAccountName") == account)
    return {
        "service_accounts": sorted(others & running),
        "former_service_accounts": sorted(others - running) if arrived else [],
    }


def _ready(pod: Pod) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
