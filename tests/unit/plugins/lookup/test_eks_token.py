# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup of tokens: its options and its errors. That an API server takes a token is shown in the sandbox."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader

KEYS = {"access_key": "EXAMPLEKEYID00000000", "secret_key": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"}


def lookup(*terms: str, **options: Any) -> list[str]:
    return lookup_loader.get("kubestrap.aws.eks_token").run(list(terms), {}, **options)


def test_a_token_for_each_cluster() -> None:
    tokens = lookup("demo", "prod", region="eu-west-1", **KEYS)
    assert len(set(tokens)) == 2
    assert all(token.startswith("k8s-aws-v1.") for token in tokens)


def test_no_credentials() -> None:
    with pytest.raises(AnsibleLookupError, match="No AWS credentials were found. Set 'profile'"):
        lookup("demo", region="eu-west-1")


def test_no_region() -> None:
    with pytest.raises(AnsibleLookupError, match="No region is set"):
        lookup("demo", **KEYS)


def test_an_unknown_profile() -> None:
    with pytest.raises(AnsibleLookupError, match="The profile is not in the AWS configuration"):
        lookup("demo", region="eu-west-1", profile="nobody")


@pytest.mark.parametrize("name", ["arn:aws:eks:eu-west-1:222222222222:cluster/demo", "", "-demo", "a" * 101])
def test_what_is_not_the_name_of_a_cluster(name: str) -> None:
    with pytest.raises(AnsibleLookupError, match="is not the name of an EKS cluster"):
        lookup(name, region="eu-west-1", **KEYS)


def test_a_role_is_assumed_for_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Connection:
        def __init__(self, *_arguments: Any, assume_role: dict[str, str]) -> None:
            asked.append(assume_role)

    plugin = sys.modules[type(lookup_loader.get("kubestrap.aws.eks_token")).__module__]
    monkeypatch.setattr(plugin, "AwsConnection", Connection)
    monkeypatch.setattr(plugin, "eks_token", lambda *_: "token")
    role = "arn:aws:iam::222222222222:role/operator"

    assert lookup("demo", region="eu-west-1", assume_role_arn=role, assume_role_external_id="4711", **KEYS) == ["token"]
    lookup("demo", region="eu-west-2", assume_role_arn="", **KEYS)

    assert asked == [{"RoleArn": role, "ExternalId": "4711", "RoleSessionName": "kubestrap.aws"}, {}]
