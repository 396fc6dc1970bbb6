# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook thanos_object_store: two clusters of two accounts keep their blocks in the bucket of a third one.

One cluster's Thanos has a role (IRSA), the other one's an access key; the bucket has a customer key.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from typing import Any

import boto3
import pytest
import yaml
from integration.files import inventories
from integration.installation import CLUSTER_REGION, Installation, Run
from integration.world import operator
from kubernetes import client
from sandbox.client import Sandbox

NUMBER, OTHER_ACCOUNT = 44, "440000000201"
NAMESPACE, SECRET = "thanos", "thanos-object-store"
# What a run without change may take for a bucket and a cluster together.
CALLS = 20
# And what a customer key takes beside them.
CALLS_OF_A_KEY = 4
GIVEN_USER = f"arn:aws:iam::{OTHER_ACCOUNT}:user/theirs"
DENY_ALL = {"Effect": "Deny", "Action": "*", "Resource": "*"}
HEADERS = {"X-Amz-Acl": "bucket-owner-full-control"}


class Story:
    """The runs, in their order.

    :ivar predicted: check mode from nothing
    :ivar first: the run after it
    :ivar again: without a change
    """

    def __init__(self, sandbox: Sandbox) -> None:
        accounts = {"thanosplay2": OTHER_ACCOUNT}
        self.place = place = Installation(
            sandbox, "thanosplay", number=NUMBER, payers=0, clusters=2, buckets=1, accounts=accounts
        )
        self.bucket, (self.role_cluster, self.key_cluster) = place.buckets[0], place.clusters
        place.vars[self.bucket]["workload_storage_encryption"] = "aws:kms"
        for cluster in place.clusters:
            place.vars[cluster] |= {
                "thanos_object_store_bucket": self.bucket,
                "thanos_object_store_prefix": cluster,
                "kubestrap_tags": {"team": "observability"},
            }
        place.vars[self.role_cluster] |= {
            "thanos_object_store_service_accounts": [
                {"name": "prometheus-server"},
                {"name": "thanos-store", "created_by": "kubestrap"},
            ],
            "thanos_object_store_restart": [
                {"name": "thanos-store"},
                {"name": "prometheus-server"},
                {"name": "not-there-yet"},
            ],
            "thanos_object_store_pod_selectors": ["opens=bucket"],
        }
        place.vars[self.key_cluster] |= {
            "thanos_object_store_identity_method": "access_key",
            "thanos_object_store_settings": {"put_user_metadata": HEADERS},
            "thanos_object_store_restart": [{"name": "thanos-store"}],
        }
        self.install_thanos(self.role_cluster, "prometheus-server", "thanos-store")
        self.install_thanos(self.key_cluster, "thanos-store")
        self.predicted = self.run(check=True, diff=True)
        self.first = self.run(diff=True)
        self.again = self.run()
        self.secrets = {cluster: self.document(cluster) for cluster in place.clusters}

    def run(self, **options: Any) -> Run:
        """A run that has to end well."""
        run = self.place.run("thanos_object_store", **options)
        assert run.ok, run.report
        return run

    def install_thanos(self, cluster: str, *names: str) -> None:
        """What a chart of the user's has installed."""
        core = self.place.core(cluster)
        core.create_namespace({"metadata": {"name": NAMESPACE}})
        apps = client.AppsV1Api(self.place.kube(cluster))
        for name in names:
            core.create_namespaced_service_account(NAMESPACE, {"metadata": {"name": name}})
            labels = {"app": name, "opens": "bucket"}
            pod = {"serviceAccountName": name, "containers": [{"name": "thanos", "image": "thanos"}]}
            template = {"metadata": {"labels": labels}, "spec": pod}
            spec = {"selector": {"matchLabels": labels}, "serviceName": name, "replicas": 1, "template": template}
            apps.create_namespaced_stateful_set(NAMESPACE, {"metadata": {"name": name}, "spec": spec})

    def document(self, cluster: str) -> dict[str, Any]:
        """The YAML in the Secret."""
        secret = self.place.core(cluster).read_namespaced_secret(SECRET, NAMESPACE)
        return yaml.safe_load(base64.b64decode(secret.data["object-store.yaml"]))

    def role_arn(self) -> str:
        """The role of the Thanos with a role."""
        role = self.aws(self.role_cluster).client("iam").get_role(RoleName=f"thanos-{self.role_cluster}")
        return role["Role"]["Arn"]

    def key(self) -> dict[str, str]:
        """The key that the Thanos with a key reads."""
        config = self.document(self.key_cluster)["config"]
        return {"aws_access_key_id": config["access_key"], "aws_secret_access_key": config["secret_key"]}

    def works(self, key: dict[str, str]) -> bool:
        """Whether the bucket lets its folder be listed with a key."""
        state = self.place.sandbox.state
        s3 = boto3.client("s3", CLUSTER_REGION, endpoint_url=state["endpoint_url"], verify=state["ca_bundle"], **key)
        try:
            s3.list_objects_v2(Bucket=f"store-of-{self.bucket}", Prefix=f"{self.key_cluster}/")
        except s3.exceptions.ClientError:
            return False
        return True

    def keys(self) -> dict[str, str]:
        """Id and status of the keys of the Thanos with a key."""
        iam = self.aws(self.key_cluster).client("iam")
        found = iam.list_access_keys(UserName=f"thanos-{self.key_cluster}")["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in found}

    def aws(self, host: str) -> Any:
        """A connection of the host's account."""
        if host in self.place.clusters:
            return self.place.cluster_aws(host)
        return operator(self.place.sandbox, self.place.account(host), CLUSTER_REGION)

    def shared_with(self) -> str:
        """The policy of the bucket, which names those of other accounts who may use it."""
        return self.aws(self.bucket).client("s3").get_bucket_policy(Bucket=f"store-of-{self.bucket}")["Policy"]

    def objects(self) -> list[str]:
        """Keys in the bucket."""
        s3 = self.aws(self.bucket).client("s3")
        return [item["Key"] for item in s3.list_objects_v2(Bucket=f"store-of-{self.bucket}").get("Contents", [])]


@pytest.fixture(scope="module")
def story(sandbox: Sandbox) -> Story:
    return Story(sandbox)


def test_check_mode_predicts_what_the_run_then_makes(story: Story) -> None:
    assert story.first.ok, story.first.report
    assert story.predicted.writes == []
    assert story.predicted.kube_writes == []
    assert story.predicted.changed_steps == story.first.changed_steps
    assert story.predicted.changes == story.first.changes


def test_both_ways_are_proved(story: Story) -> None:
    for cluster in story.place.clusters:
        outcome = story.first.outcome(cluster)
        assert outcome["state"] == "done", outcome
        steps = {link["link"]: link["state"] for link in outcome["links"]}
        assert set(steps.values()) == {"ok"}, outcome["links"]
        assert {"list", "put", "get", "encryption", "multipart", "delete", "outside"} <= set(steps)
    assert "pods" in {link["link"] for link in story.first.outcome(story.role_cluster)["links"]}
    assert story.objects() == []


def test_each_cluster_reads_where_its_folder_is(story: Story) -> None:
    role, key = (story.secrets[cluster] for cluster in story.place.clusters)
    place = {"bucket": f"store-of-{story.bucket}", "endpoint": "s3.eu-west-1.amazonaws.com", "region": CLUSTER_REGION}
    assert role == {"type": "S3", "config": place, "prefix": story.role_cluster}
    secret = key["config"].pop("secret_key")
    assert key["config"].pop("access_key").startswith("AKIA")
    assert key == {"type": "S3", "config": {**place, "put_user_metadata": HEADERS}, "prefix": story.key_cluster}
    for run in (story.predicted, story.first, story.again):
        assert secret not in run.stdout + run.stderr


def test_the_pods_were_started_anew_once(story: Story) -> None:
    assert "start the pods anew of thanos-store" in story.first.outcome(story.role_cluster)["changes"]
    apps = client.AppsV1Api(story.place.kube(story.role_cluster))
    template = apps.read_namespaced_stateful_set("thanos-store", NAMESPACE).spec.template
    assert template.metadata.annotations["kubestrap.aws/object-store-checksum"]


def test_the_user_may_do_no_more_than_its_bucket_asks_for(story: Story) -> None:
    iam = story.aws(story.key_cluster).client("iam")
    name = f"thanos-{story.key_cluster}"
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["object-storage"]
    policy = iam.get_user_policy(UserName=name, PolicyName="object-storage")["PolicyDocument"]
    assert "s3:PutObjectAcl" in json.dumps(policy)
    role = story.aws(story.role_cluster).client("iam")
    policy = role.get_role_policy(RoleName=f"thanos-{story.role_cluster}", PolicyName="object-storage")
    assert "s3:PutObjectAcl" not in json.dumps(policy["PolicyDocument"])


def test_a_run_without_change_writes_nothing_and_takes_few_calls(story: Story) -> None:
    run = story.again
    assert run.ok, run.report
    assert run.kube_writes == []
    assert run.writes == []
    assert run.changes == {host: [] for host in run.changes}
    theirs = [call for call in run.calls if OTHER_ACCOUNT in f"{call['who']} {call['account_id']}"]
    counted = [call for call in run.calls if call["kind"] in ("read", "write") and call not in theirs]
    print(run.in_numbers(), [f"{call['service']}:{call['operation']}" for call in counted])
    assert len(counted) <= CALLS + CALLS_OF_A_KEY


def test_a_key_is_replaced_over_two_runs_and_a_lost_one_heals(story: Story) -> None:
    """There are never more than two keys, and the one in the Secret works after each run."""

    def run(**variables: Any) -> list[str]:
        ran = story.run(
            limit=f"{story.bucket},{story.key_cluster}",
            extra_vars={"thanos_object_store_key_max_age": 90, **variables},
        )
        outcome = ran.outcome(story.key_cluster)
        assert outcome["state"] == "done", outcome
        assert story.works(story.key())
        assert len(story.keys()) <= 2
        assert story.key()["aws_secret_access_key"] not in ran.stdout + ran.stderr
        return outcome["changes"]

    def age(key: dict[str, str], **hours: float) -> None:
        story.place.sandbox.control("access-keys", {"access_key_id": key["aws_access_key_id"], **hours})

    restart = "start the pods anew of thanos-store"
    first = story.key()
    age(first, created_hours_ago=24 * 91)
    assert run()[-1] == restart
    second = story.key()
    old, new = first["aws_access_key_id"], second["aws_access_key_id"]
    assert story.keys() == {old: "Active", new: "Active"}
    assert story.works(first), "until the pods have taken the second one"

    age(second, created_hours_ago=30)
    age(first, last_used_hours_ago=25)
    assert restart not in run()
    assert story.keys() == {old: "Inactive", new: "Active"}
    assert not story.works(first)

    run(thanos_object_store_key_settle_hours=0)
    assert story.keys() == {new: "Active"}

    nothing = {"data": {"object-store.yaml": None}}
    story.place.core(story.key_cluster).patch_namespaced_secret(SECRET, NAMESPACE, nothing)
    assert restart in run()
    assert story.key() != second


def test_verify_looks_at_thanos_and_names_pods_that_work_as_their_node(story: Story) -> None:
    place, core = story.place, story.place.core(story.role_cluster)
    well = place.run("verify")
    assert well.ok, well.report
    assert {well.outcome(host)["state"] for host in (story.bucket, *place.clusters)} == {"fits"}
    assert well.links(story.role_cluster)["pods"] == "ok"
    assert "access key" in well.links(story.key_cluster)

    # A chart that makes its account anew, and pods that start before anybody has annotated it.
    nothing = {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": None}}}
    core.patch_namespaced_service_account("thanos-store", NAMESPACE, nothing)
    core.delete_namespaced_pod("thanos-store-0", NAMESPACE, grace_period_seconds=0)
    running(core, "thanos-store-0")
    iam = story.aws(story.key_cluster).client("iam")
    iam.put_user_policy(
        UserName=f"thanos-{story.key_cluster}",
        PolicyName="object-storage",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [DENY_ALL]}),
    )
    broken = place.run("verify")
    assert broken.rc == 2, broken.report
    assert [write for write in broken.writes if "/kubestrap-probe/" not in write] == []
    assert broken.kube_writes == []
    assert {broken.outcome(host)["state"] for host in place.clusters} == {"denied"}
    assert "has no AWS_ROLE_ARN, so that it calls AWS as the node" in broken.notes(story.role_cluster)
    assert broken.outcome(story.role_cluster)["changes"]
    assert broken.links(story.key_cluster)["list"] == "failed"

    # The key's policy comes back by a run. Pods are for the user to restart, as the notes say.
    role = {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": story.role_arn()}}}
    core.patch_namespaced_service_account("thanos-store", NAMESPACE, role)
    core.delete_namespaced_pod("thanos-store-0", NAMESPACE, grace_period_seconds=0)
    running(core, "thanos-store-0")
    healed = story.run()
    assert {healed.outcome(host)["state"] for host in place.clusters} == {"done"}


def running(core: client.CoreV1Api, name: str) -> None:
    """Wait until a pod that was deleted is there again."""
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(client.ApiException):
            pod = core.read_namespaced_pod(name, NAMESPACE)
            if not pod.metadata.deletion_timestamp and pod.status.phase == "Running":
                return
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_mistakes_of_all_hosts_are_named_before_the_first_write(story: Story) -> None:
    place = story.place
    inventory = place.inventory()
    one, two = (inventory["clusters"]["hosts"][cluster] for cluster in place.clusters)
    inventory["clusters"]["hosts"] = {
        story.role_cluster: {
            **one,
            "thanos_object_store_bucket": "nowhere",
            "thanos_object_store_service_accounts": [],
        },
        story.key_cluster: {
            **two,
            "thanos_object_store_settings": {"part_sise": 5},
            # Somebody's databases have their backups in the bucket, which is to be taken away.
            "stackgres_backup_clusters": [{"name": "orders", "namespace": "databases", "bucket": story.bucket}],
        },
    }
    inventory["buckets"]["hosts"][story.bucket] = {**place.vars[story.bucket], "workload_storage_state": "absent"}
    run = place.run("thanos_object_store", inventory=inventory)
    assert not run.ok
    assert "thanos_object_store_bucket: 'nowhere' is no host of the group buckets" in run.report
    assert "thanos_object_store_service_accounts: '[]' is empty" in run.report
    assert "thanos_object_store_settings.part_sise" in run.report
    assert f"while SGClusters of {story.key_cluster} have it for their backups" in run.report
    assert run.writes == []


def test_a_key_that_is_given_is_used_and_proved_and_left_alone(story: Story) -> None:
    """It is in a Secret of the user's; its user is let into the bucket by name."""
    place, iam = story.place, story.aws(story.key_cluster).client("iam")
    user = iam.create_user(UserName="theirs")["User"]["Arn"]
    allowed = {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="theirs", PolicyName="all", PolicyDocument=document)
    pair = iam.create_access_key(UserName="theirs")["AccessKey"]
    core = place.core(story.key_cluster)
    core.create_namespace({"metadata": {"name": "given"}})
    secret = {"AWS_ACCESS_KEY_ID": pair["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": pair["SecretAccessKey"]}
    core.create_namespaced_secret("given", {"metadata": {"name": "mine"}, "stringData": secret})
    inventory = place.inventory()
    bucket, cluster = (groups["hosts"] for groups in (inventory["buckets"], inventory["clusters"]))
    bucket[story.bucket] = {
        **bucket[story.bucket],
        "workload_storage_shared_with": [{"role_arn": user, "prefix": story.key_cluster}],
    }
    cluster[story.key_cluster] = {
        **cluster[story.key_cluster],
        "thanos_object_store_namespace": "given",
        "thanos_object_store_key_secret": {"name": "mine"},
        "thanos_object_store_settings": {},
    }
    run = place.run("thanos_object_store", inventory=inventory)
    assert run.ok, run.report
    assert run.outcome(story.key_cluster)["state"] == "done", run.outcome(story.key_cluster)
    found = yaml.safe_load(base64.b64decode(core.read_namespaced_secret(SECRET, "given").data["object-store.yaml"]))
    assert found["config"]["access_key"] == pair["AccessKeyId"]
    cluster[story.key_cluster]["thanos_object_store_state"] = "absent"
    gone = place.run("thanos_object_store", inventory=inventory)
    assert gone.ok, gone.report
    assert [key["Status"] for key in iam.list_access_keys(UserName="theirs")["AccessKeyMetadata"]] == ["Active"]
    assert core.read_namespaced_secret("mine", "given")
    again = place.run("thanos_object_store")
    assert again.ok, again.report


def test_a_run_with_a_part_of_the_clusters_takes_nothing_from_the_others(story: Story) -> None:
    run = story.run(limit=f"{story.bucket},{story.role_cluster}")
    assert run.changes == {host: [] for host in (story.bucket, story.role_cluster)}
    assert run.writes == []
    assert OTHER_ACCOUNT in story.shared_with()
    alone = story.place.run("thanos_object_store", limit=story.role_cluster)
    assert not alone.ok
    assert f"The bucket of {story.bucket} was not made in this run" in alone.notes(story.role_cluster)
    assert "name it in --limit too" in alone.notes(story.role_cluster)


def test_a_cluster_whose_bucket_is_described_needs_no_host_for_it(story: Story) -> None:
    """A bucket of somebody else, or a slice without it; the bucket's owner lets the role in."""
    place = story.place
    kms = story.aws(story.bucket).client("kms")
    described = {
        "bucket": f"store-of-{story.bucket}",
        "region": CLUSTER_REGION,
        "partition": "aws",
        "account_id": place.account(story.bucket),
        "encryption": "aws:kms",
        "kms_key_arn": kms.describe_key(KeyId=f"alias/store-of-{story.bucket}")["KeyMetadata"]["Arn"],
    }
    host = {**place.vars[story.role_cluster], "thanos_object_store_storage": described}
    del host["thanos_object_store_bucket"]
    run = story.run(inventory={"clusters": {"hosts": {story.role_cluster: host}}})
    assert run.outcome(story.role_cluster)["state"] == "done", run.outcome(story.role_cluster)
    assert run.writes == []


@pytest.mark.parametrize(
    ("limited", "wrong", "said"),
    [
        (True, {"workload_storage_purge_shared_with": True}, "clusters that are not part of this run would lose their"),
        (True, {"workload_storage_state": "absent"}, "uses it, which this run leaves out"),
        (
            False,
            {"workload_storage_purge_shared_with": True, "kubecost_federated_storage_bucket": "BUCKET"},
            "names it as kubecost_federated_storage_bucket, and would lose its place",
        ),
        (
            False,
            {
                "workload_storage_shared_with": [
                    {"role_arn": f"arn:aws:iam::{i}:role/{'r' * 60}"} for i in range(10**11, 10**11 + 90)
                ]
            },
            "characters with the 92 roles that share it, and S3 allows 20480",
        ),
    ],
)
def test_what_would_take_something_from_others_is_refused(
    story: Story, limited: bool, wrong: dict[str, Any], said: str
) -> None:
    place = story.place
    variables = {name: story.bucket if value == "BUCKET" else value for name, value in wrong.items()}
    limit = {"limit": f"{story.bucket},{story.role_cluster}"} if limited else {}
    run = place.run("thanos_object_store", extra_vars=variables, **limit)
    assert not run.ok
    assert said in run.report
    assert run.writes == []


def test_a_cluster_that_leaves_has_no_way_to_the_bucket_any_more(story: Story) -> None:
    place = story.place
    place.vars[story.key_cluster]["thanos_object_store_state"] = "absent"
    run = place.run("thanos_object_store")
    assert run.ok, run.report
    assert run.outcome(story.role_cluster)["state"] == "done"
    # Whom nobody takes away stays: the user of the key that was given.
    assert OTHER_ACCOUNT not in story.shared_with().replace(GIVEN_USER, "").replace(f"{OTHER_ACCOUNT}:root", "")
    purged = place.run("thanos_object_store", extra_vars={"workload_storage_purge_shared_with": True})
    assert purged.ok, purged.report
    assert OTHER_ACCOUNT not in story.shared_with()
    assert story.role_cluster in story.shared_with()
    iam = story.aws(story.key_cluster).client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_user(UserName=f"thanos-{story.key_cluster}")
    secrets = place.core(story.key_cluster).list_namespaced_secret(NAMESPACE).items
    assert SECRET not in [secret.metadata.name for secret in secrets]


def test_a_teardown_leaves_the_bucket_until_it_is_said_that_its_data_may_go(story: Story) -> None:
    place = story.place
    s3 = story.aws(story.bucket).client("s3")
    s3.put_object(Bucket=f"store-of-{story.bucket}", Key="block", Body=b"1")
    partly = place.run("teardown", limit=f"{story.bucket},{story.key_cluster}")
    assert not partly.ok
    assert f"cannot be while {story.role_cluster} uses it, which this run leaves out" in partly.report
    assert partly.writes == []

    predicted, kept = (place.run("teardown", check=check) for check in (True, False))
    assert kept.ok, kept.report
    assert (predicted.changes, predicted.writes) == (kept.changes, [])
    assert story.objects() == ["block"]
    assert "Kept: " in kept.notes(story.bucket)
    iam = story.aws(story.role_cluster).client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=f"thanos-{story.role_cluster}")

    end = place.run("teardown", extra_vars={"workload_storage_delete_data": True})
    assert end.ok, end.report
    assert end.changes == {**dict.fromkeys(place.clusters, []), story.bucket: end.changes[story.bucket]}
    assert s3.list_buckets()["Buckets"] == []


def test_the_inventory_of_the_page_is_understood(story: Story) -> None:
    """A dry run of it, with the accounts of the sandbox."""
    place = story.place
    (inventory,) = inventories("guide_object_storage")
    groups = inventory["all"]["children"]
    (bucket,) = groups["buckets"]["hosts"].values()
    (cluster,) = groups["clusters"]["hosts"].values()
    bucket |= {name: place.vars[story.bucket][name] for name in ("kubestrap_aws_profile", "kubestrap_account_id")}
    cluster |= {
        name: place.vars[story.role_cluster][name] for name in ("kubestrap_aws_profile", "kubestrap_eks_cluster_name")
    }
    core = place.core(story.role_cluster)
    core.create_namespaced_service_account(NAMESPACE, {"metadata": {"name": "thanos-compact"}})
    run = place.run("thanos_object_store", inventory=groups, check=True)
    assert run.ok, run.report
    assert run.outcome("prod-eu")["changes"]
