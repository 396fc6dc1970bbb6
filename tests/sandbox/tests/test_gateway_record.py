# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of calls, and faults on request."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from sandbox.tests.gateway_tools import CLUSTER, PAYER, allow, make_role, policy, refused, role_client, unique

SETUP = "kubestrap-sandbox-setup"


@contextlib.contextmanager
def faults(gateway: Any, *rules: dict[str, Any]) -> Iterator[None]:
    """Fault rules for the time of a test."""
    gateway.control("/_sandbox/faults", {"rules": list(rules)})
    try:
        yield
    finally:
        gateway.control("/_sandbox/faults", {"rules": []})


def recorded(gateway: Any, *calls: Any) -> list[dict[str, Any]]:
    """The lines that these calls add."""
    before = len(gateway.calls())
    for call in calls:
        with contextlib.suppress(Exception):
            call()
    return gateway.calls()[before:]


def test_each_call_is_a_line(gateway: Any) -> None:
    sts = gateway.client("sts", CLUSTER, "eu-west-1", user_agent_extra="playbook-7")
    (line,) = recorded(gateway, sts.get_caller_identity)
    assert set(line) == {
        "n",
        "time",
        "service",
        "operation",
        "account_id",
        "region",
        "kind",
        "status",
        "error_code",
        "who",
        "access_key",
        "user_agent",
        "resource",
    }
    assert (line["service"], line["operation"], line["kind"]) == ("sts", "GetCallerIdentity", "read")
    assert (line["account_id"], line["region"], line["access_key"]) == (CLUSTER, "eu-west-1", CLUSTER)
    assert (line["status"], line["error_code"], line["who"]) == (200, "", f"arn:aws:iam::{CLUSTER}:root")
    assert "playbook-7" in line["user_agent"] and line["time"] == pytest.approx(time.time(), abs=60)


def test_numbers_follow_the_calls(gateway: Any) -> None:
    sts = gateway.client("sts", CLUSTER)
    lines = recorded(gateway, *[sts.get_caller_identity] * 3)
    assert [line["n"] for line in lines] == list(range(lines[0]["n"], lines[0]["n"] + 3))


@pytest.mark.parametrize(
    ("service", "method", "parameters", "operation", "kind", "resource"),
    [
        ("s3", "list_buckets", {}, "ListBuckets", "read", ""),
        ("s3", "list_objects_v2", {"Bucket": "b-1"}, "ListObjectsV2", "read", "b-1"),
        ("s3", "head_object", {"Bucket": "b-1", "Key": "a/b c"}, "HeadObject", "read", "b-1/a/b c"),
        ("s3", "put_object", {"Bucket": "b-1", "Key": "k", "Body": b"x"}, "PutObject", "write", "b-1/k"),
        ("s3", "copy_object", {"Bucket": "b-1", "Key": "k", "CopySource": "b-2/k"}, "CopyObject", "write", "b-1/k"),
        (
            "s3",
            "get_bucket_lifecycle_configuration",
            {"Bucket": "b-1"},
            "GetBucketLifecycleConfiguration",
            "read",
            "b-1",
        ),
        (
            "s3",
            "put_public_access_block",
            {"Bucket": "b-1", "PublicAccessBlockConfiguration": {}},
            "PutPublicAccessBlock",
            "write",
            "b-1",
        ),
        (
            "s3",
            "upload_part",
            {"Bucket": "b-1", "Key": "k", "PartNumber": 1, "UploadId": "u"},
            "UploadPart",
            "write",
            "b-1/k",
        ),
        ("iam", "get_role", {"RoleName": "r"}, "GetRole", "read", "r"),
        (
            "iam",
            "simulate_custom_policy",
            {"PolicyInputList": ["{}"], "ActionNames": ["s3:GetObject"]},
            "SimulateCustomPolicy",
            "read",
            "",
        ),
        ("iam", "delete_role", {"RoleName": "r"}, "DeleteRole", "write", "r"),
        (
            "sts",
            "assume_role",
            {"RoleArn": "arn:aws:iam::222222222222:role/r", "RoleSessionName": "ss"},
            "AssumeRole",
            "session",
            "arn:aws:iam::222222222222:role/r",
        ),
        ("sts", "get_session_token", {}, "GetSessionToken", "session", ""),
        (
            "athena",
            "start_query_execution",
            {"QueryString": "SELECT 1", "WorkGroup": "w"},
            "StartQueryExecution",
            "query",
            "w",
        ),
        ("athena", "batch_get_named_query", {"NamedQueryIds": ["a"]}, "BatchGetNamedQuery", "read", ""),
        ("glue", "create_table", {"DatabaseName": "d", "TableInput": {"Name": "t"}}, "CreateTable", "write", "t"),
        ("cur", "describe_report_definitions", {}, "DescribeReportDefinitions", "read", ""),
        ("eks", "describe_cluster", {"name": "c"}, "DescribeCluster", "read", "c"),
        (
            "eks",
            "delete_access_entry",
            {"clusterName": "c", "principalArn": "arn:aws:iam::222222222222:role/r"},
            "DeleteAccessEntry",
            "write",
            "c",
        ),
        ("kms", "generate_data_key", {"KeyId": "k"}, "GenerateDataKey", "read", "k"),
        ("organizations", "describe_organization", {}, "DescribeOrganization", "read", ""),
        ("resourcegroupstaggingapi", "get_resources", {}, "GetResources", "read", ""),
        (
            "resourcegroupstaggingapi",
            "tag_resources",
            {"ResourceARNList": ["arn:aws:s3:::b"], "Tags": {"a": "b"}},
            "TagResources",
            "write",
            "",
        ),
    ],
)
def test_what_a_call_is(
    gateway: Any, service: str, method: str, parameters: dict[str, Any], operation: str, kind: str, resource: str
) -> None:
    call = getattr(gateway.client(service, CLUSTER), method)
    (line,) = recorded(gateway, lambda: call(**parameters))
    assert (line["service"], line["operation"], line["kind"], line["resource"]) == (service, operation, kind, resource)


def test_refusals_and_callers_are_recorded(gateway: Any) -> None:
    iam = role_client(gateway, "iam", CLUSTER, [allow("s3:*", "*")])
    s3 = role_client(gateway, "s3", CLUSTER, [allow("s3:*", "*")])
    denied, missing = recorded(gateway, iam.list_roles, lambda: s3.head_bucket(Bucket=unique("no-such-bucket")))
    assert (denied["status"], denied["error_code"]) == (403, "AccessDenied")
    assert denied["who"].startswith(f"arn:aws:sts::{CLUSTER}:assumed-role/role-") and denied["access_key"][:4] == "ASIA"
    assert (missing["status"], missing["error_code"]) == (404, "404")


def test_set_up_and_control_calls_are_not_recorded(gateway: Any) -> None:
    setup = gateway.client("sts", CLUSTER, user_agent_extra=SETUP)
    assert recorded(gateway, setup.get_caller_identity, lambda: gateway.control("/_sandbox/settings", {})) == []


def test_a_presigned_call_is_recorded(gateway: Any) -> None:
    import ssl
    import urllib.request

    url = gateway.client("sts", CLUSTER, "eu-west-1").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    trusting = ssl.create_default_context(cafile=gateway.ca_bundle)
    (line,) = recorded(gateway, lambda: urllib.request.urlopen(url, context=trusting))
    assert (line["service"], line["operation"], line["account_id"], line["status"]) == (
        "sts",
        "GetCallerIdentity",
        CLUSTER,
        200,
    )


@pytest.mark.parametrize(
    ("service", "method", "parameters", "code"),
    [
        ("s3", "list_buckets", {}, "SlowDown"),
        ("iam", "list_roles", {}, "Throttling"),
        ("sts", "get_caller_identity", {}, "Throttling"),
        ("glue", "get_databases", {}, "ThrottlingException"),
        ("athena", "list_work_groups", {}, "TooManyRequestsException"),
        ("eks", "list_clusters", {}, "TooManyRequestsException"),
        ("kms", "list_keys", {}, "ThrottlingException"),
    ],
)
def test_throttling_in_the_services_own_words(
    gateway: Any, service: str, method: str, parameters: dict[str, Any], code: str
) -> None:
    call = getattr(gateway.client(service, CLUSTER), method)
    with faults(gateway, {"service": service, "throttle": True, "times": 1}):
        assert refused(call, **parameters).code == code
        call(**parameters)


def test_botocore_retries_what_is_throttled(gateway: Any) -> None:
    with faults(gateway, {"service": "sts", "throttle": True, "times": 1}):
        before = len(gateway.calls())
        assert gateway.client("sts", CLUSTER, retries=1).get_caller_identity()["Account"] == CLUSTER
        assert [line["status"] for line in gateway.calls()[before:]] == [400, 200]


@pytest.mark.parametrize("status", [500, 503])
def test_server_errors(gateway: Any, status: int) -> None:
    for service, method in (
        ("s3", "list_buckets"),
        ("iam", "list_roles"),
        ("athena", "list_work_groups"),
        ("eks", "list_clusters"),
    ):
        with faults(gateway, {"service": service, "status": status, "times": 1}):
            assert refused(getattr(gateway.client(service, CLUSTER), method)).status == status


def test_latency(gateway: Any) -> None:
    sts = gateway.client("sts", CLUSTER)
    with faults(gateway, {"service": "sts", "latency_ms": 400, "times": 1}):
        started = time.monotonic()
        sts.get_caller_identity()
        assert time.monotonic() - started >= 0.4
        rule = gateway.control("/_sandbox/faults")["rules"][0]
        assert (rule["seen"], rule["hit"]) == (1, 1)


def test_a_cut_before_the_call_leaves_nothing_done(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    name = unique("cut")
    with faults(gateway, {"service": "iam", "operation": "CreateRole", "cut": True}):
        with pytest.raises(ConnectionClosedError):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=_trust())
        assert (gateway.calls()[-1]["status"], gateway.calls()[-1]["error_code"]) == (0, "ConnectionCut")
        assert refused(iam.get_role, RoleName=name).code == "NoSuchEntity"


def test_a_cut_after_the_call_loses_the_answer_only(gateway: Any) -> None:
    iam = gateway.client("iam", CLUSTER)
    name = unique("cut")
    with faults(gateway, {"service": "iam", "operation": "CreateRole", "cut": "after"}):
        with pytest.raises(ConnectionClosedError):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=_trust())
        assert iam.get_role(RoleName=name)


def test_a_fault_of_a_kind_lets_other_kinds_through(gateway: Any) -> None:
    iam, name = gateway.client("iam", CLUSTER), unique("kind")
    with faults(gateway, {"kind": "write", "account_id": CLUSTER, "cut": True}):
        assert refused(iam.get_role, RoleName=name).code == "NoSuchEntity"
        with pytest.raises(ConnectionClosedError):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=_trust())
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=_trust())


def test_a_fault_waits_for_its_turn_and_ends(gateway: Any) -> None:
    sts, other = gateway.client("sts", CLUSTER), gateway.client("sts", PAYER)
    with faults(
        gateway, {"operation": "GetCallerIdentity", "account_id": CLUSTER, "after": 2, "times": 1, "cut": True}
    ):
        sts.get_caller_identity()
        other.get_caller_identity()
        sts.get_caller_identity()
        with pytest.raises(ConnectionClosedError):
            sts.get_caller_identity()
        sts.get_caller_identity()
        gateway.client("sts", CLUSTER, user_agent_extra=SETUP).get_caller_identity()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"service": "s3"}, "latency_ms, throttle, status, cut"),
        ({"servise": "s3", "cut": True}, "servise"),
        ({"status": 404}, "5xx"),
        ({"cut": "before"}, "cut is true or 'after'"),
    ],
)
def test_fault_rules_are_checked(gateway: Any, rule: dict[str, Any], words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        gateway.control("/_sandbox/faults", {"rules": [rule]})
    assert gateway.control("/_sandbox/faults")["rules"] == []


def test_an_unknown_control_path_is_refused(gateway: Any) -> None:
    with pytest.raises(RuntimeError, match="_sandbox/nothing"):
        gateway.control("/_sandbox/nothing", {})


def test_a_call_that_a_rule_refuses_is_authorized_first(gateway: Any) -> None:
    iam = role_client(gateway, "iam", CLUSTER, [allow("iam:GetRole", "*")])
    error = refused(iam.create_role, RoleName=unique("r"), AssumeRolePolicyDocument="{not json")
    assert error.code == "AccessDenied"
    allowed = role_client(gateway, "iam", CLUSTER, [allow("iam:CreateRole", "*")])
    error = refused(allowed.create_role, RoleName=unique("r"), AssumeRolePolicyDocument="{not json")
    assert error.code == "MalformedPolicyDocument"


def test_a_rule_may_change_a_signed_call(gateway: Any) -> None:
    # Glue's names become lower case on the way in; the changed call is signed anew with the caller's own key.
    glue = role_client(gateway, "glue", CLUSTER, [allow("glue:*", "*")])
    name = unique("Mixed_Case").replace("-", "_")
    glue.create_database(DatabaseInput={"Name": name})
    assert glue.get_database(Name=name)["Database"]["Name"] == name.lower()


def test_large_bodies_and_odd_keys_pass_unharmed(gateway: Any) -> None:
    s3 = gateway.client("s3", "cluster")
    bucket, body = unique("large"), bytes(range(256)) * 4096
    s3.create_bucket(Bucket=bucket)
    for key in ("year=2026/month=1/a b+c%2F=ü.parquet", "plain"):
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
        assert s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-9")["Body"].read() == body[:10]
        assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(body)
    assert make_role(gateway, CLUSTER, [json.loads(_trust())["Statement"][0]], [])


def _trust() -> str:
    return policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{CLUSTER}:root"}, "Action": "sts:AssumeRole"})
