# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of StackGres in other places: another account with a KMS key, another region, another endpoint, old backups.

One list of SGClusters, which do not meet; each has a situation of its own. Then their keys are replaced.
"""

from __future__ import annotations

import base64
from typing import Any

import boto3
import pytest
from integration.both_ways import DENIED, code
from integration.databases import NAMESPACE, PLAIN, Databases, until
from integration.installation import CLUSTER_REGION, Installation
from integration.world import AwsConnection, operator
from sandbox.client import Sandbox

NUMBER, STAGING, FAR_REGION = 58, "staging", "us-east-1"
KEYED = {"identity_method": "access_key"}
ENDPOINT = "https://bucket.vpce-0123456789abcdef0.s3.eu-west-1.vpce.amazonaws.com"
PROVED = {"restart": True, "backup_now": True}


class Story(Databases):
    """The runs, in their order.

    :ivar locked: host of a bucket of another account, with a KMS key of its own and versions
    :ivar far: host of a bucket in another region
    :ivar near: host of a bucket of the cluster's account
    :ivar first: the run over all, from nothing
    """

    def __init__(self, sandbox: Sandbox) -> None:
        place = Installation(sandbox, "places", number=NUMBER, payers=0, clusters=1, buckets=3)
        super().__init__(place)
        self.locked, self.far, self.near = place.buckets
        place.vars[self.locked] |= {
            "workload_storage_encryption": "aws:kms",
            "workload_storage_versioning": "Enabled",
            "workload_storage_noncurrent_version_expiration_days": 7,
        }
        for host in (self.far, self.near):
            place.vars[host] |= {
                "kubestrap_aws_profile": place.vars[self.cluster]["kubestrap_aws_profile"],
                "kubestrap_account_id": place.cluster_account,
            }
        place.vars[self.far]["kubestrap_aws_region"] = FAR_REGION
        place.vars[self.cluster] |= {
            "stackgres_backup_bucket": self.near,
            "stackgres_backup_key_max_age": 90,
            "stackgres_backup_clusters": self.entries(),
        }
        sandbox.stackgres(self.cluster)
        for namespace in (NAMESPACE, STAGING):
            self.core.create_namespace({"metadata": {"name": namespace}})
        authority = {"metadata": {"name": "authority"}, "stringData": {"ca.crt": "a certificate", "sodium": "a key"}}
        self.core.create_namespaced_secret(NAMESPACE, authority)
        for entry in self.entries():
            self.make("sgclusters", entry["name"], PLAIN, entry["namespace"])
        for entry in self.entries():
            pod = f"{entry['name']}-0"
            until(lambda pod=pod, entry=entry: self.runs(pod, entry["namespace"]), f"{pod} does not run")
        self.first = self.run()

    def entries(self) -> list[dict[str, Any]]:
        """What is in the inventory."""
        named: dict[str, dict[str, Any]] = {
            "locked": {"bucket": f"s3://store-of-{self.locked}/prod", **PROVED},
            "far": {"bucket": self.far, "other_region": "custom_env", **PROVED},
            "compatible": {
                **KEYED,
                "type": "s3Compatible",
                "endpoint": ENDPOINT,
                "path_style": True,
                "ca_certificate": {"name": "authority", "key": "ca.crt"},
                "encryption": {"method": "sodium", "key": {"name": "authority", "key": "sodium"}},
                "backup_now": True,
            },
            "copy": {
                "namespace": STAGING,
                "restart": True,
                "restore_from": [
                    {"name": "locked", "namespace": NAMESPACE, "bucket": self.locked, "prefix": "prod"},
                ],
            },
            "kept": KEYED,
            "lost": KEYED,
        }
        secrets = {
            name: {"secret": {"name": f"{name}-key"}} for name, one in named.items() if one.items() >= KEYED.items()
        }
        return [{"name": name, "namespace": NAMESPACE, **secrets.get(name, {}), **one} for name, one in named.items()]

    # --- keys

    def pair(self, name: str) -> dict[str, str]:
        """The key in the Secret of an SGCluster."""
        data = self.core.read_namespaced_secret(f"{name}-key", NAMESPACE).data or {}
        texts = {key: base64.b64decode(value).decode() for key, value in data.items()}
        return {"aws_access_key_id": texts["accessKeyId"], "aws_secret_access_key": texts["secretAccessKey"]}

    def works(self, name: str, pair: dict[str, str]) -> bool:
        """Whether the bucket lets the folder of an SGCluster be listed with a key."""
        state = self.place.sandbox.state
        s3 = boto3.client("s3", CLUSTER_REGION, endpoint_url=state["endpoint_url"], verify=state["ca_bundle"], **pair)
        prefix = f"sgbackups.stackgres.io/{NAMESPACE}/{name}/"
        return not code(lambda: s3.list_objects_v2(Bucket=f"store-of-{self.near}", Prefix=prefix))

    def keys(self, name: str) -> dict[str, str]:
        """Id and status of the keys of an SGCluster's user."""
        found = self.aws.client("iam").list_access_keys(UserName=self.user(name))["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in found}

    def user(self, name: str) -> str:
        """The user of an SGCluster."""
        return f"stackgres-{self.cluster}-{NAMESPACE}-{name}"

    def age(self, key_id: str, **hours: float) -> None:
        """Make a key older."""
        self.place.sandbox.control("access-keys", {"access_key_id": key_id, **hours})

    # --- roles

    def pods_of(self, name: str, namespace: str) -> AwsConnection:
        """A connection with the role of an SGCluster, taken with the token of its pods."""
        wanted = {"spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}}
        made = self.core.create_namespaced_service_account_token(f"{name}-patroni", namespace, wanted)
        answer = self.aws.client("sts").assume_role_with_web_identity(
            RoleArn=self.role_arn(name, namespace), RoleSessionName="wal-g", WebIdentityToken=made.status.token
        )
        return self.aws.with_credentials(answer["Credentials"])


@pytest.fixture(scope="module")
def story(sandbox: Sandbox) -> Story:
    return Story(sandbox)


def test_each_of_them_is_proved_and_makes_a_backup_where_that_is_asked_for(story: Story) -> None:
    for entry in story.entries():
        outcome = story.outcome(story.first, entry["name"], entry["namespace"])
        assert outcome["state"] == "done", outcome
        assert {link["state"] for link in outcome["links"]} == {"ok"}, outcome["links"]
        backups = {row[0]: row[1] for row in outcome["proof"] if row[0].startswith("backup ")}
        assert list(backups.values()) == ["Completed"] * bool(entry.get("backup_now"))


def test_a_key_of_the_buckets_own_encrypts_and_only_who_keeps_backups_there_may_use_it(story: Story) -> None:
    owner = operator(story.place.sandbox, story.place.account(story.locked), CLUSTER_REGION)
    s3, bucket = owner.client("s3"), f"store-of-{story.locked}"
    folder = f"prod/sgbackups.stackgres.io/{NAMESPACE}/locked/"
    made = s3.list_objects_v2(Bucket=bucket, Prefix=folder)["Contents"]
    head = s3.head_object(Bucket=bucket, Key=made[0]["Key"])
    assert head["ServerSideEncryption"] == "aws:kms"
    policy = story.aws.client("iam").get_role_policy(
        RoleName=story.role_arn("locked").rpartition("/")[2], PolicyName="stackgres-backup"
    )["PolicyDocument"]
    (key,) = [each for each in policy["Statement"] if each["Sid"] == "UseBackupKey"]
    assert (sorted(key["Action"]), key["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], head["SSEKMSKeyId"])
    # The bucket was written with a scheme and a folder, and the policy follows.
    assert story.get("sgobjectstorages", "locked-backups")["spec"]["s3"]["bucket"] == f"{bucket}/prod"
    (objects,) = [each for each in policy["Statement"] if each["Sid"] == "BackupObjects"]
    assert objects["Resource"] == [f"arn:aws:s3:::{bucket}/{folder}*"]
    # With versions WAL-G 3.0.8 removes them too.
    assert "s3:DeleteObjectVersion" in str(policy)
    users = owner.client("kms").get_key_policy(KeyId=head["SSEKMSKeyId"], PolicyName="default")["Policy"]
    for name, namespace, named in (("locked", NAMESPACE, True), ("copy", STAGING, True), ("far", NAMESPACE, False)):
        assert (story.role_arn(name, namespace) in users) == named


def test_a_bucket_of_another_region_has_its_region_written_into_the_pods(story: Story) -> None:
    spec = story.get("sgclusters", "far")["spec"]
    assert spec["pods"]["customEnv"] == {"patroni": [{"name": "AWS_REGION", "value": FAR_REGION}]}
    environment = story.environment("far-0")
    assert (environment["AWS_REGION"], environment["AWS_ROLE_ARN"]) == (FAR_REGION, story.role_arn("far"))
    assert story.environment("locked-0")["AWS_REGION"] == CLUSTER_REGION


def test_another_endpoint_has_keys_and_no_role(story: Story) -> None:
    storage = story.get("sgobjectstorages", "compatible-backups")["spec"]
    assert storage["type"] == "s3Compatible"
    block = storage["s3Compatible"]
    assert (block["endpoint"], block["enablePathStyleAddressing"]) == (ENDPOINT, True)
    selectors = block["awsCredentials"]["secretKeySelectors"]
    assert selectors == {
        "accessKeyId": {"name": "compatible-key", "key": "accessKeyId"},
        "secretAccessKey": {"name": "compatible-key", "key": "secretAccessKey"},
        "caCertificate": {"name": "authority", "key": "ca.crt"},
    }
    assert "useIAMRole" not in block["awsCredentials"]
    # WAL-G encrypts before it uploads.
    assert storage["encryption"]["method"] == "sodium"
    assert storage["encryption"]["sodium"]["key"] == {"name": "authority", "key": "sodium"}


def test_a_new_database_reads_old_backups_of_another_account_and_writes_only_its_own(story: Story) -> None:
    s3 = story.pods_of("copy", STAGING).client("s3")
    old, backups = {"Bucket": f"store-of-{story.locked}"}, "sgbackups.stackgres.io"
    folder = f"prod/{backups}/{NAMESPACE}/locked"
    (found, *_rest) = s3.list_objects_v2(**old, Prefix=f"{folder}/")["Contents"]
    assert s3.get_object(**old, Key=found["Key"])["Body"].read()
    forbidden = {
        "write": lambda: s3.put_object(**old, Key=f"{folder}/x", Body=b"x"),
        "delete": lambda: s3.delete_object(**old, Key=found["Key"]),
        "list the others": lambda: s3.list_objects_v2(**old, Prefix=f"prod/{backups}/{NAMESPACE}/"),
        "write beside": lambda: s3.put_object(**old, Key=f"prod/{backups}/{STAGING}/copy/x", Body=b"x"),
    }
    assert {what for what, call in forbidden.items() if code(call) not in DENIED} == set()
    own = {"Bucket": f"store-of-{story.near}", "Key": f"{backups}/{STAGING}/copy/x"}
    assert code(lambda: s3.put_object(**own, Body=b"x")) == ""
    # The old one cannot read what the new one writes.
    assert code(lambda: story.pods_of("locked", NAMESPACE).client("s3").get_object(**own)) in DENIED


def test_keys_are_replaced_over_two_runs_and_a_lost_one_heals(story: Story) -> None:
    """`compatible` has an old key; `kept` one that was replaced before; the Secret of `lost` is empty."""
    iam = story.aws.client("iam")
    first = {name: story.pair(name) for name in ("compatible", "kept", "lost")}
    ids = {name: pair["aws_access_key_id"] for name, pair in first.items()}
    story.age(ids["compatible"], created_hours_ago=24 * 91)
    replaced = iam.create_access_key(UserName=story.user("kept"))["AccessKey"]["AccessKeyId"]
    story.age(replaced, created_hours_ago=24 * 100, last_used_hours_ago=25)
    story.age(ids["kept"], created_hours_ago=30)
    story.core.patch_namespaced_secret("lost-key", NAMESPACE, {"data": {"secretAccessKey": None}})
    entries = [{**entry, "backup_now": False} for entry in story.entries() if entry["name"] in first]

    def run(**variables: Any) -> dict[str, dict[str, str]]:
        ran = story.run(entries=entries, extra_vars=variables)
        pairs = {name: story.pair(name) for name in first}
        for name, pair in pairs.items():
            outcome = story.outcome(ran, name)
            assert outcome["state"] == "done", outcome
            assert outcome["access_key_id"] == pair["aws_access_key_id"]
            assert story.works(name, pair)
            assert pair["aws_secret_access_key"] not in ran.stdout + ran.stderr
        return pairs

    second = run()
    new = second["compatible"]["aws_access_key_id"]
    assert story.keys("compatible") == {ids["compatible"]: "Active", new: "Active"}
    assert story.works("compatible", first["compatible"]), "until StackGres has taken the new one"
    assert story.keys("kept") == {ids["kept"]: "Active", replaced: "Inactive"}
    assert story.keys("lost") == {ids["lost"]: "Active", second["lost"]["aws_access_key_id"]: "Active"}

    story.age(new, created_hours_ago=30)
    story.age(ids["compatible"], last_used_hours_ago=25)
    story.age(second["lost"]["aws_access_key_id"], created_hours_ago=30)
    story.age(ids["lost"], last_used_hours_ago=25)
    third = run(stackgres_backup_key_settle_hours=0)
    assert third == second
    assert story.keys("compatible") == {ids["compatible"]: "Inactive", new: "Active"}
    assert not story.works("compatible", first["compatible"])
    assert story.keys("kept") == {ids["kept"]: "Active"}
    assert story.keys("lost") == {ids["lost"]: "Inactive", second["lost"]["aws_access_key_id"]: "Active"}
