# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Athena workgroups: read and plan.

API reference: CreateWorkGroup, UpdateWorkGroup and GetWorkGroup in Athena.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)

from ._connection import AwsConnection
from ._errors import error_code, error_handler
from ._identifiers import refuse
from ._ownership import creation_tags, keep_foreign, kept_tags
from ._plan import Change, Plan, differing, gather
from ._s3_names import check_bucket_name
from ._tags import plan_tags

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # AnsibleAWSModule reports a missing SDK.

_AthenaError = error_handler("ResourceNotFoundException")

WorkGroup = dict[str, t.Any]  # see the RETURN of athena_workgroup
PRIMARY = "primary"
SMALLEST_CUTOFF = 10_000_000
# What a new workgroup gets where the task says nothing. It is written into the call, so that check mode can tell.
_DEFAULTS = {
    "enforce_workgroup_configuration": True,
    "publish_cloudwatch_metrics_enabled": True,
    "requester_pays_enabled": False,
}

# Our name -> member of the API's WorkGroupConfiguration, for what is a plain value there.
_PLAIN = {
    "enforce_workgroup_configuration": "EnforceWorkGroupConfiguration",
    "publish_cloudwatch_metrics_enabled": "PublishCloudWatchMetricsEnabled",
    "requester_pays_enabled": "RequesterPaysEnabled",
}
# What is compared as it stands besides.
_COMPARED = (
    "description",
    "state",
    "output_location",
    "expected_bucket_owner",
    "bytes_scanned_cutoff_per_query",
    "managed_query_results",
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a task wants of a workgroup; ``None`` means: leave it as it is.

    :ivar encryption: ``encryption_option`` and, for KMS, ``kms_key``
    :ivar bytes_scanned_cutoff_per_query: 0 takes the limit away
    """

    description: str | None = None
    state: str | None = None
    output_location: str | None = None
    expected_bucket_owner: str | None = None
    encryption: dict[str, str] | None = None
    enforce_workgroup_configuration: bool | None = None
    bytes_scanned_cutoff_per_query: int | None = None
    publish_cloudwatch_metrics_enabled: bool | None = None
    requester_pays_enabled: bool | None = None
    managed_query_results: bool | None = None
    tags: dict[str, str] | None = None
    purge_tags: bool = True
    ownership_tags: dict[str, str] | None = None

    def check(self) -> None:
        """Refuse what Athena would refuse.

        :raises AnsibleAWSError: names option, value and what to write
        """
        if self.output_location is not None:
            check_s3_url("output_location", self.output_location)
        cutoff = self.bytes_scanned_cutoff_per_query
        if cutoff is not None and cutoff != 0 and cutoff < SMALLEST_CUTOFF:
            refuse(
                "bytes_scanned_cutoff_per_query",
                cutoff,
                "is less than Athena's smallest limit",
                f"Write at least {SMALLEST_CUTOFF}, or 0 for no limit",
            )
        if self.managed_query_results and self.output_location:
            write = "Leave output_location out, or write managed_query_results: false"
            refuse("output_location", self.output_location, "cannot be set with managed query results", write)
        option = (self.encryption or {}).get("encryption_option")
        if option in ("SSE_KMS", "CSE_KMS") and not self.encryption.get("kms_key"):
            refuse("encryption", option, "needs a key", "Write the ARN of the key in kms_key")
        if option == "SSE_S3" and self.encryption.get("kms_key"):
            refuse("encryption", option, "takes no key", "Leave kms_key out, or write SSE_KMS")


def check_workgroup_name(option: str, name: str) -> None:
    """A workgroup's name: 1 to 128 letters, digits and ``._-``.

    :raises AnsibleAWSError: names option, value and what to write
    """
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,128}", name):
        refuse(option, name, "is not the name of an Athena workgroup", "Write 1 to 128 letters, digits and any of ._-")


def check_s3_url(option: str, url: str) -> None:
    """An S3 location as Athena takes it: ``s3://bucket`` with a prefix or without.

    :raises AnsibleAWSError: names option, value and what to write
    """
    path = re.sub(r"^(arn:[\w-]+:s3:::|s3[an]?:/*)+", "", url, flags=re.IGNORECASE).lstrip("/")
    if not path:
        refuse(option, url, "names no bucket", "Write s3://my-results/kubecost/")
    if not url.startswith("s3://"):
        refuse(option, url, "does not begin with s3://", f"Write s3://{path}")
    if url != f"s3://{path}":
        refuse(option, url, "has more than s3:// before the bucket", f"Write s3://{path}")
    check_bucket_name(option, path.split("/")[0])


def workgroup_arn(partition: str, region: str, account_id: str, name: str) -> str:
    """The ARN of a workgroup."""
    return f"arn:{partition}:athena:{region}:{account_id}:workgroup/{name}"


def read(connection: AwsConnection, name: str, arn: str, with_tags: bool) -> WorkGroup | None:
    """The workgroup, ``None`` when it does not exist (one call; with tags two, side by side)."""
    reads: dict[str, t.Callable[[], t.Any]] = {"workgroup": lambda: _get(connection, name)}
    if with_tags:
        reads["tags"] = lambda: read_tags(connection, arn)
    found = gather(reads)
    if found["workgroup"] is None:
        return None
    return {**shape(found["workgroup"]), "arn": arn, "tags": found.get("tags")}


def read_names(connection: AwsConnection) -> list[str]:
    """Names of all workgroups of account and region."""
    return sorted(workgroup["Name"] for workgroup in _list(connection))


def shape(workgroup: t.Mapping[str, t.Any]) -> WorkGroup:
    """The answer of GetWorkGroup in our words."""
    configuration = workgroup.get("Configuration", {})
    result = configuration.get("ResultConfiguration", {})
    encryption = result.get("EncryptionConfiguration")
    shaped = {
        "name": workgroup["Name"],
        "state": workgroup.get("State", "ENABLED"),
        "description": workgroup.get("Description", ""),
        "output_location": result.get("OutputLocation"),
        "expected_bucket_owner": result.get("ExpectedBucketOwner"),
        "encryption": encryption and _encryption(encryption),
        "bytes_scanned_cutoff_per_query": configuration.get("BytesScannedCutoffPerQuery", 0),
        "managed_query_results": bool(configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled")),
    }
    return _located(shaped | {ours: configuration.get(member, False) for ours, member in _PLAIN.items()})


def _located(workgroup: WorkGroup) -> WorkGroup:
    """The workgroup with the location that its results have whatever a client asks for, ``None`` when it has none."""
    enforced = workgroup["enforce_workgroup_configuration"] and not workgroup["managed_query_results"]
    return {**workgroup, "effective_output_location": workgroup["output_location"] if enforced else None}


def plan_present(current: WorkGroup | None, name: str, arn: str, settings: Settings) -> Plan:
    """What makes the workgroup exist with these settings."""
    if current is None:
        return _plan_new(name, arn, settings)
    wanted = _wanted(settings)
    if wanted.get("managed_query_results") and current["output_location"]:
        wanted["output_location"] = ""  # the two exclude each other
    changed = differing(current, wanted)
    changes = []
    if changed:
        params: dict[str, t.Any] = {"WorkGroup": name}
        if "description" in changed:
            params["Description"] = settings.description
        if "state" in changed:
            params["State"] = settings.state
        updates = _updates(settings, changed, wanted)
        if updates:
            params["ConfigurationUpdates"] = updates
        summary = f"update {', '.join(changed)} of the workgroup {name}"
        changes.append(Change(summary, "athena", "update_work_group", params))
    after = {**current, **{key: wanted[key] for key in changed}}
    after = _located({**after, "output_location": after["output_location"] or None})
    tagging, after["tags"] = _plan_tags(name, arn, current["tags"], settings)
    return Plan(current, after, [*changes, *tagging])


def plan_absent(
    current: WorkGroup | None, name: str, force: bool = False, ownership_tags: dict[str, str] | None = None
) -> Plan:
    """What takes the workgroup away; with ``force`` also one that has queries in its history."""
    if current is None:
        return Plan(None, None)
    kept = keep_foreign(current, current["tags"] or {}, ownership_tags, f"the workgroup {name}")
    if kept:
        return kept
    delete = Change(
        f"delete the workgroup {name}",
        "athena",
        "delete_work_group",
        {"WorkGroup": name, "RecursiveDeleteOption": force},
        hints={} if force else {"InvalidRequestException": "Set force to true to delete it with its queries"},
    )
    return Plan(current, None, [delete])


def _plan_new(name: str, arn: str, settings: Settings) -> Plan:
    settings = dataclasses.replace(settings, **_unset(settings))
    tags = creation_tags(settings.tags, settings.ownership_tags)
    params: dict[str, t.Any] = {"Name": name, "Configuration": _configuration(settings)}
    if settings.description:
        params["Description"] = settings.description
    if tags:
        params["Tags"] = ansible_dict_to_boto3_tag_list(tags)
    changes = [Change(f"create the workgroup {name}", "athena", "create_work_group", params)]
    if settings.state == "DISABLED":  # a workgroup is always created enabled
        params = {"WorkGroup": name, "State": "DISABLED"}
        changes.append(Change(f"disable the workgroup {name}", "athena", "update_work_group", params))
    seen_tags = None if settings.tags is None else tags  # they are read back only when the task sets some
    after = {**_located({**shape({"Name": name}), **_wanted(settings)}), "arn": arn, "tags": seen_tags}
    return Plan(None, after, changes)


def _unset(settings: Settings) -> dict[str, bool]:
    return {name: default for name, default in _DEFAULTS.items() if getattr(settings, name) is None}


def _wanted(settings: Settings) -> dict[str, t.Any]:
    """The settings that the task names, as ``shape`` shows them."""
    wanted = {name: getattr(settings, name) for name in (*_COMPARED, *_PLAIN)}
    if settings.encryption is not None:
        wanted["encryption"] = {key: value for key, value in settings.encryption.items() if value}
    return {key: value for key, value in wanted.items() if value is not None}


def _encryption(api: t.Mapping[str, str]) -> dict[str, str]:
    shaped = {"encryption_option": api["EncryptionOption"]}
    if api.get("KmsKey"):
        shaped["kms_key"] = api["KmsKey"]
    return shaped


def _api_encryption(encryption: t.Mapping[str, str]) -> dict[str, str]:
    api = {"EncryptionOption": encryption["encryption_option"]}
    if encryption.get("kms_key"):
        api["KmsKey"] = encryption["kms_key"]
    return api


def _result_configuration(settings: Settings, names: t.Container[str]) -> dict[str, t.Any]:
    result: dict[str, t.Any] = {}
    if "output_location" in names and settings.output_location:
        result["OutputLocation"] = settings.output_location
    if "expected_bucket_owner" in names and settings.expected_bucket_owner:
        result["ExpectedBucketOwner"] = settings.expected_bucket_owner
    if "encryption" in names and settings.encryption:
        result["EncryptionConfiguration"] = _api_encryption(settings.encryption)
    return result


def _plain_values(settings: Settings, names: t.Container[str]) -> dict[str, t.Any]:
    return {
        member: getattr(settings, ours)
        for ours, member in _PLAIN.items()
        if ours in names and getattr(settings, ours) is not None
    }


def _configuration(settings: Settings) -> dict[str, t.Any]:
    names = [field.name for field in dataclasses.fields(settings)]
    configuration = _plain_values(settings, names)
    result = _result_configuration(settings, names)
    if result:
        configuration["ResultConfiguration"] = result
    if settings.bytes_scanned_cutoff_per_query:
        configuration["BytesScannedCutoffPerQuery"] = settings.bytes_scanned_cutoff_per_query
    if settings.managed_query_results:
        configuration["ManagedQueryResultsConfiguration"] = {"Enabled": True}
    return configuration


def _updates(settings: Settings, names: t.Sequence[str], wanted: WorkGroup) -> dict[str, t.Any]:
    updates = _plain_values(settings, names)
    result = _result_configuration(settings, names)
    if "managed_query_results" in names:
        updates["ManagedQueryResultsConfigurationUpdates"] = {"Enabled": settings.managed_query_results}
    if "output_location" in names and not wanted["output_location"]:
        result["RemoveOutputLocation"] = True
    if result:
        updates["ResultConfigurationUpdates"] = result
    if "bytes_scanned_cutoff_per_query" in names:
        if settings.bytes_scanned_cutoff_per_query:
            updates["BytesScannedCutoffPerQuery"] = settings.bytes_scanned_cutoff_per_query
        else:
            updates["RemoveBytesScannedCutoffPerQuery"] = True
    return updates


def _plan_tags(
    name: str, arn: str, current: dict[str, str] | None, settings: Settings
) -> tuple[list[Change], dict[str, str] | None]:
    """The calls, and the tags after them; tags that the task does not set were not read."""
    wanted = kept_tags(settings.tags, settings.ownership_tags, current or {})

    def change(summary: str, method: str, **params: t.Any) -> Change:
        return Change(summary, "athena", method, {"ResourceARN": arn, **params})

    return plan_tags(
        current,
        wanted,
        settings.purge_tags,
        tag=lambda tags: change(f"tag the workgroup {name}", "tag_resource", Tags=ansible_dict_to_boto3_tag_list(tags)),
        untag=lambda keys: change(f"remove tags from the workgroup {name}", "untag_resource", TagKeys=keys),
    )


@_AthenaError.common_error_handler("read the Athena workgroup")
def _get(connection: AwsConnection, name: str) -> dict[str, t.Any] | None:
    try:
        return connection.client("athena").get_work_group(WorkGroup=name)["WorkGroup"]
    except ClientError as e:
        # Athena has no code of its own for a workgroup that does not exist.
        if error_code(e) == "InvalidRequestException" and "not found" in str(e):
            return None
        raise


@_AthenaError.common_error_handler("list the Athena workgroups")
def _list(connection: AwsConnection) -> list[dict[str, t.Any]]:
    athena = connection.client("athena")
    found: list[dict[str, t.Any]] = []
    token: dict[str, str] = {}
    while True:  # botocore has no paginator for this operation
        page = athena.list_work_groups(**token)
        found += page.get("WorkGroups", [])
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


@_AthenaError.list_error_handler("read the tags of the Athena workgroup", default_value={})
def read_tags(connection: AwsConnection, arn: str) -> dict[str, str]:
    """Tags of the workgroup; none when it does not exist."""
    pages = connection.client("athena").get_paginator("list_tags_for_resource").paginate(ResourceARN=arn)
    return boto3_tag_list_to_ansible_dict([tag for page in pages for tag in page.get("Tags", [])])
