# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays WAL-G in a pod of StackGres: it goes to S3 with what the pod and the SGObjectStorage give it.

The order of things is theirs: variables that the pod has already win over those of the SGObjectStorage
(templates/exec-with-env), so the region that EKS' webhook injects wins over `spec.s3.region`; keys win over a role;
without either it is the node's role. The calls are authorized like any other and left out of the record, since no task
under test makes them. Errors read as those of the AWS SDK for Go, version 1, which WAL-G is built with.
"""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any, NamedTuple

from ..control_plane.api import ApiError, KubernetesApi

CONTAINER = "patroni"
_NODE = "arn:aws:sts::{account}:assumed-role/eks-node-group/i-0123456789abcdef0"
# WAL-G 3.0.0 to 3.0.5 takes its own role once more, with a session name that is empty (wal-g#1810).
_EMPTY_SESSION = (
    "ValidationError: 1 validation error detected: Value '' at 'roleSessionName' failed to satisfy constraint: Member "
    "must have length greater than or equal to 2\n\tstatus code: 400"
)


class Refused(Exception):
    """WAL-G ends with an error; the text is what it writes."""


class Pod(NamedTuple):
    """The pod that WAL-G runs in: `account` is its ServiceAccount, `environment` that of container patroni."""

    namespace: str
    account: str
    environment: dict[str, str]

    @classmethod
    def of(cls, pod: dict[str, Any]) -> Pod:
        """From the API server's object."""
        container = next(item for item in pod["spec"]["containers"] if item["name"] == CONTAINER)
        variables = {item["name"]: item.get("value", "") for item in container.get("env") or []}
        return cls(pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName", "default"), variables)


def wal_g_version(stackgres: tuple[int, ...]) -> tuple[int, int, int]:
    """The newest WAL-G in the images of a version of StackGres (its documentation, 06-versions)."""
    if stackgres < (1, 17):
        return (3, 0, 3)
    return (3, 0, 7) if stackgres < (1, 18, 4) else (3, 0, 8)


class WalG:
    """WAL-G of one version, at clusters of the account `account_id`; `gateway` answers AWS' calls."""

    def __init__(self, api: KubernetesApi, gateway: Any, account_id: str, version: tuple[int, int, int]) -> None:
        self._api, self._gateway, self._account_id, self._version = api, gateway, account_id, version

    def push(self, pod: Pod, storage: dict[str, Any], path: str) -> dict[str, Any]:
        """Write a base backup below a path; returns `name` and `size`. Raises Refused."""
        from botocore.exceptions import BotoCoreError, ClientError

        block = storage[storage["type"]]
        bucket, _slash, prefix = block["bucket"].rpartition("://")[2].strip("/").partition("/")
        folder = "/".join(part for part in (prefix, path, "basebackups_005") if part)
        name = f"base_{datetime.datetime.now(datetime.UTC):%Y%m%d%H%M%S%f}"
        try:
            s3 = self._s3(pod, block, bucket)
            more = {"StorageClass": block["storageClass"]} if block.get("storageClass") else {}
            s3.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/")
            if self._version >= (3, 0, 7):
                self._versioning(s3, bucket)
            part = f"{folder}/{name}/tar_partitions/part_001.tar.lz4"
            s3.put_object(Bucket=bucket, Key=part, Body=b"a base backup", **more)
            sentinel = f"{folder}/{name}_backup_stop_sentinel.json"
            s3.put_object(Bucket=bucket, Key=sentinel, Body=json.dumps({"Spec": None}).encode(), **more)
            s3.head_object(Bucket=bucket, Key=sentinel)
            s3.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/")
        except ClientError as error:
            raise Refused(_told(error, bucket)) from None
        except BotoCoreError as error:
            raise Refused(f"RequestError: send request failed\ncaused by: {error}") from None
        return {"name": name, "size": len(b"a base backup")}

    @staticmethod
    def _versioning(s3: Any, bucket: str) -> None:
        """It asks since 3.0.7, and goes on when it may not."""
        from botocore.exceptions import ClientError

        try:
            s3.get_bucket_versioning(Bucket=bucket)
        except ClientError:
            pass

    def _s3(self, pod: Pod, block: dict[str, Any], bucket: str) -> Any:
        region = pod.environment.get("AWS_REGION") or block.get("region") or ""
        keys = self._keys(pod, block, region or "us-east-1")
        if keys is None:
            raise Refused(_denied(_NODE.format(account=self._account_id)))
        if not region:
            found = self._client("s3", "us-east-1", keys).get_bucket_location(Bucket=bucket)
            region = found["LocationConstraint"] or "us-east-1"
        return self._client("s3", region, keys)

    def _keys(self, pod: Pod, block: dict[str, Any], region: str) -> dict[str, str] | None:
        """Those of the Secret, else of the role in the pod's environment, else none."""
        credentials = block["awsCredentials"]
        if "secretKeySelectors" in credentials and not credentials.get("useIAMRole"):
            selectors = credentials["secretKeySelectors"]
            return {
                "AccessKeyId": self._secret(pod.namespace, selectors["accessKeyId"]),
                "SecretAccessKey": self._secret(pod.namespace, selectors["secretAccessKey"]),
            }
        if "AWS_ROLE_ARN" not in pod.environment:
            return None
        keys = self._assume(pod, region)
        if (3, 0, 0) <= self._version <= (3, 0, 5):
            raise Refused(_EMPTY_SESSION)
        return keys

    def _secret(self, namespace: str, selector: dict[str, str]) -> str:
        try:
            data = self._api.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{selector['name']}").get("data")
            return base64.b64decode((data or {})[selector["key"]]).decode()
        except (ApiError, KeyError):
            raise Refused(f"Secret {selector['name']} not found") from None

    def _assume(self, pod: Pod, region: str) -> dict[str, str]:
        from botocore.exceptions import ClientError

        path = f"/api/v1/namespaces/{pod.namespace}/serviceaccounts/{pod.account}/token"
        asked: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        asked["spec"] = {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}
        token = self._api.request("POST", path, asked)["status"]["token"]
        try:
            return self._client("sts", region, None).assume_role_with_web_identity(
                RoleArn=pod.environment["AWS_ROLE_ARN"], RoleSessionName="wal-g", WebIdentityToken=token
            )["Credentials"]
        except ClientError as error:
            said = _told(error, "")
            raise Refused(f"WebIdentityErr: failed to retrieve credentials\ncaused by: {said}") from None

    def _client(self, service: str, region: str, keys: dict[str, str] | None) -> Any:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        from ..gateway.call import SETUP_USER_AGENT

        names = {"AccessKeyId": "aws_access_key_id", "SecretAccessKey": "aws_secret_access_key"}
        names["SessionToken"] = "aws_session_token"
        given = {names[name]: value for name, value in (keys or {}).items() if name in names}
        client = boto3.Session(**given).client(
            service,
            region_name=region,
            endpoint_url=self._gateway.endpoint_url,
            verify=self._gateway.ca_bundle,
            config=Config(
                user_agent_extra=SETUP_USER_AGENT,
                retries={"max_attempts": 0},
                s3={"addressing_style": "path"},
                **({"signature_version": UNSIGNED} if keys is None else {}),
            ),
        )
        if service == "s3":
            client.meta.events.register_last("before-parameter-build.s3", _stays)
        return client


def _stays(context: dict[str, Any], **_rest: Any) -> None:
    """Botocore goes to the right region by itself, the SDK for Go does not."""
    context["s3_redirect"]["redirected"] = True


def _told(error: Any, bucket: str) -> str:
    said, meta = error.response["Error"], error.response["ResponseMetadata"]
    code, message, status = said["Code"], said["Message"], meta["HTTPStatusCode"]
    if status == 301:
        there = meta.get("HTTPHeaders", {}).get("x-amz-bucket-region", "another")
        code, message = "BucketRegionError", f"incorrect region, the bucket {bucket} is in '{there}' region"
    return f"{code}: {message}\n\tstatus code: {status}, request id: {meta.get('RequestId', '')}"


def _denied(principal: str) -> str:
    message = f"User: {principal} is not authorized to perform: s3:ListBucket"
    return f"AccessDenied: {message}\n\tstatus code: 403, request id: 0"
