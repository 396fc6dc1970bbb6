# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, roles across accounts, the organisation, and what a role is called in conditions."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, assume, make_role, refused, unique

ANYBODY = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:root"}, "Action": "sts:AssumeRole"}


def test_a_twelve_digit_key_is_the_root_of_that_account(gateway: Any) -> None:
    for account in (PAYER, CLUSTER):
        assert gateway.client("sts", account).get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"


def test_only_the_sandbox_ca_vouches_for_the_endpoint(gateway: Any) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(gateway.endpoint_url, context=ssl.create_default_context())
    assert gateway.client("sts", PAYER).get_caller_identity()["Account"] == PAYER


def test_a_call_without_permission_is_denied(gateway: Any) -> None:
    role = make_role(gateway, CLUSTER, [ANYBODY], [allow("s3:ListAllMyBuckets", "*")])
    keys = assume(gateway.client("sts", CLUSTER), role)
    gateway.client_with("s3", keys).list_buckets()
    error = refused(gateway.client_with("iam", keys).list_roles)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert "is not authorized to perform: iam:ListRoles" in error.message


def test_an_unknown_key_is_refused(gateway: Any) -> None:
    keys = {"aws_access_key_id": "ASIAUNKNOWNKEYEXAMPLE", "aws_secret_access_key": "not-a-real-secret-0123456789"}
    assert refused(gateway.client_with("sts", keys).get_caller_identity).code == "InvalidClientTokenId"


def test_a_wrong_signature_is_refused(gateway: Any) -> None:
    role = make_role(gateway, CLUSTER, [ANYBODY], [allow("*", "*")])
    keys = assume(gateway.client("sts", CLUSTER), role)
    forged = {**keys, "aws_secret_access_key": "not-a-real-secret-0123456789"}
    assert refused(gateway.client_with("iam", forged).list_roles).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("caller_side", [True, False])
@pytest.mark.parametrize("role_side", [True, False])
def test_a_chain_across_accounts_needs_both_sides(gateway: Any, caller_side: bool, role_side: bool) -> None:
    trusted = CLUSTER if role_side else PAYER
    target = make_role(
        gateway,
        PAYER,
        [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{trusted}:root"}, "Action": "sts:AssumeRole"}],
        [],
    )
    rights = [allow("sts:AssumeRole", target)] if caller_side else []
    keys = assume(gateway.client("sts", CLUSTER), make_role(gateway, CLUSTER, [ANYBODY], rights))
    sts = gateway.client_with("sts", keys)
    if caller_side and role_side:
        payer = gateway.client_with("sts", assume(sts, target)).get_caller_identity()
        assert payer["Account"] == PAYER
    else:
        error = refused(sts.assume_role, RoleArn=target, RoleSessionName="chained")
        assert (error.code, error.status) == ("AccessDenied", 403)
        assert f"not authorized to perform: sts:AssumeRole on resource: {target}" in error.message


def test_principal_arn_in_a_trust_is_the_roles_arn(gateway: Any) -> None:
    name = unique("caller")
    caller = make_role(gateway, CLUSTER, [ANYBODY], [allow("sts:AssumeRole", "*")], name=name, path="/team/")
    keys = assume(gateway.client("sts", CLUSTER), caller)
    sts = gateway.client_with("sts", keys)

    def target(condition: dict[str, Any]) -> str:
        return make_role(gateway, PAYER, [{**ANYBODY, "Condition": condition}], [])

    assert assume(sts, target({"ArnEquals": {"aws:PrincipalArn": caller}}))
    session_arn = f"arn:aws:sts::{CLUSTER}:assumed-role/{name}/*"
    for wrong in (f"arn:aws:iam::{CLUSTER}:role/{name}", session_arn):
        arguments = {"RoleArn": target({"ArnLike": {"aws:PrincipalArn": wrong}}), "RoleSessionName": "chained"}
        assert refused(sts.assume_role, **arguments).code == "AccessDenied"


def test_principal_arn_in_a_bucket_policy_is_the_roles_arn(gateway: Any) -> None:
    bucket = unique("principal")
    root = gateway.client("s3", PAYER)
    root.create_bucket(Bucket=bucket)
    caller = make_role(gateway, CLUSTER, [ANYBODY], [allow("s3:*", "*")])
    s3 = gateway.client_with("s3", assume(gateway.client("sts", CLUSTER), caller))

    def policy(arn: str) -> None:
        root.put_bucket_policy(
            Bucket=bucket,
            Policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:root"},
                            "Action": "s3:ListBucket",
                            "Resource": f"arn:aws:s3:::{bucket}",
                            "Condition": {"ArnEquals": {"aws:PrincipalArn": arn}},
                        }
                    ],
                }
            ),
        )

    policy(caller)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    policy(f"arn:aws:sts::{CLUSTER}:assumed-role/{caller.rsplit('/', 1)[-1]}/test-session")
    assert refused(s3.list_objects_v2, Bucket=bucket).code == "AccessDenied"


def test_principal_arn_in_an_identity_policy_is_the_roles_arn(gateway: Any) -> None:
    def lists(condition_arn: str) -> str:
        name = unique("self")
        right = {**allow("iam:ListRoles", "*"), "Condition": {"ArnLike": {"aws:PrincipalArn": condition_arn}}}
        keys = assume(gateway.client("sts", CLUSTER), make_role(gateway, CLUSTER, [ANYBODY], [right], name=name))
        try:
            gateway.client_with("iam", keys).list_roles()
        except ClientError as error:
            return error.response["Error"]["Code"]
        return ""

    assert lists(f"arn:aws:iam::{CLUSTER}:role/self-*") == ""
    assert lists(f"arn:aws:sts::{CLUSTER}:assumed-role/self-*") == "AccessDenied"


def test_one_organisation_whose_management_account_is_the_payer(gateway: Any) -> None:
    payer = gateway.client("organizations", "payer").describe_organization()["Organization"]
    member = gateway.client("organizations", "cluster").describe_organization()["Organization"]
    assert payer["MasterAccountId"] == PAYER
    assert (member["Id"], member["MasterAccountId"]) == (payer["Id"], PAYER)
    accounts = gateway.client("organizations", "payer").list_accounts()["Accounts"]
    assert {account["Id"] for account in accounts} >= {PAYER, CLUSTER}
    assert refused(gateway.client("organizations", "cluster").list_accounts).code == "AccessDeniedException"
    stranger = gateway.client("organizations", "999999999999")
    assert refused(stranger.describe_organization).code == "AWSOrganizationsNotInUseException"


def test_principal_org_id(gateway: Any) -> None:
    ours = gateway.client("organizations", "payer").describe_organization()["Organization"]["Id"]
    keys = assume(
        gateway.client("sts", CLUSTER), make_role(gateway, CLUSTER, [ANYBODY], [allow("sts:AssumeRole", "*")])
    )
    sts = gateway.client_with("sts", keys)

    def target(organization: str) -> str:
        return make_role(
            gateway,
            PAYER,
            [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization}},
                }
            ],
            [],
        )

    assert assume(sts, target(ours))
    error = refused(sts.assume_role, RoleArn=target("o-another0org"), RoleSessionName="chained")
    assert error.code == "AccessDenied"


def test_session_length(gateway: Any) -> None:
    root = gateway.client("sts", CLUSTER, parameter_validation=False)
    role = make_role(gateway, CLUSTER, [ANYBODY], [allow("sts:AssumeRole", "*")], MaxSessionDuration=7200)
    assert assume(root, role, DurationSeconds=7200)
    for seconds, words in (
        (60, "greater than or equal to 900"),
        (43201, "less than or equal to 43200"),
        (7201, "MaxSessionDuration set for this role"),
    ):
        error = refused(root.assume_role, RoleArn=role, RoleSessionName="long", DurationSeconds=seconds)
        assert error.code == "ValidationError" and words in error.message
    chained = gateway.client_with("sts", assume(root, role))
    assert assume(chained, role, DurationSeconds=3600)
    error = refused(chained.assume_role, RoleArn=role, RoleSessionName="long", DurationSeconds=3601)
    assert error.code == "ValidationError" and "1 hour session limit" in error.message


def test_a_role_is_found_by_its_whole_arn(gateway: Any) -> None:
    name = unique("with-path")
    role = make_role(gateway, CLUSTER, [ANYBODY], [], name=name, path="/team/")
    sts = gateway.client("sts", CLUSTER)
    assert assume(sts, role)
    wrong = f"arn:aws:iam::{CLUSTER}:role/{name}"
    assert refused(sts.assume_role, RoleArn=wrong, RoleSessionName="bare").code == "AccessDenied"
