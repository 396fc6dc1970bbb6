# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of object storage both ways: each call passes with them, and fails with its right taken away."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from integration.both_ways import DENIED, Statements, code, rights, take, without
from integration.world import CLUSTER, CLUSTER_REGION, PAYER, AwsConnection, operator, storage_policies, text
from sandbox.client import Sandbox

WHERE = {"CreateBucketConfiguration": {"LocationConstraint": CLUSTER_REGION}}
ACL = "bucket-owner-full-control"


class Store:
    """A bucket of the cluster's account, perhaps with a key, and a role."""

    def __init__(self, sandbox: Sandbox, encrypted: bool, role_account: str = CLUSTER) -> None:
        self.owner = operator(sandbox, CLUSTER, CLUSTER_REGION)
        self.user = operator(sandbox, role_account, CLUSTER_REGION)
        self.name = f"store-{uuid.uuid4().hex[:8]}"
        self.role_arn = f"arn:aws:iam::{role_account}:role/{self.name}"
        self.s3 = self.owner.client("s3")
        self.s3.create_bucket(Bucket=self.name, **WHERE)
        self.key_arn = self.encrypt() if encrypted else None
        principal = {"AWS": f"arn:aws:iam::{role_account}:root"}
        trust = [{"Sid": "Account", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]
        self.user.client("iam").create_role(RoleName=self.name, AssumeRolePolicyDocument=text(trust))

    def encrypt(self) -> str:
        """The bucket's default encryption is a key of its own."""
        key_arn = self.owner.client("kms").create_key(Policy=text(self.key_policy()))["KeyMetadata"]["Arn"]
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}}
        self.s3.put_bucket_encryption(Bucket=self.name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        return key_arn

    @staticmethod
    def key_policy(*statements: dict[str, Any]) -> Statements:
        """The key is left to IAM in its own account."""
        account = {"AWS": f"arn:aws:iam::{CLUSTER}:root"}
        left = {"Sid": "Account", "Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"}
        return [left, *statements]

    def set_key_policy(self, statements: Statements) -> None:
        """Who may use the key."""
        document = text(self.key_policy(*statements))
        self.owner.client("kms").put_key_policy(KeyId=self.key_arn, PolicyName="default", Policy=document)

    def grant(self, statements: Statements) -> None:
        """What the role may do."""
        iam = self.user.client("iam")
        iam.put_role_policy(RoleName=self.name, PolicyName="storage", PolicyDocument=text(statements))

    def share(self, statements: Statements) -> None:
        """The bucket's policy."""
        self.s3.put_bucket_policy(Bucket=self.name, Policy=text(statements))

    def role(self) -> AwsConnection:
        """A session of the role. Its rights are those of the role at each moment."""
        return take(self.user, self.role_arn)

    def upload(self, key: str) -> str:
        """Id of an unfinished multipart upload."""
        return self.s3.create_multipart_upload(Bucket=self.name, Key=key)["UploadId"]


def calls(store: Store, role: AwsConnection, folder: str) -> dict[str, Callable[[], Any]]:
    """A call for each action: it is refused for want of this right, and for nothing else."""
    s3, name = role.client("s3"), {"Bucket": store.name}
    own = {**name, "Key": f"{folder}object"}
    store.s3.put_object(**own, Body=b"x")
    return {
        "s3:ListBucket": lambda: s3.list_objects_v2(**name, Prefix=folder),
        "s3:GetBucketLocation": lambda: s3.get_bucket_location(**name),
        "s3:ListBucketMultipartUploads": lambda: s3.list_multipart_uploads(**name),
        "s3:GetObject": lambda: s3.get_object(**own),
        "s3:PutObject": lambda: s3.put_object(**own, Body=b"x"),
        "s3:PutObjectAcl": lambda: s3.put_object(**own, Body=b"x", ACL=ACL),
        "s3:DeleteObject": lambda: s3.delete_object(**name, Key=f"{folder}other"),
        "s3:ListMultipartUploadParts": lambda: s3.list_parts(**own, UploadId=store.upload(own["Key"])),
        "s3:AbortMultipartUpload": lambda: s3.abort_multipart_upload(**own, UploadId=store.upload(own["Key"])),
        "kms:GenerateDataKey": lambda: s3.put_object(**own, Body=b"x"),
        "kms:Decrypt": lambda: s3.get_object(**own),
    }


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "kms"])
@pytest.mark.parametrize("prefix", [None, "cluster-1"], ids=["whole", "prefix"])
def test_each_right_of_the_workload_is_needed_and_enough(
    gateway_sandbox: Sandbox, encrypted: bool, prefix: str | None
) -> None:
    store = Store(gateway_sandbox, encrypted)
    given = {"bucket": store.name, "partition": "aws", "prefix": prefix, "put_object_acl": not encrypted}
    policy = storage_policies.object_storage_workload(**given, key_arn=store.key_arn, region=CLUSTER_REGION)
    role, folder = store.role(), f"{prefix}/" if prefix else ""
    made = calls(store, role, folder)
    assert {action for _sid, action in rights(policy)} <= set(made), "a right without a call"
    problems = []
    for sid, action in rights(policy):
        store.grant(without(policy, sid, action))
        if (refused := code(made[action])) not in DENIED:
            problems.append(f"without {action} of {sid} the call ends with '{refused}'")
        store.grant(policy)
        if refused := code(made[action]):
            problems.append(f"with {action} of {sid} the call ends with '{refused}'")
    assert problems == []

    s3, name = role.client("s3"), {"Bucket": store.name}
    # A client tells an object that is missing from one that is forbidden.
    assert code(lambda: s3.get_object(**name, Key=f"{folder}missing")) == "NoSuchKey"
    forbidden: dict[str, Callable[[], Any]] = {
        "delete the bucket": lambda: s3.delete_bucket(**name),
        "read its policy": lambda: s3.get_bucket_policy(**name),
        "delete a version": lambda: s3.delete_object(**name, Key=f"{folder}object", VersionId="null"),
        "list all buckets": s3.list_buckets,
        "write elsewhere": lambda: s3.put_object(Bucket=f"{store.name}-other", Key=f"{folder}x", Body=b"x"),
    }
    store.s3.create_bucket(Bucket=f"{store.name}-other", **WHERE)
    if encrypted:
        forbidden["use the key itself"] = lambda: role.client("kms").decrypt(CiphertextBlob=b"x", KeyId=store.key_arn)
        forbidden["send an ACL"] = made["s3:PutObjectAcl"]
    if prefix:
        for neighbour in ("object", "cluster-10/object"):
            store.s3.put_object(**name, Key=neighbour, Body=b"x")
            forbidden |= {
                f"read {neighbour}": lambda key=neighbour: s3.get_object(**name, Key=key),
                f"write {neighbour}": lambda key=neighbour: s3.put_object(**name, Key=key, Body=b"x"),
                f"delete {neighbour}": lambda key=neighbour: s3.delete_object(**name, Key=key),
            }
        forbidden["list everything"] = lambda: s3.list_objects_v2(**name)
        forbidden["list neighbours"] = lambda: s3.list_objects_v2(**name, Prefix="cluster-1")
        forbidden["look for others' objects"] = lambda: s3.get_object(**name, Key="cluster-10/missing")
    assert {what for what, call in forbidden.items() if code(call) not in DENIED} == set()


def test_a_role_of_another_account_needs_bucket_and_key_too(gateway_sandbox: Sandbox) -> None:
    store = Store(gateway_sandbox, encrypted=True, role_account=PAYER)
    place = {"bucket": store.name, "partition": "aws"}
    mine = storage_policies.object_storage_workload(**place, prefix="cluster-1", key_arn=store.key_arn)
    theirs = storage_policies.object_storage_sharing(
        **place, role_arns=[store.role_arn], prefixes={store.role_arn: "cluster-1"}, account_id=CLUSTER
    )
    key = storage_policies.object_storage_key(role_arns=[store.role_arn], region=CLUSTER_REGION)
    store.grant(mine)
    store.share(theirs)
    store.set_key_policy(key)
    made = calls(store, store.role(), "cluster-1/")
    allowed = rights([s for s in theirs if s["Effect"] == "Allow"])
    problems = []
    for sid, action in allowed:
        store.share([s for s in theirs if s["Effect"] == "Deny"] + without(theirs[:-1], sid, action))
        if (refused := code(made[action])) not in DENIED:
            problems.append(f"without {action} of {sid} the call ends with '{refused}'")
        store.share(theirs)
        if refused := code(made[action]):
            problems.append(f"with {action} of {sid} the call ends with '{refused}'")
    for sid, action in rights(key):
        store.set_key_policy(without(key, sid, action))
        if code(made[action]) not in DENIED:
            problems.append(f"without {action} of {sid} the key can be used")
        store.set_key_policy(key)
    other = storage_policies.object_storage_key(role_arns=[f"{store.role_arn}-other"], region=CLUSTER_REGION)
    store.set_key_policy(other)
    assert code(made["kms:GenerateDataKey"]) in DENIED
    assert problems == []


def test_others_of_the_organisation_are_kept_out_whatever_else_lets_them_in(gateway_sandbox: Sandbox) -> None:
    named, other = Store(gateway_sandbox, False, PAYER), Store(gateway_sandbox, False, PAYER)
    sharing = {"bucket": named.name, "partition": "aws", "role_arns": [named.role_arn]}
    for store in (named, other):
        store.grant(storage_policies.object_storage_workload(bucket=named.name, partition="aws"))
    open_door = {
        "Sid": "SomebodyElses",
        "Effect": "Allow",
        "Principal": {"AWS": PAYER},
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{named.name}",
    }

    def lists(store: Store) -> str:
        s3 = store.role().client("s3")
        return code(lambda: s3.list_objects_v2(Bucket=named.name))

    named.share([open_door, *storage_policies.object_storage_sharing(**sharing)])
    assert (lists(named), lists(other)) == ("", "")
    named.share([open_door, *storage_policies.object_storage_sharing(**sharing, account_id=CLUSTER)])
    assert (lists(named), lists(other)) == ("", "AccessDenied")
    # The bucket's own account is not touched.
    assert code(lambda: named.s3.get_bucket_policy(Bucket=named.name)) == ""
