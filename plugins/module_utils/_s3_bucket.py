# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading an S3 bucket with its settings, one call each and all side by side.

S3 API reference: GetPublicAccessBlock, GetBucketOwnershipControls, GetBucketEncryption, GetBucketVersioning,
GetObjectLockConfiguration, GetBucketPolicy, GetBucketLifecycleConfiguration, GetBucketTagging. That the bucket exists,
is ours and is in the expected region follows from their answers, so nothing else is called. Each call names the owner
that is expected: a bucket that was deleted and taken over by someone else is refused by S3.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ._connection import AwsConnection
from ._errors import error_code
from ._identifiers import refuse
from ._plan import gather
from ._s3_object_lock import parse as _object_lock

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

Bucket = dict[str, t.Any]  # name, arn, url, region, account_id, and the settings that were read


@dataclasses.dataclass(frozen=True)
class BucketId:
    """What identifies a bucket and tells whose it is.

    :ivar account_id: the account that has to own it
    """

    name: str
    region: str
    account_id: str
    partition: str

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.name}"

    @property
    def target(self) -> dict[str, str]:
        """The keyword arguments that every S3 call of ours has."""
        return {"Bucket": self.name, "ExpectedBucketOwner": self.account_id}

    @property
    def resource(self) -> Bucket:
        """The part of the result that follows from the name."""
        return {
            "name": self.name,
            "arn": self.arn,
            "url": f"s3://{self.name}",
            "region": self.region,
            "account_id": self.account_id,
        }


_BLOCKS = {
    "block_public_acls": "BlockPublicAcls",
    "ignore_public_acls": "IgnorePublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "restrict_public_buckets": "RestrictPublicBuckets",
}


def _public_access_block(answer: dict[str, t.Any]) -> dict[str, bool]:
    configuration = answer.get("PublicAccessBlockConfiguration", {})
    return {name: configuration.get(key, False) for name, key in _BLOCKS.items()}


def _encryption(answer: dict[str, t.Any]) -> dict[str, t.Any] | None:
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules") or []
    if not rules:
        return None
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
    encryption = {
        "sse_algorithm": default.get("SSEAlgorithm"),
        "kms_master_key_id": default.get("KMSMasterKeyID"),
        "bucket_key_enabled": rules[0].get("BucketKeyEnabled", False),
    }
    blocked = rules[0].get("BlockedEncryptionTypes", {}).get("EncryptionType")
    return {**encryption, "blocked_encryption_types": blocked} if blocked else encryption


def _lifecycle(answer: dict[str, t.Any]) -> dict[str, t.Any]:
    # The size belongs to the configuration and would fall back to S3's default if it were not written again.
    size = answer.get("TransitionDefaultMinimumObjectSize")
    return {"lifecycle_rules": answer.get("Rules", []), "transition_default_minimum_object_size": size}


# Setting -> method, codes that say that it was never set (the parser then gets an empty answer), parser of the answer.
_READS: dict[str, tuple[str, tuple[str, ...], t.Callable[[dict[str, t.Any]], t.Any]]] = {
    "public_access_block": (
        "get_public_access_block",
        ("NoSuchPublicAccessBlockConfiguration",),
        _public_access_block,
    ),
    "object_ownership": (
        "get_bucket_ownership_controls",
        ("OwnershipControlsNotFoundError",),
        lambda answer: next((r["ObjectOwnership"] for r in answer.get("OwnershipControls", {}).get("Rules", [])), None),
    ),
    "encryption": (
        "get_bucket_encryption",
        ("ServerSideEncryptionConfigurationNotFoundError",),
        _encryption,
    ),
    "versioning": ("get_bucket_versioning", (), lambda answer: answer.get("Status", "Disabled")),
    "object_lock": ("get_object_lock_configuration", ("ObjectLockConfigurationNotFoundError",), _object_lock),
    "policy": (
        "get_bucket_policy",
        ("NoSuchBucketPolicy",),
        lambda answer: json.loads(answer["Policy"]) if "Policy" in answer else None,
    ),
    "lifecycle": ("get_bucket_lifecycle_configuration", ("NoSuchLifecycleConfiguration",), _lifecycle),
    "tags": (
        "get_bucket_tagging",
        ("NoSuchTagSet", "NoSuchTagSetError"),
        lambda answer: boto3_tag_list_to_ansible_dict(answer.get("TagSet", [])),
    ),
    "empty": (
        # Versions and delete markers keep a bucket from being deleted too; without versioning an object is its version.
        "list_object_versions",
        (),
        lambda answer: not answer.get("Versions") and not answer.get("DeleteMarkers"),
    ),
}
SETTINGS = tuple(_READS)


class _OtherRegion(AnsibleAWSError):
    """S3 named the region that the bucket is in: the message."""


class _Missing(Exception):
    """There is no such bucket."""


def read(connection: AwsConnection, bucket: BucketId, settings: t.Collection[str]) -> Bucket | None:
    """The bucket with these settings; ``None`` when it does not exist.

    :param settings: some of ``SETTINGS``, one call each
    :raises AnsibleAWSError: it belongs to someone else, it is in another region, or a call failed
    """
    client = connection.client("s3", bucket.region)
    # The SDK follows S3 to the region of the bucket on its own. A bucket elsewhere must not be taken for the right one.
    client.meta.events.register_first("needs-retry.s3", _refuse_other_region, unique_id="kubestrap.aws other region")
    try:
        found = gather({setting: functools.partial(_read_one, client, bucket, setting) for setting in settings})
    except _Missing:
        return None
    except _OtherRegion as e:
        refuse(
            "name",
            bucket.name,
            f"is a bucket in region {e.message}, and this task works in {bucket.region}",
            f"Choose another name, or set the region to {e.message}",
        )
    except ClientError as e:
        _explain_refusal(client, bucket, e)
    except BotoCoreError as e:
        raise AnsibleAWSError(message=f"Failed to read the bucket {bucket.name}", exception=e) from e
    lifecycle = found.pop("lifecycle", {})
    return {**bucket.resource, **found, **lifecycle}


def _read_one(client: t.Any, bucket: BucketId, setting: str) -> t.Any:
    method, unset_codes, parse = _READS[setting]
    limit = {"MaxKeys": 1} if setting == "empty" else {}
    try:
        return parse(getattr(client, method)(**bucket.target, **limit))
    except ClientError as e:
        if error_code(e) in unset_codes:
            return parse({})
        if error_code(e) == "NoSuchBucket":
            raise _Missing from e
        raise


def _refuse_other_region(
    request_dict: dict[str, t.Any], response: tuple[t.Any, dict[str, t.Any]] | None, **_kwargs: t.Any
) -> None:
    """Handler of botocore's event ``needs-retry``: raise instead of following a redirection."""
    if response is None or response[0].status_code not in (301, 307, 400):
        return
    answer = response[1]
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    actual = headers.get("x-amz-bucket-region") or answer.get("Error", {}).get("Region")
    if actual and actual != request_dict.get("context", {}).get("client_region"):
        raise _OtherRegion(message=actual)


def _explain_refusal(client: t.Any, bucket: BucketId, error: ClientError) -> t.NoReturn:
    """Say whose the bucket is. One call more, made only when S3 has refused."""
    if error_code(error) not in ("AccessDenied", "403"):
        raise AnsibleAWSError(message=f"Failed to read the bucket {bucket.name}", exception=error) from error
    action = error.operation_name
    try:
        listed = client.list_buckets(Prefix=bucket.name).get("Buckets", [])
        ours = any(entry["Name"] == bucket.name for entry in listed)
    except (ClientError, BotoCoreError):
        raise AnsibleAWSError(
            message=f"name: the bucket '{bucket.name}' exists and does not belong to account {bucket.account_id}, or "
            f"these credentials may not call {action} on it. Bucket names are unique over all accounts: choose another "
            "name, or allow the call",
            exception=error,
        ) from error
    if ours:
        raise AnsibleAWSError(
            message=f"These credentials may not call {action} on the bucket {bucket.name}, or it does not belong to "
            f"account {bucket.account_id}. Allow the call, or correct account_id",
            exception=error,
        ) from error
    raise AnsibleAWSError(
        message=f"name: '{bucket.name}' is a bucket of someone else, not of account {bucket.account_id}. Bucket names "
        "are unique over all accounts: choose another name",
        exception=error,
    ) from error
