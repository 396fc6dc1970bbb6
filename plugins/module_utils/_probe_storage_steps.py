# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an object store's client does, done once with one probe object: list, put, get, multipart upload, delete.

Afterwards nothing is left of it, but for what object lock keeps.
"""

from __future__ import annotations

import dataclasses
import typing as t
import uuid

from ._connection import AwsConnection
from ._probe_identity import Patience
from ._probe_links import FAILED, Link, failed, ok, skipped
from ._probe_refusals import allowed, is_denied, text_of
from ._probe_storage_place import FOLDER, Storage, encryption_link
from ._probe_storage_refusals import DOCUMENT, Refusal, is_about_region, look, policy_of, storage_refused

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

NO_WRITE = "Nothing is written in this run"


@dataclasses.dataclass
class _Written:
    """An object that was written.

    :ivar version: of the object, where the bucket keeps versions
    :ivar marker: version of the delete marker
    :ivar gone: whether the workload has deleted it
    """

    key: str
    version: str | None
    marker: str | None = None
    gone: bool = False


class StorageSteps:
    """The steps, for one identity.

    :param workload: connection with the workload's identity
    :param who: ARN of its role or user
    :param operator: the task's own connection: explains refusals, and sweeps away what the workload may not
    """

    def __init__(
        self, workload: AwsConnection, who: str, operator: AwsConnection, storage: Storage, patience: Patience
    ) -> None:
        calling = workload.with_endpoint(storage.endpoint_url) if storage.endpoint_url else workload
        self._s3 = calling.client("s3", storage.region)
        self._s3.meta.events.register("before-call.s3", _stay, unique_id="kubestrap-stay")
        self._operator = operator
        self._storage = storage
        self._who = who
        self._patience = patience
        self._key = f"{storage.folder}{FOLDER}/{uuid.uuid4()}"
        self._content = self._key.encode()
        self._written: list[_Written] = []
        self._uploads: list[str] = []
        self._owner_differs: bool | None = None
        self.left: list[dict[str, str | None]] = []

    # --- as a witness

    @property
    def bucket(self) -> str:
        return self._storage.bucket

    @property
    def region(self) -> str:
        return self._storage.region

    def owner_differs(self) -> bool:
        """Whether the bucket answers as soon as no owner is expected: a look at a list, by workload and operator."""
        if self._owner_differs is None:
            name = {"Bucket": self.bucket}
            mine = {**name, "Prefix": self._storage.folder, "MaxKeys": 1}
            self._owner_differs = look(lambda: self._s3.list_objects_v2(**mine)) is not None
            if not self._owner_differs:
                s3 = self._operator.client("s3", self.region)
                expected = {"ExpectedBucketOwner": self._storage.owner}
                self._owner_differs = bool(
                    look(lambda: s3.head_bucket(**name)) and not look(lambda: s3.head_bucket(**name, **expected))
                )
        return self._owner_differs

    def bucket_policy(self) -> t.Mapping[str, t.Any] | None:
        """The bucket's policy, as the operator sees it."""
        s3 = self._operator.client("s3", self.region)
        answer = look(lambda: s3.get_bucket_policy(Bucket=self.bucket))
        return policy_of(answer["Policy"]) if answer else None

    # --- the steps

    def run(self, read_only: bool = False) -> list[Link]:
        """All steps, as far as they are reached; ``left`` then tells what stays.

        :param read_only: nothing is written; what the policies say of that stands in the details
        """
        links, end = self._look()
        if end:
            return links + self._rest(links)
        if read_only:
            return links + self._predicted()
        try:
            links.append(self._put())
            if links[-1].state == FAILED:
                return links + self._rest(links)
            links += self._get()
            links.append(self._multipart())
            links.append(self._delete())
            if "outside" in self._storage.steps:
                links.append(self._outside())
        finally:
            self._sweep()
        return [self._with_remains(link) if link.link == "delete" else link for link in links]

    def _look(self) -> tuple[list[Link], bool]:
        """What only reads; and whether all that comes behind it is bound to fail for the same reason."""
        storage = self._storage
        where = f"{self.bucket}/{storage.folder}"
        try:
            self._call("list_objects_v2", Prefix=storage.folder, MaxKeys=1)
        except (ClientError, BotoCoreError) as e:
            link = self._refused("list", f"{where} cannot be listed", e, "s3:ListBucket", storage.arn)
            if is_about_region(e):
                return [skipped("list", "Not reached: region failed"), link], True
            tail = [skipped(name, "Not seen: list failed") for name in ("region", "missing")]
            # Another owner, another identity: nothing else would be said of the steps behind it.
            end = not is_denied(e) or not link.by_run
            return [link] if end else [link, *tail], end
        links = [ok("list", f"{where} can be listed"), ok("region", f"The bucket is in {storage.region}")]
        return [*links, self._missing()], False

    def _missing(self) -> Link:
        try:
            self._call("get_object", Key=self._key)
        except ClientError as e:
            if e.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return ok("missing", "An object that does not exist is told from one that is forbidden")
            detail = "An object that does not exist cannot be told from one that is forbidden"
            return self._refused("missing", detail, e, "s3:GetObject", self._object)
        except BotoCoreError as e:
            return self._refused("missing", f"{self._key} cannot be looked for", e, "s3:GetObject", self._object)
        return failed("missing", f"{self._key} exists", "S3 gave an object that nobody has written", "Try again")

    def _put(self) -> Link:
        try:
            answer = self._call("put_object", Key=self._key, Body=self._content, **self._storage.sent)
        except (ClientError, BotoCoreError) as e:
            if not isinstance(e, ClientError):  # it may have been written, although the answer was lost
                self._written.append(_Written(self._key, None))
            return self._refused("put", f"{self._key} cannot be written", e, "s3:PutObject", self._object)
        self._written.append(_Written(self._key, answer.get("VersionId")))
        return ok("put", f"{self._key} was written")

    def _get(self) -> list[Link]:
        encryption = "encryption" in self._storage.steps
        try:
            answer = self._call("get_object", Key=self._key)
            content = answer["Body"].read()
        except (ClientError, BotoCoreError) as e:
            link = self._refused("get", f"{self._key} cannot be read", e, "s3:GetObject", self._object)
            return [link, skipped("encryption", "Not reached: get failed")] if encryption else [link]
        if content == self._content:
            link = ok("get", "It was read, and is what was written")
        else:
            cause = "something between the controller and S3 changes objects"
            link = failed("get", "What was read is not what was written", cause, "Look at proxies on the way")
        return [link, encryption_link(answer, self._storage)] if encryption else [link]

    def _multipart(self) -> Link:
        name = {"Key": self._key}
        try:
            upload = self._call("create_multipart_upload", **name, **self._storage.sent)["UploadId"]
        except (ClientError, BotoCoreError) as e:
            return self._refused("multipart", "No multipart upload can be begun", e, "s3:PutObject", self._object)
        self._uploads.append(upload)
        part = {**name, "UploadId": upload}
        try:
            self._call("upload_part", **part, PartNumber=1, Body=self._content)
        except (ClientError, BotoCoreError) as e:
            return self._refused("multipart", "No part can be uploaded", e, "s3:PutObject", self._object)
        try:
            self._call("abort_multipart_upload", **part)
        except (ClientError, BotoCoreError) as e:
            detail = "A multipart upload cannot be aborted"
            return self._refused("multipart", detail, e, "s3:AbortMultipartUpload", self._object)
        self._uploads.remove(upload)
        return ok("multipart", "A multipart upload was begun, got a part, and was aborted")

    def _delete(self) -> Link:
        written = self._written[0]
        try:
            answer = self._call("delete_object", Key=written.key)
        except (ClientError, BotoCoreError) as e:
            return self._refused("delete", f"{written.key} cannot be deleted", e, "s3:DeleteObject", self._object)
        written.gone = True
        written.marker = answer.get("VersionId") if answer.get("DeleteMarker") else None
        return ok("delete", f"{written.key} was deleted")

    def _outside(self) -> Link:
        """A write beside the prefix, which has to be refused; what it writes all the same goes away again."""
        key = self._key.removeprefix(self._storage.folder)
        try:
            answer = self._s3.put_object(**self._named, Key=key, Body=self._content, **self._storage.sent)
        except ClientError as e:
            if is_denied(e):
                return ok("outside", f"Nothing can be written outside {self._storage.folder}")
            return self._refused("outside", f"{key} was refused otherwise", e, "s3:PutObject", self._object)
        except BotoCoreError as e:
            self._written.append(_Written(key, None))
            return self._refused("outside", f"{key} cannot be tried", e, "s3:PutObject", self._object)
        written = _Written(key, answer.get("VersionId"))
        self._written.append(written)
        gone = look(lambda: self._s3.delete_object(**self._named, Key=key))
        if gone is not None:
            written.gone, written.marker = True, gone.get("VersionId") if gone.get("DeleteMarker") else None
        return failed(
            "outside",
            f"{key} was written, which is outside {self._storage.folder}",
            f"the policies of {self._who} (or the bucket's) allow s3:PutObject beyond the prefix",
            f"Limit them to {self._storage.folder}* ({DOCUMENT} with prefix)",
            by_run=True,
        )

    def _predicted(self) -> list[Link]:
        """The steps that write, as far as IAM tells of them (one call)."""
        acl = ["s3:PutObjectAcl"] if "ACL" in self._storage.sent else []
        needs = {
            "put": ["s3:PutObject", *acl],
            "get": ["s3:GetObject"],
            "multipart": ["s3:PutObject", "s3:AbortMultipartUpload"],
            "delete": ["s3:DeleteObject"],
        }
        actions = sorted({action for listed in needs.values() for action in listed})
        found = allowed(self._operator, self._who, actions, self._object)
        links = []
        for name in self._storage.steps[3:]:
            lacking = [action for action in needs.get(name, []) if found and not found.get(action)]
            if lacking:
                cause = f"no policy of {self._who} allows {' and '.join(lacking)} on {self._object}"
                # In check mode it may be what the run would make.
                links.append(failed(name, NO_WRITE, cause, f"Add it to the policy ({DOCUMENT})", by_run=True))
            elif found and name in needs:
                links.append(
                    skipped(name, f"{NO_WRITE}; the policies of {self._who} allow {' and '.join(needs[name])}")
                )
            else:
                links.append(skipped(name, NO_WRITE))
        return links

    # --- afterwards

    def _sweep(self) -> None:
        """Take away with the operator's rights what is still there."""
        s3 = self._operator.client("s3", self.region)
        for upload in self._uploads:
            try:
                s3.abort_multipart_upload(**self._named, Key=self._key, UploadId=upload)
            except (ClientError, BotoCoreError) as e:
                self._leave(self._key, None, f"an unfinished multipart upload cannot be aborted: {text_of(e)}")
        for item in self._written:
            if not item.gone or item.version:
                self._sweep_object(s3, item)

    def _sweep_object(self, s3: t.Any, item: _Written) -> None:
        name = {**self._named, "Key": item.key}
        try:
            # The marker last: as long as the version is there, the marker is what hides it.
            for version in filter(None, (item.version, item.marker)):
                s3.delete_object(**name, VersionId=version)
            if not item.version:
                s3.delete_object(**name)
        except (ClientError, BotoCoreError) as e:
            until = self._locked_until(s3, item)
            self._leave(item.key, item.version, until or f"these credentials cannot delete it: {text_of(e)}")

    def _locked_until(self, s3: t.Any, item: _Written) -> str | None:
        version = {"VersionId": item.version} if item.version else {}
        answer = look(lambda: s3.head_object(**self._named, Key=item.key, **version)) or {}
        if answer.get("ObjectLockLegalHoldStatus") == "ON":
            return "object lock keeps it, by a legal hold"
        if "ObjectLockRetainUntilDate" not in answer:
            return None
        until = answer["ObjectLockRetainUntilDate"].strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"object lock keeps it until {until} ({answer.get('ObjectLockMode')})"

    def _leave(self, key: str, version: str | None, reason: str) -> None:
        self.left.append({"key": key, "version_id": version, "reason": reason})

    def _with_remains(self, link: Link) -> Link:
        """The link of the deletion, with what the bucket keeps nevertheless."""
        reasons = list(dict.fromkeys(item["reason"] for item in self.left))
        if reasons:
            return dataclasses.replace(link, detail=f"{link.detail}. In the bucket stays a probe: {'; '.join(reasons)}")
        if any(item.version for item in self._written):
            return dataclasses.replace(link, detail=f"{link.detail}, and its versions with the task's own rights")
        if link.state == FAILED:
            return dataclasses.replace(link, detail=f"{link.detail}. It was deleted with the task's own rights")
        return link

    # --- parts

    @property
    def _named(self) -> dict[str, str]:
        owner = {"ExpectedBucketOwner": self._storage.owner} if self._storage.owner else {}
        return {"Bucket": self.bucket, **owner}

    @property
    def _object(self) -> str:
        return f"{self._storage.arn}/{self._key}"

    def _call(self, method: str, **params: t.Any) -> t.Any:
        return self._patience.call(lambda: getattr(self._s3, method)(**self._named, **params))

    def _refused(self, link: str, detail: str, error: Exception, action: str, on: str) -> Link:
        context = {"s3:prefix": self._storage.folder} if action == "s3:ListBucket" else {}
        refusal = Refusal(link, detail, error, action, on, self._who, context)
        return storage_refused(refusal, self._operator, self, self._storage.owner)

    def _rest(self, links: t.Sequence[Link]) -> list[Link]:
        culprit = next(link for link in links if link.state == FAILED)
        seen = {link.link for link in links}
        return [
            skipped(name, f"Not reached: {culprit.link} failed") for name in self._storage.steps if name not in seen
        ]


def _stay(context: dict[str, t.Any], **_kwargs: t.Any) -> None:
    """Have boto3 not follow the way to another region, which the workload's client does not follow either."""
    context.setdefault("s3_redirect", {})["redirected"] = True
