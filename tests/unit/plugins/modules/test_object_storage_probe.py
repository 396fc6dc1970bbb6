# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options ask to be proved. The proof itself is made in the sandbox."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.modules import object_storage_probe as probe

ROLE = "arn:aws:iam::222222222222:role/thanos"
CLUSTER = {"host": "https://demo.example", "api_key": "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXhhbXBsZQ"}
ACCOUNTS = {"namespace": "monitoring", "service_accounts": ["a", "b"], "role_arn": ROLE}
PAIR = {"access_key": "AKIA0000000000000000", "secret_key": "example"}


def validated(**options: Any) -> Any:
    return ArgumentSpecValidator(probe.ARGUMENTS, **probe.RULES).validate({"bucket": "acme", **options})


def params(**options: Any) -> dict[str, Any]:
    """The task's parameters with defaults filled in."""
    result = validated(**options)
    assert not result.error_messages
    return result.validated_parameters


def test_service_accounts() -> None:
    claim = probe.claim_of(params(**CLUSTER, **ACCOUNTS), "eu-west-1")
    assert (claim.namespace, claim.service_accounts, claim.role_arn) == ("monitoring", ("a", "b"), ROLE)
    assert (claim.pair, claim.key_secret, claim.label_selectors) == (None, None, None)
    storage = claim.storage
    assert (storage.bucket, storage.region, storage.partition, storage.folder) == ("acme", "eu-west-1", "aws", "")
    assert (storage.endpoint_url, storage.encryption, storage.owner, storage.sent) == (None, None, None, {})
    assert probe.needs_cluster(claim)


def test_a_key_pair_needs_no_cluster() -> None:
    claim = probe.claim_of(params(key_pair=PAIR, bucket_region="us-east-1"), "eu-west-1")
    assert claim.pair is not None
    assert (claim.pair.access_key, claim.storage.region) == (PAIR["access_key"], "us-east-1")
    assert not probe.needs_cluster(claim)
    probe.check(params(key_pair=PAIR), claim)


def test_the_secrets_key_is_that_of_thanos() -> None:
    claim = probe.claim_of(params(**CLUSTER, namespace="a", key_secret={"name": "s"}), "eu-west-1")
    assert claim.key_secret == {"name": "s", "key": "object-store.yaml"}


def test_what_goes_with_uploads() -> None:
    upload = {"acl": "bucket-owner-full-control", "encryption": "AES256"}
    storage = probe.storage_of(params(key_pair=PAIR, upload=upload), "eu-west-1")
    assert storage.sent == {"ACL": "bucket-owner-full-control", "ServerSideEncryption": "AES256"}


def test_patience_only_after_a_change() -> None:
    assert probe.claim_of(params(key_pair=PAIR, wait_timeout=60), "eu-west-1").patience_seconds == 0
    changed = params(key_pair=PAIR, wait_timeout=60, recently_changed=True)
    assert probe.claim_of(changed, "eu-west-1").patience_seconds == 60


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "one of the following is required: service_accounts, key_pair, key_secret"),
        ({**ACCOUNTS, "key_pair": PAIR}, "parameters are mutually exclusive"),
        ({"service_accounts": ["a"], "namespace": "n"}, "parameters are required together: service_accounts, role_arn"),
        (
            {"service_accounts": ["a"], "role_arn": ROLE},
            "missing parameter(s) required by 'service_accounts': namespace",
        ),
        ({"key_secret": {"name": "s"}}, "missing parameter(s) required by 'key_secret': namespace"),
        ({"key_pair": PAIR, "pods": {}}, "missing parameter(s) required by 'pods': service_accounts"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], said: str) -> None:
    assert said in str(validated(**options).error_messages)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ACCOUNTS, "host: 'None' is not set, and ServiceAccounts and Secrets are in a cluster"),
        ({**CLUSTER, **ACCOUNTS, "namespace": "Mon"}, "namespace: 'Mon' is not a name"),
        ({**CLUSTER, **ACCOUNTS, "service_accounts": ["A"]}, "service_accounts: 'A' is not a name"),
        ({**CLUSTER, **ACCOUNTS, "service_accounts": []}, "service_accounts: '[]' is empty"),
        ({**CLUSTER, "namespace": "a", "key_secret": {"name": "S"}}, "key_secret.name: 'S' is not a name"),
    ],
)
def test_what_is_refused(options: dict[str, Any], said: str) -> None:
    given = params(**options)
    with pytest.raises(AnsibleAWSError, match=re.escape(said)):
        probe.check(given, probe.claim_of(given, "eu-west-1"))


def test_without_any_region() -> None:
    with pytest.raises(AnsibleAWSError, match="bucket_region: 'None' is empty"):
        probe.claim_of(params(key_pair=PAIR), None)


def test_secrets_are_never_shown() -> None:
    assert {name for name, option in probe.KEY_PAIR.items() if option["no_log"]} == {"secret_key", "session_token"}
    assert [name for name, option in probe.ARGUMENTS.items() if option.get("no_log")] == ["api_key"]
