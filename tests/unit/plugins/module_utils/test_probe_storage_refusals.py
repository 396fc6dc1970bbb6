# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3's refusals and what is made of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_storage_refusals as refusals
from botocore.exceptions import ClientError, EndpointConnectionError

ROLE = "arn:aws:iam::222222222222:role/thanos"
SESSION = "arn:aws:sts::222222222222:assumed-role/thanos/kubestrap-monitoring-thanos"
NODE = "arn:aws:sts::222222222222:assumed-role/nodes/i-0123456789abcdef0"
BUCKET = "arn:aws:s3:::acme"
KEY = "arn:aws:kms:eu-west-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def error(code: str, message: str = "", headers: dict[str, str] | None = None, **more: str) -> ClientError:
    answer = {"Error": {"Code": code, "Message": message, **more}, "ResponseMetadata": {"HTTPHeaders": headers or {}}}
    return ClientError(answer, "PutObject")


def denied(action: str, reason: str, on: str = f'"{BUCKET}/x"', user: str = SESSION) -> ClientError:
    text = f"User: {user} is not authorized to perform: {action} on resource: {on} {reason}"
    return error("AccessDenied", text)


class Simulator:
    """IAM's policy simulator; ``None``: the operator may not ask."""

    def __init__(self, decision: str | None) -> None:
        self.decision = decision
        self.asked: dict[str, Any] = {}

    def client(self, _service: str) -> SimpleNamespace:
        return SimpleNamespace(simulate_principal_policy=self._simulate)

    def _simulate(self, **params: Any) -> dict[str, Any]:
        self.asked = params
        if self.decision is None:
            raise error("AccessDenied", "not authorized to perform: iam:SimulatePrincipalPolicy")
        return {"EvaluationResults": [{"EvalActionName": params["ActionNames"][0], "EvalDecision": self.decision}]}


class Witness:
    """What would be seen of the bucket."""

    bucket, region = "acme", "eu-west-1"

    def __init__(self, differs: bool = False, policy: dict[str, Any] | None = None) -> None:
        self._differs, self._policy = differs, policy

    def owner_differs(self) -> bool:
        return self._differs

    def bucket_policy(self) -> dict[str, Any] | None:
        return self._policy


def judge(
    exception: Exception, decision: str | None = None, witness: Witness | None = None, action: str = "s3:PutObject"
) -> refusals.Link:
    refusal = refusals.Refusal("put", "x cannot be written", exception, action, f"{BUCKET}/x", ROLE)
    return refusals.storage_refused(refusal, Simulator(decision), witness or Witness(), "222222222222")


@pytest.mark.parametrize(
    ("exception", "cause", "change"),
    [
        (error("NoSuchBucket"), "the bucket acme does not exist", "s3_storage_bucket"),
        (error("InvalidAccessKeyId"), "does not know the access key", "activate"),
        (error("SignatureDoesNotMatch"), "does not belong to the access key", "pair"),
        (error("AccessControlListNotSupported"), "ACLs are off", "X-Amz-Acl"),
        (error("KMS.DisabledException"), "is disabled", "enable-key"),
        (error("KMS.NotFoundException"), "does not exist in the bucket's region", "its own region"),
        (error("KMS.KMSInvalidStateException", "x is pending deletion."), "about to be deleted", "cancel-key-deletion"),
        (error("KMS.KMSInvalidStateException", "x is pending import."), "cannot be used as it is", "describe-key"),
        (error("SlowDown"), "AWS does not say more", "AWS' own text"),
        (EndpointConnectionError(endpoint_url="https://s3.eu-wset-1.amazonaws.com"), "does not answer", "own text"),
        (
            denied("s3:PutObject", "because no identity-based policy allows the s3:PutObject action"),
            f"no policy of {ROLE} allows s3:PutObject on {BUCKET}/x",
            "object_storage_workload",
        ),
        (
            denied("s3:PutObject", "with an explicit deny in an identity-based policy"),
            f"a policy of {ROLE} denies",
            "out",
        ),
        (
            denied("s3:PutObject", "with an explicit deny in a service control policy"),
            "organisation forbids",
            "service",
        ),
        (
            denied("s3:PutObject", "with an explicit deny in a resource control policy"),
            "organisation forbids",
            "resource",
        ),
        (
            denied("s3:PutObject", "because no VPC endpoint policy allows the s3:PutObject action"),
            "VPC endpoint",
            "Allow",
        ),
        (
            denied("s3:PutObject", "because no permissions boundary allows the s3:PutObject action"),
            "boundary of",
            "Allow",
        ),
        (
            denied("s3:PutObject", "because no resource-based policy allows the s3:PutObject action"),
            "is of another account and its policy does not",
            "object_storage_sharing",
        ),
        (
            denied("s3:PutObject", "with an explicit deny in a resource-based policy"),
            "the bucket policy denies",
            "acme",
        ),
        (
            denied(
                "kms:GenerateDataKey", "because no resource-based policy allows the kms:GenerateDataKey action", KEY
            ),
            f"the key policy of {KEY} does not let {ROLE} use the key",
            "object_storage_key",
        ),
        (
            denied("kms:GenerateDataKey", "with an explicit deny in a resource-based policy", KEY),
            f"the key policy of {KEY} denies kms:GenerateDataKey to {ROLE}",
            "Take the statement",
        ),
        (denied("s3:PutObject", "because no identity-based policy allows it", user=NODE), "role of a node", "restart"),
    ],
)
def test_each_refusal_has_its_cause(exception: Exception, cause: str, change: str) -> None:
    link = judge(exception)
    assert link.state == "failed"
    assert link.detail.startswith("x cannot be written: ")
    assert cause in link.cause
    assert change in link.change
    assert "{" not in link.cause + link.change


@pytest.mark.parametrize(
    "exception",
    [
        error("AuthorizationHeaderMalformed", Region="eu-central-1"),
        error("PermanentRedirect", headers={"x-amz-bucket-region": "eu-central-1"}),
    ],
)
def test_another_region_is_named(exception: ClientError) -> None:
    assert refusals.is_about_region(exception)
    link = judge(exception)
    assert link.link == "region"
    assert link.cause == "the bucket is in eu-central-1, not in eu-west-1"
    assert "Write region eu-central-1" in link.change


def test_another_region_that_s3_does_not_name() -> None:
    assert judge(error("301")).cause == "the bucket is not in eu-west-1"


PLAIN = error("AccessDenied", "Access Denied")


def test_a_plain_refusal_is_looked_into() -> None:
    assert "no policy of" in judge(PLAIN, "implicitDeny").cause
    assert "is of another account" in judge(PLAIN, "allowed").cause
    hidden = judge(PLAIN, None)
    assert "or the policy of the bucket refuses it; which one cannot be seen" in hidden.cause
    assert "policy of the key" in judge(PLAIN, None, action="kms:Decrypt").change


def test_another_owner_comes_first() -> None:
    link = judge(PLAIN, "allowed", Witness(differs=True))
    assert link.cause == "the bucket acme belongs to another account than 222222222222"
    assert not link.by_run


def test_the_statement_of_the_bucket_policy_is_named() -> None:
    def policy(**statement: Any) -> dict[str, Any]:
        return {
            "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:put*", "Resource": f"{BUCKET}/*"}
            | statement
        }

    assert "denies s3:PutObject: statement Tls" in judge(PLAIN, "allowed", Witness(policy=policy(Sid="Tls"))).cause
    for other in ({"Effect": "Allow"}, {"Action": "s3:GetObject"}, {"Resource": BUCKET}):
        assert refusals.denying_statements(policy(**other), "s3:PutObject", f"{BUCKET}/x") == []
    assert refusals.denying_statements(policy(), "s3:PutObject", f"{BUCKET}/x") == ["number 1"]


def test_the_simulator_knows_how_the_key_is_used() -> None:
    simulator = Simulator("allowed")
    refusal = refusals.Refusal("put", "x", PLAIN, "kms:Decrypt", KEY, ROLE)
    refusals.storage_refused(refusal, simulator, Witness(), None)
    assert simulator.asked["ContextEntries"] == [
        {
            "ContextKeyName": "kms:ViaService",
            "ContextKeyType": "string",
            "ContextKeyValues": ["s3.eu-west-1.amazonaws.com"],
        }
    ]


def test_a_policy_that_is_no_json() -> None:
    assert refusals.policy_of("no") is None
    assert refusals.policy_of("[]") is None
    assert refusals.policy_of('{"Statement": []}') == {"Statement": []}
