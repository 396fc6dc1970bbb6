# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is others' stays, what is ours is ours alone to change, and what contradicts ours is named by place."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils import exceptions
from ansible_collections.kubestrap.aws.plugins.module_utils._integration_merge import (
    differing_entries,
    merge,
    without,
)
from ansible_collections.kubestrap.aws.plugins.module_utils.cloud_integration import build

FORMS = ("legacy", "athena")
ONE, TWO, THEIRS = "aws 111111111111/s3://one", "aws 222222222222/s3://two", "aws 333333333333/s3://three"


def payer(number: int, bucket: str, **changes: Any) -> dict[str, Any]:
    entry = {"account_id": str(number) * 12, "bucket": bucket, "region": "us-east-1", "database": "d", "table": "t"}
    return {**entry, "workgroup": "w", **changes}


PAYERS = [payer(1, "one"), payer(2, "two")]


def items(document: dict[str, Any], form: str) -> list[dict[str, Any]]:
    return document["aws"]["athena"] if form == "athena" else document["aws"]


def bucket(entry: dict[str, Any]) -> str:
    return entry.get("bucket") or entry["athenaBucketName"]


@pytest.mark.parametrize("form", FORMS)
def test_without_a_document_it_is_ours(form: str) -> None:
    ours = build(PAYERS, form)
    merged = merge(None, ours, form)
    assert merged.document == ours
    assert merged.made == (ONE, TWO)
    assert merged.changes == (f"+ {ONE}", f"+ {TWO}")
    again = merge(merged.document, ours, form, merged.made, own=True)
    assert (again.document, again.made, again.changes) == (ours, (ONE, TWO), ())


@pytest.mark.parametrize("form", FORMS)
def test_entries_of_others_stay_and_are_never_ours(form: str) -> None:
    theirs = build([payer(3, "three")], form)
    merged = merge(theirs, build(PAYERS, form), form)
    assert [bucket(entry) for entry in items(merged.document, form)] == ["s3://three", "s3://one", "s3://two"]
    assert merged.made == (ONE, TWO)
    fewer = merge(merged.document, build(PAYERS[:1], form), form, merged.made)
    assert fewer.changes == (f"- {TWO}",)
    assert fewer.made == (ONE,)
    rest, gone = without(fewer.document, fewer.made)
    assert rest == theirs
    assert gone == (f"- {ONE}",)


def test_an_equal_entry_of_others_is_used_and_not_owned() -> None:
    existing = {"aws": items(build(PAYERS[:1], "legacy"), "legacy")}
    merged = merge(existing, build(PAYERS[:1], "legacy"), "legacy")
    assert merged.document == existing
    assert (merged.made, merged.changes) == ((), ())


@pytest.mark.parametrize(
    ("form", "place"), [("legacy", "aws[0].athenaWorkgroup"), ("athena", "aws.athena[0].workgroup")]
)
def test_an_entry_that_contradicts_ours_is_named_by_place_unless_we_made_it(form: str, place: str) -> None:
    existing = build([payer(1, "one", workgroup="hush")], form)
    ours = build(PAYERS[:1], form)
    with pytest.raises(exceptions.AnsibleAWSError) as error:
        merge(existing, ours, form, secret="shared")
    assert f"secret: 'shared' has an entry {ONE} that this collection did not make" in str(error.value)
    assert place in str(error.value)
    assert "hush" not in str(error.value)
    for known in ({"made": (ONE,)}, {"own": True}):
        merged = merge(existing, ours, form, **known)
        assert merged.document == ours
        assert merged.changes == (f"~ {ONE}: {place.rpartition('.')[2]}",)


def test_an_entry_of_ours_whose_bucket_was_edited_is_mended_and_not_doubled() -> None:
    ours = build(PAYERS, "athena")
    edited = copy.deepcopy(ours)
    items(edited, "athena")[0]["bucket"] = "s3://elsewhere"
    merged = merge(edited, ours, "athena", (ONE, TWO), own=True)
    assert sorted(map(bucket, items(merged.document, "athena"))) == ["s3://one", "s3://two"]
    assert merged.made == (ONE, TWO)
    # Another entry of the same account, with more that differs, is somebody's own.
    items(edited, "athena")[0]["database"] = "another"
    assert len(items(merge(edited, ours, "athena", (ONE, TWO), own=True).document, "athena")) == 3


def test_our_document_follows_the_generation_to_the_other_form() -> None:
    old = merge(None, build(PAYERS, "legacy"), "legacy")
    new = merge(old.document, build(PAYERS, "athena"), "athena", old.made, own=True)
    assert new.document == build(PAYERS, "athena")
    assert new.changes[0] == "~ all of it: now in the form athena"
    with pytest.raises(exceptions.AnsibleAWSError, match=r"in the form 'legacy' \(aws\[1\]\)"):
        merge(old.document, build(PAYERS, "athena"), "athena", (ONE,), own=False, secret="shared")


def test_a_document_that_cannot_be_read_is_refused_unless_nothing_can_be_lost() -> None:
    ours = build(PAYERS, "athena")
    mixed = {**build(PAYERS, "athena"), "azure": [{"azureSubscriptionID": "s"}]}
    for own in (True, False):
        with pytest.raises(exceptions.AnsibleAWSError, match="mixes the two forms"):
            merge(mixed, ours, "athena", own=own)
    assert merge("text", ours, "athena", own=True).document == ours
    with pytest.raises(exceptions.AnsibleAWSError, match="it is no mapping"):
        merge("text", ours, "athena")


def test_what_goes() -> None:
    ours = build(PAYERS, "athena")
    assert without(ours, None) == (None, (f"- {ONE}", f"- {TWO}"))
    assert without(ours, ()) == (ours, ())
    assert without("text", None) == (None, ())
    assert without("text", (ONE,)) == ("text", ())


@pytest.mark.parametrize("form", FORMS)
def test_the_expected_entries_are_looked_for_among_others(form: str) -> None:
    ours = build(PAYERS[:1], form)
    both = merge(build([payer(3, "three")], form), ours, form).document
    assert differing_entries(both, ours) == []
    start = "aws.athena[0]" if form == "athena" else "aws[0]"
    assert differing_entries(build([payer(3, "three")], form), ours) == [f"{start} ({ONE} is not there)"]
    field = "bucket" if form == "athena" else "athenaBucketName"
    assert differing_entries(build([payer(1, "elsewhere")], form), ours) == [f"{start}.{field}"]
    other = "legacy" if form == "athena" else "athena"
    assert differing_entries(build(PAYERS, other), ours) == [f"the whole document (its form is {other}, not {form})"]
    assert differing_entries([], ours) == ["the whole document (it is no mapping)"]
