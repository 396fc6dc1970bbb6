# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of workgroups: from nothing, no change, each single difference, absent, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.kubestrap.aws.plugins.module_utils._athena_workgroup import (
    Settings,
    check_s3_url,
    check_workgroup_name,
    plan_absent,
    plan_present,
    shape,
    workgroup_arn,
)

NAME = "kubecost"
ARN = "arn:aws:athena:us-east-1:111111111111:workgroup/kubecost"
KEY = "arn:aws:kms:us-east-1:111111111111:key/00000000-0000-4000-8000-000000000001"
OWNED = {"managed-by": "kubestrap.aws"}
ANSWER = {
    "Name": NAME,
    "State": "ENABLED",
    "Description": "Queries",
    "Configuration": {
        "ResultConfiguration": {
            "OutputLocation": "s3://acme-results/kubecost/",
            "ExpectedBucketOwner": "111111111111",
            "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
        },
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "BytesScannedCutoffPerQuery": 20_000_000,
        "RequesterPaysEnabled": False,
    },
}


def current(**changes: Any) -> dict[str, Any]:
    """The workgroup as it was read."""
    return {**shape(ANSWER), "arn": ARN, "tags": {"team": "platform"}, **changes}


def present(now: dict[str, Any] | None, **settings: Any) -> Any:
    """The plan for these settings."""
    return plan_present(now, NAME, ARN, Settings(**settings))


def calls(plan: Any) -> list[tuple[str, dict[str, Any]]]:
    """Methods and parameters of a plan's changes."""
    return [(change.method, dict(change.params)) for change in plan.changes]


def test_what_the_api_answers_in_our_words() -> None:
    assert shape(ANSWER) == {
        "name": NAME,
        "state": "ENABLED",
        "description": "Queries",
        "output_location": "s3://acme-results/kubecost/",
        "effective_output_location": "s3://acme-results/kubecost/",
        "expected_bucket_owner": "111111111111",
        "encryption": {"encryption_option": "SSE_S3"},
        "bytes_scanned_cutoff_per_query": 20_000_000,
        "managed_query_results": False,
        "enforce_workgroup_configuration": True,
        "publish_cloudwatch_metrics_enabled": True,
        "requester_pays_enabled": False,
    }
    empty = shape({"Name": "primary", "Configuration": {"ManagedQueryResultsConfiguration": {"Enabled": True}}})
    assert empty["managed_query_results"] is True
    assert (empty["output_location"], empty["encryption"], empty["description"]) == (None, None, "")
    assert empty["bytes_scanned_cutoff_per_query"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"EnforceWorkGroupConfiguration": False},
        {"ResultConfiguration": {}},
        {"ManagedQueryResultsConfiguration": {"Enabled": True}},
    ],
)
def test_where_no_location_holds_for_all_clients(changes: dict[str, Any]) -> None:
    answer = {**ANSWER, "Configuration": {**ANSWER["Configuration"], **changes}}
    assert shape(answer)["effective_output_location"] is None


def test_the_location_for_all_clients_follows_the_plan() -> None:
    location = "s3://other/"
    assert present(None, output_location=location).after["effective_output_location"] == location
    assert present(current(), output_location=location).after["effective_output_location"] == location
    plan = present(current(), output_location=location, enforce_workgroup_configuration=False)
    assert plan.after["effective_output_location"] is None


def test_a_new_workgroup_is_made_in_one_call_with_its_tags() -> None:
    plan = present(
        None,
        description="Queries",
        output_location="s3://acme-results/kubecost/",
        expected_bucket_owner="111111111111",
        encryption={"encryption_option": "SSE_KMS", "kms_key": KEY},
        bytes_scanned_cutoff_per_query=20_000_000,
        tags={"team": "platform"},
        ownership_tags=OWNED,
    )
    assert calls(plan) == [
        (
            "create_work_group",
            {
                "Name": NAME,
                "Description": "Queries",
                "Configuration": {
                    "EnforceWorkGroupConfiguration": True,
                    "PublishCloudWatchMetricsEnabled": True,
                    "RequesterPaysEnabled": False,
                    "BytesScannedCutoffPerQuery": 20_000_000,
                    "ResultConfiguration": {
                        "OutputLocation": "s3://acme-results/kubecost/",
                        "ExpectedBucketOwner": "111111111111",
                        "EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": KEY},
                    },
                },
                "Tags": [{"Key": "team", "Value": "platform"}, {"Key": "managed-by", "Value": "kubestrap.aws"}],
            },
        )
    ]
    assert plan.before is None
    assert plan.after["arn"] == ARN
    assert plan.after["tags"] == {"team": "platform", **OWNED}
    assert plan.after["encryption"] == {"encryption_option": "SSE_KMS", "kms_key": KEY}
    assert set(plan.after) == set(current())


def test_a_new_workgroup_of_which_only_the_name_is_said() -> None:
    plan = present(None, ownership_tags=OWNED)
    ((_method, params),) = calls(plan)
    assert params["Configuration"] == {
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "RequesterPaysEnabled": False,
    }
    assert params["Tags"] == [{"Key": "managed-by", "Value": "kubestrap.aws"}]
    assert plan.after["enforce_workgroup_configuration"] is True
    assert plan.after["tags"] is None, "the tags are not read back either"


def test_a_new_workgroup_that_leaves_the_location_to_its_clients() -> None:
    plan = present(None, enforce_workgroup_configuration=False, publish_cloudwatch_metrics_enabled=False)
    ((_method, params),) = calls(plan)
    assert params["Configuration"]["EnforceWorkGroupConfiguration"] is False
    assert "Tags" not in params
    assert plan.after["publish_cloudwatch_metrics_enabled"] is False


def test_a_new_disabled_workgroup_is_disabled_after_it_was_made() -> None:
    plan = present(None, state="DISABLED", bytes_scanned_cutoff_per_query=0)
    assert [method for method, _params in calls(plan)] == ["create_work_group", "update_work_group"]
    assert calls(plan)[1][1] == {"WorkGroup": NAME, "State": "DISABLED"}
    assert "BytesScannedCutoffPerQuery" not in calls(plan)[0][1]["Configuration"]
    assert plan.after["state"] == "DISABLED"


def test_nothing_is_done_when_all_is_as_asked() -> None:
    plan = present(
        current(),
        description="Queries",
        state="ENABLED",
        output_location="s3://acme-results/kubecost/",
        expected_bucket_owner="111111111111",
        encryption={"encryption_option": "SSE_S3", "kms_key": None},
        enforce_workgroup_configuration=True,
        bytes_scanned_cutoff_per_query=20_000_000,
        publish_cloudwatch_metrics_enabled=True,
        requester_pays_enabled=False,
        tags={"team": "platform"},
        ownership_tags=OWNED,
    )
    assert not plan.changed
    assert plan.after == plan.before


def test_what_the_task_does_not_set_is_not_compared() -> None:
    assert not present(current(tags=None)).changed
    assert not present(current(tags=None), ownership_tags=OWNED).changed


RESULT = "ResultConfigurationUpdates"


@pytest.mark.parametrize(
    ("setting", "value", "params"),
    [
        ("description", "Others", {"Description": "Others"}),
        ("description", "", {"Description": ""}),
        ("state", "DISABLED", {"State": "DISABLED"}),
        ("output_location", "s3://other/", {"ConfigurationUpdates": {RESULT: {"OutputLocation": "s3://other/"}}}),
        (
            "expected_bucket_owner",
            "222222222222",
            {"ConfigurationUpdates": {RESULT: {"ExpectedBucketOwner": "222222222222"}}},
        ),
        (
            "encryption",
            {"encryption_option": "CSE_KMS", "kms_key": KEY},
            {
                "ConfigurationUpdates": {
                    RESULT: {"EncryptionConfiguration": {"EncryptionOption": "CSE_KMS", "KmsKey": KEY}}
                }
            },
        ),
        (
            "enforce_workgroup_configuration",
            False,
            {"ConfigurationUpdates": {"EnforceWorkGroupConfiguration": False}},
        ),
        (
            "publish_cloudwatch_metrics_enabled",
            False,
            {"ConfigurationUpdates": {"PublishCloudWatchMetricsEnabled": False}},
        ),
        ("requester_pays_enabled", True, {"ConfigurationUpdates": {"RequesterPaysEnabled": True}}),
        (
            "bytes_scanned_cutoff_per_query",
            30_000_000,
            {"ConfigurationUpdates": {"BytesScannedCutoffPerQuery": 30_000_000}},
        ),
        ("bytes_scanned_cutoff_per_query", 0, {"ConfigurationUpdates": {"RemoveBytesScannedCutoffPerQuery": True}}),
    ],
)
def test_a_single_difference_is_one_call_that_says_only_that(setting: str, value: Any, params: dict[str, Any]) -> None:
    plan = present(current(), **{setting: value})
    assert calls(plan) == [("update_work_group", {"WorkGroup": NAME, **params})]
    # The location for all clients follows, see its own test.
    follows = "effective_output_location"
    assert {**plan.after, follows: current()[follows]} == {**current(), setting: value}
    diff = {side: {key: said for key, said in values.items() if key != follows} for side, values in plan.diff.items()}
    assert diff == {"before": {setting: current()[setting]}, "after": {setting: value}}
    assert setting in plan.changes[0].summary
    assert not present(plan.after, **{setting: value}).changed


def test_no_limit_is_no_change_where_there_is_none() -> None:
    assert not present(current(bytes_scanned_cutoff_per_query=0), bytes_scanned_cutoff_per_query=0).changed


def test_several_differences_are_one_call() -> None:
    plan = present(current(), description="Others", requester_pays_enabled=True, output_location="s3://other/")
    assert len(plan.changes) == 1
    named = "description, output_location, requester_pays_enabled"
    assert plan.changes[0].summary == f"update {named} of the workgroup kubecost"


@pytest.mark.parametrize(
    ("purge", "methods", "after"),
    [
        (True, ["untag_resource", "tag_resource"], {"aws:x": "1", "stage": "test", **OWNED}),
        (False, ["tag_resource"], {"aws:x": "1", "team": "platform", "stage": "test", **OWNED}),
    ],
)
def test_tags(purge: bool, methods: list[str], after: dict[str, str]) -> None:
    now = current(tags={"team": "platform", "aws:x": "1", **OWNED})
    plan = present(now, tags={"stage": "test"}, purge_tags=purge, ownership_tags=OWNED)
    assert [method for method, _params in calls(plan)] == methods
    assert plan.after["tags"] == after
    assert all(params["ResourceARN"] == ARN for _method, params in calls(plan))


def test_ownership_tags_are_not_added_to_what_was_there_before() -> None:
    plan = present(current(), tags={"team": "platform"}, ownership_tags=OWNED)
    assert not plan.changed


@pytest.mark.parametrize("force", [True, False])
def test_absent(force: bool) -> None:
    assert not plan_absent(None, NAME, force).changed
    plan = plan_absent(current(), NAME, force)
    assert calls(plan) == [("delete_work_group", {"WorkGroup": NAME, "RecursiveDeleteOption": force})]
    assert plan.after is None
    assert bool(plan.changes[0].hints) is not force, "who has not said force is told of it"


def test_what_another_made_is_kept() -> None:
    plan = plan_absent(current(), NAME, ownership_tags=OWNED)
    assert not plan.changed
    assert plan.kept == "the workgroup kubecost was not made by this collection (no tag managed-by=kubestrap.aws)"
    assert plan_absent(current(tags=OWNED), NAME, ownership_tags=OWNED).changed


def refusal(check: Any, *arguments: Any) -> str:
    """What a check has against an input."""
    with pytest.raises(AnsibleAWSError) as error:
        check(*arguments)
    return error.value.message


@pytest.mark.parametrize("name", ["kubecost", "primary", "A.b_c-1", "x" * 128])
def test_names(name: str) -> None:
    check_workgroup_name("name", name)


@pytest.mark.parametrize("name", ["", "kube cost", "kubecost/1", "x" * 129, "kubecost\n"])
def test_names_that_athena_refuses(name: str) -> None:
    said = refusal(check_workgroup_name, "billing_data_workgroup", name)
    assert said.startswith(f"billing_data_workgroup: '{name}' is not the name of an Athena workgroup. Write 1 to 128")


@pytest.mark.parametrize("url", ["s3://acme-results", "s3://acme-results/", "s3://acme-results/a/b/"])
def test_locations(url: str) -> None:
    check_s3_url("output_location", url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("acme-results/a/", "'acme-results/a/' does not begin with s3://. Write s3://acme-results/a/"),
        ("S3://acme-results", "'S3://acme-results' does not begin with s3://. Write s3://acme-results"),
        ("s3a://acme-results", "'s3a://acme-results' does not begin with s3://. Write s3://acme-results"),
        ("s3:/acme-results", "'s3:/acme-results' does not begin with s3://. Write s3://acme-results"),
        ("arn:aws:s3:::acme-results/a", "does not begin with s3://. Write s3://acme-results/a"),
        ("s3://s3://acme-results/", "has more than s3:// before the bucket. Write s3://acme-results/"),
        ("s3:///acme-results/", "has more than s3:// before the bucket. Write s3://acme-results/"),
        ("", "'' names no bucket. Write s3://"),
        ("s3://", "'s3://' names no bucket. Write s3://"),
        ("s3://Acme/", "'Acme' is not the name of a bucket"),
    ],
)
def test_locations_that_athena_refuses(url: str, said: str) -> None:
    message = refusal(check_s3_url, "output_location", url)
    assert message.startswith("output_location: ")
    assert said in message


def test_settings_that_athena_takes() -> None:
    Settings().check()
    Settings(output_location="s3://acme-results/", bytes_scanned_cutoff_per_query=0).check()
    Settings(bytes_scanned_cutoff_per_query=10_000_000, encryption={"encryption_option": "SSE_S3"}).check()
    Settings(encryption={"encryption_option": "SSE_KMS", "kms_key": KEY}).check()


@pytest.mark.parametrize("cutoff", [1, 9_999_999, -1])
def test_a_limit_that_is_too_small(cutoff: int) -> None:
    assert refusal(Settings(bytes_scanned_cutoff_per_query=cutoff).check) == (
        f"bytes_scanned_cutoff_per_query: '{cutoff}' is less than Athena's smallest limit. "
        "Write at least 10000000, or 0 for no limit"
    )


@pytest.mark.parametrize("option", ["SSE_KMS", "CSE_KMS"])
def test_encryption_with_kms_needs_a_key(option: str) -> None:
    said = refusal(Settings(encryption={"encryption_option": option, "kms_key": None}).check)
    assert said == f"encryption: '{option}' needs a key. Write the ARN of the key in kms_key"


def test_encryption_by_s3_takes_no_key() -> None:
    said = refusal(Settings(encryption={"encryption_option": "SSE_S3", "kms_key": KEY}).check)
    assert said == "encryption: 'SSE_S3' takes no key. Leave kms_key out, or write SSE_KMS"


def test_the_location_is_checked_with_the_settings() -> None:
    assert "Write s3://acme" in refusal(Settings(output_location="acme").check)


def test_the_arn() -> None:
    assert workgroup_arn("aws", "us-east-1", "111111111111", NAME) == ARN
    assert workgroup_arn("aws-cn", "cn-north-1", "111111111111", NAME).startswith("arn:aws-cn:athena:cn-north-1:")


def test_managed_results_are_turned_off_with_a_location() -> None:
    now = current(managed_query_results=True, output_location=None, effective_output_location=None)
    plan = present(now, managed_query_results=False, output_location="s3://acme-results/kubecost/")
    ((method, params),) = calls(plan)
    assert method == "update_work_group"
    assert params["ConfigurationUpdates"] == {
        "ManagedQueryResultsConfigurationUpdates": {"Enabled": False},
        "ResultConfigurationUpdates": {"OutputLocation": "s3://acme-results/kubecost/"},
    }
    assert plan.after["effective_output_location"] == "s3://acme-results/kubecost/"
    assert present(plan.after, managed_query_results=False).changes == []


def test_managed_results_are_turned_on_without_one() -> None:
    plan = present(current(), managed_query_results=True)
    ((_method, params),) = calls(plan)
    assert params["ConfigurationUpdates"] == {
        "ManagedQueryResultsConfigurationUpdates": {"Enabled": True},
        "ResultConfigurationUpdates": {"RemoveOutputLocation": True},
    }
    assert (plan.after["output_location"], plan.after["effective_output_location"]) == (None, None)
    assert present(plan.after, managed_query_results=True).changes == []
    new = present(None, managed_query_results=True)
    assert calls(new)[0][1]["Configuration"]["ManagedQueryResultsConfiguration"] == {"Enabled": True}
    assert new.after["managed_query_results"]
    with pytest.raises(AnsibleAWSError, match="cannot be set with managed query results"):
        Settings(managed_query_results=True, output_location="s3://acme-results/").check()
