# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a bucket: from nothing, for each difference, for none, and to take it away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import policies
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket import BucketId
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket_plan import (
    plan_absent,
    plan_adopted,
    plan_present,
)
from ansible_collections.kubestrap.aws.plugins.module_utils._s3_bucket_settings import Settings

BUCKET = BucketId("reports", "eu-west-1", "111111111111", "aws")
TARGET = {"Bucket": "reports", "ExpectedBucketOwner": "111111111111"}
BLOCKED = {
    "block_public_acls": True,
    "ignore_public_acls": True,
    "block_public_policy": True,
    "restrict_public_buckets": True,
}
TLS = {**policies.tls_only(bucket="reports", partition="aws")[0], "Sid": "DenyInsecureTransport"}
READER = {
    "Sid": "Reader",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::reports/*",
}
STRANGER = {**READER, "Sid": "Stranger"}
KEY = "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
RULE = {"id": "expire", "prefix": "results/", "expiration_days": 1}
S3_RULE = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "results/"}, "Expiration": {"Days": 1}}
THEIR_RULE = {"ID": "theirs", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 365}}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def existing(**settings: Any) -> dict[str, Any]:
    """A bucket that is as a task without settings wants it."""
    return {
        **BUCKET.resource,
        "public_access_block": BLOCKED,
        "object_ownership": "BucketOwnerEnforced",
        "encryption": {"sse_algorithm": "AES256", "kms_master_key_id": None, "bucket_key_enabled": False},
        "versioning": "Disabled",
        "policy": document(TLS),
        "lifecycle_rules": [],
        "transition_default_minimum_object_size": None,
        "tags": {},
        **settings,
    }


def methods(plan: Plan) -> list[str]:
    return [change.method for change in plan.changes]


def only(plan: Plan) -> tuple[str, dict[str, Any]]:
    """The one change of a plan: its method and what it has besides bucket and owner."""
    (change,) = plan.changes
    assert change.service == "s3"
    assert change.region == "eu-west-1"
    assert TARGET.items() <= change.params.items()
    return change.method, {key: value for key, value in change.params.items() if key not in TARGET}


def test_from_nothing_with_the_defaults() -> None:
    plan = plan_present(BUCKET, None, Settings())

    assert plan.before is None
    assert methods(plan) == ["create_bucket", "put_bucket_policy"]
    create, policy = plan.changes
    assert create.params == {
        "Bucket": "reports",
        "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
    }
    assert create.done_codes == ("BucketAlreadyOwnedByYou",)
    assert json.loads(policy.params["Policy"]) == document(TLS)
    assert "NoSuchBucket" in policy.retry_codes
    assert plan.after == {
        "name": "reports",
        "arn": "arn:aws:s3:::reports",
        "url": "s3://reports",
        "region": "eu-west-1",
        "account_id": "111111111111",
        "public_access_block": BLOCKED,
        "object_ownership": "BucketOwnerEnforced",
        "policy": document(TLS),
    }


def test_from_nothing_with_everything() -> None:
    settings = Settings(
        object_ownership="ObjectWriter",
        encryption={"sse_algorithm": "aws:kms", "kms_master_key_id": KEY, "bucket_key_enabled": True},
        versioning="Enabled",
        policy_statements=[READER],
        lifecycle_rules=[RULE],
        tags={"team": "platform"},
        ownership_tags={"managed-by": "example"},
    )

    plan = plan_present(BUCKET, None, settings)

    assert methods(plan) == [
        "create_bucket",
        "put_bucket_encryption",
        "put_bucket_versioning",
        "put_bucket_policy",
        "put_bucket_lifecycle_configuration",
    ]
    assert plan.changes[0].params == {
        "Bucket": "reports",
        "ObjectOwnership": "ObjectWriter",
        "CreateBucketConfiguration": {
            "LocationConstraint": "eu-west-1",
            "Tags": [{"Key": "team", "Value": "platform"}, {"Key": "managed-by", "Value": "example"}],
        },
    }
    assert plan.after is not None
    assert plan.after["tags"] == {"team": "platform", "managed-by": "example"}
    assert plan.after["policy"] == document(READER, TLS)
    assert plan.after["lifecycle_rules"] == [S3_RULE]
    # What was just planned is then no change.
    assert not plan_present(BUCKET, plan.after, settings).changed


@pytest.mark.parametrize(("tags", "configuration"), [(None, {}), ({"a": "b"}, {"Tags": [{"Key": "a", "Value": "b"}]})])
def test_us_east_1_is_no_location(tags: dict[str, str] | None, configuration: dict[str, Any]) -> None:
    plan = plan_present(BucketId("reports", "us-east-1", "111111111111", "aws"), None, Settings(tags=tags))

    assert plan.changes[0].params.get("CreateBucketConfiguration", {}) == configuration


def test_arns_are_of_the_partition() -> None:
    bucket = BucketId("reports", "cn-north-1", "111111111111", "aws-cn")

    plan = plan_present(bucket, None, Settings())

    assert plan.after is not None
    assert plan.after["arn"] == "arn:aws-cn:s3:::reports"
    assert plan.after["policy"]["Statement"][0]["Resource"] == [bucket.arn, f"{bucket.arn}/*"]


def test_no_change() -> None:
    current = existing()

    plan = plan_present(BUCKET, current, Settings())

    assert not plan.changed
    assert plan.after == plan.before == current


def test_what_was_not_read_is_not_looked_at() -> None:
    nothing = Settings(public_access_block=False, tls_only=False, object_ownership=None)

    assert not plan_present(BUCKET, {**BUCKET.resource, "versioning": "Enabled"}, nothing).changed


@pytest.mark.parametrize(
    ("current", "settings", "expected"),
    [
        (
            {"public_access_block": {**BLOCKED, "block_public_policy": False}},
            {},
            (
                "put_public_access_block",
                {
                    "PublicAccessBlockConfiguration": {
                        "BlockPublicAcls": True,
                        "IgnorePublicAcls": True,
                        "BlockPublicPolicy": True,
                        "RestrictPublicBuckets": True,
                    }
                },
            ),
        ),
        (
            {"object_ownership": "ObjectWriter"},
            {},
            (
                "put_bucket_ownership_controls",
                {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
            ),
        ),
        (
            {"versioning": "Enabled"},
            {"versioning": "Suspended"},
            ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
        ),
        (
            {"lifecycle_rules": [THEIR_RULE], "transition_default_minimum_object_size": "varies_by_storage_class"},
            {"lifecycle_rules": [RULE]},
            (
                "put_bucket_lifecycle_configuration",
                {
                    "LifecycleConfiguration": {"Rules": [THEIR_RULE, S3_RULE]},
                    "TransitionDefaultMinimumObjectSize": "varies_by_storage_class",
                },
            ),
        ),
        (
            {"lifecycle_rules": [THEIR_RULE]},
            {"lifecycle_rules": [], "purge_lifecycle_rules": True},
            ("delete_bucket_lifecycle", {}),
        ),
        (
            {"tags": {"team": "old", "aws:cloudformation:stack-name": "x"}},
            {"tags": {"team": "platform"}},
            (
                "put_bucket_tagging",
                {
                    "Tagging": {
                        "TagSet": [
                            {"Key": "team", "Value": "platform"},
                            {"Key": "aws:cloudformation:stack-name", "Value": "x"},
                        ]
                    }
                },
            ),
        ),
        (
            {"tags": {"a": "1", "b": "2"}},
            {"tags": {"b": "3"}, "purge_tags": False},
            ("put_bucket_tagging", {"Tagging": {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "3"}]}}),
        ),
        ({"tags": {"a": "1"}}, {"tags": {}}, ("delete_bucket_tagging", {})),
        (
            {"policy": document(TLS)},
            {"tls_only": False, "absent_policy_sids": ["DenyInsecureTransport"]},
            ("delete_bucket_policy", {}),
        ),
    ],
)
def test_each_difference_alone(current: dict[str, Any], settings: dict[str, Any], expected: tuple[str, Any]) -> None:
    wanted = Settings(**settings)

    plan = plan_present(BUCKET, existing(**current), wanted)

    assert only(plan) == expected
    assert plan.after is not None
    assert not plan_present(BUCKET, plan.after, wanted).changed
    assert list(plan.diff["after"]) or plan.diff["before"]


@pytest.mark.parametrize(
    ("current", "settings", "expected"),
    [
        (None, {}, document(TLS)),
        (document(STRANGER), {}, document(STRANGER, TLS)),
        (document(TLS, STRANGER), {"policy_statements": [READER]}, document(TLS, STRANGER, READER)),
        (document({**READER, "Action": "s3:*"}, TLS), {"policy_statements": [READER]}, document(READER, TLS)),
        (document(TLS, READER, STRANGER), {"absent_policy_sids": ["Reader"]}, document(TLS, STRANGER)),
        # A statement of the task with our Sid is the task's own wish.
        (
            document(TLS),
            {"policy_statements": [{**TLS, "Action": "s3:GetObject"}]},
            document({**TLS, "Action": "s3:GetObject"}),
        ),
    ],
)
def test_the_policy_is_merged(current: Any, settings: dict[str, Any], expected: dict[str, Any]) -> None:
    plan = plan_present(BUCKET, existing(policy=current), Settings(**settings))

    method, params = only(plan)
    assert method == "put_bucket_policy"
    assert json.loads(params["Policy"]) == expected
    assert plan.changes[0].retry_codes == ("MalformedPolicy: Invalid principal",)


@pytest.mark.parametrize(
    "current",
    [
        document({**TLS, "Sid": "AnotherName"}),
        document({**TLS, "Principal": {"AWS": "*"}, "Condition": {"Bool": {"aws:SecureTransport": False}}}),
        document({key: value for key, value in TLS.items() if key != "Sid"}, STRANGER),
    ],
)
def test_tls_only_in_other_words_is_enough(current: dict[str, Any]) -> None:
    assert not plan_present(BUCKET, existing(policy=current), Settings()).changed


def test_a_policy_that_is_too_long_is_refused() -> None:
    long = {**READER, "Resource": [f"arn:aws:s3:::reports/{number:04}/*" for number in range(1000)]}

    with pytest.raises(AnsibleAWSError, match=r"policy_statements: 'reports' would get a policy of \d+ characters"):
        plan_present(BUCKET, existing(), Settings(policy_statements=[long]))


KMS = {"sse_algorithm": "aws:kms", "kms_master_key_id": KEY, "bucket_key_enabled": True}
SSE_S3 = {"sse_algorithm": "AES256", "kms_master_key_id": None, "bucket_key_enabled": False}


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        (KMS, KMS),
        (KMS, {"sse_algorithm": "aws:kms"}),
        (KMS, {**KMS, "kms_master_key_id": "1234abcd-12ab-34cd-56ef-1234567890ab"}),
        ({**KMS, "kms_master_key_id": "alias/reports"}, {**KMS, "kms_master_key_id": f"{KEY[:39]}:alias/reports"}),
        (SSE_S3, SSE_S3),
        ({**SSE_S3, "bucket_key_enabled": True}, SSE_S3),
    ],
)
def test_encryption_that_fits(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert not plan_present(BUCKET, existing(encryption=current), Settings(encryption=wanted)).changed


@pytest.mark.parametrize(
    ("current", "wanted", "default", "bucket_key"),
    [
        (SSE_S3, {"sse_algorithm": "aws:kms"}, {"SSEAlgorithm": "aws:kms"}, True),
        (SSE_S3, KMS, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}, True),
        (None, SSE_S3, {"SSEAlgorithm": "AES256"}, False),
        (KMS, SSE_S3, {"SSEAlgorithm": "AES256"}, False),
        # The key stays when the task names none.
        (
            {**KMS, "bucket_key_enabled": False},
            {"sse_algorithm": "aws:kms"},
            {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
            True,
        ),
        (
            KMS,
            {**KMS, "kms_master_key_id": "alias/other"},
            {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/other"},
            True,
        ),
        (KMS, {**KMS, "bucket_key_enabled": False}, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}, False),
    ],
)
def test_encryption_that_differs(current: Any, wanted: dict[str, Any], default: Any, bucket_key: bool) -> None:
    plan = plan_present(BUCKET, existing(encryption=current), Settings(encryption=wanted))

    method, params = only(plan)
    assert method == "put_bucket_encryption"
    (rule,) = params["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule == {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key}
    assert not plan_present(BUCKET, plan.after, Settings(encryption=wanted)).changed


def test_blocked_encryption_types_are_kept() -> None:
    current = {**SSE_S3, "blocked_encryption_types": ["SSE-C"]}

    plan = plan_present(BUCKET, existing(encryption=current), Settings(encryption=KMS))

    (rule,) = only(plan)[1]["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}


def test_ownership_tags_are_not_given_later_and_not_purged() -> None:
    ownership = {"managed-by": "example"}
    settings = Settings(tags={"a": "1"}, ownership_tags=ownership)

    foreign = plan_present(BUCKET, existing(tags={"a": "1"}), settings)
    ours = plan_present(BUCKET, existing(tags={"a": "1", **ownership}), settings)

    assert not foreign.changed
    assert not ours.changed


def test_absent() -> None:
    current = {**BUCKET.resource, "empty": True}

    assert not plan_absent(BUCKET, None).changed
    plan = plan_absent(BUCKET, current)

    assert methods(plan) == ["delete_bucket"]
    assert plan.changes[0].params == TARGET
    assert plan.changes[0].done_codes == ("NoSuchBucket",)
    assert plan.after is None
    assert plan.diff == {"before": current, "after": {}}


def test_data_goes_only_when_told() -> None:
    current = {**BUCKET.resource, "empty": False}

    with pytest.raises(AnsibleAWSError, match="name: 'reports' is a bucket that is not empty. Nothing was deleted"):
        plan_absent(BUCKET, current)
    kept = plan_absent(BUCKET, current, keep_if_not_empty=True)
    forced = plan_absent(BUCKET, current, force=True)
    both = plan_absent(BUCKET, current, force=True, keep_if_not_empty=True)

    assert not kept.changed
    assert kept.kept == "the bucket reports is not empty"
    assert kept.after == current
    assert methods(forced) == methods(both) == ["delete_objects", "delete_bucket"]
    assert forced.after is None


def test_what_others_made_stays() -> None:
    ownership = {"managed-by": "example"}
    foreign = {**BUCKET.resource, "empty": True, "tags": {"managed-by": "someone"}}

    kept = plan_absent(BUCKET, foreign, force=True, ownership_tags=ownership)

    assert not kept.changed
    assert kept.kept == "the bucket reports was not made by this collection (no tag managed-by=example)"
    assert plan_absent(BUCKET, {**foreign, "tags": ownership}, ownership_tags=ownership).changed


def test_a_bucket_of_somebody_else_gets_only_what_stands_beside_its_own() -> None:
    theirs = existing(
        public_access_block={**BLOCKED, "block_public_acls": False},
        object_ownership="ObjectWriter",
        policy=document(STRANGER),
        lifecycle_rules=[THEIR_RULE],
    )
    settings = Settings(policy_statements=[READER], lifecycle_rules=[RULE], tags={"team": "a"}, versioning="Enabled")

    plan = plan_adopted(BUCKET, theirs, settings)

    assert methods(plan) == ["put_bucket_policy", "put_bucket_lifecycle_configuration"]
    assert plan.after["policy"] == document(STRANGER, READER)
    assert plan.after["lifecycle_rules"] == [THEIR_RULE, S3_RULE]
    assert plan.after["tags"] == {}
    assert plan_adopted(BUCKET, plan.after, settings).changes == []


def test_another_encryption_of_a_bucket_of_somebody_else_is_refused() -> None:
    settings = Settings(encryption={"sse_algorithm": "aws:kms", "kms_master_key_id": KEY})
    with pytest.raises(AnsibleAWSError, match=f"'aws:kms with {KEY}' is not that of the bucket reports, .*: AES256"):
        plan_adopted(BUCKET, existing(), settings)
    encrypted = {"sse_algorithm": "aws:kms", "kms_master_key_id": KEY, "bucket_key_enabled": True}
    assert plan_adopted(BUCKET, existing(encryption=encrypted), settings).changes == []


def test_a_rule_leaves_by_its_id() -> None:
    now = existing(lifecycle_rules=[THEIR_RULE, S3_RULE])
    method, params = only(plan_present(BUCKET, now, Settings(absent_lifecycle_rule_ids=["expire"])))
    assert method == "put_bucket_lifecycle_configuration"
    assert params["LifecycleConfiguration"] == {"Rules": [THEIR_RULE]}
    assert plan_present(BUCKET, None, Settings(absent_lifecycle_rule_ids=["expire"])).after["lifecycle_rules"] == []
    with pytest.raises(AnsibleAWSError, match="'expire' is the id of one of lifecycle_rules too"):
        Settings(lifecycle_rules=[RULE], absent_lifecycle_rule_ids=["expire"]).check("reports")


def test_a_bucket_that_a_service_writes_into_stays() -> None:
    plan = plan_absent(BUCKET, {**existing(), "empty": False}, force=True, keep_because="AWS delivers into it")
    assert plan.changes == []
    assert plan.kept == "the bucket reports: AWS delivers into it"
    assert methods(plan_absent(BUCKET, {**existing(), "empty": True})) == ["delete_bucket"]


def test_object_lock_comes_with_the_creation_and_brings_versions() -> None:
    lock = {"mode": "GOVERNANCE", "days": 30, "years": None}
    plan = plan_present(BUCKET, None, Settings(tls_only=False, versioning="Enabled", object_lock=lock))

    assert methods(plan) == ["create_bucket", "put_object_lock_configuration"]
    assert plan.changes[0].params["ObjectLockEnabledForBucket"] is True
    assert plan.after["object_lock"] == lock
    assert plan.after["versioning"] == "Enabled"
    same = existing(versioning="Enabled", object_lock=lock)
    assert plan_present(BUCKET, same, Settings(object_lock=lock)).changes == []


def test_another_retention_of_object_lock() -> None:
    lock = {"mode": "COMPLIANCE", "days": None, "years": 1}
    current = existing(object_lock={"mode": None, "days": None, "years": None})
    method, params = only(plan_present(BUCKET, current, Settings(object_lock=lock)))

    assert method == "put_object_lock_configuration"
    retention = params["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert retention == {"Mode": "COMPLIANCE", "Years": 1}
