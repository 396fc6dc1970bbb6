# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of object storage, word for word, in every partition."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import policies
from ansible_collections.kubestrap.aws.plugins.module_utils import storage_policies as storage

PLACE = {"bucket": "acme-thanos", "partition": "aws"}
KEY = "arn:aws:kms:eu-west-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "arn:aws:iam::333333333333:role/kubecost-agent"
OBJECTS = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
]


def test_the_whole_bucket_word_for_word() -> None:
    assert storage.object_storage_workload(**PLACE) == [
        {
            "Sid": "StorageBucket",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            "Resource": "arn:aws:s3:::acme-thanos",
        },
        {"Sid": "StorageObjects", "Effect": "Allow", "Action": OBJECTS, "Resource": "arn:aws:s3:::acme-thanos/*"},
    ]


@pytest.mark.parametrize("prefix", ["prod-eu", "/prod-eu/", "prod-eu/"])
def test_a_folder_of_ones_own_word_for_word(prefix: str) -> None:
    assert storage.object_storage_workload(**PLACE, prefix=prefix, key_arn=KEY, put_object_acl=True) == [
        {
            "Sid": "StorageBucket",
            "Effect": "Allow",
            "Action": ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            "Resource": "arn:aws:s3:::acme-thanos",
        },
        {
            "Sid": "StorageListing",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": "arn:aws:s3:::acme-thanos",
            "Condition": {"StringLike": {"s3:prefix": ["prod-eu/*"]}},
        },
        {
            "Sid": "StorageObjects",
            "Effect": "Allow",
            "Action": [*OBJECTS, "s3:PutObjectAcl"],
            "Resource": "arn:aws:s3:::acme-thanos/prod-eu/*",
        },
        {
            "Sid": "UseStorageKey",
            "Effect": "Allow",
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": KEY,
            "Condition": {"StringEquals": {"kms:ViaService": ["s3.eu-west-1.amazonaws.com"]}},
        },
    ]


@pytest.mark.parametrize("prefix", ["", "/", None])
def test_no_prefix_means_the_whole_bucket(prefix: str | None) -> None:
    assert storage.object_storage_workload(**PLACE, prefix=prefix) == storage.object_storage_workload(**PLACE)


def test_the_key_policy_word_for_word() -> None:
    assert storage.object_storage_key(role_arns=[ROLE], region="eu-west-1") == [
        {
            "Sid": "ObjectStorageUsesKey",
            "Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam::333333333333:root"]},
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {"kms:ViaService": ["s3.eu-west-1.amazonaws.com"]},
                "ArnLike": {"aws:PrincipalArn": [ROLE]},
            },
        }
    ]
    via = storage.object_storage_key(role_arns=[ROLE.replace("aws", "aws-cn", 1)], region="cn-north-1")
    assert via[0]["Condition"]["StringEquals"]["kms:ViaService"] == [
        "s3.cn-north-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
    ]


def test_sharing_names_roles_and_their_folders() -> None:
    other = "arn:aws:iam::444444444444:role/agent"
    shared = storage.object_storage_sharing(**PLACE, role_arns=[ROLE, other], prefixes={other: "b"})
    assert [s["Condition"]["ArnLike"]["aws:PrincipalArn"] for s in shared] == [[ROLE]] * 2 + [[other]] * 3
    assert [s["Principal"]["AWS"][0].split(":")[4] for s in shared] == ["333333333333"] * 2 + ["444444444444"] * 3
    assert shared[3]["Condition"]["StringLike"] == {"s3:prefix": ["b/*"]}
    assert shared[4]["Resource"] == "arn:aws:s3:::acme-thanos/b/*"


def test_a_folders_sids_stay_when_others_come() -> None:
    def of_b(*others: str) -> list[str]:
        arns = [ROLE, *(f"arn:aws:iam::444444444444:role/{name}" for name in others)]
        prefixes = {arn: arn.rsplit("/", 1)[-1] for arn in arns}
        shared = storage.object_storage_sharing(**PLACE, role_arns=arns, prefixes=prefixes)
        assert len({s["Sid"] for s in shared}) == len(shared)
        return [s["Sid"] for s in shared if s["Condition"]["ArnLike"]["aws:PrincipalArn"] == [ROLE]]

    assert of_b() == of_b("a", "z")


def test_others_are_refused_but_for_services_and_the_buckets_own_account() -> None:
    shared = storage.object_storage_sharing(**PLACE, role_arns=[ROLE], account_id="222222222222")
    assert shared[-1] == {
        "Sid": "KubestrapSharedDenyOthers",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::acme-thanos", "arn:aws:s3:::acme-thanos/*"],
        "Condition": {
            "StringNotEquals": {"aws:PrincipalAccount": "222222222222"},
            "ArnNotLike": {"aws:PrincipalArn": [ROLE]},
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        },
    }


@pytest.mark.parametrize(
    ("function", "params", "said"),
    [
        (
            "object_storage_workload",
            {**PLACE, "bucket": "s3://acme"},
            "bucket: 's3://acme' is not the name of a bucket",
        ),
        ("object_storage_workload", {**PLACE, "prefix": "a*"}, "prefix: 'a*' must not have a wildcard"),
        ("object_storage_workload", {**PLACE, "key_arn": "alias/x"}, "key_arn: 'alias/x' is not an ARN of KMS"),
        ("object_storage_workload", {**PLACE, "key_arn": KEY, "region": "us-east-1"}, "is a key in region eu-west-1"),
        ("object_storage_key", {"role_arns": [], "region": "eu-west-1"}, "role_arns: '[]' is empty"),
        ("object_storage_key", {"role_arns": ["agent"], "region": "eu-west-1"}, "'agent' is not an ARN of IAM"),
        ("object_storage_sharing", {**PLACE, "role_arns": []}, "role_arns: '[]' is empty"),
        (
            "object_storage_sharing",
            {**PLACE, "role_arns": ["arn:aws:iam::333333333333:root"]},
            "is neither a role nor a user",
        ),
        (
            "object_storage_sharing",
            {**PLACE, "role_arns": [ROLE], "prefixes": {"agent": "a"}},
            "prefixes: 'agent' is not one of role_arns",
        ),
        ("object_storage_sharing", {**PLACE, "role_arns": [ROLE], "account_id": "2222"}, "account_id: '2222'"),
    ],
)
def test_what_cannot_be_is_refused(function: str, params: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=re.escape(said)):
        storage.STORAGE_POLICIES[function](**params)


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_no_arn_of_another_partition_gets_in(partition: str) -> None:
    role, key = ROLE.replace("aws", partition, 1), KEY.replace("aws", partition, 1)
    place = {"bucket": "acme", "partition": partition}
    made = storage.object_storage_workload(**place, prefix="a", key_arn=key)
    made += storage.object_storage_sharing(**place, role_arns=[role], account_id="222222222222")
    assert "arn:aws:" not in json.dumps(made)


@pytest.mark.parametrize("name", storage.STORAGE_POLICIES)
def test_every_policy_takes_keywords_only_and_is_documented(name: str) -> None:
    function = storage.STORAGE_POLICIES[name]
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}
    assert function.__doc__


def test_the_largest_one_leaves_room_beside_it_in_the_role() -> None:
    largest = storage.object_storage_workload(
        bucket="b" * 63, partition="aws-us-gov", prefix="p" * 200, key_arn=KEY, put_object_acl=True
    )
    assert policies.size(largest) < policies.ROLE_INLINE_POLICIES_SIZE / 5
