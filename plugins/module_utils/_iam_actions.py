# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which IAM actions an API operation needs: the names of the two differ, most of all in S3.

Source: AWS service authorization reference, "Actions, resources, and condition keys" of each service, with the column
"dependent actions".
"""

from __future__ import annotations

# Operations whose action has another name, or that need several. Of S3 all are here: its names follow no rule.
_S3: dict[str, tuple[str, ...]] = {
    "AbortMultipartUpload": ("AbortMultipartUpload",),
    "CreateBucket": ("CreateBucket",),
    "CreateMultipartUpload": ("PutObject",),
    "DeleteBucket": ("DeleteBucket",),
    "DeleteBucketEncryption": ("PutEncryptionConfiguration",),
    "DeleteBucketLifecycle": ("PutLifecycleConfiguration",),
    "DeleteBucketOwnershipControls": ("PutBucketOwnershipControls",),
    "DeleteBucketPolicy": ("DeleteBucketPolicy",),
    "DeleteBucketTagging": ("PutBucketTagging",),
    "DeleteObject": ("DeleteObject",),
    # Each object by its version; that of an unversioned bucket is called null.
    "DeleteObjects": ("DeleteObject", "DeleteObjectVersion"),
    "DeletePublicAccessBlock": ("PutBucketPublicAccessBlock",),
    "GetBucketAcl": ("GetBucketAcl",),
    "GetBucketEncryption": ("GetEncryptionConfiguration",),
    "GetBucketLifecycleConfiguration": ("GetLifecycleConfiguration",),
    "GetBucketLocation": ("GetBucketLocation",),
    "GetBucketNotificationConfiguration": ("GetBucketNotification",),
    "GetBucketOwnershipControls": ("GetBucketOwnershipControls",),
    "GetBucketPolicy": ("GetBucketPolicy",),
    "GetBucketTagging": ("GetBucketTagging",),
    "GetBucketVersioning": ("GetBucketVersioning",),
    "GetObject": ("GetObject",),
    "GetObjectLockConfiguration": ("GetBucketObjectLockConfiguration",),
    "GetPublicAccessBlock": ("GetBucketPublicAccessBlock",),
    "HeadBucket": ("ListBucket",),
    "HeadObject": ("GetObject",),
    "ListBuckets": ("ListAllMyBuckets",),
    "ListMultipartUploads": ("ListBucketMultipartUploads",),
    "ListObjectVersions": ("ListBucketVersions",),
    "ListObjectsV2": ("ListBucket",),
    "ListParts": ("ListMultipartUploadParts",),
    "PutBucketEncryption": ("PutEncryptionConfiguration",),
    "PutBucketLifecycleConfiguration": ("PutLifecycleConfiguration",),
    "PutBucketNotificationConfiguration": ("PutBucketNotification",),
    "PutBucketOwnershipControls": ("PutBucketOwnershipControls",),
    "PutBucketPolicy": ("PutBucketPolicy",),
    "PutBucketTagging": ("PutBucketTagging",),
    "PutBucketVersioning": ("PutBucketVersioning",),
    "PutObject": ("PutObject",),
    "PutObjectLockConfiguration": ("PutBucketObjectLockConfiguration",),
    "PutPublicAccessBlock": ("PutBucketPublicAccessBlock",),
    "UploadPart": ("PutObject",),
}

# Services whose operations are called as their actions are; the client's name in boto3 -> prefix of the actions.
_PREFIXES = {
    "athena": "athena",
    "ce": "ce",
    "cloudformation": "cloudformation",
    "cur": "cur",
    "eks": "eks",
    "glue": "glue",
    "iam": "iam",
    "kms": "kms",
    "lakeformation": "lakeformation",
    "lambda": "lambda",
    "organizations": "organizations",
    "resourcegroupstaggingapi": "tag",
    "sts": "sts",
}

# Anyone may ask these; a policy need not (and GetCallerIdentity cannot be refused).
_FREE = {("sts", "GetCallerIdentity"), ("sts", "AssumeRoleWithWebIdentity")}

# Operations that set tags on what they create need the right to tag as well.
_TAGGED_CREATES = {
    ("athena", "CreateWorkGroup"): "athena:TagResource",
    ("cloudformation", "CreateStack"): "cloudformation:TagResource",
    ("cur", "PutReportDefinition"): "cur:TagResource",
    ("eks", "CreateAccessEntry"): "eks:TagResource",
    ("eks", "CreatePodIdentityAssociation"): "eks:TagResource",
    ("glue", "CreateDatabase"): "glue:TagResource",
    ("iam", "CreateOpenIDConnectProvider"): "iam:TagOpenIDConnectProvider",
    ("iam", "CreatePolicy"): "iam:TagPolicy",
    ("iam", "CreateRole"): "iam:TagRole",
    ("iam", "CreateUser"): "iam:TagUser",
    ("kms", "CreateKey"): "kms:TagResource",
    ("s3", "CreateBucket"): "s3:TagResource",
}


def actions_of(service: str, operation: str, tagged: bool = True) -> list[str]:
    """The IAM actions that an API operation needs, as ``service:Action``.

    :param service: name of the service in boto3
    :param operation: name of the operation as the API calls it (``GetBucketEncryption``)
    :param tagged: whether a call that creates something sets tags; ours always do
    :returns: sorted; empty for what anyone may ask
    :raises KeyError: the operation of S3, or the service, is not known here; nothing is guessed
    """
    if (service, operation) in _FREE:
        return []
    if service == "s3":
        actions = {f"s3:{name}" for name in _S3[operation]}
    else:
        actions = {f"{_PREFIXES[service]}:{operation}"}
    if tagged and (service, operation) in _TAGGED_CREATES:
        actions.add(_TAGGED_CREATES[(service, operation)])
    return sorted(actions)
