# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS clusters are described with the endpoint, CA and issuer of the control plane that really runs for them.

Access entries, add-ons and pod identity associations are MiniStack's. Source of rules: AWS API reference of EKS.
"""

from __future__ import annotations

import json
from typing import Any

from ..aws_errors import aws_error
from ..call import Call, Response
from .iam import may_pass
from .registry import after, before
from .sts import role_of


@after("eks", "DescribeCluster", "CreateCluster", "DeleteCluster")
def real_endpoint(call: Call, response: Response, gateway: Any) -> Response | None:
    """What the control plane registered in `gateway.clusters`, in place of MiniStack's local addresses."""
    if response.status != 200:
        return None
    document = json.loads(response.body)
    cluster = document["cluster"]
    registered = gateway.clusters.get((call.account_id, call.region, cluster["name"]))
    if registered is None:
        # No control plane: MiniStack's issuer is http://localhost, which no cluster of EKS has.
        issuer = cluster["identity"]["oidc"]["issuer"].rsplit("/", 1)[-1].upper()
        cluster["identity"]["oidc"]["issuer"] = f"https://oidc.eks.{call.region}.amazonaws.com/id/{issuer}"
        cluster["endpoint"] = f"https://{issuer}.gr7.{call.region}.eks.amazonaws.com"
    else:
        cluster["endpoint"] = registered["endpoint"]
        cluster["certificateAuthority"] = {"data": registered["ca_data"]}
        cluster["identity"]["oidc"]["issuer"] = registered["issuer"]
    return response.with_json(document)


@before("eks", "CreateCluster", "CreatePodIdentityAssociation")
def role_may_be_passed(call: Call, gateway: Any) -> Response | None:
    """The role exists (in the cluster's account), and the caller has iam:PassRole on it for the service."""
    arn = call.params.get("roleArn", "")
    role = role_of(arn)
    if role is None or role["Arn"] != arn or f":{call.account_id}:" not in arn:
        return aws_error(call, "InvalidParameterException", "Role provided in the request does not exist.", 400)
    service = "eks.amazonaws.com" if call.operation == "CreateCluster" else "pods.eks.amazonaws.com"
    return may_pass(call, gateway, arn, service)
