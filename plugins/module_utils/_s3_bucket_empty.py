# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Emptying a bucket: the one step whose number of calls nobody knows before."""

from __future__ import annotations

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._connection import AwsConnection
from ._s3_bucket import BucketId


def empty_bucket(connection: AwsConnection, bucket: BucketId) -> None:
    """Delete all versions and delete markers, a thousand per call.

    :raises AnsibleAWSError: S3 refused one (object lock, a bucket policy)
    """
    client = connection.client("s3", bucket.region)
    for page in client.get_paginator("list_object_versions").paginate(**bucket.target):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not found:
            continue
        objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in found]
        answer = client.delete_objects(Delete={"Objects": objects, "Quiet": True}, **bucket.target)
        for error in answer.get("Errors", []):
            raise AnsibleAWSError(
                message=f"Failed to delete s3://{bucket.name}/{error.get('Key')} (version {error.get('VersionId')}): "
                f"{error.get('Code')}: {error.get('Message')}"
            )
