# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters take data and texts, and turn a refusal into Ansible's own error."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestrap.aws.plugins.filter.hand_off import FilterModule

FILTERS = FilterModule().filters()
READER = {
    "account_id": "222222222222",
    "partition": "aws",
    "role_arn": "arn:aws:iam::222222222222:role/kubecost-prod",
    "payers": ["main"],
    "leaving": False,
}
entries, document = FILTERS["hand_off_entries"], FILTERS["hand_off_document"]


@pytest.mark.parametrize("form", [dict, yaml.safe_dump, json.dumps])
def test_a_document_is_read_from_data_and_from_text(form: Any) -> None:
    made = document({"prod": READER, "refused": {}}, "readers")
    assert entries(form(made), "readers") == {"prod": READER}


@pytest.mark.parametrize("nothing", ["", None, {}, "# a comment\n"])
def test_nothing_has_been_handed_over_yet(nothing: Any) -> None:
    assert entries(nothing, "billing") == {}


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\tx"])
def test_what_is_no_yaml_is_refused_by_name(text: str) -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"kubestrap_hand_off_readers_file r.yml: this is not YAML: .+ in line 1"
    ):
        entries(text, "readers", option="kubestrap_hand_off_readers_file r.yml")


def test_a_refusal_names_the_variable() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^kubestrap_hand_off_billing.kind: 'None' is not the kind of"):
        entries({"x": 1}, "billing")


def test_a_kind_that_does_not_exist() -> None:
    with pytest.raises(AnsibleFilterError, match="kind: 'letters' is not a kind of document. Write one of: billing"):
        document({}, "letters")


def test_readers_and_billing() -> None:
    found = FILTERS["hand_off_readers"]("main", "111111111111", run={}, known={"prod": READER})
    assert found["role_arns"] == [READER["role_arn"]]
    assert FILTERS["hand_off_billing"](["main"], run={})["missing"] == ["main"]


def test_each_side_has_its_problems() -> None:
    cluster = {"host": "prod", "payers": [], "hosts": [], "known": {}, "region": "eu-west-1", "partitions": {}}
    assert "kubecost_payers" in FILTERS["hand_off_problems"](cluster)[0]
    payer = {"payer": "main", "partition": "aws", "run": {}, "known": {}, "purge": True}
    assert "billing_data_purge_readers" in FILTERS["hand_off_problems"](payer)[0]
