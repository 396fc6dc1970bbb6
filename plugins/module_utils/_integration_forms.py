# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of other clouds in the other form of the cloud integration, as OpenCost itself turns old into new.

Sources: ``Convert...ToConfig`` and the authorizers of OpenCost, pkg/cloud/{azure,gcp,alibaba}. The new form knows more
kinds of credentials than the old one, so that the way back is not always there. Pure; nothing here shows a value.
"""

from __future__ import annotations

import typing as t

from ._identifiers import refuse

Entry = t.Mapping[str, t.Any]
Fields = dict[str, t.Any]

# Cloud -> section of the new form, and what the authorizer with a key is called there.
_SECTIONS = {"azure": "storage", "gcp": "bigQuery", "alibaba": "boa"}
_WITH_KEY = {"azure": "AzureAccessKey", "gcp": "GCPServiceAccountKey", "alibaba": "AlibabaAccessKey"}


def converted(cloud: str, entry: Entry, form: str, here: str) -> tuple[tuple[str, ...], Fields]:
    """Section and content of a complete entry in this form, from the other one.

    :param cloud: azure, gcp or alibaba
    :param form: ``legacy`` or ``athena``
    :param here: where the entry stands, for messages
    :raises AnsibleAWSError: the legacy form has no words for its authorizer
    """
    if form == "athena":
        return (cloud, _SECTIONS[cloud]), _NEW[cloud](entry)
    authorizer = entry["authorizer"]
    kind = str(authorizer.get("authorizerType") or "")
    if kind != _WITH_KEY[cloud]:
        refuse(
            f"{here}.authorizer.authorizerType",
            kind,
            "cannot be said in the form 'legacy' of Kubecost 1 and 2, whose entries have a key",
            f"Write an entry with {_WITH_KEY[cloud]}, leave it out, or upgrade to kubecost_generation: '3'",
        )
    if cloud == "azure" and authorizer.get("account") != entry["account"]:
        refuse(
            f"{here}.authorizer.account",
            "...",
            "is another storage account than that of the entry; the form 'legacy' of Kubecost 1 and 2 has one for both",
            "Write the same account in both, or leave the entry out",
        )
    return (cloud,), _OLD[cloud](entry, authorizer)


def _new_azure(entry: Entry) -> Fields:
    account = entry["azureStorageAccount"]
    return {
        "subscriptionID": entry["azureSubscriptionID"],
        "account": account,
        "container": entry["azureStorageContainer"],
        "path": entry.get("azureContainerPath") or "",
        "cloud": entry.get("azureCloud") or "",
        "authorizer": {
            "authorizerType": _WITH_KEY["azure"],
            "accessKey": entry["azureStorageAccessKey"],
            "account": account,
        },
    }


def _new_gcp(entry: Entry) -> Fields:
    dataset, _dot, table = str(entry["billingDataDataset"]).partition(".")
    key = entry.get("key")
    authorizer = {"authorizerType": _WITH_KEY["gcp"], "key": key} if key else {"authorizerType": "GCPWorkloadIdentity"}
    return {"projectID": entry["projectID"], "dataset": dataset, "table": table, "authorizer": authorizer}


def _new_alibaba(entry: Entry) -> Fields:
    return {
        "account": entry["accountID"],
        "region": entry["clusterRegion"],
        "authorizer": {
            "authorizerType": _WITH_KEY["alibaba"],
            "accessKeyID": entry.get("serviceKeyName") or "",
            "accessKeySecret": entry.get("serviceKeySecret") or "",
        },
    }


def _old_azure(entry: Entry, authorizer: Entry) -> Fields:
    return {
        "azureSubscriptionID": entry["subscriptionID"],
        "azureStorageAccount": entry["account"],
        "azureStorageAccessKey": authorizer.get("accessKey") or "",
        "azureStorageContainer": entry["container"],
        "azureContainerPath": entry["path"],
        "azureCloud": entry["cloud"],
    }


def _old_gcp(entry: Entry, authorizer: Entry) -> Fields:
    dataset = ".".join(filter(None, (entry["dataset"], entry["table"])))
    return {"projectID": entry["projectID"], "billingDataDataset": dataset, "key": authorizer.get("key") or {}}


def _old_alibaba(entry: Entry, authorizer: Entry) -> Fields:
    return {
        "accountID": entry["account"],
        "clusterRegion": entry["region"],
        "serviceKeyName": authorizer.get("accessKeyID") or "",
        "serviceKeySecret": authorizer.get("accessKeySecret") or "",
    }


_NEW: dict[str, t.Callable[[Entry], Fields]] = {"azure": _new_azure, "gcp": _new_gcp, "alibaba": _new_alibaba}
_OLD: dict[str, t.Callable[[Entry, Entry], Fields]] = {"azure": _old_azure, "gcp": _old_gcp, "alibaba": _old_alibaba}
