# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web identity tokens are verified as STS does, and session lengths are limited.

Source of codes and limits: AWS API reference of STS, AssumeRole and AssumeRoleWithWebIdentity; IAM user guide, "Using
IAM roles" (role chaining: one hour).
"""

from __future__ import annotations

import inspect
import json
import re
import time
from typing import Any

import jwt

from ..aws_errors import aws_error
from ..call import Call, Response
from ..ministack_context import form_body, parse_form
from .registry import after, before

_NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
_INVALID = "The web identity token that was passed could not be validated by Amazon Web Services."
_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]


@before("sts", "AssumeRole", "AssumeRoleWithWebIdentity", order=10)
def session_limits(call: Call, _gateway: Any) -> Response | None:
    """RoleSessionName and DurationSeconds within their bounds, the role's maximum and the hour of a chained role."""
    name = call.params.get("RoleSessionName", "")
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII):
        return _invalid(
            call, name, "roleSessionName", r"Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}"
        )
    text = call.params.get("DurationSeconds", "3600")
    if not text.isdigit():
        return aws_error(call, "MalformedInput", "Invalid DurationSeconds")
    duration = int(text)
    if duration < 900:
        return _invalid(call, text, "durationSeconds", "Member must have value greater than or equal to 900")
    if duration > 43200:
        return _invalid(call, text, "durationSeconds", "Member must have value less than or equal to 43200")
    if call.operation == "AssumeRole" and ":assumed-role/" in call.principal_arn and duration > 3600:
        return aws_error(
            call,
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )
    role = role_of(call.params.get("RoleArn", ""))
    if role and duration > int(role.get("MaxSessionDuration") or 3600):
        return aws_error(
            call, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return None


@before("sts", "AssumeRole", "AssumeRoleWithWebIdentity", order=20)
def role_of_that_arn(call: Call, _gateway: Any) -> Response | None:
    """A role is found by its whole ARN, path included; MiniStack looks at the last part of it only."""
    arn = call.params.get("RoleArn", "")
    role = role_of(arn)
    if role is None or role["Arn"] == arn:
        return None
    if call.operation == "AssumeRoleWithWebIdentity":
        return aws_error(call, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
    return aws_error(
        call,
        "AccessDenied",
        f"User: {call.principal_arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        403,
    )


@before("sts", "AssumeRoleWithWebIdentity", order=30)
async def verify_token(call: Call, gateway: Any) -> Response | None:
    """Issuer, signature, expiry and audience; MiniStack then gets a token with one plain `aud` and checks the trust."""
    token = call.params.get("WebIdentityToken", "")
    try:
        header, claims = jwt.get_unverified_header(token), _claims(token)
    except jwt.PyJWTError:
        return aws_error(
            call,
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )
    issuer = str(claims.get("iss", ""))
    provider = _provider(call.params.get("RoleArn", ""), issuer)
    if provider is None:
        return aws_error(call, "InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
    key = _key(await _jwks(gateway, issuer), header)
    if key is None:
        return aws_error(call, "InvalidIdentityToken", _NO_KEY)
    try:
        jwt.decode(
            token,
            key.key,
            algorithms=_ALGORITHMS,
            options={"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.PyJWTError:
        return aws_error(call, "InvalidIdentityToken", _INVALID)
    now = int(time.time())
    if not isinstance(claims.get("exp"), (int, float)) or claims["exp"] <= now:
        return aws_error(
            call,
            "ExpiredTokenException",
            f"Token expired: current date/time {now} must be before the "
            f"expiration date/time {int(claims.get('exp') or 0)}",
        )
    audiences = claims.get("aud", [])
    audiences = [audiences] if isinstance(audiences, str) else list(audiences)
    accepted = [audience for audience in audiences if audience in provider["ClientIDList"]]
    if not accepted:
        return aws_error(call, "InvalidIdentityToken", "Incorrect token audience")
    call.notes["web_identity"] = {"sub": claims.get("sub", ""), "aud": accepted[0], "provider": provider["Arn"]}
    plain = jwt.encode({**claims, "aud": accepted[0]}, "verified-by-the-gateway-already-0123456789", algorithm="HS256")
    if call.query.get("WebIdentityToken"):
        call.query = {**call.query, "WebIdentityToken": plain}
    else:
        call.body = form_body({**parse_form(call.body), "WebIdentityToken": plain})
    return None


@after("sts", "AssumeRoleWithWebIdentity")
def name_the_subject(call: Call, response: Response, _gateway: Any) -> Response | None:
    """The answer names subject, audience and provider of the token (MiniStack: constants)."""
    seen = call.notes.get("web_identity")
    if response.status != 200 or seen is None:
        return None
    text = response.body.decode()
    for element, value in (
        ("SubjectFromWebIdentityToken", seen["sub"]),
        ("Audience", seen["aud"]),
        ("Provider", seen["provider"]),
    ):
        start, end = f"<{element}>", f"</{element}>"
        text = text[: text.index(start)] + start + value + text[text.index(end) :]
    return response.with_body(text.encode())


def _invalid(call: Call, value: str, member: str, constraint: str) -> Response:
    return aws_error(
        call,
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}",
    )


def _claims(token: str) -> dict[str, Any]:
    claims = jwt.decode(token, options={"verify_signature": False})
    if not isinstance(claims, dict):
        raise jwt.InvalidTokenError("no claims")
    return claims


def role_of(arn: str) -> dict[str, Any] | None:
    """The role that STS and EKS see under this ARN's account and name; None when there is none (yet)."""
    from ministack.services import iam

    parts = arn.split(":", 5)
    if len(parts) < 6 or not parts[5].startswith("role/"):
        return None
    return iam._roles.get_scoped(parts[4], None, arn.rsplit("/", 1)[-1])


def _provider(role_arn: str, issuer: str) -> dict[str, Any] | None:
    """The OIDC provider of the role's account for this issuer."""
    from ministack.services import iam

    parts = role_arn.split(":", 5)
    if len(parts) < 6 or not issuer.startswith("https://"):
        return None
    arn = f"arn:{parts[1]}:iam::{parts[4]}:oidc-provider/{issuer.removeprefix('https://')}"
    return iam._oidc_providers.get_scoped(parts[4], None, arn)


async def _jwks(gateway: Any, issuer: str) -> dict[str, Any]:
    """The issuer's keys, {} when they cannot be had: STS does not tell the reason either."""
    source = gateway.issuers.get(issuer)
    try:
        found = source() if callable(source) else source
        found = await found if inspect.isawaitable(found) else found
    except Exception:  # an unreachable API server, a refused connection, no JSON
        return {}
    if isinstance(found, (str, bytes)):
        found = json.loads(found)
    return found or {}


def _key(jwks: dict[str, Any], header: dict[str, Any]) -> jwt.PyJWK | None:
    """The key that the token names, None when the issuer has none of that id and algorithm."""
    if header.get("alg") not in _ALGORITHMS:
        return None
    for document in jwks.get("keys", []):
        if document.get("kid") == header.get("kid"):
            try:
                return jwt.PyJWK(document, algorithm=header["alg"])
            except jwt.PyJWTError:
                return None
    return None
