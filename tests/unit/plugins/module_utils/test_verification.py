# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verification makes of links and differences."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._probe_links import ORDER
from ansible_collections.kubestrap.aws.plugins.module_utils._verification import (
    ASPECTS,
    document,
    rows,
    verdict_of,
    worst,
)


def link(name: str, state: str, missing: bool = False) -> dict[str, Any]:
    return {"link": name, "state": state, "detail": f"{name} seen", "cause": "", "change": "", "missing": missing}


def test_every_link_of_the_proof_has_its_aspect() -> None:
    assert set(ASPECTS) == {*ORDER, "ingestion"}
    assert set(ASPECTS.values()) == {"fits", "works"}


@pytest.mark.parametrize(
    ("links", "differences", "verdict"),
    [
        ([link("role", "ok")], [], "fits"),
        ([link("role", "ok"), link("query", "pending")], [], "pending"),
        ([link("role", "ok"), link("secret", "failed")], [], "differs"),
        ([link("query", "pending"), link("secret", "failed")], [], "differs"),
        ([link("role", "ok")], ["update the policy"], "differs"),
        ([link("trust", "failed"), link("role", "ok")], [], "differs"),
        ([link("role", "failed"), link("secret", "failed")], ["update the policy"], "denied"),
        ([link("pods", "failed")], [], "denied"),
        ([link("role", "ok"), link("table", "skipped")], [], "fits"),
        ([], [], "denied"),
    ],
)
def test_the_verdict(links: list[dict[str, Any]], differences: list[str], verdict: str) -> None:
    assert verdict_of(links, differences) == verdict


def test_the_whole_is_as_good_as_its_worst_part() -> None:
    assert worst(["fits", "denied", "differs"]) == "denied"
    assert worst(["fits", "pending"]) == "pending"
    assert worst([]) == "fits"


def test_the_rows() -> None:
    links = [
        link("service_account", "ok"),
        link("payer_role", "failed"),
        link("query", "pending"),
        link("secret", "failed", missing=True),
        link("table", "skipped"),
    ]
    assert rows(links) == [
        ["service account", "yes", "yes", None, "service_account seen"],
        ["payer role", "yes", None, "no", "payer_role seen"],
        ["query", "yes", None, "pending", "query seen"],
        ["secret", "no", None, None, "secret seen"],
        ["table", None, None, None, "table seen"],
    ]


def test_of_several_identities_a_row_says_whose_it_is() -> None:
    links = [{**link("role", state), "identity": "monitoring:thanos"} for state in ("ok", "skipped")]
    assert [row[0] for row in rows(links)] == ["role (monitoring:thanos)"] * 2


def test_the_document_names_every_host_and_the_worst_verdict() -> None:
    made = document(
        {
            "payer": {"state": "done", "changes": [], "notes": []},
            "prod": {"state": "differs", "changes": ["a"], "notes": ["b"], "links": [link("secret", "failed")]},
            "test": {"state": "failed", "changes": [], "notes": ["no answer"]},
        }
    )
    assert made["verdict"] == "denied"
    assert {host: seen["verdict"] for host, seen in made["hosts"].items()} == {
        "payer": "fits",
        "prod": "differs",
        "test": "denied",
    }
    assert made["hosts"]["prod"]["differences"] == ["a"]
    assert made["hosts"]["prod"]["links"][0]["link"] == "secret"
    assert made["hosts"]["test"]["notes"] == ["no answer"]
