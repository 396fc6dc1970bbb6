# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host's verification as a table and a verdict."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.verification_report import FilterModule, verification_report

OK = {"link": "role", "state": "ok", "detail": "taken", "cause": "", "change": "", "missing": False}
EDITED = {
    "link": "secret", "state": "failed", "detail": "it differs", "cause": "edited", "change": "run it", "missing": False
}  # fmt: skip


def test_all_is_well() -> None:
    report = verification_report([OK])
    assert report["verdict"] == "fits"
    assert report["columns"] == ["link", "exists", "fits", "works", "detail"]
    assert report["rows"] == [["role", "yes", None, "yes", "taken"]]
    assert report["notes"] == []


def test_what_differs_has_a_note() -> None:
    report = verification_report([OK, EDITED])
    assert report["verdict"] == "differs"
    assert report["notes"] == ["It differs. Edited. Run it."]
    assert verification_report([OK], ["update the role"])["verdict"] == "differs"


@pytest.mark.parametrize("links", ["ok", {"link": "role"}, None])
def test_only_a_list_of_links_is_taken(links: object) -> None:
    with pytest.raises(AnsibleFilterError, match="takes the list of links"):
        verification_report(links)


def test_its_name() -> None:
    assert FilterModule().filters() == {"verification_report": verification_report}
