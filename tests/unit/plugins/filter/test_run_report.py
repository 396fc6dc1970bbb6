# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run: one row for each host, its notes, who has failed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.run_report import FilterModule, run_report

OUTCOMES = {
    "prod-eu": {"state": "done", "changes": ["create the role kubecost-prod-eu"], "notes": []},
    "payer": {"state": "pending", "changes": [], "notes": ["AWS has not delivered the report yet.", "Run again."]},
    "prod-us": {"state": "failed", "changes": ["one", "two"], "notes": ["The API server does not answer."]},
}


def test_the_hosts_come_in_the_order_of_the_run() -> None:
    assert run_report(OUTCOMES, ["payer", "prod-eu", "prod-us"]) == {
        "rows": [
            ["payer", "pending", "nothing to do"],
            ["prod-eu", "done", "1 change"],
            ["prod-us", "failed", "2 changes"],
        ],
        "lines": [
            "payer: AWS has not delivered the report yet.",
            "payer: Run again.",
            "prod-us: The API server does not answer.",
        ],
        "failed": ["prod-us"],
    }


@pytest.mark.parametrize("outcomes", [{}, {"prod-eu": {}}])
def test_a_host_that_was_not_reached_has_failed(outcomes: dict[str, Any]) -> None:
    report = run_report(outcomes, ["prod-eu"])
    assert report["rows"] == [["prod-eu", "not reached", "nothing to do"]]
    assert report["lines"] == ["prod-eu: Nothing was done here, because the run ended before. See the error above."]
    assert report["failed"] == ["prod-eu"]


def test_pending_is_no_failure() -> None:
    assert run_report(OUTCOMES, ["payer", "prod-eu"])["failed"] == []


def test_no_hosts() -> None:
    assert run_report({}, []) == {"rows": [], "lines": [], "failed": []}


@pytest.mark.parametrize("outcomes", [[], "done", None])
def test_what_is_no_dictionary_is_refused(outcomes: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="run_report takes a dictionary of outcomes by host name, not"):
        run_report(outcomes, ["prod-eu"])


def test_the_filter_has_its_name() -> None:
    assert FilterModule().filters() == {"run_report": run_report}
