# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading an IAM role with its policies, all calls side by side.

IAM API reference: GetRole (which has the trust policy, the boundary and the tags), GetRolePolicy,
ListAttachedRolePolicies; before a deletion also ListRolePolicies and ListInstanceProfilesForRole.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ._connection import AwsConnection
from ._errors import error_handler
from ._iam_principal import read_other_policies
from ._plan import gather

_IamError = error_handler("NoSuchEntity")

# name, arn, path, role_id, create_date, description, max_session_duration, permissions_boundary, tags,
# assume_role_policy_document, inline_policies (name -> document), and what else was read
Role = dict[str, t.Any]


def read(
    connection: AwsConnection, name: str, policy_names: t.Collection[str] = (), attached: bool = False
) -> Role | None:
    """The role, ``None`` when it does not exist.

    :param policy_names: the inline policies to read, one call each; those that do not exist are left out
    :param attached: whether the attached managed policies are read too (one call)
    """
    iam = connection.client("iam")
    reads: dict[str, t.Callable[[], t.Any]] = {"role": functools.partial(_get_role, iam, name)}
    for policy in policy_names:
        reads[f"policy {policy}"] = functools.partial(_get_policy, iam, name, policy)
    if attached:
        reads["attached"] = functools.partial(_list, iam, "list_attached_role_policies", "AttachedPolicies", name)
    found = gather(reads)
    role = found["role"]
    if role is None:
        return None
    documents = {policy: found[f"policy {policy}"] for policy in policy_names}
    role["inline_policies"] = {policy: document for policy, document in documents.items() if document is not None}
    if attached:
        role["managed_policy_arns"] = sorted(policy["PolicyArn"] for policy in found["attached"] or [])
    return role


def read_others(connection: AwsConnection, name: str, known: t.Collection[str]) -> dict[str, dict[str, t.Any]]:
    """The other inline policies of the role, which share its quota: name -> document.

    :param known: those that were read already
    :returns: none where these credentials may not look; IAM then has the last word
    """
    iam = connection.client("iam")
    names = functools.partial(_list, iam, "list_role_policies", "PolicyNames", name)
    return read_other_policies(names, functools.partial(_get_policy, iam, name), known)


def read_to_delete(connection: AwsConnection, name: str) -> Role | None:
    """The role with all that has to leave before it can be deleted (four calls).

    :returns: ``inline_policy_names``, ``managed_policy_arns`` and ``instance_profiles`` (names) are complete;
        ``None`` when the role does not exist
    """
    iam = connection.client("iam")
    found = gather(
        {
            "role": functools.partial(_get_role, iam, name),
            "inline": functools.partial(_list, iam, "list_role_policies", "PolicyNames", name),
            "attached": functools.partial(_list, iam, "list_attached_role_policies", "AttachedPolicies", name),
            "profiles": functools.partial(_list, iam, "list_instance_profiles_for_role", "InstanceProfiles", name),
        }
    )
    role = found["role"]
    if role is None:
        return None
    role["inline_policy_names"] = sorted(found["inline"] or [])
    role["managed_policy_arns"] = sorted(policy["PolicyArn"] for policy in found["attached"] or [])
    role["instance_profiles"] = sorted(profile["InstanceProfileName"] for profile in found["profiles"] or [])
    return role


@_IamError.list_error_handler("read the role")
def _get_role(iam: t.Any, name: str) -> Role | None:
    role = iam.get_role(RoleName=name)["Role"]
    return {
        "name": role["RoleName"],
        "arn": role["Arn"],
        "path": role["Path"],
        "role_id": role["RoleId"],
        "create_date": role["CreateDate"].isoformat(),
        "description": role.get("Description", ""),
        "max_session_duration": role.get("MaxSessionDuration", 3600),
        "permissions_boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        "tags": boto3_tag_list_to_ansible_dict(role.get("Tags", [])),
        "assume_role_policy_document": role["AssumeRolePolicyDocument"],
    }


@_IamError.list_error_handler("read an inline policy of the role")
def _get_policy(iam: t.Any, name: str, policy: str) -> dict[str, t.Any] | None:
    return iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]


@_IamError.list_error_handler("list what belongs to the role")
def _list(iam: t.Any, method: str, key: str, name: str) -> list[t.Any] | None:
    return iam.get_paginator(method).paginate(RoleName=name).build_full_result().get(key, [])
