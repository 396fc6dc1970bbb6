# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators' rights: the playbooks pass with exactly them, need each of them, and name one that is missing.

Both operators have nothing but the policies of the extent that a run needs, and in the cluster nothing but the RBAC of
``operator_rbac``. The tests run in the order of the file over one installation: preflight, check mode, a first run with
a right too few, the first run, a run after the first delivery, teardown.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import boto3
import pytest
from integration.installation import CLUSTER_REGION, PAYER_REGION, Installation, Run
from integration.playbook import Result, run_playbook
from integration.world import KubeApi, actions_of, eks_token, operator_policies, operator_rbac, text
from kubernetes import utils
from sandbox.client import Sandbox

PAYER, CLUSTER = "rights-payer", "rights"
GROUP = "kubestrap-kubecost-operator"
DENIED = ("AccessDenied", "AccessDeniedException", "403")
# What the playbooks try and do without: the operator's own rights, and a look for rows after the first delivery.
OPTIONAL = ("SimulatePrincipalPolicy", "StartQueryExecution")
Statements = list[dict[str, Any]]


class Operators:
    """The operators of an installation, whose rights can be set.

    :ivar runs: extent -> the runs that were made with it
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.place = Installation(sandbox, CLUSTER, number=18)
        self.accounts = {PAYER: self.place.account(PAYER), CLUSTER: self.place.cluster_account}
        self.runs: dict[str, list[Run]] = {}
        for manifest in operator_rbac.kubecost_cluster_rbac():
            utils.create_from_dict(self.place.kube(), manifest)
        eks = self.root(CLUSTER, "eks", CLUSTER_REGION)
        entry = {"clusterName": CLUSTER, "principalArn": self.arn(CLUSTER)}
        eks.delete_access_entry(**entry)
        eks.create_access_entry(**entry, kubernetesGroups=[GROUP])

    def arn(self, host: str) -> str:
        """The role of the operator of a host."""
        return f"arn:aws:iam::{self.accounts[host]}:role/operator"

    def root(self, host: str, service: str, region: str = PAYER_REGION) -> Any:
        """A client of a host's account that no policy binds, for set-up."""
        state = self.sandbox.state
        keys = {"aws_access_key_id": self.accounts[host], "aws_secret_access_key": "test"}
        return boto3.client(service, region, endpoint_url=state["endpoint_url"], verify=state["ca_bundle"], **keys)

    def parameters(self, host: str) -> dict[str, str]:
        """What the policy of a host takes, with the names of the roles' defaults."""
        account = self.accounts[host]
        if host == CLUSTER:
            return {"region": CLUSTER_REGION, "cluster_name": CLUSTER, "role_name": f"kubecost-{CLUSTER}"}
        return {
            "region": PAYER_REGION,
            "report_name": "kubecost",
            "report_bucket": f"kubestrap-cur-{account}-{PAYER_REGION}",
            "report_prefix": "cur",
            "results_bucket": f"kubestrap-athena-{account}-{PAYER_REGION}",
            "workgroup": "kubecost",
            "database": "athenacurcfn_kubecost",
            "role_name": "kubecost-cur-access",
        }

    def policy(self, host: str, extent: str, may_ask: bool = False, **options: Any) -> Statements:
        """The policy of the operator of a host; ``may_ask``: about its own rights."""
        function = operator_policies.OPERATOR_POLICIES[document(host)]
        if host == PAYER and extent == "teardown":
            options["delete_data"] = True
        return function(
            partition="aws",
            account_id=self.accounts[host],
            extent=extent,
            operator_arn=self.arn(host) if may_ask else None,
            **self.parameters(host),
            **options,
        )

    def give(self, host: str, statements: Statements) -> None:
        """Let the operator of a host do this and nothing else."""
        iam = self.root(host, "iam")
        iam.put_role_policy(RoleName="operator", PolicyName="everything", PolicyDocument=text(statements))

    def run(self, extent: str, playbook: str = "kubecost", may_ask: bool = False, **options: Any) -> Run:
        """A run with the policies of an extent; no call of the operators may be refused."""
        for host in (PAYER, CLUSTER):
            self.give(host, self.policy(host, extent, may_ask))
        run = self.play(playbook, **options)
        assert run.ok, run.report
        refused = [call for call in run.calls if call["error_code"] in DENIED]
        assert [call for call in refused if call["operation"] not in OPTIONAL] == []
        self.runs.setdefault(extent, []).append(run)
        return run

    def play(self, playbook: str, **options: Any) -> Run:
        """A run with the rights that the operators have."""
        result = run_playbook(f"kubestrap.aws.{playbook}", self.sandbox, inventory=self.place.inventory(), **options)
        return Run(**{field.name: getattr(result, field.name) for field in dataclasses.fields(Result)})

    def needed(self, host: str, *extents: str) -> set[str]:
        """The actions that the calls of a host's operator took in these runs."""
        calls = {
            (call["service"], call["operation"])
            for extent in extents
            for run in self.runs[extent]
            for call in run.calls
            if call["account_id"] == self.accounts[host]
            and ":assumed-role/operator/" in call["who"]
            and not (call["operation"] in OPTIONAL and call["error_code"] in DENIED)
        }
        return {action for service, operation in calls for action in actions_of(service, operation)}


def document(host: str) -> str:
    """Name of the policy of a host's operator."""
    return "kubecost_cluster_operator" if host == CLUSTER else "kubecost_payer_operator"


def without(statements: Statements, *missing: str) -> Statements:
    """The statements without these actions."""
    left = [{**s, "Action": [action for action in s["Action"] if action not in missing]} for s in statements]
    return [statement for statement in left if statement["Action"]]


def actions(statements: Statements) -> set[str]:
    """All actions of a policy."""
    return {action for statement in statements for action in statement["Action"]}


@pytest.fixture(scope="module")
def operators(sandbox: Sandbox) -> Operators:
    """Operators who may do nothing in AWS yet."""
    return Operators(sandbox)


def tried(operators: Operators, tasks: dict[str, tuple[str, str, dict[str, Any]]]) -> dict[str, str]:
    """What each task says when it fails: its name -> host, module and options."""
    play = {"name": "Try", "hosts": "localhost", "gather_facts": False}
    steps = [
        {"name": name, module: {"profile": operators.place.vars[host]["kubestrap_aws_profile"], **options}}
        for name, (host, module, options) in tasks.items()
    ]
    play["tasks"] = [{**step, "ignore_errors": True} for step in steps]
    result = run_playbook([play], operators.sandbox)
    assert result.tasks, result.report
    assert [call for call in result.calls if call["kind"] == "write" and call["status"] < 300] == []
    return {name: result.task(name).result.get("msg", "") for name in tasks}


def test_the_preflight_names_every_right_that_is_missing_and_who_denies_it(operators: Operators) -> None:
    for host in (PAYER, CLUSTER):
        policy = operators.policy(host, "run", may_ask=True)
        operators.give(host, without(policy, "iam:PutRolePolicy", "glue:CreateTable", "s3:GetBucketPolicy"))
    boundary = {"Sid": "B", "Effect": "Allow", "NotAction": "iam:CreateOpenIDConnectProvider", "Resource": "*"}
    iam = operators.root(CLUSTER, "iam")
    policy_arn = iam.create_policy(PolicyName="rights-boundary", PolicyDocument=text([boundary]))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="operator", PermissionsBoundary=policy_arn)
    forbid = {"Effect": "Deny", "Action": "athena:CreateWorkGroup", "Resource": "*"}
    operators.sandbox.settings({"organization_policies": [{"Version": "2012-10-17", "Statement": [forbid]}]})
    try:
        buckets = [{"option": "bucket", "name": operators.parameters(PAYER)["report_bucket"]}]
        rights = {
            host: {"document": document(host), "parameters": operators.parameters(host)} for host in (PAYER, CLUSTER)
        }
        module = "kubestrap.aws.preflight_info"
        # In its own namespace the operator may do all of it: the first run below passes.
        in_default = {"document": "kubecost_cluster_rbac", "parameters": {"namespace": "default"}}
        elsewhere = {"namespace": "default", "cluster_rights": in_default}
        said = tried(
            operators,
            {
                "payer": (PAYER, module, {"region": PAYER_REGION, "buckets": buckets, "rights": rights[PAYER]}),
                "cluster": (
                    CLUSTER,
                    module,
                    {
                        "region": CLUSTER_REGION,
                        "cluster_name": CLUSTER,
                        "namespace": "kubecost",
                        "rights": rights[CLUSTER],
                    },
                ),
                "rbac": (CLUSTER, module, {"region": CLUSTER_REGION, "cluster_name": CLUSTER, **elsewhere}),
            },
        )
    finally:
        operators.sandbox.settings({"organization_policies": []})
        iam.delete_role_permissions_boundary(RoleName="operator")

    begin = f"kubestrap_aws_profile: '{operators.arn(PAYER)}' lacks rights that this run needs: "
    assert said["payer"].startswith(begin)
    tables = f"glue:CreateTable on arn:aws:glue:{PAYER_REGION}:{operators.accounts[PAYER]}:catalog and "
    assert tables in said["payer"]
    assert f"s3:GetBucketPolicy on arn:aws:s3:::{buckets[0]['name']} and " in said["payer"]
    workgroup = f"arn:aws:athena:{PAYER_REGION}:{operators.accounts[PAYER]}:workgroup/kubecost"
    assert f"athena:CreateWorkGroup on {workgroup} (a policy of the organisation does not allow it)" in said["payer"]
    assert f"iam:PutRolePolicy on {operators.place.reader_arn()} (no policy allows it)" in said["payer"]
    assert "CreateBucket" not in said["payer"]

    issuer = operators.sandbox.state["clusters"][CLUSTER]["issuer"].removeprefix("https://")
    provider = f"arn:aws:iam::{operators.accounts[CLUSTER]}:oidc-provider/{issuer}"
    because = "its permissions boundary does not allow it"
    assert f"iam:CreateOpenIDConnectProvider on {provider} ({because})" in said["cluster"]
    assert f"iam:PutRolePolicy on {operators.place.role_arn()} (no policy allows it)" in said["cluster"]
    assert "iam:CreateRole" not in said["cluster"]

    begin = f"kubestrap_eks_cluster_name: '{operators.arn(CLUSTER)}' lacks rights in the cluster that this run needs: "
    assert said["rbac"].startswith(begin)
    every = "create and delete and get and list and patch and update on secrets and serviceaccounts and configmaps"
    assert every in said["rbac"]
    assert "clusterroles" not in said["rbac"], "these it has: they are of the whole cluster"


def test_check_mode_passes_with_reading_alone_and_says_what_the_run_would_lack(operators: Operators) -> None:
    operators.sandbox.settings({"lake_formation_accounts": [operators.accounts[PAYER]]})
    run = operators.run("check", may_ask=True, check=True, diff=True)
    operators.sandbox.settings({"lake_formation_accounts": []})
    assert run.writes == []
    assert "lacks rights that this run needs: " in run.notes(PAYER)
    assert "s3:CreateBucket, s3:PutBucketPolicy" in run.notes(PAYER)
    assert "iam:CreateOpenIDConnectProvider" in run.notes(CLUSTER)
    assert run.count(operation="SimulatePrincipalPolicy") == 2
    assert "Lake Formation governs new databases and tables" in run.notes(PAYER)
    assert "Grant DESCRIBE on the database athenacurcfn_kubecost" in run.notes(PAYER)


def test_a_right_that_is_missing_is_named_by_the_run(operators: Operators) -> None:
    """Where the operator may not look up its own rights, the run says so, and goes as far as it can."""
    operators.give(PAYER, without(operators.policy(PAYER, "run"), "glue:CreateTable"))
    operators.give(CLUSTER, operators.policy(CLUSTER, "run"))
    run = operators.play("kubecost")
    assert run.rc == 2
    assert "glue:CreateTable" in run.notes(PAYER)
    assert "AccessDenied" in run.notes(PAYER)
    operators.runs["run"] = [run]  # what it made counts, though it is another policy
    assert run.count(kind="write", account_id=operators.accounts[CLUSTER]) == 0


def test_the_first_run_passes_and_says_what_it_could_not_see(operators: Operators) -> None:
    run = operators.run("run")
    may_not = "were not checked before the first write: these credentials may not ask for iam:SimulatePrincipalPolicy"
    assert may_not in run.notes(CLUSTER)
    assert "Lake Formation" not in run.notes(PAYER)
    assert run.links(CLUSTER)["role"] == "ok"


def test_the_run_after_the_first_delivery_passes_and_asks_for_no_rights(operators: Operators) -> None:
    operators.place.deliver()
    run = operators.run("run")
    assert run.outcome(CLUSTER)["state"] == "done", run.outcome(CLUSTER)
    assert run.count(operation="SimulatePrincipalPolicy") == 0


def test_check_mode_passes_with_reading_alone_where_everything_exists(operators: Operators) -> None:
    run = operators.run("check", check=True)
    assert run.writes == []
    assert {change for changes in run.changes.values() for change in changes} == set()


def test_the_operator_of_the_cluster_reaches_nothing_else_in_it(operators: Operators) -> None:
    state = operators.sandbox.state["clusters"][CLUSTER]
    api = KubeApi(state["endpoint"], eks_token(operators.place.cluster_aws(), CLUSTER), state["ca_file"])

    def may(verb: str, resource: str, namespace: str) -> bool:
        wanted = {"verb": verb, "resource": resource, "namespace": namespace}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        body["spec"] = {"resourceAttributes": wanted}
        answer = api.post("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews", body=body)
        return answer["status"]["allowed"]

    assert may("get", "secrets", "kubecost")
    for verb, resource, namespace in (
        ("get", "secrets", "default"),
        ("create", "namespaces", ""),
        ("create", "pods", "kubecost"),
        ("delete", "namespaces", ""),
    ):
        assert not may(verb, resource, namespace), (verb, resource, namespace)


def test_the_teardown_passes_and_leaves_nothing(operators: Operators) -> None:
    predicted = operators.run("teardown", "teardown", check=True, extra_vars={"billing_data_delete_data": True})
    run = operators.run("teardown", "teardown", extra_vars={"billing_data_delete_data": True})
    assert run.changes == predicted.changes
    assert operators.root(PAYER, "s3").list_buckets()["Buckets"] == []
    assert not [role for role in operators.root(PAYER, "iam").list_roles()["Roles"] if "kubecost" in role["RoleName"]]


@pytest.mark.parametrize("host", [PAYER, CLUSTER])
def test_every_action_of_a_policy_is_needed(operators: Operators, host: str) -> None:
    """By the calls of the runs, or to repair what was altered."""
    before: tuple[str, ...] = ()
    for extent in operator_policies.EXTENTS:
        before = (*before, extent)
        needed = operators.needed(host, *before) - {"iam:SimulatePrincipalPolicy"}
        given = actions(operators.policy(host, extent))
        assert needed - given == set(), f"the record has more than {extent}"
        assert given - needed - operator_policies.OCCASIONAL == set(), f"{extent} has more than the record"


def test_each_module_names_the_action_that_is_missing(operators: Operators) -> None:
    """One action of each service, from nothing; the teardown has left the issuer's provider, which others may use."""
    iam = operators.root(CLUSTER, "iam")
    for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    payer, cluster = operators.accounts[PAYER], operators.accounts[CLUSTER]
    in_payer = {"region": PAYER_REGION, "account_id": payer}
    names = operators.parameters(PAYER)
    report = {key: names[key] for key in ("report_bucket", "report_prefix", "report_name")}
    trust = {
        "Sid": "A",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{payer}:root"},
        "Action": "sts:AssumeRole",
    }
    tasks = {
        "iam:CreateRole": ("iam_workload_role", {"name": names["role_name"], "trust_statements": [trust]}),
        "s3:CreateBucket": ("s3_storage_bucket", {"name": names["results_bucket"]}),
        "athena:CreateWorkGroup": ("athena_workgroup", {"name": "kubecost"}),
        "cur:PutReportDefinition": (
            "cur_report_definition",
            {"name": "kubecost", "s3_bucket": names["report_bucket"], "s3_prefix": "cur", "s3_region": PAYER_REGION},
        ),
        "glue:CreateDatabase": ("glue_cur_table", {"database": names["database"], "table": "kubecost", **report}),
    }
    all_tasks = {name: (PAYER, f"kubestrap.aws.{module}", {**in_payer, **o}) for name, (module, o) in tasks.items()}
    issuer = operators.sandbox.state["clusters"][CLUSTER]["issuer"]
    in_cluster = {"region": CLUSTER_REGION}
    all_tasks["eks:DescribeCluster"] = (CLUSTER, "kubestrap.aws.eks_cluster_info", {"name": CLUSTER, **in_cluster})
    all_tasks["iam:CreateOpenIDConnectProvider"] = (
        CLUSTER,
        "kubestrap.aws.iam_oidc_provider",
        {"url": issuer, "account_id": cluster, **in_cluster},
    )
    for host in (PAYER, CLUSTER):
        operators.give(host, without(operators.policy(host, "run"), *all_tasks))
    said = tried(operators, all_tasks)
    assert {name for name, message in said.items() if name not in message} == set(), said
