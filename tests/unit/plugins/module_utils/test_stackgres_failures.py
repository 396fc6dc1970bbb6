# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a backup that failed: of failures of StackGres, WAL-G and S3 that are known, and of others."""

from __future__ import annotations

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_failures import meaning_of

PUSH = "Backup failed while perfroming backup-push:\n"
DENIED = "AccessDenied: User: arn:aws:sts::222222222222:assumed-role/{} is not authorized to perform: {} on resource: x"


@pytest.mark.parametrize(
    ("text", "cause", "change"),
    [
        (PUSH + DENIED.format("nodes/i-0123456789abcdef0", "s3:PutObject"), "as the node", "restart the pods"),
        (PUSH + "NoCredentialProviders: no valid providers in chain", "no credentials", "sales-patroni"),
        (PUSH + "ValidationError: Value '' at 'roleSessionName' failed", "WAL-G 3.0.0 to 3.0.5", "StackGres 1.17"),
        (PUSH + "InvalidIdentityToken: No OpenIDConnect provider found in your account", "OIDC provider", "again"),
        (
            PUSH + "WebIdentityErr: failed to retrieve credentials\ncaused by: AccessDenied: Not authorized",
            "trust of the role",
            "system:serviceaccount:postgres:sales-patroni",
        ),
        (PUSH + "BucketRegionError: incorrect region, the bucket is in 'us-west-2'", "AWS_REGION", "customEnv"),
        (PUSH + "AuthorizationHeaderMalformed: the region 'eu-west-1' is wrong", "another region", "customEnv"),
        (PUSH + DENIED.format("sales/x", "kms:GenerateDataKey"), "KMS key", "kms:Decrypt"),
        (PUSH + DENIED.format("sales/x", "s3:PutObject"), "lacks s3:PutObject", "backups[0].path"),
        (PUSH + "AccessDenied: Access Denied\n\tstatus code: 403", "does not say why", "verify"),
        (PUSH + "InvalidAccessKeyId: The AWS Access Key Id you provided", "access key", "makes a new one"),
        (PUSH + "Secret s3-backup-secret not found", "The Secret s3-backup-secret".lower()[4:], "in the namespace"),
        (PUSH + "NoSuchBucket: The specified bucket does not exist", "bucket does not exist", "which makes it"),
        (PUSH + "RequestError: send request failed\ncaused by: dial tcp: i/o timeout", "does not reach", "NAT"),
        ("Lock lost:\nfailed to renew", "lost its lock", "no other backup"),
        ("Backup path not configured yet", "status.backupPaths", "its pods run"),
        ("Backup configuration s3 changed during backup", "was changed while", "leave both alone"),
        ("Backup path sgbackups.stackgres.io/a/b changed during backup", "was changed while", "leave both alone"),
        ("Unable to find primary, backup aborted", "no primary", "Patroni"),
        ("Backups can not be listed after creation", "listing", "s3:ListBucket"),
        ("Backup 'base_1' was not found after creation can not reconcile backups CRs", "not at the place", "lifecycle"),
        ("Backup name not found in backup-push log:\n", "not at the place", "lifecycle"),
    ],
)
def test_a_known_failure_has_a_cause_and_a_next_step(text: str, cause: str, change: str) -> None:
    meaning = meaning_of(text, "postgres", "sales")
    assert cause.lower() in meaning.cause.lower()
    assert change in meaning.change
    assert "{" not in meaning.cause + meaning.change


def test_a_failure_that_is_not_known_leads_to_the_log() -> None:
    meaning = meaning_of("panic: runtime error", "postgres", "sales", "sales-backup-x")
    assert "not one that this collection knows" in meaning.cause
    assert "kubectl logs -n postgres sales-backup-x" in meaning.change
    assert "<pod of the backup>" in meaning_of("", "postgres", "sales").change
