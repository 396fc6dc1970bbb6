# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other ways to the same end: Kubecost 2, a kubeconfig, an organisation with rules, a ServiceAccount of our own.

The tests run in the order of the file, over one installation. Cluster `options` has Kubecost 2 and is reached by a
kubeconfig; `options2` has Kubecost 3 with a ServiceAccount that is made for it, and waits for billing data.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from integration.installation import CHARTS, Installation, Run
from sandbox.client import Sandbox

PAYER, ONE, TWO = "options-payer", "options", "options2"
ACCOUNTS = {ONE: "kubecost-cost-analyzer", TWO: "kubecost"}
ROLE_MARK = {"Key": "cost-center", "Value": "platform"}
RULES = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Deny", "Action": "iam:CreateRole", "NotResource": "arn:aws:iam::*:role/team/*"},
        {
            "Effect": "Deny",
            "Action": "iam:CreateRole",
            "Resource": "*",
            "Condition": {"StringNotLike": {"iam:PermissionsBoundary": "arn:aws:iam::*:policy/limits"}},
        },
    ],
}


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Iterator[Installation]:
    """An organisation that demands a path, a boundary and a tag."""
    made = Installation(sandbox, "options", number=7, clusters=2)
    made.vars[PAYER]["billing_data_workgroup"] = "primary"
    made.vars[ONE] |= {
        "kubecost_generation": "2",
        "kubecost_chart_ref": str(CHARTS / "cost-analyzer"),
        "kubestrap_kubeconfig": sandbox.state["clusters"][ONE]["admin_kubeconfig"],
        "kubestrap_kube_context": "sandbox",
    }
    made.vars[TWO] |= {"kubecost_service_account_created_by": "kubestrap", "kubecost_wait_for_billing_data": True}
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    for connection in (made.payer_aws(), made.cluster_aws()):
        tags = [ROLE_MARK]
        policy = json.dumps(everything)
        connection.client("iam").create_policy(PolicyName="limits", PolicyDocument=policy, Tags=tags)
    sandbox.settings({"organization_policies": [RULES], "organization_required_tags": ["cost-center"]})
    yield made
    sandbox.settings({"organization_policies": [], "organization_required_tags": []})


def obey(place: Installation) -> None:
    """The inventory gives what the organisation demands."""
    for host, account_id in {
        PAYER: place.account(PAYER), ONE: place.cluster_account, TWO: place.cluster_account
    }.items():  # fmt: skip
        place.vars[host] |= {
            "kubestrap_iam_path": "/team/",
            "kubestrap_permissions_boundary": f"arn:aws:iam::{account_id}:policy/limits",
            "kubestrap_tags": {ROLE_MARK["Key"]: ROLE_MARK["Value"]},
        }


def other_concern(place: Installation, **states: str) -> Run:
    """Another playbook's work on the role of a ServiceAccount: an archive in a bucket. Cluster -> present or absent."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::archive/*"}
    for cluster, state in states.items():
        place.vars[cluster] |= {"concern_state": state, "concern_account": ACCOUNTS[cluster]}
    tasks: list[dict[str, Any]] = [
        {
            "name": "Look at the cluster",
            "kubestrap.aws.eks_cluster_info": {
                "name": "{{ kubestrap_eks_cluster_name }}",
                "profile": "{{ kubestrap_aws_profile }}",
                "region": "{{ kubestrap_aws_region }}",
            },
            "register": "cluster",
        },
        {
            "name": "Manage the policy of the archive",
            "ansible.builtin.include_role": {"name": "kubestrap.aws.workload_identity"},
            "vars": {
                "workload_identity_state": "{{ concern_state }}",
                "workload_identity_role_name": "kubecost-{{ inventory_hostname }}",
                "workload_identity_namespace": "kubecost",
                "workload_identity_service_accounts": ["{{ concern_account }}"],
                "workload_identity_policies": {"archive": {"Version": "2012-10-17", "Statement": [statement]}},
                "workload_identity_cluster": "{{ cluster.eks_clusters[0] }}",
            },
        },
    ]
    run = place.run([{"hosts": ",".join(states), "gather_facts": False, "tasks": tasks}])
    assert run.ok, run.report
    return run


def policies(place: Installation, cluster: str) -> set[str]:
    """Names of the policies of a cluster's role."""
    iam = place.cluster_aws().client("iam")
    return set(iam.list_role_policies(RoleName=f"kubecost-{cluster}")["PolicyNames"])


def test_a_value_that_contradicts_the_wiring_is_named_before_the_first_write(place: Installation) -> None:
    place.vars[TWO]["kubecost_values"] = {"cloudCost": {"cloudIntegrationSecret": "mine"}}

    run = place.run("kubecost")

    del place.vars[TWO]["kubecost_values"]
    assert run.rc == 2
    assert "user_values.cloudCost.cloudIntegrationSecret: 'mine' contradicts the wiring" in run.report
    assert run.writes == []
    assert run.kube_writes == []


def test_what_the_organisation_forbids_is_told(place: Installation) -> None:
    run = place.run("kubecost")

    assert run.rc == 2
    assert run.outcome(PAYER)["state"] == "failed"
    assert "kubecost-cur-access" in run.notes(PAYER)
    assert "polic" in run.notes(PAYER)
    assert "AccessDenied" in run.notes(PAYER)
    assert not place.payer_aws().client("s3").list_buckets()["Buckets"]


def test_with_path_boundary_and_tags_it_works(place: Installation) -> None:
    obey(place)
    other_concern(place, options="present")

    run = place.run("kubecost")

    assert run.ok, run.report
    for connection, name in (
        (place.payer_aws(), "kubecost-cur-access"),
        (place.cluster_aws(), f"kubecost-{ONE}"),
        (place.cluster_aws(), f"kubecost-{TWO}"),
    ):
        role = connection.client("iam").get_role(RoleName=name)["Role"]
        assert role["Path"] == "/team/"
        assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(":policy/limits")
        assert ROLE_MARK in role["Tags"]
    workgroups = place.payer_aws().client("athena").list_work_groups()["WorkGroups"]
    assert [group["Name"] for group in workgroups] == ["primary"]


def test_kubecost_2_is_wired_in_its_own_way(place: Installation) -> None:
    account = place.core(ONE).read_namespaced_service_account(ACCOUNTS[ONE], "kubecost")
    role = account.metadata.annotations["eks.amazonaws.com/role-arn"]
    assert role == f"arn:aws:iam::{place.cluster_account}:role/team/kubecost-{ONE}"
    secret = place.core(ONE).read_namespaced_secret("cloud-integration", "kubecost")
    (entry,) = json.loads(base64.b64decode(secret.data["cloud-integration.json"]))["aws"]
    assert entry["projectID"] == place.account(PAYER)
    assert entry["masterPayerARN"] == f"arn:aws:iam::{place.account(PAYER)}:role/team/kubecost-cur-access"
    readers = [pod for pod in place.pods(ONE) if pod.spec.service_account_name == ACCOUNTS[ONE]]
    assert readers
    for pod in readers:
        assert role in [variable.value for container in pod.spec.containers for variable in container.env or []]


def test_the_install_waits_for_billing_data_where_that_is_wanted(place: Installation) -> None:
    assert place.pods(TWO) == []
    assert place.core(TWO).read_namespaced_secret("cloud-integration", "kubecost")
    account = place.core(TWO).read_namespaced_service_account(ACCOUNTS[TWO], "kubecost")
    place.deliver()

    run = place.run("kubecost")

    assert run.ok, run.report
    for host in (PAYER, ONE, TWO):
        assert run.outcome(host)["state"] == "done"
    assert "install or update the release kubecost" in run.changes[TWO]
    assert run.changes[ONE] == []
    readers = [pod for pod in place.pods(TWO) if pod.spec.service_account_name == ACCOUNTS[TWO]]
    assert readers
    kept = place.core(TWO).read_namespaced_service_account(ACCOUNTS[TWO], "kubecost")
    assert kept.metadata.uid == account.metadata.uid
    assert kept.metadata.labels["app.kubernetes.io/managed-by"] == "kubestrap.aws"


def test_two_concerns_share_a_role_in_either_order(place: Installation) -> None:
    assert policies(place, ONE) == {"archive", "billing-data"}, "the other one came first"
    assert policies(place, TWO) == {"billing-data"}

    run = other_concern(place, options="absent", options2="present")

    assert len(run.writes) == 2
    assert policies(place, ONE) == {"billing-data"}
    assert policies(place, TWO) == {"archive", "billing-data"}, "the other one came last"


def test_kubecost_goes_and_the_other_concern_stays(place: Installation) -> None:
    run = place.run("teardown", limit=TWO)

    assert run.ok, run.report
    assert policies(place, TWO) == {"archive"}
    assert f"Kept: the role kubecost-{TWO} has other policies: archive" in run.notes(TWO)
    assert place.pods(TWO) == []
    accounts = place.core(TWO).list_namespaced_service_account("kubecost").items
    assert ACCOUNTS[TWO] not in {account.metadata.name for account in accounts}

    other_concern(place, options2="absent")
    roles = {role["RoleName"] for role in place.cluster_aws().client("iam").list_roles()["Roles"]}
    assert f"kubecost-{ONE}" in roles
    assert f"kubecost-{TWO}" not in roles
