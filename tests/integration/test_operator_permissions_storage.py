# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of whoever sets up object storage: the role and the modules pass with exactly them, and need each of them.

One bucket with all that the role can give it goes through check mode, a run and the teardown; a user with an access key
is made, proved and taken away. Each has a role as operator that has the policy of the extent and nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from integration.playbook import Result, run_playbook
from integration.world import (
    actions_of,
    operator_policies,
    operator_storage_policies,
    policies,
    storage_policies,
    text,
)
from sandbox.client import Sandbox

ACCOUNT, REGION = "111111111111", "eu-west-1"
BUCKET, THEIRS, USER = "operators-bucket", "operators-probe", "operators-thanos"
DENIED = ("AccessDenied", "AccessDeniedException", "403")
OWN = {"managed-by": "kubestrap.aws"}
Statements = list[dict[str, Any]]
# What CreateBucket takes beside its own action, with object lock.
WITH_LOCK = {"s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"}


class Operator:
    """A role of the account whose rights can be set, and what it called with the policy of each extent.

    :ivar optional: operations that it tries and does without
    """

    optional: tuple[str, ...] = ()

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox, self.name = sandbox, name
        state = sandbox.state
        self.where = {"region_name": REGION, "endpoint_url": state["endpoint_url"], "verify": state["ca_bundle"]}
        self.iam = self.root("iam")
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
        }
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=text([trust]))["Role"]["Arn"]
        self.credentials = self.root("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        self.called: dict[str, set[str]] = {}

    def root(self, service: str) -> Any:
        """A client that no policy binds."""
        return boto3.client(service, **self.where, aws_access_key_id=ACCOUNT, aws_secret_access_key="test")

    def bound(self, service: str) -> Any:
        """A client that has the operator's rights."""
        found = self.credentials
        return boto3.client(
            service,
            **self.where,
            aws_access_key_id=found["AccessKeyId"],
            aws_secret_access_key=found["SecretAccessKey"],
            aws_session_token=found["SessionToken"],
        )

    @property
    def connection(self) -> Any:
        """The same as modules have it."""
        from ansible_collections.kubestrap.aws.plugins.module_utils._connection import AwsConnection

        state = self.sandbox.state
        return AwsConnection(REGION, state["endpoint_url"], {"verify": state["ca_bundle"]}).with_credentials(
            self.credentials
        )

    def give(self, statements: Statements) -> None:
        """This and nothing else."""
        self.iam.put_role_policy(RoleName=self.name, PolicyName="rights", PolicyDocument=text(statements))

    def note(self, extent: str, calls: list[dict[str, Any]]) -> None:
        """What the operator called; nothing of it was refused."""
        own = [call for call in calls if f"/{self.name}/" in call["who"]]
        denied = [call for call in own if call["error_code"] in DENIED]
        assert [call for call in denied if call["operation"] not in self.optional] == []
        made = [call for call in own if call not in denied]
        found = {action for call in made for action in actions_of(call["service"], call["operation"])}
        self.called[extent] = self.called.get(extent, set()) | found

    def away(self) -> None:
        """Leave nothing."""
        self.iam.delete_role_policy(RoleName=self.name, PolicyName="rights")
        self.iam.delete_role(RoleName=self.name)


def refused_without(operator: Operator, statements: Statements, calls: dict[str, Callable[[], Any]]) -> None:
    """Each statement has a call that is refused as soon as it is missing, and not refused for want of a right with it.

    :param calls: Sid -> call, of which the last ones may destroy what the others need
    """
    assert {statement["Sid"] for statement in statements} == set(calls)
    for sid, call in calls.items():
        operator.give([statement for statement in statements if statement["Sid"] != sid])
        assert code_of(call) in DENIED, sid
        operator.give(statements)
        assert code_of(call) not in DENIED, sid


def code_of(call: Callable[[], Any]) -> str:
    """What AWS says to a call, empty when it is made."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def unneeded(operator: Operator, of: Callable[[str], Statements], also: set[str]) -> dict[str, set[str]]:
    """Extent -> what its policy has and no run up to it called, or the other way round."""
    before: set[str] = set()
    found = {}
    for extent in operator_policies.EXTENTS:
        before |= operator.called.get(extent, set())
        given = {action for statement in of(extent) for action in statement["Action"]}
        occasional = operator_storage_policies.STORAGE_OCCASIONAL | also
        found[extent] = (before - given) | (given - before - occasional)
    return found


# --- the bucket


class Bucket(Operator):
    """The operator of the role workload_storage, who may not look up his own rights."""

    optional = ("SimulatePrincipalPolicy",)

    def policy(self, extent: str) -> Statements:
        """With everything that the role can make."""
        return operator_storage_policies.workload_storage_operator(
            partition="aws",
            region=REGION,
            account_id=ACCOUNT,
            bucket=BUCKET,
            kms_key_alias=BUCKET,
            versioning=True,
            object_lock=True,
            extent=extent,
            delete_data=extent == "teardown",
        )

    def run(self, extent: str, *, check: bool = False, state: str = "present") -> Result:
        """The role's preflight and the role, with the policy of an extent."""
        self.give(self.policy(extent))
        role: dict[str, Any] = {"name": "kubestrap.aws.workload_storage"}
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {
                "kubestrap_aws_region": REGION,
                "kubestrap_account_id": ACCOUNT,
                "kubestrap_tags": {"team": "platform"},
                "workload_storage_bucket": BUCKET,
                "workload_storage_state": state,
                "workload_storage_encryption": "aws:kms",
                "workload_storage_versioning": "Enabled",
                "workload_storage_object_lock": {},
                "workload_storage_delete_data": True,
            },
            "tasks": [
                {"name": "Check", "ansible.builtin.include_role": {**role, "tasks_from": "preflight"}},
                {"name": "Make", "ansible.builtin.include_role": role},
            ],
        }
        keys = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
        keys["AWS_SESSION_TOKEN"] = "SessionToken"
        environment = {name: self.credentials[key] for name, key in keys.items()}
        environment["AWS_ENDPOINT_URL"] = self.sandbox.state["endpoint_url"]
        environment["AWS_CA_BUNDLE"] = self.sandbox.state["ca_bundle"]
        result = run_playbook([play], self.sandbox, check=check, environment=environment, plain=False)
        assert result.ok, result.report
        self.note(extent, result.calls)
        return result


@pytest.fixture(scope="module")
def bucket(gateway_sandbox: Sandbox) -> Bucket:
    """The operator of the bucket, after check mode and a run."""
    made = Bucket(gateway_sandbox, "storage-operator")
    assert made.run("check", check=True).writes == []
    assert made.run("run").writes
    made.root("s3").put_object(Bucket=BUCKET, Key="blocks/1", Body=b"data")
    return made


def test_check_mode_passes_with_reading_alone_where_everything_exists(bucket: Bucket) -> None:
    assert bucket.run("check", check=True).writes == []


def test_each_statement_of_the_bucket_is_needed(bucket: Bucket) -> None:
    s3, kms = bucket.bound("s3"), bucket.bound("kms")
    key = kms_key(bucket)
    tags = [{"TagKey": "kubestrap.aws/alias", "TagValue": f"alias/{BUCKET}"}]
    made: list[str] = []
    refused_without(
        bucket,
        bucket.policy("teardown"),
        {
            "ReadBucket": lambda: s3.get_bucket_policy(Bucket=BUCKET),
            "MakeBucket": lambda: s3.put_bucket_versioning(
                Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
            ),
            "FindKey": kms.list_keys,
            "ReadKey": lambda: kms.describe_key(KeyId=f"alias/{BUCKET}"),
            "MakeKey": lambda: made.append(kms.create_key(Tags=tags)["KeyMetadata"]["KeyId"]),
            "ChangeKey": lambda: kms.enable_key(KeyId=key),
            "Alias": lambda: kms.create_alias(AliasName=f"alias/{BUCKET}", TargetKeyId=key),
            "EmptyBucket": lambda: s3.delete_object(Bucket=BUCKET, Key="nothing"),
            "DeleteBucket": lambda: s3.list_object_versions(Bucket=BUCKET),
        },
    )
    for key_id in made:
        bucket.root("kms").schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)


def test_other_keys_of_the_account_stay_out_of_reach(bucket: Bucket) -> None:
    bucket.give(bucket.policy("teardown"))
    kms, root = bucket.bound("kms"), bucket.root("kms")
    theirs = root.create_key()["KeyMetadata"]["KeyId"]
    for call in (
        lambda: kms.schedule_key_deletion(KeyId=theirs),
        lambda: kms.put_key_policy(KeyId=theirs, PolicyName="default", Policy="{}"),
        lambda: kms.create_alias(AliasName="alias/operators-other", TargetKeyId=kms_key(bucket)),
        lambda: kms.create_alias(AliasName=f"alias/{BUCKET}", TargetKeyId=theirs),
        kms.create_key,
    ):
        assert code_of(call) in DENIED
    root.schedule_key_deletion(KeyId=theirs, PendingWindowInDays=7)


def test_the_teardown_takes_bucket_and_data_and_no_right_is_too_many(bucket: Bucket) -> None:
    assert bucket.run("teardown", check=True, state="absent").writes == []
    bucket.run("teardown", state="absent")
    assert code_of(lambda: bucket.root("s3").head_bucket(Bucket=BUCKET)) == "404"
    assert unneeded(bucket, bucket.policy, WITH_LOCK) == {"check": set(), "run": set(), "teardown": set()}
    bucket.away()


def kms_key(bucket: Bucket) -> str:
    """Id of the bucket's key."""
    return bucket.root("kms").describe_key(KeyId=f"alias/{BUCKET}")["KeyMetadata"]["KeyId"]


# --- a user with an access key


class User(Operator):
    """The operator of a workload's user, and of the proof of its key."""

    def policy(self, extent: str) -> Statements:
        """With the proof in a bucket."""
        return operator_storage_policies.object_storage_workload_operator(
            partition="aws",
            account_id=ACCOUNT,
            identity_method="access_key",
            user_name=USER,
            bucket=THEIRS,
            prefix="one",
            extent=extent,
        )

    @contextlib.contextmanager
    def at(self, extent: str) -> Any:
        """Work with the policy of an extent."""
        self.give(self.policy(extent))
        mark = self.sandbox.mark()
        yield self.connection
        self.note(extent, self.sandbox.calls(since=mark))

    def make(self, extent: str, check: bool = False, **settings: Any) -> list[Any]:
        """What the module iam_user_access_key does."""
        from ansible_collections.kubestrap.aws.plugins.module_utils import _iam_user, _iam_user_plan, _plan
        from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import Settings

        wanted = Settings(**{"inline_policies": {"storage": self.storage()}, "ownership_tags": OWN, **settings})
        with self.at(extent) as connection:
            current = _iam_user.read(connection, USER, list(wanted.documents), True)
            arn = f"arn:aws:iam::{ACCOUNT}:user/{USER}"
            planned = _iam_user_plan.plan_present(USER, arn, current, wanted, datetime.now(UTC))
            return [] if check else _plan.apply(connection, planned.changes)

    def take_away(self, check: bool = False) -> None:
        """The same with ``state: absent``."""
        from ansible_collections.kubestrap.aws.plugins.module_utils import _iam_user, _iam_user_plan, _plan

        with self.at("teardown") as connection:
            current = _iam_user.read_to_delete(connection, USER)
            planned = _iam_user_plan.plan_absent(USER, current, OWN)
            assert planned.changes
            if not check:
                _plan.apply(connection, planned.changes)

    def prove(self, extent: str, key: dict[str, str], check: bool = False) -> dict[str, Any]:
        """What the module object_storage_probe does."""
        from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_storage
        from ansible_collections.kubestrap.aws.plugins.module_utils._probe_storage_key import KeyPair
        from ansible_collections.kubestrap.aws.plugins.module_utils._probe_storage_place import Storage

        where = Storage(bucket=THEIRS, region=REGION, prefix="one", prefix_enforced=True, owner=ACCOUNT)
        pair = KeyPair(key["AccessKeyId"], key["SecretAccessKey"])
        with self.at(extent) as connection:
            claim = _probe_storage.StorageClaim(storage=where, pair=pair)
            return _probe_storage.prove_storage(connection, None, claim, check)

    def storage(self, *missing: str) -> Statements:
        """What the workload may do."""
        given = {"bucket": THEIRS, "partition": "aws", "prefix": "one"}
        statements = storage_policies.object_storage_workload(**given)
        left = [{**s, "Action": [action for action in s["Action"] if action not in missing]} for s in statements]
        return [statement for statement in left if statement["Action"]]


@pytest.fixture(scope="module")
def user(gateway_sandbox: Sandbox) -> User:
    """The operator of a user; the bucket has versions, so that a probe's have to be swept away."""
    made = User(gateway_sandbox, "identity-operator")
    s3 = made.root("s3")
    s3.create_bucket(Bucket=THEIRS, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=THEIRS, VersioningConfiguration={"Status": "Enabled"})
    return made


def test_a_user_is_made_proved_rotated_and_taken_away(user: User) -> None:
    user.make("check", check=True)
    key = user.make("run")[-1]["AccessKey"]
    held = {"known_access_key_id": key["AccessKeyId"], "settle_hours": 0}
    user.make("check", check=True, **held)
    predicted = user.prove("check", key, check=True)
    proof = user.prove("run", key)
    assert [link["state"] for link in proof["links"]] == ["ok"] * len(proof["links"])
    assert (predicted["state"], proof["left"]) == ("proved", [])
    assert versions(user) == []
    # A policy more and then one less, and both phases of a rotation.
    user.make("run", **held, inline_policies={"storage": user.storage(), "more": policies.account_tags()})
    second = user.make("run", **held, max_age=0)[-1]["AccessKey"]
    held["known_access_key_id"] = second["AccessKeyId"]
    for _phase in ("made inactive", "deleted"):
        user.make("run", **held)
    (left,) = user.root("iam").list_access_keys(UserName=USER)["AccessKeyMetadata"]
    assert left["AccessKeyId"] == second["AccessKeyId"]


def test_refusals_are_explained_and_what_the_user_may_not_delete_is_swept_away(user: User) -> None:
    key = user.root("iam").create_access_key(UserName=USER)["AccessKey"]
    user.root("iam").put_user_policy(
        UserName=USER, PolicyName="storage", PolicyDocument=text(user.storage("s3:DeleteObject"))
    )
    proof = user.prove("run", key)
    assert proof["state"] == "failed"
    link = next(link for link in proof["links"] if link["link"] == "delete")
    assert f"no policy of arn:aws:iam::{ACCOUNT}:user/{USER} allows s3:DeleteObject" in link["cause"]
    assert (proof["left"], versions(user)) == ([], [])
    user.root("iam").delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])


def test_each_statement_of_the_user_is_needed(user: User) -> None:
    s3, iam = user.bound("s3"), user.bound("iam")
    named = {"UserName": USER}
    key = user.root("iam").list_access_keys(**named)["AccessKeyMetadata"][0]["AccessKeyId"]
    simulated = {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/{USER}", "ActionNames": ["s3:GetObject"]}
    refused_without(
        user,
        user.policy("teardown"),
        {
            "ReadUser": lambda: iam.get_access_key_last_used(AccessKeyId=key),
            "MakeUser": lambda: iam.tag_user(**named, Tags=[{"Key": "a", "Value": "b"}]),
            "MakeAccessKey": lambda: iam.update_access_key(**named, AccessKeyId=key, Status="Active"),
            "ReadUserToDelete": lambda: iam.list_groups_for_user(**named),
            "DeleteUser": lambda: iam.delete_user(**named),  # a conflict: it has a key
            "ExplainIdentity": lambda: iam.simulate_principal_policy(**simulated),
            "ExplainBucket": lambda: s3.get_bucket_policy(Bucket=THEIRS),
            "SweepProbe": lambda: s3.delete_object(Bucket=THEIRS, Key="one/kubestrap-probe/none"),
        },
    )
    assert code_of(lambda: s3.delete_object(Bucket=THEIRS, Key="one/blocks/1")) in DENIED
    assert code_of(lambda: iam.get_user(UserName="somebody")) in DENIED


def test_the_user_goes_and_no_right_is_too_many(user: User) -> None:
    user.take_away(check=True)
    user.take_away()
    assert code_of(lambda: user.root("iam").get_user(UserName=USER)) == "NoSuchEntity"
    # The bucket's policy and its owner are looked at where S3 does not say why. Deleting a version is the operation
    # DeleteObject too: without that right the probes' versions would have stayed.
    also = {"s3:GetBucketPolicy", "s3:ListBucket", "s3:DeleteObjectVersion"}
    assert unneeded(user, user.policy, also) == {"check": set(), "run": set(), "teardown": set()}
    s3 = user.root("s3")
    for item in listed(user):
        s3.delete_object(Bucket=THEIRS, Key=item["Key"], VersionId=item["VersionId"])
    s3.delete_bucket(Bucket=THEIRS)
    user.away()


def listed(user: User) -> list[dict[str, Any]]:
    """All versions and delete markers of the bucket."""
    found = user.root("s3").list_object_versions(Bucket=THEIRS)
    return [*found.get("Versions", []), *found.get("DeleteMarkers", [])]


def versions(user: User) -> list[str]:
    """Their keys."""
    return [item["Key"] for item in listed(user)]
