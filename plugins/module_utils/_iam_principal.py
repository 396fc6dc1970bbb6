# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What IAM's roles and users have in common: names, paths, inline policies, and the calls that set them. Pure, no call.

IAM API reference: the calls of roles and of users differ in one word. Limits: IAM user guide, "IAM and AWS STS quotas".
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ._identifiers import refuse
from ._plan import Change
from ._statements import parse_document

Kind = t.Literal["role", "user"]
Documents = dict[str, dict[str, t.Any]]  # name of an inline policy -> document


def principal_arn(kind: Kind, partition: str, account_id: str, path: str, name: str) -> str:
    """The ARN of a role or user, which follows from its account, path and name."""
    return f"arn:{partition}:iam::{account_id}:{kind}{path}{name}"


def named(kind: Kind, name: str) -> dict[str, str]:
    """The argument by which a call knows whom it is about."""
    return {f"{kind.title()}Name": name}


# --- what IAM would refuse


def check_principal_name(kind: Kind, option: str, name: str) -> None:
    """Refuse what IAM would refuse as the name of a role or user.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    if len(name) > 64:
        refuse(option, name, f"has {len(name)} characters; IAM allows 64", "Write a shorter name")
    if not re.fullmatch(r"[\w+=,.@-]+", name, re.ASCII):
        write = "Write 1 to 64 letters, digits or characters of _+=,.@- (a path goes into its own option)"
        refuse(option, name, f"is not a name of a {kind}", write)


def check_path(option: str, path: str) -> None:
    """Refuse what IAM would refuse as a path.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    if re.fullmatch(r"/|/[\x21-\x7e]+/", path) and "//" not in path and len(path) <= 512:
        return
    write = "Write a path of at most 512 characters that begins and ends with a slash, for example /kubestrap/"
    refuse(option, path, "is not a path of IAM", write)


def check_policy_arn(option: str, arn: str) -> None:
    """Refuse what is not the ARN of a managed policy.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    if not re.fullmatch(r"arn:[\w-]+:iam::(\d{12}|aws):policy/\S+", arn, re.ASCII):
        write = "Write the whole ARN, for example arn:aws:iam::222222222222:policy/boundary"
        refuse(option, arn, "is not the ARN of a managed policy", write)


def check_policy_names(names: t.Iterable[str]) -> None:
    """Refuse what IAM would refuse as the name of an inline policy.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    for name in names:
        if not re.fullmatch(r"[\w+=,.@-]{1,128}", name, re.ASCII):
            write = "Write 1 to 128 letters, digits or characters of _+=,.@-"
            refuse("inline_policies", name, "is not a name of a policy", write)


def documents_of(inline_policies: t.Mapping[str, t.Any] | None) -> Documents:
    """The inline policies of a task as documents.

    :param inline_policies: name -> document, JSON text or list of statements
    :raises AnsibleAWSError: one is no policy document
    """
    return {name: parse_document("inline_policies", name, text) for name, text in (inline_policies or {}).items()}


# --- the calls


def plan_boundary(
    kind: Kind, name: str, boundary: str | None, current: t.Mapping[str, t.Any], after: dict[str, t.Any]
) -> list[Change]:
    """Set the permissions boundary, remove it (an empty one), or leave it as it is (``None``).

    :param after: what the role or user will be, where the boundary is noted
    """
    if boundary is None or boundary == current["permissions_boundary"]:
        return []
    after["permissions_boundary"] = boundary
    if not boundary:
        summary = f"remove the permissions boundary of the {kind} {name}"
        return [Change(summary, "iam", f"delete_{kind}_permissions_boundary", named(kind, name))]
    summary = f"set the permissions boundary of the {kind} {name}"
    params = {**named(kind, name), "PermissionsBoundary": boundary}
    return [Change(summary, "iam", f"put_{kind}_permissions_boundary", params)]


def put_policies(
    kind: Kind, name: str, inline: t.Mapping[str, t.Any], wanted: Documents
) -> tuple[list[Change], Documents]:
    """Put those inline policies that are missing or say something else.

    :param inline: name -> document, as read
    :returns: the calls, and all documents after them
    """
    new = {
        policy: document
        for policy, document in wanted.items()
        if policy not in inline or compare_policies(inline[policy], document)
    }
    changes = [
        Change(
            f"put the inline policy {policy} of the {kind} {name}",
            "iam",
            f"put_{kind}_policy",
            {**named(kind, name), "PolicyName": policy, "PolicyDocument": json.dumps(document)},
        )
        for policy, document in new.items()
    ]
    return changes, {**inline, **new}


def delete_policy(kind: Kind, name: str, policy: str) -> Change:
    """Delete an inline policy."""
    return Change(
        f"delete the inline policy {policy} of the {kind} {name}",
        "iam",
        f"delete_{kind}_policy",
        {**named(kind, name), "PolicyName": policy},
        done_codes=("NoSuchEntity",),
    )
