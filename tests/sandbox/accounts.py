# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sandbox' accounts have from the start (a role `operator` in each, EKS clusters), and their AWS profiles.

What calls AWS blocks, and carries the set-up user agent, so that it is not recorded.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gateway.app import Gateway

OPERATOR = "operator"
CLUSTER_ROLE = "eks-cluster"
DEFAULT_REGION = "us-east-1"


def create_operator(gateway: Gateway, account_id: str) -> str:
    """Create the account's role `operator`, which may do everything and which the account may take. Returns its ARN."""
    trust = _trust({"AWS": f"arn:aws:iam::{account_id}:root"})
    iam = gateway.setup_client("iam", account_id)
    role = iam.create_role(RoleName=OPERATOR, AssumeRolePolicyDocument=trust, MaxSessionDuration=43200)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=OPERATOR, PolicyName="everything", PolicyDocument=json.dumps(everything))
    return role["Role"]["Arn"]


def create_cluster(gateway: Gateway, account_id: str, region: str, name: str, version: str) -> str:
    """Create an EKS cluster as the account's operator, who becomes its administrator. Returns its ARN."""
    import boto3
    from botocore.config import Config

    from .gateway.call import SETUP_USER_AGENT

    iam = gateway.setup_client("iam", account_id)
    if CLUSTER_ROLE not in {role["RoleName"] for role in iam.list_roles()["Roles"]}:
        iam.create_role(RoleName=CLUSTER_ROLE, AssumeRolePolicyDocument=_trust({"Service": "eks.amazonaws.com"}))
    sts = gateway.setup_client("sts", account_id, region)
    keys = sts.assume_role(RoleArn=_role_arn(account_id, OPERATOR), RoleSessionName="sandbox-setup")["Credentials"]
    eks = boto3.client(
        "eks",
        region_name=region,
        endpoint_url=gateway.endpoint_url,
        verify=gateway.ca_bundle,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        config=Config(user_agent_extra=SETUP_USER_AGENT, retries={"max_attempts": 0}),
    )
    created = eks.create_cluster(
        name=name,
        version=version,
        roleArn=_role_arn(account_id, CLUSTER_ROLE),
        resourcesVpcConfig={"subnetIds": ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]},
        accessConfig={"authenticationMode": "API_AND_CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True},
    )
    eks.get_waiter("cluster_active").wait(name=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return created["cluster"]["arn"]


def delete_cluster(gateway: Gateway, account_id: str, region: str, name: str) -> None:
    """Delete an EKS cluster, and forget what DescribeCluster said about it."""
    gateway.setup_client("eks", account_id, region).delete_cluster(name=name)
    gateway.clusters.pop((account_id, region, name), None)


def register(
    gateway: Gateway, account_id: str, region: str, name: str, endpoint: str, ca_file: Path, issuer: str
) -> None:
    """Tell the gateway what DescribeCluster says about a cluster."""
    ca_data = base64.b64encode(ca_file.read_bytes()).decode()
    gateway.clusters[(account_id, region, name)] = {"endpoint": endpoint, "ca_data": ca_data, "issuer": issuer}


def profiles(state: dict[str, Any]) -> str:
    """The AWS configuration file: per account `<profile>-root` (for set-up) and `<profile>` (takes role operator)."""
    regions = {c["account_id"]: c["region"] for c in reversed(list(state["clusters"].values()))}
    sections = []
    for account_id, account in state["accounts"].items():
        where = {
            "region": regions.get(account_id, DEFAULT_REGION),
            "endpoint_url": state["endpoint_url"],
            "ca_bundle": state["ca_bundle"],
        }
        keys = {"aws_access_key_id": account_id, "aws_secret_access_key": "test"}
        role = {"role_arn": account["operator_role_arn"], "source_profile": account["root_profile"]}
        sections += [_section(account["root_profile"], keys | where), _section(account["profile"], role | where)]
    return "\n".join(sections)


def _section(name: str, values: dict[str, str]) -> str:
    return "\n".join([f"[profile {name}]", *(f"{key} = {value}" for key, value in values.items()), ""])


def _trust(principal: dict[str, str]) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _role_arn(account_id: str, name: str) -> str:
    return f"arn:aws:iam::{account_id}:role/{name}"
