# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenID Connect providers of IAM: what a URL and its audiences may be, and the calls that MiniStack lacks.

Source: AWS API reference of IAM, CreateOpenIDConnectProvider and its neighbours.
"""

from __future__ import annotations

import re
import uuid
from typing import Any
from xml.sax.saxutils import escape

from ..aws_errors import aws_error
from ..call import Call, Response, xml_response
from .registry import after, before

_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


@before("iam", "CreateOpenIDConnectProvider")
def create(call: Call, _gateway: Any) -> Response | None:
    """The URL is https without port and query, audiences and thumbprints have their limits."""
    url = call.params.get("Url", "")
    if not url.startswith("https://"):
        return aws_error(call, "ValidationError", "Invalid Open ID Connect Provider URL")
    host = url.removeprefix("https://").split("/")[0]
    if len(url) > 255 or ":" in host or "?" in url or "#" in url or not re.fullmatch(r"[A-Za-z0-9.-]+", host):
        return aws_error(call, "InvalidInput", "Invalid Open ID Connect Provider URL")
    audiences = _members(call.params, "ClientIDList")
    if len(audiences) > 100:
        return aws_error(call, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", 409)
    thumbprints = _members(call.params, "ThumbprintList")
    if len(thumbprints) > 5:
        return aws_error(call, "InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
    if any(not re.fullmatch("[0-9A-Fa-f]{40}", thumbprint) for thumbprint in thumbprints):
        return aws_error(call, "ValidationError", "Thumbprint must be 40 hexadecimal characters.")
    if any(not 1 <= len(audience) <= 255 for audience in audiences):
        return aws_error(call, "ValidationError", "Client ID must have a length of 1 to 255.")
    return None


@after("iam", "CreateOpenIDConnectProvider")
def keep_tags(call: Call, response: Response, _gateway: Any) -> Response | None:
    """The answer repeats the tags; a provider made without thumbprints has the one that IAM found itself."""
    if response.status != 200:
        return None
    arn = re.search(r"<OpenIDConnectProviderArn>([^<]+)<", response.body.decode()).group(1)
    provider = _stored(arn)
    if not provider["ThumbprintList"]:
        provider["ThumbprintList"] = ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"]
    tags = "".join(
        f"<member><Key>{escape(tag['Key'])}</Key><Value>{escape(tag['Value'])}</Value></member>"
        for tag in provider["Tags"]
    )
    text = response.body.decode().replace(
        "</OpenIDConnectProviderArn>", f"</OpenIDConnectProviderArn><Tags>{tags}</Tags>"
    )
    return response.with_body(text.encode())


@after("iam", "GetOpenIDConnectProvider")
def url_without_scheme(_call: Call, response: Response, _gateway: Any) -> Response | None:
    """IAM gives the URL back without its scheme."""
    if response.status != 200:
        return None
    return response.with_body(response.body.replace(b"<Url>https://", b"<Url>"))


@before(
    "iam",
    "AddClientIDToOpenIDConnectProvider",
    "RemoveClientIDFromOpenIDConnectProvider",
    "UpdateOpenIDConnectProviderThumbprint",
    "TagOpenIDConnectProvider",
    "UntagOpenIDConnectProvider",
    "ListOpenIDConnectProviderTags",
)
def change(call: Call, _gateway: Any) -> Response:
    """The calls on an existing provider."""
    arn = call.params.get("OpenIDConnectProviderArn", "")
    provider = _stored(arn)
    if provider is None:
        return aws_error(call, "NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}", 404)
    audiences, client = provider["ClientIDList"], call.params.get("ClientID", "")
    result = ""
    if call.operation == "AddClientIDToOpenIDConnectProvider":
        if client not in audiences:
            if len(audiences) >= 100:
                return aws_error(
                    call, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", 409
                )
            audiences.append(client)
    elif call.operation == "RemoveClientIDFromOpenIDConnectProvider":
        # Removing what is not there is no error.
        provider["ClientIDList"] = [known for known in audiences if known != client]
    elif call.operation == "UpdateOpenIDConnectProviderThumbprint":
        provider["ThumbprintList"] = _members(call.params, "ThumbprintList")
    elif call.operation == "TagOpenIDConnectProvider":
        kept = {tag["Key"]: tag["Value"] for tag in provider["Tags"]} | _tags(call.params)
        provider["Tags"] = [{"Key": key, "Value": value} for key, value in kept.items()]
    elif call.operation == "UntagOpenIDConnectProvider":
        gone = _members(call.params, "TagKeys")
        provider["Tags"] = [tag for tag in provider["Tags"] if tag["Key"] not in gone]
    else:
        tags = "".join(
            f"<member><Key>{escape(tag['Key'])}</Key><Value>{escape(tag['Value'])}</Value></member>"
            for tag in provider["Tags"]
        )
        result = f"<{call.operation}Result><Tags>{tags}</Tags><IsTruncated>false</IsTruncated></{call.operation}Result>"
    return xml_response(
        f'<{call.operation}Response xmlns="{_NAMESPACE}">{result}<ResponseMetadata><RequestId>'
        f"{uuid.uuid4()}</RequestId></ResponseMetadata></{call.operation}Response>"
    )


def _stored(arn: str) -> dict[str, Any] | None:
    from ministack.services import iam

    return iam._oidc_providers.get(arn)


def _members(params: dict[str, str], name: str) -> list[str]:
    return [value for key, value in params.items() if re.fullmatch(rf"{name}\.member\.\d+", key)]


def _tags(params: dict[str, str]) -> dict[str, str]:
    return {
        value: params.get(key.removesuffix("Key") + "Value", "")
        for key, value in params.items()
        if re.fullmatch(r"Tags\.member\.\d+\.Key", key)
    }
