# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for StackGres: its kinds, its webhooks, and what its operator makes of clusters."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes.client as k8s
import pytest
import yaml
from kubernetes.client.exceptions import ApiException
from sandbox.client import SandboxError
from sandbox.stackgres import objects
from sandbox.stackgres.wal_g import wal_g_version
from sandbox.tests.clients import ClientSandbox, new_namespace, until
from sandbox.tests.gateway_tools import CLUSTER
from sandbox.tests.stackgres_tools import PODS, REGION, StackGres, refusal, rights

KEYS = {name: {"name": "keys", "key": name} for name in ("accessKeyId", "secretAccessKey")}


@pytest.fixture(scope="module")
def operator(sandbox: ClientSandbox) -> Iterator[ClientSandbox]:
    """The sandbox with StackGres in its cluster, and without it afterwards."""
    assert sandbox.stackgres("demo", operator="1.18.6") == {"operator": "1.18.6"}
    yield sandbox
    sandbox.stackgres("demo", absent=True)


@pytest.fixture(scope="module")
def stackgres(operator: ClientSandbox) -> Iterator[StackGres]:
    """Its objects in a namespace of their own."""
    core = k8s.CoreV1Api(operator.kubernetes())
    namespace = new_namespace(core, "postgres")
    yield StackGres(operator, namespace)
    core.delete_namespace(namespace)


@pytest.fixture(scope="module")
def bucket(stackgres: StackGres) -> str:
    """A bucket in the cluster's region, with the SGObjectStorage `storage` for it."""
    name = stackgres.bucket()
    stackgres.storage("storage", f"s3://{name}/backups/")
    return name


def test_the_operator_says_its_version(stackgres: StackGres) -> None:
    apps = k8s.AppsV1Api(stackgres.sandbox.kubernetes())
    [found] = apps.list_deployment_for_all_namespaces(label_selector="group=stackgres.io").items
    assert (found.metadata.namespace, found.metadata.name) == ("stackgres", "stackgres-operator")
    assert found.metadata.labels["version"] == "1.18.6"
    assert found.spec.template.spec.containers[0].image == "quay.io/stackgres/operator:1.18.6"


def test_the_charts_operator_is_the_same(sandbox: ClientSandbox) -> None:
    chart = Path(__file__).resolve().parents[2] / "fixtures/charts/stackgres-operator"
    command = [sandbox.state["helm"], "template", "stackgres-operator", str(chart), "--namespace", "stackgres"]
    rendered = yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    [deployment] = [document for document in rendered if document["kind"] == "Deployment"]
    own = objects.operator("stackgres", "1.18.6")
    [container] = own["spec"]["template"]["spec"]["containers"]
    container["imagePullPolicy"] = "IfNotPresent"
    own["spec"]["template"]["spec"]["serviceAccountName"] = "stackgres-operator"
    assert deployment == own


def test_a_field_that_does_not_exist_is_pruned_or_refused(stackgres: StackGres, bucket: str) -> None:
    pods = {**PODS, "metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}}}
    spec = {"instances": 0, "postgres": {"version": "16.6"}, "pods": pods}
    said = refusal(stackgres.make, "sgclusters", "strict", spec, field_validation="Strict")
    assert 'unknown field "spec.pods.metadata"' in said
    assert stackgres.make("sgclusters", "pruned", spec)["spec"]["pods"].keys() == {
        "persistentVolume", "managementPolicy", "updateStrategy",
        "disableConnectionPooling", "disableMetricsExporter", "disablePostgresUtil", "disableEnvoy",
    }  # fmt: skip


S3 = {"bucket": "b", "awsCredentials": {"useIAMRole": True}}
COMPATIBLE = {"bucket": "b", "awsCredentials": {"secretKeySelectors": KEYS}}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "s4", "s3": S3}, 'Unsupported value: "s4"'),
        ({"s3": S3}, "must be s3, s3Compatible, gcs or azureBlob"),
        ({"type": "s3", "s3Compatible": COMPATIBLE}, "If storage type is s3, the s3 property must be set"),
        ({"type": "s3", "s3": S3, "s3Compatible": COMPATIBLE}, "neither s3Compatible, gcs or azureBlob must be set"),
        ({"type": "s3", "s3": {**S3, "storageClass": "GLACIER"}}, "one of STANDARD, STANDARD_IA or REDUCED_REDUNDANCY"),
        ({"type": "s3", "s3": {**S3, "awsCredentials": {}}}, "you must set useIamRole or secretKeySelectors"),
        ({"type": "s3", "s3": {"bucket": "b"}}, "spec.s3.awsCredentials: Required value"),
        ({"type": "s3", "s3": {**S3, "bucket": "/b"}}, "spec.s3.bucket in body should match"),
        ({"type": "s3", "s3": COMPATIBLE}, "secret keys not found for selector name accessKeyId of storage type s3"),
        (
            {"type": "s3Compatible", "s3Compatible": {"bucket": "b", "awsCredentials": {"useIAMRole": True}}},
            "spec.s3Compatible.awsCredentials.secretKeySelectors: Required value",
        ),
        (
            {"type": "s3Compatible", "s3Compatible": {**COMPATIBLE, "endpoint": "minio:9000"}},
            "s3Compatible.endpoint must be a valid URL",
        ),
    ],
)
def test_an_object_storage_that_the_operator_refuses(stackgres: StackGres, spec: dict[str, Any], words: str) -> None:
    assert words in refusal(stackgres.make, "sgobjectstorages", "refused", spec)


def test_keys_of_an_object_storage_are_looked_for(stackgres: StackGres) -> None:
    core, namespace = stackgres.core, stackgres.namespace
    spec = {"type": "s3Compatible", "s3Compatible": {**COMPATIBLE, "endpoint": "https://minio:9000"}}
    core.create_namespaced_secret(namespace, {"metadata": {"name": "keys"}, "stringData": {"accessKeyId": "x"}})
    said = refusal(stackgres.make, "sgobjectstorages", "keys", spec)
    assert "key secretAccessKey not found in secret keys for selector name secretAccessKey" in said
    core.patch_namespaced_secret("keys", namespace, {"stringData": {"secretAccessKey": "y"}})
    stackgres.make("sgobjectstorages", "keys", spec)
    stackgres.delete("sgobjectstorages", "keys")
    core.delete_namespaced_secret("keys", namespace)


def test_pods_run_as_patroni_and_get_the_role_when_they_are_restarted(stackgres: StackGres, bucket: str) -> None:
    role = stackgres.role("main", rights(bucket))
    cluster = stackgres.cluster("main", "storage")
    name, major = "main-0", "16"
    where = cluster["spec"]["configurations"]["backups"][0]["path"]
    time = r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d"
    assert re.fullmatch(f"sgbackups.stackgres.io/{stackgres.namespace}/main/{time}/{major}", where)
    assert cluster["status"]["backupPaths"] == [where]
    assert cluster["metadata"]["annotations"]["stackgres.io/operatorVersion"] == "1.18.6"
    pod = stackgres.core.read_namespaced_pod(name, stackgres.namespace)
    assert pod.spec.service_account_name == "main-patroni"
    assert pod.spec.containers[0].image.startswith("quay.io/ongres/patroni:v4.0.6-pg16.6-build-6.")
    assert "AWS_ROLE_ARN" not in stackgres.environment(name)
    failed = stackgres.backup("node", "main")
    assert failed["status"] == "Failed"
    assert failed["failure"].startswith(
        "Backup failed while perfroming backup-push:\nAccessDenied: User: arn:aws:sts::"
    )
    assert "assumed-role/eks-node-group/" in failed["failure"]

    annotations = {"serviceAccount": {"eks.amazonaws.com/role-arn": role}}
    stackgres.patch("sgclusters", "main", {"spec": {"metadata": {"annotations": annotations}}})

    def annotated() -> bool:
        found = stackgres.core.read_namespaced_service_account("main-patroni", stackgres.namespace)
        return (found.metadata.annotations or {}).get("eks.amazonaws.com/role-arn") == role

    until(annotated, "the ServiceAccount is not annotated")
    assert "AWS_ROLE_ARN" not in stackgres.environment(name), "a pod keeps what it was made with"
    assert stackgres.backup("too-early", "main")["status"] == "Failed"
    status = stackgres.restart("restart", "main")
    assert status["restart"]["restartedInstances"] == [name] == status["restart"]["initialInstances"]
    assert status["restart"]["pendingToRestartInstances"] == []
    assert stackgres.environment(name)["AWS_ROLE_ARN"] == role
    done = stackgres.backup("done", "main")
    assert done["status"] == "Completed" and done["timing"]["stored"]
    listed = stackgres.sandbox.client("s3", CLUSTER, REGION).list_objects_v2(Bucket=bucket)["Contents"]
    assert {item["Key"].partition("/basebackups_005/")[0] for item in listed} == {f"backups/{where}"}


def test_what_is_done_stays(stackgres: StackGres, bucket: str) -> None:
    """After the test before: a backup has ended."""
    said = refusal(stackgres.patch, "sgbackups", "done", {"status": {"internalName": "other"}})
    assert "Update of backups name is forbidden" in said
    assert "Cluster gone not found" in refusal(stackgres.make, "sgbackups", "x", {"sgCluster": "gone"})
    said = refusal(stackgres.delete, "sgobjectstorages", "storage")
    assert "because the sgclusters.stackgres.io" in said and "depends on it" in said
    stackgres.patch("sgclusters", "main", {"metadata": {"annotations": {"note": "x"}}, "spec": {"instances": 2}})
    until(lambda: len(stackgres.get("sgclusters", "main")["status"]["podStatuses"]) == 2, "there is no second pod")
    environment = {"patroni": [{"name": "AWS_REGION", "value": "eu-central-1"}]}
    stackgres.patch("sgclusters", "main", {"spec": {"pods": {"customEnv": environment}}})

    def waiting() -> bool:
        pods = stackgres.get("sgclusters", "main")["status"]["podStatuses"]
        return [pod["pendingRestart"] for pod in pods] == [True, True]

    until(waiting, "the pods do not wait for a restart")
    assert stackgres.restart("only", "main", onlyPendingRestart=True)["restart"]["restartedInstances"] == [
        "main-0",
        "main-1",
    ]
    assert stackgres.environment("main-0")["AWS_REGION"] == "eu-central-1"
    assert stackgres.restart("none", "main", onlyPendingRestart=True)["restart"]["restartedInstances"] == []


def test_rights_region_and_keys_decide_about_a_backup(stackgres: StackGres, bucket: str) -> None:
    stackgres.cluster("poor", "storage", stackgres.role("poor", rights(bucket, "s3:PutObject")))
    failure = stackgres.backup("poor", "poor")["failure"]
    assert "AccessDenied: User: arn:aws:sts::222222222222:assumed-role/" in failure and "s3:PutObject" in failure

    far = stackgres.bucket("eu-central-1")
    stackgres.storage("far", far, region="eu-central-1")
    role = stackgres.role("far", rights(far))
    stackgres.cluster("far", "far", role)
    failure = stackgres.backup("far", "far")["failure"]
    assert "eu-central-1" in failure and ("AuthorizationHeaderMalformed" in failure or "BucketRegionError" in failure)
    environment = {"patroni": [{"name": "AWS_REGION", "value": "eu-central-1"}]}
    stackgres.patch("sgclusters", "far", {"spec": {"pods": {"customEnv": environment}}})
    until(
        lambda: stackgres.get("sgclusters", "far")["status"]["podStatuses"][0]["pendingRestart"],
        "the pod does not wait for a restart",
    )
    stackgres.restart("far", "far")
    assert stackgres.backup("near", "far")["status"] == "Completed"

    iam = stackgres.sandbox.client("iam", CLUSTER)
    user = f"user-{stackgres.namespace}"
    iam.create_user(UserName=user)
    document = json.dumps({"Version": "2012-10-17", "Statement": rights(bucket)})
    iam.put_user_policy(UserName=user, PolicyName="rights", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    data = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
    secret = {"metadata": {"name": "keys"}, "stringData": data}
    stackgres.core.create_namespaced_secret(stackgres.namespace, secret)
    stackgres.storage("keys", bucket, region=REGION, awsCredentials={"secretKeySelectors": KEYS})
    stackgres.cluster("keys", "keys")
    assert stackgres.backup("keys", "keys")["status"] == "Completed"
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    assert "InvalidAccessKeyId" in stackgres.backup("revoked", "keys")["failure"]


def test_an_old_image_takes_its_own_role_once_more(stackgres: StackGres, bucket: str) -> None:
    stackgres.sandbox.stackgres("demo", cluster_version="1.16.3")
    role = stackgres.role("old", rights(bucket))
    cluster = stackgres.cluster("old", "storage", role)
    assert cluster["metadata"]["annotations"]["stackgres.io/operatorVersion"] == "1.16.3"
    assert "roleSessionName" in stackgres.backup("old", "old")["failure"]
    stackgres.sandbox.stackgres("demo", cluster_version=None)
    assert [wal_g_version(objects.version_of(text)) for text in ("1.16.3", "1.17.0", "1.18.3", "1.18.4")] == [
        (3, 0, 3), (3, 0, 7), (3, 0, 7), (3, 0, 8),
    ]  # fmt: skip


def test_a_backup_can_be_held_changed_under_its_feet_and_made_to_fail(stackgres: StackGres, bucket: str) -> None:
    stackgres.storage("own", bucket)
    stackgres.cluster("held", "own", stackgres.role("held", rights(bucket)))

    def running(name: str) -> bool:
        status = stackgres.get("sgbackups", name).get("status") or {}
        return status.get("process", {}).get("status") == "Running"

    stackgres.sandbox.stackgres("demo", hold=True)
    stackgres.make("sgbackups", "held", {"sgCluster": "held"})
    until(lambda: running("held"), "the backup does not run")
    stackgres.patch("sgobjectstorages", "own", {"spec": {"s3": {"region": REGION}}})
    stackgres.sandbox.stackgres("demo", hold=False)
    assert stackgres.ended("held")["failure"] == "Backup configuration own changed during backup"
    stackgres.sandbox.stackgres("demo", failure="Lock lost:\n")
    assert stackgres.backup("lost", "held")["failure"] == "Lock lost:\n"
    stackgres.sandbox.stackgres("demo", failure="")
    assert stackgres.backup("fine", "held")["status"] == "Completed"


def test_a_sharded_cluster_hands_its_annotations_to_parts_without_any(stackgres: StackGres, bucket: str) -> None:
    role = {"serviceAccount": {"eks.amazonaws.com/role-arn": "arn:aws:iam::222222222222:role/sharded"}}
    own = {"clusterPods": {"note": "x"}}
    spec = {
        "type": "citus",
        "database": "app",
        "postgres": {"version": "16.6"},
        "metadata": {"annotations": role},
        "coordinator": {"instances": 1, "pods": PODS},
        "shards": {
            "clusters": 2,
            "instancesPerCluster": 1,
            "pods": PODS,
            "overrides": [{"index": 1, "metadata": {"annotations": own}}],
        },
        "configurations": {"backups": [{"sgObjectStorage": "storage", "cronSchedule": "0 5 * * *"}]},
    }
    made = stackgres.make("sgshardedclusters", "citus", spec)
    paths = made["spec"]["configurations"]["backups"][0]["paths"]
    assert [path.split("/")[2] for path in paths] == ["citus-coord", "citus-shard0", "citus-shard1"]

    def annotations(name: str) -> dict[str, str] | None:
        try:
            found = stackgres.core.read_namespaced_service_account(f"{name}-patroni", stackgres.namespace)
        except ApiException:
            return None
        return found.metadata.annotations or {"none": ""}

    arn = role["serviceAccount"]
    for name, expected in (("citus-coord", arn), ("citus-shard0", arn), ("citus-shard1", {"none": ""})):
        assert until(lambda name=name: annotations(name), f"{name} is not made") == expected
    backups = stackgres.get("sgclusters", "citus-shard0")["spec"]["configurations"]["backups"]
    assert backups[0]["path"] == paths[1] and "cronSchedule" not in backups[0]


def test_a_wrong_request_is_refused(sandbox: ClientSandbox) -> None:
    with pytest.raises(SandboxError, match="there is no cluster nowhere; there are demo"):
        sandbox.stackgres("nowhere")
    with pytest.raises(SandboxError, match="unknown: version; there are absent, cluster"):
        sandbox.stackgres("demo", version="1.18.6")
    with pytest.raises(SandboxError, match="'1.18' is not a version of StackGres"):
        sandbox.stackgres("demo", operator="1.18")


def test_the_operator_can_come_from_a_chart_and_be_an_old_one(stackgres: StackGres) -> None:
    """The last test: everything that the others made goes with the definitions."""
    sandbox = stackgres.sandbox
    sandbox.stackgres("demo", absent=True)
    extensions = k8s.ApiextensionsV1Api(sandbox.kubernetes())

    def definitions() -> dict[str, Any]:
        found = extensions.list_custom_resource_definition().items
        return {item.spec.names.kind: item for item in found if item.spec.group == "stackgres.io"}

    assert definitions() == {}
    assert sandbox.stackgres("demo", operator=False) == {"operator": ""}
    assert definitions() == {}, "nothing is there before the chart is"
    deployment = objects.operator(stackgres.namespace, "1.17.4")
    k8s.AppsV1Api(sandbox.kubernetes()).create_namespaced_deployment(stackgres.namespace, deployment)
    until(lambda: sandbox.stackgres("demo")["operator"] == "1.17.4", "the operator does not start")
    assert definitions().keys() == {"SGObjectStorage", "SGCluster", "SGShardedCluster", "SGBackup", "SGDbOps"}
    said = refusal(stackgres.storage, "iam", "bucket")
    assert "spec.s3.awsCredentials.secretKeySelectors: Required value" in said, "useIAMRole is new in 1.18"
    spec = {"instances": 1, "postgres": {"version": "16.6"}, "pods": PODS}
    annotations = {"serviceAccount": {"x": "own"}, "allResources": {"x": "all"}}
    stackgres.make("sgclusters", "before", {**spec, "metadata": {"annotations": annotations}})

    def account() -> dict[str, str] | None:
        try:
            found = stackgres.core.read_namespaced_service_account("before-patroni", stackgres.namespace)
        except ApiException:
            return None
        return found.metadata.annotations

    assert until(account, "there is no ServiceAccount") == {"x": "all"}
