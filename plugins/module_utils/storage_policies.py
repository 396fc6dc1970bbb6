# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies of object storage: of the workload's role or user, of the bucket and of its key. Pure functions.

Thanos, Kubecost's federated storage and other stores that read, write and delete objects in one bucket need the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ._identifiers import check_account_id, refuse
from .policies import Statement, _allow, _bucket, _check_arn, _check_bucket, _need, _objects, _use_key, check_key
from .trust import principals, texts

# A key's own id is known once it is made. By this tag, which says its alias, it is found before, and named in policies.
ALIAS_TAG = "kubestrap.aws/alias"
# By it a later run finds our statements in a bucket's policy, and takes out those that nobody asks for any more.
SHARED = "KubestrapShared"
KEY_SID = "ObjectStorageUsesKey"
_BUCKET = ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
_OBJECTS = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
]
_KEY = ["kms:GenerateDataKey", "kms:Decrypt"]  # Decrypt is needed for multipart uploads too, not only for reading
_ROLE_EXAMPLE = "arn:aws:iam::222222222222:role/thanos"

# --- of a workload's role or user


def object_storage_workload(
    *,
    bucket: str,
    partition: str,
    prefix: str | None = None,
    key_arn: str | None = None,
    put_object_acl: bool = False,
    region: str | None = None,
) -> list[Statement]:
    """Read, write, list and delete objects of one bucket: what an object store's client needs, and no more.

    With a prefix nothing else can be listed, read or written. S3 asks for the right to list with the key of an object
    that is missing as its prefix, so that a missing object below the prefix is still "not found" and not "denied".

    :param prefix: folder of the workload; without it the whole bucket
    :param key_arn: customer key with which the bucket's objects are encrypted; it can be used through S3 only
    :param put_object_acl: whether the client sends ``X-Amz-Acl`` with its uploads
    :param region: of the bucket, to check that the key is there too
    """
    statements = _use_bucket(bucket, partition, prefix, put_object_acl)
    if key_arn:
        if region:
            check_key("key_arn", key_arn, region)
        statements.append(_use_key("UseStorageKey", "key_arn", key_arn, _KEY))
    return statements


# --- of a customer key


def object_storage_key(*, role_arns: list[str], region: str) -> list[Statement]:
    """For the policy of a customer key: let the workloads' roles use it through S3.

    Roles of other accounts need it, and so do those of the key's own account where its policy does not leave the key to
    IAM.

    :param role_arns: roles (or users) of the workloads, with ``*`` in their names where wanted
    :param region: of the bucket and its key
    """
    via = [f"s3.{region}.amazonaws.com"]
    if region.startswith("cn-"):
        via.append(f"s3.{region}.amazonaws.com.cn")
    statement = _allow(KEY_SID, _KEY, "*")
    return [_admitting(statement, role_arns, {"StringEquals": {"kms:ViaService": via}})]


# --- of a bucket


@dataclasses.dataclass(frozen=True, order=True)
class Sharer:
    """One who is let into a bucket of another account.

    :ivar role_arn: role or user, with ``*`` in its name where wanted
    :ivar prefix: the folder to which it is limited; empty for the whole bucket
    :ivar put_object_acl: whether it sends ``X-Amz-Acl`` with its uploads
    """

    role_arn: str
    prefix: str = ""
    put_object_acl: bool = False


def object_storage_sharing(
    *,
    bucket: str,
    partition: str,
    role_arns: list[str],
    prefixes: t.Mapping[str, str] | None = None,
    put_object_acl: bool = False,
    account_id: str | None = None,
) -> list[Statement]:
    """For the policy of a bucket: let named roles of other accounts use it.

    The roles need ``object_storage_workload`` in their own account beside it. All Sids begin with KubestrapShared, and
    statements of one prefix keep theirs whatever other prefixes there are.

    :param role_arns: roles (or users), with ``*`` in their names where wanted
    :param prefixes: role -> its own folder; a role that is not there may use the whole bucket
    :param account_id: account of the bucket. With it all other principals of other accounts are refused, whatever else
        the policy allows; AWS' own services and the bucket's account are not touched
    """
    _need("role_arns", role_arns)
    own = dict(prefixes or {})
    strangers = sorted(set(own) - set(role_arns))
    if strangers:
        refuse("prefixes", strangers[0], "is not one of role_arns", "Write its ARN there too, or take its prefix away")
    sharers = [Sharer(arn, own.get(arn, ""), put_object_acl) for arn in role_arns]
    return sharing_statements(bucket=bucket, partition=partition, sharers=sharers, account_id=account_id)


def sharing_statements(
    *, bucket: str, partition: str, sharers: t.Sequence[Sharer], account_id: str | None = None
) -> list[Statement]:
    """The statements of ``object_storage_sharing``, where each sharer has its own folder and header."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for sharer in sharers:
        groups.setdefault((sharer.prefix.strip("/"), sharer.put_object_acl), []).append(sharer.role_arn)
    statements = []
    for (prefix, acl), roles in sorted(groups.items()):
        mark = (hashlib.sha256(prefix.encode()).hexdigest()[:8] if prefix else "") + ("Acl" if acl else "")
        for statement in _use_bucket(bucket, partition, prefix, acl):
            admitting = _admitting(statement, roles, statement.get("Condition", {}))
            statements.append({**admitting, "Sid": f"{SHARED}{statement['Sid']}{mark}"})
    if account_id is not None:
        statements.append(_no_others(_bucket(partition, bucket), [sharer.role_arn for sharer in sharers], account_id))
    return statements


def sharers_of(statements: t.Iterable[Statement], *, bucket: str, partition: str) -> list[Sharer]:
    """Who is let in by the statements that ``sharing_statements`` has made, in whatever form S3 gives them back."""
    begin = f"{_bucket(partition, bucket)}/"
    found = []
    for statement in statements:
        if str(statement.get("Sid")).startswith(f"{SHARED}StorageObjects") and statement.get("Effect") == "Allow":
            for resource in texts(statement.get("Resource")):
                prefix = resource.removeprefix(begin).removesuffix("*").strip("/")
                acl = "s3:PutObjectAcl" in texts(statement.get("Action"))
                found += [Sharer(arn, prefix, acl) for arn in principals(statement)]
    return found


def key_users_of(statements: t.Iterable[Statement]) -> list[str]:
    """Who may use a key by the statement that ``object_storage_key`` has made."""
    return [arn for statement in statements if statement.get("Sid") == KEY_SID for arn in principals(statement)]


def _no_others(bucket_arn: str, role_arns: list[str], account_id: str) -> Statement:
    check_account_id("account_id", account_id)
    return {
        "Sid": f"{SHARED}DenyOthers",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {
            "StringNotEquals": {"aws:PrincipalAccount": account_id},
            "ArnNotLike": {"aws:PrincipalArn": sorted(set(role_arns))},
            # A request without a signature has no such key, and is refused too.
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        },
    }


# Name, as lookup iam_document takes it -> function.
STORAGE_POLICIES: dict[str, t.Callable[..., list[Statement]]] = {
    function.__name__: function for function in (object_storage_key, object_storage_sharing, object_storage_workload)
}


# --- parts


def _use_bucket(bucket: str, partition: str, prefix: str | None, put_object_acl: bool) -> list[Statement]:
    _check_bucket("bucket", bucket)
    folder = (prefix or "").strip("/")
    arn = _bucket(partition, bucket)
    objects = _allow(
        "StorageObjects",
        [*_OBJECTS, *(["s3:PutObjectAcl"] if put_object_acl else [])],
        _objects(partition, bucket, "prefix", folder),
    )
    if not folder:
        return [_allow("StorageBucket", ["s3:ListBucket", *_BUCKET], arn), objects]
    # Not the folder's bare name: that would show those of neighbours whose names begin alike (cluster-1, cluster-10).
    listing = _allow("StorageListing", ["s3:ListBucket"], arn)
    return [
        _allow("StorageBucket", _BUCKET, arn),
        {**listing, "Condition": {"StringLike": {"s3:prefix": [f"{folder}/*"]}}},
        objects,
    ]


def _admitting(statement: Statement, role_arns: list[str], condition: t.Mapping[str, t.Any]) -> Statement:
    """The statement as one of a resource's policy, for these roles.

    The principals are the roles' accounts, narrowed by ``aws:PrincipalArn``: a role as principal must exist when the
    policy is written, and is replaced by an opaque id when it is deleted.
    """
    _need("role_arns", role_arns)
    accounts = {check_sharer("role_arns", arn) for arn in role_arns}
    return {
        **statement,
        "Principal": {"AWS": sorted(accounts)},
        "Condition": {**condition, "ArnLike": {"aws:PrincipalArn": sorted(set(role_arns))}},
    }


def check_sharer(option: str, arn: t.Any) -> str:
    """The account of a role or user that is let in, as a principal.

    :raises AnsibleAWSError: it is no ARN of a role or user
    """
    _check_arn(option, arn, "iam", _ROLE_EXAMPLE)
    _arn, partition, _service, _region, account_id, name = str(arn).split(":", 5)
    check_account_id(option, account_id)
    if not name.startswith(("role/", "user/")):
        refuse(option, arn, "is neither a role nor a user", f"Write the whole ARN, for example {_ROLE_EXAMPLE}")
    return f"arn:{partition}:iam::{account_id}:root"
