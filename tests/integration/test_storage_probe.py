# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of object_storage_probe: it proves what works, leaves nothing behind, and names the cause of each refusal.

One part is broken at a time, and mended afterwards.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from integration.world import CLUSTER, CLUSTER_REGION, PAYER, World, policies, storage_policies, text, trust
from sandbox.client import Sandbox

NAMES = ("prometheus-server", "thanos-store")
WHERE = {"CreateBucketConfiguration": {"LocationConstraint": CLUSTER_REGION}}
BUCKET, PREFIX = "proof-storage", "prod-eu"
STEPS = ["list", "region", "missing", "put", "get", "encryption", "multipart", "delete", "outside"]
CHAIN = ["service_account", "token", "trust", "role"]


class StorageWorld(World):
    """A bucket with its key, a role that two ServiceAccounts take, and an IAM user with an access key."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox, "storage-proof")
        self.s3, self.iam = self.cluster.client("s3"), self.cluster.client("iam")
        self.kms = self.cluster.client("kms")
        self.key_arn = self.kms.create_key(Policy=text(key_policy()))["KeyMetadata"]["Arn"]
        self.role_name = self.workload_arn.rsplit("/", 1)[-1]
        self.user_arn = f"arn:aws:iam::{CLUSTER}:user/storage-proof"

    def make(self) -> None:
        self.make_provider()
        self.s3.create_bucket(Bucket=BUCKET, **WHERE)
        self.encrypt(BUCKET)
        subjects = [trust.subject(self.namespace, name) for name in NAMES]
        self.iam.create_role(RoleName=self.role_name, AssumeRolePolicyDocument=text(self.irsa(*subjects)))
        self.grant(self.statements())
        place = ("api", "v1", "namespaces")
        self.kube().post(*place, body={"kind": "Namespace", "metadata": {"name": self.namespace}})
        for name in NAMES:
            metadata = {"name": name, "annotations": {"eks.amazonaws.com/role-arn": self.workload_arn}}
            body = {"kind": "ServiceAccount", "metadata": metadata}
            self.kube().post(*place, self.namespace, "serviceaccounts", body=body)
        self.iam.create_user(UserName="storage-proof")
        document = text(self.statements())
        self.iam.put_user_policy(UserName="storage-proof", PolicyName="storage", PolicyDocument=document)
        self.pair = self.iam.create_access_key(UserName="storage-proof")["AccessKey"]

    def encrypt(self, bucket: str) -> None:
        """The bucket's default encryption is the key."""
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key_arn}}
        configuration = {"Rules": [rule | {"BucketKeyEnabled": True}]}
        self.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=configuration)

    def statements(self, bucket: str = BUCKET, **options: Any) -> list[dict[str, Any]]:
        """What the workload needs."""
        given = {"bucket": bucket, "partition": "aws", "prefix": PREFIX, "key_arn": self.key_arn} | options
        return storage_policies.object_storage_workload(**given)

    def grant(self, statements: list[dict[str, Any]]) -> None:
        """What the role may do."""
        self.iam.put_role_policy(RoleName=self.role_name, PolicyName="storage", PolicyDocument=text(statements))

    def put_secret(self, name: str, yaml: str) -> None:
        """An object store's configuration as a Secret."""
        data = {"object-store.yaml": base64.b64encode(yaml.encode()).decode()}
        body = {"kind": "Secret", "metadata": {"name": name}, "data": data}
        self.kube().post("api", "v1", "namespaces", self.namespace, "secrets", body=body)

    def versions(self, bucket: str) -> list[str]:
        """Keys of all versions and delete markers, those of unfinished uploads too."""
        listed = self.s3.list_object_versions(Bucket=bucket)
        uploads = self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", []), *uploads]
        return [item["Key"] for item in found]


def key_policy(*statements: dict[str, Any]) -> list[dict[str, Any]]:
    """The key is left to IAM."""
    account = {"AWS": f"arn:aws:iam::{CLUSTER}:root"}
    left = {"Sid": "Account", "Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"}
    return [left, *statements]


@pytest.fixture(scope="module")
def world(sandbox: Sandbox) -> StorageWorld:
    """Everything in its place."""
    made = StorageWorld(sandbox)
    made.make()
    return made


@pytest.fixture(autouse=True)
def _nothing_is_left(world: StorageWorld) -> Iterator[None]:
    yield
    assert world.versions(BUCKET) == []


def prove(world: StorageWorld, check_mode: bool = False, by: Any = None, **changes: Any) -> dict[str, Any]:
    """The proof of all that is in the world, by ServiceAccounts unless it says by which key."""
    from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_storage
    from ansible_collections.kubestrap.aws.plugins.module_utils._key_pair import KeyPair
    from ansible_collections.kubestrap.aws.plugins.module_utils._probe_storage_place import Storage

    storage = {
        "bucket": BUCKET,
        "region": CLUSTER_REGION,
        "prefix": PREFIX,
        "prefix_enforced": True,
        "encryption": "aws:kms",
        "kms_key_arn": world.key_arn,
        "owner": CLUSTER,
    }
    storage |= {name: changes.pop(name) for name in list(changes) if name in Storage.__dataclass_fields__}
    pair = changes.pop("pair", None)
    if not pair and "key_secret" not in changes:
        changes = {"service_accounts": NAMES, "role_arn": world.workload_arn} | changes
    claim = _probe_storage.StorageClaim(
        storage=Storage(**storage), namespace=world.namespace, pair=pair and KeyPair(*pair), **changes
    )
    return _probe_storage.prove_storage(by or world.cluster, world.kube(), claim, check_mode)


def own_pair(world: StorageWorld) -> tuple[str, str]:
    return world.pair["AccessKeyId"], world.pair["SecretAccessKey"]


def states(proof: dict[str, Any]) -> dict[str, str]:
    """Link -> state; of links with several identities the last one."""
    return {link["link"]: link["state"] for link in proof["links"]}


def broken(proof: dict[str, Any], name: str, cause: str, change: str) -> dict[str, Any]:
    """The link failed for this cause; nothing stayed."""
    link = next(link for link in proof["links"] if link["link"] == name and link["state"] not in ("ok", "skipped"))
    assert proof["state"] == "failed", proof["links"]
    assert cause in link["cause"], link
    assert change in link["change"], link
    assert proof["left"] == []
    return link


# --- what works


def test_every_service_account_is_proved(world: StorageWorld) -> None:
    mark = world.sandbox.mark()
    proof = prove(world)
    calls = world.sandbox.calls(since=mark)

    assert proof["state"] == "proved", proof["links"]
    assert [link["link"] for link in proof["links"]] == [*CHAIN, *CHAIN, *STEPS]
    assert {link["state"] for link in proof["links"]} == {"ok"}
    whose = [f"{world.namespace}:{name}" for name in NAMES]
    assert [link["identity"] for link in proof["links"]] == [whose[0]] * 4 + [whose[1]] * 4 + [whose[0]] * 9
    assert f":assumed-role/{world.role_name}/" in proof["caller_arn"]
    assert proof["left"] == []
    assert [call["operation"] for call in calls if call["service"] == "s3"] == [
        "ListObjectsV2", "GetObject", "PutObject", "GetObject", "CreateMultipartUpload", "UploadPart",
        "AbortMultipartUpload", "DeleteObject", "PutObject",
    ]  # fmt: skip
    assert {call["who"].split("/")[1] for call in calls if call["service"] == "s3"} == {world.role_name}
    others = [call["operation"] for call in calls if call["service"] != "s3"]
    assert sorted(others) == ["AssumeRoleWithWebIdentity", "AssumeRoleWithWebIdentity", "GetRole"]


def test_in_check_mode_nothing_is_written(world: StorageWorld) -> None:
    mark = world.sandbox.mark()
    proof = prove(world, check_mode=True)
    calls = world.sandbox.calls(since=mark)
    assert proof["state"] == "proved", proof["links"]
    assert Sandbox.count(calls, kind="write") == 0
    assert [call["operation"] for call in calls if call["service"] == "s3"] == ["ListObjectsV2", "GetObject"]
    put = next(link for link in proof["links"] if link["link"] == "put")
    assert put["state"] == "skipped"
    assert "allow s3:PutObject" in put["detail"]
    # What an earlier task may be about to make.
    world.grant([s for s in world.statements() if s["Sid"] != "StorageObjects"])
    try:
        waiting = prove(world, check_mode=True)
        assert (waiting["state"], states(waiting)["put"]) == ("pending", "pending")
        assert states(prove(world, check_mode=True, bucket="proof-not-made-yet"))["list"] == "pending"
    finally:
        world.grant(world.statements())


def test_what_writes_nothing_still_fails_where_a_right_is_missing(world: StorageWorld) -> None:
    mark = world.sandbox.mark()
    assert prove(world, write=False)["state"] == "proved"
    world.grant([s for s in world.statements() if s["Sid"] != "StorageObjects"])
    try:
        refused = prove(world, write=False)
        assert (refused["state"], states(refused)["put"]) == ("failed", "failed")
    finally:
        world.grant(world.statements())
    assert not [call for call in world.sandbox.calls(since=mark) if call["kind"] == "write" and call["service"] == "s3"]


def test_an_access_key_and_one_from_a_secret(world: StorageWorld) -> None:
    access_key, secret_key = own_pair(world)
    proof = prove(world, pair=(access_key, secret_key))
    assert proof["state"] == "proved", proof["links"]
    assert list(states(proof)) == ["access_key", *STEPS]
    assert proof["caller_arn"] == world.user_arn

    world.put_secret("thanos", f"type: S3\nconfig:\n  access_key: {access_key}\n  secret_key: {secret_key}\n")
    named = prove(world, key_secret={"name": "thanos", "key": "object-store.yaml"})
    assert named["state"] == "proved", named["links"]
    assert {link["identity"] for link in named["links"]} == {"storage-proof/thanos"}
    for made in (proof, named):
        assert secret_key not in json.dumps(made)


@pytest.mark.parametrize("locked", [False, True], ids=["versioned", "locked"])
def test_what_a_bucket_keeps_is_swept_or_told(world: StorageWorld, locked: bool) -> None:
    bucket = f"proof-{'locked' if locked else 'versioned'}"
    world.s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=locked, **WHERE)
    world.encrypt(bucket)
    if locked:
        retention = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}
        world.s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=retention)
    else:
        world.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    world.grant(world.statements(bucket))
    try:
        proof = prove(world, bucket=bucket)
    finally:
        world.grant(world.statements())
    assert proof["state"] == "proved", proof["links"]
    delete = next(link for link in proof["links"] if link["link"] == "delete")
    if not locked:
        assert proof["left"] == []
        assert "its versions with the task's own rights" in delete["detail"]
        assert world.versions(bucket) == []
        return
    assert [item["key"].split("/")[:2] for item in proof["left"]] == [[PREFIX, "kubestrap-probe"]]
    assert "object lock keeps it until 20" in proof["left"][0]["reason"]
    assert "object lock keeps it" in delete["detail"]
    # The delete marker stays too: without it the probe would be seen again.
    assert "Contents" not in world.s3.list_objects_v2(Bucket=bucket)


def test_what_the_workload_sends_with_its_uploads(world: StorageWorld) -> None:
    acl = {"ACL": "bucket-owner-full-control"}
    broken(prove(world, sent=acl), "put", "allows s3:PutObjectAcl", "object_storage_workload")
    world.grant(world.statements(put_object_acl=True))
    try:
        assert prove(world, sent=acl)["state"] == "proved"
        broken(prove(world, sent={"ACL": "private"}), "put", "ACLs are off in the bucket", "X-Amz-Acl")
    finally:
        world.grant(world.statements())


# --- the running pods

LABELS = {"app": "thanos"}


def make_pod(world: StorageWorld, name: str, account: str) -> dict[str, Any]:
    """A running pod of the workload."""
    place = ("api", "v1", "namespaces", world.namespace, "pods")
    spec = {"serviceAccountName": account, "containers": [{"name": "main", "image": "registry.example/thanos:1"}]}
    world.kube().post(*place, body={"kind": "Pod", "metadata": {"name": name, "labels": LABELS}, "spec": spec})
    deadline = time.monotonic() + 60
    while (found := world.kube().get(*place, name))["status"].get("phase") != "Running":
        assert time.monotonic() < deadline, found["status"]
        time.sleep(0.1)
    return found


def pods_of(proof: dict[str, Any]) -> dict[str, dict[str, str]]:
    """ServiceAccount -> its link ``pods``."""
    return {link["identity"].partition(":")[2]: link for link in proof["links"] if link["link"] == "pods"}


def test_a_pod_that_uses_the_role_of_its_node_is_named_with_the_cause(world: StorageWorld) -> None:
    right, late, plain, unused = NAMES[0], "thanos-late", "thanos-plain", NAMES[1]
    place = ("api", "v1", "namespaces", world.namespace, "serviceaccounts")
    for name in (late, plain):
        world.kube().post(*place, body={"kind": "ServiceAccount", "metadata": {"name": name, "labels": LABELS}})
        made = make_pod(world, f"pod-of-{name}", name)
    while time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) <= made["metadata"]["creationTimestamp"]:
        time.sleep(0.05)
    annotated = {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": world.workload_arn}}}
    world.kube().send("PATCH", *place, late, body=annotated, field_manager="test")
    make_pod(world, "pod-of-right", right)

    proof = prove(world, service_accounts=(right, late, plain, unused), label_selectors=("app=thanos",))
    found = pods_of(proof)
    assert proof["state"] == "failed"
    assert found[right]["detail"] == f"1 pod runs as {right} with the role {world.workload_arn}"
    for name, cause in (
        (late, "before the ServiceAccount was annotated at"),
        (plain, "its ServiceAccount has no annotation eks.amazonaws.com/role-arn"),
    ):
        assert f"The pod pod-of-{name} has no AWS_ROLE_ARN, so that it calls AWS as the node" in found[name]["detail"]
        assert cause in found[name]["cause"]
        assert f"rollout restart pod/pod-of-{name}" in found[name]["change"]
    assert found[unused]["detail"] == f"No pod runs as the ServiceAccount {unused}"
    assert f"the pods run as: {right}, {late}, {plain}, without a role" in found[unused]["cause"]

    alone = prove(world, service_accounts=(right,), label_selectors=("app=thanos",))
    assert (alone["state"], states(alone)["pods"]) == ("proved", "ok")


# --- what is refused, and why


@contextlib.contextmanager
def granting(world: StorageWorld, statements: list[dict[str, Any]]) -> Iterator[None]:
    """Another policy for a while."""
    world.grant(statements)
    try:
        yield
    finally:
        world.grant(world.statements())


def lacking(world: StorageWorld, *actions: str) -> list[dict[str, Any]]:
    """The policy without these actions."""
    kept = [s | {"Action": [a for a in s["Action"] if a not in actions]} for s in world.statements()]
    return [statement for statement in kept if statement["Action"]]


@pytest.mark.parametrize(
    ("action", "link"),
    [
        ("s3:ListBucket", "list"),
        ("s3:PutObject", "put"),
        ("s3:GetObject", "missing"),
        ("s3:DeleteObject", "delete"),
        ("s3:AbortMultipartUpload", "multipart"),
        ("kms:GenerateDataKey", "put"),
        ("kms:Decrypt", "get"),
    ],
)
def test_a_right_is_missing(world: StorageWorld, action: str, link: str) -> None:
    """What the workload may not take away, the operator has (see the fixture)."""
    with granting(world, lacking(world, action)):
        broken(prove(world), link, f"no policy of {world.workload_arn} allows {action}", f"Add {action}")


def test_the_prefix_is_not_enforced(world: StorageWorld) -> None:
    with granting(world, world.statements(prefix=None)):
        broken(prove(world), "outside", "allow s3:PutObject beyond the prefix", "object_storage_workload")
        assert prove(world, prefix_enforced=False)["state"] == "proved"


def test_the_bucket_policy_denies(world: StorageWorld) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    world.s3.put_bucket_policy(Bucket=BUCKET, Policy=text([deny | {"Sid": "NobodyWrites"}]))
    try:
        broken(prove(world), "put", "the bucket policy denies s3:PutObject: statement NobodyWrites", "except")
    finally:
        world.s3.delete_bucket_policy(Bucket=BUCKET)


def test_the_key_cannot_be_used(world: StorageWorld) -> None:
    key = {"KeyId": world.key_arn}
    everyone = {"AWS": "*"}
    deny = {"Sid": "No", "Effect": "Deny", "Principal": everyone, "Action": "kms:GenerateDataKey", "Resource": "*"}
    world.kms.put_key_policy(**key, PolicyName="default", Policy=text(key_policy(deny)))
    broken(prove(world), "put", f"the key policy of {world.key_arn} denies kms:GenerateDataKey", "Take the statement")
    operators = [{**s, "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:role/operator"}} for s in key_policy()]
    world.kms.put_key_policy(**key, PolicyName="default", Policy=text(operators))
    broken(prove(world), "put", "does not let arn:aws:iam::222222222222:role/storage-proof", "object_storage_key")
    world.kms.put_key_policy(**key, PolicyName="default", Policy=text(key_policy()))
    world.kms.disable_key(**key)
    broken(prove(world), "put", "KMS key is disabled", "aws kms enable-key")
    world.kms.enable_key(**key)


def test_the_encryption_is_another_one(world: StorageWorld) -> None:
    other = world.key_arn[:-12] + "000000000000"
    broken(prove(world, kms_key_arn=other), "encryption", f"it should be {other}", "s3_storage_bucket")
    proof = prove(world, encryption="AES256", kms_key_arn=None)
    broken(proof, "encryption", "AES256 was asked for", "s3_storage_bucket")
    assert states(proof)["delete"] == "ok"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_the_bucket_is_in_another_region(world: StorageWorld, region: str) -> None:
    proof = prove(world, region=region, kms_key_arn=None)
    broken(proof, "region", f"the bucket is in {CLUSTER_REGION}, not in {region}", f"Write region {CLUSTER_REGION}")
    assert {states(proof)[name] for name in STEPS if name != "region"} == {"skipped"}


def test_the_bucket_does_not_exist(world: StorageWorld) -> None:
    with granting(world, world.statements("proof-gone")):
        proof = prove(world, bucket="proof-gone")
    assert broken(proof, "list", "the bucket proof-gone does not exist", "s3_storage_bucket")["missing"]
    assert states(proof)["put"] == "skipped"


def test_the_bucket_is_of_another_account(world: StorageWorld) -> None:
    broken(prove(world, owner=PAYER), "list", f"belongs to another account than {PAYER}", "expected_bucket_owner")
    payer = world.payer.client("s3", CLUSTER_REGION)
    payer.create_bucket(Bucket="proof-of-payer", **WHERE)
    with granting(world, world.statements("proof-of-payer", key_arn=None)):
        foreign = {"bucket": "proof-of-payer", "owner": PAYER, "encryption": None, "kms_key_arn": None}
        broken(
            prove(world, **foreign), "list", "is of another account and its policy does not", "object_storage_sharing"
        )
        roles = {"role_arns": [world.workload_arn], "prefixes": {world.workload_arn: PREFIX}, "account_id": PAYER}
        shared = storage_policies.object_storage_sharing(bucket="proof-of-payer", partition="aws", **roles)
        payer.put_bucket_policy(Bucket="proof-of-payer", Policy=text(shared))
        assert prove(world, **foreign)["state"] == "proved"


def test_a_key_that_aws_does_not_take(world: StorageWorld) -> None:
    access_key, secret_key = own_pair(world)
    broken(prove(world, pair=(access_key, "wrong" * 8)), "access_key", "does not belong to the access key", "pair")
    gone = prove(world, pair=("AKIA0000000000000000", secret_key))
    broken(gone, "access_key", "was deleted", "another key")
    assert {states(gone)[name] for name in STEPS} == {"skipped"}
    broken(prove(world, pair=("ASIA0000000000000000", secret_key)), "access_key", "no session token", "IAM user")
    key = {"UserName": "storage-proof", "AccessKeyId": access_key}
    world.iam.update_access_key(**key, Status="Inactive")
    broken(prove(world, pair=(access_key, secret_key)), "access_key", "storage-proof is inactive", "update-access-key")
    world.iam.update_access_key(**key, Status="Active")


def test_a_secret_without_a_pair(world: StorageWorld) -> None:
    def attempt(**named: str) -> dict[str, Any]:
        return prove(world, key_secret={"name": "half", "key": "object-store.yaml"} | named)

    broken(attempt(name="nowhere"), "access_key", "it does not exist", "key_secret")
    world.put_secret("half", "config: {access_key: AKIA0000000000000000}")
    broken(attempt(), "access_key", "it has no config.secret_key", "key_secret")
    broken(attempt(key="federated-store.yaml"), "access_key", "its keys are: object-store.yaml", "key_secret")
    world.put_secret("tabs", "config:\n\tsecret_key: hidden")
    assert "hidden" not in json.dumps(proof := attempt(name="tabs"))
    broken(proof, "access_key", "it has a tab, which YAML does not take (line 2)", "key_secret")


def test_one_of_the_service_accounts_is_not_trusted(world: StorageWorld) -> None:
    place = ("api", "v1", "namespaces", world.namespace, "serviceaccounts")
    world.kube().post(*place, body={"kind": "ServiceAccount", "metadata": {"name": "thanos-bucket"}})
    proof = prove(world, service_accounts=("thanos-bucket", *NAMES))
    link = broken(proof, "role", "but the ServiceAccount is storage-proof:thanos-bucket", "Let the trust policy name")
    assert link["identity"] == "storage-proof:thanos-bucket"
    # The others are proved all the same.
    assert {states(proof)[name] for name in STEPS} == {"ok"}
    nobody = prove(world, service_accounts=("thanos-bucket",))
    assert {states(nobody)[name] for name in STEPS} == {"skipped"}


def test_the_operator_may_not_look(world: StorageWorld) -> None:
    """Without rights of one's own the explanation stays with what S3 says."""
    world.iam.create_role(RoleName="storage-blind", AssumeRolePolicyDocument=text(everyone()))
    keys = world.cluster.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{CLUSTER}:role/storage-blind", RoleSessionName="blind"
    )["Credentials"]
    blind = world.cluster.with_credentials(keys)
    assert prove(world, by=blind)["state"] == "proved"
    with granting(world, lacking(world, "s3:DeleteObject")):
        proof = prove(world, by=blind)
    assert states(proof)["delete"] == "failed"
    assert "these credentials cannot delete it: AccessDenied" in proof["left"][0]["reason"]
    world.s3.delete_object(Bucket=BUCKET, Key=proof["left"][0]["key"])
    world.iam.delete_role(RoleName="storage-blind")


def everyone() -> list[dict[str, Any]]:
    """A trust that lets everyone of the account in."""
    principal = {"AWS": f"arn:aws:iam::{CLUSTER}:root"}
    return [{"Sid": "Account", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]


def test_a_change_that_iam_spreads_late_is_waited_for(world: StorageWorld) -> None:
    world.grant(policies.account_tags())
    world.sandbox.settings({"iam_propagation_seconds": 3})
    try:
        world.grant(world.statements())
        assert prove(world)["state"] == "failed"
        assert prove(world, patience_seconds=60)["state"] == "proved"
    finally:
        world.sandbox.settings({"iam_propagation_seconds": 0})
