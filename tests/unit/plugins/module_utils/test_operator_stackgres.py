# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights of whoever gives SGClusters their backups. That they are enough and needed: integration tests."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils.operator_stackgres import (
    stackgres_backup_operator,
    stackgres_backup_rbac,
)

PLACE: dict[str, Any] = {
    "partition": "aws",
    "account_id": "222222222222",
    "region": "eu-west-1",
    "cluster_name": "demo",
}


def resources(policy: list[dict[str, Any]], sid: str) -> list[str]:
    (found,) = [statement["Resource"] for statement in policy if statement["Sid"] == sid]
    return [found] if isinstance(found, str) else found


def test_several_roles_and_users_are_in_one_policy_without_a_sid_twice() -> None:
    policy = stackgres_backup_operator(**PLACE, role_names=["one", "two"], user_names=["three"])
    sids = [statement["Sid"] for statement in policy]
    assert len(set(sids)) == len(sids)
    assert {f"arn:aws:iam::222222222222:role/{name}" for name in ("one", "two")} <= set(resources(policy, "ReadRole"))
    assert resources(policy, "MakeAccessKey") == ["arn:aws:iam::222222222222:user/three"]
    assert resources(policy, "ReadCluster") == ["arn:aws:eks:eu-west-1:222222222222:cluster/demo"]


def test_the_proof_is_swept_away_in_the_folders_of_the_clusters() -> None:
    policy = stackgres_backup_operator(**PLACE, role_names=["one"], bucket="store", clusters=["db/orders", "db/other"])
    swept = resources(policy, "SweepProbe")
    for name in ("orders", "other"):
        assert f"arn:aws:s3:::store/sgbackups.stackgres.io/db/{name}/kubestrap-probe/*" in swept


@pytest.mark.parametrize(
    ("given", "says"),
    [({}, "role_names"), ({"role_names": ["one"], "clusters": ["orders"]}, "clusters: 'orders' is not an SGCluster")],
)
def test_what_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleAWSError, match=says):
        stackgres_backup_operator(**PLACE, **given)


def verbs(**options: bool) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for manifest in stackgres_backup_rbac(namespace="db", **options):
        for rule in manifest.get("rules", []):
            for resource in rule["resources"]:
                found.setdefault(resource, set()).update(rule["verbs"])
    return found


def test_each_choice_brings_its_rights_in_the_cluster() -> None:
    everything = verbs()
    assert "create" in everything["sgdbops"]
    assert "create" in everything["sgbackups"]
    least = verbs(irsa=False, access_key=False, restart=False, backup_now=False)
    assert least["sgbackups"] == {"list"}
    assert not {"secrets", "sgdbops", "serviceaccounts/token"} & set(least)
    assert verbs(restart=False)["sgdbops"] == {"list"}
    assert not any("delete" in found for resource, found in everything.items() if resource == "sgbackups")


def test_the_operator_is_looked_at_in_its_own_namespace() -> None:
    places = [
        manifest["metadata"].get("namespace")
        for manifest in stackgres_backup_rbac(namespace="db", operator_namespace="sg")
        if any("deployments" in rule["resources"] for rule in manifest.get("rules", []))
    ]
    assert places == ["sg"]
