# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape in which clusters are returned."""

from __future__ import annotations

from ansible_collections.kubestrap.aws.plugins.module_utils._eks_cluster import shape

ARN = "arn:aws:eks:eu-west-1:222222222222:cluster/demo"
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
ANSWER = {
    "name": "demo",
    "arn": ARN,
    "status": "ACTIVE",
    "version": "1.36",
    "endpoint": "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
    "certificateAuthority": {"data": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"},
    "identity": {"oidc": {"issuer": ISSUER}},
    "accessConfig": {"authenticationMode": "API"},
    "resourcesVpcConfig": {"endpointPublicAccess": False, "endpointPrivateAccess": True, "publicAccessCidrs": []},
    "tags": {"team": "platform"},
}


def test_an_active_cluster() -> None:
    assert shape(ANSWER) == {
        "name": "demo",
        "arn": ARN,
        "account_id": "222222222222",
        "region": "eu-west-1",
        "endpoint": ANSWER["endpoint"],
        "certificate_authority_data": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
        "issuer": ISSUER,
        "oidc_provider_arn": "arn:aws:iam::222222222222:oidc-provider/" + ISSUER.removeprefix("https://"),
        "endpoint_public_access": False,
        "public_access_cidrs": [],
        "version": "1.36",
        "status": "ACTIVE",
        "authentication_mode": "API",
        "tags": {"team": "platform"},
    }


def test_a_cluster_that_is_being_created_has_no_endpoint_yet() -> None:
    cluster = shape({"name": "demo", "arn": ARN, "status": "CREATING"})
    nothing = ("endpoint", "certificate_authority_data", "issuer", "oidc_provider_arn", "version")
    assert {key: cluster[key] for key in nothing} == dict.fromkeys(nothing)


def test_a_cluster_without_an_issuer() -> None:
    cluster = shape({**ANSWER, "identity": {"oidc": {"issuer": ""}}})
    assert cluster["issuer"] is None
    assert cluster["oidc_provider_arn"] is None


def test_a_cluster_from_before_access_entries() -> None:
    answer = {key: value for key, value in ANSWER.items() if key != "accessConfig"}
    assert shape(answer)["authentication_mode"] == "CONFIG_MAP"


def test_the_partition_is_the_clusters() -> None:
    arn = "arn:aws-cn:eks:cn-north-1:222222222222:cluster/demo"
    assert shape({**ANSWER, "arn": arn})["oidc_provider_arn"].startswith("arn:aws-cn:iam::222222222222:")
