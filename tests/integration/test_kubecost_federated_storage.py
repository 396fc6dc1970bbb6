# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubecost with its data in a bucket: a primary with billing data and an agent, then the older generations.

The tests run in the order of the file, over two clusters, one payer and one bucket of a third account; the older
generations have a bucket and a cluster of their own.
"""

from __future__ import annotations

import base64
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


@pytest.fixture(scope="module")
def older(sandbox: Sandbox) -> Installation:
    """A bucket and a cluster without billing data."""
    return Installation(sandbox, "fedold", number=46, payers=0, buckets=1)


@pytest.mark.parametrize(("generation", "chart"), [("2", "cost-analyzer"), ("1", "cost-analyzer-1")])
def test_older_generations_with_an_access_key_and_with_a_role(older: Installation, generation: str, chart: str) -> None:
    """Generation 2 by an access key, generation 1 by a role."""
    (cluster,) = older.clusters
    older.vars[cluster] |= {
        "kubecost_federated_storage_bucket": older.buckets[0],
        "kubecost_namespace": f"kubecost{generation}",
        "kubecost_release_name": f"kubecost{generation}",
        "kubecost_generation": generation,
        "kubecost_chart_ref": str(CHARTS / chart),
        "kubecost_federated_storage_identity_method": "access_key" if generation == "2" else "irsa",
    }
    run, again = (older.run("kubecost_federated_storage") for _run in range(2))
    assert run.ok, run.report
    assert run.outcome(cluster)["state"] == "done", run.outcome(cluster)
    assert steps(run, cluster)["put"] == "ok"
    found = older.pods(cluster, f"kubecost{generation}")
    mounted = {volume.secret.secret_name for pod in found for volume in pod.spec.volumes or [] if volume.secret}
    assert ("federated-store" if generation == "2" else "kubecost-thanos") in mounted
    assert again.outcome(cluster)["changes"] == []
    assert again.writes == []
    # What a run without change may take for a bucket and a cluster together.
    counted = [call for call in again.calls if call["kind"] in ("read", "write")]
    assert len(counted) <= CALLS, [f"{call['service']}:{call['operation']}" for call in counted]


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
