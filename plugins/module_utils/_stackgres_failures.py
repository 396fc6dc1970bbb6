# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup of StackGres says when it failed: why, and what to do. Pure functions, no call.

The text is ``status.process.failure`` of an SGBackup. The operator's words come from its script
(``create-backup.sh``, spelled as there), the rest is what WAL-G and the AWS SDK for Go, version 1, wrote.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t


@dataclasses.dataclass(frozen=True)
class Meaning:
    """:ivar cause: why the backup failed, :ivar change: what to do"""

    cause: str
    change: str


UNKNOWN = Meaning(
    "the reason is not one that this collection knows",
    "Read the text, and the log of the backup's pod: kubectl logs -n {namespace} {job}",
)
_RESTART = "restart the pods (SGDbOps restart), since a pod gets its role only when it is made"

# The first pattern that is found counts. {namespace}, {cluster} and {job} are filled in, and what the pattern named.
_MEANINGS: tuple[tuple[str, Meaning], ...] = (
    (
        r"assumed-role/[^/\s]+/i-[0-9a-f]+",
        Meaning(
            "WAL-G called AWS as the node: its pod has no role",
            "Check that the ServiceAccount {cluster}-patroni has the annotation eks.amazonaws.com/role-arn, then "
            + _RESTART,
        ),
    ),
    (
        r"NoCredentialProviders|no EC2 IMDS role found",
        Meaning(
            "WAL-G has no credentials: its pod has no role, and SGObjectStorage names no keys",
            "Check that the ServiceAccount {cluster}-patroni has the annotation eks.amazonaws.com/role-arn, then "
            + _RESTART,
        ),
    ),
    (
        r"roleSessionName",
        Meaning(
            "the images have WAL-G 3.0.0 to 3.0.5, which takes its own role once more and fails (wal-g#1810)",
            "Upgrade the SGCluster to images of StackGres 1.17 or newer (SGDbOps securityUpgrade), or use an access "
            "key",
        ),
    ),
    (
        r"No OpenIDConnect provider found|InvalidIdentityToken",
        Meaning(
            "the account of the role does not know the cluster's OIDC provider, or its audience",
            "Run the playbook again, which makes the provider with the audience sts.amazonaws.com",
        ),
    ),
    (
        r"WebIdentityErr|AssumeRoleWithWebIdentity",
        Meaning(
            "the trust of the role does not take the pod's ServiceAccount",
            "Trust system:serviceaccount:{namespace}:{cluster}-patroni with the audience sts.amazonaws.com; running "
            "the playbook again writes it",
        ),
    ),
    (
        r"BucketRegionError|AuthorizationHeaderMalformed|PermanentRedirect|status code: 301",
        Meaning(
            "the bucket is in another region than the one that the pod says: AWS_REGION, which EKS sets with a role, "
            "wins over the region of SGObjectStorage",
            "Use a bucket in the cluster's region, or set AWS_REGION of the container patroni (spec.pods.customEnv), "
            "then " + _RESTART,
        ),
    ),
    (
        r"not authorized to perform: (?P<action>kms:\w+)|(?P<kms>KMS\.\w+|KMSAccessDenied)",
        Meaning(
            "the bucket encrypts with a KMS key that the backup's identity may not use",
            "Allow kms:GenerateDataKey and kms:Decrypt on the key, also in its key policy when it is another account's",
        ),
    ),
    (
        r"not authorized to perform: (?P<action>s3:\w+)",
        Meaning(
            "the backup's identity lacks {action}, or the bucket's policy denies it",
            "Compare its policy with the place of the backups (spec.configurations.backups[0].path of the SGCluster, "
            "below the prefix of SGObjectStorage), and run the playbook again",
        ),
    ),
    (
        r"AccessDenied",
        Meaning(
            "S3 refuses the backup's identity and does not say why: a right is missing, or a policy of the bucket, of "
            "its key, of a VPC endpoint or of the organization denies it",
            "Prove the identity with the playbook verify, which names the call; then look at those policies",
        ),
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId",
        Meaning(
            "the access key in the Secret is not valid any more, or not complete",
            "Run the playbook again, which makes a new one",
        ),
    ),
    (
        r"Secret (?P<secret>\S+) not found",
        Meaning(
            "the Secret {secret} or one of its keys is not in the namespace {namespace}",
            "Make the Secret in the namespace of the SGCluster, with the keys that SGObjectStorage names",
        ),
    ),
    (
        r"NoSuchBucket",
        Meaning(
            "the bucket does not exist", "Correct the bucket of SGObjectStorage, or run the playbook, which makes it"
        ),
    ),
    (
        r"RequestError|dial tcp|i/o timeout|no such host|connection refused",
        Meaning(
            "the pod does not reach S3 or STS",
            "Check the way out of the pods' subnets (NAT, VPC endpoints for s3 and sts) and network policies",
        ),
    ),
    (
        r"^Lock lost",
        Meaning(
            "the backup's Job lost its lock on the SGCluster: the API server was slow, or another Job runs",
            "Wait until no other backup runs, then make a new one",
        ),
    ),
    (
        r"Backup path not configured yet",
        Meaning(
            "the operator has not written status.backupPaths of the SGCluster",
            "Check that the SGCluster has backups in spec.configurations and that its pods run, then make a new one",
        ),
    ),
    (
        r"Backup (configuration|path) .*changed during backup",
        Meaning(
            "SGObjectStorage or the SGCluster was changed while the backup ran",
            "Make a new one and leave both alone until it ends; the playbook waits for running backups",
        ),
    ),
    (
        r"Unable to find primary",
        Meaning("the SGCluster has no primary", "Look at its pods and at Patroni, then make a new one"),
    ),
    (
        r"can not be listed",
        Meaning(
            "the backup is stored, but listing the backups failed",
            "Allow s3:ListBucket for the prefix of the SGCluster; with WAL-G 3.0.7 (StackGres 1.17.0 to 1.18.3) a "
            "bucket with versioning needs StackGres 1.18.4",
        ),
    ),
    (
        r"was not found after creation|Backup name not found in backup-push log",
        Meaning(
            "the backup is not at the place where it was written to",
            "Check that no lifecycle rule and nobody else deletes below the prefix, then make a new one",
        ),
    ),
)


def meaning_of(text: str, namespace: str, cluster: str, job: str = "") -> Meaning:
    """Why a backup failed, and what to do.

    :param text: ``status.process.failure``
    :param cluster: the SGCluster
    :param job: pod of the backup's Job, where it is known
    """
    found: t.Mapping[str, str | None] = {}
    meaning = UNKNOWN
    for pattern, known in _MEANINGS:
        match = re.search(pattern, text)
        if match:
            meaning, found = known, match.groupdict()
            break
    words = {key: value or "" for key, value in found.items()}
    words |= {"namespace": namespace, "cluster": cluster, "job": job or "<pod of the backup>"}
    return Meaning(meaning.cause.format(**words), meaning.change.format(**words))
