# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS' errors in plain words."""

from __future__ import annotations

import botocore.exceptions
import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._errors import error_code, error_handler, explain


def client_error(code: str) -> botocore.exceptions.ClientError:
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "said AWS"}}, "GetRole")


@pytest.mark.parametrize(
    ("exception", "words"),
    [
        (botocore.exceptions.NoCredentialsError(), "Set 'profile'"),
        (botocore.exceptions.PartialCredentialsError(provider="env", cred_var="x"), "Give access key and secret key"),
        (botocore.exceptions.ProfileNotFound(profile="x"), "AWS_CONFIG_FILE"),
        (botocore.exceptions.NoRegionError(), "Set 'region'"),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="x"), "Check 'region'"),
        (client_error("ExpiredToken"), "Log in again"),
        (client_error("InvalidClientTokenId"), "Check the access key"),
        (client_error("SignatureDoesNotMatch"), "secret key does not belong"),
    ],
)
def test_what_to_do(exception: Exception, words: str) -> None:
    assert words in (explain(exception) or "")


def test_nothing_is_made_up() -> None:
    assert explain(client_error("LimitExceeded")) is None
    assert explain(ValueError("x")) is None
    assert explain(None) is None


def test_error_code() -> None:
    assert error_code(client_error("NoSuchEntity")) == "NoSuchEntity"
    assert error_code(ValueError()) is None
    assert error_code(None) is None


def test_a_missing_object_is_a_value_and_any_other_error_an_error() -> None:
    handler = error_handler("NoSuchEntity", "NotFound")

    @handler.list_error_handler("read the role", default_value="absent")
    def read(code: str | None = None) -> str:
        if code:
            raise client_error(code)
        return "present"

    assert read() == "present"
    assert read("NoSuchEntity") == read("NotFound") == "absent"
    with pytest.raises(AnsibleAWSError, match="Failed to read the role: .*AccessDenied"):
        read("AccessDenied")
