# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook stackgres_backup: SGClusters and SGShardedClusters of one namespace, with roles and with access keys."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from integration.databases import GROUP, NAMESPACE, PLAIN, PODS, ROLE, Databases, until
from integration.installation import CHARTS, Installation
from sandbox.client import Sandbox

NUMBER = 47
# What a run without change may take for a bucket and an SGCluster together.
CALLS = 16
# What somebody else has written into an SGCluster.
THEIRS: dict[str, Any] = {
    **PLAIN,
    "pods": {**PODS, "customEnv": {"patroni": [{"name": "THEIRS", "value": "kept"}]}},
    "metadata": {"labels": {"clusterPods": {"team": "orders"}}, "annotations": {"serviceAccount": {"theirs": "kept"}}},
}
SHARDED: dict[str, Any] = {
    "database": "app",
    "postgres": {"version": "16.6"},
    "coordinator": {"instances": 1, "pods": PODS, "metadata": {"annotations": {"clusterPods": {"a": "b"}}}},
    "shards": {"clusters": 1, "instancesPerCluster": 1, "pods": PODS},
}
ENTRIES: dict[str, dict[str, Any]] = {
    "orders": {"cron_schedule": "0 5 * * *", "retention": 7, "compression": "zstd", "storage_class": "STANDARD_IA"},
    "events": {"sharded": True, "restart": True, "cron_schedule": "0 3 * * *"},
    "keyed": {"identity_method": "access_key", "user_name": "stackgres-backup-user"},
    "parts": {"identity_method": "access_key", "sharded": True, "secret": {"name": "parts-secret"}},
    "later": {"cron_schedule": "0 4 * * *", "prefix": "prod/eu"},
}


class Story(Databases):
    """The runs, in their order.

    :ivar bare: a run without the operator
    :ivar installed: the one that installs it, for an SGCluster that does not exist yet
    :ivar before: the spec of an SGCluster as somebody else has made it
    :ivar predicted: check mode from nothing
    :ivar first: the run after it; the pods of one SGCluster run without the role then
    :ivar second: the run that starts them anew, and makes a backup
    """

    def __init__(self, sandbox: Sandbox) -> None:
        place = Installation(sandbox, "stackgres", number=NUMBER, payers=0, clusters=1, buckets=2)
        super().__init__(place)
        # The other one comes in when all is taken away.
        self.bucket, self.thanos = place.buckets
        place.buckets = [self.bucket]
        place.vars[self.bucket] |= {
            "kubestrap_aws_profile": place.vars[self.cluster]["kubestrap_aws_profile"],
            "kubestrap_account_id": place.cluster_account,
        }
        place.vars[self.cluster] |= {
            "stackgres_backup_bucket": self.bucket,
            "stackgres_backup_clusters": self.entries(),
            "kubestrap_tags": {"team": "databases"},
        }
        # No operator yet; then the role installs it, for an SGCluster that is to come.
        self.bare = self.run(rc=2)
        sandbox.stackgres(self.cluster, operator=False)
        chart = {
            "stackgres_backup_chart_ref": str(CHARTS / "stackgres-operator"),
            "stackgres_backup_chart_repository": "",
        }
        self.installed = self.run(
            entries=self.entries()[-1:], extra_vars={**chart, "stackgres_backup_install_operator": True}
        )
        for name in ("orders", "keyed"):
            self.make("sgclusters", name, THEIRS)
        for name in ("events", "parts"):
            self.make("sgshardedclusters", name, SHARDED)
        for name in ("orders-0", "events-coord-0", "events-shard0-0", "keyed-0", "parts-shard0-0"):
            until(lambda name=name: self.runs(name), f"{name} does not run")
        self.before = self.get("sgclusters", "orders")["spec"]
        self.predicted = self.run(check=True, diff=True)
        self.first = self.run(diff=True)
        self.second = self.run(entries=self.entries(orders={"restart": True, "backup_now": True}))

    @staticmethod
    def entries(**changes: dict[str, Any]) -> list[dict[str, Any]]:
        """The list of the inventory; an entry of its own for a name that is not among them."""
        names = [*ENTRIES, *(name for name in changes if name not in ENTRIES)]
        return [
            {"name": name, "namespace": NAMESPACE, **ENTRIES.get(name, {}), **changes.get(name, {})} for name in names
        ]


@pytest.fixture(scope="module")
def story(sandbox: Sandbox) -> Story:
    return Story(sandbox)


def test_check_mode_predicts_what_the_run_then_makes(story: Story) -> None:
    assert story.predicted.writes == []
    assert story.predicted.kube_writes == []
    predicted, first = story.predicted.outcome(story.cluster), story.first.outcome(story.cluster)
    started = [change for change in first["changes"] if change.startswith("start the pods anew of ")]
    # A dry run has no pods with an annotated ServiceAccount, but knows which run without the role.
    assert started == [f"start the pods anew of {part}" for part in ("events-coord", "events-shard0")]
    assert [c for c in predicted["changes"] if c not in started] == [c for c in first["changes"] if c not in started]
    for name in ("orders", "events"):
        assert story.outcome(story.predicted, name)["principal_arn"] == story.role_arn(name)


def test_an_sgcluster_gets_its_backups_and_keeps_the_rest_of_its_spec(story: Story) -> None:
    spec = story.get("sgclusters", "orders")["spec"]
    (backup,) = spec["configurations"]["backups"]
    assert backup.pop("path").startswith(f"sgbackups.stackgres.io/{NAMESPACE}/orders/")
    assert backup == {
        "sgObjectStorage": "orders-backups",
        "cronSchedule": "0 5 * * *",
        "retention": 7,
        "compression": "zstd",
        "reconciliationTimeout": 300,  # the API server fills that in
    }
    annotations = spec["metadata"]["annotations"]["serviceAccount"]
    assert annotations.pop(ROLE) == story.role_arn("orders")
    del spec["configurations"]["backups"]
    before = copy.deepcopy(story.before)
    before.setdefault("configurations", {})
    assert json.dumps(spec, sort_keys=True) == json.dumps(before, sort_keys=True)
    storage = story.get("sgobjectstorages", "orders-backups")["spec"]
    assert storage == {
        "type": "s3",
        "s3": {
            "bucket": f"store-of-{story.bucket}",
            "region": "eu-west-1",
            "storageClass": "STANDARD_IA",
            "awsCredentials": {"useIAMRole": True},
        },
    }


def test_pods_without_the_role_are_named_and_started_anew_only_when_asked(story: Story) -> None:
    first = story.outcome(story.first, "orders")
    assert first["state"] == "pending"
    assert "restart: true" in " ".join(first["notes"])
    assert "pods" in {link["link"] for link in first["links"] if link["state"] == "pending"}
    second = story.outcome(story.second, "orders")
    assert second["state"] == "done", second
    assert "start the pods anew of orders" in second["changes"]
    assert story.environment("orders-0")["AWS_ROLE_ARN"] == story.role_arn("orders")


def test_a_backup_is_made_with_the_role_and_followed_to_its_end(story: Story) -> None:
    rows = {row[0]: row[1] for row in story.outcome(story.second, "orders")["proof"]}
    (backup,) = [name for name in rows if name.startswith("backup ")]
    assert rows[backup] == "Completed"
    made = story.get("sgbackups", backup.removeprefix("backup "))
    assert made["spec"]["managedLifecycle"] is True


def test_the_proof_is_made_with_the_pods_own_identity_in_the_clusters_own_folder(story: Story) -> None:
    for name, run in (
        ("orders", story.second),
        ("events", story.first),
        ("keyed", story.first),
        ("parts", story.first),
    ):
        outcome = story.outcome(run, name)
        states = {link["link"]: link["state"] for link in outcome["links"]}
        assert set(states.values()) == {"ok"}, outcome["links"]
        assert {"list", "put", "get", "multipart", "delete", "outside"} <= set(states)
        assert ("access_key" in states) == (name in ("keyed", "parts"))
    trusted = {link["identity"] for link in story.outcome(story.first, "events")["links"]}
    assert {f"{NAMESPACE}:events-coord-patroni", f"{NAMESPACE}:events-shard0-patroni"} <= trusted


def test_a_role_trusts_the_pods_of_its_database_alone(story: Story) -> None:
    """Not the account of the backup Job, which only starts WAL-G in the pods; and no token for another audience."""
    iam, issuer = story.aws.client("iam"), story.place.sandbox.state["clusters"][story.cluster]["issuer"]
    host = issuer.removeprefix("https://")
    for name, operation, subject in (
        ("orders", "StringEquals", "orders-patroni"),
        ("events", "StringLike", "events-*-patroni"),
    ):
        role = iam.get_role(RoleName=story.role_arn(name).rpartition("/")[2])["Role"]
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        conditions = statement["Condition"]
        assert conditions[operation][f"{host}:sub"] == f"system:serviceaccount:{NAMESPACE}:{subject}"
        assert conditions["StringEquals"][f"{host}:aud"] == "sts.amazonaws.com"


def test_shards_get_the_role_where_they_have_annotations_of_their_own(story: Story) -> None:
    spec = story.get("sgshardedclusters", "events")["spec"]
    assert spec["coordinator"]["metadata"]["annotations"] == {
        "clusterPods": {"a": "b"},
        "serviceAccount": {ROLE: story.role_arn("events")},
    }
    assert len(spec["configurations"]["backups"][0]["paths"]) == 2
    for pod in ("events-coord-0", "events-shard0-0"):
        assert story.environment(pod)["AWS_ROLE_ARN"] == story.role_arn("events")


def test_a_key_is_in_the_secret_and_nowhere_else(story: Story) -> None:
    secret = story.core.read_namespaced_secret("s3-backup-secret", NAMESPACE)
    pair = {key: base64.b64decode(value).decode() for key, value in secret.data.items()}
    assert set(pair) == {"accessKeyId", "secretAccessKey"}
    for run in (story.predicted, story.first, story.second):
        assert pair["secretAccessKey"] not in run.stdout + run.stderr
    iam = story.aws.client("iam")
    (key,) = iam.list_access_keys(UserName="stackgres-backup-user")["AccessKeyMetadata"]
    assert key["AccessKeyId"] == pair["accessKeyId"]
    assert iam.list_user_policies(UserName="stackgres-backup-user")["PolicyNames"] == ["stackgres-backup"]
    selectors = story.get("sgobjectstorages", "parts-backups")["spec"]["s3"]["awsCredentials"]["secretKeySelectors"]
    assert selectors["accessKeyId"] == {"name": "parts-secret", "key": "accessKeyId"}


def test_without_its_kinds_nothing_is_written(story: Story) -> None:
    assert "does not know sgobjectstorages, sgclusters" in story.bare.report
    assert "stackgres_backup_install_operator: true" in story.bare.report
    assert (story.bare.writes, story.bare.kube_writes) == ([], [])


def test_the_operator_is_installed_first_where_that_is_asked_for(story: Story) -> None:
    changes = story.installed.outcome(story.cluster)["changes"]
    assert changes[0] == "install the operator stackgres-operator"
    assert f"make the namespace {NAMESPACE}" in changes


def test_one_that_does_not_exist_yet_has_all_that_it_needs(story: Story) -> None:
    outcome = story.outcome(story.installed, "later")
    assert outcome["state"] == "pending"
    assert story.outcome(story.first, "later")["changes"] == []
    assert "does not exist yet" in " ".join(outcome["notes"])
    assert story.get("sgobjectstorages", "later-backups")["spec"]["s3"]["bucket"] == f"store-of-{story.bucket}/prod/eu"
    policy = story.aws.client("iam").get_role_policy(
        RoleName=story.role_arn("later").rpartition("/")[2], PolicyName="stackgres-backup"
    )
    assert f"store-of-{story.bucket}/prod/eu/sgbackups.stackgres.io/{NAMESPACE}/later/*" in str(
        policy["PolicyDocument"]
    )


def test_a_run_without_change_writes_nothing_and_takes_few_calls(story: Story) -> None:
    run = story.run(entries=story.entries()[:1])
    assert run.outcome(story.cluster)["state"] == "done", run.outcome(story.cluster)
    assert run.changes == {host: [] for host in run.changes}
    assert run.writes == []
    assert run.kube_writes == []
    counted = [call for call in run.calls if call["kind"] in ("read", "write")]
    print(run.in_numbers(), [f"{call['service']}:{call['operation']}" for call in counted])
    assert len(counted) <= CALLS


def test_a_running_backup_keeps_its_object_storage_from_being_touched(story: Story) -> None:
    story.place.sandbox.stackgres(story.cluster, hold=True)
    story.make("sgbackups", "theirs", {"sgCluster": "orders", "managedLifecycle": False})

    def status() -> str:
        return ((story.get("sgbackups", "theirs").get("status") or {}).get("process") or {}).get("status", "")

    until(lambda: status() == "Running", "the backup does not run")
    version = story.get("sgobjectstorages", "orders-backups")["metadata"]["resourceVersion"]
    entries = story.entries(orders={"storage_class": "STANDARD"})[:1]
    try:
        run = story.run(entries=entries)
        gone = story.run(entries=[{**entries[0], "state": "absent"}])
    finally:
        story.place.sandbox.stackgres(story.cluster, hold=False)
    for each in (run, gone):
        assert story.outcome(each, "orders")["state"] == "pending"
        assert "is running (theirs)" in each.notes(story.cluster)
    assert story.get("sgobjectstorages", "orders-backups")["metadata"]["resourceVersion"] == version
    until(lambda: status() == "Completed", "the backup does not end")


def test_mistakes_are_named_before_the_first_write(story: Story) -> None:
    backups = [{"sgObjectStorage": "orders-backups", "retention": 3}]
    story.make("sgclusters", "taken", {**THEIRS, "configurations": {"backups": backups}})
    story.core.create_namespaced_secret(NAMESPACE, {"metadata": {"name": "mine"}, "stringData": {"accessKeyId": "x"}})
    key = {"identity_method": "access_key"}
    run = story.run(
        rc=2,
        entries=story.entries(
            orders={"storage_class": "GLACIER"},
            events={"cron_schedule": "0 5 0 0 0"},
            keyed={"retention": 0},
            parts={"secret": {"name": "parts-secret", "namespace": "elsewhere"}},
            later={"type": "s3Compatible", "endpoint": "https://s3.example.com"},
            given={**key, "secret": {"name": "mine", "existing": True}},
            nowhere={"bucket": "s3://nowhere/prefix"},
            podded={"identity_method": "pod_identity"},
            taken={"retention": 9},
        ),
    )
    for text in (
        "[orders].storage_class: 'GLACIER'",
        "[events].cron_schedule: '0 5 0 0 0' has '0' as day of the month",
        "[keyed].retention: '0' is less than 1",
        "[parts].secret.namespace: 'elsewhere' is not the SGCluster's namespace",
        "[later].type: 's3Compatible' knows no role",
        "[given].secret: 'secretAccessKey' is not a key of the Secret databases/mine",
        "[nowhere].bucket: 's3://nowhere/prefix' is neither a host",
        "[podded].identity_method: 'pod_identity' is not available yet",
        "[taken]: .spec.configurations.backups of the SGCluster databases/taken says something else, and is "
        "kubectl-create's",
    ):
        assert text in run.report, text
    assert run.writes == []
    assert run.kube_writes == []
    story.custom.delete_namespaced_custom_object(GROUP, "v1", NAMESPACE, "sgclusters", "taken")


def test_an_operator_that_is_too_old_is_refused_and_a_key_is_a_choice(story: Story) -> None:
    sandbox = story.place.sandbox
    try:
        sandbox.stackgres(story.cluster, operator="1.18.1")
        refused = story.run(entries=story.entries()[:1], rc=2)
        choice = {"stackgres_backup_when_too_old": "access_key"}
        keyed = story.entries(orders={"secret": {"name": "orders-secret"}})[:1]
        fallen = story.run(entries=keyed, check=True, extra_vars=choice)
    finally:
        sandbox.stackgres(story.cluster, operator="1.18.6")
    assert "backups with useIAMRole fail with the operator 1.18.1 (mended in 1.18.3)" in refused.report
    assert refused.writes == []
    outcome = story.outcome(fallen, "orders")
    assert outcome["identity_method"] == "access_key"
    assert "has an access key, not a role" in " ".join(outcome["notes"])


def test_verify_shows_each_database_link_by_link_and_what_has_become_of_it(story: Story) -> None:
    well = story.run("verify", entries=story.entries()[:2])
    fits = well.outcome(story.cluster)
    assert fits["state"] == "fits", fits
    assert {link["state"] for link in fits["links"]} == {"ok"}

    # Somebody takes another storage class, the role away from an account, and the rights away from a user.
    story.change("sgobjectstorages", "orders-backups", {"spec": {"s3": {"storageClass": "STANDARD"}}})
    story.core.patch_namespaced_service_account(
        "orders-patroni", NAMESPACE, {"metadata": {"annotations": {ROLE: None}}}
    )
    story.core.delete_namespaced_pod("orders-0", NAMESPACE, grace_period_seconds=0)
    until(lambda: story.runs("orders-0"), "orders-0 does not run again")
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    user = {"UserName": "stackgres-backup-user", "PolicyName": "stackgres-backup"}
    story.aws.client("iam").put_user_policy(**user, PolicyDocument=json.dumps(deny))
    some = [entry for entry in story.entries() if entry["name"] != "parts"]
    broken = story.run("verify", entries=some, rc=2)
    for run in (well, broken):
        assert [write for write in run.writes if "/kubestrap-probe/" not in write] == []
        assert run.kube_writes == []
    outcome, notes = broken.outcome(story.cluster), broken.notes(story.cluster)
    assert outcome["state"] == "denied"
    states = {(link["identity"], link["link"]): link["state"] for link in outcome["links"]}
    assert states[f"{NAMESPACE}/s3-backup-secret", "list"] == "failed"
    assert states[f"{NAMESPACE}:orders-patroni", "pods"] == "failed"
    assert {state for (whose, _link), state in states.items() if "events-" in whose} == {"ok"}
    assert "has no AWS_ROLE_ARN, so that it calls AWS as the node" in notes
    assert f"The SGCluster {NAMESPACE}/later does not exist yet" in notes
    storage = f"SGObjectStorage {NAMESPACE}/orders-backups"
    assert f".spec.s3.storageClass of the {storage} says something else, and is kubectl-edit's" in " ".join(
        outcome["changes"]
    )


def test_what_was_made_goes_and_backups_stay(story: Story) -> None:
    # A Thanos of the same cluster goes too, and so does its bucket, which is empty.
    story.place.buckets.append(story.thanos)
    story.place.vars[story.cluster] |= {
        "thanos_object_store_bucket": story.thanos,
        "thanos_object_store_service_accounts": [{"name": "thanos-store"}],
    }
    # Whatever an entry says of itself.
    entries = story.entries(orders={"state": "present"})
    predicted = story.run("teardown", entries=entries, check=True)
    assert (predicted.writes, predicted.kube_writes) == ([], [])
    kept = story.run("teardown", entries=entries)
    assert kept.changes == predicted.changes
    assert kept.outcome(story.cluster)["state"] == "done", kept.outcome(story.cluster)
    spec = story.get("sgclusters", "orders")["spec"]
    assert json.dumps(spec, sort_keys=True) == json.dumps(story.before, sort_keys=True)
    for name in ENTRIES:
        assert story.get("sgobjectstorages", f"{name}-backups") is None
    assert story.get("sgbackups", "theirs") is not None
    secrets = [secret.metadata.name for secret in story.core.list_namespaced_secret(NAMESPACE).items]
    assert not {"s3-backup-secret", "parts-secret"} & set(secrets)
    iam = story.aws.client("iam")
    assert [role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("stackgres-")] == []
    assert [user for user in iam.list_users()["Users"] if user["UserName"].startswith("stackgres-")] == []
    assert "Kept: " in kept.notes(story.bucket)
    s3 = story.aws.client("s3")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [f"store-of-{story.bucket}"]
    assert s3.list_objects_v2(Bucket=f"store-of-{story.bucket}")["KeyCount"] > 0
    end = story.run("teardown", extra_vars={"workload_storage_delete_data": True})
    assert end.outcome(story.cluster)["changes"] == []
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == []
