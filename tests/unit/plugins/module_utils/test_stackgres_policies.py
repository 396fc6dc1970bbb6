# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders and statements of StackGres' backups. That they are enough, and no more: integration tests."""

from __future__ import annotations

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.policies import USER_INLINE_POLICIES_SIZE, size
from ansible_collections.kubestrap.aws.plugins.module_utils.stackgres_policies import (
    backup_folders,
    stackgres_backup_workload,
    stackgres_restore_reader,
)

OWN = {"namespace": "databases", "cluster": "orders"}
PLACE = {"bucket": "store", "partition": "aws", **OWN}
KEY = "arn:aws:kms:eu-west-1:111111111111:key/5c1a7a4e-0000-4000-8000-000000000000"
OF_VERSIONS = {"s3:GetBucketVersioning", "s3:ListBucketVersions", "s3:GetObjectVersion", "s3:DeleteObjectVersion"}


def actions(statements: list[dict[str, object]]) -> set[str]:
    return {action for statement in statements for action in statement["Action"]}  # type: ignore[attr-defined]


def test_the_folder_is_the_clusters_own() -> None:
    assert backup_folders(**OWN) == ["sgbackups.stackgres.io/databases/orders"]
    assert backup_folders(**OWN, prefix="/prod/") == ["prod/sgbackups.stackgres.io/databases/orders"]
    assert backup_folders(**OWN, sharded=True) == [
        "sgbackups.stackgres.io/databases/orders-coord",
        "sgbackups.stackgres.io/databases/orders-shard*",
    ]


def test_a_path_elsewhere_is_followed_and_one_of_the_operators_adds_nothing() -> None:
    usual = "sgbackups.stackgres.io/databases/orders/2026-01-01-00-00-00/16"
    assert backup_folders(**OWN, paths=[usual]) == backup_folders(**OWN)
    assert backup_folders(**OWN, paths=["/old/place/"], prefix="prod")[1:] == ["prod/old/place"]
    neighbour = "sgbackups.stackgres.io/databases/orders-2/x"
    assert backup_folders(**OWN, paths=[neighbour])[1:] == [neighbour]
    shard = "sgbackups.stackgres.io/databases/orders-shard1/2026/16"
    assert backup_folders(**OWN, sharded=True, paths=[shard]) == backup_folders(**OWN, sharded=True)


def test_nothing_names_more_than_the_folder() -> None:
    bucket, listing, objects = stackgres_backup_workload(**PLACE)
    assert bucket["Action"] == ["s3:GetBucketLocation"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["sgbackups.stackgres.io/databases/orders/*"]}}
    assert objects["Resource"] == ["arn:aws:s3:::store/sgbackups.stackgres.io/databases/orders/*"]
    assert "s3:AbortMultipartUpload" in objects["Action"]


@pytest.mark.parametrize(
    ("walg", "versioned", "given"),
    [
        ("3.0.8", True, OF_VERSIONS),
        ("3.0.8", False, {"s3:GetBucketVersioning"}),
        ("3.0.7", True, set()),
        ("3.0.7", False, {"s3:GetBucketVersioning"}),
        ("3.0.3", True, set()),
        ("3.0.8", None, set()),
        (None, True, set()),
    ],
)
def test_rights_to_versions_follow_walg_and_bucket(walg: str | None, versioned: bool | None, given: set[str]) -> None:
    policy = stackgres_backup_workload(**PLACE, walg_version=walg, versioned=versioned)
    assert actions(policy) & OF_VERSIONS == given


def test_the_key_is_used_through_s3_only_and_in_the_buckets_region() -> None:
    statement = stackgres_backup_workload(**PLACE, key_arn=KEY, region="eu-west-1")[-1]
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": ["s3.eu-west-1.amazonaws.com"]}}
    with pytest.raises(AnsibleAWSError, match="key_arn"):
        stackgres_backup_workload(**PLACE, key_arn=KEY, region="eu-west-3")


def test_a_restore_reads_and_stands_beside_the_own_backups() -> None:
    own = stackgres_backup_workload(**PLACE, key_arn=KEY)
    old = stackgres_restore_reader(**{**PLACE, "cluster": "old"}, key_arn=KEY)
    older = stackgres_restore_reader(**{**PLACE, "cluster": "older"})
    sids = [statement["Sid"] for statement in own + old + older]
    assert len(set(sids)) == len(sids)
    assert actions(old) == {"s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject", "kms:Decrypt"}
    assert size(own + old) < USER_INLINE_POLICIES_SIZE


def test_a_wildcard_of_the_user_is_refused() -> None:
    with pytest.raises(AnsibleAWSError, match="prefix"):
        stackgres_backup_workload(**PLACE, prefix="pro*")
    with pytest.raises(AnsibleAWSError, match="bucket"):
        stackgres_backup_workload(**{**PLACE, "bucket": "s3://store"})


def test_partitions() -> None:
    (statement, *_rest) = stackgres_backup_workload(**{**PLACE, "partition": "aws-cn"})
    assert statement["Resource"] == "arn:aws-cn:s3:::store"
