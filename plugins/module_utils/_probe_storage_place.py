# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a workload keeps its objects, and whether they are encrypted as they shall be. Pure, no call."""

from __future__ import annotations

import dataclasses
import typing as t

from ._probe_links import Link, failed, ok

# Below the workload's folder; what the proof writes is in it.
FOLDER = "kubestrap-probe"


@dataclasses.dataclass(frozen=True)
class Storage:
    """Where the workload keeps its objects, and what is expected of it.

    :ivar region: of the bucket, as the workload has it in its configuration
    :ivar partition: of the region
    :ivar endpoint_url: where the workload calls S3 when that is not the region's own endpoint
    :ivar prefix: folder of the workload; empty for the whole bucket
    :ivar prefix_enforced: whether the workload must not be able to write outside its prefix
    :ivar encryption: ``AES256`` or ``aws:kms``; ``None`` does not look
    :ivar kms_key_arn: the key that objects must be encrypted with
    :ivar owner: the account that must own the bucket; ``None`` does not ask
    :ivar sent: what the workload sends with each upload: parameters ``ACL``, ``ServerSideEncryption``, ``SSEKMSKeyId``
    """

    bucket: str
    region: str
    partition: str = "aws"
    endpoint_url: str | None = None
    prefix: str = ""
    prefix_enforced: bool = False
    encryption: str | None = None
    kms_key_arn: str | None = None
    owner: str | None = None
    sent: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The prefix with a slash at its end, empty for the whole bucket."""
        return f"{self.prefix.strip('/')}/" if self.prefix.strip("/") else ""

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def steps(self) -> list[str]:
        """Names of the links, in the order in which they are tried."""
        names = ["list", "region", "missing", "put", "get"]
        names += ["encryption"] if self.encryption else []
        names += ["multipart", "delete"]
        return [*names, "outside"] if self.prefix_enforced and self.folder else names


def encryption_link(answer: t.Mapping[str, t.Any], storage: Storage) -> Link:
    """The object is encrypted as it shall be.

    :param answer: of GetObject
    """
    actual, key = answer.get("ServerSideEncryption"), answer.get("SSEKMSKeyId")
    detail = f"Objects are encrypted with {actual or 'nothing'}"
    change = "Correct the bucket's default encryption (kubestrap.aws.s3_storage_bucket), or what the workload asks for"
    if actual != storage.encryption:
        cause = f"{storage.encryption} was asked for"
        return failed("encryption", detail, cause, change, by_run=True)
    if storage.kms_key_arn and key != storage.kms_key_arn:
        return failed("encryption", f"{detail}, key {key}", f"it should be {storage.kms_key_arn}", change, by_run=True)
    return ok("encryption", f"{detail}, key {key}" if key else detail)
