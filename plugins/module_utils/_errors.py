# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS' errors mean for whoever wrote the inventory."""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler

# Class name of the botocore exception, or error code of the answer -> what to do about it.
_EXPLANATIONS = {
    "NoCredentialsError": (
        "No AWS credentials were found. Set 'profile' (in our playbooks: kubestrap_aws_profile) to a profile of the "
        "AWS configuration, or give the task AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    ),
    "PartialCredentialsError": "Only a part of the AWS credentials was found. Give access key and secret key together",
    "ProfileNotFound": (
        "The profile is not in the AWS configuration of the controller. Correct 'profile' (in our playbooks: "
        "kubestrap_aws_profile), or add the profile to the file that AWS_CONFIG_FILE names"
    ),
    "NoRegionError": "No region is set. Set 'region' (in our playbooks: kubestrap_aws_region), for example eu-west-1",
    "EndpointConnectionError": "The endpoint does not answer. Check 'region' for a typing error, and the way to AWS",
    "ConnectTimeoutError": "The endpoint does not answer. Check the way from the controller to AWS",
    "ExpiredToken": "The session of these AWS credentials has expired. Log in again",
    "ExpiredTokenException": "The session of these AWS credentials has expired. Log in again",
    "InvalidClientTokenId": "AWS does not know these credentials. Check the access key that the profile uses",
    "UnrecognizedClientException": "AWS does not know these credentials here. Check the access key and the region",
    "SignatureDoesNotMatch": "The secret key does not belong to the access key",
}


def explain(exception: BaseException | None) -> str | None:
    """What to do about an exception of boto3, in one sentence without a full stop; ``None`` where we know no more."""
    if exception is None:
        return None
    code = error_code(exception)
    return _EXPLANATIONS.get(code or "") or _EXPLANATIONS.get(type(exception).__name__)


def error_code(exception: BaseException | None) -> str | None:
    """AWS' error code of a botocore ``ClientError``, ``None`` for any other exception."""
    response = getattr(exception, "response", None)
    if not isinstance(response, dict):
        return None
    return response.get("Error", {}).get("Code")


def error_handler(*missing_codes: str) -> type[AWSErrorHandler]:
    """An error handler of amazon.aws' kind for one service.

    :param missing_codes: the codes by which the service says that the object does not exist
    :returns: a class whose decorators ``list_error_handler(description, default)``,
        ``deletion_error_handler(description)`` and ``common_error_handler(description)`` turn botocore's errors into
        ``AnsibleAWSError``; the first two answer the missing codes with a value
    """

    class Handler(AWSErrorHandler):
        @classmethod
        def _is_missing(cls) -> t.Any:
            return is_boto3_error_code(list(missing_codes))

    return Handler
