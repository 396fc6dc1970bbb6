# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets: whose they are, where they are, who may use them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, assume, make_role, policy, refused, role_client, unique

ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:root"}, "Action": "sts:AssumeRole"}


def make_bucket(gateway: Any, account: str = PAYER, region: str = "eu-west-1") -> str:
    name = unique("bucket")
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    gateway.client("s3", account, region).create_bucket(Bucket=name, **where)
    return name


def test_the_expected_owner(gateway: Any) -> None:
    bucket = make_bucket(gateway)
    s3 = gateway.client("s3", "payer", "eu-west-1")
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", ExpectedBucketOwner=PAYER)
    assert s3.get_object(Bucket=bucket, Key="a", ExpectedBucketOwner=PAYER)["Body"].read() == b"x"
    for call, parameters in (
        (s3.put_object, {"Key": "a", "Body": b"y"}),
        (s3.get_object, {"Key": "a"}),
        (s3.list_objects_v2, {}),
        (s3.get_bucket_policy, {}),
        (s3.delete_bucket, {}),
    ):
        error = refused(call, Bucket=bucket, ExpectedBucketOwner=CLUSTER, **parameters)
        assert (error.code, error.status) == ("AccessDenied", 403)
    assert refused(s3.head_bucket, Bucket=bucket, ExpectedBucketOwner=CLUSTER).status == 403
    source = {"CopySource": {"Bucket": bucket, "Key": "a"}, "Key": "b"}
    s3.copy_object(Bucket=bucket, **source, ExpectedSourceBucketOwner=PAYER)
    assert refused(s3.copy_object, Bucket=bucket, **source, ExpectedSourceBucketOwner=CLUSTER).code == "AccessDenied"
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_bucket_in_another_region_redirects(gateway: Any, region: str) -> None:
    bucket = make_bucket(gateway, region="eu-west-1")
    s3 = gateway.client("s3", "payer", region)
    # botocore follows the redirect on its own; look at what S3 said first.
    answers: list[Any] = []
    s3.meta.events.register_first("needs-retry.s3", lambda response, **_: answers.append(response))
    s3.list_objects_v2(Bucket=bucket)
    first = answers[0][1]
    assert answers[0][0].status_code == 301
    assert (first["Error"]["Code"], first["Error"]["Bucket"]) == ("PermanentRedirect", bucket)
    assert answers[0][0].headers["x-amz-bucket-region"] == "eu-west-1"
    assert answers[-1][0].status_code == 200


def test_a_bucket_in_the_clients_region_answers_at_once(gateway: Any) -> None:
    bucket = make_bucket(gateway, region="eu-west-1")
    s3 = gateway.client("s3", "payer", "eu-west-1")
    statuses: list[int] = []
    s3.meta.events.register_first("needs-retry.s3", lambda response, **_: statuses.append(response[0].status_code))
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.head_bucket(Bucket=bucket)
    assert statuses == [200, 200]


def test_where_a_bucket_is(gateway: Any) -> None:
    for region, constraint in (("us-east-1", None), ("eu-west-1", "eu-west-1")):
        bucket = make_bucket(gateway, region=region)
        s3 = gateway.client("s3", "payer", region)
        assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == constraint
        assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == region


def test_a_location_constraint_is_the_endpoints_region(gateway: Any) -> None:
    s3 = gateway.client("s3", "payer", "eu-west-1")
    error = refused(
        s3.create_bucket, Bucket=unique("bucket"), CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    assert (error.code, error.status) == ("IllegalLocationConstraintException", 400)
    error = refused(s3.create_bucket, Bucket=unique("bucket"))
    assert error.code == "IllegalLocationConstraintException"


def test_a_name_that_somebody_has(gateway: Any) -> None:
    bucket = make_bucket(gateway, PAYER)
    where = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    error = refused(gateway.client("s3", "cluster", "eu-west-1").create_bucket, Bucket=bucket, **where)
    assert (error.code, error.status) == ("BucketAlreadyExists", 409)
    error = refused(gateway.client("s3", "payer", "eu-west-1").create_bucket, Bucket=bucket, **where)
    assert (error.code, error.status) == ("BucketAlreadyOwnedByYou", 409)
    ours = make_bucket(gateway, PAYER, "us-east-1")
    assert gateway.client("s3", "payer", "us-east-1").create_bucket(Bucket=ours)
    error = refused(gateway.client("s3", "cluster", "us-east-1").create_bucket, Bucket=ours)
    assert error.code == "BucketAlreadyExists"


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Upper", "under_score", "192.168.1.1", "two..dots", "-dash", "xn--name", "name-s3alias"]
)
def test_names_that_no_bucket_has(gateway: Any, name: str) -> None:
    s3 = gateway.client("s3", "payer", parameter_validation=False)
    error = refused(s3.create_bucket, Bucket=name)
    assert (error.code, error.status) == ("InvalidBucketName", 400)


def test_another_accounts_bucket_needs_both_sides(gateway: Any) -> None:
    bucket = make_bucket(gateway, PAYER)
    owner = gateway.client("s3", PAYER, "eu-west-1")
    owner.put_object(Bucket=bucket, Key="cur/x", Body=b"x")
    owner.put_object(Bucket=bucket, Key="other/x", Body=b"x")
    objects = f"arn:aws:s3:::{bucket}/*"
    role = make_role(gateway, CLUSTER, [ROOT], [allow("s3:GetObject", objects)])
    reader = gateway.client_with("s3", assume(gateway.client("sts", CLUSTER), role), "eu-west-1")
    stranger = role_client(gateway, "s3", CLUSTER, [allow("s3:GetObject", objects)], "eu-west-1")
    rightless = role_client(gateway, "s3", CLUSTER, [allow("s3:PutObject", objects)], "eu-west-1")
    assert refused(reader.get_object, Bucket=bucket, Key="cur/x").code == "AccessDenied"

    def share(principal: str) -> None:
        owner.put_bucket_policy(
            Bucket=bucket,
            Policy=policy({**allow("s3:GetObject", f"arn:aws:s3:::{bucket}/cur/*"), "Principal": {"AWS": principal}}),
        )

    share(role)
    assert reader.get_object(Bucket=bucket, Key="cur/x")["Body"].read() == b"x"
    assert refused(reader.get_object, Bucket=bucket, Key="other/x").code == "AccessDenied"
    assert refused(stranger.get_object, Bucket=bucket, Key="cur/x").code == "AccessDenied"
    share(f"arn:aws:iam::{CLUSTER}:root")
    assert stranger.get_object(Bucket=bucket, Key="cur/x")["Body"].read() == b"x"
    error = refused(rightless.get_object, Bucket=bucket, Key="cur/x")
    assert error.code == "AccessDenied" and "s3:GetObject" in error.message


def test_a_bucket_policy_names_principals_that_exist(gateway: Any) -> None:
    bucket = make_bucket(gateway)
    s3 = gateway.client("s3", PAYER, "eu-west-1")
    for principal in (f"arn:aws:iam::{CLUSTER}:role/missing", "AROAEXAMPLEUNKNOWN000"):
        statement = {**allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), "Principal": {"AWS": principal}}
        error = refused(s3.put_bucket_policy, Bucket=bucket, Policy=policy(statement))
        assert (error.code, error.message, error.status) == ("MalformedPolicy", "Invalid principal in policy", 400)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Resource": "arn:aws:s3:::another-bucket/*"}, "Policy has invalid resource"),
        ({"Resource": "*"}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::BUCKET"}, "Action does not apply to any resource(s) in statement"),
        ({"Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement"),
        ({"Action": "GetObject"}, "Policy has invalid action"),
        ({"Action": "kms:Decrypt"}, "Policy has invalid action"),
        ({"Effect": "Permit"}, "Invalid effect: Permit"),
        ({"Principal": None}, "Missing required field Principal"),
    ],
)
def test_malformed_bucket_policies(gateway: Any, change: dict[str, Any], words: str) -> None:
    bucket = make_bucket(gateway)
    statement = {**allow("s3:GetObject", "arn:aws:s3:::BUCKET/*"), "Principal": {"AWS": CLUSTER}}
    s3 = gateway.client("s3", "payer", "eu-west-1")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(statement).replace("BUCKET", bucket))
    bad = policy({name: value for name, value in {**statement, **change}.items() if value is not None})
    error = refused(s3.put_bucket_policy, Bucket=bucket, Policy=bad.replace("BUCKET", bucket))
    assert (error.code, error.message, error.status) == ("MalformedPolicy", words, 400)
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy="not json").code == "MalformedPolicy"


def test_tls_only_is_satisfied_by_tls(gateway: Any) -> None:
    bucket = make_bucket(gateway)
    owner = gateway.client("s3", PAYER, "eu-west-1")
    s3 = gateway.client("s3", "payer", "eu-west-1")

    def deny(condition: dict[str, Any]) -> None:
        owner.put_bucket_policy(
            Bucket=bucket,
            Policy=policy(
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Condition": condition,
                    "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                }
            ),
        )

    for satisfied in ({"Bool": {"aws:SecureTransport": "false"}}, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}):
        deny(satisfied)
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    for hit in ({"Bool": {"aws:SecureTransport": "true"}}, {"NumericLessThan": {"s3:TlsVersion": "1.4"}}):
        deny(hit)
        assert refused(s3.list_objects_v2, Bucket=bucket).code == "AccessDenied"


def test_resource_account_of_a_bucket_is_its_owner(gateway: Any) -> None:
    bucket = make_bucket(gateway, PAYER)
    gateway.client("s3", PAYER, "eu-west-1").put_bucket_policy(
        Bucket=bucket,
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": CLUSTER},
                        "Action": "s3:*",
                        "Resource": f"arn:aws:s3:::{bucket}",
                    }
                ],
            }
        ),
    )

    def lists(account: str) -> Any:
        right = {**allow("s3:ListBucket", "*"), "Condition": {"StringEquals": {"aws:ResourceAccount": account}}}
        return role_client(gateway, "s3", CLUSTER, [right], "eu-west-1").list_objects_v2

    assert lists(PAYER)(Bucket=bucket)["KeyCount"] == 0
    assert refused(lists(CLUSTER), Bucket=bucket).code == "AccessDenied"


@pytest.mark.parametrize("lacking", ["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning", ""])
def test_a_bucket_with_object_lock_takes_two_rights_more(gateway: Any, lacking: str) -> None:
    rights = ["s3:CreateBucket", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"]
    s3 = role_client(gateway, "s3", CLUSTER, [allow([right for right in rights if right != lacking], "*")])
    if not lacking:
        s3.create_bucket(Bucket=unique("locked"), ObjectLockEnabledForBucket=True)
        return
    error = refused(s3.create_bucket, Bucket=unique("locked"), ObjectLockEnabledForBucket=True)
    assert (error.code, lacking in error.message) == ("AccessDenied", True)
    s3.create_bucket(Bucket=unique("unlocked"))
