# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of IAM users: they sign as their user, their use is dated, there are two at most, and users go when empty."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
from sandbox.tests.clients import until
from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, policy, refused, role_client, unique


class User:
    """A user of the cluster's account with one inline policy, below a path."""

    def __init__(self, gateway: Any) -> None:
        self.gateway, self.name, self.bucket = gateway, unique("user"), unique("bucket")
        self.iam = gateway.client("iam", CLUSTER)
        self.arn = self.iam.create_user(UserName=self.name, Path="/kubestrap/")["User"]["Arn"]
        document = policy(allow("s3:*", f"arn:aws:s3:::{self.bucket}*"))
        self.iam.put_user_policy(UserName=self.name, PolicyName="rights", PolicyDocument=document)

    def key(self) -> dict[str, str]:
        """A new key."""
        made = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        return {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}

    def client(self, service: str, key: dict[str, str]) -> Any:
        """A client that signs with this key."""
        return self.gateway.client_with(service, key, "eu-west-1")

    def last_used(self, key: dict[str, str]) -> dict[str, Any]:
        """What IAM says about the use of a key."""
        return self.iam.get_access_key_last_used(AccessKeyId=key["aws_access_key_id"])["AccessKeyLastUsed"]


@pytest.fixture
def user(gateway: Any) -> User:
    return User(gateway)


def test_a_key_signs_as_its_user_with_the_rights_of_the_user(user: User) -> None:
    key = user.key()
    caller = user.client("sts", key).get_caller_identity()
    assert (caller["Account"], caller["Arn"]) == (CLUSTER, user.arn)
    s3 = user.client("s3", key)
    place = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    s3.create_bucket(Bucket=user.bucket, **place)
    s3.put_object(Bucket=user.bucket, Key="one", Body=b"1")
    said = refused(s3.create_bucket, Bucket=unique("other"), **place)
    assert said.code == "AccessDenied"
    assert user.arn in said.message
    assert refused(user.client("iam", key).list_users).code == "AccessDenied"
    call = user.gateway.calls()[-1]
    assert (call["who"], call["account_id"]) == (user.arn, CLUSTER)


@pytest.mark.parametrize(
    ("service", "method", "code"),
    [
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("athena", "list_work_groups", "UnrecognizedClientException"),
    ],
)
def test_an_inactive_key_is_refused(service: str, method: str, code: str, user: User) -> None:
    key = user.key()
    keys = {"UserName": user.name, "AccessKeyId": key["aws_access_key_id"]}
    user.iam.update_access_key(**keys, Status="Inactive")
    assert refused(getattr(user.client(service, key), method)).code == code
    assert "LastUsedDate" not in user.last_used(key)
    user.iam.update_access_key(**keys, Status="Active")
    assert user.client("sts", key).get_caller_identity()["Arn"] == user.arn


def test_the_use_of_a_key_is_dated(user: User) -> None:
    key, other = user.key(), user.key()
    assert user.last_used(key) == {"ServiceName": "N/A", "Region": "N/A"}
    wrong = {**key, "aws_secret_access_key": "x" * 40}
    assert refused(user.client("s3", wrong).list_objects_v2, Bucket=user.bucket).code == "SignatureDoesNotMatch"
    assert "LastUsedDate" not in user.last_used(key)

    assert refused(user.client("iam", key).list_users).code == "AccessDenied"  # it is used all the same
    used = user.last_used(key)
    assert (used["ServiceName"], used["Region"]) == ("iam", "eu-west-1")
    assert abs(used["LastUsedDate"].timestamp() - time.time()) < 10
    assert refused(user.client("s3", key).list_objects_v2, Bucket=user.bucket).code == "NoSuchBucket"
    assert user.last_used(key)["ServiceName"] == "s3"
    assert "LastUsedDate" not in user.last_used(other)


def test_the_last_use_is_told_to_who_may_ask_about_this_user(user: User) -> None:
    key = user.key()
    may = role_client(user.gateway, "iam", CLUSTER, [allow("iam:GetAccessKeyLastUsed", user.arn)])
    assert may.get_access_key_last_used(AccessKeyId=key["aws_access_key_id"])["UserName"] == user.name
    may_not = role_client(user.gateway, "iam", CLUSTER, [allow("iam:GetAccessKeyLastUsed", f"{user.arn}-2")])
    assert refused(may_not.get_access_key_last_used, AccessKeyId=key["aws_access_key_id"]).code == "AccessDenied"
    elsewhere = user.gateway.client("iam", PAYER)
    assert refused(elsewhere.get_access_key_last_used, AccessKeyId=key["aws_access_key_id"]).code == "NoSuchEntity"


def test_there_are_two_keys_at_most(user: User) -> None:
    first = user.key()["aws_access_key_id"]
    user.iam.update_access_key(UserName=user.name, AccessKeyId=first, Status="Inactive")
    user.key()
    said = refused(user.iam.create_access_key, UserName=user.name)
    assert (said.code, said.status) == ("LimitExceeded", 409)
    assert said.message == "Cannot exceed quota for AccessKeysPerUser: 2"
    user.iam.delete_access_key(UserName=user.name, AccessKeyId=first)
    assert user.key()


def test_a_key_belongs_to_its_user(user: User) -> None:
    key, other = user.key()["aws_access_key_id"], User(user.gateway)
    assert refused(user.iam.delete_access_key, UserName=other.name, AccessKeyId=key).code == "NoSuchEntity"
    assert refused(user.iam.list_access_keys, UserName=unique("nobody")).code == "NoSuchEntity"
    assert [found["AccessKeyId"] for found in user.iam.list_access_keys(UserName=user.name)["AccessKeyMetadata"]] == [
        key
    ]


def test_a_user_who_has_something_is_not_deleted(user: User) -> None:
    iam, name, group = user.iam, user.name, unique("group")
    key = user.key()["aws_access_key_id"]
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=name)

    def conflict() -> str:
        said = refused(iam.delete_user, UserName=name)
        assert (said.code, said.status) == ("DeleteConflict", 409)
        return said.message

    assert conflict() == "Cannot delete entity, must delete policies first."
    iam.delete_user_policy(UserName=name, PolicyName="rights")
    assert conflict() == "Cannot delete entity, must remove users from group first."
    iam.remove_user_from_group(GroupName=group, UserName=name)
    assert conflict() == "Cannot delete entity, must delete access keys first."
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    iam.delete_user(UserName=name)
    assert refused(iam.get_user, UserName=name).code == "NoSuchEntity"


def test_a_key_can_be_made_older(user: User) -> None:
    key_id = user.key()["aws_access_key_id"]
    user.gateway.control(
        "/_sandbox/access-keys", {"access_key_id": key_id, "created_hours_ago": 240, "last_used_hours_ago": 48}
    )
    (found,) = user.iam.list_access_keys(UserName=user.name)["AccessKeyMetadata"]
    now = datetime.datetime.now(datetime.UTC)
    assert (now - found["CreateDate"]).days == 10
    assert (now - user.last_used({"aws_access_key_id": key_id})["LastUsedDate"]).days == 2


def test_a_new_key_is_known_later_where_iam_propagates(user: User) -> None:
    user.gateway.control("/_sandbox/settings", {"iam_propagation_seconds": 1})
    try:
        sts = user.client("sts", user.key())
        assert refused(sts.get_caller_identity).code == "InvalidClientTokenId"

        def known() -> bool:
            try:
                return bool(sts.get_caller_identity())
            except sts.exceptions.ClientError:
                return False

        until(known, "the key is known", 10)
    finally:
        user.gateway.control("/_sandbox/settings", {"iam_propagation_seconds": 0})


@pytest.mark.parametrize("bounded", [True, False])
def test_policies_of_users_can_depend_on_their_boundary(bounded: bool, gateway: Any) -> None:
    root, name = gateway.client("iam", CLUSTER), unique("user")
    boundary = root.create_policy(PolicyName=unique("boundary"), PolicyDocument=policy(allow("s3:*", "*")))["Policy"]
    root.create_user(UserName=name, **({"PermissionsBoundary": boundary["Arn"]} if bounded else {}))
    condition = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary["Arn"]}}}
    iam = role_client(gateway, "iam", CLUSTER, [allow("iam:PutUserPolicy", "*") | condition])
    put = {"UserName": name, "PolicyName": "p", "PolicyDocument": policy(allow("s3:*", "*"))}
    if bounded:
        assert iam.put_user_policy(**put)
    else:
        assert refused(iam.put_user_policy, **put).code == "AccessDenied"
