# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of an entry, each rule both ways."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._stackgres_rules import (
    check_cron,
    place_of,
    problems_of,
    secret_of,
)

ENTRY: dict[str, Any] = {"name": "orders", "namespace": "databases", "bucket": "store", "identity_method": "irsa"}
KEYS = {**ENTRY, "identity_method": "access_key"}
ENDPOINT = {"type": "s3Compatible", "endpoint": "https://s3.example.com"}


@pytest.mark.parametrize("text", ["0 5 * * *", "*/15 * * * *", "0 0-6/2 1,15 jan-mar MON", "30 22 * * 0,7"])
def test_schedules_of_five_fields(text: str) -> None:
    check_cron("cron_schedule", text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 5 0 0 0", "has '0' as day of the month, which goes from 1 to 31"),
        ("0 5 * *", "has 4 fields"),
        ("0 0 5 * * *", "has 6 fields"),
        ("@daily", "is a short form"),
        ("TZ=Europe/Berlin 0 5 * * *", "has a time zone"),
        ("60 5 * * *", "has '60' as minute"),
        ("5-1 5 * * *", "has '5-1' as minute"),
        ("5/2 5 * * *", "has '5/2' as minute"),
        ("*/0 5 * * *", "has '*/0' as minute"),
        ("0 5 * foo *", "has 'foo' as month"),
        ("", "is no schedule"),
        (5, "is no schedule"),
    ],
)
def test_what_is_no_schedule(text: Any, says: str) -> None:
    with pytest.raises(AnsibleAWSError, match="cron_schedule: ") as refused:
        check_cron("cron_schedule", text)
    assert says in str(refused.value)
    assert "UTC" in str(refused.value)


@pytest.mark.parametrize(
    ("bucket", "prefix", "place"),
    [
        ("store", None, ("store", "")),
        ("store", "/prod/", ("store", "prod")),
        ("s3://store/prod//eu/", "", ("store", "prod/eu")),
        ("https://store", "prod", ("store", "prod")),
        ("store/prod", "prod", ("store", "prod")),
    ],
)
def test_a_bucket_with_scheme_and_folder_is_taken_apart(bucket: str, prefix: Any, place: tuple[str, str]) -> None:
    assert place_of("clusters[orders]", bucket, prefix) == place


@pytest.mark.parametrize(
    ("bucket", "prefix", "says"),
    [
        ("", "", "bucket: '' is not a bucket"),
        ("s3://", "", "is not a bucket"),
        ("store/one", "two", "prefix: 'two' is not the folder of bucket ('one')"),
        ("store", "pro*", "must not have a wildcard"),
    ],
)
def test_places_that_cannot_be(bucket: str, prefix: str, says: str) -> None:
    with pytest.raises(AnsibleAWSError) as refused:
        place_of("clusters[orders]", bucket, prefix)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        KEYS,
        {**KEYS, **ENDPOINT, "path_style": True, "ca_certificate": {"name": "ca", "key": "ca.crt"}},
        {**ENTRY, "storage_class": "STANDARD_IA", "retention": 1, "compression": "zstd"},
        {**ENTRY, "encryption": {"method": "sodium", "key": {"name": "k", "key": "key"}, "key_transform": "hex"}},
        {**ENTRY, "encryption": {"method": "openpgp", "key": {"name": "k", "key": "key"}}},
        {**ENTRY, "performance": {"upload_concurrency": 4, "max_disk_bandwidth": None}},
        {**ENTRY, "sharded": True, "name": "a" * 37},
        {**KEYS, "secret": {"name": "mine", "existing": True, "namespace": "databases"}},
        {**ENTRY, "restore_from": [{"name": "old", "namespace": "databases"}]},
    ],
)
def test_what_is_right_has_no_problem(entry: dict[str, Any]) -> None:
    assert problems_of("clusters[orders]", entry) == []


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({**ENTRY, "storage_class": "INTELLIGENT_TIERING"}, "storage_class: 'INTELLIGENT_TIERING' is not known"),
        ({**ENTRY, "storage_class": "GLACIER"}, "STANDARD, STANDARD_IA, REDUCED_REDUNDANCY"),
        ({**ENTRY, "retention": 0}, "retention: '0' is less than 1"),
        ({**ENTRY, "retention": "some"}, "retention: 'some'"),
        ({**ENTRY, "retention": True}, "retention: 'True'"),
        ({**ENTRY, "compression": "gzip"}, "lz4, lzma, zstd, brotli"),
        ({**ENTRY, "cron_schedule": "0 5 0 0 0"}, "cron_schedule: '0 5 0 0 0'"),
        ({**ENTRY, "performance": {"upload": 1}}, "performance: 'upload' is not known"),
        ({**ENTRY, "performance": {"upload_concurrency": 0}}, "performance.upload_concurrency: '0'"),
        ({**ENTRY, **ENDPOINT}, "type: 's3Compatible' knows no role"),
        ({**KEYS, "type": "s3Compatible"}, "endpoint: 'None' is not a URL"),
        ({**KEYS, **ENDPOINT, "endpoint": "s3.example.com"}, "endpoint: 's3.example.com' is not a URL"),
        (
            {**ENTRY, "endpoint": "https://s3.example.com"},
            "endpoint: 'https://s3.example.com' is for s3Compatible only",
        ),
        ({**ENTRY, "type": "gcs"}, "type: 'gcs' is not known"),
        ({**KEYS, "secret": {"namespace": "other"}}, "secret.namespace: 'other' is not the SGCluster's namespace"),
        ({**KEYS, "secret": {"access_key_id_key": "a b"}}, "secret.access_key_id_key: 'a b'"),
        ({**KEYS, "secret": {"secret_access_key_key": "accessKeyId"}}, "has the id already"),
        ({**ENTRY, "secret": {"existing": True}}, "secret.existing: 'True' is not used with a role"),
        ({**ENTRY, "identity_method": "pod_identity"}, "identity_method: 'pod_identity' is not available yet"),
        ({**ENTRY, "other_region": "ignore"}, "other_region: 'ignore'"),
        ({**ENTRY, "name": "Orders"}, "name: 'Orders' is not a name of an SGCluster"),
        ({**ENTRY, "sharded": True, "name": "a" * 38}, "is not a name of an SGShardedCluster"),
        ({**ENTRY, "namespace": ""}, "namespace: '' is empty"),
        ({**ENTRY, "encryption": {"method": "aes", "key": {"name": "k", "key": "key"}}}, "encryption.method: 'aes'"),
        ({**ENTRY, "encryption": {"method": "sodium"}}, "encryption.key: 'NoneType' is not a key of a Secret"),
        (
            {**ENTRY, "encryption": {"method": "openpgp", "key": {"name": "k", "key": "key"}, "key_transform": "hex"}},
            "encryption.key_transform: 'hex' is for sodium only",
        ),
        ({**ENTRY, "restore_from": [{"name": "old"}]}, "restore_from[0].namespace"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_write(entry: dict[str, Any], says: str) -> None:
    (problem,) = problems_of("clusters[orders]", entry)
    assert problem.startswith("clusters[orders].")
    assert says in problem


def test_all_mistakes_of_an_entry_are_told_at_once() -> None:
    entry = {**ENTRY, "retention": 0, "storage_class": "GLACIER", "identity_method": "pod_identity"}
    assert len(problems_of("clusters[orders]", entry)) == 3


def test_the_secret_has_the_names_of_the_guide_where_nothing_is_written() -> None:
    assert secret_of(ENTRY) == {
        "name": "s3-backup-secret",
        "access_key_id_key": "accessKeyId",
        "secret_access_key_key": "secretAccessKey",
        "namespace": "databases",
        "existing": False,
    }
    assert secret_of({**ENTRY, "secret": {"name": "mine"}})["name"] == "mine"
