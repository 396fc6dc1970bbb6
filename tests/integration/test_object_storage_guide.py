# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook of the page guide_object_storage as it stands there; cluster and bucket are in different accounts."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.installation import Installation, Run
from kubernetes import client
from sandbox.client import Sandbox

PAGE = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "guide_object_storage.rst"
ACCOUNTS = ("prometheus-server", "thanos-store", "thanos-compact")
BUCKET, CLUSTER = "example-thanos", "prod-eu"


def blocks() -> list[Any]:
    """The YAML of the page: the inventory and the playbook."""
    found = re.findall(r"\.\. code-block:: yaml\n\n((?:    .*\n|\n)+)", PAGE.read_text())
    return [yaml.safe_load(text) for text in found]


class Story:
    """Two runs and what they left behind."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.place = place = Installation(sandbox, "thanos", number=41, clusters=0)
        sandbox.add_cluster(CLUSTER, place.cluster_account, "eu-west-1")
        core = place.core(CLUSTER)
        core.create_namespace({"metadata": {"name": "thanos"}})
        for name in ACCOUNTS:
            core.create_namespaced_service_account("thanos", {"metadata": {"name": name}})
        inventory, self.playbook = blocks()
        groups = inventory["all"]["children"]
        bucket = groups["buckets"]["hosts"]["thanos-bucket"]
        bucket |= {
            "kubestrap_aws_profile": place.payers[0],
            "kubestrap_account_id": place.account(place.payers[0]),
            "workload_storage_shared_with": [{"role_arn": self.role_arn, "prefix": CLUSTER}],
        }
        groups["clusters"]["hosts"][CLUSTER]["kubestrap_aws_profile"] = "thanos-cluster"
        self.inventory = groups
        self.predicted = self.run(check=True)
        self.first = self.run(diff=True)
        self.second = self.run()

    @property
    def role_arn(self) -> str:
        """The role of Thanos."""
        return f"arn:aws:iam::{self.place.cluster_account}:role/thanos-{CLUSTER}"

    def run(self, **options: Any) -> Run:
        """The page's playbook with the page's inventory."""
        return self.place.run(self.playbook, inventory=self.inventory, **options)


@pytest.fixture(scope="module")
def story(sandbox: Sandbox) -> Story:
    return Story(sandbox)


def test_it_ends_with_a_proof(story: Story) -> None:
    assert story.first.ok, story.first.report
    proof = story.first.task("Prove that every call will work", CLUSTER).result["proof"]
    assert proof["state"] == "proved"
    assert proof["left"] == []
    proved = {(link["identity"], link["link"]) for link in proof["links"] if link["state"] == "ok"}
    assert {(f"thanos:{name}", "role") for name in ACCOUNTS} <= proved
    assert {"list", "put", "get", "encryption", "multipart", "delete", "outside"} <= {link for _who, link in proved}


def test_what_thanos_reads_and_is(story: Story) -> None:
    core: client.CoreV1Api = story.place.core(CLUSTER)
    secret = core.read_namespaced_secret("thanos-object-store", "thanos")
    document = yaml.safe_load(base64.b64decode(secret.data["object-store.yaml"]))
    assert document == {
        "type": "S3",
        "config": {"bucket": BUCKET, "endpoint": "s3.eu-west-1.amazonaws.com", "region": "eu-west-1"},
        "prefix": CLUSTER,
    }
    for name in ACCOUNTS:
        account = core.read_namespaced_service_account(name, "thanos")
        assert account.metadata.annotations == {"eks.amazonaws.com/role-arn": story.role_arn}


def test_check_mode_writes_nothing(story: Story) -> None:
    assert story.predicted.writes == []


def test_a_second_run_changes_nothing(story: Story) -> None:
    """But for the probe's own object, which comes and goes."""
    assert story.second.ok, story.second.report
    assert story.second.changed_steps == []
    probe = [write for write in story.second.writes if "kubestrap-probe" not in write]
    assert probe == []
    assert story.second.count(kind="read") <= 20
