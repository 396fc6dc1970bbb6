# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bucket of an object store: made, shared with another account, taken over, taken away with and without data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from integration.playbook import Result, run_playbook
from integration.world import operator
from sandbox.client import Sandbox

ACCOUNT, OTHER, REGION = "111111111111", "222222222222", "eu-west-1"
BUCKET, THEIRS = "storage-of-thanos", "storage-of-somebody"
ROLES = [
    {"role_arn": f"arn:aws:iam::{OTHER}:role/thanos-one", "prefix": "one"},
    {"role_arn": f"arn:aws:iam::{OTHER}:role/thanos-two"},
]
# What a run without a change may take: the identity, and the bucket with its settings.
CALLS = 9


def run(sandbox: Sandbox, *, check: bool = False, **variables: Any) -> Result:
    """The role's preflight and the role, as a playbook includes them."""
    own = {f"workload_storage_{name}": value for name, value in {"bucket": BUCKET, **variables}.items()}
    role: dict[str, Any] = {"name": "kubestrap.aws.workload_storage"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "kubestrap_aws_profile": "payer",
            "kubestrap_aws_region": REGION,
            "kubestrap_account_id": ACCOUNT,
            "kubestrap_tags": {"team": "platform"},
            **own,
        },
        "tasks": [
            {"name": "Check", "ansible.builtin.include_role": {**role, "tasks_from": "preflight"}},
            {"name": "Make", "ansible.builtin.include_role": role},
        ],
    }
    return run_playbook([play], sandbox, check=check, diff=True)


def told(result: Result) -> dict[str, Any]:
    """The fact that the role sets."""
    assert result.ok, result.report
    facts = [task.result["ansible_facts"] for task in result.tasks if "ansible_facts" in task.result]
    return next(fact["workload_storage_result"] for fact in facts if "workload_storage_result" in fact)


def sids(sandbox: Sandbox, bucket: str = BUCKET) -> list[str]:
    """Of the bucket's policy."""
    policy = s3(sandbox).get_bucket_policy(Bucket=bucket)["Policy"]
    return [statement["Sid"] for statement in json.loads(policy)["Statement"]]


def rules(sandbox: Sandbox, bucket: str = BUCKET) -> list[str]:
    """IDs of the bucket's lifecycle rules."""
    return [rule["ID"] for rule in s3(sandbox).get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]]


def s3(sandbox: Sandbox) -> Any:
    """A client of the bucket's account."""
    return operator(sandbox, ACCOUNT, REGION).client("s3")


@pytest.fixture(scope="module")
def first(gateway_sandbox: Sandbox) -> list[Result]:
    """Check mode from nothing, and the run after it."""
    wanted = {"versioning": "Enabled", "noncurrent_version_expiration_days": 3, "shared_with": ROLES}
    return [run(gateway_sandbox, check=check, **wanted) for check in (True, False)]


def test_check_mode_predicts_what_the_run_then_makes(gateway_sandbox: Sandbox, first: list[Result]) -> None:
    predicted, made = first
    assert predicted.writes == []
    assert told(predicted) == told(made)
    assert told(made)["changes"][0] == f"create the bucket {BUCKET}"
    assert told(made)["arn"] == f"arn:aws:s3:::{BUCKET}"
    assert told(made)["notes"] == []


def test_the_bucket_is_as_it_should_be(gateway_sandbox: Sandbox, first: list[Result]) -> None:
    client = s3(gateway_sandbox)
    blocked = client.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    ownership = client.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert rules(gateway_sandbox) == ["kubestrap-expire-versions", "kubestrap-abort-uploads"]
    found = sids(gateway_sandbox)
    assert "DenyInsecureTransport" in found
    assert [sid for sid in found if sid.startswith("KubestrapShared")]
    tags = {tag["Key"]: tag["Value"] for tag in client.get_bucket_tagging(Bucket=BUCKET)["TagSet"]}
    assert tags == {"team": "platform", "managed-by": "kubestrap.aws"}


def test_a_run_without_change_makes_few_calls(gateway_sandbox: Sandbox, first: list[Result]) -> None:
    again = run(gateway_sandbox, versioning="Enabled", noncurrent_version_expiration_days=3, shared_with=ROLES)
    assert told(again)["changes"] == []
    assert again.writes == []
    print(again.count(kind="read"))
    assert again.count(kind="read") <= CALLS


def test_who_is_let_in_stays_until_it_is_said_and_what_others_wrote_too(
    gateway_sandbox: Sandbox, first: list[Result]
) -> None:
    client = s3(gateway_sandbox)
    policy = json.loads(client.get_bucket_policy(Bucket=BUCKET)["Policy"])
    owner = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": owner, "Action": "s3:GetObject"}
    policy["Statement"].append({**theirs, "Resource": f"arn:aws:s3:::{BUCKET}/*"})
    client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))

    alone = run(gateway_sandbox, abort_incomplete_multipart_upload_days=0)
    assert len(told(alone)["changes"]) == 1
    assert len(sids(gateway_sandbox)) == len(policy["Statement"])

    one, two = (role["role_arn"] for role in ROLES)
    left = run(gateway_sandbox, no_longer_shared_with=[one], abort_incomplete_multipart_upload_days=0)
    assert len(told(left)["changes"]) == 1
    rest = client.get_bucket_policy(Bucket=BUCKET)["Policy"]
    assert (one in rest, two in rest) == (False, True)

    purged = run(gateway_sandbox, purge_shared_with=True, abort_incomplete_multipart_upload_days=0)
    assert len(told(purged)["changes"]) == 1
    assert sids(gateway_sandbox) == ["DenyInsecureTransport", "Theirs"]
    assert client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled", "it was not asked for, so it is left"


def test_versions_that_are_kept_for_good_are_told(gateway_sandbox: Sandbox, first: list[Result]) -> None:
    grows = run(gateway_sandbox, check=True, versioning="Enabled", expiration_days=90)
    assert ["kept as versions for good" in note or "after 90 days" in note for note in told(grows)["notes"]] == [
        True
    ] * 2


def test_a_bucket_with_data_goes_only_when_that_is_said(gateway_sandbox: Sandbox, first: list[Result]) -> None:
    s3(gateway_sandbox).put_object(Bucket=BUCKET, Key="blocks/1", Body=b"data")

    kept = run(gateway_sandbox, state="absent")
    gone = run(gateway_sandbox, state="absent", delete_data=True)
    again = run(gateway_sandbox, state="absent")

    assert told(kept)["kept"] == [f"the bucket {BUCKET} is not empty"]
    assert kept.writes == []
    assert told(gone)["changes"][-1] == f"delete the bucket {BUCKET}"
    assert told(again) == {"bucket": BUCKET, "account_id": ACCOUNT, "changes": [], "kept": []}


def test_a_bucket_of_somebody_is_used_as_it_is(gateway_sandbox: Sandbox) -> None:
    client = s3(gateway_sandbox)
    client.create_bucket(Bucket=THEIRS, CreateBucketConfiguration={"LocationConstraint": REGION})
    rule = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 9}}
    client.put_bucket_lifecycle_configuration(Bucket=THEIRS, LifecycleConfiguration={"Rules": [rule]})

    used = run(gateway_sandbox, bucket=THEIRS, versioning="Enabled", shared_with=ROLES)
    refused = run(gateway_sandbox, bucket=THEIRS, encryption="aws:kms")
    stays = run(gateway_sandbox, bucket=THEIRS, state="absent", delete_data=True)

    assert refused.rc == 2
    assert "is not that of the bucket storage-of-somebody, which is not ours: AES256" in refused.report
    assert refused.writes == [], "no key was made for it"
    assert len(told(used)["changes"]) == 2
    assert "Status" not in client.get_bucket_versioning(Bucket=THEIRS)
    assert rules(gateway_sandbox, THEIRS) == ["theirs", "kubestrap-abort-uploads"]
    assert "was not made" in told(stays)["kept"][0] or "managed-by" in told(stays)["kept"][0]
    client.delete_bucket(Bucket=THEIRS)


def test_a_key_of_its_own_comes_and_goes_with_the_bucket(gateway_sandbox: Sandbox) -> None:
    wanted = {"bucket": "storage-with-key", "encryption": "aws:kms", "shared_with": ROLES}
    predicted, made, again = (run(gateway_sandbox, check=check, **wanted) for check in (True, False, False))
    assert predicted.writes == again.writes == []
    assert told(predicted)["changes"] == told(made)["changes"]
    arn = told(made)["kms_key_arn"]
    rule = s3(gateway_sandbox).get_bucket_encryption(Bucket="storage-with-key")["ServerSideEncryptionConfiguration"]
    assert rule["Rules"][0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}
    assert rule["Rules"][0]["BucketKeyEnabled"] is True
    kms = operator(gateway_sandbox, ACCOUNT, REGION).client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["AccountUsesIam", "ObjectStorageUsesKey"]

    gone = run(gateway_sandbox, state="absent", bucket="storage-with-key", encryption="aws:kms")

    assert told(gone)["changes"][-1] == "delete the alias alias/storage-with-key"
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "PendingDeletion"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bucket": "s3://reports"}, "workload_storage_bucket: 's3://reports'"),
        ({"kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"}, "is not used. Write workload_storage_encryption"),
        ({"account_id": "1234"}, "kubestrap_account_id: '1234'"),
        ({"region": ""}, "workload_storage_region: '' is missing"),
    ],
)
def test_bad_input_is_named_before_the_first_write(gateway_sandbox: Sandbox, wrong: dict[str, Any], said: str) -> None:
    refused = run(gateway_sandbox, **wrong)
    assert refused.rc == 2
    assert said in refused.report
    assert refused.writes == []
