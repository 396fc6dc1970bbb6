# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents by name, and what is said about wrong names and parameters."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible_collections.kubestrap.aws.plugins.lookup import iam_document
from ansible_collections.kubestrap.aws.plugins.module_utils import policies


def lookup(*terms: str, **params: Any) -> list[Any]:
    return lookup_loader.get("kubestrap.aws.iam_document").run(list(terms), {}, **params)


def test_a_document_and_its_statements() -> None:
    params = {"bucket": "acme", "partition": "aws"}
    statements = policies.tls_only(**params)
    assert lookup("tls_only", **params) == [{"Version": "2012-10-17", "Statement": statements}]
    assert lookup("tls_only", form="statements", **params) == [statements]


def test_one_role_may_be_given_as_text_and_an_account_as_number() -> None:
    arn = "arn:aws:iam::111111111111:role/a"
    assert lookup("assume_role", role_arns=arn) == lookup("assume_role", role_arns=[arn])
    delivery = {"bucket": "acme", "partition": "aws"}
    made = lookup("billing_report_delivery", account_id=111111111111, **delivery)
    assert made == lookup("billing_report_delivery", account_id="111111111111", **delivery)


def test_an_unknown_name_lists_the_names() -> None:
    with pytest.raises(AnsibleLookupError, match="there is no document 'tls'") as error:
        lookup("tls", bucket="acme")
    assert all(name in str(error.value) for name in iam_document.DOCUMENTS)


def test_one_name_only() -> None:
    with pytest.raises(AnsibleLookupError, match="there is no document 'tls_only', 'account_tags'"):
        lookup("tls_only", "account_tags")


def test_missing_and_unknown_parameters_are_named_with_those_it_takes() -> None:
    said = "tls_only: missing: bucket; unknown: buckets. It takes bucket, partition"
    with pytest.raises(AnsibleLookupError, match=re.escape(said)):
        lookup("tls_only", buckets="acme", partition="aws")


def test_a_parameter_of_another_document_is_unknown_to_this_one() -> None:
    with pytest.raises(AnsibleLookupError, match="unknown: table"):
        lookup("tls_only", bucket="acme", partition="aws", table="x")


def test_optional_parameters_are_named() -> None:
    with pytest.raises(AnsibleLookupError, match="and may take base_tables, report_kms_key_arn, results_kms_key_arn"):
        lookup("billing_data_reader")


def test_a_wrong_value_keeps_its_own_message() -> None:
    with pytest.raises(AnsibleLookupError, match="tls_only: bucket: 's3://acme' is not the name of a bucket"):
        lookup("tls_only", bucket="s3://acme", partition="aws")


def test_no_parameter_at_all() -> None:
    assert lookup("account_tags", form="statements") == [policies.account_tags()]
    with pytest.raises(AnsibleLookupError, match="It takes no parameter"):
        lookup("account_tags", bucket="acme")


def test_every_document_and_every_parameter_is_documented() -> None:
    options = yaml.safe_load(iam_document.DOCUMENTATION)["options"]
    text = " ".join(options["_terms"]["description"])
    wanted = set()
    for name, function in iam_document.DOCUMENTS.items():
        assert f"V({name})" in text
        wanted |= set(inspect.signature(function).parameters)
    assert wanted == set(options) - {"_terms", "form"}
