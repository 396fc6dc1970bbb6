# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS' refusals and what is made of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_refusals as refusals
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_trust import Claims, Opinion
from botocore.exceptions import ClientError, EndpointConnectionError

ROLE = "arn:aws:iam::222222222222:role/kubecost"
PAYER_ROLE = "arn:aws:iam::111111111111:role/kubecost-cur-access"
CLAIMS = Claims("https://issuer.example", "system:serviceaccount:kubecost:kubecost", ("sts.amazonaws.com",))
LETS_IN = Opinion(True)
HIDDEN = Opinion(None, "these credentials may not read it: AccessDenied")
OTHER = Opinion(False, "the trust policy names system:serviceaccount:a:b", "Let it name kubecost:kubecost")


def error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "AssumeRoleWithWebIdentity")


DENIED = error("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


class Simulator:
    """IAM's policy simulator as far as it is asked."""

    def __init__(self, decision: str | None) -> None:
        self.decision = decision
        self.asked: dict[str, Any] = {}

    def client(self, _service: str) -> SimpleNamespace:
        return SimpleNamespace(simulate_principal_policy=self._simulate)

    def _simulate(self, **params: Any) -> dict[str, Any]:
        self.asked = params
        if self.decision is None:
            raise error("AccessDenied", "not authorized to perform: iam:SimulatePrincipalPolicy")
        return {"EvaluationResults": [{"EvalDecision": self.decision}]}


@pytest.mark.parametrize(
    ("exception", "state", "opinion", "cause", "change"),
    [
        (
            error("InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://issuer.example"),
            "found",
            LETS_IN,
            "account 222222222222, in which the role is, has no OpenID Connect provider for https://issuer.example",
            "kubestrap.aws.iam_oidc_provider",
        ),
        (
            error("InvalidIdentityToken", "Incorrect token audience"),
            "found",
            LETS_IN,
            "does not know the audience sts.amazonaws.com",
            "client_ids",
        ),
        (
            error("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider"),
            "found",
            LETS_IN,
            "cannot fetch the keys",
            "/.well-known/openid-configuration",
        ),
        (
            error("InvalidIdentityToken", "Bad signature"),
            "found",
            LETS_IN,
            "does not accept the token",
            "another issuer",
        ),
        (error("ExpiredTokenException", "Token expired"), "found", LETS_IN, "expired", "clocks"),
        (error("IDPCommunicationError", "x"), "found", LETS_IN, "at the moment", "Try again"),
        (error("RegionDisabledException", "x"), "found", LETS_IN, "not switched on", "Activate STS"),
        (DENIED, "missing", HIDDEN, "the role does not exist", "iam_workload_role"),
        (DENIED, "found", OTHER, "names system:serviceaccount:a:b", "Let it name kubecost:kubecost"),
        (DENIED, "found", LETS_IN, "has not spread a change yet", "Try again in a minute"),
        (DENIED, "hidden", HIDDEN, "which one cannot be seen here", "iam:GetRole"),
        (EndpointConnectionError(endpoint_url="https://sts"), "found", LETS_IN, "does not answer", "way"),
    ],
)
def test_why_a_token_is_not_exchanged(
    exception: Exception, state: str, opinion: Opinion, cause: str, change: str
) -> None:
    link = refusals.identity_refused(exception, ROLE, state, opinion, CLAIMS)
    assert (link.link, link.state) == ("role", "failed")
    assert cause in link.cause
    assert change in link.change


def test_what_does_not_exist_is_marked_for_check_mode() -> None:
    assert refusals.identity_refused(DENIED, ROLE, "missing", HIDDEN, CLAIMS).missing
    assert not refusals.identity_refused(DENIED, ROLE, "found", OTHER, CLAIMS).missing


CHAIN_DENIED = error(
    "AccessDenied", f"User: {ROLE} is not authorized to perform: sts:AssumeRole on resource: {PAYER_ROLE}"
)


@pytest.mark.parametrize(
    ("decision", "cause", "change"),
    [
        ("implicitDeny", f"the policies of {ROLE} do not allow sts:AssumeRole", "assume_role"),
        ("explicitDeny", f"the policies of {ROLE} do not allow sts:AssumeRole", "assume_role"),
        (
            "allowed",
            f"itself may do so, but the trust policy of {PAYER_ROLE} does not name {ROLE}",
            "workload_role_trust",
        ),
        (None, "which one cannot be seen with these credentials", "a task for the payer's side"),
    ],
)
def test_on_which_side_a_chain_is_broken(decision: str | None, cause: str, change: str) -> None:
    operator = Simulator(decision)
    link = refusals.payer_role_refused(CHAIN_DENIED, operator, ROLE, PAYER_ROLE)
    assert (link.link, link.state) == ("payer_role", "failed")
    assert cause in link.cause
    assert change in link.change
    assert operator.asked == {
        "PolicySourceArn": ROLE,
        "ActionNames": ["sts:AssumeRole"],
        "ResourceArns": [PAYER_ROLE],
    }


def test_the_session_tags_of_a_chain() -> None:
    operator = Simulator("allowed")
    denied = error(
        "AccessDenied", f"User: {ROLE} is not authorized to perform: sts:TagSession on resource: {PAYER_ROLE}"
    )
    link = refusals.payer_role_refused(denied, operator, ROLE, PAYER_ROLE)
    assert operator.asked["ActionNames"] == ["sts:TagSession"]
    assert "sts:TagSession" in link.change


def test_aws_itself_says_that_it_is_our_side() -> None:
    said = (
        f"{CHAIN_DENIED.response['Error']['Message']} because no identity-based policy allows the sts:AssumeRole action"
    )
    link = refusals.payer_role_refused(error("AccessDenied", said), Simulator(None), ROLE, PAYER_ROLE)
    assert link.cause.startswith(f"the policies of {ROLE}")


TABLE = "arn:aws:glue:eu-west-1:111111111111:table/billing/kubecost"
CALLER = "arn:aws:sts::111111111111:assumed-role/kubecost-cur-access/kubestrap-kubecost"


def test_a_missing_right_is_named_with_action_and_resource() -> None:
    said = f"User: {CALLER} is not authorized to perform: glue:GetTable on resource: {TABLE} because no policy does"
    link = refusals.call_refused("table", "GetTable", error("AccessDeniedException", said), PAYER_ROLE)
    assert f"no policy of {PAYER_ROLE} allows glue:GetTable on {TABLE}" in link.cause
    assert "Add glue:GetTable to the policy of the role" in link.change
    assert "bucket" not in link.change


def test_a_missing_right_on_a_bucket_points_at_the_bucket_too() -> None:
    said = f"User: {CALLER} is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::acme/x."
    link = refusals.call_refused("query", "The query failed", said, PAYER_ROLE)
    assert link.cause.endswith("s3:GetObject on arn:aws:s3:::acme/x")
    assert "the bucket's and the key's own policies" in link.change


def test_the_role_of_a_node() -> None:
    node = "arn:aws:sts::222222222222:assumed-role/eks-node/i-0123456789abcdef0"
    said = f"User: {node} is not authorized to perform: sts:AssumeRole on resource: {PAYER_ROLE}"
    link = refusals.call_refused("query", "x", said, PAYER_ROLE)
    assert "role of a node" in link.cause
    assert "restart the pods" in link.change


def test_lake_formation() -> None:
    link = refusals.call_refused("query", "x", "Insufficient Lake Formation permission(s) on t", PAYER_ROLE)
    assert "Lake Formation governs the table" in link.cause


def test_another_denial_and_another_error() -> None:
    link = refusals.call_refused("query", "x", "Permission denied on S3 path: s3://acme/report", PAYER_ROLE)
    assert "lacks a right" in link.cause
    link = refusals.call_refused("table", "x", EndpointConnectionError(endpoint_url="https://glue"), PAYER_ROLE)
    assert "does not answer" in link.cause


@pytest.mark.parametrize(
    "said", ["Unable to verify/create output bucket acme-results", "outputLocation is not a valid S3 path."]
)
def test_the_bucket_of_the_results(said: str) -> None:
    link = refusals.call_refused("query", "x", error("InvalidRequestException", said), PAYER_ROLE)
    assert "s3:GetBucketLocation" in link.cause
    assert "athena.output_location" in link.change


def test_a_text_says_which_call_was_denied_and_whether_a_node_made_it() -> None:
    line = (
        'level=warn err="AccessDenied: User: arn:aws:sts::222222222222:assumed-role/nodes/i-0123456789abcdef0 is not '
        'authorized to perform: s3:ListBucket on resource: \\"arn:aws:s3:::acme\\" because no policy allows it"'
    )
    found = refusals.denied_call(line)
    assert found is not None
    assert (found.action, found.on, found.by_node) == ("s3:ListBucket", "arn:aws:s3:::acme", True)
    assert "restart the pods" in refusals.by_a_node("list", "x", found.user).change
    assert refusals.denied_call("AccessDenied: Access Denied") is None
