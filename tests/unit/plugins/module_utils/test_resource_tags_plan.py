# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags by rules: what is set, what somebody else has set and stays, and what goes of what was set here."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _resource_tags_plan as plans
from ansible_collections.kubestrap.aws.plugins.module_utils._tag_rules import MARKER, Rule
from ansible_collections.kubestrap.aws.plugins.module_utils._tagged_resources import Resource

OTHER = Resource("arn:aws:s3:::other", "222222222222", "eu-west-1", {"team": "x"})


def resource(tags: dict[str, str], own: dict[str, str] | None = None, name: str = "a") -> Resource:
    """A bucket with these tags, of which `own` were set here."""
    marker = {MARKER: " ".join(plans.checksum(key, value) for key, value in own.items())} if own else {}
    return Resource(f"arn:aws:s3:::{name}", "222222222222", "eu-west-1", {**tags, **(own or {}), **marker})


def rule(tags: dict[str, str], name: str = "one", arn: str = "arn:aws:s3:::a", **options: Any) -> Rule:
    """A rule about the bucket."""
    return Rule(name, tags, (arn,), **options)


def step(bucket: Resource, *rules: Rule, **options: bool) -> plans.Step:
    """What is to be done to the bucket."""
    (found,) = plans.plan([bucket, OTHER], plans.Wish(rules, **options)).steps
    return found


def test_a_tag_is_added_and_remembered_and_then_nothing_is_to_do() -> None:
    first = step(resource({"team": "x"}), rule({"kubernetes_pod": "p", "team": "x"}))
    assert first.add == {"kubernetes_pod": "p", MARKER: plans.checksum("kubernetes_pod", "p")}
    again = step(Resource("arn:aws:s3:::a", "222222222222", "eu-west-1", first.after), rule({"kubernetes_pod": "p"}))
    assert not again.changed and again.rules == ("one",)


def test_what_was_set_here_is_changed() -> None:
    found = step(resource({}, {"team": "x"}), rule({"team": "y"}))
    assert found.add == {"team": "y", MARKER: plans.checksum("team", "y")}


@pytest.mark.parametrize("own", [None, {"kubernetes_pod": "p"}])
def test_what_somebody_else_has_set_stays_unless_it_is_said(own: dict[str, str] | None) -> None:
    bucket = resource({"team": "x"}, own)
    found = step(bucket, rule({"team": "y", **(own or {})}))
    assert not found.changed and found.kept == {"team": {"value": "x", "wanted": "y"}}
    forced = step(bucket, rule({"team": "y", **(own or {})}), override=True)
    assert forced.add["team"] == "y" and forced.kept == {}
    assert set(plans.own_keys(forced.after)) == {"team", *(own or {})}


def test_what_somebody_has_changed_since_is_theirs() -> None:
    bucket = resource({}, {"team": "x"})
    changed = Resource(bucket.arn, bucket.account_id, bucket.region, {**bucket.tags, "team": "z"})
    assert step(changed, rule({"team": "y"}), purge=True).kept == {"team": {"value": "z", "wanted": "y"}}
    assert plans.plan([changed, OTHER], plans.Wish(purge=True)).steps == []


def test_what_no_rule_wants_any_more_goes_only_when_it_is_said() -> None:
    bucket = resource({"team": "x"}, {"kubernetes_pod": "p", "kubernetes_namespace": "n"})
    left = plans.plan([bucket, OTHER], plans.Wish((rule({"kubernetes_pod": "p"}),)))
    assert (left.left, left.steps[0].changed) == (1, False)
    found = step(bucket, rule({"kubernetes_pod": "p"}), purge=True)
    assert found.remove == ("kubernetes_namespace",)
    assert found.add == {MARKER: plans.checksum("kubernetes_pod", "p")}
    assert found.after["team"] == "x"


def test_all_that_was_set_here_is_taken_away_and_nothing_else() -> None:
    bucket = resource({"team": "x"}, {"kubernetes_pod": "p"})
    found = step(bucket, purge=True)
    assert (found.add, set(found.remove)) == ({}, {"kubernetes_pod", MARKER})
    assert found.after == {"team": "x"}
    assert plans.plan([bucket], plans.Wish((rule({"a": "b"}, arn="arn:aws:s3:::none"),))).left == 1


def test_rules_add_up_and_may_not_contradict_each_other() -> None:
    bucket = resource({})
    both = step(bucket, rule({"a": "1", "b": "2"}), rule({"b": "2", "c": "3"}, "two"))
    assert {key: both.add[key] for key in "abc"} == {"a": "1", "b": "2", "c": "3"}
    assert both.rules == ("one", "two")
    with pytest.raises(AnsibleAWSError) as error:
        step(bucket, rule({"a": "1"}), rule({"a": "2"}, "two"))
    assert "rules: 'two' and the rule 'one' want a of arn:aws:s3:::a to be '2' and '1'" in str(error.value)


def test_a_rule_that_selects_nothing_is_named() -> None:
    found = plans.plan([resource({}), OTHER], plans.Wish((rule({"a": "1"}), rule({"a": "1"}, "two", "arn:aws:s3:::b"))))
    assert found.unmatched == ["two"]


def test_a_rule_that_selects_everything_says_so() -> None:
    both = [resource({}), OTHER]
    with pytest.raises(AnsibleAWSError) as error:
        plans.plan(both, plans.Wish((rule({"a": "1"}, arn="*"),)))
    assert "rules[0]: 'one' selects every one of the 2 resources. Narrow it" in str(error.value)
    assert len(plans.plan(both, plans.Wish((rule({"a": "1"}, arn="*", everything=True),))).steps) == 2
    assert len(plans.plan(both[:1], plans.Wish((rule({"a": "1"}, arn="*"),))).steps) == 1


@pytest.mark.parametrize(("count", "refused"), [(48, False), (49, True)])
def test_a_resource_has_50_tags_at_most(count: int, refused: bool) -> None:
    """One is added, and the one that remembers. What AWS itself has set does not count."""
    tags = {f"key-{number}": "x" for number in range(count)} | {"aws:createdBy": "x"}
    found = step(resource(tags), rule({"a": "1"}))
    assert (found.refused is not None, found.changed) == (refused, not refused)
    assert not refused or "it would have 51 tags, and AWS allows 50" in found.refused


def test_more_than_can_be_remembered_is_refused() -> None:
    tags = {f"key-{number}": "x" for number in range(plans.MOST_OWN)}
    assert len(step(resource({}), rule(tags)).add[MARKER]) <= 256
    assert "more than 28 tags cannot be remembered" in (step(resource({}), rule({**tags, "a": "1"})).refused or "")
