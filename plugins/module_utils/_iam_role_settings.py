# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task may want of an IAM role, and what IAM would refuse of it.

Limits: IAM user guide, "IAM and AWS STS quotas"; CreateRole in the IAM API reference.
"""

from __future__ import annotations

import dataclasses
import typing as t

from . import policies
from ._iam_principal import (
    check_inline_size,
    check_path,
    check_policy_arn,
    check_policy_names,
    check_principal_name,
    documents_of,
)
from ._identifiers import refuse
from ._statements import Statement, check_statements


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
        return documents_of(self.inline_policies)

    @property
    def policy_names(self) -> list[str]:
        """The inline policies that have to be read."""
        return sorted({*(self.inline_policies or {}), *(self.absent_inline_policies or [])})

    def check(self, name: str) -> None:
        """Refuse bad input before any call.

        :raises AnsibleAWSError: names the option, the value and what to write
        """
        check_principal_name("role", "name", name)
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
        check_policy_names(self.policy_names)
        both = sorted(set(self.inline_policies or {}) & set(self.absent_inline_policies or []))
        if both:
            refuse("absent_inline_policies", both[0], "is in inline_policies too", "Name each policy in one of them")
        check_inline_size("role", self.documents)
