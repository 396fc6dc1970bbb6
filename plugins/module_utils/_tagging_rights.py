# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS' tagging service asks of a caller beside its own right: the right to tag of the service that a resource
belongs to. Source: service authorization reference, "Actions, resources, and condition keys" of each service.
"""

from __future__ import annotations

# Service -> actions that tag, and actions that take tags away. All others call them TagResource and UntagResource.
_ACTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "apigateway": (("PUT",), ("DELETE",)),
    "autoscaling": (("CreateOrUpdateTags",), ("DeleteTags",)),
    "cloudtrail": (("AddTags",), ("RemoveTags",)),
    "ec2": (("CreateTags",), ("DeleteTags",)),
    "elasticache": (("AddTagsToResource",), ("RemoveTagsFromResource",)),
    "elasticloadbalancing": (("AddTags",), ("RemoveTags",)),
    "elasticmapreduce": (("AddTags",), ("RemoveTags",)),
    "es": (("AddTags",), ("RemoveTags",)),
    "firehose": (("TagDeliveryStream",), ("UntagDeliveryStream",)),
    "kinesis": (("AddTagsToStream",), ("RemoveTagsFromStream",)),
    "mq": (("CreateTags",), ("DeleteTags",)),
    "rds": (("AddTagsToResource",), ("RemoveTagsFromResource",)),
    "redshift": (("CreateTags",), ("DeleteTags",)),
    "route53": (("ChangeTagsForResource",), ("ChangeTagsForResource",)),
    "route53domains": (("UpdateTagsForDomain",), ("DeleteTagsForDomain",)),
    # S3 replaces the tags of a bucket as a whole, so they are read first.
    "s3": (("GetBucketTagging", "PutBucketTagging"), ("GetBucketTagging", "PutBucketTagging")),
    "sagemaker": (("AddTags",), ("DeleteTags",)),
    "sqs": (("TagQueue",), ("UntagQueue",)),
    "ssm": (("AddTagsToResource",), ("RemoveTagsFromResource",)),
    "storagegateway": (("AddTagsToResource",), ("RemoveTagsFromResource",)),
    "workspaces": (("CreateTags",), ("DeleteTags",)),
}


def actions(service: str, remove: bool = False) -> list[str]:
    """The actions, as ``service:Action``.

    :param service: as in ARNs
    :param remove: those that take tags away
    """
    tag, untag = _ACTIONS.get(service, (("TagResource",), ("UntagResource",)))
    return [f"{service}:{name}" for name in (untag if remove else tag)]
