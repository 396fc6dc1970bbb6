# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What IAM roles and users have in common: names, paths, inline policies, and the calls that set them. No client here.

IAM API reference: the calls of roles and of users differ in one word. Limits: IAM user guide, "IAM and AWS STS quotas".
"""

from __future__ import annotations

import functools
import json
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from . import policies
from ._errors import error_code
from ._identifiers import refuse
from ._plan import Change, gather
from ._statements import parse_document

Kind = t.Literal["role", "user"]
Documents = dict[str, dict[str, t.Any]]  # name of an inline policy -> document

# Characters of all inline policies together.
INLINE_SIZES: dict[Kind, int] = {
    "role": policies.ROLE_INLINE_POLICIES_SIZE,
    "user": policies.USER_INLINE_POLICIES_SIZE,
}


def principal_arn(kind: Kind, partition: str, account_id: str, path: str, name: str) -> str:
    """The ARN of a role or user, which follows from its account, path and name."""
    return f"arn:{partition}:iam::{account_id}:{kind}{path}{name}"


def named(kind: Kind, name: str) -> dict[str, str]:
    """The argument by which a call knows whom it is about."""
    return {f"{kind.title()}Name": name}


def read_other_policies(
    names: t.Callable[[], list[str] | None],
    read: t.Callable[[str], dict[str, t.Any] | None],
    known: t.Collection[str],
) -> Documents:
    """The inline policies that were not read yet, side by side.

    :param names: lists those of the role or user
    :param read: reads one; ``None`` when it has gone meanwhile
    :param known: those that were read already
    :returns: none where these credentials may not look; IAM then has the last word
    """
    try:
        found = gather({each: functools.partial(read, each) for each in names() or [] if each not in known})
    except AnsibleAWSError as e:
        if error_code(e.exception) == "AccessDenied":
            return {}
        raise
    return {each: document for each, document in found.items() if document is not None}


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


def check_inline_size(kind: Kind, documents: Documents, others: Documents | None = None) -> None:
    """Refuse more inline policies than IAM takes: all of a role (or user) share one quota, which AWS does not raise.

    :param documents: those that the task is about
    :param others: what else the role (or user) has, as far as it is known
    :raises AnsibleAWSError: names their size, the limit and what to write
    """
    own = {name: policies.size(document) for name, document in documents.items()}
    more = {name: policies.size(document) for name, document in (others or {}).items()}
    total, limit = sum(own.values()) + sum(more.values()), INLINE_SIZES[kind]
    if total <= limit:
        return
    have = f"have {total} characters together"
    if more:
        have = f"have {sum(own.values())} characters, and {total} together with {', '.join(sorted(more))}"
    largest = max(own, key=own.__getitem__)
    shorten = f"Shorten the largest one ({largest}, {own[largest]}): fewer prefixes, or one wildcard for several"
    another = (
        f"make a managed policy of it (up to {policies.MANAGED_POLICY_SIZE}) and name it in managed_policy_arns, or "
        "give the workload a role of its own"
        if kind == "role"
        else "split it over several users, or let the workload take a role, which may have "
        f"{policies.ROLE_INLINE_POLICIES_SIZE}"
    )
    refuse(
        "inline_policies",
        ", ".join(own),
        f"{have}; IAM allows {limit} for all inline policies of a {kind}",
        f"{shorten}. Or {another}",
    )


def fits(kind: Kind, *documents: Documents) -> bool:
    """Whether a role (or user) can have all these inline policies at once."""
    return sum(policies.size(document) for each in documents for document in each.values()) <= INLINE_SIZES[kind]


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
    # Those that get shorter first: at no time there may be more than fits.
    order = sorted(new, key=lambda policy: policies.size(new[policy]) > policies.size(inline.get(policy) or {}))
    changes = [
        Change(
            f"put the inline policy {policy} of the {kind} {name}",
            "iam",
            f"put_{kind}_policy",
            {**named(kind, name), "PolicyName": policy, "PolicyDocument": json.dumps(new[policy])},
            # Where one may not look what else there is.
            hints={"LimitExceeded": f"All inline policies of a {kind} share {INLINE_SIZES[kind]} characters"},
        )
        for policy in order
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
