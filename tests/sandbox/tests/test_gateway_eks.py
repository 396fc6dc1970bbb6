# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS clusters as their control plane registered them."""

from __future__ import annotations

from typing import Any

from sandbox.tests.gateway_tools import CLUSTER, allow, make_role, refused, role_client, unique

TRUST = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
NETWORK = {"subnetIds": ["subnet-0a", "subnet-0b"]}


def test_a_cluster_has_what_its_control_plane_registered(gateway: Any) -> None:
    name, region = unique("demo"), "eu-west-1"
    eks = gateway.client("eks", CLUSTER, region)
    role = make_role(gateway, CLUSTER, [TRUST], [], path="/eks/")
    before = eks.create_cluster(
        name=name, roleArn=role, resourcesVpcConfig=NETWORK, version="1.33", tags={"team": "finops"}
    )["cluster"]
    assert before["identity"]["oidc"]["issuer"].startswith(f"https://oidc.eks.{region}.amazonaws.com/id/")
    registered = {
        "endpoint": "https://127.0.0.1:6443",
        "ca_data": "LS0tLS1CRUdJTg==",
        "issuer": f"https://oidc.eks.{region}.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
    }
    gateway.control(
        "/_sandbox/cluster-endpoints", {"account_id": CLUSTER, "region": region, "name": name, **registered}
    )
    cluster = eks.describe_cluster(name=name)["cluster"]
    assert cluster["endpoint"] == registered["endpoint"]
    assert cluster["certificateAuthority"]["data"] == registered["ca_data"]
    assert cluster["identity"]["oidc"]["issuer"] == registered["issuer"]
    assert (cluster["name"], cluster["version"], cluster["roleArn"], cluster["tags"], cluster["status"]) == (
        name,
        "1.33",
        role,
        {"team": "finops"},
        "ACTIVE",
    )
    assert cluster["arn"] == f"arn:aws:eks:{region}:{CLUSTER}:cluster/{name}"


def test_a_cluster_belongs_to_one_account_and_region(gateway: Any) -> None:
    name = unique("demo")
    role = make_role(gateway, CLUSTER, [TRUST], [])
    gateway.client("eks", CLUSTER, "eu-west-1").create_cluster(name=name, roleArn=role, resourcesVpcConfig=NETWORK)
    gateway.control(
        "/_sandbox/cluster-endpoints",
        {
            "account_id": CLUSTER,
            "region": "eu-west-1",
            "name": name,
            "endpoint": "https://127.0.0.1:1",
            "ca_data": "",
            "issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id/0",
        },
    )
    assert gateway.client("eks", "cluster", "eu-west-1").describe_cluster(name=name)
    for profile, region in (("cluster", "eu-central-1"), ("payer", "eu-west-1")):
        error = refused(gateway.client("eks", profile, region).describe_cluster, name=name)
        assert (error.code, error.status) == ("ResourceNotFoundException", 404)
        assert error.message == f"No cluster found for name: {name}."


def test_describing_needs_the_right(gateway: Any) -> None:
    name = unique("demo")
    role = make_role(gateway, CLUSTER, [TRUST], [])
    gateway.client("eks", CLUSTER, "eu-west-1").create_cluster(name=name, roleArn=role, resourcesVpcConfig=NETWORK)
    arn = f"arn:aws:eks:eu-west-1:{CLUSTER}:cluster/{name}"
    eks = role_client(gateway, "eks", CLUSTER, [allow("eks:DescribeCluster", arn)], "eu-west-1")
    assert eks.describe_cluster(name=name)["cluster"]["arn"] == arn
    error = refused(
        role_client(gateway, "eks", CLUSTER, [allow("eks:ListClusters", "*")], "eu-west-1").describe_cluster, name=name
    )
    assert (error.code, error.status) == ("AccessDeniedException", 403)
    assert f"not authorized to perform: eks:DescribeCluster on resource: {arn}" in error.message


def test_a_role_is_passed_only_by_who_may_pass_it(gateway: Any) -> None:
    role = make_role(gateway, CLUSTER, [TRUST], [])
    create = {"roleArn": role, "resourcesVpcConfig": NETWORK}
    rights = [allow("eks:*", "*")]
    error = refused(role_client(gateway, "eks", CLUSTER, rights).create_cluster, name=unique("demo"), **create)
    assert error.code == "AccessDeniedException"
    assert f"not authorized to perform: iam:PassRole on resource: {role}" in error.message
    passing = {
        **allow("iam:PassRole", role),
        "Condition": {"StringEquals": {"iam:PassedToService": "eks.amazonaws.com"}},
    }
    eks = role_client(gateway, "eks", CLUSTER, [*rights, passing])
    assert eks.create_cluster(name=unique("demo"), **create)
    create["roleArn"] = f"arn:aws:iam::{CLUSTER}:role/missing"
    error = refused(eks.create_cluster, name=unique("demo"), **create)
    assert error.code == "InvalidParameterException" and "does not exist" in error.message


def test_access_entries(gateway: Any) -> None:
    name = unique("demo")
    eks = gateway.client("eks", CLUSTER, "eu-west-1")
    role = make_role(gateway, CLUSTER, [TRUST], [])
    eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig=NETWORK, accessConfig={"authenticationMode": "API"})
    person = make_role(gateway, CLUSTER, [TRUST], [], path="/people/")
    eks.create_access_entry(clusterName=name, principalArn=person, kubernetesGroups=["viewers"])
    entry = eks.describe_access_entry(clusterName=name, principalArn=person)["accessEntry"]
    assert (entry["principalArn"], entry["kubernetesGroups"]) == (person, ["viewers"])
    assert person in eks.list_access_entries(clusterName=name)["accessEntries"]
    assert refused(eks.create_access_entry, clusterName=name, principalArn=person).code == "ResourceInUseException"
    eks.delete_access_entry(clusterName=name, principalArn=person)
    error = refused(eks.describe_access_entry, clusterName=name, principalArn=person)
    assert error.code == "ResourceNotFoundException"
