# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys are meant, what a run would do about them, and what is refused before it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils import _preflight_tags as tags
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_tags import WantedTags, judge, look

NOW = datetime.datetime(2026, 3, 15, 12, tzinfo=datetime.UTC)
GUIDE = ("guide",)


def tag(key: str, status: str = "inactive") -> dict[str, Any]:
    """As billing knows it."""
    return {"tag_key": key, "status": status, "last_updated_date": "2026-03-01T00:00:00Z"}


def judged(*known: dict[str, Any], backfills: Any = (), **wanted: Any) -> dict[str, Any]:
    """What is found where billing knows these."""
    return judge(list(known), list(backfills), WantedTags(**{"groups": GUIDE, **wanted}), "us-east-1", NOW)


def test_what_is_in_use_is_activated_and_the_rest_of_the_scheme_waits() -> None:
    found = judged(tag("kubernetes_pod"), tag("kubernetes_label_app"), tag("team"), keys=("own",))
    assert found["known_keys"] == ["kubernetes_pod", "kubernetes_label_app", "own"]
    assert {"kubernetes_namespace", "own"} < set(found["wanted_keys"])
    assert [known["tag_key"] for known in found["tags"]] == ["kubernetes_pod", "kubernetes_label_app"]
    assert found["changes"] == ["activate the cost allocation tags kubernetes_pod, kubernetes_label_app"]


def test_nothing_is_to_be_done_again() -> None:
    found = judged(tag("kubernetes_pod", "active"), labels=False)
    assert (found["changes"], found["resource"]) == ([], {"statuses": {"kubernetes_pod": "active"}})


def test_keys_are_made_inactive() -> None:
    found = judged(tag("kubernetes_pod", "active"), state="inactive", backfill_from="2026-01-01")
    assert found["changes"] == ["deactivate the cost allocation tag kubernetes_pod"]
    assert "backfill" not in found["resource"]


def test_a_key_of_the_scheme_that_nobody_uses_keeps_no_backfill_waiting() -> None:
    found = judged(tag("kubernetes_pod"), backfill_from="2026-01-01")
    assert found["changes"][-1] == "start the backfill of cost allocation tags from 2026-01-01"
    assert judged(tag("kubernetes_pod"), backfill_from="2026-01-01", keys=("own",))["resource"]["backfill"]["reason"]


@pytest.mark.parametrize("own", [(), ("own",)])
def test_a_month_that_is_too_old_is_refused_whether_it_could_be_asked_for_or_not(own: tuple[str, ...]) -> None:
    with pytest.raises(AnsibleAWSError, match="'2025-02-01' is more than twelve months ago"):
        judged(tag("kubernetes_pod"), backfill_from="2025-02-01", keys=own)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"keys": ("a", "b", "a")}, "cost_allocation_tags_keys: 'a' is there more than once"),
        ({"groups": ("gke",)}, "groups: 'gke' is no group of tag keys"),
        (
            {"backfill_from": "2026-01-15"},
            "cost_allocation_tags_backfill_from: '2026-01-15' is not the first of a month",
        ),
    ],
)
def test_wrong_input_is_named_before_a_call(wanted: dict[str, Any], says: str) -> None:
    found, [problem] = look(None, WantedTags(**{"groups": GUIDE, **wanted}), NOW)  # type: ignore[arg-type]
    assert found is None and says in problem


def test_a_refusal_of_aws_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: Any, **_filters: Any) -> Any:
        raise AnsibleAWSError(message="This account is a member of an organization")

    monkeypatch.setattr(tags, "service_region", lambda connection: "us-east-1")
    monkeypatch.setattr(tags, "read_tags", refused)
    found, problems = look(None, WantedTags(GUIDE), NOW)  # type: ignore[arg-type]
    assert (found, problems) == (None, ["cost_allocation_tags: This account is a member of an organization"])


@pytest.mark.parametrize("backfill", ["", "2026-03-01"])
def test_backfills_are_read_where_one_is_wanted(monkeypatch: pytest.MonkeyPatch, backfill: str) -> None:
    asked = []
    monkeypatch.setattr(tags, "service_region", lambda connection: "us-east-1")
    monkeypatch.setattr(tags, "read_tags", lambda connection, region: [tag("kubernetes_pod", "active")])
    monkeypatch.setattr(tags, "read_backfills", lambda connection, region: asked.append(region) or [])
    found, problems = look(None, WantedTags(GUIDE, backfill_from=backfill), NOW)  # type: ignore[arg-type]
    assert problems == [] and found is not None
    assert asked == (["us-east-1"] if backfill else [])
