# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the results really go, and which workgroup cannot be used."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestrap.aws.plugins.module_utils._athena_workgroup import shape
from ansible_collections.kubestrap.aws.plugins.module_utils._preflight_workgroup import fits, judge_workgroup
from unit.billing_data_wanted import OURS, wanted

KEY = "arn:aws:kms:us-east-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
THEIRS = {"OutputLocation": "s3://theirs/athena/"}


def workgroup(name: str = "kubecost", tags: dict[str, str] | None = None, **configuration: Any) -> dict[str, Any]:
    """A workgroup as it is read."""
    return {**shape({"Name": name, "Configuration": configuration}), "tags": tags or {}}


def fact(current: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """What will be effective, where nothing is wrong."""
    found, problems, _notes = judge_workgroup(current, wanted(**changes))
    assert problems == []
    return found


def enforced(**result: str | dict[str, str]) -> dict[str, Any]:
    """A workgroup of somebody else that enforces its place."""
    return workgroup(EnforceWorkGroupConfiguration=True, ResultConfiguration={**THEIRS, **result})


@pytest.mark.parametrize("current", [None, workgroup(tags=OURS, ResultConfiguration=THEIRS)])
def test_our_own_gets_our_settings(current: Any) -> None:
    found = fact(current)
    assert (found["managed"], found["follows"]) == (True, False)
    assert found["results_location"] == "s3://acme-results/kubecost/"
    assert (found["results_bucket"], found["results_prefix"]) == ("acme-results", "kubecost")


AS_WANTED = {
    **shape(
        {
            "Name": "kubecost",
            "Description": "Queries of the billing data by workloads on Kubernetes",
            "Configuration": {
                "EnforceWorkGroupConfiguration": True,
                "ResultConfiguration": {
                    "OutputLocation": "s3://acme-results/kubecost/",
                    "ExpectedBucketOwner": "111111111111",
                },
            },
        }
    ),
    "tags": None,
}


def test_whose_it_is_does_not_matter_where_nothing_would_be_changed() -> None:
    """Its tags were not read then."""
    found = fact(AS_WANTED, account_id="111111111111")
    assert (found["fits"], found["managed"], found["follows"]) == (True, True, False)
    assert found["results_location"] == found["settings"]["output_location"] == "s3://acme-results/kubecost/"


@pytest.mark.parametrize(
    "other",
    [
        {"description": "Theirs"},
        {"state": "DISABLED"},
        {"output_location": "s3://theirs/"},
        {"expected_bucket_owner": None},
        {"encryption": {"encryption_option": "CSE_KMS", "kms_key": KEY}},
        {"enforce_workgroup_configuration": False},
        {"bytes_scanned_cutoff_per_query": 20_000_000},
        {"managed_query_results": True},
    ],
)
def test_one_that_differs_does_not_fit(other: dict[str, Any]) -> None:
    assert fits(AS_WANTED, wanted(account_id="111111111111"))
    assert not fits({**AS_WANTED, **other}, wanted(account_id="111111111111"))


def test_tags_that_are_wanted_have_to_be_there() -> None:
    asked = wanted(account_id="111111111111", tags={"team": "costs"})
    assert not fits({**AS_WANTED, "tags": OURS}, asked)
    assert fits({**AS_WANTED, "tags": {**OURS, "team": "costs", "more": "of theirs"}}, asked)


def test_a_workgroup_that_is_not_there_fits_nothing() -> None:
    assert not fits(None, wanted())


@pytest.mark.parametrize(
    "current",
    [
        workgroup(),
        workgroup(ResultConfiguration=THEIRS),
        workgroup(EnforceWorkGroupConfiguration=True),
    ],
)
def test_where_nothing_is_enforced_the_client_says_where_results_go(current: dict[str, Any]) -> None:
    found = fact(current)
    assert (found["managed"], found["follows"]) == (False, False)
    assert found["results_location"] == "s3://acme-results/kubecost/"


def test_an_enforced_location_is_followed() -> None:
    found, problems, notes = judge_workgroup(enforced(), wanted())
    assert (found["managed"], found["follows"], problems) == (False, True, [])
    assert found["results_location"] == "s3://theirs/athena/"
    assert (found["results_bucket"], found["results_prefix"]) == ("theirs", "athena")
    assert "It sends its results to s3://theirs/athena/" in notes[0]
    assert fact(enforced(OutputLocation="s3://theirs"))["results_prefix"] == ""


def test_an_enforced_location_that_is_ours_is_our_bucket() -> None:
    found, _problems, notes = judge_workgroup(enforced(OutputLocation="s3://acme-results/kubecost"), wanted())
    assert (found["follows"], notes) == (False, [])


def test_primary_is_never_ours() -> None:
    assert not fact(workgroup("primary", tags=OURS), workgroup="primary")["managed"]
    assert not fact(None, workgroup="primary")["managed"]
    assert fact(workgroup("primary"), workgroup="primary", workgroup_change=True)["managed"]


def test_the_key_of_an_enforced_location_is_found() -> None:
    encryption = {"EncryptionOption": "SSE_KMS", "KmsKey": KEY}
    assert fact(enforced(EncryptionConfiguration=encryption))["results_kms_key_arn"] == KEY
    for name in (KEY, KEY.rpartition("/")[2], "alias/theirs"):
        current = enforced(EncryptionConfiguration={**encryption, "KmsKey": name})
        assert fact(current, results_kms_key_arn=KEY)["results_kms_key_arn"] == KEY
    # Where the client's place wins, so does its encryption.
    loose = workgroup(ResultConfiguration={**THEIRS, "EncryptionConfiguration": encryption})
    assert fact(loose)["results_kms_key_arn"] == ""


@pytest.mark.parametrize(
    ("current", "changes", "said"),
    [
        (workgroup(ManagedQueryResultsConfiguration={"Enabled": True}), {}, "be set together). Write another"),
        ({**workgroup(), "state": "DISABLED"}, {}, "is disabled"),
        (enforced(EncryptionConfiguration={"EncryptionOption": "CSE_KMS", "KmsKey": KEY}), {}, "(CSE_KMS)"),
        (enforced(EncryptionConfiguration={"EncryptionOption": "SSE_KMS", "KmsKey": "alias/theirs"}), {},
         "'alias/theirs', whose ARN is not known. Write it in billing_data_results_kms_key_arn"),
        (enforced(EncryptionConfiguration={"EncryptionOption": "SSE_KMS", "KmsKey": KEY}),
         {"results_kms_key_arn": KEY.replace("1234abcd", "00000000")}, f"which is '{KEY}'. Write that one"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(current: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    _fact, problems, _notes = judge_workgroup(current, wanted(**changes))
    assert len(problems) == 1
    assert said in problems[0]
    for escape in ({"taken_away": True}, {"workgroup_change": True}):
        assert judge_workgroup(current, wanted(**changes, **escape))[1] == []
    assert judge_workgroup({**current, "tags": OURS}, wanted(**changes))[1] == []


def test_a_limit_that_is_not_applied_is_told() -> None:
    _fact, _problems, notes = judge_workgroup(workgroup(), wanted(scan_limit_bytes=20_000_000))
    assert "its limit is none" in notes[0]
    same = workgroup(BytesScannedCutoffPerQuery=20_000_000)
    assert judge_workgroup(same, wanted(scan_limit_bytes=20_000_000))[2] == []
