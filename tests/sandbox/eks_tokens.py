# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS tokens: who is behind a `k8s-aws-v1.` token, verified as the EKS authenticator verifies it.

A token is the base64url form of a presigned STS GetCallerIdentity URL whose signature covers the header x-k8s-aws-id
with the cluster's name. It is valid for 15 minutes after X-Amz-Date whatever its X-Amz-Expires says
(aws-iam-authenticator, pkg/token). MiniStack 1.5.33 has such a check too, but only for the host
sts.<region>.amazonaws.com: here clients sign for the sandbox.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit

PREFIX = "k8s-aws-v1."
_MINUTES = 15
_CLUSTER_HEADER = "x-k8s-aws-id"
_REGION = r"[a-z]{2}(-[a-z]+)+-\d"
_STS_HOST = re.compile(
    rf"sts(-fips)?\.((?P<region>{_REGION})\.)?amazonaws\.com(\.cn)?|sts\.(?P<dual>{_REGION})\.api\.aws"
)
_EMPTY = hashlib.sha256(b"").hexdigest()


class Refused(Exception):
    """The token proves nothing; the text says why (for the API server's log, clients see 401)."""


@dataclass(frozen=True)
class Identity:
    """Who signed: `arn` is the session's (or user's, or root's) ARN."""

    arn: str
    principal_id: str
    account_id: str
    access_key: str


def identify(token: str, cluster_name: str, own_hosts: set[str], now: datetime.datetime | None = None) -> Identity:
    """Verify a token for a cluster. `own_hosts` are the `host:port` under which the sandbox is STS. Raises Refused."""
    url = _decode(token)
    query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    if query.get("Action") != "GetCallerIdentity" or url.path not in ("", "/"):
        raise Refused("the token is no GetCallerIdentity call")
    scope = query.get("X-Amz-Credential", "").split("/")
    signed = query.get("X-Amz-SignedHeaders", "").split(";")
    if len(scope) != 5 or scope[3:] != ["sts", "aws4_request"] or query.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256":
        raise Refused("the token is not signed for STS")
    if not {"host", _CLUSTER_HEADER} <= set(signed):
        raise Refused(f"the token's signature does not cover host and {_CLUSTER_HEADER}")
    _check_host(url, scope[2], own_hosts)
    _check_time(query, scope[1], now or datetime.datetime.now(datetime.UTC))
    return _check_signature(url, query, scope, ";".join(signed), cluster_name)


def _decode(token: str) -> SplitResult:
    encoded = token.removeprefix(PREFIX)
    try:
        url = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    except ValueError:
        raise Refused("the token is not base64url") from None
    if url.scheme != "https" or not url.netloc:
        raise Refused("the token holds no https URL")
    return url


def _check_host(url: SplitResult, region: str, own_hosts: set[str]) -> None:
    if url.netloc in own_hosts:
        return
    match = _STS_HOST.fullmatch(url.netloc)
    if not match:
        raise Refused(f"{url.netloc} is no STS endpoint")
    if region != (match.group("region") or match.group("dual") or "us-east-1"):
        raise Refused(f"the token is signed for {region}, and names {url.netloc}")


def _check_time(query: dict[str, str], day: str, now: datetime.datetime) -> None:
    try:
        expires = int(query.get("X-Amz-Expires", ""))
        signed_at = datetime.datetime.strptime(query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%S%z")
    except ValueError:
        raise Refused("the token has no valid X-Amz-Date and X-Amz-Expires") from None
    if not 0 <= expires <= _MINUTES * 60 or day != query["X-Amz-Date"][:8]:
        raise Refused("the token's X-Amz-Expires is over 900 or its dates differ")
    if now - signed_at > datetime.timedelta(minutes=_MINUTES):
        raise Refused(f"the token has expired: it was signed at {signed_at:%H:%M:%S}")
    if signed_at - now > datetime.timedelta(minutes=5):
        raise Refused("the token was signed in the future")


def _check_signature(
    url: SplitResult, query: dict[str, str], scope: list[str], signed: str, cluster_name: str
) -> Identity:
    from ministack.core import sigv4

    key, day, region, service, _unused = scope
    credential = _credential(key, query.get("X-Amz-Security-Token"))
    headers = {"host": url.netloc, _CLUSTER_HEADER: cluster_name}
    canonical = sigv4.build_canonical_request("GET", url.path or "/", headers, dict(query), signed, payload_hash=_EMPTY)
    text = sigv4.build_string_to_sign(query["X-Amz-Date"], day, region, service, canonical)
    expected = sigv4.calculate_signature(credential.secret_access_key, day, region, service, text)
    if not sigv4.signatures_match(expected, query.get("X-Amz-Signature", "")):
        raise Refused(f"the signature does not match (another cluster than {cluster_name}, or another secret)")
    return Identity(credential.principal_arn, credential.principal_id, credential.account_id, key)


def _credential(key: str, session_token: str | None):  # type: ignore[no-untyped-def]
    """MiniStack's record of an access key, whoever's it is."""
    from ministack.core import iam_evaluator, responses

    account = key if re.fullmatch(r"\d{12}", key) else None
    try:
        account = account or iam_evaluator.find_iam_access_key_account(key) or responses._account_from_sts_session(key)
    except iam_evaluator.AmbiguousAccessKeyError:
        account = None
    if account is None:
        raise Refused("InvalidClientTokenId: the access key is unknown")
    credential = iam_evaluator.resolve_credential(key, account, session_token)
    if isinstance(credential, iam_evaluator.CredentialResolutionError):
        raise Refused(f"{credential.code}: {credential.message}")
    return credential
