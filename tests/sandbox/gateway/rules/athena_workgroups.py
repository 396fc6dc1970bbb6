# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Athena's workgroups: defaults, refusals and updates that MiniStack 1.5.33 leaves out (Athena API reference)."""

from __future__ import annotations

import re
from typing import Any

from .. import buckets
from ..aws_errors import aws_error
from ..call import Call, Response, json_response
from .registry import after, before

_SMALLEST_CUTOFF = 10_000_000
_ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
_RESULT_FIELDS = ("OutputLocation", "EncryptionConfiguration", "ExpectedBucketOwner", "AclConfiguration")
_PLAIN_FIELDS = (
    "EnforceWorkGroupConfiguration",
    "PublishCloudWatchMetricsEnabled",
    "BytesScannedCutoffPerQuery",
    "RequesterPaysEnabled",
    "EngineVersion",
    "ExecutionRole",
    "AdditionalConfiguration",
    "EnableMinimumEncryptionConfiguration",
)


def _refused(call: Call, text: str) -> Response:
    return aws_error(call, "InvalidRequestException", text, AthenaErrorCode="INVALID_INPUT")


@before("athena", "CreateWorkGroup")
def refuse_bad_workgroup(call: Call, _gateway: Any) -> Response | None:
    """Name, result configuration, cutoff."""
    from ministack.services import athena

    name = call.params.get("Name") or ""
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,128}", name):
        return _refused(call, f"Invalid workgroup name: {name}")
    if name in athena._workgroups or name == "primary":
        return _refused(call, "WorkGroup is already created")
    problem = _problem(call.params.get("Configuration") or {})
    return _refused(call, problem) if problem else None


@after("athena", "CreateWorkGroup")
def set_defaults(call: Call, response: Response, _gateway: Any) -> None:
    """What AWS fills in."""
    from ministack.services import athena

    if response.status != 200:
        return
    stored = athena._workgroups[call.params["Name"]]
    configuration = stored["Configuration"] = dict(stored.get("Configuration") or {})
    configuration.setdefault("EnforceWorkGroupConfiguration", True)
    configuration.setdefault("PublishCloudWatchMetricsEnabled", True)
    configuration.setdefault("RequesterPaysEnabled", False)
    configuration["EngineVersion"] = {**_ENGINE, **(configuration.get("EngineVersion") or {})}


@before("athena", "UpdateWorkGroup")
def update(call: Call, _gateway: Any) -> Response | None:
    """All members and all Remove* switches of ConfigurationUpdates; MiniStack knows a few."""
    from ministack.services import athena

    athena._ensure_default_workgroup()
    stored = athena._workgroups.get(call.params.get("WorkGroup") or "")
    if stored is None:
        return _refused(call, f"WorkGroup {call.params.get('WorkGroup')} is not found.")
    updates = call.params.get("ConfigurationUpdates") or {}
    configuration = dict(stored.get("Configuration") or {})
    try:
        result = _updated_result(configuration, updates.get("ResultConfigurationUpdates") or {})
    except ValueError as error:
        return _refused(call, str(error))
    for name in _PLAIN_FIELDS:
        if name in updates:
            configuration[name] = updates[name]
    if "ManagedQueryResultsConfigurationUpdates" in updates:
        managed = configuration.get("ManagedQueryResultsConfiguration") or {}
        configuration["ManagedQueryResultsConfiguration"] = managed | updates["ManagedQueryResultsConfigurationUpdates"]
    if updates.get("RemoveBytesScannedCutoffPerQuery"):
        if "BytesScannedCutoffPerQuery" in updates:
            return _refused(call, "RemoveBytesScannedCutoffPerQuery and BytesScannedCutoffPerQuery cannot both be set")
        configuration.pop("BytesScannedCutoffPerQuery", None)
    if "EngineVersion" in updates:
        configuration["EngineVersion"] = {**_ENGINE, **updates["EngineVersion"]}
    configuration.pop("ResultConfiguration", None)
    if result:
        configuration["ResultConfiguration"] = result
    problem = _problem(configuration)
    if problem:
        return _refused(call, problem)
    stored["Configuration"] = configuration
    for name in ("Description", "State"):
        if name in call.params:
            stored[name] = call.params[name]
    return json_response({})


def _updated_result(configuration: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The ResultConfiguration after ResultConfigurationUpdates; ValueError: it says two things at once."""
    result = dict(configuration.get("ResultConfiguration") or {})
    for name in _RESULT_FIELDS:
        if changes.get(f"Remove{name}"):
            if name in changes:
                raise ValueError(f"Remove{name} and {name} cannot both be set")
            result.pop(name, None)
        elif name in changes:
            result[name] = changes[name]
    return result


@before("athena", "DeleteWorkGroup")
def refuse_full_workgroup(call: Call, _gateway: Any) -> Response | None:
    """A workgroup with queries or named queries goes only with RecursiveDeleteOption."""
    from ministack.services import athena

    name = call.params.get("WorkGroup") or ""
    if name == "primary":
        return _refused(call, "The primary workgroup cannot be deleted.")
    if name not in athena._workgroups:
        return _refused(call, f"WorkGroup {name} is not found.")
    full = any(
        entry.get("WorkGroup") == name
        for store in (athena._executions, athena._named_queries)
        for entry in store.values()
    )
    if full and not call.params.get("RecursiveDeleteOption"):
        return _refused(call, f"WorkGroup {name} is not empty")
    for store in (athena._executions, athena._named_queries):
        for key in [key for key, entry in store.items() if entry.get("WorkGroup") == name]:
            store.pop(key, None)
    return None


@before("athena", "GetWorkGroup")
def refuse_unknown_workgroup(call: Call, _gateway: Any) -> Response | None:
    """AWS' words for a workgroup that is not there."""
    from ministack.services import athena

    athena._ensure_default_workgroup()
    name = call.params.get("WorkGroup") or ""
    return None if name in athena._workgroups else _refused(call, f"WorkGroup {name} is not found.")


@before("athena", "TagResource", "UntagResource", "ListTagsForResource")
def refuse_unknown_tagged(call: Call, _gateway: Any) -> Response | None:
    """Tags of a workgroup that is not there."""
    from ministack.services import athena

    athena._ensure_default_workgroup()
    kind, _unused, name = str(call.params.get("ResourceARN", "")).split(":", 5)[-1].partition("/")
    if kind == "workgroup" and name not in athena._workgroups:
        return aws_error(call, "ResourceNotFoundException", f"WorkGroup {name} is not found.")
    return None


def _problem(configuration: dict[str, Any]) -> str:
    """What is wrong with a configuration, "" for nothing."""
    cutoff = configuration.get("BytesScannedCutoffPerQuery")
    if cutoff is not None and cutoff < _SMALLEST_CUTOFF:
        return f"BytesScannedCutoffPerQuery must be at least {_SMALLEST_CUTOFF} bytes"
    result = configuration.get("ResultConfiguration") or {}
    location = result.get("OutputLocation")
    if location is not None:
        try:
            buckets.split_url(location)
        except ValueError:
            return "outputLocation is not a valid S3 path."
        if not location.startswith("s3://"):
            return "outputLocation is not a valid S3 path."
        if (configuration.get("ManagedQueryResultsConfiguration") or {}).get("Enabled"):
            return "OutputLocation cannot be set with managed query results"
    encryption = result.get("EncryptionConfiguration") or {}
    option = encryption.get("EncryptionOption")
    if encryption and option not in ("SSE_S3", "SSE_KMS", "CSE_KMS"):
        return f"Invalid encryption option: {option}"
    if option in ("SSE_KMS", "CSE_KMS") and not encryption.get("KmsKey"):
        return f"KmsKey is required for {option}"
    owner = result.get("ExpectedBucketOwner")
    if owner is not None and not re.fullmatch(r"\d{12}", owner):
        return f"Invalid expected bucket owner: {owner}"
    return ""
