# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keys of an object-store document demand of each other, and what else is worth a note.

The messages name keys and places. Of the values they show names of buckets, hosts, regions and KMS keys only.
"""

from __future__ import annotations

import re
import typing as t

from ._identifiers import refuse
from ._object_store_endpoint import Endpoint, check_endpoint, wanted_host
from ._object_store_keys import CONSUMERS, HIDDEN
from ._regions import check_region
from ._s3_names import check_bucket_name

Config = t.Mapping[str, t.Any]

ACL_HEADER = "x-amz-acl"
_GRANT_HEADERS = "x-amz-grant-"
_STORAGE_CLASS_HEADER = "x-amz-storage-class"
_OWNER_ACL = "bucket-owner-full-control"
_ACLS = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    _OWNER_ACL,
    "log-delivery-write",
)
_ACCESS_KEY_ID = re.compile(r"(AKIA|ASIA)[A-Z0-9]{12,}")
_SECRET_KEY = re.compile(r"[A-Za-z0-9/+=]{40}")
_PLACEHOLDER = re.compile(r"<.*>")
_KMS_ARN = re.compile(r"arn:(?P<partition>[a-z-]+):kms:(?P<region>[a-z0-9-]+):\d{12}:(key|alias)/\S+")
# S3's own limits of a part; minio-go refuses others when it writes.
_PART_SIZES = (5 * 1024**2, 5 * 1024**3)


def check_rules(
    place: str, config: Config, consumer: str, region: str = "", partition: str = "", placeholders: bool = False
) -> list[str]:
    """Refuse a configuration that the consumer, or S3, would refuse or misread.

    :param place: where the keys stand, for messages
    :param config: the section ``config`` as ``shaped`` returns it
    :param region: where the bucket is, when that is known
    :param partition: the partition of the bucket, when that is known
    :param placeholders: whether access and secret key may still be the ``<your-secret-key>`` of a guide
    :returns: notes, sentences without a full stop
    :raises AnsibleAWSError: names the place and what to write; never a key, secret or token
    """
    if not config.get("endpoint"):
        refuse(f"{place}.endpoint", "", "is missing", f"Write {wanted_host(region or config.get('region') or '')}")
    endpoint = check_endpoint(f"{place}.endpoint", config["endpoint"], config.get("region", ""))
    _check_region(place, config, endpoint, region, partition)
    _check_bucket(place, config, endpoint)
    check_keys(place, config, consumer, placeholders)
    _check_encryption(place, config, endpoint)
    _check_acl(place, config, endpoint)
    size = config.get("part_size", 0)
    if size and not _PART_SIZES[0] <= size <= _PART_SIZES[1]:
        refuse(f"{place}.part_size", size, "is not a size of parts that S3 takes", "Write 5242880 to 5368709120 bytes")
    return _notes(config, consumer, endpoint, region)


def header(config: Config, name: str) -> str:
    """Value of a header in ``put_user_metadata``; the client does not look at the case of its name."""
    found = [value for key, value in (config.get("put_user_metadata") or {}).items() if key.lower() == name]
    return found[0] if found else ""


def storage_class(config: Config) -> str:
    """Storage class of new objects, empty for the bucket's default."""
    return header(config, _STORAGE_CLASS_HEADER)


def sets_acl(config: Config) -> bool:
    """Does each PUT carry an ACL, so that it needs s3:PutObjectAcl? A grant is an ACL in another form."""
    names = [name.lower() for name in config.get("put_user_metadata") or {}]
    return any(name == ACL_HEADER or name.startswith(_GRANT_HEADERS) for name in names)


def is_access_key_id(text: str) -> bool:
    """Is this the ID of an access key of AWS, and so nothing secret?"""
    return bool(_ACCESS_KEY_ID.fullmatch(text))


def _check_region(place: str, config: Config, endpoint: Endpoint, region: str, partition: str) -> None:
    """A document without a region may still name one in its endpoint."""
    name = "region" if config.get("region") else "endpoint"
    here, named = f"{place}.{name}", config.get("region") or endpoint.region
    if region and named and named != region:
        write = f"Write {region if name == 'region' else wanted_host(region)}"
        refuse(here, config[name], f"is not in the region of the bucket, {region}", write)
    if partition and named and endpoint.is_aws and check_region(here, named) != partition:
        refuse(here, config[name], f"is not in the partition {partition}", "Write that of the bucket")


def _check_bucket(place: str, config: Config, endpoint: Endpoint) -> None:
    bucket = config.get("bucket", "")
    if not bucket:
        refuse(f"{place}.bucket", "", "is missing", "Write the name of the bucket")
    if endpoint.is_aws:  # other servers have rules of their own
        check_bucket_name(f"{place}.bucket", bucket)


def check_keys(place: str, config: Config, consumer: str, placeholders: bool = False) -> None:
    """Refuse keys that the consumer cannot use: ``access_key``, ``secret_key``, ``session_token``, ``aws_sdk_auth``.

    :raises AnsibleAWSError: names the place and what to write; never a secret or token
    """
    access_key, secret_key = config.get("access_key", ""), config.get("secret_key", "")
    token = config.get("session_token", "")
    for name in ("access_key", "secret_key", "session_token"):
        value = config.get(name, "")
        if not placeholders and _PLACEHOLDER.fullmatch(value):
            refuse(f"{place}.{name}", HIDDEN, "is still the placeholder of a guide", "Write the key, or leave it out")
        if re.search(r"\s", value):
            refuse(f"{place}.{name}", HIDDEN, "has a space or the end of a line in it", "Write the key alone")
    if config.get("aws_sdk_auth") and (access_key or secret_key):
        refuse(
            f"{place}.aws_sdk_auth",
            "true",
            f"cannot stand together with access_key and secret_key; {CONSUMERS[consumer]} refuses that",
            "Leave out the keys, or aws_sdk_auth",
        )
    for one, other, present, absent in (
        (access_key, secret_key, "access_key", "secret_key"),
        (secret_key, access_key, "secret_key", "access_key"),
    ):
        if one and not other:
            refuse(f"{place}.{absent}", "", f"is missing, but {present} is there", "Write both keys, or none of them")
    if not is_access_key_id(access_key) and (_SECRET_KEY.fullmatch(access_key) or is_access_key_id(secret_key)):
        refuse(f"{place}.access_key", HIDDEN, "looks like a secret key", "Exchange access_key and secret_key")
    _check_temporary(place, access_key, token, consumer)


def _check_temporary(place: str, access_key: str, token: str, consumer: str) -> None:
    permanent = "Write the keys of an IAM user (AKIA...), or no keys and a role of the ServiceAccount"
    if token and not access_key:
        refuse(f"{place}.session_token", HIDDEN, "belongs to access_key and secret_key, which are missing", permanent)
    if token and access_key.startswith("AKIA"):
        problem = "belongs to temporary keys (ASIA...), but access_key is a permanent one"
        refuse(f"{place}.session_token", HIDDEN, problem, "Leave it out")
    shown = access_key if is_access_key_id(access_key) else HIDDEN
    if access_key.startswith("ASIA") and consumer == "kubecost":
        refuse(f"{place}.access_key", shown, "is a temporary key, which Kubecost cannot use", permanent)
    if access_key.startswith("ASIA") and not token:
        problem = "is a temporary key, and its session_token is missing"
        refuse(f"{place}.access_key", shown, problem, f"Write session_token too. {permanent}")


def _check_encryption(place: str, config: Config, endpoint: Endpoint) -> None:
    sse, here = config.get("sse_config") or {}, f"{place}.sse_config"
    kind, key_id, path = sse.get("type", ""), sse.get("kms_key_id", ""), sse.get("encryption_key", "")
    if kind == "SSE-KMS" and not key_id:
        refuse(f"{here}.kms_key_id", "", "is missing, which SSE-KMS needs", "Write the ARN of the key")
    if kind == "SSE-C" and not path:
        refuse(
            f"{here}.encryption_key", "", "is missing, which SSE-C needs", "Write the path of the key's file in the pod"
        )
    if kind != "SSE-KMS" and (key_id or sse.get("kms_encryption_context")):
        name = "kms_key_id" if key_id else "kms_encryption_context"
        refuse(f"{here}.{name}", HIDDEN, "is not used unless type is SSE-KMS", "Write type: SSE-KMS, or leave it out")
    if kind != "SSE-C" and path:
        refuse(
            f"{here}.encryption_key", HIDDEN, "is not used unless type is SSE-C", "Write type: SSE-C, or leave it out"
        )
    if path and not path.startswith("/"):
        # It may be the key itself.
        refuse(f"{here}.encryption_key", HIDDEN, "is not a path", "Write the path of the key's file in the pod")
    if not endpoint.is_aws or not key_id.startswith("arn:"):
        return
    arn = _KMS_ARN.fullmatch(key_id)
    if not arn:
        refuse(f"{here}.kms_key_id", key_id, "is not the ARN of a KMS key", "Write arn:...:kms:...:key/...")
    region = config.get("region") or endpoint.region
    if region and arn["region"] != region:
        refuse(f"{here}.kms_key_id", key_id, f"is in {arn['region']}, but the bucket is in {region}", "Use a key there")
    partition = check_region(f"{here}.kms_key_id", arn["region"])
    if arn["partition"] != partition:
        write = f"Write {key_id.replace(arn['partition'], partition, 1)}"
        refuse(f"{here}.kms_key_id", key_id, f"is not in the partition {partition} of {arn['region']}", write)


def _check_acl(place: str, config: Config, endpoint: Endpoint) -> None:
    acl = header(config, ACL_HEADER)
    if endpoint.is_aws and sets_acl(config) and acl and acl not in _ACLS:
        write = f"Write {_OWNER_ACL}, or leave it out"
        refuse(f"{place}.put_user_metadata.X-Amz-Acl", HIDDEN, "is not an ACL of S3", write)


def _notes(config: Config, consumer: str, endpoint: Endpoint, region: str) -> list[str]:
    """What works, or may work, but should be known."""
    notes = []
    written = config.get("region") or region
    if endpoint.is_global and written and written != "us-east-1":
        notes.append(
            f"The endpoint {config['endpoint']} is that of us-east-1; the client is sent on to {written}. "
            f"{wanted_host(written)} is the host there, and the one that VPC endpoints and proxies know"
        )
    if endpoint.is_aws and not config.get("region"):
        notes.append("There is no region in the document, so that the client asks S3 for it (s3:GetBucketLocation)")
    if endpoint.is_aws and sets_acl(config) and header(config, ACL_HEADER) != _OWNER_ACL:
        notes.append(
            "put_user_metadata sets an ACL. Buckets without ACLs, which new ones are, refuse every upload with one "
            f"other than {_OWNER_ACL} (AccessControlListNotSupported)"
        )
    if endpoint.is_aws and config.get("signature_version2"):
        notes.append("signature_version2 is true; S3 refuses that signature for all but very old buckets")
    if endpoint.is_aws and config.get("insecure"):
        notes.append(
            "insecure is true, so that data goes over the network in plain text; a policy for TLS only refuses it"
        )
    if config.get("session_token"):
        notes.append("The keys are temporary: when they expire, the pods can read and write no more")
    if (config.get("sse_config") or {}).get("type") in ("SSE-KMS", "SSE-C"):
        notes.append(
            "sse_config encrypts each object on its own. The default encryption of the bucket, with a bucket key, does "
            "the same with fewer calls of KMS"
        )
    if consumer == "kubecost" and "disable_compression" in (config.get("http_config") or {}):
        notes.append("disable_compression is known to Kubecost 3 only; older ones pass over it")
    if "force_attempt_http2" in (config.get("http_config") or {}):
        notes.append("force_attempt_http2 is new in Thanos; a version that does not know it does not start")
    return notes
