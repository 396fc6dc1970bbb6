# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organization policies, tags as conditions, and IAM's eventual consistency."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, assume, make_role, policy, refused, role_client, unique

TAGS = [{"Key": "team", "Value": "finops"}]
ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:root"}, "Action": "sts:AssumeRole"}


@contextlib.contextmanager
def settings(gateway: Any, **values: Any) -> Iterator[None]:
    """Settings for the time of a test."""
    before = gateway.control("/_sandbox/settings", {})
    gateway.control("/_sandbox/settings", values)
    try:
        yield
    finally:
        gateway.control("/_sandbox/settings", before)


Create = Callable[[Any, str, bool], Any]


def _bucket(gateway: Any, profile: str, tagged: bool) -> Any:
    where: dict[str, Any] = {"LocationConstraint": "eu-west-1", **({"Tags": TAGS} if tagged else {})}
    s3 = gateway.client("s3", profile, "eu-west-1")
    name = unique("tagged")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == TAGS


def _role(gateway: Any, profile: str, tagged: bool) -> Any:
    gateway.client("iam", profile).create_role(
        RoleName=unique("tagged"), AssumeRolePolicyDocument=policy(ROOT), Tags=TAGS if tagged else []
    )


def _policy(gateway: Any, profile: str, tagged: bool) -> Any:
    gateway.client("iam", profile).create_policy(
        PolicyName=unique("tagged"), PolicyDocument=policy(allow("s3:GetObject", "*")), Tags=TAGS if tagged else []
    )


def _provider(gateway: Any, profile: str, tagged: bool) -> Any:
    gateway.client("iam", profile).create_open_id_connect_provider(
        Url=f"https://issuer.example.com/{unique('id')}", Tags=TAGS if tagged else []
    )


def _workgroup(gateway: Any, profile: str, tagged: bool) -> Any:
    gateway.client("athena", profile).create_work_group(Name=unique("tagged"), Tags=TAGS if tagged else [])


def _database(gateway: Any, profile: str, tagged: bool) -> Any:
    gateway.client("glue", profile).create_database(
        DatabaseInput={"Name": unique("tagged").replace("-", "_")}, Tags={"team": "finops"} if tagged else {}
    )


def _key(gateway: Any, profile: str, tagged: bool) -> Any:
    gateway.client("kms", profile).create_key(Tags=[{"TagKey": "team", "TagValue": "finops"}] if tagged else [])


CREATES: dict[str, Create] = {
    "bucket": _bucket,
    "role": _role,
    "policy": _policy,
    "provider": _provider,
    "workgroup": _workgroup,
    "database": _database,
    "key": _key,
}


@pytest.mark.parametrize("create", CREATES.values(), ids=CREATES)
def test_an_organization_may_demand_tags(gateway: Any, create: Create) -> None:
    with settings(gateway, organization_required_tags=["team"]):
        error = refused(create, gateway=gateway, profile="cluster", tagged=False)
        assert error.code.startswith("AccessDenied")
        assert "with an explicit deny in a service control policy" in error.message
        create(gateway, "cluster", True)


def test_a_report_definition_may_need_tags(gateway: Any) -> None:
    definition = {
        "ReportName": unique("report"),
        "TimeUnit": "DAILY",
        "Format": "Parquet",
        "Compression": "Parquet",
        "AdditionalSchemaElements": ["RESOURCES"],
        "S3Bucket": unique("nowhere"),
        "S3Prefix": "cur",
        "S3Region": "us-east-1",
        "AdditionalArtifacts": ["ATHENA"],
        "ReportVersioning": "OVERWRITE_REPORT",
        "RefreshClosedReports": True,
    }
    with settings(gateway, organization_required_tags=["team"], organization_policies_bind_payer=True):
        cur = gateway.client("cur", "payer")
        assert refused(cur.put_report_definition, ReportDefinition=definition).code == "AccessDeniedException"
        # With the tags it gets as far as the missing bucket.
        error = refused(cur.put_report_definition, ReportDefinition=definition, Tags=TAGS)
        assert error.code == "ValidationException"


def test_an_organization_policy_binds_members_and_on_request_the_payer(gateway: Any) -> None:
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:ListRoles", "Resource": "*"}]}
    with settings(gateway, organization_policies=[deny]):
        assert refused(gateway.client("iam", "cluster").list_roles).code == "AccessDenied"
        gateway.client("iam", "cluster").list_policies(Scope="Local")
        gateway.client("iam", "payer").list_roles()
        gateway.client("iam", CLUSTER).list_roles()
        with settings(gateway, organization_policies_bind_payer=True):
            assert refused(gateway.client("iam", "payer").list_roles).code == "AccessDenied"
    gateway.client("iam", "cluster").list_roles()


def test_tag_conditions_of_an_identity_policy(gateway: Any) -> None:
    tagged_so = {
        "StringEquals": {"aws:RequestTag/team": "finops"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
    }
    s3 = role_client(
        gateway,
        "s3",
        CLUSTER,
        [
            {**allow("s3:CreateBucket", "*"), "Condition": tagged_so},
            allow("s3:TagResource", "*"),
            {**allow("s3:PutBucketTagging", "*"), "Condition": tagged_so},
        ],
        "eu-west-1",
    )

    def create(tags: list[dict[str, str]]) -> str:
        name = unique("tagged")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1", "Tags": tags})
        return name

    bucket = create(TAGS)
    for wrong in ([{"Key": "team", "Value": "other"}], [*TAGS, {"Key": "more", "Value": "x"}]):
        assert refused(create, tags=wrong).code == "AccessDenied"
        assert refused(s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": wrong}).code == "AccessDenied"
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})


def test_creating_with_tags_needs_the_right_to_tag(gateway: Any) -> None:
    iam = role_client(gateway, "iam", CLUSTER, [allow("iam:CreateRole", f"arn:aws:iam::{CLUSTER}:role/team/*")])
    create = {"Path": "/team/", "AssumeRolePolicyDocument": policy(ROOT)}
    iam.create_role(RoleName=unique("untagged"), **create)
    error = refused(iam.create_role, RoleName=unique("tagged"), Tags=TAGS, **create)
    assert error.code == "AccessDenied" and "not authorized to perform: iam:TagRole" in error.message
    error = refused(iam.create_role, RoleName=unique("elsewhere"), AssumeRolePolicyDocument=policy(ROOT))
    assert error.code == "AccessDenied" and f"on resource: arn:aws:iam::{CLUSTER}:role/elsewhere" in error.message


def test_settings_are_checked(gateway: Any) -> None:
    for wrong in (
        {"organisation_policies": []},
        {"organization_policies": ["Deny"]},
        {"iam_propagation_seconds": "soon"},
    ):
        with pytest.raises(RuntimeError, match=next(iter(wrong)) if "organization_policies" in wrong else "sett|soon"):
            gateway.control("/_sandbox/settings", wrong)
    assert gateway.control("/_sandbox/settings", {})["organization_policies"] == []


def eventually(call: Callable[[], Any]) -> Any:
    """Repeat a refused call until it works."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return call()
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_new_role_cannot_be_taken_at_once(gateway: Any) -> None:
    sts = gateway.client("sts", CLUSTER)
    assert assume(sts, make_role(gateway, CLUSTER, [ROOT], []))
    with settings(gateway, iam_propagation_seconds=1.5):
        role = make_role(gateway, CLUSTER, [ROOT], [])
        assert gateway.client("iam", CLUSTER).get_role(RoleName=role.rsplit("/", 1)[-1])
        assert refused(sts.assume_role, RoleArn=role, RoleSessionName="early").code == "AccessDenied"
        error = refused(
            gateway.client("iam", CLUSTER).create_role,
            RoleName=unique("trusting"),
            AssumeRolePolicyDocument=policy({**ROOT, "Principal": {"AWS": role}}),
        )
        assert error.code == "MalformedPolicyDocument"
        assert eventually(lambda: assume(sts, role))


def test_policy_changes_act_late(gateway: Any) -> None:
    role = make_role(gateway, CLUSTER, [ROOT], [allow("iam:ListRoles", "*")])
    name = role.rsplit("/", 1)[-1]
    iam = gateway.client("iam", CLUSTER)
    keys = assume(gateway.client("sts", CLUSTER), role)
    as_role = gateway.client_with("iam", keys)
    s3 = gateway.client_with("s3", keys)
    as_role.list_roles()
    with settings(gateway, iam_propagation_seconds=1.5):
        iam.put_role_policy(
            RoleName=name, PolicyName="rights", PolicyDocument=policy(allow("s3:ListAllMyBuckets", "*"))
        )
        as_role.list_roles()
        assert refused(s3.list_buckets).code == "AccessDenied"
        eventually(s3.list_buckets)
        assert refused(as_role.list_roles).code == "AccessDenied"


def test_a_trust_changes_late(gateway: Any) -> None:
    role = make_role(gateway, CLUSTER, [{**ROOT, "Principal": {"AWS": PAYER}}], [])
    sts = gateway.client("sts", CLUSTER)
    with settings(gateway, iam_propagation_seconds=1.5):
        gateway.client("iam", CLUSTER).update_assume_role_policy(
            RoleName=role.rsplit("/", 1)[-1], PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [ROOT]})
        )
        assert refused(sts.assume_role, RoleArn=role, RoleSessionName="early").code == "AccessDenied"
        assert eventually(lambda: assume(sts, role))
