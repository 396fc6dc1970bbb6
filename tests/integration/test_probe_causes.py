# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of workload_identity_probe: it proves what works, and names the cause of each thing that can be broken.

Everything is real: tokens, roles, the query, the pods. One part is broken at a time, and mended afterwards.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from integration.probe_world import (
    LABELS,
    SECRET,
    broken,
    delete,
    document,
    link_of,
    make_pod,
    make_release,
    prove,
    states,
)
from integration.world import (
    CLUSTER,
    PAYER,
    KubeApi,
    World,
    operator,
    policies,
    text,
    trust,
)
from sandbox.client import Sandbox


@pytest.fixture(scope="module")
def world(sandbox: Sandbox) -> World:
    """Everything in its place."""
    made = World(sandbox, "causes")
    made.make_buckets()
    made.make_report()
    made.make_table()
    made.make_reader()
    made.make_provider()
    made.make_workload_role(made.irsa())
    made.make_service_account()
    made.make_secret(document(made))
    made.deliver()
    make_release(made, 1, "superseded")
    make_release(made, 2, "deployed")
    make_pod(made, "running")
    return made


# --- what works


def test_everything_is_proved(world: World) -> None:
    mark = world.sandbox.mark()
    proof = prove(world)
    calls = world.sandbox.calls(since=mark)

    assert proof["state"] == "proved", proof["links"]
    assert list(states(proof)) == [
        "service_account", "token", "trust", "role", "payer_role", "table", "query", "secret", "pods", "release",
    ]  # fmt: skip
    assert set(states(proof).values()) == {"ok"}
    assert proof["caller_arn"].startswith(f"arn:aws:sts::{PAYER}:assumed-role/causes-reader/")
    assert proof["query"]["state"] == "SUCCEEDED"
    assert proof["query"]["rows"] == 1
    # Nothing is changed, one query is run, one role is read, one table.
    assert Sandbox.count(calls, kind="write") == 0
    assert Sandbox.count(calls, kind="query") == 1
    assert [f"{c['service']}:{c['operation']}" for c in calls if c["kind"] == "session"] == [
        "sts:AssumeRoleWithWebIdentity",
        "sts:AssumeRole",
    ]
    reads = {f"{c['service']}:{c['operation']}" for c in calls if c["kind"] == "read"}
    assert reads == {"iam:GetRole", "glue:GetTable", "athena:GetQueryExecution", "athena:GetQueryResults"}


def test_the_calls_are_made_by_who_they_are_said_to_be_made(world: World) -> None:
    mark = world.sandbox.mark()
    prove(world)
    who = {call["operation"]: call["who"] for call in world.sandbox.calls(since=mark)}
    assert ":assumed-role/operator/" in who["GetRole"]
    assert ":assumed-role/causes-workload/" in who["AssumeRole"]
    assert ":assumed-role/causes-reader/" in who["GetTable"]
    assert ":assumed-role/causes-reader/" in who["StartQueryExecution"]


def test_without_a_query_nothing_is_run(world: World) -> None:
    mark = world.sandbox.mark()
    proof = prove(world, query=False)
    assert link_of(proof, "query")["state"] == "skipped"
    assert (proof["state"], proof["query"]) == ("proved", None)
    assert Sandbox.count(world.sandbox.calls(since=mark), kind="query") == 0


def test_check_mode_runs_no_query(world: World) -> None:
    mark = world.sandbox.mark()
    proof = prove(world, check_mode=True)
    assert link_of(proof, "query")["state"] == "skipped"
    assert Sandbox.count(world.sandbox.calls(since=mark), kind="query") == 0


def test_the_roles_alone(world: World) -> None:
    alone = {"athena": None, "secret": None, "label_selectors": None, "helm_release": None, "assume_role_arn": None}
    proof = prove(world, **alone)
    assert list(states(proof)) == ["service_account", "token", "trust", "role"]
    assert proof["state"] == "proved"
    assert proof["caller_arn"].startswith(f"arn:aws:sts::{CLUSTER}:assumed-role/causes-workload/")


# --- what is not there yet


def test_before_the_first_delivery_the_access_is_proved_and_the_data_pending(sandbox: Sandbox, world: World) -> None:
    waiting = World(sandbox, "causes-waiting")
    waiting.make_buckets()
    waiting.make_table()
    waiting.make_reader()
    waiting.make_workload_role(waiting.irsa())
    waiting.make_service_account()
    waiting.make_secret(document(waiting))
    rest = {"label_selectors": None, "helm_release": None}

    proof = prove(waiting, delivered=False, **rest)
    assert proof["state"] == "pending"
    assert {name for name, state in states(proof).items() if state != "ok"} == {"query"}
    assert "has not delivered" in link_of(proof, "query")["cause"]

    proof = prove(waiting, delivered=True, **rest)
    assert (proof["state"], link_of(proof, "query")["state"]) == ("failed", "failed")


def test_from_nothing(sandbox: Sandbox, world: World) -> None:
    nothing = World(sandbox, "causes-nothing")
    proof = prove(nothing)
    assert proof["state"] == "failed"
    assert states(proof) == {
        "service_account": "failed",
        "token": "failed",
        "trust": "skipped",
        "role": "skipped",
        "payer_role": "skipped",
        "table": "skipped",
        "query": "skipped",
        "secret": "failed",
        "pods": "failed",
        "release": "failed",
    }
    assert prove(nothing, check_mode=True)["state"] == "pending"


# --- what can be broken


@contextlib.contextmanager
def trusting(world: World, statements: list[dict[str, Any]]) -> Iterator[None]:
    """The workload's role trusts these."""
    world.set_workload_trust(statements)
    try:
        yield
    finally:
        world.set_workload_trust(world.irsa())


def test_the_trust_names_another_service_account(world: World) -> None:
    with trusting(world, world.irsa("system:serviceaccount:kubecost:kubecost-cost-analyzer")):
        proof = prove(world)
    for name in ("trust", "role"):
        broken(
            proof,
            name,
            "names system:serviceaccount:kubecost:kubecost-cost-analyzer, but the ServiceAccount is causes:kubecost",
            "name system:serviceaccount:causes:kubecost under oidc.eks.",
        )


def test_the_trust_names_another_cluster(world: World) -> None:
    host = "oidc.eks.eu-west-1.amazonaws.com/id/00000000000000000000000000000000"
    own = [trust.subject(world.namespace, world.service_account)]
    provider = f"arn:aws:iam::{CLUSTER}:oidc-provider/{host}"
    with trusting(world, trust.irsa_trust(oidc_provider_arn=provider, issuer=host, subjects=own)):
        broken(prove(world), "role", "another OpenID Connect provider", world.provider_arn)


def test_the_trust_has_a_wildcard_under_string_equals(world: World) -> None:
    statements = world.irsa()
    host = world.issuer.removeprefix("https://")
    statements[0]["Condition"]["StringEquals"][f"{host}:sub"] = "system:serviceaccount:causes:*"
    with trusting(world, statements):
        broken(prove(world), "role", "ordinary characters", "StringLike")


def test_the_trust_is_only_for_roles(world: World) -> None:
    with trusting(world, trust.workload_role_trust(role_arns=[world.reader_arn])):
        broken(prove(world), "role", "sts:AssumeRoleWithWebIdentity", "irsa_trust")


def test_the_role_does_not_exist(world: World) -> None:
    proof = prove(world, role_arn=f"{world.workload_arn}-gone")
    broken(proof, "role", "the role does not exist", "iam_workload_role")
    checked = prove(world, check_mode=True, role_arn=f"{world.workload_arn}-gone")
    assert states(checked)["role"] == states(checked)["trust"] == "pending"


def test_the_role_is_in_an_account_that_cannot_be_seen(world: World) -> None:
    proof = prove(world, role_arn=f"arn:aws:iam::{PAYER}:role/somebody")
    assert link_of(proof, "trust")["state"] == "skipped"
    broken(proof, "role", f"account {PAYER}, in which the role is, has no OpenID Connect provider", "iam_oidc_provider")


def test_the_provider_is_gone(world: World) -> None:
    iam = world.cluster.client("iam")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=world.provider_arn)
    try:
        proof = prove(world)
        assert link_of(proof, "trust")["state"] == "ok"
        broken(proof, "role", f"has no OpenID Connect provider for {world.issuer}", "kubestrap.aws.iam_oidc_provider")
    finally:
        world.make_provider()


def test_the_provider_does_not_know_the_audience(world: World) -> None:
    proof = prove(world, audience="another.example")
    broken(proof, "role", "does not know the audience another.example", "client_ids")


def test_the_operator_may_not_look(world: World) -> None:
    """Without the right to read the role, the explanation says what it cannot see."""
    iam = world.cluster.client("iam")
    iam.create_role(RoleName="causes-blind", AssumeRolePolicyDocument=text(everyone(CLUSTER)))
    keys = world.cluster.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{CLUSTER}:role/causes-blind", RoleSessionName="blind"
    )["Credentials"]
    with trusting(world, world.irsa("system:serviceaccount:a:b")):
        proof = prove(world, by=world.cluster.with_credentials(keys))
    assert link_of(proof, "trust")["state"] == "skipped"
    broken(proof, "role", "which one cannot be seen here", "iam:GetRole")
    iam.delete_role(RoleName="causes-blind")


def everyone(account_id: str) -> list[dict[str, Any]]:
    """A trust that lets everyone of an account in."""
    principal = {"AWS": f"arn:aws:iam::{account_id}:root"}
    return [{"Sid": "Account", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]


def test_the_workloads_policy_lacks_the_payers_role(world: World) -> None:
    world.set_workload_policy(policies.account_tags())
    try:
        broken(
            prove(world),
            "payer_role",
            f"the policies of {world.workload_arn} do not allow sts:AssumeRole",
            "assume_role",
        )
    finally:
        world.set_workload_policy(policies.assume_role(role_arns=[world.reader_arn]))


def test_the_payers_trust_lacks_the_workload(world: World) -> None:
    world.set_reader_trust(trust.workload_role_trust(role_arns=[f"{world.workload_arn}-other"]))
    try:
        broken(prove(world), "payer_role", "itself may do so, but the trust policy of", "a task for the payer's side")
    finally:
        world.set_reader_trust(trust.workload_role_trust(role_arns=[world.workload_arn]))


@pytest.mark.parametrize(
    ("sid", "link", "cause"),
    [
        ("ReadCatalog", "table", "allows glue:GetTable"),
        ("RunQueries", "query", "allows athena:StartQueryExecution"),
        ("ListReportBucket", "query", "allows s3:ListBucket on arn:aws:s3:::causes-report"),
        ("ReadReport", "query", "allows s3:GetObject on arn:aws:s3:::causes-report/"),
        ("ListResultsBucket", "query", "s3:GetBucketLocation"),
        ("WriteResults", "query", "allows s3:PutObject on arn:aws:s3:::causes-results/"),
    ],
)
def test_a_right_of_the_payers_role_is_missing(world: World, sid: str, link: str, cause: str) -> None:
    statements = policies.billing_data_reader(**world.reader_parameters())
    world.set_reader_policy([statement for statement in statements if statement["Sid"] != sid])
    try:
        broken(prove(world), link, cause, "billing_data_reader")
    finally:
        world.set_reader_policy(statements)


def test_the_table_lacks_a_column(world: World) -> None:
    proof = prove(world, required_columns=("year", "line_item_resource_id", "line_item_that_nobody_has"))
    broken(proof, "table", "missing: line_item_that_nobody_has", "payer's half")


def test_the_table_does_not_exist(world: World) -> None:
    # The role may read the one table only, and IAM is asked first.
    broken(prove(world, table="another"), "table", "allows glue:GetTable", "glue:GetTable")
    glue = world.payer.client("glue")
    glue.delete_table(DatabaseName=world.database, Name=world.table)
    try:
        broken(prove(world), "table", "it does not exist", "glue_cur_table")
        assert states(prove(world, check_mode=True))["table"] == "pending"
        # Before the first delivery a crawler has not made its table yet.
        waiting = prove(world, delivered=False)
        assert (waiting["state"], states(waiting)["table"]) == ("pending", "pending")
        assert states(waiting)["query"] == "skipped"
    finally:
        glue.create_table(DatabaseName=world.database, TableInput=world.table_input())


def test_the_table_looks_elsewhere(world: World) -> None:
    """Delivered, and yet no rows: another report's folder."""
    glue = world.payer.client("glue")
    wrong = world.table_input()
    for parameter in ("storage.location.template",):
        wrong["Parameters"][parameter] = wrong["Parameters"][parameter].replace("/causes/causes/", "/causes/other/")
    glue.update_table(DatabaseName=world.database, TableInput=wrong)
    try:
        broken(prove(world), "query", "finds nothing of the last two months", "location and partitions")
    finally:
        glue.update_table(DatabaseName=world.database, TableInput=world.table_input())


def test_results_go_to_a_bucket_that_is_not_there(world: World) -> None:
    proof = prove(world, output_location="s3://causes-nowhere/kubecost")
    broken(proof, "query", "bucket of the results", "athena.output_location")


# --- in the cluster


def test_the_secret_differs(world: World) -> None:
    other = {"aws": {"athena": [{"bucket": "s3://other", "account": PAYER}]}}
    proof = prove(world, secret={**SECRET, "expected": other})
    broken(proof, "secret", "aws.athena[0].bucket", "restart")
    assert "causes-results" not in str(link_of(proof, "secret"))
    assert proof["query"]["rows"] == 1, "a wrong secret does not hide that the access works"


def test_the_annotation_names_another_role(world: World) -> None:
    proof = prove(world, role_arn=world.workload_arn, service_account="default")
    broken(proof, "service_account", "is missing", f"eks.amazonaws.com/role-arn: {world.workload_arn}")


def test_a_pod_that_is_older_than_the_annotation(sandbox: Sandbox, world: World) -> None:
    late = World(sandbox, "causes-late")
    kube = late.kube()
    kube.post("api", "v1", "namespaces", body={"kind": "Namespace", "metadata": {"name": late.namespace}})
    place = ("api", "v1", "namespaces", late.namespace, "serviceaccounts")
    # As a chart makes it: with labels. (Of an object that was made without any field the API server keeps no times.)
    metadata = {"name": late.service_account, "labels": LABELS}
    kube.post(*place, body={"kind": "ServiceAccount", "metadata": metadata})
    pod = make_pod(late, "early")
    wait_for_next_second(pod["metadata"]["creationTimestamp"])
    annotate(late, late.workload_arn)

    link = link_of(prove(late, secret=None, helm_release=None), "pods")
    assert link["state"] == "failed"
    assert "before the ServiceAccount was annotated" in link["cause"]
    assert "kubectl -n causes-late rollout restart pod/early" in link["change"]

    delete(late, "pods", "early")
    make_pod(late, "young")
    assert link_of(prove(late, secret=None, helm_release=None), "pods")["state"] == "ok"


def wait_for_next_second(stamp: str) -> None:
    """Times in Kubernetes are whole seconds: wait until the next one has begun."""
    while time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) <= stamp:
        time.sleep(0.05)


def annotate(world: World, role_arn: str) -> None:
    """Annotate the ServiceAccount."""
    kube = world.kube()
    path = f"{kube.host}/api/v1/namespaces/{world.namespace}/serviceaccounts/{world.service_account}"
    body = f'{{"metadata":{{"annotations":{{"eks.amazonaws.com/role-arn":"{role_arn}"}}}}}}'
    headers = {**kube._headers, "Content-Type": "application/merge-patch+json"}
    assert kube._pool.request("PATCH", path, headers=headers, body=body).status == 200


def test_a_pod_with_keys(world: World) -> None:
    env = [{"name": "AWS_ACCESS_KEY_ID", "value": "EXAMPLEKEYID00000000"}]
    make_pod(world, "with-keys", container={"env": env})
    try:
        broken(prove(world), "pods", "prefers it to the role", "access key")
    finally:
        delete(world, "pods", "with-keys")


def test_pods_of_another_account(world: World) -> None:
    place = ("api", "v1", "namespaces", world.namespace, "serviceaccounts")
    world.kube().post(*place, body={"kind": "ServiceAccount", "metadata": {"name": "unused"}})
    proof = prove(world, service_account="unused")
    broken(proof, "pods", "the pods run as: kubecost", "Prove that ServiceAccount instead")


def test_no_pods(world: World) -> None:
    broken(prove(world, label_selectors=("app=other",)), "pods", "none was found", "label_selectors")


def test_a_release_that_is_not_deployed(world: World) -> None:
    name = make_release(world, 3, "pending-upgrade")
    try:
        broken(prove(world), "release", "interrupted", "helm rollback kubecost")
    finally:
        delete(world, "secrets", name)
    broken(prove(world, helm_release="opencost"), "release", "no record", "helm_release")


# --- the way to the cluster


def eks_kube(world: World, connection: Any, cluster: str = "demo") -> KubeApi:
    """The API server, with a token of these credentials."""
    from ansible_collections.kubestrap.aws.plugins.module_utils._eks_token import eks_token
    from ansible_collections.kubestrap.aws.plugins.module_utils._kube_api import principal_of

    there = world.sandbox.state["clusters"]["demo"]
    return KubeApi(
        there["endpoint"],
        eks_token(connection, cluster),
        there["ca_file"],
        cluster_name="demo",
        principal=lambda: principal_of(connection.caller["arn"]),
    )


def test_a_token_of_the_clusters_creator_is_enough(world: World) -> None:
    assert prove(world, kube=eks_kube(world, world.cluster))["state"] == "proved"


def test_a_token_for_another_cluster(world: World) -> None:
    proof = prove(world, kube=eks_kube(world, world.cluster, "another"))
    broken(proof, "token", "made for another cluster", "create-access-entry")


def test_credentials_without_an_access_entry(world: World) -> None:
    stranger = operator(world.sandbox, PAYER, "eu-west-1")
    proof = prove(world, kube=eks_kube(world, stranger))
    role = f"arn:aws:iam::{PAYER}:role/operator"
    for name in ("service_account", "token", "secret", "pods", "release"):
        broken(
            proof, name, f"the IAM principal {role} has no access entry in the cluster demo", f"--principal-arn {role}"
        )


def test_an_access_entry_without_rights(world: World) -> None:
    iam, eks = world.cluster.client("iam"), world.cluster.client("eks")
    role = f"arn:aws:iam::{CLUSTER}:role/causes-limited"
    iam.create_role(RoleName="causes-limited", AssumeRolePolicyDocument=text(everyone(CLUSTER)))
    eks.create_access_entry(clusterName="demo", principalArn=role)
    keys = world.cluster.client("sts").assume_role(RoleArn=role, RoleSessionName="limited")["Credentials"]

    proof = prove(world, kube=eks_kube(world, world.cluster.with_credentials(keys)))

    broken(proof, "token", 'cannot create resource "serviceaccounts/token"', "Role or ClusterRole")
    broken(proof, "pods", 'cannot list resource "pods"', "Role or ClusterRole")
    eks.delete_access_entry(clusterName="demo", principalArn=role)
    iam.delete_role(RoleName="causes-limited")


def test_the_wrong_certificate_authority(world: World) -> None:
    there = world.sandbox.state["clusters"]["demo"]
    kube = KubeApi(there["endpoint"], there["admin_token"], world.sandbox.state["ca_bundle"])
    broken(prove(world, kube=kube), "token", "not signed by the certificate authority", "certificate_authority_data")


# --- time


def test_a_change_that_iam_spreads_late_is_waited_for(world: World) -> None:
    from ansible_collections.kubestrap.aws.plugins.module_utils._probe_identity import Patience

    assert Patience(0).call(lambda: "at once") == "at once"
    world.set_workload_trust(world.irsa("system:serviceaccount:a:b"))
    world.set_workload_policy(policies.account_tags())
    world.sandbox.settings({"iam_propagation_seconds": 3})
    try:
        world.set_workload_trust(world.irsa())
        world.set_workload_policy(policies.assume_role(role_arns=[world.reader_arn]))
        assert prove(world)["state"] == "failed", "without recently_changed it is told at once"
        assert prove(world, patience_seconds=60)["state"] == "proved"
    finally:
        world.sandbox.settings({"iam_propagation_seconds": 0})


def test_what_time_does_not_change_is_told_at_once(world: World) -> None:
    mark = world.sandbox.mark()
    with trusting(world, world.irsa("system:serviceaccount:a:b")):
        proof = prove(world, patience_seconds=60)
    broken(proof, "role", "names system:serviceaccount:a:b", "Let the trust")
    assert Sandbox.count(world.sandbox.calls(since=mark), operation="AssumeRoleWithWebIdentity") == 1
