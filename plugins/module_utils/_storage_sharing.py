# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is let into a bucket, and may use its key: who comes, who goes, and who stays. Pure: no call.

A run that sees a part of the workloads (``--limit``, one of two playbooks) lets those of the other runs stay. What is
there already is read out of our own statements, in the policies of bucket and key.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ._identifiers import refuse
from ._statements import Document, Statement, statements_of
from .storage_policies import Sharer, check_sharer, key_users_of, object_storage_key, sharers_of, sharing_statements

_T = t.TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Sharing:
    """What a task says of those who share.

    :ivar coming: those who are let in; of a role that is named here it says all that the role gets
    :ivar leaving: ARNs of those who are not let in any more, unless they come
    :ivar purge: whether all who do not come leave
    """

    coming: t.Sequence[Sharer]
    leaving: t.Sequence[str] = ()
    purge: bool = False

    def check(self) -> None:
        """Refuse bad input before any call.

        :raises AnsibleAWSError: names the option, the value and what to write
        """
        for sharer in self.coming:
            check_sharer("shared_with", sharer.role_arn)
        for arn in self.leaving:
            check_sharer("absent_shared_with", arn)

    def staying(self, found: t.Iterable[_T], role_of: t.Callable[[_T], str]) -> list[_T]:
        """Those who are there, and of whom nothing is said."""
        named = {sharer.role_arn for sharer in self.coming}.union(self.leaving)
        return [] if self.purge else [each for each in found if role_of(each) not in named]


def sharing(
    shared_with: t.Sequence[str | t.Mapping[str, t.Any]] | None, leaving: t.Sequence[str] | None, purge: bool
) -> Sharing | None:
    """What the options ``shared_with``, ``absent_shared_with`` and ``purge_shared_with`` say; ``None`` for nothing.

    :param shared_with: ARNs, or mappings with ``role_arn``, ``prefix`` and ``put_object_acl``
    :raises AnsibleAWSError: there is nobody who could stay
    """
    if purge and shared_with is None:
        write = "Write shared_with: [] to let nobody in any more"
        refuse("purge_shared_with", "true", "has no shared_with beside it", write)
    if shared_with is None and leaving is None:
        return None
    return Sharing([_sharer(entry) for entry in shared_with or ()], leaving or (), purge)


def bucket_statements(
    current: Document | None, wanted: Sharing, *, bucket: str, partition: str, account_id: str
) -> list[Statement]:
    """Our statements in the policy of a bucket, after the task; none when nobody is let in any more.

    :param current: the policy as S3 has it
    """
    found = sharers_of(statements_of(current), bucket=bucket, partition=partition)
    sharers = sorted({*wanted.staying(found, lambda sharer: sharer.role_arn), *wanted.coming})
    if not sharers:
        return []
    return sharing_statements(bucket=bucket, partition=partition, sharers=sharers, account_id=account_id)


def key_statements(current: Document | None, wanted: Sharing, *, region: str) -> list[Statement]:
    """Our statement in the policy of a key, after the task; none when nobody needs it.

    :param current: the policy as KMS has it
    """
    users = wanted.staying(key_users_of(statements_of(current)), str)
    users += [sharer.role_arn for sharer in wanted.coming]
    return object_storage_key(role_arns=sorted(set(users)), region=region) if users else []


def _sharer(entry: str | t.Mapping[str, t.Any]) -> Sharer:
    if isinstance(entry, str):
        return Sharer(entry)
    return Sharer(entry["role_arn"], (entry.get("prefix") or "").strip("/"), bool(entry.get("put_object_acl")))
