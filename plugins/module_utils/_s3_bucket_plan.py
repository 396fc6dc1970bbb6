# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a bucket as a task wants it, or takes it away. Pure: no call; reading is in ``_s3_bucket``."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list, compare_aws_tags

from . import policies
from ._identifiers import refuse
from ._ownership import creation_tags, keep_foreign, kept_tags
from ._plan import Change, Plan
from ._s3_bucket import Bucket, BucketId
from ._s3_bucket_empty import empty_bucket
from ._s3_bucket_settings import Settings
from ._s3_lifecycle import merge_rules, rule_of
from ._s3_object_lock import configuration, wanted_lock
from ._statements import merge, says_already
from ._storage_sharing import bucket_statements
from .storage_policies import SHARED

TLS_ONLY_SID = "DenyInsecureTransport"

_ALL_BLOCKED = {
    "block_public_acls": True,
    "ignore_public_acls": True,
    "block_public_policy": True,
    "restrict_public_buckets": True,
}
# What S3 gives to every new bucket (S3 user guide: since January 2023 SSE-S3; since April 2023 all public access is
# blocked and ACLs are off).
_NEW_BUCKET: dict[str, t.Any] = {
    "public_access_block": _ALL_BLOCKED,
    "object_ownership": "BucketOwnerEnforced",
    "encryption": {"sse_algorithm": "AES256", "kms_master_key_id": None, "bucket_key_enabled": False},
    "versioning": "Disabled",
    "object_lock": None,
    "policy": None,
    "lifecycle": None,
    "tags": {},
}
_DEFAULT_TRANSITION_SIZE = "all_storage_classes_128K"


def plan_present(bucket: BucketId, current: Bucket | None, settings: Settings) -> Plan:
    """What makes the bucket exist with these settings.

    :param current: as read with ``settings.to_read``
    """
    if current is not None:
        planned = _Planner(bucket, current, settings)
        return Plan(current, planned.after, planned.changes)

    tags = creation_tags(settings.tags, settings.ownership_tags)
    new = {**bucket.resource, **{setting: _NEW_BUCKET[setting] for setting in settings.to_read}}
    if new.pop("lifecycle", "") is None:
        new |= {"lifecycle_rules": [], "transition_default_minimum_object_size": None}
    if settings.object_ownership:
        new["object_ownership"] = settings.object_ownership
    if settings.object_lock is not None:
        # Made with it, a bucket has versions from the start.
        new["object_lock"] = {"mode": None, "days": None, "years": None}
        if settings.versioning:
            new["versioning"] = "Enabled"
    if settings.tags is not None:
        new["tags"] = tags
    planned = _Planner(bucket, new, settings)
    # S3 may not know the bucket everywhere at once.
    changes = [
        dataclasses.replace(change, retry_codes=(*change.retry_codes, "NoSuchBucket", "OperationAborted"))
        for change in planned.changes
    ]
    return Plan(None, planned.after, [_create(bucket, settings, tags), *changes])


def plan_adopted(bucket: BucketId, current: Bucket, settings: Settings) -> Plan:
    """What a bucket of somebody else gets: policy statements and lifecycle rules beside its own.

    :raises AnsibleAWSError: its encryption is another one than the task wants
    """
    if _encryption(current, settings) is not None:
        actual = current["encryption"] or {}
        has = " with ".join(filter(None, [actual.get("sse_algorithm"), actual.get("kms_master_key_id")])) or "none"
        wanted = " with ".join(
            filter(None, [settings.encryption["sse_algorithm"], settings.encryption.get("kms_master_key_id")])
        )
        write = "Write what the bucket has, choose another bucket, or leave adopt out to change this one"
        refuse("encryption", wanted, f"is not that of the bucket {bucket.name}, which is not ours: {has}", write)
    planned = _Planner(bucket, current, settings.of_a_guest)
    return Plan(current, planned.after, planned.changes)


def plan_absent(
    bucket: BucketId,
    current: Bucket | None,
    force: bool = False,
    keep_if_not_empty: bool = False,
    keep_because: str | None = None,
    ownership_tags: dict[str, str] | None = None,
) -> Plan:
    """What takes the bucket away.

    :param current: as read with ``empty``, and with ``tags`` where there are ownership tags
    :param force: whether all objects, versions and delete markers go with it
    :param keep_if_not_empty: whether a bucket that is not empty stays, instead of an error
    :param keep_because: why it stays whatever is in it
    :raises AnsibleAWSError: the bucket is not empty, and neither option is set
    """
    if current is None:
        return Plan(None, None)
    kept = keep_foreign(current, current.get("tags", {}), ownership_tags, f"the bucket {bucket.name}")
    if kept:
        return kept
    if keep_because:
        return Plan(current, current, kept=f"the bucket {bucket.name}: {keep_because}")
    if not current["empty"] and not force and keep_if_not_empty:
        return Plan(current, current, kept=f"the bucket {bucket.name} is not empty")
    if not current["empty"] and not force:
        write = "Nothing was deleted. Set force to true to delete its objects, with all their versions, and the bucket"
        refuse("name", bucket.name, "is a bucket that is not empty", write)
    empty = Change(
        f"delete all objects and versions in the bucket {bucket.name}",
        "s3",
        "delete_objects",
        region=bucket.region,
        function=lambda connection: empty_bucket(connection, bucket),
    )
    delete = Change(
        f"delete the bucket {bucket.name}",
        "s3",
        "delete_bucket",
        bucket.target,
        region=bucket.region,
        done_codes=("NoSuchBucket",),
    )
    return Plan(current, None, [delete] if current["empty"] else [empty, delete])


def _create(bucket: BucketId, settings: Settings, tags: dict[str, str]) -> Change:
    params: dict[str, t.Any] = {"Bucket": bucket.name}
    configuration: dict[str, t.Any] = {}
    if bucket.region != "us-east-1":  # which is no LocationConstraint: there it is left out
        configuration["LocationConstraint"] = bucket.region
    if tags:
        # In the call itself: policies of an organisation may demand aws:RequestTag.
        configuration["Tags"] = ansible_dict_to_boto3_tag_list(tags)
    if configuration:
        params["CreateBucketConfiguration"] = configuration
    if settings.object_ownership not in (
        None,
        "BucketOwnerEnforced",
    ):  # the default; naming it takes one more permission
        params["ObjectOwnership"] = settings.object_ownership
    if settings.object_lock is not None:
        params["ObjectLockEnabledForBucket"] = True
    return Change(
        f"create the bucket {bucket.name}",
        "s3",
        "create_bucket",
        params,
        region=bucket.region,
        # A bucket of that name was deleted a moment ago.
        retry_codes=("OperationAborted",),
        # The SDK repeated a call whose answer was lost.
        done_codes=("BucketAlreadyOwnedByYou",),
        hints={"BucketAlreadyExists": "Bucket names are unique over all accounts: choose another name"},
    )


class _Planner:
    """The calls for one bucket that exists, and the settings that they make."""

    def __init__(self, bucket: BucketId, current: Bucket, settings: Settings) -> None:
        self.bucket = bucket
        self.current = current
        self.settings = settings
        self.changes: list[Change] = []
        self.after = dict(current)
        if settings.public_access_block and current["public_access_block"] != _ALL_BLOCKED:
            blocks = {key.title().replace("_", ""): value for key, value in _ALL_BLOCKED.items()}
            self.set("public_access_block", _ALL_BLOCKED)
            self.call("block all public access", "put_public_access_block", PublicAccessBlockConfiguration=blocks)
        ownership = settings.object_ownership
        if ownership and current["object_ownership"] != ownership:
            self.set("object_ownership", ownership)
            rules = {"Rules": [{"ObjectOwnership": ownership}]}
            self.call(f"set the object ownership {ownership}", "put_bucket_ownership_controls", OwnershipControls=rules)
        encryption = _encryption(current, settings)
        if encryption is not None:
            self.set("encryption", encryption)
            rules = {"Rules": [_encryption_rule(encryption)]}
            what = "set the default encryption"
            self.call(what, "put_bucket_encryption", ServerSideEncryptionConfiguration=rules)
        status = settings.versioning
        if status and current["versioning"] != status:
            self.set("versioning", status)
            self.call(
                f"set versioning to {status}", "put_bucket_versioning", VersioningConfiguration={"Status": status}
            )
        if settings.object_lock is not None:
            self.plan_object_lock(settings.object_lock)
        if "policy" in settings.to_read:
            self.plan_policy()
        if "lifecycle" in settings.to_read:
            self.plan_lifecycle()
        if settings.tags is not None:
            self.plan_tags()

    def set(self, setting: str, value: t.Any) -> None:
        """Note what a setting will be."""
        self.after[setting] = value

    def call(self, what: str, method: str, retry_codes: tuple[str, ...] = (), **params: t.Any) -> None:
        """Add a call."""
        summary = f"{what} of the bucket {self.bucket.name}"
        params = {**self.bucket.target, **params}
        self.changes.append(Change(summary, "s3", method, params, self.bucket.region, retry_codes))

    def plan_object_lock(self, lock: t.Mapping[str, t.Any]) -> None:
        new = wanted_lock(self.bucket.name, self.current["object_lock"], lock)
        if new is not None:
            self.set("object_lock", new)
            what = f"set the retention {new['mode']} of object lock"
            self.call(what, "put_object_lock_configuration", ObjectLockConfiguration=configuration(new))

    def plan_policy(self) -> None:
        current = self.current["policy"]
        policy = _policy(self.bucket, current, self.settings)
        if policy is current:
            return
        self.set("policy", policy)
        if policy is None:
            self.call("delete the policy", "delete_bucket_policy")
            return
        # A principal that was created a moment ago is not known everywhere at once.
        not_yet = ("MalformedPolicy: Invalid principal",)
        compact = json.dumps(policy, separators=(",", ":"))  # the limit of its size may count spaces
        self.call("set the policy", "put_bucket_policy", not_yet, Policy=compact)

    def plan_lifecycle(self) -> None:
        current = self.current["lifecycle_rules"]
        wanted = [rule_of(rule) for rule in self.settings.lifecycle_rules or []]
        absent = self.settings.absent_lifecycle_rule_ids or ()
        rules = merge_rules(current, wanted, self.settings.purge_lifecycle_rules, absent)
        if rules == current:
            return
        self.set("lifecycle_rules", rules)
        if not rules:
            self.set("transition_default_minimum_object_size", None)
            self.call("delete the lifecycle rules", "delete_bucket_lifecycle")
            return
        size = self.current["transition_default_minimum_object_size"] or _DEFAULT_TRANSITION_SIZE
        self.set("transition_default_minimum_object_size", size)
        self.call(
            "set the lifecycle rules",
            "put_bucket_lifecycle_configuration",
            LifecycleConfiguration={"Rules": rules},
            TransitionDefaultMinimumObjectSize=size,
        )

    def plan_tags(self) -> None:
        current = self.current["tags"]
        wanted = kept_tags(self.settings.tags, self.settings.ownership_tags, current) or {}
        to_set, to_unset = compare_aws_tags(current, wanted, self.settings.purge_tags)
        if not to_set and not to_unset:
            return
        # S3 replaces all tags, and refuses to lose those of AWS (aws:...), which compare_aws_tags leaves out.
        tags = {key: value for key, value in {**current, **to_set}.items() if key not in to_unset}
        self.set("tags", tags)
        if tags:
            tag_set = ansible_dict_to_boto3_tag_list(tags)
            self.call("set the tags", "put_bucket_tagging", Tagging={"TagSet": tag_set})
        else:
            self.call("remove the tags", "delete_bucket_tagging")


def _encryption(current: Bucket, settings: Settings) -> dict[str, t.Any] | None:
    """The encryption to set, ``None`` when it is as wanted. What the task does not set is kept."""
    wanted = settings.encryption
    if not wanted:
        return None
    actual = current["encryption"] or {}
    algorithm, key = wanted["sse_algorithm"], wanted.get("kms_master_key_id")
    same_algorithm = actual.get("sse_algorithm") == algorithm
    same_key = not key or _same_key(actual.get("kms_master_key_id"), key)
    bucket_key = algorithm == "aws:kms" and wanted.get("bucket_key_enabled", True)
    if same_algorithm and same_key and (algorithm == "AES256" or actual.get("bucket_key_enabled") == bucket_key):
        return None
    if not key and same_algorithm:
        key = actual.get("kms_master_key_id")
    new = {**actual, "sse_algorithm": algorithm, "kms_master_key_id": key, "bucket_key_enabled": bucket_key}
    if same_key and same_algorithm and actual.get("kms_master_key_id"):
        new["kms_master_key_id"] = actual["kms_master_key_id"]
    return new


def _same_key(actual: str | None, wanted: str) -> bool:
    """Whether two names are of one KMS key: S3 keeps the form that it was given, an ARN, an id or an alias."""
    if not actual:
        return False
    short, long = sorted((actual, wanted), key=len)
    return short == long or (not short.startswith("arn:") and long.endswith((f":{short}", f":key/{short}")))


def _encryption_rule(encryption: dict[str, t.Any]) -> dict[str, t.Any]:
    default = {"SSEAlgorithm": encryption["sse_algorithm"]}
    if encryption["kms_master_key_id"]:
        default["KMSMasterKeyID"] = encryption["kms_master_key_id"]
    rule: dict[str, t.Any] = {"ApplyServerSideEncryptionByDefault": default}
    rule["BucketKeyEnabled"] = encryption["bucket_key_enabled"]
    if encryption.get("blocked_encryption_types"):
        rule["BlockedEncryptionTypes"] = {"EncryptionType": encryption["blocked_encryption_types"]}
    return rule


def _policy(bucket: BucketId, current: dict[str, t.Any] | None, settings: Settings) -> dict[str, t.Any] | None:
    """The bucket policy after the merge; the current one itself when nothing differs."""
    wanted = list(settings.policy_statements or [])
    if settings.tls_only and all(statement["Sid"] != TLS_ONLY_SID for statement in wanted):
        (tls,) = policies.tls_only(bucket=bucket.name, partition=bucket.partition)
        own = {**tls, "Sid": TLS_ONLY_SID}
        if not says_already(current, own):
            wanted.append(own)
    gone = list(settings.absent_policy_sids or ())
    if settings.sharing:
        place = {"bucket": bucket.name, "partition": bucket.partition, "account_id": bucket.account_id}
        wanted += bucket_statements(current, settings.sharing, **place)
        gone.append(f"{SHARED}*")
    merged = merge(current, wanted, gone)
    size = policies.size(merged) if merged else 0
    if merged is not current and size > policies.BUCKET_POLICY_SIZE:
        problem = f"would get a policy of {size} characters; S3 allows {policies.BUCKET_POLICY_SIZE}"
        if settings.shared_with:
            fewer = "Write one role with * in its name for many, or remove those that are gone (absent_shared_with)"
            refuse("shared_with", bucket.name, problem, fewer)
        write = "Write fewer or shorter statements, or remove others of that bucket with absent_policy_sids"
        refuse("policy_statements", bucket.name, problem, write)
    return merged
