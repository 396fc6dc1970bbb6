# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each answer of AWS means for whoever wrote the inventory. The answers themselves are tests/integration's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _preflight
from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import KubeError
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight import (
    check_access,
    check_aws,
    check_bucket,
    check_caller,
    check_cluster,
    check_helm,
    check_region_of_host,
    is_installed,
)
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ProfileNotFound

ACCOUNT, OTHER = "111111111111", "222222222222"
CALLER = {"account": ACCOUNT, "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/me", "partition": "aws"}
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
BUCKET = {"option": "billing_data_report_bucket", "name": "acme-cur"}
CLUSTER = {
    "name": "demo",
    "arn": f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/demo",
    "status": "ACTIVE",
    "endpoint": "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
    "identity": {"oidc": {"issuer": ISSUER}},
}


class Connection:
    """A connection whose every call gives one answer, or raises it."""

    def __init__(self, answer: Any = None, caller: Any = None, region: str | None = "eu-west-1") -> None:
        self.answer = answer
        self.region = region
        self.asked: list[dict[str, Any]] = []
        self._caller = caller or CALLER

    @property
    def caller(self) -> dict[str, str]:
        return self._give(self._caller)

    @property
    def session(self) -> Any:
        if isinstance(self._caller, ProfileNotFound):
            raise self._caller
        return boto3.session.Session()

    def client(self, _service: str, _region: str | None = None) -> Connection:
        return self

    def head_bucket(self, **params: Any) -> Any:
        self.asked.append(params)
        return self._give(self.answer)

    def describe_cluster(self, **params: Any) -> Any:
        self.asked.append(params)
        return {"cluster": self._give(self.answer)}

    @staticmethod
    def _give(answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer


def error(code: str, operation: str = "HeadBucket", region: str | None = None) -> ClientError:
    """AWS refuses."""
    headers = {"x-amz-bucket-region": region} if region else {}
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPHeaders": headers}}
    return ClientError(answer, operation)


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1", "us-gov-west-1"])
def test_regions(region: str) -> None:
    assert check_region_of_host(region) == []


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (None, "kubestrap_aws_region: no region is set for this host. Write the name of a region, such as eu-west-1"),
        ("", "kubestrap_aws_region: no region is set for this host"),
        ("eu-wset-1", "kubestrap_aws_region: 'eu-wset-1' is not a region that AWS' SDK knows. Write eu-west-1?"),
    ],
)
def test_a_region_that_is_wrong(region: str | None, said: str) -> None:
    (problem,) = check_region_of_host(region)
    assert problem.startswith(said)


@pytest.mark.parametrize("account", [ACCOUNT, None, ""])
def test_credentials_of_the_account_that_is_meant(account: str | None) -> None:
    assert check_caller(Connection(), account) == (CALLER, [])


def test_credentials_of_another_account() -> None:
    caller, (problem,) = check_caller(Connection(), OTHER)
    assert caller == CALLER
    assert problem == (
        "kubestrap_account_id: '222222222222' is not the account of these credentials: they belong to account "
        "111111111111 (arn:aws:sts::111111111111:assumed-role/operator/me). Write that account, or use the credentials "
        "of 222222222222 (kubestrap_aws_profile)"
    )


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (NoCredentialsError(), "No AWS credentials were found. Set 'profile' (in our playbooks: kubestrap_aws_"),
        (ProfileNotFound(profile="typo"), "The profile is not in the AWS configuration of the controller"),
        (error("ExpiredToken", "GetCallerIdentity"), "The session of these AWS credentials has expired"),
        (error("AccessDenied", "AssumeRole"), "Check the profile or the keys of this host (kubestrap_aws_profile): An"),
    ],
)
def test_credentials_that_do_not_work(raised: Exception, said: str) -> None:
    caller, (problem,) = check_caller(Connection(caller=raised), ACCOUNT)
    assert caller is None
    assert problem.startswith(f"The AWS credentials of this host do not work. {said}")
    assert str(raised) in problem


@pytest.mark.parametrize("answer", [{}, {"BucketRegion": "eu-west-1"}])
def test_a_bucket_of_ones_own(answer: dict[str, str]) -> None:
    connection = Connection(answer)
    assert check_bucket(connection, BUCKET, ACCOUNT) == (True, [])
    assert connection.asked == [{"Bucket": "acme-cur", "ExpectedBucketOwner": ACCOUNT}]


@pytest.mark.parametrize("code", ["404", "NoSuchBucket"])
def test_a_bucket_that_is_still_to_be_made(code: str) -> None:
    assert check_bucket(Connection(error(code)), BUCKET, ACCOUNT) == (False, [])


@pytest.mark.parametrize(
    "answer",
    [
        {"BucketRegion": "us-east-1"},
        error("301", region="us-east-1"),
        error("400", region="us-east-1"),
        error("AuthorizationHeaderMalformed", region="us-east-1"),
    ],
)
def test_a_bucket_in_another_region(answer: Any) -> None:
    exists, (problem,) = check_bucket(Connection(answer), BUCKET, ACCOUNT)
    assert exists
    assert problem == (
        "billing_data_report_bucket: the bucket 'acme-cur' is in region us-east-1, but Athena queries here run in "
        "eu-west-1, and Athena uses buckets of its own region only. Choose a bucket in eu-west-1, or set the region to "
        "us-east-1"
    )


@pytest.mark.parametrize("code", ["403", "AccessDenied"])
def test_a_bucket_of_somebody_else(code: str) -> None:
    exists, (problem,) = check_bucket(Connection(error(code)), BUCKET, ACCOUNT)
    assert exists
    assert problem.startswith(
        "billing_data_report_bucket: the bucket 'acme-cur' exists and does not belong to account 111111111111, or these"
    )
    assert "choose another name" in problem


def test_a_bucket_of_which_nothing_can_be_said() -> None:
    assert "cannot be read" in check_bucket(Connection(error("500")), BUCKET, ACCOUNT)[1][0]
    raised = EndpointConnectionError(endpoint_url="https://s3.eu-west-1.amazonaws.com")
    (problem,) = check_aws(Connection(raised), None, [BUCKET])["problems"]
    assert "'acme-cur' cannot be read. The endpoint does not answer" in problem


def test_all_problems_are_listed_at_once() -> None:
    wrong = {"option": "billing_data_results_bucket", "name": "s3://acme-results"}
    seen = check_aws(Connection(error("403")), None, [wrong, BUCKET])
    assert seen["usable"], "a wrong bucket says nothing about the caller"
    assert seen["buckets"] == {"acme-cur": True}
    assert [problem.split(":")[0] for problem in seen["problems"]] == [wrong["option"], BUCKET["option"]]

    connection = Connection(error("403"))
    seen = check_aws(connection, OTHER, [wrong, BUCKET])
    assert not seen["usable"]
    assert [problem.split(":")[0] for problem in seen["problems"]] == [wrong["option"], "kubestrap_account_id"]
    assert not connection.asked, "the account is wrong, so its buckets mean nothing"


def test_without_a_region_the_credentials_are_looked_at_all_the_same() -> None:
    seen = check_aws(Connection(region=None, caller=ProfileNotFound(profile="typo")), ACCOUNT, [])
    assert [problem.split(".")[0] for problem in seen["problems"]] == [
        "kubestrap_aws_region: no region is set for this host",
        "The AWS credentials of this host do not work",
    ]
    assert (seen["caller"], seen["usable"]) == (None, False)
    assert len(check_aws(Connection(region="eu-wset-1"), ACCOUNT, [])["problems"]) == 2, "no credentials either"


def test_the_same_mistake_twice_is_told_twice() -> None:
    buckets = [{"option": option, "name": "s3://acme"} for option in ("a", "b")]
    assert len(check_aws(Connection(), None, buckets)["problems"]) == 2


def test_a_cluster() -> None:
    cluster, problems = check_cluster(Connection(CLUSTER), "demo", ACCOUNT)
    assert not problems
    assert (cluster["name"], cluster["issuer"]) == ("demo", ISSUER)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            error("ResourceNotFoundException", "DescribeCluster"),
            "'demo' is not a cluster of account 111111111111 in region eu-west-1. Write the name that aws eks",
        ),
        (
            {**CLUSTER, "status": "CREATING", "identity": {}},
            "the cluster 'demo' (status CREATING) has no OpenID Connect issuer, so IAM cannot trust its",
        ),
        (
            {**CLUSTER, "status": "CREATING", "endpoint": None},
            "the cluster 'demo' (status CREATING) has no API server yet. Wait until it is ACTIVE",
        ),
        (error("AccessDeniedException", "DescribeCluster"), "the cluster 'demo' cannot be read: Failed to describe"),
        (
            EndpointConnectionError(endpoint_url="https://eks.eu-west-1.amazonaws.com"),
            "the cluster 'demo' cannot be read. The endpoint does not answer. Check 'region'",
        ),
    ],
)
def test_a_cluster_that_cannot_be_used(answer: Any, said: str) -> None:
    _cluster, (problem,) = check_cluster(Connection(answer), "demo", ACCOUNT)
    assert problem.startswith(f"kubestrap_eks_cluster_name: {said}")


def test_a_cluster_without_a_name() -> None:
    connection = Connection(CLUSTER)
    _cluster, (problem,) = check_cluster(connection, "", ACCOUNT)
    assert problem.startswith("kubestrap_eks_cluster_name: no cluster is named for this host. Write the name")
    assert not connection.asked


def test_helm(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\n")
    path, (problem,) = check_helm("kubestrap_helm_binary", str(program))
    assert path is None, "it cannot be run"
    assert problem.startswith(f"kubestrap_helm_binary: '{program}' is not a program on this controller. Install Helm 3")
    assert "https://helm.sh/docs/intro/install/" in problem
    program.chmod(0o755)
    assert check_helm("kubestrap_helm_binary", str(program)) == (str(program), [])


class Api:
    """An API server that gives one answer, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get(self, *_path: str, **_options: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def post(self, *path: str, body: Any) -> Any:
        assert body["kind"] == "SelfSubjectReview"
        return self.get(*path)


SILENT = KubeError("The API server https://x does not answer", "timed out", "Check the way")


def access(monkeypatch: pytest.MonkeyPatch, answer: Any, **settings: Any) -> list[str]:
    """What is said of a cluster with these settings."""
    monkeypatch.setattr(_preflight, "kube_api", lambda *_args: Api(answer))
    return check_access(Connection(), {"endpoint_public_access": True, "public_access_cidrs": [], **settings}, "ca.pem")


def test_an_api_server_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert access(monkeypatch, {"status": {}}, endpoint_public_access=False) == []


def test_a_private_endpoint_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = access(monkeypatch, SILENT, endpoint_public_access=False)
    assert problem.startswith(
        "kubestrap_eks_cluster_name: The API server https://x does not answer (timed out), and its endpoint is private"
    )
    assert "kubestrap_kubeconfig" in problem


def test_a_public_endpoint_for_some_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = access(monkeypatch, SILENT, public_access_cidrs=["192.0.2.0/24"])
    assert "its public endpoint admits these networks only: 192.0.2.0/24. Run this from one of them" in problem
    (problem,) = access(monkeypatch, SILENT, public_access_cidrs=["0.0.0.0/0"])
    assert problem == f"kubestrap_eks_cluster_name: {SILENT}"


def test_a_refusal_is_no_matter_of_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = KubeError("The API server does not accept the token", "no entry", "Give it access", 401)
    assert access(monkeypatch, refused, endpoint_public_access=False) == [f"kubestrap_eks_cluster_name: {refused}"]


@pytest.mark.parametrize(("answer", "there"), [({"items": [{}]}, True), ({"items": []}, False), (SILENT, False)])
def test_what_is_installed(monkeypatch: pytest.MonkeyPatch, answer: Any, there: bool) -> None:
    monkeypatch.setattr(_preflight, "kube_api", lambda *_args: Api(answer))
    assert is_installed(Connection(), {}, "kubecost", "ca.pem") is there
