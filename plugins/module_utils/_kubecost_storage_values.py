# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm values that wire Kubecost to the bucket of its object storage, by generation. Pure functions, no call.

``kubecost_values`` merges them with the user's. What decides which pods run is in ``_kubecost_storage``.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.dict_transformations import dict_merge

from ._identifiers import refuse
from ._kubecost_names import Values, value_at
from ._kubecost_storage import (
    AGENT,
    FILE_NAMES,
    PRIMARY,
    SIDECAR,
    THANOS_READERS,
    account_values,
    check,
    defaults,
    misleading,
    shape,
)

# Values of the same purpose as our Secrets, beside which a chart fails (2) or which it passes over in silence (3).
_ONE_SECRET = "Leave it out: the file is in the Secret that this collection writes"
_SECOND_SOURCES = {
    "1": {},
    "2": {"kubecostModel.federatedStorageConfig": _ONE_SECRET},
    "3": {
        "global.federatedStorage.config": _ONE_SECRET,
        "finopsagent.federatedStorage.config": _ONE_SECRET,
    },
}
_ONE_KEY = "Leave it out: the product key is in the Secret that object_store.product_key_secret names"
_PRODUCT_KEY = "kubecostProductConfigs.productKey"
# The pods would have an account that no role trusts.
_OTHER_ACCOUNTS = {"1": (), "2": ("kubecostAggregator.serviceAccountName",), "3": ("aggregator.serviceAccountName",)}

_VOLUME, _FOLDER = "object-store-volume", "/etc/config"
_FILE = f"{_FOLDER}/{FILE_NAMES['1']}"
_IMAGE, _TAG = "thanosio/thanos", "v0.32.5"
# Prometheus must not compact blocks of which the sidecar uploads copies.
_BLOCKS = {"storage.tsdb.min-block-duration": "2h", "storage.tsdb.max-block-duration": "2h"}
_SIDECAR_ARGS = (
    "sidecar",
    "--tsdb.path=/data/",
    "--prometheus.url=http://127.0.0.1:9090",
    f"--objstore.config-file={_FILE}",
    "--min-time=-3h",
)


class Wired(t.NamedTuple):
    """Values of the object storage.

    :ivar ours: those that must be so
    :ivar unless_given: those that are so unless the user says otherwise
    """

    ours: dict[str, t.Any]
    unless_given: dict[str, t.Any]


def wired(
    wiring: t.Mapping[str, t.Any],
    user: Values,
    marks: dict[str, str],
    accounts: t.Mapping[str, t.Mapping[str, t.Any]],
    integrated: bool,
) -> Wired:
    """The values for ``object_store`` of a wiring that ``check_wiring`` has let through.

    :param marks: annotations for the pods that open the bucket
    :param accounts: the ServiceAccounts ``main`` and ``agent`` (3) with ``create``, ``name`` and ``annotations``
    :param integrated: whether there is a cloud integration, ours or the user's
    :raises AnsibleAWSError: a value of the user is a second source, or gives the pods another part or account
    """
    generation, store = str(wiring["generation"]), wiring["object_store"]
    part = store.get("part") or PRIMARY
    _refuse_second_sources(generation, user, bool(store.get("product_key_secret")))
    _refuse_another_part(generation, part, user)
    for dotted in _OTHER_ACCOUNTS[generation]:
        if value_at(user, dotted) not in (None, "", accounts["main"]["name"]):
            refuse(
                f"user_values.{dotted}",
                value_at(user, dotted),
                f"contradicts the wiring, which needs '{accounts['main']['name']}'",
                "Leave it out: all pods of the chart that open the bucket have one ServiceAccount",
            )
    ours = shape(generation, part, integrated)
    if generation == "1":
        ours = dict_merge(ours, _thanos(store, part, user, marks))
    elif generation == "2":
        ours = dict_merge(ours, {"kubecostModel": {"federatedStorageConfigSecret": store["secret"]}, **_global(marks)})
    else:
        ours = dict_merge(ours, _generation_3(store, user, marks, accounts))
    return Wired(dict_merge(ours, _product_key(generation, store)), defaults(generation, part))


def check_wiring(wiring: t.Mapping[str, t.Any]) -> None:
    """Whether the wiring's ``object_store`` is complete, and can stand beside its cloud integration.

    :raises AnsibleAWSError: it cannot
    """
    store, generation = wiring["object_store"], str(wiring["generation"])
    check(store, generation)
    if not store.get("secret"):
        refuse("object_store.secret", "", "is missing", "Name the Secret that holds the file")
    if store.get("part") == AGENT and wiring.get("cloud_integration_secret"):
        refuse(
            "cloud_integration_secret",
            wiring["cloud_integration_secret"],
            "has no place beside object_store.part: agent",
            "The cluster of an agent reads no billing data; leave one of the two out",
        )


def _refuse_second_sources(generation: str, user: Values, product_key: bool) -> None:
    second = [(key, "is a second source of the object store's file", advice)
              for key, advice in _SECOND_SOURCES[generation].items()]  # fmt: skip
    if product_key:
        second += [(f"{_PRODUCT_KEY}.{name}", "is a second product key", _ONE_KEY) for name in ("key", "mountPath")]
    for dotted, problem, advice in second:
        if value_at(user, dotted):
            # It may hold an access key, or be the product key.
            refuse(f"user_values.{dotted}", "...", problem, advice)


def _refuse_another_part(generation: str, part: str, user: Values) -> None:
    dotted = misleading(generation, part, user)
    if dotted:
        write = "Leave it out, or change object_store.part"
        refuse(f"user_values.{dotted}", value_at(user, dotted), f"makes the cluster no {part}", write)


def _global(marks: dict[str, str]) -> dict[str, t.Any]:
    return {"global": {"podAnnotations": marks}} if marks else {}


def _product_key(generation: str, store: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    secret = store.get("product_key_secret")
    if not secret:
        return {}
    values: dict[str, t.Any] = {"kubecostProductConfigs": {"productKey": {"enabled": True, "secretname": secret}}}
    # Charts 3 of before August 2026 end with an error without it.
    return {**values, "global": {"acknowledged": True}} if generation == "3" else values


def _generation_3(
    store: t.Mapping[str, t.Any],
    user: Values,
    marks: dict[str, str],
    accounts: t.Mapping[str, t.Mapping[str, t.Any]],
) -> dict[str, t.Any]:
    file_name = store.get("key") or FILE_NAMES["3"]
    values = dict_merge(
        _global(marks), {"global": {"federatedStorage": {"existingSecret": store["secret"], "fileName": file_name}}}
    )
    values["finopsagent"] = {"serviceAccount": dict(accounts["agent"])}
    if marks:
        values["finopsagent"]["podAnnotations"] = marks
    annotations = accounts["main"]["annotations"]
    if annotations and value_at(user, "clusterController.enabled") is not False:
        # It takes those of the chart's account only as long as it has none of its own.
        values["clusterController"] = {"serviceAccount": {"annotations": dict(annotations)}}
    return t.cast("dict[str, t.Any]", values)


def _thanos(store: t.Mapping[str, t.Any], part: str, user: Values, marks: dict[str, str]) -> dict[str, t.Any]:
    """Generation 1: the sidecar of Prometheus, and for a primary the parts of Thanos."""
    server: dict[str, t.Any] = {
        "extraArgs": dict(_BLOCKS),
        "extraVolumes": _with_ours(
            "prometheus.server.extraVolumes", user, {"name": _VOLUME, "secret": {"secretName": store["secret"]}}
        ),
        "sidecarContainers": _with_sidecar(user),
    }
    if marks:
        server["podAnnotations"] = marks
    values: dict[str, t.Any] = {"prometheus": {"server": server}}
    if part == PRIMARY:
        thanos: dict[str, t.Any] = {"storeSecretName": store["secret"]}
        if marks:
            thanos.update({reader: {"annotations": marks} for reader in THANOS_READERS})
        values["thanos"] = thanos
    if store.get("service_account"):
        values = dict_merge(values, account_values(store["service_account"], part))
    return values


def _entries(dotted: str, user: Values) -> list[t.Any]:
    """The user's list: Helm replaces lists as a whole, so that ours has to have theirs in it."""
    theirs = value_at(user, dotted)
    if theirs in (None, ""):
        return []
    if not isinstance(theirs, list):
        refuse(f"user_values.{dotted}", theirs, "is not a list", "Write a list, as in the chart's values.yaml")
    return theirs


def _with_ours(dotted: str, user: Values, ours: dict[str, t.Any]) -> list[t.Any]:
    """The user's list with our entry, which stays where it is when it is there already."""
    theirs = _entries(dotted, user)
    same_name = [each for each in theirs if isinstance(each, t.Mapping) and each.get("name") == ours["name"]]
    for each in same_name:
        if dict(each) != ours:
            _contradiction(dotted, each, ours)
    return list(theirs) if same_name else [*theirs, ours]


def _with_sidecar(user: Values) -> list[t.Any]:
    """The user's containers beside Prometheus with our sidecar, which may be theirs with settings of its own."""
    dotted = "prometheus.server.sidecarContainers"
    theirs = _entries(dotted, user)
    if not any(_is_sidecar(each) for each in theirs):
        return [*theirs, _sidecar(user, {})]
    return [_sidecar(user, each) if _is_sidecar(each) else each for each in theirs]


def _is_sidecar(container: t.Any) -> bool:
    return isinstance(container, t.Mapping) and container.get("name") == SIDECAR


def _sidecar(user: Values, theirs: Values) -> dict[str, t.Any]:
    repository = value_at(user, "thanos.image.repository") or _IMAGE
    ours: dict[str, t.Any] = {
        "name": SIDECAR,
        # Where the user has Thanos from another registry, this one comes from there too.
        "image": f"{repository}:{value_at(user, 'thanos.image.tag') or _TAG}",
        "args": list(_SIDECAR_ARGS),
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [
            {"name": "http", "containerPort": 10902},
            {"name": "grpc", "containerPort": 10901},
        ],
        "volumeMounts": [
            {"name": "config-volume", "mountPath": "/etc/prometheus"},
            {"name": "storage-volume", "mountPath": "/data", "subPath": ""},
            {"name": _VOLUME, "mountPath": _FOLDER},
        ],
    }
    made = {**ours, **theirs}
    place = f"prometheus.server.sidecarContainers.{SIDECAR}"
    for needed in (_SIDECAR_ARGS[0], _SIDECAR_ARGS[3]):
        if needed not in (made["args"] or []):
            _contradiction(f"{place}.args", made["args"], needed)
    if ours["volumeMounts"][2] not in (made["volumeMounts"] or []):
        _contradiction(f"{place}.volumeMounts", made["volumeMounts"], ours["volumeMounts"][2])
    return made


def _contradiction(dotted: str, theirs: t.Any, ours: t.Any) -> t.NoReturn:
    write = "Leave it out of your values, or write it so"
    refuse(f"user_values.{dotted}", theirs, f"contradicts the wiring, which needs '{ours}'", write)
