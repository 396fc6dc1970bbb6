# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that are applied: our fields and no others."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_objects import (
    cluster_backups,
    cluster_without,
    object_storage,
    overrides_without,
    parts_of,
    paths_of,
)

ENTRY: dict[str, Any] = {"name": "orders", "namespace": "databases"}
ROLE = "arn:aws:iam::222222222222:role/orders"
MARK = "eks.amazonaws.com/role-arn"
OURS = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "kubestrap.aws"}}}


def storage(entry: dict[str, Any], role: bool = True, prefix: str = "", found: Any = None) -> dict[str, Any]:
    return object_storage({**ENTRY, **entry}, "store", "eu-west-1", prefix, role, found)


def test_a_role_has_no_keys_and_keys_have_no_role() -> None:
    assert storage({})["spec"] == {
        "type": "s3",
        "s3": {"bucket": "store", "region": "eu-west-1", "awsCredentials": {"useIAMRole": True}},
    }
    assert storage({}, role=False, prefix="prod")["spec"]["s3"] == {
        "bucket": "store/prod",
        "region": "eu-west-1",
        "awsCredentials": {
            "secretKeySelectors": {
                "accessKeyId": {"name": "s3-backup-secret", "key": "accessKeyId"},
                "secretAccessKey": {"name": "s3-backup-secret", "key": "secretAccessKey"},
            }
        },
    }


def test_another_endpoint() -> None:
    entry = {
        "type": "s3Compatible",
        "endpoint": "https://s3.example.com",
        "path_style": True,
        "storage_class": "STANDARD_IA",
        "ca_certificate": {"name": "ca", "key": "ca.crt", "more": "x"},
    }
    spec = storage(entry, role=False)["spec"]
    assert spec["type"] == "s3Compatible"
    place = spec["s3Compatible"]
    assert place["endpoint"] == "https://s3.example.com"
    assert place["enablePathStyleAddressing"] is True
    assert place["storageClass"] == "STANDARD_IA"
    assert place["awsCredentials"]["secretKeySelectors"]["caCertificate"] == {"name": "ca", "key": "ca.crt"}


def test_encryption_by_the_client() -> None:
    key, phrase = {"name": "k", "key": "key"}, {"name": "k", "key": "phrase"}
    sodium = storage({"encryption": {"method": "sodium", "key": key, "key_transform": "hex"}})["spec"]["encryption"]
    assert sodium == {"method": "sodium", "sodium": {"key": key, "keyTransform": "hex"}}
    openpgp = storage({"encryption": {"method": "openpgp", "key": key, "passphrase": phrase}})["spec"]["encryption"]
    assert openpgp == {"method": "openpgp", "openpgp": {"key": key, "keyPassphrase": phrase}}


def test_only_what_we_make_is_marked_as_ours() -> None:
    assert storage({})["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "kubestrap.aws"}
    assert "labels" in storage({}, found=OURS)["metadata"]
    assert "labels" not in storage({}, found={"metadata": {}})["metadata"]
    assert storage({})["metadata"]["name"] == "orders-backups"
    assert storage({"object_storage": "mine"})["metadata"]["name"] == "mine"


def test_an_sgcluster_keeps_what_it_has_of_its_backups() -> None:
    found = {
        "spec": {
            "instances": 3,
            "configurations": {
                "backups": [
                    {"sgObjectStorage": "old", "path": "p", "timeout": 9, "performance": {"uploadConcurrency": 2}},
                    {"sgObjectStorage": "second"},
                ]
            },
        }
    }
    entry = {**ENTRY, "cron_schedule": "0 5 * * *", "retention": "7", "performance": {"max_disk_bandwidth": 10}}
    made = cluster_backups(entry, found, "v1", ROLE)
    assert made["spec"] == {
        "configurations": {
            "backups": [
                {
                    "sgObjectStorage": "orders-backups",
                    "path": "p",
                    "timeout": 9,
                    "cronSchedule": "0 5 * * *",
                    "retention": 7,
                    "performance": {"uploadConcurrency": 2, "maxDiskBandwidth": 10},
                },
                {"sgObjectStorage": "second"},
            ]
        },
        "metadata": {"annotations": {"serviceAccount": {MARK: ROLE}}},
    }
    assert found["spec"]["configurations"]["backups"][0]["sgObjectStorage"] == "old"
    assert "metadata" not in cluster_backups(entry, found, "v1")["spec"]


def test_another_region_is_written_into_the_pods_beside_what_they_have() -> None:
    variables = [{"name": "A", "value": "1"}, {"name": "AWS_REGION", "value": "x"}]
    found = {"spec": {"pods": {"customEnv": {"patroni": variables}}}}
    made = cluster_backups(ENTRY, found, "v1", ROLE, "eu-west-3")
    assert made["spec"]["pods"]["customEnv"] == {
        "patroni": [{"name": "A", "value": "1"}, {"name": "AWS_REGION", "value": "eu-west-3"}]
    }
    sharded = cluster_backups({**ENTRY, "sharded": True}, {"spec": {}}, "v1alpha1", ROLE, "eu-west-3")["spec"]
    for part in ("coordinator", "shards"):
        assert sharded[part]["pods"]["customEnv"]["patroni"] == [{"name": "AWS_REGION", "value": "eu-west-3"}]


def test_parts_with_annotations_of_their_own_get_the_role_too() -> None:
    own = {"metadata": {"annotations": {"clusterPods": {"x": "y"}}}}
    found = {"spec": {"coordinator": own, "shards": {"clusters": 2, "overrides": [{"index": 1, **own}, {"index": 0}]}}}
    made = cluster_backups({**ENTRY, "sharded": True}, found, "v1alpha1", ROLE)
    annotated = {"annotations": {"serviceAccount": {MARK: ROLE}}}
    assert (made["kind"], made["apiVersion"]) == ("SGShardedCluster", "stackgres.io/v1alpha1")
    assert made["spec"]["metadata"] == annotated
    assert made["spec"]["coordinator"] == {"metadata": annotated}
    assert "shards" not in made["spec"]
    assert overrides_without(found, ROLE) == ["1"]
    found["spec"]["shards"]["overrides"][0] = {"index": 1, "metadata": annotated}  # type: ignore[index]
    assert overrides_without(found, ROLE) == []


def test_names_and_paths() -> None:
    found = {
        "spec": {"shards": {"clusters": 2}, "configurations": {"backups": [{"paths": ["a", "b"]}]}},
        "status": {"backupPaths": ["c"]},
    }
    assert parts_of({**ENTRY, "sharded": True}, found) == ["orders-coord", "orders-shard0", "orders-shard1"]
    assert parts_of(ENTRY, None) == ["orders"]
    assert paths_of(found) == ["a", "b", "c"]
    assert paths_of(None) == []


def test_what_goes_leaves_the_rest() -> None:
    assert "spec" not in cluster_without(ENTRY, "v1")
