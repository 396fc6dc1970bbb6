# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small tools of the gateway's tests: roles, credentials, refusals, tokens."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PAYER, CLUSTER = "111111111111", "222222222222"
_numbers = itertools.count(1)


def unique(prefix: str) -> str:
    """A name that no other test of this session uses."""
    return f"{prefix}-{next(_numbers)}-{int(time.time()) % 100000}"


def allow(actions: str | list[str], resources: str | list[str]) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def make_role(
    gateway: Any,
    account: str,
    trust: list[dict[str, Any]],
    rights: list[dict[str, Any]],
    name: str = "",
    path: str = "/",
    **options: Any,
) -> str:
    """A role (made by root) with one inline policy; its ARN."""
    iam = gateway.client("iam", account)
    name = name or unique("role")
    role = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=policy(*trust), **options)["Role"]
    if rights:
        iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=policy(*rights))
    return role["Arn"]


def role_client(
    gateway: Any, service: str, account: str, rights: list[dict[str, Any]], region: str = "us-east-1", **options: Any
) -> Any:
    """A client of a fresh role of that account with these rights."""
    trust = [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}]
    keys = assume(gateway.client("sts", account), make_role(gateway, account, trust, rights, **options))
    return gateway.client_with(service, keys, region)


def assume(sts: Any, role_arn: str, **options: Any) -> dict[str, str]:
    """Credentials of a role, as keywords for a boto3 client."""
    found = sts.assume_role(RoleArn=role_arn, RoleSessionName="test-session", **options)["Credentials"]
    return {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }


@dataclass(frozen=True)
class Refusal:
    """What AWS answered instead of doing it."""

    code: str
    message: str
    status: int


def refused(call: Callable[..., Any], **arguments: Any) -> Refusal:
    """Make a call that must fail."""
    try:
        call(**arguments)
    except ClientError as error:
        answer = error.response
        return Refusal(
            answer["Error"]["Code"], answer["Error"].get("Message", ""), answer["ResponseMetadata"]["HTTPStatusCode"]
        )
    raise AssertionError(f"{getattr(call, '__name__', call)} was not refused")


class Issuer:
    """An OIDC issuer with a key of its own, as an EKS cluster has one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        numbers = self._key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "kid": "key-1",
                    "alg": "RS256",
                    "use": "sig",
                    "n": _base64url(numbers.n.to_bytes(256, "big")),
                    "e": _base64url(numbers.e.to_bytes(3, "big")),
                }
            ]
        }

    def token(self, subject: str = "system:serviceaccount:finops:kubecost", kid: str = "key-1", **claims: Any) -> str:
        """A token as Kubernetes makes them: `aud` is a list."""
        now = int(time.time())
        content = {
            "iss": self.url,
            "sub": subject,
            "aud": ["sts.amazonaws.com"],
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            **claims,
        }
        signed = ".".join(
            _base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": kid, "typ": "JWT"}, content)
        )
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64url(signature)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
