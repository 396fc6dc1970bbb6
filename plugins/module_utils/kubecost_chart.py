# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Kubecost's Helm charts make of a release, by generation. Pure functions, no call.

Sources: the charts' own templates and helpers (cost-analyzer 1.108.1 and 2.8.7, kubecost 3.2): names of objects,
labels of pods, value keys, and the conditions under which a chart ends with ``fail``.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.common.dict_transformations import dict_merge

from . import _kubecost_labels as labels
from . import _kubecost_storage as storage
from ._identifiers import refuse
from ._kubecost_names import Values, aggregator_method, cut, full_name, value_at
from ._kubernetes_names import check_kubernetes_name

# Key of the Secret that holds the cloud integration; the charts mount no other.
SECRET_KEY = "cloud-integration.json"

RELEASE_KEYS = ("generation", "release", "namespace", "values", "object_store", "cloud_integration")

# Pods do not see a changed Secret: chart 3 mounts a sub-path, and no chart watches a Secret that it did not make. All
# generations put the values of global.podAnnotations on their pods, so a checksum there rolls them.
CHECKSUM_ANNOTATION = "kubestrap.aws/cloud-integration-checksum"
# The same for the Secret and the identity of object storage, on the pods that open the bucket. The subcharts
# prometheus, thanos and finops-agent do not read global.podAnnotations: they have keys of their own.
OBJECT_STORE_CHECKSUM_ANNOTATION = "kubestrap.aws/object-store-checksum"
# Beside it, of a release that was there before this collection first changed it: such a one is never uninstalled.
RELEASE_ANNOTATION, ADOPTED = "kubestrap.aws/release", "adopted"
# The charts from 2 on roll their pods by themselves when a ConfigMap that they make from these values changes.
CONFIGS_ANNOTATION = "kubestrap.aws/product-configs-checksum"

_PRODUCT_CONFIGS = "kubecostProductConfigs"
_ATHENA_KEYS = (
    "athenaProjectID", "athenaBucketName", "athenaRegion", "athenaDatabase", "athenaCatalog", "athenaTable",
    "athenaWorkgroup", "masterPayerARN",
)  # fmt: skip
ONE_SOURCE = "Leave it out: the cloud integration is in the Secret that this collection writes"
_REMOVE = "Leave it out"


@dataclasses.dataclass(frozen=True)
class Generation:
    """One generation of the charts.

    :ivar chart: the chart's name
    :ivar repo_url: the vendor's repository
    :ivar version: version of the chart that the collection was made for
    :ivar form: form of the cloud integration, see ``cloud_integration.FORMS``
    :ivar secret_value: dotted value key that names the Secret with the cloud integration
    :ivar images: dotted value keys that name an image or a registry -> path below the registry
    :ivar beside: values of the same purpose as our Secret that the chart takes beside it without a word, to no good
    :ivar refused: dotted value key -> what to write; the chart ends with an error when the value is set
    :ivar rivals: values that bring a cloud integration of their own: beside our Secret the chart ends with an error
        (1, 2), or writes theirs into it (3)
    :ivar ignored: dotted value key -> what to write; the chart passes over the value in silence
    :ivar account_values: dotted value keys that give the reading pods another ServiceAccount than the chart's own
    """

    chart: str
    repo_url: str
    version: str
    form: str
    secret_value: str
    rivals: tuple[str, ...]
    images: t.Mapping[str, str]
    beside: tuple[str, ...] = ()
    refused: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    ignored: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    account_values: tuple[str, ...] = ()


_COST_ANALYZER_REPO = "https://kubecost.github.io/cost-analyzer/"
_RIVALS = (f"{_PRODUCT_CONFIGS}.cloudIntegrationJSON", f"{_PRODUCT_CONFIGS}.athenaBucketName")
_BESIDE = tuple(f"{_PRODUCT_CONFIGS}.{name}" for name in _ATHENA_KEYS if name != "athenaBucketName")
# Both charts put the tag of their own version behind these.
_COST_ANALYZER_IMAGES = {"kubecostModel.image": "kubecost1/cost-model", "kubecostFrontend.image": "kubecost1/frontend"}

GENERATIONS: dict[str, Generation] = {
    "1": Generation(
        chart="cost-analyzer",
        repo_url=_COST_ANALYZER_REPO,
        version="1.108.1",
        form="legacy",
        secret_value=f"{_PRODUCT_CONFIGS}.cloudIntegrationSecret",
        rivals=_RIVALS,
        images=_COST_ANALYZER_IMAGES,
        beside=_BESIDE,
    ),
    "2": Generation(
        chart="cost-analyzer",
        repo_url=_COST_ANALYZER_REPO,
        version="2.8.7",
        form="legacy",
        secret_value=f"{_PRODUCT_CONFIGS}.cloudIntegrationSecret",
        rivals=_RIVALS,
        images=_COST_ANALYZER_IMAGES,
        beside=_BESIDE,
        refused={
            "thanos.store.enabled": "Kubecost 2 has no Thanos. Use kubecostModel.federatedStorageConfigSecret",
            "podSecurityPolicy.enabled": _REMOVE,
            "kubecostDeployment.leaderFollower.enabled": _REMOVE,
            "kubecostDeployment.statefulSet.enabled": "Use kubecostAggregator.deployMethod",
        },
        account_values=("kubecostAggregator.cloudCost.serviceAccountName",),
    ),
    "3": Generation(
        chart="kubecost",
        repo_url="https://kubecost.github.io/kubecost/",
        version="3.2.4",
        form="athena",
        secret_value="cloudCost.cloudIntegrationSecret",
        rivals=("cloudCost.cloudIntegrationJSON",),
        images={"global.imageRegistry": ""},
        refused={
            # Before their parents, so that the more helpful advice is given.
            f"{_PRODUCT_CONFIGS}.cloudIntegrationSecret": "Write cloudCost.cloudIntegrationSecret",
            f"{_PRODUCT_CONFIGS}.cloudIntegrationJSON": ONE_SOURCE,
            f"{_PRODUCT_CONFIGS}.clusterName": "Write global.clusterId",
            "kubecostModel.federatedStorageConfig": "Write global.federatedStorage.config",
            "kubecostModel.federatedStorageConfigSecret": "Write global.federatedStorage.existingSecret",
            "federatedETL.agentOnly": "Write aggregator.enabled: false",
            "federatedETL.readOnlyPrimary": "Write finopsagent.enabled: false",
            "prometheus.server.global.external_labels.cluster_id": "Write global.clusterId",
            "federatedETL": _REMOVE,
            "kubecostAggregator": "Write aggregator",
            "kubecostFrontend": "Write frontend",
            "kubecostModel": _REMOVE,
            "service": "Write frontend.service",
            "pricingCsv": "Write enterpriseCustomPricing",
            "etlUtils": _REMOVE,
            "kubecostMetrics": _REMOVE,
            "prometheus": _REMOVE,
            "grafana": _REMOVE,
            "global.prometheus": _REMOVE,
            "global.grafana": _REMOVE,
            "global.gmp": _REMOVE,
            "global.amp": _REMOVE,
            "global.mimirProxy": _REMOVE,
            "global.ammsp": _REMOVE,
            "sigV4Proxy": _REMOVE,
            "awsstore": _REMOVE,
            "finops-agent": "Write finopsagent",
        },
        ignored={
            **{f"{_PRODUCT_CONFIGS}.{name}": ONE_SOURCE for name in _ATHENA_KEYS},
            **{f"{labels.PLACE}.{labels.value_key(name)}": labels.SCHEME_ONLY for name in labels.CONCEPTS},
        },
        account_values=("cloudCost.serviceAccountName",),
    ),
}


def generation_of(option: str, value: t.Any) -> Generation:
    """The generation of that number.

    :raises AnsibleAWSError: there is none
    """
    known = GENERATIONS.get(str(value))
    if known is None:
        write = f"Write one of: {', '.join(repr(name) for name in GENERATIONS)}"
        refuse(option, value, "is not a generation of Kubecost that this collection knows", write)
    return known


def generation_of_chart(chart: str, version: str) -> str | None:
    """Generation of a chart by its name and version; ``None`` when it is not one of Kubecost's that is known here."""
    major = version.removeprefix("v").partition(".")[0]
    known = GENERATIONS.get(major)
    return major if known and known.chart == chart else None


def facts(release: t.Any) -> dict[str, t.Any]:
    """What an install of a release makes, as far as the AWS side has to know it.

    :param release: mapping with the keys ``RELEASE_KEYS``; of the user's ``values``, which may be left out, those
        count that rename objects or move the reading container. ``object_store`` and ``cloud_integration`` tell what
        the cluster is wired for, which moves it too
    :returns: see the documentation of the filter ``kubestrap.aws.kubecost_facts``
    :raises AnsibleAWSError: unknown generation, or a name that Kubernetes or Helm refuses
    """
    if not isinstance(release, t.Mapping) or any(key not in RELEASE_KEYS for key in release):
        write = f"Write a mapping with the keys {', '.join(RELEASE_KEYS)}"
        refuse("release", release, "does not describe a release", write)
    made = generation_of("generation", release.get("generation"))
    check_kubernetes_name("release", release.get("release"), "Helm release")
    check_kubernetes_name("namespace", release.get("namespace"), "Namespace")
    number, name, namespace = str(release["generation"]), release["release"], release["namespace"]
    wanted = _storage_wanted(number, release)
    user = _formed(number, release, wanted) if wanted else release.get("values") or {}
    integrated = _integrated(number, release) and not (wanted and wanted["part"] == storage.AGENT)
    account = service_account_name(number, name, user)
    labels = reader_labels(number, name, user)
    return {
        "generation": number,
        "release": name,
        "namespace": namespace,
        "chart_name": made.chart,
        "chart_repo_url": made.repo_url,
        "chart_version": made.version,
        "cloud_integration_form": made.form,
        "secret_key": SECRET_KEY,
        "secret_value_key": made.secret_value,
        "service_account_name": account,
        "service_account_subject": f"system:serviceaccount:{namespace}:{account}",
        "finops_agent_service_account_name": finops_agent_account(name, user) if number == "3" else None,
        "pod_labels": labels,
        "pod_selector": ",".join(f"{key}={value}" for key, value in labels.items()),
        "workloads": readers(number, name, user) if integrated else [],
        "checksum_annotation": CHECKSUM_ANNOTATION,
        "object_store": _object_store_facts(number, release, wanted),
    }


def _storage_wanted(generation: str, release: Values) -> dict[str, t.Any]:
    """The storage that the cluster is wired for; nothing, when it is not."""
    if not release.get("object_store"):
        return {}
    storage.check(release["object_store"], generation)
    return {**release["object_store"], "part": release["object_store"].get("part") or storage.PRIMARY}


def _integrated(generation: str, release: Values) -> bool:
    return bool(release.get("cloud_integration", True)) or brings_integration(generation, release.get("values") or {})


def _formed(generation: str, release: Values, store: Values) -> dict[str, t.Any]:
    """The user's values with those that give the cluster its part of the storage."""
    user, part = release.get("values") or {}, store["part"]
    formed = dict_merge(storage.defaults(generation, part), dict(user))
    formed = dict_merge(formed, storage.shape(generation, part, _integrated(generation, release)))
    if store.get("service_account"):
        formed = dict_merge(formed, storage.account_values(store["service_account"], part))
    return t.cast("dict[str, t.Any]", formed)


def _object_store_facts(generation: str, release: Values, wanted: Values) -> dict[str, t.Any]:
    """Who opens the bucket, or would when the cluster were wired for storage."""
    user = release.get("values") or {}
    store = wanted or {"part": storage.part_of(generation, user)}
    values, name = _formed(generation, release, store), release["release"]
    accounts = storage.Accounts(
        main=main_account_name(generation, name, values),
        made=value_at(values, "serviceAccount.create") is not False,
        reader=service_account_name(generation, name, values),
        agent=finops_agent_account(name, values) if generation == "3" else "",
    )
    opening = storage.openers(generation, name, values, accounts, fullname(generation, name, values))
    return {
        "part": store["part"],
        "file_name": store.get("key") or storage.FILE_NAMES[generation],
        "product_key_file": storage.PRODUCT_KEY_FILE,
        "checksum_annotation": OBJECT_STORE_CHECKSUM_ANNOTATION,
        "service_accounts": storage.service_accounts(opening, release["namespace"]),
        "workloads": opening,
    }


def brings_integration(generation: str, values: Values) -> bool:
    """Whether these values have a cloud integration of the user's own in them."""
    made = GENERATIONS[generation]
    return any(value_at(values, dotted) for dotted in (made.secret_value, *made.rivals))


def service_account_name(generation: str, release: str, values: Values) -> str:
    """ServiceAccount of the pods that read billing data."""
    for key in GENERATIONS[generation].account_values:
        if value_at(values, key):
            return str(value_at(values, key))
    return main_account_name(generation, release, values)


def main_account_name(generation: str, release: str, values: Values) -> str:
    """The chart's own ServiceAccount."""
    own = value_at(values, "serviceAccount.name")
    if own:
        return str(own)
    # The charts fall back to the namespace's own account when they shall not make one.
    return "default" if value_at(values, "serviceAccount.create") is False else fullname(generation, release, values)


def fullname(generation: str, release: str, values: Values) -> str:
    """The chart's ``fullname``: name of its main Deployment (1, 2) and of the ServiceAccount that it makes."""
    return full_name(release, GENERATIONS[generation].chart, values)


def readers(generation: str, release: str, values: Values) -> list[dict[str, str]]:
    """The workloads whose pods read the cloud integration."""
    if generation == "1":
        return [_deployment(fullname(generation, release, values), "cost-model")]
    if generation == "2":
        method = aggregator_method(values)
        if method == "singlepod":
            return [_deployment(fullname(generation, release, values), "cloud-cost")]
        running = method == "statefulset" and value_at(values, "kubecostAggregator.cloudCost.enabled") is not False
    else:
        running = value_at(values, "cloudCost.enabled") is not False
    return [_deployment(cut(f"{release}-cloud-cost"), "cloud-cost")] if running else []


def reader_labels(generation: str, release: str, values: Values) -> dict[str, str]:
    """Labels that select those pods. All three are needed: chart 2 gives app=cost-analyzer to its frontend too."""
    separate = generation == "3" or (generation == "2" and aggregator_method(values) != "singlepod")
    name = "cloud-cost" if separate else cut(_chart_label(generation, values))
    app = "cloud-cost" if separate else "cost-analyzer"
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": release, "app": app}


def finops_agent_account(release: str, values: Values) -> str:
    """ServiceAccount of chart 3's subchart, which does not take the annotations of the chart's own one."""
    own = value_at(values, "finopsagent.serviceAccount.name")
    if own:
        return str(own)
    if value_at(values, "finopsagent.serviceAccount.create") is False:
        return "default"
    return full_name(release, "finopsagent", value_at(values, "finopsagent") or {})


def _chart_label(generation: str, values: Values) -> str:
    return str(value_at(values, "nameOverride") or GENERATIONS[generation].chart)


def _deployment(name: str, container: str) -> dict[str, str]:
    return {"api_version": "apps/v1", "kind": "Deployment", "name": name, "container": container}
