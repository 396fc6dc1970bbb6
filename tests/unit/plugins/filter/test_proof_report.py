# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proof in rows and sentences."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.proof_report import FilterModule, proof_report


def link(name: str, state: str, detail: str = "seen", cause: str = "", change: str = "") -> dict[str, str]:
    """A link of a proof."""
    return {"link": name, "state": state, "detail": detail, "cause": cause, "change": change}


OK = link("service_account_token", "ok", "a token was made")
PENDING = link("query", "pending", "There are no rows yet", "AWS has not delivered the report", "Run this again later")
FAILED = link("trust", "failed", "STS refuses", "the trust names another ServiceAccount.", "correct  the trust")


def test_a_proof_that_holds() -> None:
    assert proof_report([OK]) == {
        "rows": [["service account token", "ok", "a token was made"]],
        "notes": [],
        "state": "done",
    }


def test_skipped_links_are_shown_and_decide_nothing() -> None:
    report = proof_report([OK, link("secret", "skipped")])
    assert [row[1] for row in report["rows"]] == ["ok", "skipped"]
    assert (report["notes"], report["state"]) == ([], "done")


def test_of_several_identities_a_row_says_whose_it_is() -> None:
    rows = proof_report([{**OK, "identity": "monitoring:thanos"}])["rows"]
    assert rows[0][0] == "service account token (monitoring:thanos)"


def test_what_is_pending_is_told() -> None:
    report = proof_report([OK, PENDING])
    assert report["state"] == "pending"
    assert report["notes"] == ["There are no rows yet. AWS has not delivered the report. Run this again later."]


def test_a_failure_hides_what_is_pending() -> None:
    report = proof_report([PENDING, FAILED, OK])
    assert report["state"] == "failed"
    assert report["notes"] == ["STS refuses. The trust names another ServiceAccount. Correct  the trust."]
    assert len(report["rows"]) == 3


@pytest.mark.parametrize("detail", ["arn:aws:iam::1:role/x is refused", "kube-system is not there", "s3://b is empty"])
def test_what_begins_with_a_name_keeps_its_first_letter(detail: str) -> None:
    assert proof_report([link("x", "failed", detail, " ")])["notes"] == [f"{detail}."]


def test_nothing_proves_nothing() -> None:
    assert proof_report([]) == {
        "rows": [],
        "notes": ["Nothing was proved: there was no way to the billing data to try."],
        "state": "failed",
    }


@pytest.mark.parametrize("links", ["ok", {"link": "x"}, None, 1])
def test_what_is_no_list_is_refused(links: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="proof_report takes the list of links of a proof, not"):
        proof_report(links)


def test_the_same_cause_is_told_once() -> None:
    links = [FAILED, {**FAILED, "link": "role", "detail": "it cannot be taken"}, link("secret", "failed", "it differs")]
    report = proof_report(links)
    assert [note.split(".")[0] for note in report["notes"]] == ["STS refuses", "It differs"]
    assert len(report["rows"]) == 3


def test_the_filter_has_its_name() -> None:
    assert FilterModule().filters() == {"proof_report": proof_report}
