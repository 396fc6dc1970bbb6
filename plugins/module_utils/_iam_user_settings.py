# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task may want of an IAM user and its access key, and what IAM would refuse of it.

Limits: IAM user guide, "IAM and AWS STS quotas"; CreateUser in the IAM API reference.
"""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import timedelta

from ._access_key_rotation import Rules
from ._iam_principal import (
    check_inline_size,
    check_path,
    check_policy_arn,
    check_policy_names,
    check_principal_name,
    documents_of,
)
from ._identifiers import refuse

# Suboptions of a module's option that asks for a user whose access key a workload has.
USER_ARGUMENTS: dict[str, t.Any] = {
    "user_name": {"type": "str", "required": True},
    "path": {"type": "str"},
    "permissions_boundary": {"type": "str"},
    "inline_policies": {"type": "dict"},
    "tags": {"type": "dict"},
    "max_age": {"type": "int"},
    "settle_hours": {"type": "int", "default": 24},
}

# Ten years, and one: more is a typing error.
_MOST_DAYS, _MOST_HOURS = 3650, 24 * 365


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a task; ``None`` means: leave it as it is.

    :ivar permissions_boundary: an ARN; empty removes the boundary
    :ivar inline_policies: name -> document, JSON text or list of statements
    :ivar known_access_key_id: the id that the workload holds, empty or ``None`` for none
    :ivar max_age: days after which the key is replaced
    :ivar settle_hours: how long nothing may have used a key before it is made inactive, and again before it is deleted
    """

    path: str | None = None
    permissions_boundary: str | None = None
    inline_policies: t.Mapping[str, t.Any] | None = None
    purge_inline_policies: bool = True
    known_access_key_id: str | None = None
    max_age: int | None = None
    settle_hours: int = 24
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
    def exclusive(self) -> bool:
        """Whether the user has these inline policies and no other one."""
        return self.purge_inline_policies and self.inline_policies is not None

    @property
    def rules(self) -> Rules:
        """When a key is replaced, made inactive and deleted."""
        age = None if self.max_age is None else timedelta(days=self.max_age)
        return Rules(max_age=age, settle=timedelta(hours=self.settle_hours))

    def check(self, name: str) -> None:
        """Refuse bad input before any call.

        :raises AnsibleAWSError: names the option, the value and what to write
        """
        check_principal_name("user", "user_name", name)
        if self.path is not None:
            check_path("path", self.path)
        if self.permissions_boundary:
            check_policy_arn("permissions_boundary", self.permissions_boundary)
        if self.max_age is not None and not 0 <= self.max_age <= _MOST_DAYS:
            write = f"Write a number of days from 1 to {_MOST_DAYS}, 0 to replace the key now, or leave it out"
            refuse("max_age", self.max_age, "is not an age of a key", write)
        if not 0 <= self.settle_hours <= _MOST_HOURS:
            refuse("settle_hours", self.settle_hours, "is not allowed", f"Write 0 to {_MOST_HOURS} hours, such as 24")
        self._check_inline_policies()

    @classmethod
    def of(cls, options: t.Mapping[str, t.Any], **more: t.Any) -> Settings:
        """What a task asks for by these options, of which only those of a user count, and by more of them.

        Tags are texts, of which YAML may have made numbers.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        given = {name: value for name, value in {**options, **more}.items() if name in names}
        if given.get("tags") is not None:
            given["tags"] = {str(key): str(value) for key, value in given["tags"].items()}
        return cls(**given)

    def _check_inline_policies(self) -> None:
        documents = self.documents
        check_policy_names(documents)
        check_inline_size("user", documents)
