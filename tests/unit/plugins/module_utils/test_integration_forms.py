# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one form has no words for. That whole entries are the same in both is test_integration_entries'."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils import exceptions
from ansible_collections.kubestrap.aws.plugins.module_utils._integration_forms import converted

AZURE: dict[str, Any] = {"subscriptionID": "s", "account": "billing", "container": "c", "path": "", "cloud": ""}
BIG_QUERY: dict[str, Any] = {"projectID": "p", "dataset": "d", "table": ""}


@pytest.mark.parametrize(
    ("cloud", "entry", "authorizer", "field", "write"),
    [
        ("azure", AZURE, {"authorizerType": "AzureDefaultCredential"}, "authorizerType", "AzureAccessKey"),
        ("gcp", BIG_QUERY, {"authorizerType": "GCPWorkloadIdentity"}, "authorizerType", "GCPServiceAccountKey"),
        ("alibaba", {"account": "1", "region": "r"}, {"accessKeyID": "hush"}, "authorizerType", "AlibabaAccessKey"),
        (
            "azure",
            AZURE,
            {"authorizerType": "AzureAccessKey", "accessKey": "hush", "account": "other"},
            "account",
            "the same account",
        ),
    ],
)
def test_what_the_legacy_form_cannot_say_is_refused_by_place(
    cloud: str, entry: dict[str, Any], authorizer: dict[str, Any], field: str, write: str
) -> None:
    with pytest.raises(exceptions.AnsibleAWSError) as error:
        converted(cloud, {**entry, "authorizer": authorizer}, "legacy", f"others.{cloud}[0]")
    assert str(error.value).startswith(f"others.{cloud}[0].authorizer.{field}: ")
    assert write in str(error.value)
    assert "hush" not in str(error.value)


def test_a_legacy_entry_of_google_without_a_key_has_the_identity_of_the_pod() -> None:
    section, entry = converted("gcp", {"projectID": "p", "billingDataDataset": "d"}, "athena", "here")
    assert section == ("gcp", "bigQuery")
    assert entry == {**BIG_QUERY, "authorizer": {"authorizerType": "GCPWorkloadIdentity"}}


def test_a_table_of_google_that_is_not_named_stays_so() -> None:
    key = {"authorizerType": "GCPServiceAccountKey", "key": {"a": "b"}}
    section, entry = converted("gcp", {**BIG_QUERY, "authorizer": key}, "legacy", "here")
    assert (section, entry) == (("gcp",), {"projectID": "p", "billingDataDataset": "d", "key": {"a": "b"}})


def test_what_may_be_left_out_is_there_and_empty() -> None:
    """OpenCost refuses the whole document for a field of the new form that is not there."""
    legacy = {f"azure{name}": "x" for name in ("SubscriptionID", "StorageAccount", "StorageAccessKey")}
    _section, entry = converted("azure", {**legacy, "azureStorageContainer": "c"}, "athena", "here")
    assert (entry["path"], entry["cloud"]) == ("", "")
    assert "null" not in json.dumps(entry)
