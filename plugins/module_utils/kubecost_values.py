# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm values that wire Kubecost to AWS, by generation of the chart. Pure functions, no call.

The user's values are merged under ours. A value of the user that contradicts the wiring, that the chart refuses or
that it would pass over in silence is refused here, by its name.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from ansible.module_utils.common.dict_transformations import dict_merge

from . import _kubecost_labels as labels
from . import _kubecost_storage_values as storage
from ._identifiers import refuse
from ._kubernetes_names import check_kubernetes_name
from .kubecost_chart import (
    ADOPTED,
    CHECKSUM_ANNOTATION,
    CONFIGS_ANNOTATION,
    OBJECT_STORE_CHECKSUM_ANNOTATION,
    ONE_SOURCE,
    RELEASE_ANNOTATION,
    Generation,
    Values,
    brings_integration,
    finops_agent_account,
    fullname,
    generation_of,
    readers,
    value_at,
)

REQUIRED_KEYS = ("generation", "release", "cluster_id")
# Of the first two at least one is needed.
OPTIONAL_KEYS = (
    "cloud_integration_secret", "object_store", "service_account", "finops_agent_service_account", "cluster_name",
    "checksum", "adopted", "image_registry", "label_mapping", "user_values",
)  # fmt: skip
KNOWN_KEYS = REQUIRED_KEYS + OPTIONAL_KEYS
_ACCOUNT_KEYS = ("create", "name", "annotations")
_LEAVE_OUT = "Leave it out of your values, or change the input that it comes from"


def build(wiring: t.Any) -> dict[str, t.Any]:
    """All values of the chart: the user's with ours over them.

    :param wiring: mapping with the keys ``KNOWN_KEYS``, as the filter ``kubestrap.aws.kubecost_values`` documents them
    :raises AnsibleAWSError: the wiring is incomplete, or a value of the user cannot stand beside it
    """
    wiring = _checked(wiring)
    generation = generation_of("generation", wiring["generation"])
    user = wiring.get("user_values") or {}
    _refuse_unusable(generation, user, bool(wiring.get("cloud_integration_secret")))
    account = _account(wiring, user)
    ours = dict_merge(_ours(str(wiring["generation"]), wiring, account), _images(generation, wiring))
    ours = dict_merge(ours, labels.values("label_mapping", wiring.get("label_mapping"), str(wiring["generation"])))
    unless_given: dict[str, t.Any] = {}
    if wiring.get("object_store"):
        stored = storage.wired(
            wiring, user, _storage_marks(wiring), _accounts(wiring, user, account), _integrated(wiring, user)
        )
        ours, unless_given = dict_merge(ours, stored.ours), stored.unless_given
    _refuse_contradictions(ours, user)
    for dotted in generation.account_values:
        if value_at(user, dotted) not in (None, "", account["name"]):
            _contradiction(dotted, value_at(user, dotted), account["name"])
    if wiring.get("cloud_integration_secret"):
        _refuse_without_reader(wiring, user)
    values = dict_merge(dict_merge(unless_given, dict(user)), ours)
    if str(wiring["generation"]) == "1" and (wiring.get("checksum") or _storage_marks(wiring)):
        configs = json.dumps(values["kubecostProductConfigs"], sort_keys=True, default=str)
        digest = hashlib.sha256(configs.encode()).hexdigest()
        values = dict_merge(values, {"global": {"podAnnotations": {CONFIGS_ANNOTATION: digest}}})
    return values


def _checked(wiring: t.Any) -> t.Mapping[str, t.Any]:
    if not isinstance(wiring, t.Mapping):
        refuse("wiring", wiring, "is not a mapping", f"Write a mapping with the keys {', '.join(REQUIRED_KEYS)}")
    for name in wiring:
        if name not in KNOWN_KEYS:
            refuse("wiring", name, "is not a key of the wiring", f"The keys are: {', '.join(KNOWN_KEYS)}")
    for name in REQUIRED_KEYS:
        if wiring.get(name) in (None, ""):
            refuse(name, wiring.get(name, ""), "is missing", f"The wiring needs {', '.join(REQUIRED_KEYS)}")
    if not isinstance(wiring.get("user_values") or {}, t.Mapping):
        refuse("user_values", wiring["user_values"], "is not a mapping", "Write values as in the chart's values.yaml")
    check_kubernetes_name("release", wiring["release"], "Helm release")
    _check_purpose(wiring)
    for name in ("service_account", "finops_agent_service_account"):
        _check_account(name, wiring.get(name))
    if wiring.get("finops_agent_service_account") and str(wiring["generation"]) != "3":
        refuse(
            "finops_agent_service_account",
            wiring["finops_agent_service_account"],
            f"has no place in generation {wiring['generation']}",
            "Only Kubecost 3 has this agent; leave it out",
        )
    return wiring


def _check_purpose(wiring: t.Mapping[str, t.Any]) -> None:
    """A cluster is wired for billing data, for storage, or for both."""
    if wiring.get("object_store"):
        generation_of("generation", wiring["generation"])
        storage.check_wiring(wiring)
    if wiring.get("cloud_integration_secret"):
        check_kubernetes_name("cloud_integration_secret", wiring["cloud_integration_secret"], "Secret")
        return
    if not wiring.get("object_store"):
        refuse(
            "cloud_integration_secret",
            "",
            "is missing, and so is object_store",
            "Write cloud_integration_secret to have billing data read, object_store to keep data in a bucket, or both",
        )
    if wiring.get("checksum"):
        write = "Leave it out, or write it as object_store.checksum"
        refuse("checksum", wiring["checksum"], "is that of the cloud integration, and the wiring has none", write)


def _check_account(option: str, account: t.Any) -> None:
    if account is None:
        return
    if not isinstance(account, t.Mapping):
        refuse(option, account, "is not a mapping", f"Write a mapping with the keys {', '.join(_ACCOUNT_KEYS)}")
    for name in account:
        if name not in _ACCOUNT_KEYS:
            refuse(option, name, "is not a key of a ServiceAccount", f"The keys are: {', '.join(_ACCOUNT_KEYS)}")
    if account.get("name"):
        check_kubernetes_name(f"{option}.name", account["name"], "ServiceAccount")
    elif account.get("create") is False:
        refuse(f"{option}.name", "", "is missing", "Name the ServiceAccount, since the chart shall not make one")


def _account(wiring: t.Mapping[str, t.Any], user: Values) -> dict[str, t.Any]:
    """The ServiceAccount with its defaults. Its name is always written: the role's trust names it too."""
    given = wiring.get("service_account") or {}
    name = given.get("name")
    if not name:
        # Another ServiceAccount in the user's values is a contradiction, no default.
        name = fullname(str(wiring["generation"]), wiring["release"], user)
    return {"create": given.get("create", True), "name": name, "annotations": dict(given.get("annotations") or {})}


def _storage_marks(wiring: t.Mapping[str, t.Any]) -> dict[str, str]:
    checksum = (wiring.get("object_store") or {}).get("checksum")
    return {OBJECT_STORE_CHECKSUM_ANNOTATION: checksum} if checksum else {}


def _integrated(wiring: t.Mapping[str, t.Any], user: Values) -> bool:
    return bool(wiring.get("cloud_integration_secret")) or brings_integration(str(wiring["generation"]), user)


def _accounts(wiring: t.Mapping[str, t.Any], user: Values, main: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """The accounts of chart and agent. What writes the bucket is by default who reads it."""
    given = wiring.get("finops_agent_service_account") or {}
    agent = {"create": True, "annotations": dict(main["annotations"]), **given}
    agent["name"] = given.get("name") or finops_agent_account(wiring["release"], user)
    return {"main": main, "agent": agent}


def _ours(number: str, wiring: t.Mapping[str, t.Any], account: dict[str, t.Any]) -> dict[str, t.Any]:
    secret = wiring.get("cloud_integration_secret")
    cluster_id = wiring["cluster_id"]
    checksum = wiring.get("checksum")
    marks = {CHECKSUM_ANNOTATION: checksum} if checksum else {}
    if wiring.get("adopted"):
        marks[RELEASE_ANNOTATION] = ADOPTED
    everywhere = {"podAnnotations": marks} if marks else {}
    values: dict[str, t.Any] = {"serviceAccount": account}
    if number == "3":
        values["global"] = {"clusterId": cluster_id, **everywhere}
        if secret:
            values["cloudCost"] = {"enabled": True, "cloudIntegrationSecret": secret}
        agent = wiring.get("finops_agent_service_account")
        if agent:
            values["finopsagent"] = {"serviceAccount": {"create": True, **agent}}
        return values
    values["kubecostProductConfigs"] = {"clusterName": wiring.get("cluster_name") or cluster_id}
    if secret:
        values["kubecostProductConfigs"]["cloudIntegrationSecret"] = secret
    values["prometheus"] = {"server": {"global": {"external_labels": {"cluster_id": cluster_id}}}}
    if everywhere:
        values["global"] = everywhere
    return values


def _images(generation: Generation, wiring: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Values that name the registry of the images."""
    registry = wiring.get("image_registry")
    if not registry:
        return {}
    if not isinstance(registry, str) or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)*/?", registry):
        write = "Write its host and, where it has one, the path before the images: registry.example.com/mirror"
        refuse("image_registry", registry, "is not a registry of images", write)
    values: dict[str, t.Any] = {}
    for dotted, path in generation.images.items():
        outer, _dot, inner = dotted.partition(".")
        values[outer] = {inner: "/".join(filter(None, (registry.rstrip("/"), path)))}
    return values


def _refuse_unusable(generation: Generation, user: Values, integrated: bool) -> None:
    """Values with which the chart fails, which it does not read, or which would take our Secret's place."""
    chart = f"the chart {generation.chart} {generation.version.split('.', maxsplit=1)[0]}.x"
    unusable = [(dotted, f"is refused by {chart}", advice) for dotted, advice in generation.refused.items()]
    unusable += [(dotted, f"is not read by {chart}", advice) for dotted, advice in generation.ignored.items()]
    unusable += [
        (dotted, "is a second source of the cloud integration", ONE_SOURCE)
        for dotted in (*generation.rivals, *generation.beside)
        if integrated
    ]
    for dotted, problem, advice in unusable:
        if value_at(user, dotted):
            refuse(f"user_values.{dotted}", value_at(user, dotted), problem, advice)


def _refuse_without_reader(wiring: t.Mapping[str, t.Any], user: Values) -> None:
    """With some values no pod reads the cloud integration, and the wiring would be for nothing."""
    if not readers(str(wiring["generation"]), wiring["release"], user):
        refuse(
            "user_values",
            ", ".join(user),
            "turn off every pod that reads billing data",
            "Wire the cluster of the primary Kubecost, and leave cluster agents without the cloud integration",
        )


def _refuse_contradictions(ours: Values, user: Values, path: tuple[str, ...] = ()) -> None:
    for name, value in ours.items():
        theirs = user.get(name)
        # The charts treat an empty text as "not set", and values files often carry it. A list of ours has theirs in it.
        if theirs is None or theirs == "" or isinstance(value, list):
            continue
        here = (*path, name)
        if isinstance(value, t.Mapping) and isinstance(theirs, t.Mapping):
            _refuse_contradictions(value, theirs, here)
        elif value != theirs:
            _contradiction(dotted_key(here), theirs, value)


def _contradiction(dotted: str, theirs: t.Any, ours: t.Any) -> t.NoReturn:
    refuse(f"user_values.{dotted}", theirs, f"contradicts the wiring, which needs '{ours}'", _LEAVE_OUT)


def dotted_key(path: tuple[str, ...]) -> str:
    """A path as Helm's --set writes it: dots inside a key are escaped."""
    return ".".join(part.replace(".", "\\.") for part in path)
