# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies of StackGres' backups on S3: of the role or user of the pods in which WAL-G runs. Pure functions.

WAL-G keeps everything below ``sgbackups.stackgres.io/<namespace>/<cluster>/`` in the bucket, or in the bucket's folder
that the SGObjectStorage names. Which calls it makes: sources of WAL-G 3.0.8 (pkg/storages/s3).
"""

from __future__ import annotations

import hashlib
import typing as t

from ._stackgres_versions import asks_versioning
from .policies import Statement, _allow, _bucket, _check_bucket, _objects, _use_key, check_key

BACKUPS = "sgbackups.stackgres.io"


def backup_folders(
    namespace: str, cluster: str, sharded: bool = False, prefix: str = "", paths: t.Sequence[str] | None = None
) -> list[str]:
    """Where a cluster's backups lie, without slashes at the ends.

    Of an SGShardedCluster these are the folders of the SGClusters that the operator makes of it.

    :param prefix: folder in the bucket that the SGObjectStorage names
    :param paths: those that the cluster has in fact; one that lies in its own folder adds nothing
    """
    own = f"{BACKUPS}/{namespace}/{cluster}"
    folders = [f"{own}-coord", f"{own}-shard*"] if sharded else [own]
    for path in paths or []:
        inside = path.strip("/")
        if inside and not any(
            f"{inside}/".startswith(folder.rstrip("*") + ("" if folder.endswith("*") else "/")) for folder in folders
        ):
            folders.append(inside)
    before = prefix.strip("/")
    return [f"{before}/{folder}" if before else folder for folder in folders]


def stackgres_backup_workload(
    *,
    bucket: str,
    partition: str,
    namespace: str,
    cluster: str,
    sharded: bool = False,
    prefix: str | None = None,
    paths: list[str] | None = None,
    key_arn: str | None = None,
    region: str | None = None,
    walg_version: str | None = None,
    versioned: bool | None = None,
) -> list[Statement]:
    """Make, read and remove the backups of one cluster, and archive its WAL.

    A missing object below the folder is still "not found" and not "denied", as in ``object_storage_workload``.

    :param prefix: folder in the bucket that the SGObjectStorage names
    :param paths: the paths that the cluster has in fact, where they may be others than the operator's own
    :param key_arn: customer key with which the bucket's objects are encrypted; it can be used through S3 only
    :param region: of the bucket, to check that the key is there too
    :param walg_version: of the cluster's images. WAL-G 3.0.7 and later ask for the bucket's versioning, and 3.0.7 must
        not be answered for a bucket that keeps versions; an unknown one is not given the right, and works without
    :param versioned: whether the bucket keeps versions; 3.0.8 and later then delete versions too
    """
    _check_bucket("bucket", bucket)
    folders = backup_folders(namespace, cluster, sharded, prefix or "", paths)
    told = asks_versioning(walg_version or "", versioned)
    cleans = told and bool(versioned)
    statements = [
        _allow(
            "BackupBucket",
            ["s3:GetBucketLocation", *(["s3:GetBucketVersioning"] if told else [])],
            _bucket(partition, bucket),
        ),
        _listing("BackupListing", bucket, partition, folders, ["s3:ListBucketVersions"] if cleans else []),
        _allow(
            "BackupObjects",
            [
                "s3:PutObject",
                "s3:GetObject",
                "s3:DeleteObject",
                # The initiator may abort by default, but not where the policy of a VPC endpoint has the last word.
                "s3:AbortMultipartUpload",
                *(["s3:GetObjectVersion", "s3:DeleteObjectVersion"] if cleans else []),
            ],
            _in_folders(partition, bucket, folders),
        ),
    ]
    if key_arn:
        if region:
            check_key("key_arn", key_arn, region)
        statements.append(_use_key("UseBackupKey", "key_arn", key_arn, ["kms:GenerateDataKey", "kms:Decrypt"]))
    return statements


def stackgres_restore_reader(
    *,
    bucket: str,
    partition: str,
    namespace: str,
    cluster: str,
    sharded: bool = False,
    prefix: str | None = None,
    paths: list[str] | None = None,
    key_arn: str | None = None,
) -> list[Statement]:
    """Read the backups of another cluster, from which a new one is made (``initialData.restore``).

    The Sids have a mark of the folder, so that these statements stand beside those of the new cluster's own backups,
    and of other clusters that it reads.

    :param namespace, cluster, sharded, prefix, paths: of the cluster whose backups are read
    """
    _check_bucket("bucket", bucket)
    folders = backup_folders(namespace, cluster, sharded, prefix or "", paths)
    mark = hashlib.sha256("\n".join([bucket, *folders]).encode()).hexdigest()[:8]
    statements = [
        _allow(f"RestoreBucket{mark}", ["s3:GetBucketLocation"], _bucket(partition, bucket)),
        _listing(f"RestoreListing{mark}", bucket, partition, folders, []),
        _allow(f"RestoreObjects{mark}", ["s3:GetObject"], _in_folders(partition, bucket, folders)),
    ]
    if key_arn:
        statements.append(_use_key(f"UseRestoreKey{mark}", "key_arn", key_arn, ["kms:Decrypt"]))
    return statements


# Name, as lookup iam_document takes it -> function.
STACKGRES_POLICIES: dict[str, t.Callable[..., list[Statement]]] = {
    function.__name__: function for function in (stackgres_backup_workload, stackgres_restore_reader)
}


def _listing(sid: str, bucket: str, partition: str, folders: list[str], more: list[str]) -> Statement:
    """List below the folders. Not by a folder's bare name: that would show neighbours whose names begin alike."""
    listing = _allow(sid, ["s3:ListBucket", *more], _bucket(partition, bucket))
    return {**listing, "Condition": {"StringLike": {"s3:prefix": [f"{folder}/*" for folder in folders]}}}


def _in_folders(partition: str, bucket: str, folders: list[str]) -> list[str]:
    arn = _bucket(partition, bucket)
    for folder in folders:
        # Those of shards end with a wildcard of ours.
        _objects(partition, bucket, "prefix", folder.removesuffix("*"))
    return [f"{arn}/{folder}/*" for folder in folders]
