# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies of StackGres' backups both ways: each call passes with them, and fails with its right taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import stackgres_policies
from integration.test_policies_both_ways import DENIED, Statements, code, rights, without
from integration.test_storage_policies import Store
from integration.world import CLUSTER_REGION, AwsConnection
from sandbox.client import Sandbox

FOLDER = "prod/sgbackups.stackgres.io/databases/orders"
OWN = {"partition": "aws", "prefix": "prod", "namespace": "databases", "cluster": "orders"}


def calls(store: Store, role: AwsConnection, folder: str) -> dict[str, Callable[[], Any]]:
    """What WAL-G calls below a folder: each is refused for want of this right, and for nothing else."""
    s3, name = role.client("s3"), {"Bucket": store.name}
    own = {**name, "Key": f"{folder}/base/object"}
    store.s3.put_object(**own, Body=b"x")

    def version() -> dict[str, str]:
        return {"VersionId": store.s3.put_object(**own, Body=b"x").get("VersionId", "null")}

    return {
        "s3:ListBucket": lambda: s3.list_objects_v2(**name, Prefix=f"{folder}/base/"),
        "s3:ListBucketVersions": lambda: s3.list_object_versions(**name, Prefix=f"{folder}/base/"),
        "s3:GetBucketLocation": lambda: s3.get_bucket_location(**name),
        "s3:GetBucketVersioning": lambda: s3.get_bucket_versioning(**name),
        "s3:GetObject": lambda: s3.head_object(**own),
        "s3:GetObjectVersion": lambda: s3.head_object(**own, **version()),
        "s3:PutObject": lambda: s3.put_object(**own, Body=b"x"),
        "s3:DeleteObject": lambda: s3.delete_object(**name, Key=f"{folder}/base/other"),
        "s3:DeleteObjectVersion": lambda: s3.delete_object(**own, **version()),
        "s3:AbortMultipartUpload": lambda: s3.abort_multipart_upload(**own, UploadId=store.upload(own["Key"])),
        "kms:GenerateDataKey": lambda: s3.put_object(**own, Body=b"x"),
        "kms:Decrypt": lambda: s3.get_object(**own),
    }


def each_right_is_needed(store: Store, policy: Statements, made: dict[str, Callable[[], Any]]) -> None:
    """The call of each action passes with the policy, and fails without its right."""
    assert {action for _sid, action in rights(policy)} <= set(made), "a right without a call"
    problems = []
    for sid, action in rights(policy):
        store.grant(without(policy, sid, action))
        # A HEAD has no body, so that S3 answers with the status alone.
        if (refused := code(made[action])) not in (*DENIED, "403"):
            problems.append(f"without {action} of {sid} the call ends with '{refused}'")
        store.grant(policy)
        if refused := code(made[action]):
            problems.append(f"with {action} of {sid} the call ends with '{refused}'")
    assert problems == []


@pytest.mark.parametrize(("encrypted", "versioned"), [(False, False), (True, True)], ids=["plain", "kms-versions"])
def test_each_right_of_a_backup_is_needed_and_enough(
    gateway_sandbox: Sandbox, encrypted: bool, versioned: bool
) -> None:
    store = Store(gateway_sandbox, encrypted)
    if versioned:
        store.s3.put_bucket_versioning(Bucket=store.name, VersioningConfiguration={"Status": "Enabled"})
    policy = stackgres_policies.stackgres_backup_workload(
        bucket=store.name,
        **OWN,
        key_arn=store.key_arn,
        region=CLUSTER_REGION,
        walg_version="3.0.8",
        versioned=versioned,
    )
    role = store.role()
    each_right_is_needed(store, policy, calls(store, role, FOLDER))

    s3, name = role.client("s3"), {"Bucket": store.name}
    # WAL-G looks for files that may not be there, and takes "denied" for an error.
    assert code(lambda: s3.head_object(**name, Key=f"{FOLDER}/missing")) == "404"
    forbidden: dict[str, Callable[[], Any]] = {
        "list the bucket": lambda: s3.list_objects_v2(**name),
        "list the namespace": lambda: s3.list_objects_v2(**name, Prefix="prod/sgbackups.stackgres.io/databases/"),
        "list neighbours": lambda: s3.list_objects_v2(**name, Prefix=FOLDER),
        "delete the bucket": lambda: s3.delete_bucket(**name),
    }
    # Another cluster, another namespace, and the same path without the bucket's folder.
    for other in (f"{FOLDER}-2", FOLDER.replace("databases", "other"), FOLDER.removeprefix("prod/")):
        store.s3.put_object(**name, Key=f"{other}/object", Body=b"x")
        forbidden |= {
            f"read {other}": lambda key=f"{other}/object": s3.get_object(**name, Key=key),
            f"write {other}": lambda key=f"{other}/object": s3.put_object(**name, Key=key, Body=b"x"),
            f"delete {other}": lambda key=f"{other}/object": s3.delete_object(**name, Key=key),
        }
    if not versioned:
        forbidden["list versions"] = lambda: s3.list_object_versions(**name, Prefix=f"{FOLDER}/")
    if encrypted:
        forbidden["use the key itself"] = lambda: role.client("kms").decrypt(CiphertextBlob=b"x", KeyId=store.key_arn)
    assert {what for what, call in forbidden.items() if code(call) not in DENIED} == set()


def test_shards_have_their_folders_and_no_others(gateway_sandbox: Sandbox) -> None:
    store = Store(gateway_sandbox, False)
    store.grant(stackgres_policies.stackgres_backup_workload(bucket=store.name, **OWN, sharded=True))
    s3, name = store.role().client("s3"), {"Bucket": store.name}
    for part in ("coord", "shard0", "shard11"):
        assert code(lambda part=part: s3.put_object(**name, Key=f"{FOLDER}-{part}/x", Body=b"x")) == ""
        assert code(lambda part=part: s3.list_objects_v2(**name, Prefix=f"{FOLDER}-{part}/")) == ""
    for other in (f"{FOLDER}/x", f"{FOLDER}-other/x", f"{FOLDER}-coordinates/x"):
        assert code(lambda key=other: s3.put_object(**name, Key=key, Body=b"x")) in DENIED


def test_a_restore_reads_the_old_backups_and_writes_nothing_there(gateway_sandbox: Sandbox) -> None:
    store = Store(gateway_sandbox, encrypted=True)
    old = {**OWN, "cluster": "old"}
    folder = FOLDER.replace("orders", "old")
    policy = stackgres_policies.stackgres_restore_reader(bucket=store.name, **old, key_arn=store.key_arn)
    role = store.role()
    made = calls(store, role, folder)
    # Here the content is read, for which the key is needed.
    each_right_is_needed(store, policy, {**made, "s3:GetObject": made["kms:Decrypt"]})
    writes = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
    assert {action for action in writes if code(made[action]) not in DENIED} == set()
    own = calls(store, role, FOLDER)
    assert {action for action in ("s3:ListBucket", "kms:Decrypt") if code(own[action]) not in DENIED} == set()
