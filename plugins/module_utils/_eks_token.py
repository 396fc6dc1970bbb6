# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The token by which EKS' API server recognises an IAM principal: what ``aws eks get-token`` prints.

``k8s-aws-v1.`` and, in base64url without padding, a presigned URL of STS GetCallerIdentity that signs the header
``x-k8s-aws-id`` with the cluster's name. The API server calls the URL and so learns who signed it
(aws-iam-authenticator, "API authorization from outside a cluster"). Making one is no call, except for the credentials
of a profile with a role.
"""

from __future__ import annotations

import base64

from ._connection import AwsConnection

try:
    from botocore.exceptions import NoCredentialsError, NoRegionError
    from botocore.signers import RequestSigner
except ImportError:
    pass  # AWSLookupBase reports a missing SDK.

TOKEN_PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
# The URL's own lifetime. EKS takes a token for 15 minutes from its signature's date, whatever is written here, and
# refuses more than 900; 60 is what aws-iam-authenticator and the AWS CLI write.
EXPIRES_SECONDS = 60


def eks_token(connection: AwsConnection, cluster_name: str) -> str:
    """A token for one cluster.

    :param connection: signs with its credentials, for STS in its region (or at its endpoint)
    :param cluster_name: name of the cluster, not its ARN
    :raises BotoCoreError: no credentials, unknown profile, or no region
    """
    if connection.region is None:
        raise NoRegionError  # STS alone would go to its global endpoint
    sts = connection.client("sts")
    credentials = connection.credentials
    if credentials is None:
        raise NoCredentialsError
    signer = RequestSigner(
        sts.meta.service_model.service_id,
        sts.meta.region_name,
        "sts",
        "v4",
        credentials,
        connection.session.events,
    )
    request = {
        "method": "GET",
        "url": f"{sts.meta.endpoint_url.rstrip('/')}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {CLUSTER_HEADER: cluster_name},
        "context": {},
    }
    url = signer.generate_presigned_url(
        request, region_name=sts.meta.region_name, expires_in=EXPIRES_SECONDS, operation_name="GetCallerIdentity"
    )
    return TOKEN_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
