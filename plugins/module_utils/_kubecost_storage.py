# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pods of a Kubecost open the bucket of its object storage, and as whom. Pure functions, no call.

Generation 1 keeps Prometheus' blocks there, by Thanos; 2 and 3 keep Kubecost's own data there (federated storage). A
primary reads what all clusters write, an agent only writes. Sources: the charts' own templates, see ``kubecost_chart``,
their subcharts prometheus, thanos and finops-agent.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ._identifiers import refuse
from ._kubecost_names import Values, aggregator_method, cut, full_name, value_at
from ._kubernetes_names import check_kubernetes_name

PRIMARY, AGENT = PARTS = ("primary", "agent")

# Generation -> name of the file in the Secret. The charts 1 and 2 know no other one; in 3 it is a value.
FILE_NAMES = {"1": "object-store.yaml", "2": "federated-store.yaml", "3": "federated-store.yaml"}
# All generations mount this key of the Secret with the product key (kubecostProductConfigs.productKey.secretname).
PRODUCT_KEY_FILE = "productkey.json"

KEYS = ("secret", "key", "part", "product_key_secret", "service_account", "checksum")

# Parts of Thanos that open the bucket; query and query-frontend do not.
THANOS_READERS = ("store", "compact", "bucket")
# The container beside Prometheus that writes its blocks. The name is that of the vendor's example.
SIDECAR = "thanos-sidecar"

_OWN_ACCOUNTS = {"2": "kubecostAggregator.serviceAccountName", "3": "aggregator.serviceAccountName"}


@dataclasses.dataclass(frozen=True)
class Accounts:
    """ServiceAccounts of the chart itself.

    :ivar main: name of the chart's own
    :ivar made: whether the chart makes it
    :ivar reader: name of that which reads billing data
    :ivar agent: name of that of the finops agent (3)
    """

    main: str
    made: bool
    reader: str
    agent: str = ""


def check(store: t.Any, generation: str) -> None:
    """Refuse a mapping ``object_store`` that is wrong. Which of its keys are needed, the caller knows.

    :raises AnsibleAWSError: names the key, and what to write
    """
    if not isinstance(store, t.Mapping):
        refuse("object_store", store, "is not a mapping", f"Write a mapping with the keys {', '.join(KEYS)}")
    for name in store:
        if name not in KEYS:
            refuse("object_store", name, "is not a key of it", f"The keys are: {', '.join(KEYS)}")
    for name, kind in (("secret", "Secret"), ("product_key_secret", "Secret"), ("service_account", "ServiceAccount")):
        if store.get(name):
            check_kubernetes_name(f"object_store.{name}", store[name], kind)
    if (store.get("part") or PRIMARY) not in PARTS:
        refuse("object_store.part", store["part"], "is no part of a cluster", f"Write one of: {', '.join(PARTS)}")
    key, only = store.get("key") or FILE_NAMES[generation], FILE_NAMES[generation]
    if generation != "3" and key != only:
        problem = f"is not read by Kubecost {generation}, which knows the name {only} only"
        refuse("object_store.key", key, problem, "Leave it out, and give the Secret a key of that name")
    if not isinstance(key, str) or not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key):
        refuse("object_store.key", key, "is not a key of a Secret", f"Write the name of a file, such as {only}")
    if store.get("service_account") and generation != "1":
        refuse(
            "object_store.service_account",
            store["service_account"],
            f"has no place in generation {generation}",
            "Only Thanos has one of its own; write service_account, and finops_agent_service_account for Kubecost 3",
        )


def part_of(generation: str, values: Values) -> str:
    """The part that these values give the cluster."""
    if generation == "1":
        agent = value_at(values, "global.thanos.enabled") is False
    elif generation == "2":
        agent = aggregator_method(values) == "disabled"
    else:
        agent = value_at(values, "aggregator.enabled") is False
    return AGENT if agent else PRIMARY


def shape(generation: str, part: str, integrated: bool = True) -> dict[str, t.Any]:
    """Values without which the cluster has not this part.

    :param integrated: whether there is a cloud integration. Without one chart 2 fails unless its reader is off; chart 3
        has a reader that is set up in the UI then
    """
    on, off = {"enabled": True}, {"enabled": False}
    if generation == "1":
        prometheus = {"global": {"prometheus": on}, "prometheus": {"server": on}}
        if part == AGENT:
            # Without this, Kubecost would ask a Thanos that is not there. The sidecar does not depend on it.
            return {**prometheus, "global": {"prometheus": on, "thanos": off}}
        return {**prometheus, "global": {"prometheus": on, "thanos": on}, "thanos": {"store": on, "query": on}}
    if generation == "2":
        aggregator: dict[str, t.Any] = {"deployMethod": "disabled" if part == AGENT else "statefulset"}
        if part == PRIMARY and not integrated:
            aggregator["cloudCost"] = off
        return {
            "federatedETL": {"federatedCluster": True, "agentOnly": part == AGENT},
            "kubecostAggregator": aggregator,
        }
    if part == PRIMARY:
        return {"aggregator": on, "localStore": off}
    no_pods = dict.fromkeys(("aggregator", "frontend", "cloudCost", "forecasting", "localStore"), off)
    return {**no_pods, "finopsagent": on}


def defaults(generation: str, part: str) -> dict[str, t.Any]:
    """Values that belong to this part unless the user says otherwise: one compactor per bucket is enough."""
    if generation == "1":
        values: dict[str, t.Any] = {"prometheus": {"server": {"retention": "2w"}}}
        if part == PRIMARY:
            values["thanos"] = {name: {"enabled": True} for name in ("queryFrontend", "compact", "bucket")}
        return values
    return {"finopsagent": {"enabled": True}} if (generation, part) == ("3", PRIMARY) else {}


def account_values(name: str, part: str) -> dict[str, t.Any]:
    """Values that give one ServiceAccount to all pods of generation 1 that open the bucket."""
    values: dict[str, t.Any] = {"prometheus": {"serviceAccounts": {"server": {"create": False, "name": name}}}}
    if part == PRIMARY:
        values["thanos"] = {reader: {"serviceAccount": name} for reader in THANOS_READERS}
    return values


def misleading(generation: str, part: str, values: Values) -> str:
    """Dotted key of a value that gives a cluster of generation 2 another part, whatever its other values say."""
    names = ("federatedETL.primaryCluster",) if part == AGENT else ("agent", "cloudAgent")
    return next((name for name in names if generation == "2" and value_at(values, name)), "")


def openers(generation: str, release: str, values: Values, accounts: Accounts, main: str) -> list[dict[str, str]]:
    """The workloads whose pods open the bucket, each with its ServiceAccount and who makes that.

    :param values: with the shape of the part in them
    :param main: name of the chart's main Deployment (1, 2)
    """
    if generation == "1":
        return _thanos(release, values)
    own = _who("chart" if accounts.made else "", accounts.main)
    aggregator = own
    named = value_at(values, _OWN_ACCOUNTS[generation])
    if named and named != accounts.main:
        aggregator = _who("", str(named))
    # The charts make a reader's account of another name when they make their own.
    reader = _who("chart" if accounts.made else "", accounts.reader)
    found = []
    if generation == "2":
        found.append(_workload("Deployment", main, "cost-model", own))
        separate = aggregator_method(values) == "statefulset"
        reads = separate and value_at(values, "kubecostAggregator.cloudCost.enabled") is not False
    else:
        separate = value_at(values, "aggregator.enabled") is not False
        reads = value_at(values, "cloudCost.enabled") is not False
    if separate:
        found.append(_workload("StatefulSet", cut(f"{release}-aggregator"), "aggregator", aggregator))
    if reads:
        found.append(_workload("Deployment", cut(f"{release}-cloud-cost"), "cloud-cost", reader))
    return found if generation == "2" else found + _agents(release, values, accounts)


def service_accounts(workloads: t.Iterable[t.Mapping[str, str]], namespace: str) -> list[dict[str, str]]:
    """The ServiceAccounts of these workloads, each once, with the subject that a role has to trust."""
    found: dict[str, dict[str, str]] = {}
    for each in workloads:
        name = each["service_account"]
        subject = f"system:serviceaccount:{namespace}:{name}"
        found.setdefault(name, {"name": name, "subject": subject, "created_by": each["created_by"]})
    return list(found.values())


def _thanos(release: str, values: Values) -> list[dict[str, str]]:
    prometheus = value_at(values, "prometheus") or {}
    server = _server_name(release, prometheus)
    name = value_at(prometheus, "serviceAccounts.server.name")
    made = value_at(prometheus, "serviceAccounts.server.create") is not False
    account = _who("chart" if made else "", str(name or (server if made else "default")))
    # As a StatefulSet only when the user wants it so.
    kind = "StatefulSet" if value_at(prometheus, "server.statefulSet.enabled") else "Deployment"
    found = [_workload(kind, server, SIDECAR, account)]
    if not value_at(values, "global.thanos.enabled"):
        return found
    thanos = value_at(values, "thanos") or {}
    base = full_name(release, "thanos", thanos)
    for part in THANOS_READERS:
        if value_at(thanos, f"{part}.enabled") is not False:
            # Cut so that the whole has 63 characters.
            name = f"{base[: 62 - len(part)].removesuffix('-')}-{part}"
            account = _who("", str(value_at(thanos, f"{part}.serviceAccount") or "default"))
            found.append(_workload("Deployment", name, f"thanos-{part}", account))
    return found


def _server_name(release: str, prometheus: Values) -> str:
    override = value_at(prometheus, "server.fullnameOverride")
    if override:
        return cut(str(override))
    name = str(value_at(prometheus, "nameOverride") or "prometheus")
    server = str(value_at(prometheus, "server.name") or "server")
    return cut(f"{release}-{server}" if name in release else f"{release}-{name}-{server}")


def _agents(release: str, values: Values, accounts: Accounts) -> list[dict[str, str]]:
    found = []
    if value_at(values, "finopsagent.enabled") is not False:
        made = value_at(values, "finopsagent.serviceAccount.create") is not False
        name = full_name(release, "finopsagent", value_at(values, "finopsagent") or {})
        found.append(_workload("Deployment", name, "finops-agent", _who("chart" if made else "", accounts.agent)))
    # It keeps the list of its actions in the bucket, unless it has one of its own.
    controller = value_at(values, "clusterController") or {}
    other_bucket = any(value_at(controller, name) for name in ("legacyMode", "storageConfig", "storageConfigSecret"))
    if value_at(controller, "enabled") is not False and not other_bucket:
        name = f"{release}-cluster-controller"
        made = value_at(controller, "serviceAccount.create") is not False
        found.append(_workload("Deployment", name, name, _who("chart" if made else "", name)))
    return found


def _who(made_by: str, name: str) -> dict[str, str]:
    # Each namespace has this one.
    made_by = "kubernetes" if name == "default" and not made_by else made_by or "other"
    return {"service_account": name, "created_by": made_by}


def _workload(kind: str, name: str, container: str, account: dict[str, str]) -> dict[str, str]:
    return {"api_version": "apps/v1", "kind": kind, "name": name, "container": container, **account}
