# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a KMS key that is known by its alias.

KMS API reference: DescribeKey, GetKeyPolicy, GetKeyRotationStatus, ListResourceTags. A key has no name of its own, and
its alias comes in a second call. So that a run which ended between the two leaves no second key behind, a key is made
with a tag that says its alias. Where there is no such alias, it is found by that tag (ListKeys, and ListResourceTags of
each key).
"""

from __future__ import annotations

import functools
import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ._connection import AwsConnection
from ._errors import error_code, error_handler
from ._plan import gather
from .storage_policies import ALIAS_TAG

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

_KmsError = error_handler("NotFoundException")

PENDING_DELETION = "PendingDeletion"

# alias, arn, key_id, description, key_state, key_spec, enable_key_rotation, policy, tags, aliased (is there the alias?)
Key = dict[str, t.Any]


def read(connection: AwsConnection, alias: str) -> Key | None:
    """The key, ``None`` when there is none.

    :param alias: with ``alias/``
    """
    kms = connection.client("kms")
    metadata = _describe(kms, alias)
    aliased = metadata is not None
    if metadata is None:
        metadata = _without_its_alias(kms, alias)
    if metadata is None:
        return None
    key_id = metadata["KeyId"]
    gone = metadata["KeyState"] == PENDING_DELETION
    found = gather(
        {
            "policy": functools.partial(_policy, kms, key_id),
            "rotation": (lambda: False) if gone else functools.partial(_rotation, kms, key_id),
            "tags": functools.partial(_tags, kms, key_id),
        }
    )
    return {
        "alias": alias,
        "arn": metadata["Arn"],
        "key_id": key_id,
        "description": metadata.get("Description", ""),
        "key_state": metadata["KeyState"],
        "key_spec": metadata.get("KeySpec", "SYMMETRIC_DEFAULT"),
        "enable_key_rotation": found["rotation"],
        "policy": found["policy"],
        "tags": {key: value for key, value in found["tags"].items() if key != ALIAS_TAG},
        "aliased": aliased,
    }


def _without_its_alias(kms: t.Any, alias: str) -> dict[str, t.Any] | None:
    """The key that was made for this alias and has it not, or not any more; rather one that is not to be deleted."""
    listed = kms.get_paginator("list_keys").paginate().build_full_result()["Keys"]
    tags = gather({key["KeyId"]: functools.partial(_tags, kms, key["KeyId"]) for key in listed})
    ours = [_describe(kms, key_id) for key_id, found in tags.items() if found.get(ALIAS_TAG) == alias]
    return min(filter(None, ours), key=lambda key: key["KeyState"] == PENDING_DELETION, default=None)


@_KmsError.list_error_handler("read the key")
def _describe(kms: t.Any, key: str) -> dict[str, t.Any] | None:
    return kms.describe_key(KeyId=key)["KeyMetadata"]


@_KmsError.common_error_handler("read the policy of the key")
def _policy(kms: t.Any, key_id: str) -> dict[str, t.Any]:
    return json.loads(kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"])


@_KmsError.common_error_handler("read the rotation of the key")
def _rotation(kms: t.Any, key_id: str) -> bool:
    return kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"]


@_KmsError.common_error_handler("read the tags of the key")
def _tags(kms: t.Any, key_id: str) -> dict[str, str]:
    try:
        listed = kms.get_paginator("list_resource_tags").paginate(KeyId=key_id).build_full_result().get("Tags", [])
    except ClientError as e:
        # A key of somebody else, whose policy lets nobody in, is none of ours.
        if error_code(e) in ("AccessDeniedException", "KMSInvalidStateException"):
            return {}
        raise
    return boto3_tag_list_to_ansible_dict(listed, tag_name_key_name="TagKey", tag_value_key_name="TagValue")
