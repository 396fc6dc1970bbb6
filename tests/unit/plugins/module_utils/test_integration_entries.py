# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries have one name in both forms, and those of other clouds are checked without showing a value of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils import exceptions
from ansible_collections.kubestrap.aws.plugins.module_utils import _integration_entries as entries
from ansible_collections.kubestrap.aws.plugins.module_utils.cloud_integration import build

LEGACY: dict[str, Any] = {
    "azure": [
        {
            "azureSubscriptionID": "sub-1",
            "azureStorageAccount": "billing",
            "azureStorageAccessKey": "hush",
            "azureStorageContainer": "costs",
            "azureContainerPath": "",
            "azureCloud": "public",
        }
    ],
    "gcp": [{"projectID": "project-1", "billingDataDataset": "billing.export", "key": {"private_key": "hush"}}],
    "alibaba": [{"accountID": "42", "clusterRegion": "eu", "serviceKeyName": "n", "serviceKeySecret": "hush"}],
}
ALIBABA_KEY = {"authorizerType": "AlibabaAccessKey", "accessKeyID": "n", "accessKeySecret": "hush"}
ATHENA: dict[str, Any] = {
    "azure": {
        "storage": [
            {
                "subscriptionID": "sub-1",
                "account": "billing",
                "container": "costs",
                "path": "",
                "cloud": "public",
                "authorizer": {"authorizerType": "AzureAccessKey", "accessKey": "hush", "account": "billing"},
            }
        ]
    },
    "gcp": {
        "bigQuery": [
            {
                "projectID": "project-1",
                "dataset": "billing",
                "table": "export",
                "authorizer": {"authorizerType": "GCPServiceAccountKey", "key": {"private_key": "hush"}},
            }
        ]
    },
    "alibaba": {"boa": [{"account": "42", "region": "eu", "authorizer": ALIBABA_KEY}]},
}
OTHERS = {"legacy": LEGACY, "athena": ATHENA}
PAYER = {
    "account_id": "111111111111",
    "bucket": "results",
    "region": "us-east-1",
    "database": "d",
    "table": "t",
    "workgroup": "w",
}


def names(document: dict[str, Any], form: str) -> list[str]:
    found = entries.sections(document, form)
    return [entries.name_of(section, entry, form) for section, items in found.items() for entry in items]


def refused(others: Any, form: str) -> str:
    with pytest.raises(exceptions.AnsibleAWSError) as error:
        entries.check_others("others", others, form)
    assert "hush" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("form", OTHERS)
def test_an_entry_has_the_same_name_in_both_forms(form: str) -> None:
    document = build([PAYER], form, OTHERS[form])
    assert names(document, form) == [
        "aws 111111111111/s3://results",
        "azure sub-1/billing/costs",
        "gcp project-1/billing.export",
        "alibaba 42/eu",
    ]


@pytest.mark.parametrize("form", OTHERS)
def test_other_clouds_stand_beside_ours_as_they_are(form: str) -> None:
    document = build([PAYER], form, OTHERS[form])
    assert {name: document[name] for name in OTHERS[form]} == OTHERS[form]
    assert document["aws"] == build([PAYER], form)["aws"]
    assert entries.form_of(document) == form


@pytest.mark.parametrize(("form", "other"), [("legacy", "athena"), ("athena", "legacy")])
def test_entries_of_the_other_form_are_rewritten(form: str, other: str) -> None:
    document = build([PAYER], form, OTHERS[other])
    assert document == build([PAYER], form, OTHERS[form])
    assert entries.form_of(document) == form


@pytest.mark.parametrize("form", OTHERS)
def test_the_two_forms_are_never_mixed(form: str) -> None:
    both = {"azure": LEGACY["azure"], "gcp": ATHENA["gcp"]}
    assert "others: 'azure, gcp' cannot be read: it mixes the two forms" in refused(both, form)
    mixed = {"aws": [{"projectID": "1"}], "azure": ATHENA["azure"]}
    with pytest.raises(ValueError, match="mixes the two forms"):
        entries.form_of(mixed)


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ("azure.storage", "authorizer"),
        ("azure.storage", "path"),
        ("gcp.bigQuery", "dataset"),
        ("alibaba.boa", "region"),
    ],
)
def test_what_opencost_would_refuse_the_whole_document_for_is_named(place: str, field: str) -> None:
    broken = copy.deepcopy(ATHENA)
    cloud, part = place.split(".")
    del broken[cloud][part][0][field]
    assert f"others.{place}[0].{field}: '' is missing" in refused(broken, "athena")


@pytest.mark.parametrize(
    ("others", "form", "text"),
    [
        (["hush"], "athena", "others: 'list' is not a mapping"),
        ({"aws": []}, "legacy", "others.aws: '...' is made from the payers"),
        ({"ibm": []}, "legacy", "others: 'ibm' is not a cloud"),
        ({"azure": "hush"}, "legacy", "azure is in none of the two forms"),
        ({"azure": {"blob": [{"account": "hush"}]}}, "athena", "others: 'azure.blob' is not a section"),
        ({"azure": LEGACY["azure"] * 2}, "legacy", "others.azure[1]: 'azure sub-1/billing/costs' is there twice"),
        ({"azure": [{"azureSubscriptionID": "s"}]}, "legacy", "others.azure[0].azureStorageAccount"),
        (
            {"alibaba": {"boa": [{"account": "1", "region": "r", "authorizer": "hush"}]}},
            "athena",
            "others.alibaba.boa[0].authorizer: '...' is not a mapping",
        ),
    ],
)
def test_entries_that_cannot_stand_there_are_refused_by_place(others: Any, form: str, text: str) -> None:
    assert text in refused(others, form)


@pytest.mark.parametrize("document", [{}, {"aws": []}, {"aws": None, "azure": {}}])
def test_a_document_without_entries_fits_both_forms(document: dict[str, Any]) -> None:
    assert entries.form_of(document) is None


def test_sections_that_nobody_knows_are_kept() -> None:
    document = {"oci": {"usageApi": [{"tenancyID": "1"}]}, "aws": {"s3": [{"bucket": "b"}]}}
    assert entries.assembled(entries.sections(document, "athena"), "athena") == document
    assert names(document, "athena") == ["oci.usageApi", "aws.s3"]
