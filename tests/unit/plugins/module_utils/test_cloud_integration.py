# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud integration: golden documents, and every input that Kubecost would take in silence or misread."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils import exceptions
from ansible_collections.kubestrap.aws.plugins.module_utils.cloud_integration import (
    KNOWN_KEYS,
    build,
    checksum,
    key,
    normalised_bucket,
)

ENTRY = {
    "account_id": "111111111111",
    "bucket": "acme-results",
    "region": "us-east-1",
    "database": "athenacurcfn_my_cur",
    "table": "my_cur",
    "workgroup": "primary",
    "role_arn": "arn:aws:iam::111111111111:role/kubecost-cur-access",
}


def entry(**changes: Any) -> dict[str, Any]:
    """The entry with these keys changed; ``None`` takes a key away."""
    return {name: value for name, value in {**ENTRY, **changes}.items() if value is not None}


def refused(entries: Any, form: str = "athena") -> str:
    with pytest.raises(exceptions.AnsibleAWSError) as error:
        build(entries, form)
    return str(error.value)


def test_legacy_form_key_by_key() -> None:
    # As aws/cloud-integration.json of kubecost/poc-common-configurations has it.
    assert json.dumps(build([ENTRY], "legacy"), indent=2) == (
        """{
  "aws": [
    {
      "athenaBucketName": "s3://acme-results",
      "athenaRegion": "us-east-1",
      "athenaDatabase": "athenacurcfn_my_cur",
      "athenaTable": "my_cur",
      "athenaWorkgroup": "primary",
      "projectID": "111111111111",
      "masterPayerARN": "arn:aws:iam::111111111111:role/kubecost-cur-access"
    }
  ],
  "azure": [],
  "gcp": [],
  "alibaba": []
}"""
    )


def test_athena_form_key_by_key() -> None:
    # As OpenCost's AthenaConfiguration (pkg/cloud/aws/athenaconfiguration.go) reads it.
    assert json.dumps(build([ENTRY], "athena"), indent=2) == (
        """{
  "aws": {
    "athena": [
      {
        "bucket": "s3://acme-results",
        "region": "us-east-1",
        "database": "athenacurcfn_my_cur",
        "table": "my_cur",
        "workgroup": "primary",
        "account": "111111111111",
        "curVersion": "1.0",
        "authorizer": {
          "authorizerType": "AWSAssumeRole",
          "roleARN": "arn:aws:iam::111111111111:role/kubecost-cur-access",
          "authorizer": {
            "authorizerType": "AWSServiceAccount"
          }
        }
      }
    ]
  }
}"""
    )


@pytest.mark.parametrize("role_arn", ["", None])
def test_in_the_same_account_the_pods_own_identity_reads(role_arn: str | None) -> None:
    mine = entry(role_arn=role_arn)
    assert build([mine], "athena")["aws"]["athena"][0]["authorizer"] == {"authorizerType": "AWSServiceAccount"}
    assert "masterPayerARN" not in build([mine], "legacy")["aws"][0]


def test_catalog_only_when_given() -> None:
    assert build([entry(catalog="shared")], "athena")["aws"]["athena"][0]["catalog"] == "shared"
    assert build([entry(catalog="shared")], "legacy")["aws"][0]["athenaCatalog"] == "shared"
    assert "catalog" not in build([entry(catalog="")], "athena")["aws"]["athena"][0]
    assert "athenaCatalog" not in build([ENTRY], "legacy")["aws"][0]


@pytest.mark.parametrize(("given", "written"), [("2.0", "2.0"), (2.0, "2.0"), (1.0, "1.0"), ("", "1.0"), (None, "1.0")])
def test_the_version_is_always_written_in_the_athena_form(given: Any, written: str) -> None:
    assert build([entry(cur_version=given)], "athena")["aws"]["athena"][0]["curVersion"] == written


def test_the_legacy_form_has_no_version_and_takes_only_the_first() -> None:
    assert "curVersion" not in build([entry(cur_version="1.0")], "legacy")["aws"][0]
    said = refused([entry(cur_version="2.0")], "legacy")
    assert "entries[0].cur_version: '2.0' cannot be read by Kubecost 1 and 2" in said


def test_several_payers_keep_their_order() -> None:
    other = entry(account_id="012345678901", role_arn="arn:aws:iam::012345678901:role/kubecost-cur-access")
    accounts = [each["account"] for each in build([other, ENTRY], "athena")["aws"]["athena"]]
    assert accounts == ["012345678901", "111111111111"]
    assert [each["projectID"] for each in build([other, ENTRY], "legacy")["aws"]] == accounts


@pytest.mark.parametrize("form", ["legacy", "athena"])
def test_the_forms_are_never_mixed(form: str) -> None:
    text = json.dumps(build([ENTRY], form))
    assert ("athenaBucketName" in text) == (form == "legacy")
    assert ("authorizer" in text) == (form == "athena")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("results", "s3://results"),
        ("s3://results", "s3://results"),
        ("s3://results/", "s3://results"),
        ("results/kubecost", "s3://results/kubecost"),
        ("s3://results/kubecost/a/", "s3://results/kubecost/a"),
    ],
)
def test_the_scheme_of_the_bucket(given: str, written: str) -> None:
    assert normalised_bucket("bucket", given) == written
    assert build([entry(bucket=given)], "legacy")["aws"][0]["athenaBucketName"] == written
    assert key(entry(bucket=given)) == f"111111111111/{written}"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("s3://s3://results", "has s3:// more than once"),
        ("results/s3://kubecost", "has s3:// more than once"),
        ("https://results.s3.amazonaws.com", "is not a bucket of S3"),
        ("arn:aws:s3:::results", "is not a bucket of S3"),
        ("s3:/results", "is not a bucket of S3"),
        ("/results", "is not a bucket of S3"),
        ("s3:///results", "is not a bucket of S3"),
        ("Results", "is not the name of a bucket"),
        (12, "is not the name of a bucket"),
    ],
)
def test_a_bucket_that_is_refused(given: Any, problem: str) -> None:
    said = refused([ENTRY, entry(bucket=given)])
    assert said.startswith("entries[1].bucket: '") and problem in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"account_id": 111111111111}, "entries[0].account_id: '111111111111' is a number, not a string"),
        ({"account_id": "1402433619"}, "account_id: '1402433619' has 10 digits; YAML takes leading zeros"),
        ({"account_id": 1402433619}, "has 10 digits; YAML takes leading zeros"),
        ({"account_id": "payer"}, "entries[0].account_id: 'payer' is not an AWS account id"),
        ({"account_id": ""}, "entries[0].account_id: '' is missing"),
        ({"workgroup": None}, "entries[0].workgroup: '' is missing"),
        ({"region": "eu-wset-1"}, "region: 'eu-wset-1' is not a region that AWS' SDK knows. Write eu-west-1"),
        ({"database": "Billing"}, "database: 'Billing' has upper-case letters, Glue has none. Write billing"),
        ({"table": '"my_cur"'}, "entries[0].table: '\"my_cur\"' is not a name in Athena"),
        ({"table": ["my_cur"]}, "is not a name in Athena"),
        ({"role_arn": "kubecost-cur-access"}, "entries[0].role_arn: 'kubecost-cur-access' is not the ARN of a role"),
        (
            {"role_arn": "arn:aws:iam::222222222222:role/kubecost"},
            "is a role of account 222222222222, but the billing data is in account 111111111111",
        ),
        ({"role_arn": "arn:aws-cn:iam::111111111111:role/kubecost"}, "is not in the partition aws of the region"),
        ({"cur_version": "1"}, "entries[0].cur_version: '1' is not a version of a report"),
        ({"projectID": "111111111111"}, f"'projectID' is not a key of a payer. The keys are: {', '.join(KNOWN_KEYS)}"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["legacy", "athena"])
def test_an_entry_that_is_refused(changes: dict[str, Any], said: str, form: str) -> None:
    assert said in refused([entry(**changes)], form)


@pytest.mark.parametrize("entries", [None, [], {}, "payer-main", ENTRY])
def test_what_is_no_list_of_payers(entries: Any) -> None:
    assert "is not a list of payers" in refused(entries)
    assert "entries[0]: 'payer-main' is not a mapping" in refused(["payer-main"])


@pytest.mark.parametrize("second", ["acme-results", "s3://acme-results", "s3://acme-results/"])
def test_two_entries_with_one_key_are_refused(second: str) -> None:
    said = refused([ENTRY, entry(bucket=second, table="other_cur")])
    assert "entries[1].bucket: 's3://acme-results' has the key 111111111111/s3://acme-results of entries[0]" in said
    assert "for example s3://acme-results/other_cur" in said


def test_folders_keep_two_reports_of_a_payer_apart() -> None:
    assert len(build([ENTRY, entry(bucket="acme-results/other")], "athena")["aws"]["athena"]) == 2


def test_an_unknown_form_is_refused() -> None:
    assert "form: 'new' is not a form of the cloud integration. Write one of: legacy, athena" in refused([ENTRY], "new")


def test_the_checksum_follows_the_content_and_not_the_order() -> None:
    document = build([ENTRY], "athena")
    assert checksum(document) == checksum(dict(reversed(document.items())))
    assert checksum(document) != checksum(build([entry(table="other")], "athena"))
    assert re.fullmatch(r"[0-9a-f]{64}", checksum(document))
