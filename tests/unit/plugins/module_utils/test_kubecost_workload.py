# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is found of an installation, from objects as an API server returns them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import cloud_integration
from ansible_collections.kubestrap.aws.plugins.module_utils._kubecost_workload import (
    entries_of,
    find,
    other_clouds_of,
    reader,
)

ROLE = "arn:aws:iam::222222222222:role/kubecost"
ENTRY = {
    "account_id": "111111111111",
    "bucket": "s3://results/kubecost",
    "region": "us-east-1",
    "database": "billing",
    "table": "kubecost",
    "workgroup": "kubecost",
}
READER_ARN = "arn:aws:iam::111111111111:role/kubecost-cur-access"


def workload(name: str, release: str = "kubecost", container: str = "cloud-cost", secret: str = "") -> dict[str, Any]:
    """A Deployment, with a Secret mounted as the charts do it."""
    volumes, mounts = [], []
    if secret:
        volumes = [{"name": "ci", "secret": {"secretName": secret}}]
        mounts = [{"name": "ci", "mountPath": "/var/configs/cloud-integration"}]
    return {
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/instance": release, "helm.sh/chart": "kubecost-3.2.4"},
        },
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "spec": {
                    "serviceAccountName": "kubecost",
                    "volumes": volumes,
                    "containers": [{"name": container, "volumeMounts": mounts}],
                }
            },
        },
    }


class Kube:
    """An API server with these objects, by the last segment of their path."""

    def __init__(self, **objects: Any) -> None:
        self.objects = objects

    def get(self, *path: str, **_options: Any) -> Any:
        return self.objects.get(path[-1].replace("-", "_"))


def cluster(document: Any, **objects: Any) -> Kube:
    """A cluster with one release."""
    return Kube(
        **{
            "deployments": {"items": [workload("kubecost-cloud-cost", secret="cloud-integration")]},
            "kubecost": {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": ROLE}}},
            "cloud_integration": {
                "data": {"cloud-integration.json": base64.b64encode(json.dumps(document).encode()).decode()}
            },
            "secrets": {"items": [{"metadata": {}}]},
            **objects,
        }
    )


@pytest.mark.parametrize("form", cloud_integration.FORMS)
def test_an_installation_is_found_whole(form: str) -> None:
    document = cloud_integration.build([{**ENTRY, "role_arn": READER_ARN}], form)
    found = find(cluster(document), "kubecost", "kubecost")
    assert found["links"] == []
    assert found["role_arn"] == ROLE
    assert found["helm_release"] == "kubecost"
    assert found["workload"]["service_account"] == "kubecost"
    assert found["workload"]["label_selectors"] == ("app=kubecost-cloud-cost",)
    assert found["entries"] == [{**ENTRY, "catalog": "", "role_arn": READER_ARN, "authorizer": "service_account"}]


@pytest.mark.parametrize("form", cloud_integration.FORMS)
def test_in_one_account_there_is_no_role_to_go_on_to(form: str) -> None:
    entry = entries_of(cloud_integration.build([ENTRY], form))[0]
    assert (entry["role_arn"], entry["authorizer"]) == ("", "service_account")


def test_access_keys_are_told_and_never_returned() -> None:
    legacy = {"aws": [{"athenaBucketName": "s3://b", "serviceKeyName": "AKIAEXAMPLE", "serviceKeySecret": "hidden"}]}
    new = {
        "aws": {"athena": [{"authorizer": {"authorizerType": "AWSAccessKey", "id": "AKIAEXAMPLE", "secret": "hidden"}}]}
    }
    for document in (legacy, new):
        entries = entries_of(document)
        assert entries[0]["authorizer"] == "access_key"
        assert "hidden" not in str(entries) and "AKIA" not in str(entries)


@pytest.mark.parametrize("document", [None, [], {}, {"aws": None}, {"aws": {"s3": []}}, {"aws": "x"}, {"aws": ["x"]}])
def test_a_document_without_entries(document: Any) -> None:
    assert entries_of(document) == []


def test_other_clouds() -> None:
    assert other_clouds_of({"aws": [], "azure": [], "gcp": [{"projectID": "x"}]}) == ["gcp"]
    assert other_clouds_of({"azure": {"storage": [{"account": "x"}]}, "gcp": {"bigQuery": []}}) == ["azure"]
    assert other_clouds_of([]) == []


def test_of_several_workloads_the_one_that_reads() -> None:
    items = [
        ("Deployment", workload("frontend", container="frontend")),
        ("Deployment", workload("kubecost-aggregator", container="aggregator", secret="ci")),
        ("Deployment", workload("kubecost-cloud-cost", secret="ci")),
        ("Deployment", workload("other-cloud-cost", release="other", secret="ci")),
    ]
    assert reader(items, "kubecost").name == "kubecost-cloud-cost"
    assert reader(items, "other").name == "other-cloud-cost"
    assert reader(items, "none") is None


def test_the_key_of_a_mount_with_a_sub_path() -> None:
    item = workload("kubecost-cloud-cost", secret="ci")
    spec = item["spec"]["template"]["spec"]
    spec["containers"][0]["volumeMounts"][0] |= {
        "mountPath": "/var/configs/cloud-integration.json", "subPath": "cloud-integration.json"
    }  # fmt: skip
    spec["volumes"][0]["secret"]["items"] = [{"key": "mine.json", "path": "cloud-integration.json"}]
    assert reader([("Deployment", item)], "kubecost").secret_key == "mine.json"


@pytest.mark.parametrize(
    ("objects", "link", "said"),
    [
        ({"deployments": {"items": []}}, "pods", "There is none in it"),
        ({"deployments": {"items": [workload("a", release="mine", secret="x")]}}, "pods", "namespace are: mine"),
        ({"deployments": {"items": [workload("a")]}}, "secret", "mounts no Secret"),
        ({"cloud_integration": None}, "secret", "it does not exist"),
        ({"cloud_integration": {"data": {"other": ""}}}, "secret", "its keys are: other"),
        ({"cloud_integration": {"data": {"cloud-integration.json": "e30="}}}, "secret", "names no payer account"),
        ({"cloud_integration": {"data": {"cloud-integration.json": "eA=="}}}, "secret", "it is not JSON"),
        ({"kubecost": None}, "service_account", "it does not exist"),
        ({"kubecost": {"metadata": {}}}, "service_account", "calls? AWS as their node"),
    ],
)  # fmt: skip
def test_what_is_missing_is_a_link(objects: dict[str, Any], link: str, said: str) -> None:
    document = cloud_integration.build([ENTRY], "athena")
    found = find(cluster(document, **objects), "kubecost", "kubecost")
    failed = {seen["link"]: seen for seen in found["links"]}
    assert link in failed
    text = " ".join(str(value) for value in failed[link].values())
    assert said.replace("calls?", "call") in text


def test_without_a_record_of_helm() -> None:
    document = cloud_integration.build([ENTRY], "athena")
    assert find(cluster(document, secrets=None), "kubecost", "kubecost")["helm_release"] is None
