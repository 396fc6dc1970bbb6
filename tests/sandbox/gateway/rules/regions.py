# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions that nobody has enabled in the accounts of the sandbox: no credentials are valid there (Account Management
guide, "Enable or disable AWS Regions"). None to begin with; POST /_sandbox/settings names them."""

from __future__ import annotations

from typing import Any

from ..aws_errors import aws_error
from ..call import Call, Response
from ..identify import protocol_of
from .registry import ANY, before


def setup(gateway: Any) -> None:
    """The setting `disabled_regions`: a list of regions."""
    gateway.define_setting("disabled_regions", [])


@before(ANY, ANY, order=-1)
def refuse_disabled_region(call: Call, gateway: Any) -> Response | None:
    """The credentials are refused, not the call."""
    if call.is_setup or call.region not in gateway.settings["disabled_regions"]:
        return None
    code = "UnrecognizedClientException" if "json" in protocol_of(call.service) else "InvalidClientTokenId"
    return aws_error(call, code, "The security token included in the request is invalid.", 403)
