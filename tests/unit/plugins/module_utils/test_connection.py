# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One session per task, shared by its clients."""

from __future__ import annotations

import datetime
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import botocore.config
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import (
    AwsConnection,
    partition_of,
    role_to_assume,
)
from botocore.stub import Stubber

KEYS = {"aws_access_key_id": "not-a-key-id", "aws_secret_access_key": "not-a-secret-key"}


def connect(region: str | None = "eu-west-1", **options: object) -> AwsConnection:
    return AwsConnection(region=region, params={**KEYS, **options.pop("params", {})}, **options)


def test_clients_are_made_once_for_each_region() -> None:
    connection = connect()

    assert connection.client("s3") is connection.client("s3")
    assert connection.client("s3") is connection.client("s3", "eu-west-1")
    assert connection.client("s3") is not connection.client("s3", "us-east-1")
    assert connection.client("s3", "us-east-1").meta.region_name == "us-east-1"


def test_clients_share_one_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a profile that assumes a role each session asks STS for credentials of its own."""
    config = tmp_path / "config"
    config.write_text(
        "[profile source]\naws_access_key_id = not-a-key-id\naws_secret_access_key = not-a-secret-key\n"
        "[profile role]\nrole_arn = arn:aws:iam::111111111111:role/operator\nsource_profile = source\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    connection = AwsConnection(region="eu-west-1", params={"profile_name": "role"})

    credentials = {id(connection.client(name)._get_credentials()) for name in ("s3", "iam", "athena")}

    assert credentials == {id(connection.session.get_credentials())}


def test_options_reach_the_client() -> None:
    extra = botocore.config.Config(read_timeout=7)
    connection = connect(
        endpoint_url="https://127.0.0.1:1", params={"aws_config": extra, "verify": "ca.pem"}, user_agent="kubestrap.aws"
    )

    client = connection.client("iam")

    assert client.meta.endpoint_url == "https://127.0.0.1:1"
    assert client.meta.config.read_timeout == 7
    assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 9}
    assert "kubestrap.aws" in client.meta.config.user_agent_extra


def test_the_certificates_of_a_profile_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """amazon.aws passes ``verify`` as true. That is the default, but boto3 prefers it to the ca_bundle of a profile."""
    config = tmp_path / "config"
    config.write_text("[profile own]\nca_bundle = own-ca.pem\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))

    def verified(verify: bool | str) -> bool | str:
        connection = connect(params={"profile_name": "own", "verify": verify})
        return connection.client("iam")._endpoint.http_session._verify

    assert verified(True) == "own-ca.pem"
    assert verified(False) is False
    assert verified("other-ca.pem") == "other-ca.pem"


def test_a_wrong_profile_is_an_error_of_first_use_only() -> None:
    connection = AwsConnection(region="eu-west-1", params={"profile_name": "no-such-profile"})

    with pytest.raises(Exception, match="no-such-profile"):
        connection.client("iam")


def test_the_caller_is_asked_once() -> None:
    connection = connect()
    identity = {"Account": "111111111111", "Arn": "arn:aws-cn:sts::111111111111:assumed-role/operator/x", "UserId": "x"}
    with Stubber(connection.client("sts")) as sts:
        sts.add_response("get_caller_identity", identity)

        assert connection.caller["account"] == "111111111111"
        assert connection.caller["partition"] == "aws-cn"


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_the_partition_follows_from_the_region(region: str, partition: str) -> None:
    assert connect(region).partition == partition


def test_without_a_region_the_partition_is_the_callers() -> None:
    connection = connect(None)
    identity = {"Account": "111111111111", "Arn": "arn:aws-us-gov:iam::111111111111:root", "UserId": "x"}
    connection._clients[("sts", None)] = connection.client("sts", "us-gov-west-1")
    with Stubber(connection.client("sts")) as sts:
        sts.add_response("get_caller_identity", identity)

        assert connection.partition == "aws-us-gov"


def test_a_region_that_cannot_be_is_refused() -> None:
    with pytest.raises(AnsibleAWSError, match="'europe' is not a region"):
        partition_of("europe")


def test_another_session_of_the_same_connection() -> None:
    connection = connect(endpoint_url="https://127.0.0.1:1")
    taken = {
        "AccessKeyId": "not-a-key-id-either",
        "SecretAccessKey": "not-a-secret-key-either",
        "SessionToken": "not-a-token",
        "Expiration": datetime.datetime.now(datetime.UTC),
    }

    other = connection.with_credentials(taken)

    assert other.client("s3") is not connection.client("s3")
    assert other.client("s3").meta.endpoint_url == "https://127.0.0.1:1"
    assert other.client("s3")._get_credentials().token == "not-a-token"
    assert connection.client("s3")._get_credentials().access_key == "not-a-key-id"


def test_the_credentials_are_those_that_the_clients_sign_with() -> None:
    connection = connect()
    taken = {"AccessKeyId": "another-key-id", "SecretAccessKey": "another-secret-key", "SessionToken": "not-a-token"}

    for one in (connection, connection.with_credentials(taken)):
        frozen = one.client("sts")._get_credentials().get_frozen_credentials()
        assert one.credentials.get_frozen_credentials() == frozen

    assert connection.credentials.access_key == "not-a-key-id"
    assert connection.credentials.token is None
    assert connection.with_credentials(taken).credentials.token == "not-a-token"


def test_without_credentials_there_are_none() -> None:
    assert AwsConnection(region="eu-west-1").credentials is None


ROLE = "arn:aws:iam::222222222222:role/operator"
TAKEN = {"AccessKeyId": "taken-key-id", "SecretAccessKey": "taken-secret-key", "SessionToken": "taken-token"}


class Sts:
    """Answers AssumeRole, and counts."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def assume_role(self, **parameters: str) -> dict[str, dict[str, str]]:
        self.asked.append(parameters)
        return {"Credentials": TAKEN}


def with_sts(connection: AwsConnection, monkeypatch: pytest.MonkeyPatch) -> Sts:
    """The first client of STS that the session makes, which is the one that assumes the role, is ours."""
    sts, make = Sts(), connection.session.client

    def client(service: str, **options: object) -> object:
        return sts if service == "sts" and "aws_session_token" not in options else make(service, **options)

    monkeypatch.setattr(connection.session, "client", client)
    return sts


def test_a_role_of_the_environment_is_assumed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBESTRAP_ASSUME_ROLE_ARN", ROLE)
    monkeypatch.setenv("KUBESTRAP_ASSUME_ROLE_EXTERNAL_ID", "4711")
    monkeypatch.setenv("KUBESTRAP_ASSUME_ROLE_SESSION_NAME", "")
    connection = connect()
    sts = with_sts(connection, monkeypatch)

    for service in ("s3", "iam", "sts"):
        assert connection.client(service)._get_credentials().token == "taken-token"

    assert connection.credentials.token == "taken-token"
    assert sts.asked == [{"RoleArn": ROLE, "ExternalId": "4711", "RoleSessionName": "kubestrap.aws"}]


def test_a_role_that_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup gives its own; it runs beside the tasks, whose environment it does not see."""
    monkeypatch.setenv("KUBESTRAP_ASSUME_ROLE_ARN", "arn:aws:iam::333333333333:role/other")
    connection = connect(assume_role={"RoleArn": ROLE, "RoleSessionName": "me"})
    sts = with_sts(connection, monkeypatch)

    assert connection.credentials.access_key == "taken-key-id"
    assert sts.asked == [{"RoleArn": ROLE, "RoleSessionName": "me"}]
    assert connect(assume_role={}).credentials.access_key == "not-a-key-id"


def test_another_session_does_not_take_the_role_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(assume_role={"RoleArn": ROLE, "RoleSessionName": "me"})
    sts = with_sts(connection, monkeypatch)

    other = connection.with_credentials({**TAKEN, "SessionToken": "chained-token"})

    assert other.client("athena")._get_credentials().token == "chained-token"
    assert sts.asked == []


def test_without_an_arn_no_role_is_meant() -> None:
    assert role_to_assume({"KUBESTRAP_ASSUME_ROLE_EXTERNAL_ID": "4711", "KUBESTRAP_ASSUME_ROLE_ARN": ""}) == {}


def test_another_endpoint_with_the_same_credentials() -> None:
    connection = AwsConnection("eu-west-1", "https://one.example", {}, assume_role={}).with_credentials(TAKEN)
    other = connection.with_endpoint("https://two.example")
    assert other.client("s3").meta.endpoint_url == "https://two.example"
    assert connection.client("s3").meta.endpoint_url == "https://one.example"
    assert other.credentials.access_key == connection.credentials.access_key


def test_connections_of_a_client_load_their_certificates_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As urllib3 does it for each new connection, here from four threads."""
    at_once: list[int] = []
    loading: set[int] = set()

    def load(context: ssl.SSLContext, *paths: str) -> None:
        loading.add(threading.get_ident())
        time.sleep(0.02)
        at_once.append(len(loading))
        loading.discard(threading.get_ident())

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", load)
    client = connect().client("sts")
    context = client._endpoint.http_session._manager.connection_pool_kw["ssl_context"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(context.load_verify_locations, ["ca.pem"] * 4))
    assert at_once == [1, 1, 1, 1]
