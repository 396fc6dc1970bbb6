# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other clouds, and entries of others in the Secret: they stay, ours come and go beside them, and no value is shown.

Cluster `clouds` has a Secret with an entry for Azure and a key of its own, and is given one for Google, in the old
form. The Secret of
cluster `clouds2` contradicts ours.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from integration.installation import Installation, Run
from sandbox.client import Sandbox

PAYER, PAYER2, ONE, TWO = "clouds-payer", "clouds-payer2", "clouds", "clouds2"
HUSH = ["hush-of-azure", "hush-of-google", "hush-of-google-2", "hush-workgroup"]
AZURE = {
    "subscriptionID": "sub-1",
    "account": "billing",
    "container": "costs",
    "path": "",
    "cloud": "public",
    "authorizer": {"authorizerType": "AzureAccessKey", "accessKey": HUSH[0], "account": "billing"},
}


def google(secret: str) -> dict[str, Any]:
    """What the user gives."""
    key = {"type": "service_account", "private_key": secret}
    authorizer = {"authorizerType": "GCPServiceAccountKey", "key": key}
    entry = {"projectID": "project-1", "dataset": "billing", "table": "export", "authorizer": authorizer}
    return {"gcp": {"bigQuery": [entry]}}


def old_google(secret: str) -> dict[str, Any]:
    """The same as Kubecost 1 and 2 have it."""
    key = {"type": "service_account", "private_key": secret}
    return {"gcp": [{"projectID": "project-1", "billingDataDataset": "billing.export", "key": key}]}


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Installation:
    """Two clusters in which somebody has made a Secret."""
    made = Installation(sandbox, "clouds", number=34, payers=2, clusters=2)
    made.vars[PAYER2] = {**made.vars[PAYER], "billing_data_report_name": "second", "billing_data_database": "second"}
    made.vars[ONE]["kubecost_other_cloud_integrations"] = old_google(HUSH[1])
    contradiction = {
        "account": made.account(PAYER),
        "bucket": f"s3://kubestrap-athena-{made.account(PAYER)}-us-east-1/kubecost",
        "workgroup": HUSH[3],
    }
    for cluster, document in ((ONE, {"azure": {"storage": [AZURE]}}), (TWO, {"aws": {"athena": [contradiction]}})):
        core = made.core(cluster)
        core.create_namespace({"metadata": {"name": "kubecost"}})
        data = {"cloud-integration.json": json.dumps(document), "theirs": "1"}
        core.create_namespaced_secret("kubecost", {"metadata": {"name": "cloud-integration"}, "stringData": data})
    return made


class Story:
    """The runs in their order, and what was looked at between them."""

    def __init__(self, place: Installation) -> None:
        good = json.loads(json.dumps(place.vars))
        place.vars[ONE]["kubecost_other_cloud_integrations"] = {"azure": [{"azureStorageAccessKey": HUSH[0]}]}
        place.vars[TWO]["kubecost_payers"] = [PAYER, PAYER2]
        self.refused = place.run("kubecost")
        place.vars |= good
        place.payers.remove(PAYER2)
        self.first = place.run("kubecost", diff=True, arguments=("-vvv",))
        self.document, self.data = document(place, ONE), data(place, ONE)
        self.theirs = document(place, TWO)
        self.pods = {pod.metadata.uid for pod in place.pods(ONE)}
        place.clusters.remove(TWO)
        self.unchanged = place.run("kubecost", check=True, diff=True)
        place.vars[ONE]["kubecost_other_cloud_integrations"] = google(HUSH[2])
        self.changed = place.run("kubecost", diff=True, arguments=("-vvv",))
        self.new_pods = {pod.metadata.uid for pod in place.pods(ONE)}
        self.gone = place.run("teardown", diff=True)
        self.left, self.left_data = document(place, ONE), data(place, ONE)


def data(place: Installation, cluster: str) -> dict[str, str]:
    """What the Secret of a cluster has."""
    return place.core(cluster).read_namespaced_secret("cloud-integration", "kubecost").data


def document(place: Installation, cluster: str) -> Any:
    """The cloud integration of a cluster."""
    return json.loads(base64.b64decode(data(place, cluster)["cloud-integration.json"]))


@pytest.fixture(scope="module")
def story(place: Installation) -> Story:
    """All runs."""
    return Story(place)


def prepared(run: Run) -> str:
    """The diff of the Secret."""
    step = "kubestrap.aws.kubecost : Write the namespace, the cloud integration and the ServiceAccount"
    return run.task(step, ONE).result["diff"][-1]["prepared"]


def test_a_broken_entry_and_two_payers_in_one_place_are_refused_before_the_first_write(story: Story) -> None:
    assert story.refused.rc == 2
    assert "others.azure[0].azureSubscriptionID: '' is missing" in story.refused.report
    assert f"the payers {PAYER}, {PAYER2} of {TWO} have results in the same place" in story.refused.report
    assert "billing_data_results_prefix" in story.refused.report
    assert story.refused.writes == story.refused.kube_writes == []


def test_ours_theirs_and_the_given_ones_are_one_document(place: Installation, story: Story) -> None:
    assert story.first.outcome(ONE)["state"] == "pending", story.first.report
    assert story.document["azure"] == {"storage": [AZURE]}
    assert story.document["gcp"] == google(HUSH[1])["gcp"]
    (entry,) = story.document["aws"]["athena"]
    assert entry["account"] == place.account(PAYER)
    assert base64.b64decode(story.data["theirs"]) == b"1"
    assert story.first.links(ONE)["secret"] == "ok"


def test_a_secret_that_contradicts_ours_is_refused_by_place(place: Installation, story: Story) -> None:
    assert story.first.rc == 2
    assert story.first.outcome(TWO)["state"] == "failed"
    assert "secret: 'cloud-integration' has an entry aws" in story.first.notes(TWO)
    assert "aws.athena[0].workgroup" in story.first.notes(TWO)
    assert story.theirs["aws"]["athena"][0]["workgroup"] == HUSH[3]


def test_the_diff_names_entries_and_fields(place: Installation, story: Story) -> None:
    assert "+ gcp project-1/billing.export" in prepared(story.first)
    assert f"+ aws {place.account(PAYER)}/s3://kubestrap-athena-" in prepared(story.first)
    assert "azure" not in prepared(story.first)
    assert "~ gcp project-1/billing.export: authorizer.key.private_key" in prepared(story.changed)


def test_a_run_without_change_predicts_nothing(story: Story) -> None:
    assert story.unchanged.ok, story.unchanged.report
    assert story.unchanged.changes[ONE] == []
    assert story.unchanged.kube_writes == []


def test_pods_are_made_anew_when_an_entry_of_another_cloud_changes(story: Story) -> None:
    assert story.changed.ok, story.changed.report
    assert story.changed.changes[ONE] == [
        "write the Secret cloud-integration in the namespace kubecost",
        "install or update the release kubecost",
    ]
    assert story.pods - story.new_pods


def test_teardown_takes_only_our_entries_out(story: Story) -> None:
    assert story.gone.ok, story.gone.report
    assert story.left == {"azure": {"storage": [AZURE]}}
    assert base64.b64decode(story.left_data["theirs"]) == b"1"
    assert "take our entries out of the Secret cloud-integration" in story.gone.changes[ONE]
    assert "Kept: the Secret cloud-integration has entries that are not ours" in story.gone.notes(ONE)


def test_no_value_is_shown_anywhere(story: Story) -> None:
    for run in (story.refused, story.first, story.unchanged, story.changed, story.gone):
        for secret in HUSH:
            assert secret not in run.stdout + run.stderr
            assert base64.b64encode(secret.encode()).decode().rstrip("=") not in run.stdout
