# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What whoever sets up object storage may do: the least policy for the bucket, and for the identity that opens it.

As in ``operator_policies``. AWS chooses the id of a KMS key, so that no policy can name a key before it is made. What
changes a key asks for the tag with which ``kms_storage_key`` makes it, so that other keys of the account stay out of
reach. Proved by ``tests/integration/test_operator_permissions_storage.py``.
"""

from __future__ import annotations

import re
import typing as t

from ._identifiers import check_account_id, refuse
from ._probe_storage_place import FOLDER
from ._s3_names import check_bucket_name
from .operator_policies import (
    _bounded,
    _check_name,
    _own_rights,
    _reaches,
    _role,
    _say,
    _up_to,
    kubecost_cluster_operator,
)
from .policies import Statement
from .storage_policies import ALIAS_TAG

METHODS = ("irsa", "access_key")

# What no run with the defaults calls as long as nobody else changes what was made: they put back what was altered by
# hand, take up tags and descriptions that are changed, find a key whose run was cut off, explain refusals, or belong to
# an option.
STORAGE_OCCASIONAL = frozenset(
    {
        "iam:DetachUserPolicy",
        "iam:PutUserPermissionsBoundary",
        "iam:SimulatePrincipalPolicy",
        "kms:CancelKeyDeletion",
        "kms:EnableKey",
        "kms:PutKeyPolicy",
        "kms:UpdateKeyDescription",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:GetObjectLegalHold",
        "s3:GetObjectRetention",
        "s3:GetObjectVersion",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
    }
)


def workload_storage_operator(
    *,
    partition: str,
    region: str,
    account_id: str,
    bucket: str,
    kms_key_alias: str | None = None,
    versioning: bool = False,
    object_lock: bool = False,
    operator_arn: str | None = None,
    extent: str = "teardown",
    delete_data: bool = False,
) -> list[Statement]:
    """Run the role ``workload_storage``: make a bucket for objects, change it and take it away.

    :param kms_key_alias: alias of the key that the role makes for the bucket (``workload_storage_kms_key_alias``);
        ``None``: the bucket is encrypted with keys of S3, or with a key that is given, which takes no right to it
    :param versioning: whether ``workload_storage_versioning`` is set
    :param object_lock: whether ``workload_storage_object_lock`` is set
    :param operator_arn, extent: as of ``kubecost_payer_operator``
    :param delete_data: whether a teardown may delete the objects (``workload_storage_delete_data``)
    """
    check_account_id("account_id", account_id)
    check_bucket_name("bucket", bucket)
    _check_name("region", region)
    arn = f"arn:{partition}:s3:::{bucket}"
    versions = versioning or object_lock
    statements = [
        _say(
            "ReadBucket",
            arn,
            [
                "s3:ListBucket",
                "s3:GetBucketOwnershipControls",
                "s3:GetBucketPolicy",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketTagging",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
                *(["s3:GetBucketVersioning"] if versioning else []),
                *(["s3:GetBucketObjectLockConfiguration"] if object_lock else []),
            ],
        ),
        *_own_rights(operator_arn),
    ]
    if _reaches(extent, "run"):
        actions = [
            "s3:CreateBucket",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:TagResource",
            # A bucket with object lock is made with both (S3 API reference, CreateBucket).
            *(["s3:PutBucketVersioning"] if versions else []),
            *(["s3:PutBucketObjectLockConfiguration"] if object_lock else []),
        ]
        statements.append(_say("MakeBucket", arn, actions))
    if _reaches(extent, "teardown"):
        statements.append(_say("DeleteBucket", arn, ["s3:DeleteBucket", "s3:ListBucketVersions"]))
        if delete_data:
            statements.append(_say("EmptyBucket", f"{arn}/*", ["s3:DeleteObject", "s3:DeleteObjectVersion"]))
    if kms_key_alias:
        statements += _key(f"arn:{partition}:kms:{region}:{account_id}", kms_key_alias, extent)
    return statements


def object_storage_workload_operator(
    *,
    partition: str,
    account_id: str,
    identity_method: str,
    region: str | None = None,
    cluster_name: str | None = None,
    issuer: str | None = None,
    role_name: str | None = None,
    user_name: str | None = None,
    user_names: list[str] | None = None,
    with_role: bool = False,
    bucket: str | None = None,
    prefix: str = "",
    object_lock: bool = False,
    iam_path: str = "/",
    permissions_boundary: str | None = None,
    operator_arn: str | None = None,
    extent: str = "teardown",
) -> list[Statement]:
    """Give a workload the identity with which it opens a bucket, prove that it can, and take the identity away.

    :param identity_method: ``irsa`` (a role that ServiceAccounts take; needs region, cluster_name and role_name) or
        ``access_key`` (a user; needs user_name, and region and cluster_name where the operator reaches the cluster with
        a token of EKS)
    :param region, cluster_name, issuer: of the cluster, as of ``kubecost_cluster_operator``
    :param user_names: of more users that are made alike, as Kubecost's where its billing data have a key of their own
    :param with_role: whether a workload with a key has a role too, as a Kubecost that reads billing data; needs region,
        cluster_name and role_name
    :param bucket: that the proof writes to; ``None``: nothing is explained or swept away in the bucket
    :param prefix: folder of the workload in the bucket
    :param object_lock: whether the bucket has object lock, so that the proof can tell until when its object stays
    :param iam_path, permissions_boundary, operator_arn, extent: as of ``kubecost_cluster_operator``
    """
    check_account_id("account_id", account_id)
    if identity_method not in METHODS:
        refuse("identity_method", identity_method, "is not known", f"Write one of: {', '.join(METHODS)}")
    by_role = identity_method == "irsa" or with_role
    wanted = {"region": region, "cluster_name": cluster_name, "role_name": role_name} if by_role else {}
    for option, value in {**wanted, **({} if identity_method == "irsa" else {"user_name": user_name})}.items():
        _check_name(option, value)
    where = {"partition": partition, "account_id": account_id, "extent": extent, "operator_arn": operator_arn}
    statements = []
    if by_role:
        statements += kubecost_cluster_operator(
            region=str(region),
            cluster_name=str(cluster_name),
            role_name=str(role_name),
            issuer=issuer,
            iam_path=iam_path,
            permissions_boundary=permissions_boundary,
            **where,
        )
        who = _role(partition, account_id, iam_path, str(role_name))[:1]
    elif cluster_name:
        _check_name("region", region)
        _check_name("cluster_name", cluster_name)
        cluster = f"arn:{partition}:eks:{region}:{account_id}:cluster/{cluster_name}"
        statements.append(_say("ReadCluster", cluster, ["eks:DescribeCluster"]))
    if identity_method == "access_key":
        for name in user_names or []:
            _check_name("user_names", name)
        base = f"arn:{partition}:iam::{account_id}:user"
        users = [
            [f"{base}{path}{name}" for path in dict.fromkeys((iam_path, "/"))]
            for name in [user_name, *(user_names or [])]
        ]
        statements += [*_user(users, permissions_boundary, extent), *([] if by_role else _own_rights(operator_arn))]
        who = users[0][:1]
    if bucket:
        check_bucket_name("bucket", bucket)
        statements += _proof(f"arn:{partition}:s3:::{bucket}", prefix, who, object_lock, extent)
    return statements


# Name, as lookup iam_document takes it -> function.
OPERATOR_STORAGE_POLICIES: dict[str, t.Callable[..., list[Statement]]] = {
    function.__name__: function for function in (object_storage_workload_operator, workload_storage_operator)
}


# --- parts


def _key(base: str, alias: str, extent: str) -> list[Statement]:
    """A key that is known by its alias, and by the tag that says the alias of a key that has it not yet."""
    name = alias.removeprefix("alias/")
    if not re.fullmatch(r"[A-Za-z0-9/_-]{1,250}", name):
        write = "Write letters, digits or characters of /_-, for example example-thanos"
        refuse("kms_key_alias", alias, "is not an alias of a key", write)
    of_alias, keys, tagged = f"{base}:alias/{name}", f"{base}:key/*", f"alias/{name}"
    ours = {"Condition": {"StringEquals": {f"aws:ResourceTag/{ALIAS_TAG}": tagged}}}
    making = {"Condition": {"StringEquals": {f"aws:RequestTag/{ALIAS_TAG}": tagged}}}
    statements = [
        # It knows no resources.
        _say("FindKey", "*", ["kms:ListKeys"]),
        # A key that is not there yet is asked for by its alias.
        _say(
            "ReadKey",
            [keys, of_alias],
            ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"],
        ),
    ]
    if not _reaches(extent, "run"):
        return statements
    change = [
        "kms:CancelKeyDeletion",
        "kms:CreateAlias",
        "kms:EnableKey",
        "kms:EnableKeyRotation",
        "kms:PutKeyPolicy",
        "kms:TagResource",
        "kms:UpdateKeyDescription",
    ]
    delete = ["kms:DeleteAlias", "kms:ScheduleKeyDeletion"]
    return [
        *statements,
        # A key that is made has no ARN yet. PutKeyPolicy and TagResource: it is made with policy and tags.
        {**_say("MakeKey", "*", ["kms:CreateKey", "kms:PutKeyPolicy", "kms:TagResource"]), **making},
        {**_say("ChangeKey", keys, _up_to(extent, [], change, delete)), **ours},
        # An alias has no tags; who changes it needs the right to the alias and to its key.
        _say("Alias", of_alias, _up_to(extent, [], ["kms:CreateAlias"], ["kms:DeleteAlias"])),
    ]


def _user(users: list[list[str]], boundary: str | None, extent: str) -> list[Statement]:
    """Users with an access key.

    :param users: ARNs of each; the second one without the path, by which one that does not exist is asked for
    """
    arns, made = [arn for user in users for arn in user], [user[0] for user in users]
    reads = ["iam:GetUser", "iam:GetUserPolicy", "iam:ListUserPolicies", "iam:ListAccessKeys"]
    statements = [_say("ReadUser", arns, [*reads, "iam:GetAccessKeyLastUsed"])]
    if _reaches(extent, "run"):
        makes = ["iam:CreateUser", "iam:DeleteUserPolicy", "iam:PutUserPolicy", "iam:TagUser", "iam:UntagUser"]
        if boundary:
            makes.append("iam:PutUserPermissionsBoundary")
        keys = ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:UpdateAccessKey"]
        statements += [*_bounded("MakeUser", made, makes, boundary), _say("MakeAccessKey", made, keys)]
    if _reaches(extent, "teardown"):
        statements += [
            _say("ReadUserToDelete", arns, ["iam:ListAttachedUserPolicies", "iam:ListGroupsForUser"]),
            *_bounded("DeleteUser", made, ["iam:DeleteUser", "iam:DetachUserPolicy"], boundary),
        ]
    return statements


def _proof(bucket_arn: str, prefix: str, who: list[str], object_lock: bool, extent: str) -> list[Statement]:
    """What ``object_storage_probe`` does with the operator's rights: say why a call was refused, and sweep away."""
    if any(character in prefix for character in "*?"):
        refuse("prefix", prefix, "must not have a wildcard", "Write the folder, for example prod-eu")
    statements = [
        _say("ExplainIdentity", who, ["iam:SimulatePrincipalPolicy"]),
        _say("ExplainBucket", bucket_arn, ["s3:GetBucketPolicy", "s3:ListBucket"]),
    ]
    if not _reaches(extent, "run"):
        return statements
    folder = prefix.strip("/")
    # The second one: where a write beside the prefix was tried, and was not refused.
    folders = dict.fromkeys((f"{folder}/{FOLDER}/*" if folder else f"{FOLDER}/*", f"{FOLDER}/*"))
    actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"]
    if object_lock:
        actions += ["s3:GetObject", "s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectVersion"]
    return [*statements, _say("SweepProbe", [f"{bucket_arn}/{each}" for each in folders], actions)]
