# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What links are worth together, and how one is told."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils import _probe_links as links

GOOD = links.ok("token", "made")
WAITING = links.pending("query", "0 rows", "AWS has not delivered yet")
BAD = links.failed("role", "Cannot be taken", "the trust names another", "Let it name this one")
GONE = links.failed("secret", "Cannot be read", "it does not exist", "Run the playbook", missing=True)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ([GOOD], "proved"),
        ([GOOD, links.skipped("trust", "hidden")], "proved"),
        ([GOOD, WAITING], "pending"),
        ([GOOD, WAITING, BAD], "failed"),
    ],
)
def test_the_worst_link_decides(given: list[links.Link], verdict: str) -> None:
    assert links.verdict(given) == verdict


def test_links_come_in_the_order_of_the_chain() -> None:
    assert [link.link for link in links.arranged([GONE, WAITING, GOOD, BAD])] == ["token", "role", "query", "secret"]


def test_check_mode_takes_what_does_not_exist_for_what_would_be_made() -> None:
    shown = links.in_check_mode(GONE)
    assert shown.state == "pending"
    assert "would make" in shown.cause


def test_a_link_stays_that_of_its_identity() -> None:
    whose = dataclasses.replace(GONE, by_install=True, identity="db:orders")
    assert links.in_check_mode(whose).identity == links.awaiting(whose, "Sync it").identity == "db:orders"


@pytest.mark.parametrize("link", [GOOD, WAITING, BAD])
def test_check_mode_leaves_other_links_alone(link: links.Link) -> None:
    assert links.in_check_mode(link) is link


def test_what_somebody_else_has_to_install_is_pending_with_what_comes_next() -> None:
    missing = links.failed("pods", "none", "none was found", "Install it", by_install=True)
    assert links.awaiting(missing, "Sync it") == links.pending("pods", "none", "none was found", "Sync it")
    assert links.awaiting(missing, None) is missing
    for other in (GOOD, WAITING, BAD):
        assert links.awaiting(other, "Sync it") is other


def test_the_first_link_of_a_state() -> None:
    assert links.first([GOOD, GONE, BAD], "failed") is GONE
    assert links.first([GOOD], "failed") is None


def test_a_link_in_plain_words() -> None:
    said = "role: Cannot be taken. Cause: the trust names another. Change: Let it name this one."
    assert links.sentence(BAD) == said
    assert links.sentence(GOOD) == "token: made."


def test_the_result_has_all_that_is_known() -> None:
    assert GONE.result() == {
        "link": "secret",
        "state": "failed",
        "detail": "Cannot be read",
        "cause": "it does not exist",
        "change": "Run the playbook",
        "missing": True,
    }


def test_of_several_identities_a_link_says_whose_it_is() -> None:
    link = links.Link("role", "ok", "taken", identity="monitoring:thanos")
    assert link.result()["identity"] == "monitoring:thanos"
    assert links.sentence(link) == "role of monitoring:thanos: taken."
    assert links.message({"links": [links.Link(**link.result(), by_run=True).result()]}) == "Every link is proved"


def test_what_is_behind_a_failure_is_not_reached() -> None:
    behind = links.unreached(["token", "role", "table", "query"], [GOOD, BAD], None)
    assert behind == [links.skipped(name, "Not reached: role failed") for name in ("table", "query")]
    installed = links.failed("token", "none", "no account", "Install it", by_install=True)
    assert links.unreached(["token", "role"], [installed], "Sync it")[0].detail == "Not reached: token is pending"
