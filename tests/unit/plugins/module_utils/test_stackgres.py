# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the SGClusters of a cluster: problems, what is applied, what waits."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_identity import Place
from ansible_collections.kubestrap.aws.plugins.module_utils.stackgres import plan, secrets_of

ENTRY: dict[str, Any] = {"name": "orders", "namespace": "databases"}
PLACE: dict[str, Any] = {
    "option": "stackgres_backup_clusters",
    "cluster_name": "demo",
    "region": "eu-west-1",
    "account_id": "222222222222",
    "partition": "aws",
    "storages": {"backups": {"bucket": "store", "region": "eu-west-1", "versioned": True}},
    "bucket": "backups",
}
SERVED = {"sgobjectstorages": "v1beta1", "sgclusters": "v1", "sgshardedclusters": "v1alpha1"}
ROLE = "arn:aws:iam::222222222222:role/stackgres-demo-databases-orders"
CLUSTER = {"kind": "SGCluster", "metadata": {"name": "orders", "namespace": "databases"}, "spec": {"instances": 1}}


def found(**parts: Any) -> dict[str, Any]:
    return {"namespace": "databases", "name": "orders", "cluster": CLUSTER, "object_storage": None, **parts}


def made(*entries: dict[str, Any], seen: Any = None, **place: Any) -> dict[str, Any]:
    given = seen if seen is not None else {"clusters": [found()]}
    everything = {"served": SERVED, "operator": {"version": "1.18.6"}, **given}
    return plan(entries or (ENTRY,), everything, Place(**{**PLACE, **place}))


def problem(*entries: dict[str, Any], **options: Any) -> str:
    (only,) = made(*entries, **options)["problems"]
    return str(only)


def test_an_sgcluster_gets_its_role_and_its_backups() -> None:
    result = made()
    assert result["problems"] == []
    (cluster,) = result["clusters"]
    assert cluster["principal_arn"] == ROLE
    assert cluster["trusted"] == cluster["service_accounts"] == ["orders-patroni"]
    assert cluster["folder"] == "sgbackups.stackgres.io/databases/orders"
    assert [definition["kind"] for definition in cluster["apply"]] == ["SGObjectStorage", "SGCluster"]
    assert cluster["changes"] == [
        "write the SGObjectStorage databases/orders-backups",
        "write the backups of the SGCluster databases/orders",
    ]
    assert cluster["walg_version"] == "3.0.8"
    assert "s3:DeleteObjectVersion" in str(cluster["policy"]), "the bucket keeps versions"
    assert cluster["unannotated"] == ["orders-patroni"]
    assert (cluster["pending"], cluster["blocked"]) == ([], "")


def test_an_sgcluster_that_is_to_come_is_pending() -> None:
    result = made(seen={"clusters": [found(cluster=None)]})
    (cluster,) = result["clusters"]
    assert result["problems"] == []
    assert "does not exist yet" in cluster["pending"][0]
    assert [definition["kind"] for definition in cluster["apply"]] == ["SGObjectStorage"]


def test_shards_share_a_role_and_have_folders_of_their_own() -> None:
    sharded = {**CLUSTER, "spec": {"shards": {"clusters": 2}, "coordinator": {}}}
    (cluster,) = made({**ENTRY, "sharded": True}, seen={"clusters": [found(cluster=sharded)]})["clusters"]
    assert cluster["trusted"] == ["orders-*-patroni"]
    assert cluster["service_accounts"] == ["orders-coord-patroni", "orders-shard0-patroni", "orders-shard1-patroni"]
    assert cluster["folder"] == "sgbackups.stackgres.io/databases"
    assert cluster["pod_selectors"][1].endswith("in (orders-coord,orders-shard0,orders-shard1)")


def test_missing_crds_are_told_unless_the_operator_is_installed_first() -> None:
    nothing = {"served": {}, "operator": None, "clusters": []}
    told = made(seen=nothing, operator_version="1.18.6")["problems"]
    assert any("does not know sgobjectstorages, sgclusters" in text for text in told)
    assert made(seen=nothing, installing="1.18.6")["problems"] == []
    assert made({**ENTRY, "state": "absent"}, seen=nothing)["problems"] == []


@pytest.mark.parametrize(("operator", "cluster"), [("1.17.4", ""), ("1.18.2", "1.18.2"), ("1.18.6", "1.16.0")])
def test_old_versions_are_refused_or_get_a_key(operator: str, cluster: str) -> None:
    seen = {"operator": {"version": operator}, "clusters": [found(version=cluster)]}
    text = problem(seen=seen)
    assert "stackgres_backup_clusters[orders].identity_method: 'irsa' does not work here" in text
    assert "1.18.4" in text
    assert "stackgres_backup_when_too_old: access_key" in text
    result = made(seen=seen, when_too_old="access_key")
    assert result["problems"] == []
    (fallen,) = result["clusters"]
    assert fallen["identity_method"] == "access_key"
    assert ":user/" in fallen["principal_arn"]
    assert "has an access key, not a role" in fallen["notes"][0]
    assert made(seen=seen, identity_method="access_key")["problems"] == []


def test_a_bucket_of_another_region_is_refused_with_a_role_and_allowed_by_choice() -> None:
    storages = {"backups": {"bucket": "store", "region": "eu-west-3"}}
    assert "is in eu-west-3, and the cluster in eu-west-1" in problem(storages=storages)
    result = made({**ENTRY, "other_region": "custom_env"}, storages=storages)
    assert result["problems"] == []
    pods = result["clusters"][0]["apply"][1]["spec"]["pods"]
    assert pods == {"customEnv": {"patroni": [{"name": "AWS_REGION", "value": "eu-west-3"}]}}
    assert made(storages=storages, identity_method="access_key")["problems"] == []


@pytest.mark.parametrize("bucket", ["backups/prod", "s3://store/prod", "store/prod"])
def test_a_bucket_is_found_by_host_or_name_and_its_folder_followed(bucket: str) -> None:
    (cluster,) = made({**ENTRY, "bucket": bucket})["clusters"]
    assert (cluster["bucket_host"], cluster["bucket"], cluster["prefix"]) == ("backups", "store", "prod")
    assert cluster["apply"][0]["spec"]["s3"]["bucket"] == "store/prod"
    assert "arn:aws:s3:::store/prod/sgbackups.stackgres.io/databases/orders/*" in str(cluster["policy"])
    assert "neither a host of the group buckets" in problem({**ENTRY, "bucket": "nowhere"})


def test_a_field_of_somebody_else_is_told_and_not_taken() -> None:
    theirs = {
        **CLUSTER,
        "metadata": {
            **CLUSTER["metadata"],
            "managedFields": [
                {
                    "manager": "kubectl-client-side-apply",
                    "operation": "Update",
                    "fieldsV1": {"f:spec": {"f:configurations": {"f:backups": {}}}},
                }
            ],
        },
        "spec": {"configurations": {"backups": [{"sgObjectStorage": "theirs"}]}},
    }
    text = problem(seen={"clusters": [found(cluster=theirs)]})
    assert ".spec.configurations.backups of the SGCluster databases/orders" in text
    assert "kubectl-client-side-apply's" in text


def test_an_override_that_would_drop_the_role_is_told() -> None:
    override = {"index": 1, "metadata": {"annotations": {"clusterPods": {"a": "b"}}}}
    sharded = {**CLUSTER, "spec": {"shards": {"clusters": 2, "overrides": [override]}}}
    text = problem({**ENTRY, "sharded": True}, seen={"clusters": [found(cluster=sharded)]})
    assert "the override 1 of the shards of databases/orders" in text
    assert ROLE in text


def test_a_running_backup_keeps_the_object_storage_from_being_touched() -> None:
    storage = {"metadata": {"name": "orders-backups"}, "spec": {}}
    (cluster,) = made(seen={"clusters": [found(object_storage=storage, running_backups=["b1"])]})["clusters"]
    assert "is running (b1)" in cluster["blocked"]
    (first,) = made(seen={"clusters": [found(running_backups=["b1"])]})["clusters"]
    assert first["blocked"] == "", "one that does not exist yet disturbs nobody"


def test_secrets_of_the_user_have_to_have_their_keys() -> None:
    entry = {
        **ENTRY,
        "identity_method": "access_key",
        "secret": {"name": "mine", "existing": True},
        "encryption": {"method": "sodium", "key": {"name": "enc", "key": "k"}},
    }
    assert secrets_of(entry) == ["mine", "enc"]
    told = made(entry, seen={"clusters": [found(secrets={"mine": ["accessKeyId"], "enc": None})]})["problems"]
    assert "'secretAccessKey' is not a key of the Secret databases/mine. Its keys are: accessKeyId" in told[0]
    assert "the Secret 'enc' does not exist in the namespace databases" in told[1]
    there = {"mine": ["accessKeyId", "secretAccessKey"], "enc": ["k"]}
    result = made(entry, seen={"clusters": [found(secrets=there)]})
    assert result["problems"] == []
    assert (result["clusters"][0]["own_user"], result["clusters"][0]["principal_arn"]) == (False, "")


def test_what_each_has_for_itself_is_not_shared() -> None:
    other = {**ENTRY, "name": "other"}
    assert made(ENTRY, other)["problems"] == []
    assert "role_name: 'r' is the role of another" in problem({**ENTRY, "role_name": "r"}, {**other, "role_name": "r"})
    keys = {"identity_method": "access_key"}
    assert "is the Secret of another SGCluster too" in problem({**ENTRY, **keys}, {**other, **keys})
    assert "is the SGObjectStorage of another" in problem(
        {**ENTRY, "object_storage": "o"}, {**other, "object_storage": "o"}
    )
    assert any("name: 'orders' is there twice" in text for text in made(ENTRY, ENTRY)["problems"])


def test_a_long_name_of_a_role_keeps_what_tells_it_from_others() -> None:
    names = [made({**ENTRY, "name": f"{'a' * 40}{end}"}, seen={"clusters": []})["clusters"][0] for end in "xy"]
    assert all(len(each["role_name"]) == 64 for each in names)
    assert names[0]["role_name"] != names[1]["role_name"]


def test_a_restore_reads_the_old_folder_too() -> None:
    source = {"namespace": "databases", "name": "old", "bucket": "s3://store/before"}
    (cluster,) = made({**ENTRY, "restore_from": [source]})["clusters"]
    assert "arn:aws:s3:::store/before/sgbackups.stackgres.io/databases/old/*" in str(cluster["policy"])
    assert cluster["restore_hosts"] == [{"host": "backups", "folder": "before/sgbackups.stackgres.io/databases/old"}]


def test_what_goes_is_ours() -> None:
    ours = {
        "metadata": {"name": "orders-backups", "labels": {"app.kubernetes.io/managed-by": "kubestrap.aws"}},
        "spec": {},
    }
    mine = [{"manager": "kubestrap.aws", "operation": "Apply", "fieldsV1": {"f:spec": {"f:metadata": {}}}}]
    cluster = {**CLUSTER, "metadata": {**CLUSTER["metadata"], "managedFields": mine}}
    absent = {**ENTRY, "state": "absent"}
    (gone,) = made(absent, seen={"clusters": [found(cluster=cluster, object_storage=ours)]})["clusters"]
    assert [each["state"] for each in gone["remove"]["definitions"]] == ["applied", "absent"]
    assert gone["apply"] == []
    (shared,) = made(absent, seen={"clusters": [found(object_storage=ours, users=["orders", "other"])]})["clusters"]
    assert shared["remove"]["definitions"] == []
    assert shared["remove"]["kept"] == ["the SGObjectStorage orders-backups is used by other"]
    foreign = {"metadata": {"name": "orders-backups"}, "spec": {}}
    (kept,) = made(absent, seen={"clusters": [found(object_storage=foreign)]})["clusters"]
    assert "was not made by this collection" in kept["remove"]["kept"][0]
    running = {"object_storage": ours, "running_backups": ["b"]}
    (waits,) = made(absent, seen={"clusters": [found(**running)]})["clusters"]
    assert "is running (b)" in waits["blocked"]


def test_pods_and_accounts_without_the_role_are_named() -> None:
    seen = found(
        service_accounts=[{"name": "orders-patroni", "role_arn": ROLE}],
        pods=[{"cluster": "orders", "role_arn": ROLE}, {"cluster": "orders", "role_arn": ""}],
    )
    (cluster,) = made(seen={"clusters": [seen]})["clusters"]
    assert (cluster["unannotated"], cluster["without_role"]) == ([], ["orders"])


def test_mistakes_of_all_are_told_at_once() -> None:
    told = made({**ENTRY, "retention": 0}, {"name": "x"}, {**ENTRY, "name": "y", "bucket": "nowhere"})["problems"]
    assert len(told) == 3


def test_a_dry_run_asks_only_about_what_can_be_asked() -> None:
    (new,) = made(seen={"clusters": [found(namespace_exists=True)]})["clusters"]
    assert [each["kind"] for each in new["apply_in_check_mode"]] == ["SGObjectStorage"]
    (nowhere,) = made(seen={"clusters": [found(cluster=None)]})["clusters"]
    assert nowhere["apply_in_check_mode"] == []
    storage = {"metadata": {"name": "orders-backups"}, "spec": {}}
    (there,) = made(seen={"clusters": [found(namespace_exists=True, object_storage=storage)]})["clusters"]
    assert there["apply_in_check_mode"] == there["apply"]
    # A Secret that the run makes is not there before it.
    (keyed,) = made(
        {**ENTRY, "identity_method": "access_key"},
        seen={"clusters": [found(namespace_exists=True, object_storage=storage)]},
    )["clusters"]
    assert [each["kind"] for each in keyed["apply_in_check_mode"]] == ["SGCluster"]
    named = next(each for each in keyed["apply"] if each["kind"] == "SGObjectStorage")
    other = {
        "metadata": {"name": "orders-backups"},
        "spec": {**named["spec"], "s3": {**named["spec"]["s3"], "region": "x"}},
    }
    (again,) = made(
        {**ENTRY, "identity_method": "access_key"},
        seen={"clusters": [found(namespace_exists=True, object_storage=other)]},
    )["clusters"]
    assert again["apply_in_check_mode"] == again["apply"] != []
