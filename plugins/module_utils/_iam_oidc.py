# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM OpenID Connect providers: read and plan.

API reference: CreateOpenIDConnectProvider and its siblings in IAM. Thumbprints are left to IAM: it trusts its own
library of root CAs for EKS issuers and fetches the thumbprint itself for others.
"""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)

from ._connection import AwsConnection
from ._errors import error_handler
from ._ownership import creation_tags, keep_foreign, kept_tags
from ._plan import Change, Plan
from ._tags import plan_tags

_IamError = error_handler("NoSuchEntity")

Provider = dict[str, t.Any]  # arn, url, client_ids, thumbprints, tags, create_date


def check_url(url: str) -> None:
    """Refuse a URL that IAM would refuse.

    :raises AnsibleAWSError: names what is wrong and what to write
    """
    problem = None
    host, _slash, path = url.removeprefix("https://").partition("/")
    if not url.startswith("https://") or not host:
        problem = "it must start with https://"
    elif ":" in host:
        problem = "it must not have a port"
    elif "?" in url or "#" in url:
        problem = "it must not have a query or a fragment"
    elif len(url) > 255:
        problem = "it must not be longer than 255 characters"
    if problem:
        raise AnsibleAWSError(
            message=f"url: '{url}' is not the URL of an OpenID Connect issuer: {problem}. Write the issuer as "
            "eks_cluster_info returns it, for example https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
        )


def issuer_host(url: str) -> str:
    """The issuer without scheme and trailing slash: how IAM stores it, names the ARN and the condition keys."""
    return url.removeprefix("https://").rstrip("/")


def provider_arn(partition: str, account_id: str, url: str) -> str:
    """The ARN of the provider for an issuer. It follows from the URL, so no list has to be searched."""
    return f"arn:{partition}:iam::{account_id}:oidc-provider/{issuer_host(url)}"


@_IamError.list_error_handler("read the OpenID Connect provider")
def read(connection: AwsConnection, arn: str) -> Provider | None:
    """The provider, ``None`` when it does not exist (one call)."""
    answer = connection.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    return {
        "arn": arn,
        # IAM returns the URL without its scheme.
        "url": f"https://{issuer_host(answer['Url'])}",
        "client_ids": sorted(answer.get("ClientIDList", [])),
        "thumbprints": answer.get("ThumbprintList", []),
        "tags": boto3_tag_list_to_ansible_dict(answer.get("Tags", [])),
        "create_date": answer["CreateDate"].isoformat(),
    }


def plan_present(
    current: Provider | None,
    arn: str,
    url: str,
    client_ids: list[str],
    purge_client_ids: bool = False,
    tags: dict[str, str] | None = None,
    purge_tags: bool = True,
    ownership_tags: dict[str, str] | None = None,
) -> Plan:
    """What makes the provider exist with these audiences and tags.

    :param client_ids: audiences that tokens may name; those that exist besides stay unless ``purge_client_ids``
    :param tags: ``None`` leaves the tags as they are
    :param ownership_tags: see ``_ownership``
    """
    if current is None:
        params: dict[str, t.Any] = {"Url": url, "ClientIDList": client_ids}
        all_tags = creation_tags(tags, ownership_tags)
        if all_tags:
            params["Tags"] = ansible_dict_to_boto3_tag_list(all_tags)
        after = {
            "arn": arn,
            "url": f"https://{issuer_host(url)}",
            "client_ids": sorted(client_ids),
            "tags": all_tags,
        }
        create = Change(
            f"create the OpenID Connect provider {arn}",
            "iam",
            "create_open_id_connect_provider",
            params,
            # Another host of this run, of the same cluster, has made it meanwhile.
            done_codes=("EntityAlreadyExists",),
        )
        return Plan(None, after, [create])

    changes = []
    after = dict(current)
    missing = [client_id for client_id in client_ids if client_id not in current["client_ids"]]
    foreign = [client_id for client_id in current["client_ids"] if client_id not in client_ids and purge_client_ids]
    target = {"OpenIDConnectProviderArn": arn}
    for client_id in missing:
        changes.append(
            Change(
                f"add the audience {client_id} to {arn}",
                "iam",
                "add_client_id_to_open_id_connect_provider",
                {**target, "ClientID": client_id},
            )
        )
    for client_id in foreign:
        changes.append(
            Change(
                f"remove the audience {client_id} from {arn}",
                "iam",
                "remove_client_id_from_open_id_connect_provider",
                {**target, "ClientID": client_id},
            )
        )
    after["client_ids"] = sorted({*current["client_ids"], *missing} - set(foreign))

    def tagging(summary: str, method: str, **params: t.Any) -> Change:
        return Change(summary, "iam", method, {**target, **params})

    more, after["tags"] = plan_tags(
        current["tags"],
        kept_tags(tags, ownership_tags, current["tags"]),
        purge_tags,
        tag=lambda new: tagging(f"tag {arn}", "tag_open_id_connect_provider", Tags=ansible_dict_to_boto3_tag_list(new)),
        untag=lambda keys: tagging(f"remove tags from {arn}", "untag_open_id_connect_provider", TagKeys=keys),
    )
    return Plan(current, after, [*changes, *more])


def plan_absent(current: Provider | None, arn: str, ownership_tags: dict[str, str] | None = None) -> Plan:
    """What takes the provider away, unless it lacks the ownership tags."""
    if current is None:
        return Plan(None, None)
    kept = keep_foreign(current, current["tags"], ownership_tags, f"the OpenID Connect provider {arn}")
    if kept:
        return kept
    delete = Change(
        f"delete the OpenID Connect provider {arn}",
        "iam",
        "delete_open_id_connect_provider",
        {"OpenIDConnectProviderArn": arn},
        done_codes=("NoSuchEntity",),
    )
    return Plan(current, None, [delete])
