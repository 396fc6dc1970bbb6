# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a user: from nothing, for each difference, for each phase of its keys, and to take it away."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._access_key_rotation import Key
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user import INACTIVE_TAG, describe_key
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_plan import outcome, plan_absent, plan_present
from ansible_collections.kubestrap.aws.plugins.module_utils._iam_user_settings import Settings
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Plan

NAME = "thanos"
ARN = "arn:aws:iam::222222222222:user/thanos"
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
WRITE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}
BOUNDARY = "arn:aws:iam::222222222222:policy/boundary"
OURS = {"managed-by": "example"}
HELD = Key("AKIAHELD", True, NOW - timedelta(days=5), NOW - timedelta(hours=1))
OLD = Key("AKIAOLD", True, NOW - timedelta(days=95), NOW - timedelta(days=4))
INACTIVE = Key("AKIAOLD", False, OLD.created, OLD.last_used, NOW - timedelta(days=2))


def existing(*keys: Key, **settings: Any) -> dict[str, Any]:
    return {
        "user_name": NAME,
        "arn": ARN,
        "path": "/",
        "user_id": "AIDAEXAMPLEEXAMPLE00",
        "create_date": "2026-01-31T12:00:00+00:00",
        "permissions_boundary": "",
        "tags": {},
        "inline_policies": {},
        "access_keys": [describe_key(key) for key in keys or (HELD,)],
        **settings,
    }


def present(current: dict[str, Any] | None, **settings: Any) -> Plan:
    settings.setdefault("known_access_key_id", HELD.id)
    return plan_present(NAME, ARN, current, Settings(**settings), NOW)


def calls(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """Methods and parameters, those of the documents parsed and the user's name checked."""
    made = []
    for change in plan.changes:
        params = dict(change.params)
        assert change.service == "iam"
        assert params.pop("UserName") == NAME
        if "PolicyDocument" in params:
            params["PolicyDocument"] = json.loads(params["PolicyDocument"])
        made.append((change.method, params))
    return made


def test_from_nothing_with_the_least() -> None:
    plan = present(None, known_access_key_id=None)

    assert calls(plan) == [("create_user", {"Path": "/"}), ("create_access_key", {})]
    assert [change.summary for change in plan.changes] == [
        "create the user thanos",
        "make an access key for the user thanos (the user has none)",
    ]
    create, key = plan.changes
    assert create.waiter == "user_exists"
    assert key.retry_codes == ("NoSuchEntity: The user with name",)
    assert plan.before is None
    assert plan.after == {
        "user_name": NAME,
        "arn": ARN,
        "path": "/",
        "permissions_boundary": "",
        "tags": {},
        "inline_policies": {},
        "access_keys": [describe_key(Key("", True, NOW))],
    }


def test_from_nothing_with_everything() -> None:
    plan = present(
        None,
        path="/kubestrap/",
        permissions_boundary=BOUNDARY,
        inline_policies={"read": READ, "more": WRITE["Statement"]},
        tags={"team": "platform"},
        ownership_tags=OURS,
        max_age=90,
    )

    tags = [{"Key": "team", "Value": "platform"}, {"Key": "managed-by", "Value": "example"}]
    assert calls(plan) == [
        ("create_user", {"Path": "/kubestrap/", "PermissionsBoundary": BOUNDARY, "Tags": tags}),
        ("put_user_policy", {"PolicyName": "read", "PolicyDocument": READ}),
        ("put_user_policy", {"PolicyName": "more", "PolicyDocument": WRITE}),
        ("create_access_key", {}),
    ]
    assert plan.after
    assert plan.after["tags"] == {"team": "platform", **OURS}
    assert plan.after["inline_policy_names"] == ["more", "read"]


def test_nothing_to_do() -> None:
    tags = {"team": "platform", **OURS}
    current = existing(inline_policies={"read": READ}, inline_policy_names=["read"], tags=tags)

    plan = present(
        current, path="/", inline_policies={"read": READ}, tags={"team": "platform"}, ownership_tags=OURS, max_age=90
    )

    assert plan.changes == []
    assert plan.after == current
    assert present(existing(OLD, HELD)).after == present(existing(OLD, HELD)).after


def test_the_rights_are_those_of_the_workload_only() -> None:
    current = existing(inline_policies={"read": READ, "write": WRITE}, inline_policy_names=["read", "theirs", "write"])

    plan = present(current, inline_policies={"read": WRITE, "write": WRITE})

    assert calls(plan) == [
        ("delete_user_policy", {"PolicyName": "theirs"}),
        ("put_user_policy", {"PolicyName": "read", "PolicyDocument": WRITE}),
    ]
    assert plan.after
    assert plan.after["inline_policies"] == {"read": WRITE, "write": WRITE}
    assert plan.after["inline_policy_names"] == ["read", "write"]


def test_other_policies_may_stay() -> None:
    current = existing(inline_policies={"read": READ})  # their names are not read then

    assert calls(present(current, inline_policies={"read": READ}, purge_inline_policies=False)) == []


@pytest.mark.parametrize(
    ("is_now", "wanted", "done"),
    [
        ("", BOUNDARY, [("put_user_permissions_boundary", {"PermissionsBoundary": BOUNDARY})]),
        (BOUNDARY, "", [("delete_user_permissions_boundary", {})]),
        (BOUNDARY, None, []),
        (BOUNDARY, BOUNDARY, []),
    ],
)
def test_the_boundary(is_now: str, wanted: str | None, done: list[Any]) -> None:
    plan = present(existing(permissions_boundary=is_now), permissions_boundary=wanted)

    assert calls(plan) == done
    assert plan.after
    assert plan.after["permissions_boundary"] == (is_now if wanted is None else wanted)


def test_tags() -> None:
    current = existing(tags={"team": "a", "old": "x", **OURS})

    plan = present(current, tags={"team": "b"}, ownership_tags=OURS)

    assert calls(plan) == [
        ("untag_user", {"TagKeys": ["old"]}),
        ("tag_user", {"Tags": [{"Key": "team", "Value": "b"}]}),
    ]
    assert plan.after
    assert plan.after["tags"] == {"team": "b", **OURS}


def test_a_key_that_is_too_old() -> None:
    plan = present(existing(OLD), known_access_key_id=OLD.id, max_age=90)

    assert calls(plan) == [("create_access_key", {})]
    (make,) = plan.changes
    assert make.summary == "make an access key for the user thanos (AKIAOLD is 95 days old, max_age is 90 days)"
    assert make.retry_codes == ("LimitExceeded: AccessKeysPerUser",)
    assert plan.after
    assert plan.after["access_keys"] == [describe_key(OLD), describe_key(Key("", True, NOW))]


def test_the_one_before_is_made_inactive_and_since_when_is_noted() -> None:
    plan = present(existing(OLD, HELD), tags={"team": "a"})

    note = {"Tags": [{"Key": INACTIVE_TAG, "Value": "AKIAOLD 2026-04-01T12:00:00+00:00"}]}
    assert calls(plan) == [
        ("update_access_key", {"AccessKeyId": OLD.id, "Status": "Inactive"}),
        ("tag_user", {"Tags": [{"Key": "team", "Value": "a"}]}),
        ("tag_user", note),
    ]
    assert [change.summary for change in plan.changes] == [
        "make the access key AKIAOLD of the user thanos inactive (the workload holds AKIAHELD, and this one is active, "
        "last used 2026-03-28 12:00 UTC)",
        "tag the user thanos",
        "note in a tag of the user thanos since when AKIAOLD is inactive",
    ]
    assert plan.after
    assert plan.after["tags"] == {"team": "a", INACTIVE_TAG: "AKIAOLD 2026-04-01T12:00:00+00:00"}
    assert plan.after["access_keys"][0]["inactive_since"] == "2026-04-01T12:00:00+00:00"


def test_the_note_is_not_purged_and_goes_with_the_key() -> None:
    noted = {INACTIVE_TAG: "AKIAOLD 2026-03-30T12:00:00+00:00"}
    waiting = existing(INACTIVE, HELD, tags=noted)

    assert calls(present(waiting, tags={}, settle_hours=72)) == []
    plan = present(waiting, tags={})
    assert calls(plan) == [
        ("delete_access_key", {"AccessKeyId": OLD.id}),
        ("untag_user", {"TagKeys": [INACTIVE_TAG]}),
    ]
    assert plan.changes[0].done_codes == ("NoSuchEntity",)
    assert plan.after
    assert plan.after["tags"] == {}


def test_a_run_that_was_cut_before_the_note() -> None:
    unnoted = Key(OLD.id, False, OLD.created, OLD.last_used)

    plan = present(existing(unnoted, HELD))

    assert [method for method, _params in calls(plan)] == ["tag_user"]


def test_a_new_key_comes_last() -> None:
    """What came after it could fail, and its secret would be lost."""
    noted = {INACTIVE_TAG: "AKIAOLD 2026-03-30T12:00:00+00:00"}
    current = existing(INACTIVE, HELD, tags=noted)

    plan = present(current, known_access_key_id="", tags={"team": "a"}, inline_policies={"read": READ})

    assert [method for method, _params in calls(plan)] == [
        "put_user_policy",
        "delete_access_key",
        "tag_user",
        "untag_user",
        "create_access_key",
    ]


def test_somebody_elses_user_is_refused() -> None:
    with pytest.raises(AnsibleAWSError) as refusal:
        present(existing(tags={"managed-by": "someone"}), ownership_tags=OURS)
    assert refusal.value.message == (
        f"user_name: 'thanos' is a user whom this collection did not make ({ARN} has no tag managed-by=example); its "
        "keys may be in use elsewhere. Write another name. If nobody else uses it, give it the tag managed-by=example "
        "and run this again"
    )


def test_a_user_in_another_path_is_refused() -> None:
    with pytest.raises(AnsibleAWSError, match="Write /, choose another name"):
        present(existing(), path="/elsewhere/")


def test_two_keys_in_use_are_refused() -> None:
    busy = Key("AKIAOLD", True, OLD.created, NOW - timedelta(hours=2))
    with pytest.raises(AnsibleAWSError, match="IAM allows no third one"):
        present(existing(busy, HELD), known_access_key_id="")


# --- the outcome


def said(current: dict[str, Any] | None, answers: list[Any], **settings: Any) -> dict[str, Any]:
    given = Settings(**{"known_access_key_id": HELD.id, **settings})
    return outcome(plan_present(NAME, ARN, current, given, NOW), answers, given, NOW)


def test_the_secret_of_a_new_key_is_told() -> None:
    made = {"AccessKey": {"AccessKeyId": "AKIANEW", "SecretAccessKey": "not-a-secret-key"}}

    result = said(None, [{}, made], known_access_key_id=None, max_age=90)

    assert result == {
        "access_key_id": "AKIANEW",
        "secret_access_key": "not-a-secret-key",
        "new_key": True,
        "rotation": {
            "state": "current",
            "next": "A run after 2026-06-30 12:00 UTC makes a new key, because this one is 90 days old then",
            "not_before": "2026-06-30T12:00:00+00:00",
        },
    }


def test_check_mode_knows_no_id_of_a_new_key() -> None:
    result = said(None, [])

    assert (result["access_key_id"], result["new_key"]) == (None, True)
    assert "secret_access_key" not in result


@pytest.mark.parametrize(
    ("keys", "state", "comes"),
    [
        ((HELD,), "current", "Nothing; without max_age the key is kept"),
        ((OLD, HELD), "old_key_inactive", "A run after 2026-04-02 12:00 UTC deletes the access key AKIAOLD"),
        ((INACTIVE, HELD), "current", "Nothing"),
    ],
)
def test_an_old_secret_is_never_told(keys: tuple[Key, ...], state: str, comes: str) -> None:
    result = said(existing(*keys), [{}, {}])

    assert (result["access_key_id"], result["new_key"]) == (HELD.id, False)
    assert "secret_access_key" not in result
    assert result["rotation"]["state"] == state
    assert result["rotation"]["next"].startswith(comes)


def test_the_secret_is_in_no_diff_and_no_call() -> None:
    plan = present(None)

    assert "ecret" not in json.dumps([plan.diff, [change.summary for change in plan.changes]])


# --- absent


def to_delete(**settings: Any) -> dict[str, Any]:
    found = existing(OLD, HELD, inline_policy_names=["read"], managed_policy_arns=[BOUNDARY], groups=["g"])
    return {key: value for key, value in found.items() if key != "inline_policies"} | settings


def test_what_is_absent_stays_so() -> None:
    assert plan_absent(NAME, None) == Plan(None, None)


def test_a_user_goes_with_its_keys_and_policies() -> None:
    plan = plan_absent(NAME, to_delete(tags=OURS), OURS)

    assert calls(plan) == [
        ("delete_access_key", {"AccessKeyId": OLD.id}),
        ("delete_access_key", {"AccessKeyId": HELD.id}),
        ("delete_user_policy", {"PolicyName": "read"}),
        ("detach_user_policy", {"PolicyArn": BOUNDARY}),
        ("remove_user_from_group", {"GroupName": "g"}),
        ("delete_user", {}),
    ]
    assert all(change.done_codes == ("NoSuchEntity",) for change in plan.changes)
    assert "MFA device" in plan.changes[-1].hints["DeleteConflict"]
    assert plan.after is None


def test_somebody_elses_user_stays() -> None:
    current = to_delete()

    plan = plan_absent(NAME, current, OURS)

    assert plan.changes == []
    assert plan.after == current
    assert plan.kept == "the user thanos was not made by this collection (no tag managed-by=example)"
