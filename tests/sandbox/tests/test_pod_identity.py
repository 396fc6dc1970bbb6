# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods get from the admission webhook what EKS' webhook gives them, when they are created and not later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kubernetes.client as k8s
import pytest
from sandbox.pod_identity import MOUNT_PATH, mutate
from sandbox.tests.clients import ClientSandbox, new_namespace

REGION = "eu-west-1"


@pytest.fixture
def core(sandbox: ClientSandbox) -> k8s.CoreV1Api:
    """The core API, as administrator."""
    return k8s.CoreV1Api(sandbox.kubernetes())


@pytest.fixture
def namespace(core: k8s.CoreV1Api) -> Iterator[str]:
    """A namespace of one's own."""
    name = new_namespace(core, "pods")
    yield name
    core.delete_namespace(name)


ROLE = "arn:aws:iam::222222222222:role/kubecost"
INJECTED = {
    "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ROLE_ARN": ROLE,
    "AWS_WEB_IDENTITY_TOKEN_FILE": f"{MOUNT_PATH}/token",
}


def make_account(core: k8s.CoreV1Api, namespace: str, **annotations: str) -> None:
    """A ServiceAccount `kubecost` with annotations of the EKS domain."""
    marks = {f"eks.amazonaws.com/{name.replace('_', '-')}": value for name, value in annotations.items()}
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "kubecost", "annotations": marks}})


def make_pod(core: k8s.CoreV1Api, namespace: str, name: str, account: str = "kubecost", **metadata: Any) -> k8s.V1Pod:
    """A pod with one init container and two containers, as the API server stored it."""
    container = {"image": "example.com/image:1"}
    own = [{"name": "AWS_REGION", "value": "us-gov-west-1"}]
    return core.create_namespaced_pod(
        namespace,
        {
            "metadata": {"name": name, **metadata},
            "spec": {
                "serviceAccountName": account,
                "initContainers": [{"name": "prepare", **container}],
                "containers": [{"name": "main", **container}, {"name": "second", **container, "env": own}],
            },
        },
    )


def environment(container: k8s.V1Container) -> dict[str, str]:
    """A container's variables."""
    return {variable.name: variable.value for variable in container.env or []}


def test_pods_of_an_annotated_service_account_get_its_identity(core: k8s.CoreV1Api, namespace: str) -> None:
    make_account(core, namespace, role_arn=ROLE)
    pod = make_pod(core, namespace, "new")
    assert environment(pod.spec.init_containers[0]) == INJECTED
    assert environment(pod.spec.containers[0]) == INJECTED
    # A container that says one region variable gets neither.
    without_region = {name: value for name, value in INJECTED.items() if "REGION" not in name or "STS" in name}
    assert environment(pod.spec.containers[1]) == {**without_region, "AWS_REGION": "us-gov-west-1"}
    for container in [*pod.spec.init_containers, *pod.spec.containers]:
        mount = next(mount for mount in container.volume_mounts if mount.name == "aws-iam-token")
        assert (mount.mount_path, mount.read_only) == (MOUNT_PATH, True)
    volume = next(volume for volume in pod.spec.volumes if volume.name == "aws-iam-token")
    token = volume.projected.sources[0].service_account_token
    assert (token.audience, token.expiration_seconds, token.path) == ("sts.amazonaws.com", 86400, "token")


def test_pods_of_other_service_accounts_get_nothing(core: k8s.CoreV1Api, namespace: str) -> None:
    make_account(core, namespace, audience="sts.amazonaws.com")
    pod = make_pod(core, namespace, "plain")
    assert environment(pod.spec.containers[0]) == {}
    assert "aws-iam-token" not in {volume.name for volume in pod.spec.volumes}
    # The annotation counts on the ServiceAccount only.
    marked = make_pod(core, namespace, "marked", "default", annotations={"eks.amazonaws.com/role-arn": ROLE})
    assert environment(marked.spec.containers[0]) == {}


def test_a_pod_older_than_the_annotation_has_no_identity(core: k8s.CoreV1Api, namespace: str) -> None:
    make_account(core, namespace)
    make_pod(core, namespace, "old")
    core.patch_namespaced_service_account(
        "kubecost", namespace, {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": ROLE}}}
    )
    assert environment(core.read_namespaced_pod("old", namespace).spec.containers[0]) == {}
    assert environment(make_pod(core, namespace, "new").spec.containers[0]) == INJECTED


def test_annotations_change_what_is_injected(core: k8s.CoreV1Api, namespace: str) -> None:
    make_account(
        core,
        namespace,
        role_arn=ROLE,
        audience="sts.amazonaws.com.cn",
        token_expiration="3600",
        sts_regional_endpoints="false",
    )
    skipping = {"eks.amazonaws.com/skip-containers": "second,third"}
    pod = make_pod(core, namespace, "tuned", annotations=skipping)
    assert environment(pod.spec.containers[0]) == {
        n: v for n, v in INJECTED.items() if n != "AWS_STS_REGIONAL_ENDPOINTS"
    }
    assert environment(pod.spec.containers[1]) == {"AWS_REGION": "us-gov-west-1"}
    assert "aws-iam-token" not in {mount.name for mount in pod.spec.containers[1].volume_mounts}
    token = next(v for v in pod.spec.volumes if v.name == "aws-iam-token").projected.sources[0].service_account_token
    assert (token.audience, token.expiration_seconds) == ("sts.amazonaws.com.cn", 3600)
    short = make_pod(core, namespace, "short", annotations={"eks.amazonaws.com/token-expiration": "60"})
    token = next(v for v in short.spec.volumes if v.name == "aws-iam-token").projected.sources[0].service_account_token
    assert token.expiration_seconds == 600  # the pod's word comes first, the minimum is 600


def test_what_a_container_says_itself_is_kept() -> None:
    complete = [{"name": n, "value": "own"} for n in ("AWS_ROLE_ARN", "AWS_REGION", "AWS_STS_REGIONAL_ENDPOINTS")]
    containers = [
        {"name": "complete", "env": complete},
        {"name": "own-role", "env": [{"name": "AWS_ROLE_ARN", "value": "own"}]},
        {"name": "mounted", "volumeMounts": [{"name": "aws-iam-token", "mountPath": "/elsewhere"}]},
    ]
    pod = {"metadata": {}, "spec": {"containers": containers, "volumes": [{"name": "aws-iam-token"}]}}
    [change] = mutate(pod, {"eks.amazonaws.com/role-arn": ROLE}, REGION)
    assert change["path"] == "/spec/containers"  # the volume is there, no init containers
    by_name = {container["name"]: container for container in change["value"]}
    assert by_name["complete"] == containers[0]
    names = {variable["name"]: variable["value"] for variable in by_name["own-role"]["env"]}
    assert (
        names["AWS_ROLE_ARN"] == "own" and "AWS_WEB_IDENTITY_TOKEN_FILE" not in names and names["AWS_REGION"] == REGION
    )
    assert by_name["mounted"]["volumeMounts"] == [{"name": "aws-iam-token", "mountPath": "/elsewhere"}]
