# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task may want of an IAM role, and what IAM would refuse of it.

Limits: IAM user guide, "IAM and AWS STS quotas"; CreateRole in the IAM API reference.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from . import policies
from ._identifiers import refuse
from ._statements import Statement, check_statements, parse_document


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a task; ``None`` means: leave it as it is.

    :ivar permissions_boundary: an ARN; empty removes the boundary
    :ivar inline_policies: name -> document, JSON text or list of statements
    :ivar trust_size_limit: characters that the trust policy may have in this account
    """

    path: str | None = None
    description: str | None = None
    permissions_boundary: str | None = None
    max_session_duration: int | None = None
    trust_statements: t.Sequence[Statement] | None = None
    absent_trust_sids: t.Sequence[str] | None = None
    purge_trust_statements: bool = False
    trust_size_limit: int = policies.TRUST_POLICY_SIZE
    inline_policies: t.Mapping[str, t.Any] | None = None
    absent_inline_policies: t.Sequence[str] | None = None
    managed_policy_arns: t.Sequence[str] | None = None
    purge_managed_policies: bool = False
    tags: dict[str, str] | None = None
    purge_tags: bool = True
    ownership_tags: dict[str, str] | None = None

    @property
    def documents(self) -> dict[str, dict[str, t.Any]]:
        """The inline policies as documents.

        :raises AnsibleAWSError: one is no policy document
        """
        return {
            name: parse_document("inline_policies", name, text) for name, text in (self.inline_policies or {}).items()
        }

    @property
    def policy_names(self) -> list[str]:
        """The inline policies that have to be read."""
        return sorted({*(self.inline_policies or {}), *(self.absent_inline_policies or [])})

    def check(self, name: str) -> None:
        """Refuse bad input before any call.

        :raises AnsibleAWSError: names the option, the value and what to write
        """
        check_role_name("name", name)
        if self.path is not None:
            check_path("path", self.path)
        if self.description is not None and len(self.description) > 1000:
            refuse("description", self.description, f"has {len(self.description)} characters", "Write at most 1000")
        seconds = self.max_session_duration
        if seconds is not None and not 3600 <= seconds <= 43200:
            refuse("max_session_duration", seconds, "is not allowed", "Write 3600 to 43200 seconds (1 to 12 hours)")
        for option, arns in (
            ("permissions_boundary", [self.permissions_boundary] if self.permissions_boundary else []),
            ("managed_policy_arns", self.managed_policy_arns or []),
        ):
            for arn in arns:
                check_policy_arn(option, arn)
        check_statements("trust_statements", self.trust_statements)
        self._check_inline_policies()

    def _check_inline_policies(self) -> None:
        for policy in self.policy_names:
            if not re.fullmatch(r"[\w+=,.@-]{1,128}", policy, re.ASCII):
                write = "Write 1 to 128 letters, digits or characters of _+=,.@-"
                refuse("inline_policies", policy, "is not a name of a policy", write)
        both = sorted(set(self.inline_policies or {}) & set(self.absent_inline_policies or []))
        if both:
            refuse("absent_inline_policies", both[0], "is in inline_policies too", "Name each policy in one of them")
        sizes = {name: policies.size(document) for name, document in self.documents.items()}
        total = sum(sizes.values())
        if total > policies.ROLE_INLINE_POLICIES_SIZE:
            largest = max(sizes, key=sizes.__getitem__)
            refuse(
                "inline_policies",
                ", ".join(sizes),
                f"have {total} characters together; IAM allows {policies.ROLE_INLINE_POLICIES_SIZE} for all inline "
                "policies of a role",
                f"Shorten the largest one ({largest}, {sizes[largest]}), or make a managed policy of it and name it in "
                "managed_policy_arns",
            )


def check_role_name(option: str, name: str) -> None:
    """Refuse what IAM would refuse as the name of a role.

    :raises AnsibleAWSError: names the option, the value and what to write
    """
    if len(name) > 64:
        refuse(option, name, f"has {len(name)} characters; IAM allows 64", "Write a shorter name")
    if not re.fullmatch(r"[\w+=,.@-]+", name, re.ASCII):
        write = "Write 1 to 64 letters, digits or characters of _+=,.@- (a path goes into its own option)"
        refuse(option, name, "is not a name of a role", write)


def check_path(option: str, path: str) -> None:
    """Refuse what IAM would refuse as the path of a role.

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
