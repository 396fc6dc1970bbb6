# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading several OpenID Connect providers."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_oidc_info import read_all, read_some
from botocore.stub import Stubber

URL = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
ARN = f"arn:aws:iam::222222222222:oidc-provider/{URL.removeprefix('https://')}"
TARGET = {"OpenIDConnectProviderArn": ARN}


@pytest.fixture
def connection() -> AwsConnection:
    keys = {"aws_access_key_id": "not-a-key-id", "aws_secret_access_key": "not-a-secret-key"}
    return AwsConnection(region="eu-west-1", params=keys)


@pytest.fixture
def iam(connection: AwsConnection) -> Any:
    with Stubber(connection.client("iam")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


ANSWER = {
    "Url": URL.removeprefix("https://"),
    "ClientIDList": ["vault", "sts.amazonaws.com"],
    "ThumbprintList": ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"],
    "CreateDate": datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC),
    "Tags": [{"Key": "a", "Value": "b"}],
}


def test_reading_several(connection: AwsConnection, iam: Stubber) -> None:
    iam.add_client_error("get_open_id_connect_provider", "NoSuchEntity")
    iam.add_response("list_open_id_connect_providers", {"OpenIDConnectProviderList": [{"Arn": ARN}]})
    iam.add_response("get_open_id_connect_provider", ANSWER, TARGET)
    iam.add_client_error("list_open_id_connect_providers", "AccessDenied")

    assert read_some(connection, [ARN]) == []
    assert [provider["arn"] for provider in read_all(connection)] == [ARN]
    with pytest.raises(AnsibleAWSError, match="Failed to list the OpenID Connect providers"):
        read_all(connection)
