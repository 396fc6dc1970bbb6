# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who shares a bucket and its key: what a run says of some of them leaves the others where they are."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _storage_sharing as sharing
from ansible_collections.kubestrap.aws.plugins.module_utils import policies
from ansible_collections.kubestrap.aws.plugins.module_utils._statements import merge
from ansible_collections.kubestrap.aws.plugins.module_utils.storage_policies import SHARED, Sharer, sharers_of

PLACE = {"bucket": "acme-thanos", "partition": "aws"}
ACCOUNT = "222222222222"
ONE, TWO, MANY = (f"arn:aws:iam::333333333333:role/{name}" for name in ("one", "two", "team-*"))
USER = "arn:aws:iam::444444444444:user/three"


def shared(current: Any, *coming: Any, leaving: Any = None, purge: bool = False) -> Any:
    """The policy after a task."""
    wanted = sharing.sharing([dict(entry) for entry in coming], leaving, purge)
    assert wanted
    statements = sharing.bucket_statements(current, wanted, **PLACE, account_id=ACCOUNT)
    return merge(current, statements, [f"{SHARED}*"])


def entry(arn: str, **more: Any) -> dict[str, Any]:
    return {"role_arn": arn, **more}


def who(policy: Any) -> list[Sharer]:
    return sorted(sharers_of(policy["Statement"] if policy else [], **PLACE))


def refused(policy: Any) -> list[str]:
    """Who is spared by the statement that refuses all others."""
    (deny,) = (statement for statement in policy["Statement"] if statement["Effect"] == "Deny")
    return deny["Condition"]["ArnNotLike"]["aws:PrincipalArn"]


def as_s3_gives_it_back(policy: Any) -> Any:
    """Lists of one entry as a text, which AWS may do."""
    if isinstance(policy, dict):
        return {key: as_s3_gives_it_back(value) for key, value in policy.items()}
    if isinstance(policy, list) and policy and all(isinstance(entry, str) for entry in policy):
        return policy[0] if len(policy) == 1 else policy
    return [as_s3_gives_it_back(entry) for entry in policy] if isinstance(policy, list) else policy


def test_who_is_let_in_already_stays() -> None:
    policy = shared(None, entry(ONE, prefix="a"))
    policy = shared(policy, entry(USER))
    assert who(policy) == [Sharer(ONE, "a"), Sharer(USER)]
    assert refused(policy) == [ONE, USER]


def test_runs_in_any_order_come_to_the_same() -> None:
    runs = [[entry(ONE, prefix="a")], [entry(TWO, prefix="a", put_object_acl=True)], [entry(USER), entry(MANY)]]
    results = []
    for order in itertools.permutations(runs):
        policy = None
        for coming in order:
            policy = shared(policy, *coming)
        results.append(sorted(policy["Statement"], key=lambda statement: statement["Sid"]))
    assert all(result == results[0] for result in results)
    assert len(results[0]) == len({statement["Sid"] for statement in results[0]})


@pytest.mark.parametrize("form", [lambda policy: policy, as_s3_gives_it_back])
def test_a_run_without_change_changes_nothing(form: Any) -> None:
    policy = form(shared(None, entry(ONE, prefix="/a/"), entry(TWO, put_object_acl=True), entry(MANY)))
    assert shared(policy, entry(ONE, prefix="a")) is policy
    assert shared(policy) is policy


def test_a_role_gets_what_the_last_run_says() -> None:
    policy = shared(None, entry(ONE, prefix="a", put_object_acl=True), entry(TWO, prefix="a"))
    policy = shared(policy, entry(ONE, prefix="b"))
    assert who(policy) == [Sharer(ONE, "b"), Sharer(TWO, "a")]


def test_a_role_may_have_several_folders() -> None:
    """Its own, and one that it reads for a restore."""
    policy = shared(None, entry(ONE, prefix="a"), entry(ONE, prefix="b"))
    assert who(policy) == [Sharer(ONE, "a"), Sharer(ONE, "b")]
    assert refused(policy) == [ONE]
    assert shared(policy, entry(ONE, prefix="a"), entry(ONE, prefix="b")) is policy


def test_who_is_named_to_leave_leaves() -> None:
    policy = shared(None, entry(ONE, prefix="a"), entry(TWO), entry(USER))
    policy = shared(policy, entry(TWO), leaving=[ONE, TWO])
    assert who(policy) == [Sharer(TWO), Sharer(USER)], "one that comes stays"
    assert who(shared(policy, entry(ONE), purge=True)) == [Sharer(ONE)]
    assert shared(policy, purge=True) is None


def test_what_others_wrote_stays() -> None:
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    like_ours = {**theirs, "Sid": "StorageObjects"}
    policy = shared({"Version": "2012-10-17", "Statement": [theirs, like_ours]}, entry(ONE))
    assert who(policy) == [Sharer(ONE)]
    assert shared(policy, leaving=[ONE])["Statement"] == [theirs, like_ours]


def test_the_header_is_a_right_of_those_who_send_it() -> None:
    policy = shared(None, entry(ONE, put_object_acl=True), entry(TWO))
    allowed = {
        arn
        for statement in policy["Statement"]
        if "s3:PutObjectAcl" in statement["Action"]
        for arn in statement["Condition"]["ArnLike"]["aws:PrincipalArn"]
    }
    assert allowed == {ONE}


def test_a_key_keeps_its_users_too() -> None:
    def key(current: Any, coming: list[str], **more: Any) -> Any:
        wanted = sharing.sharing(coming, more.get("leaving"), more.get("purge", False))
        assert wanted
        statements = sharing.key_statements(current, wanted, region="eu-west-1")
        return merge(current, statements, ["ObjectStorageUsesKey"])

    def users(policy: Any) -> list[str]:
        (statement,) = policy["Statement"]
        return statement["Condition"]["ArnLike"]["aws:PrincipalArn"]

    policy = key(as_s3_gives_it_back(key(None, [TWO])), [ONE])
    assert users(policy) == [ONE, TWO]
    assert key(policy, []) is policy
    assert users(key(policy, [], leaving=[TWO])) == [ONE]
    assert users(key(policy, [USER], purge=True)) == [USER]
    assert key(policy, [], purge=True) is None


def test_nothing_said_is_nothing_done() -> None:
    assert sharing.sharing(None, None, False) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((None, None, True), "purge_shared_with: 'true' has no shared_with beside it"),
        (([{"role_arn": "thanos"}], None, False), "shared_with: 'thanos' is not an ARN of IAM"),
        (
            ([], ["arn:aws:iam::333333333333:root"], False),
            "absent_shared_with: 'arn:aws:iam::333333333333:root' is neit",
        ),
        ((["arn:aws:iam::3333:role/a"], None, False), "shared_with: '3333'"),
    ],
)
def test_what_cannot_be_is_refused(options: Any, said: str) -> None:
    with pytest.raises(AnsibleAWSError, match=said):
        sharing.sharing(*options).check()


@pytest.mark.parametrize(("folders", "room"), [(True, 17), (False, 110)])
def test_how_many_find_room_in_a_bucket_policy_as_the_guide_says(folders: bool, room: int) -> None:
    def size(number: int) -> int:
        names = [f"prod-eu-{index:03}" for index in range(number)]
        roles = [entry(f"arn:aws:iam::333333333333:role/kubecost-{name}", prefix=name * folders) for name in names]
        return policies.size(shared(None, *roles))

    assert size(room) < policies.BUCKET_POLICY_SIZE
    assert size(room + room // 4) > policies.BUCKET_POLICY_SIZE
