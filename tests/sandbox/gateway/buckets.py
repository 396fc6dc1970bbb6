# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets and objects of all accounts, read and written in process, for services that act on S3 by themselves.

Bucket names are global; MiniStack 1.5.33 keeps buckets per account, so everything here runs in the owner's scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoredObject:
    """An object's key, size in bytes, and the KMS key (ARN or id) it is encrypted with, "" for none."""

    key: str
    size: int
    kms_key: str


class Bucket:
    """An existing bucket, found by `find`."""

    def __init__(self, name: str, owner: str, record: dict[str, Any]) -> None:
        self.name = name
        self.owner = owner
        self.region: str = record.get("region") or "us-east-1"
        self._record = record

    @property
    def arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:aws:s3:::{self.name}"

    @property
    def policy(self) -> str:
        """The bucket policy as JSON, "" for none."""
        from ministack.services import s3

        return s3._bucket_policies.get_scoped(self.owner, None, self.name) or ""

    @property
    def default_kms_key(self) -> str:
        """The customer key of the bucket's default encryption, "" when it has none."""
        from ministack.services import s3

        with self._scope():
            return s3._bucket_default_sse_headers(self.name).get("x-amz-server-side-encryption-aws-kms-key-id", "")

    def objects(self, prefix: str) -> list[StoredObject]:
        """The objects below a prefix, by key."""
        return [
            StoredObject(
                key, record["size"], record["preserved_headers"].get("x-amz-server-side-encryption-aws-kms-key-id", "")
            )
            for key, record in sorted(self._record["objects"].items())
            if key.startswith(prefix)
        ]

    def read(self, key: str) -> bytes:
        """An object's content; KeyError when there is none."""
        from ministack.services import s3

        with self._scope():
            data = s3._get_object_data(self.name, key)
        if data is None:
            raise KeyError(key)
        return data

    def write(
        self, key: str, data: bytes, content_type: str = "binary/octet-stream", headers: dict[str, str] | None = None
    ) -> None:
        """Put an object; ValueError with S3's answer when the bucket refuses it."""
        from ministack.services import s3

        sent = {"content-type": content_type, "content-length": str(len(data)), **(headers or {})}
        with self._scope():
            status, _headers, body = s3._put_object(self.name, key, data, sent)
        if status >= 300:
            raise ValueError(body.decode("utf-8", "replace"))

    def _scope(self) -> Any:
        from ministack.core.responses import request_scope

        return request_scope(self.owner, self.region)


def find(name: str) -> Bucket | None:
    """The bucket of that name, whoever owns it."""
    from ministack.services import s3

    owner = s3._bucket_owner_account(name)
    return Bucket(name, owner, s3._buckets.get_scoped(owner, None, name)) if owner else None


def split_url(url: str) -> tuple[str, str]:
    """Bucket and key (or prefix) of an `s3://bucket/key` URL; ValueError when it is none."""
    scheme, _unused, rest = url.partition("://")
    bucket, _unused, key = rest.partition("/")
    if scheme not in ("s3", "s3a", "s3n") or not bucket:
        raise ValueError(f"{url} is not an S3 URL")
    return bucket, key
