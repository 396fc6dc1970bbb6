# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubecost with its data in a bucket: a primary with billing data and an agent, then each method and generation.

The tests run in the order of the file, over two clusters, one payer and one bucket of a third account. All generations
by all methods are side by side in a cluster of their own, with two buckets.
"""

from __future__ import annotations

import base64
import itertools
import re
from collections import Counter
from typing import Any

import pytest
import yaml
from integration.files import inventories
from integration.installation import CHARTS, CLUSTER_REGION, Installation, Run
from integration.world import operator
from sandbox.client import Sandbox

PRIMARY, AGENT = "fed", "fed2"
# What a run without change may take for a bucket and a cluster together.
CALLS = 20
PROVED = ("list", "put", "get", "encryption", "multipart", "delete")
CHART_OF = {"1": "cost-analyzer-1", "2": "cost-analyzer", "3": "kubecost"}


class Story:
    """The runs, in their order.

    :ivar predicted: check mode from nothing
    :ivar first: the run after it, with bucket, billing data and both clusters
    :ivar again: without a change, by the other playbook
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.place = place = Installation(sandbox, PRIMARY, number=45, clusters=2, buckets=1)
        self.bucket = place.buckets[0]
        for cluster in place.clusters:
            place.vars[cluster]["kubecost_federated_storage_bucket"] = self.bucket
        place.vars[AGENT] |= {"kubecost_payers": [], "kubecost_federated_storage_part": "agent"}
        self.predicted = self.run("kubecost_federated_storage", check=True)
        self.first = self.run("kubecost_federated_storage", diff=True)
        self.again = self.run("kubecost")

    def run(self, playbook: str, **options: Any) -> Run:
        """A run that has to end well."""
        run = self.place.run(playbook, **options)
        assert run.ok, run.report
        return run

    def document(self, cluster: str, secret: str = "federated-store", key: str = "federated-store.yaml") -> Any:
        """The YAML in the Secret."""
        found = self.place.core(cluster).read_namespaced_secret(secret, "kubecost")
        return yaml.safe_load(base64.b64decode(found.data[key]))

    def shared_with(self) -> set[str]:
        """Those of other accounts who may use the bucket, by its policy: ``role/NAME``, ``user/NAME``."""
        s3 = operator(self.place.sandbox, self.place.account(self.bucket), CLUSTER_REGION).client("s3")
        policy = s3.get_bucket_policy(Bucket=f"store-of-{self.bucket}")["Policy"]
        return set(re.findall(r'arn:aws:iam::\d+:((?:role|user)/[^"]+)"', policy))

    def policies(self, cluster: str) -> list[str]:
        """Names of the inline policies of the cluster's role."""
        return self.place.cluster_aws().client("iam").list_role_policies(RoleName=f"kubecost-{cluster}")["PolicyNames"]

    def accounts_with_role(self, cluster: str) -> set[str]:
        """ServiceAccounts that running pods have taken the role with."""
        pods = [pod for pod in self.place.pods(cluster) if not pod.metadata.deletion_timestamp]
        return {
            pod.spec.service_account_name
            for pod in pods
            for container in pod.spec.containers
            for variable in container.env or []
            if variable.name == "AWS_ROLE_ARN" and variable.value == self.place.role_arn(cluster)
        }


@pytest.fixture(scope="module")
def story(sandbox: Sandbox) -> Story:
    return Story(sandbox)


def steps(run: Run, cluster: str) -> dict[str, str]:
    """Links of the proof, and their states."""
    return {link["link"]: link["state"] for link in run.outcome(cluster)["links"]}


def test_check_mode_predicts_what_the_run_then_makes(story: Story) -> None:
    assert story.predicted.writes == []
    assert story.predicted.kube_writes == []
    assert story.predicted.changes == story.first.changes


def test_billing_data_and_bucket_are_proved_with_one_role(story: Story) -> None:
    assert story.first.outcome(PRIMARY)["state"] == "pending"  # AWS has not delivered billing data yet
    proved = steps(story.first, PRIMARY)
    assert {proved[name] for name in ("payer_role", "list", "put", "get", "multipart", "delete")} == {"ok"}
    assert story.first.outcome(AGENT)["state"] == "done", story.first.outcome(AGENT)
    assert "payer_role" not in steps(story.first, AGENT)
    assert story.policies(PRIMARY) == ["billing-data", "object-storage"]
    assert story.policies(AGENT) == ["object-storage"]


def test_every_pod_that_opens_the_bucket_has_the_role(story: Story) -> None:
    assert story.accounts_with_role(PRIMARY) >= {"kubecost", "kubecost-finopsagent"}
    assert "kubecost-finopsagent" in story.accounts_with_role(AGENT)


def test_both_clusters_write_into_the_bucket_of_the_third_account(story: Story) -> None:
    place = {"bucket": f"store-of-{story.bucket}", "endpoint": "s3.eu-west-1.amazonaws.com", "region": CLUSTER_REGION}
    for cluster in (PRIMARY, AGENT):
        assert story.document(cluster) == {"type": "S3", "config": place}


def test_the_other_playbook_finds_nothing_to_do(story: Story) -> None:
    run = story.again
    assert run.changes == {host: [] for host in run.changes}
    assert run.writes == []
    assert run.kube_writes == []


def test_that_it_is_an_enterprise_feature_is_said_before_the_first_write(story: Story) -> None:
    said = story.first.task("kubestrap.aws.kubecost : Say what several clusters in one bucket take")
    assert "kubecost_product_key_secret" in str(said.result)
    assert said.end < min(call["time"] for call in story.first.calls if call["kind"] == "write")


def test_two_clusters_with_one_name_are_refused(story: Story) -> None:
    run = story.place.run("kubecost_federated_storage", extra_vars={"kubecost_cluster_id": "prod"})
    assert not run.ok
    assert "kubecost_cluster_id: 'prod' is also the name of" in run.report
    assert run.writes == []


def test_wrong_input_is_named_before_the_first_write(story: Story) -> None:
    wrong = {
        "kubecost_federated_storage_identity_method": "pod_identity",
        "kubecost_federated_storage_settings": {"bucket": "other", "put_user_metadata": {}},
        "kubecost_federated_storage_key_pair": {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "s" * 40},
    }
    run = story.place.run("kubecost_federated_storage", extra_vars=wrong)
    assert not run.ok
    for text in (
        "kubecost_federated_storage_identity_method: 'pod_identity' is not available yet",
        "kubecost_federated_storage_settings: 'bucket' comes from a variable of its own",
        "a key is given, and kubecost_federated_storage_identity_method",
    ):
        assert text in run.report
    assert run.writes == []


@pytest.mark.parametrize(
    ("playbook", "said"),
    [
        (
            "thanos_object_store",
            "The Thanos of Kubecost 1 belongs to Kubecost: its bucket is kubecost_federated_storage_bucket",
        ),
        (
            "kubecost_federated_storage",
            "is the bucket of a Thanos of your own, which is set up by kubestrap.aws.thanos_obj",
        ),
    ],
)
def test_the_playbook_for_the_other_thanos_says_which_one_it_is(story: Story, playbook: str, said: str) -> None:
    inventory = story.place.inventory()
    agent = {**story.place.vars[AGENT], "thanos_object_store_bucket": story.bucket}
    del agent["kubecost_federated_storage_bucket"]
    inventory["clusters"]["hosts"][AGENT] = agent
    run = story.place.run(playbook, inventory=inventory)
    assert not run.ok
    assert said in run.report
    assert run.writes == []


def test_a_thanos_shares_the_bucket_and_neither_takes_the_others_place(story: Story) -> None:
    place = story.place
    inventory = place.inventory()
    del inventory["payers"]
    inventory["clusters"]["hosts"] = {
        AGENT: {
            **place.vars[AGENT],
            "thanos_object_store_bucket": story.bucket,
            "thanos_object_store_prefix": "blocks",
            "thanos_object_store_identity_method": "access_key",
        }
    }
    thanos, kubecost = f"user/thanos-{AGENT}", f"role/kubecost-{AGENT}"
    before = story.shared_with()
    shares = story.run("thanos_object_store", inventory=inventory)
    assert shares.outcome(AGENT)["state"] == "done", shares.outcome(AGENT)
    assert {thanos, kubecost, f"role/kubecost-{PRIMARY}"} <= story.shared_with()

    again = story.run("kubecost_federated_storage", inventory=inventory)
    assert (again.writes, again.kube_writes) == ([], [])
    assert again.outcome(AGENT)["state"] == "done"

    both = story.run("verify", inventory=inventory)
    assert both.outcome(AGENT)["state"] == "fits", both.report
    seen = Counter(link["link"] for link in both.outcome(AGENT)["links"])
    assert (seen["access_key"], seen["list"]) == (1, 2), seen

    story.run("thanos_object_store", inventory=inventory, extra_vars={"thanos_object_store_state": "absent"})
    assert story.shared_with() == before


def test_a_bucket_leaves_by_its_state_and_not_by_a_variable_that_is_missing(story: Story) -> None:
    place = story.place
    forgotten = place.inventory()
    forgotten["clusters"]["hosts"][PRIMARY] = {**place.vars[PRIMARY], "kubecost_federated_storage_bucket": ""}
    refused = place.run("kubecost", inventory=forgotten)
    assert not refused.ok
    assert "the release kubecost keeps its data in a bucket. Name the bucket as before" in refused.report
    assert refused.writes == []

    place.vars[PRIMARY]["kubecost_federated_storage_state"] = "absent"
    predicted, left = (story.run("kubecost", check=check) for check in (True, False))
    assert predicted.changes == left.changes
    assert "Kubecost keeps its data in volumes of the cluster now" in left.notes(PRIMARY)
    assert story.policies(PRIMARY) == ["billing-data"]
    assert f"role/kubecost-{PRIMARY}" not in story.shared_with()
    assert f"role/kubecost-{AGENT}" in story.shared_with()
    core = place.core(PRIMARY)
    assert "federated-store" not in {secret.metadata.name for secret in core.list_namespaced_secret("kubecost").items}
    gone = story.run("kubecost", inventory=forgotten)
    assert gone.changes == {host: [] for host in gone.changes}
    assert (gone.writes, gone.kube_writes) == ([], [])


class Matrix:
    """Each identity with each generation and each encryption: releases side by side in one cluster.

    :ivar cells: host -> method, generation, whether the bucket has a customer key
    :ivar first: the run that makes them all
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.place = place = Installation(sandbox, "fedall", number=46, payers=0, buckets=2)
        (cluster,), (plain, encrypted) = place.clusters, place.buckets
        place.vars[encrypted]["workload_storage_encryption"] = "aws:kms"
        self.cells: dict[str, tuple[str, str, bool]] = {}
        for method, generation, key in itertools.product(("irsa", "access_key"), ("1", "2", "3"), (False, True)):
            name = f"{method.replace('_', '')}{generation}{'kms' if key else 's3'}"
            self.cells[name] = (method, generation, key)
            place.vars[name] = {
                **place.vars[cluster],
                "kubecost_cluster_id": name,
                "kubecost_namespace": name,
                "kubecost_release_name": name,
                "kubecost_role_name": f"kubecost-{name}",
                "kubecost_generation": generation,
                "kubecost_chart_ref": str(CHARTS / CHART_OF[generation]),
                "kubecost_federated_storage_bucket": encrypted if key else plain,
                "kubecost_federated_storage_identity_method": method,
            }
        place.clusters = list(self.cells)
        self.cluster = cluster
        self.first = place.run("kubecost_federated_storage")
        assert self.first.ok, self.first.report

    def mounted(self, cell: str) -> set[str]:
        """Secrets that the pods of a cell mount."""
        found = self.place.core(self.cluster).list_namespaced_pod(cell).items
        return {volume.secret.secret_name for pod in found for volume in pod.spec.volumes or [] if volume.secret}


@pytest.fixture(scope="module")
def matrix(sandbox: Sandbox) -> Matrix:
    return Matrix(sandbox)


def test_each_method_generation_and_encryption_is_installed_and_proved(matrix: Matrix) -> None:
    for cell, (method, generation, key) in matrix.cells.items():
        outcome = matrix.first.outcome(cell)
        assert outcome["state"] == "done", (cell, outcome)
        links = {link["link"]: link for link in outcome["links"]}
        assert {links[name]["state"] for name in PROVED} == {"ok"}, cell
        assert ("access_key" in links) == (method == "access_key"), cell
        assert ("aws:kms" in links["encryption"]["detail"]) == key, (cell, links["encryption"])
        assert ("federated-store" if generation != "1" else "kubecost-thanos") in matrix.mounted(cell), cell


def test_a_run_without_change_takes_few_calls_in_each_generation(matrix: Matrix) -> None:
    cells = [cell for cell, (method, _gen, key) in matrix.cells.items() if key == (method == "access_key")]
    cells = [cell for cell in cells if cell.endswith(("1s3", "2kms"))]
    again = matrix.place.run("kubecost_federated_storage", limit=",".join([*matrix.place.buckets, *cells]))
    assert again.ok, again.report
    assert {host: again.outcome(host)["changes"] for host in again.changes} == {host: [] for host in again.changes}
    assert again.writes == []
    counted = [call for call in again.calls if call["kind"] in ("read", "write")]
    # A customer key takes four more.
    assert len(counted) <= CALLS * 2 + 4, [f"{call['service']}:{call['operation']}" for call in counted]


def test_the_teardown_takes_all_of_it_away(story: Story) -> None:
    place = story.place
    gone = story.run("teardown", extra_vars={"workload_storage_delete_data": True, "billing_data_delete_data": True})
    assert gone.outcome(AGENT)["state"] == "done"
    s3 = operator(place.sandbox, place.account(story.bucket), CLUSTER_REGION).client("s3")
    assert s3.list_buckets()["Buckets"] == []
    roles = place.cluster_aws().client("iam").list_roles()["Roles"]
    names = {role["RoleName"] for role in roles}
    assert f"kubecost-{PRIMARY}" not in names
    assert f"kubecost-{AGENT}" not in names


def test_the_inventory_of_the_page_is_understood(story: Story) -> None:
    """A dry run of it, with the accounts of the sandbox."""
    place = story.place
    (inventory,) = inventories("guide_federated_storage")
    groups = inventory["all"]["children"]
    (bucket,) = groups["buckets"]["hosts"].values()
    bucket |= {name: place.vars[story.bucket][name] for name in ("kubestrap_aws_profile", "kubestrap_account_id")}
    for name, cluster in zip(("prod-eu", "prod-us"), (PRIMARY, AGENT), strict=True):
        groups["clusters"]["hosts"][name] |= {
            "kubestrap_aws_profile": place.vars[cluster]["kubestrap_aws_profile"],
            "kubestrap_aws_region": CLUSTER_REGION,
            "kubestrap_eks_cluster_name": cluster,
            "kubecost_chart_ref": str(CHARTS / "kubecost"),
        }
    run = place.run("kubecost_federated_storage", inventory=groups, check=True)
    assert run.ok, run.report
    assert run.outcome("prod-eu")["changes"]
