# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task may want of a bucket, what has to be read for it, and what S3 would refuse of it."""

from __future__ import annotations

import dataclasses
import typing as t

from ._identifiers import refuse
from ._s3_lifecycle import check_rules
from ._s3_names import check_bucket_name
from ._s3_object_lock import check_object_lock
from ._statements import Statement, check_statements
from ._storage_sharing import Sharing, sharing


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a task; ``None``, and ``False`` for the first two, means: leave it as it is."""

    public_access_block: bool = True
    tls_only: bool = True
    object_ownership: str | None = "BucketOwnerEnforced"
    encryption: t.Mapping[str, t.Any] | None = None
    versioning: str | None = None
    object_lock: t.Mapping[str, t.Any] | None = None
    policy_statements: t.Sequence[Statement] | None = None
    absent_policy_sids: t.Sequence[str] | None = None
    shared_with: t.Sequence[t.Mapping[str, t.Any]] | None = None
    absent_shared_with: t.Sequence[str] | None = None
    purge_shared_with: bool = False
    lifecycle_rules: t.Sequence[t.Mapping[str, t.Any]] | None = None
    absent_lifecycle_rule_ids: t.Sequence[str] | None = None
    purge_lifecycle_rules: bool = False
    tags: dict[str, str] | None = None
    purge_tags: bool = True
    ownership_tags: dict[str, str] | None = None

    def check(self, name: str) -> None:
        """Refuse bad input before any call.

        :raises AnsibleAWSError: names the option, the value and what to write
        """
        check_bucket_name("name", name)
        check_statements("policy_statements", self.policy_statements)
        if self.sharing:
            self.sharing.check()
        check_rules(self.lifecycle_rules)
        check_object_lock(self.object_lock, self.versioning)
        ids = {rule["id"] for rule in self.lifecycle_rules or []}
        both = sorted(ids & set(self.absent_lifecycle_rule_ids or []))
        if both:
            write = "Name each rule in one of them"
            refuse("absent_lifecycle_rule_ids", both[0], "is the id of one of lifecycle_rules too", write)
        key = (self.encryption or {}).get("kms_master_key_id")
        if key and self.encryption["sse_algorithm"] == "AES256":
            write = "Set encryption.sse_algorithm to aws:kms, or leave the key out"
            refuse("encryption.kms_master_key_id", key, "cannot be used with AES256", write)

    @property
    def sharing(self) -> Sharing | None:
        """What is said of those who share the bucket, if anything is."""
        return sharing(self.shared_with, self.absent_shared_with, self.purge_shared_with)

    @property
    def of_a_guest(self) -> Settings:
        """What is set of a bucket that is not ours: only what can stand beside its owner's settings."""
        return dataclasses.replace(
            self,
            public_access_block=False,
            tls_only=False,
            object_ownership=None,
            encryption=None,
            versioning=None,
            object_lock=None,
            purge_lifecycle_rules=False,
            tags=None,
        )

    @property
    def to_read(self) -> tuple[str, ...]:
        """What has to be read of the bucket, in the words of ``_s3_bucket.SETTINGS``."""
        needed = {
            "public_access_block": self.public_access_block,
            "object_ownership": self.object_ownership,
            "encryption": self.encryption,
            "versioning": self.versioning,
            "object_lock": self.object_lock is not None,
            "policy": self.tls_only or self.policy_statements or self.absent_policy_sids or self.sharing,
            "lifecycle": self.lifecycle_rules is not None or bool(self.absent_lifecycle_rule_ids),
            "tags": self.tags is not None,
        }
        # Nothing set: existence, owner and region are still to be seen.
        return tuple(setting for setting, need in needed.items() if need) or ("versioning",)
