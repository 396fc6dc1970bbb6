# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tags that a resource has to those that it shall have."""

from __future__ import annotations

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._plan import Change
from ansible_collections.kubestrap.aws.plugins.module_utils._tags import plan_tags

Tags = dict[str, str]
# A tag that AWS has set itself, such as CloudFormation does. Nobody else may change it.
AWS = {"aws:cloudformation:stack-name": "billing"}


def planned(current: Tags | None, wanted: Tags | None, purge: bool = True) -> tuple[list[str], Tags | None]:
    """The calls in short, and the tags after them."""
    changes, after = plan_tags(
        current,
        wanted,
        purge,
        tag=lambda tags: Change(f"set {tags}", "iam", "tag_role", {"Tags": tags}),
        untag=lambda keys: Change(f"remove {sorted(keys)}", "iam", "untag_role", {"TagKeys": keys}),
    )
    return [change.summary for change in changes], after


@pytest.mark.parametrize(
    ("current", "wanted", "purge", "calls", "after"),
    [
        ({}, {"a": "1"}, True, ["set {'a': '1'}"], {"a": "1"}),
        (None, {"a": "1"}, True, ["set {'a': '1'}"], {"a": "1"}),
        ({"a": "1"}, {"a": "1"}, True, [], {"a": "1"}),
        ({"a": "1"}, {"a": "2"}, True, ["set {'a': '2'}"], {"a": "2"}),
        ({"a": "1", "b": "2"}, {"a": "1"}, True, ["remove ['b']"], {"a": "1"}),
        ({"a": "1", "b": "2"}, {}, True, ["remove ['a', 'b']"], {}),
        ({"a": "1", "b": "2"}, {"a": "1"}, False, [], {"a": "1", "b": "2"}),
        ({"b": "2"}, {"a": "1"}, False, ["set {'a': '1'}"], {"a": "1", "b": "2"}),
    ],
)
def test_the_calls_and_what_is_there_after_them(
    current: Tags | None, wanted: Tags, purge: bool, calls: list[str], after: Tags
) -> None:
    assert planned(current, wanted, purge) == (calls, after)


def test_removes_before_it_sets() -> None:
    """A resource has room for 50 tags."""
    assert planned({"a": "1"}, {"b": "2"}) == (["remove ['a']", "set {'b': '2'}"], {"b": "2"})


def test_tags_of_aws_stay() -> None:
    assert planned({**AWS, "a": "1"}, {}) == (["remove ['a']"], AWS)
    assert planned({**AWS, "a": "1"}, {"a": "1"}) == ([], {**AWS, "a": "1"})


@pytest.mark.parametrize("current", [None, {}, {"a": "1"}])
def test_tags_that_the_task_does_not_set_are_left_alone(current: Tags | None) -> None:
    assert planned(current, None) == ([], current)
