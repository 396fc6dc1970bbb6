# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of EKS tokens. That an API server takes them is shown in the sandbox."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection
from ansible_collections.kubestrap.aws.plugins.module_utils._eks_token import eks_token
from botocore.exceptions import NoCredentialsError

KEYS = {
    "aws_access_key_id": "EXAMPLEKEYID00000000",
    "aws_secret_access_key": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00",
    "aws_session_token": "FwoGZXIvYXdzEXAMPLETOKEN",
}


def url_of(token: str) -> str:
    assert token.startswith("k8s-aws-v1.")
    encoded = token.removeprefix("k8s-aws-v1.")
    assert "=" not in encoded
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def test_the_token_is_a_presigned_url_of_the_regional_sts_endpoint() -> None:
    url = urlsplit(url_of(eks_token(AwsConnection("eu-west-1", params=KEYS), "demo")))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (url.scheme, url.netloc, url.path) == ("https", "sts.eu-west-1.amazonaws.com", "/")
    assert query["Action"] == "GetCallerIdentity"
    assert query["Version"] == "2011-06-15"
    assert query["X-Amz-Expires"] == "60"
    assert query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id"
    assert query["X-Amz-Credential"].endswith("/eu-west-1/sts/aws4_request")
    assert query["X-Amz-Security-Token"] == KEYS["aws_session_token"]
    assert len(query["X-Amz-Signature"]) == 64


def test_the_cluster_is_in_the_signature_only() -> None:
    connection = AwsConnection("eu-west-1", params=KEYS)
    one, other = (url_of(eks_token(connection, name)) for name in ("demo", "prod"))
    assert "demo" not in one
    signature = "X-Amz-Signature"
    assert parse_qs(urlsplit(one).query)[signature] != parse_qs(urlsplit(other).query)[signature]


def test_other_partitions_have_their_own_suffix() -> None:
    url = url_of(eks_token(AwsConnection("cn-north-1", params=KEYS), "demo"))
    assert url.startswith("https://sts.cn-north-1.amazonaws.com.cn/?")


def test_the_endpoint_of_a_profile_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile cluster]\nregion = eu-west-1\nendpoint_url = https://127.0.0.1:4566\n"
        f"aws_access_key_id = {KEYS['aws_access_key_id']}\naws_secret_access_key = {KEYS['aws_secret_access_key']}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    url = url_of(eks_token(AwsConnection("eu-west-1", params={"profile_name": "cluster"}), "demo"))
    assert url.startswith("https://127.0.0.1:4566/?Action=GetCallerIdentity")


def test_without_credentials_nothing_is_made() -> None:
    with pytest.raises(NoCredentialsError):
        eks_token(AwsConnection("eu-west-1"), "demo")
