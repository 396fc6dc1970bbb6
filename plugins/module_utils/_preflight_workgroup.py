# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the results of queries will really go, by the settings of the workgroup. Pure: no call.

A workgroup that enforces its settings sends results to its own location, whatever Kubecost asks for (Athena user guide,
"Override client-side settings"). Then the reader needs rights there, and with the key that is used there.
"""

from __future__ import annotations

import dataclasses
import typing as t

from . import policies
from ._athena_workgroup import PRIMARY, Settings, plan_present
from ._ownership import is_foreign
from ._preflight_names import problems_of

_CHANGE = "or write billing_data_workgroup_change: true to have this one changed"
_OTHER = "Write another name in billing_data_workgroup, such as kubecost, which is made when it does not exist"


def settings_of(wanted: t.Any) -> Settings:
    """What the role wants of a workgroup that is its to make.

    :param wanted: a ``Wanted`` of ``_preflight_billing``
    """
    return Settings(
        description=None if wanted.workgroup == PRIMARY else "Queries of the billing data by workloads on Kubernetes",
        output_location=wanted.results_location,
        expected_bucket_owner=wanted.account_id,
        enforce_workgroup_configuration=True,
        bytes_scanned_cutoff_per_query=wanted.scan_limit_bytes,
        managed_query_results=False if wanted.workgroup_change else None,
        tags=dict(wanted.tags) or None,
        purge_tags=False,
        ownership_tags=dict(wanted.ownership_tags),
    )


def _told(settings: Settings) -> dict[str, t.Any]:
    """The settings that are wanted, as options of ``athena_workgroup``; tags are the role's own."""
    given = {
        field.name: getattr(settings, field.name) for field in dataclasses.fields(settings) if "tags" not in field.name
    }
    return {name: value for name, value in given.items() if value is not None}


def fits(workgroup: t.Mapping[str, t.Any] | None, wanted: t.Any) -> bool:
    """Whether nothing of a workgroup would be changed, so that it does not matter whose it is.

    :param workgroup: as ``_athena_workgroup.read`` returns it; tags have to be there where some are wanted
    """
    if workgroup is None or _unusable(workgroup) or workgroup["encryption"]:
        return False
    return not plan_present(dict(workgroup), wanted.workgroup, "", settings_of(wanted)).changes


def judge_workgroup(
    workgroup: t.Mapping[str, t.Any] | None, wanted: t.Any
) -> tuple[dict[str, t.Any], list[str], list[str]]:
    """What will be effective.

    :param workgroup: as ``_athena_workgroup.read`` returns it; with tags unless it fits
    :param wanted: a ``Wanted`` of ``_preflight_billing``
    :returns: ``name``, ``managed`` (whether its settings are the task's to make: it is ours, it does not exist, or it
        may be changed), ``settings`` (those), ``fits`` (whether it has them), ``follows`` (whether results go to its
        own location), ``results_location``, ``results_bucket``, ``results_prefix``, ``results_kms_key_arn`` (``''``
        for none); problems; and notes for the user
    """
    serves = fits(workgroup, wanted)
    known = serves or (workgroup is not None and not is_foreign(workgroup["tags"] or {}, wanted.ownership_tags))
    ours = (workgroup is None or known) and wanted.workgroup != PRIMARY
    managed = ours or wanted.workgroup_change
    own = None if managed or workgroup is None else workgroup["effective_output_location"]
    location = own or wanted.results_location
    bucket, _slash, prefix = location.removeprefix("s3://").partition("/")
    fact = {
        "name": wanted.workgroup,
        "managed": managed,
        "fits": serves,
        "settings": _told(settings_of(wanted)),
        "follows": own is not None and _place(own) != _place(wanted.results_location),
        "results_location": location,
        "results_bucket": bucket,
        "results_prefix": prefix.strip("/"),
        "results_kms_key_arn": wanted.results_kms_key_arn,
    }
    if managed or workgroup is None or wanted.taken_away:
        return fact, [], []
    problems = _unusable(workgroup)
    notes = []
    if fact["follows"]:
        notes.append(
            f"The workgroup {wanted.workgroup} is used as it is. It sends its results to {location}, so the bucket of "
            "billing_data_results_bucket is not needed."
        )
    if own is not None:
        fact["results_kms_key_arn"], wrong = _key(workgroup, wanted)
        problems += wrong
    limit = workgroup["bytes_scanned_cutoff_per_query"]
    if wanted.scan_limit_bytes and limit != wanted.scan_limit_bytes:
        notes.append(
            f"billing_data_scan_limit_bytes is not applied: the workgroup {wanted.workgroup} was not made here, and "
            f"its limit is {limit or 'none'}."
        )
    return fact, problems, notes


def _place(location: str) -> str:
    return location.rstrip("/")


def _unusable(workgroup: t.Mapping[str, t.Any]) -> list[str]:
    """Why no query of Kubecost would work in it."""
    option = f"billing_data_workgroup: '{workgroup['name']}'"
    if workgroup["state"] == "DISABLED":
        return [f"{option} is disabled, so that it takes no queries. Enable it. {_OTHER}"]
    if workgroup["managed_query_results"]:
        return [
            f"{option} keeps the results of queries in Athena itself (managed query results). Kubecost names a "
            "location with each query, which Athena then refuses (ManagedQueryResultsConfiguration and "
            f"ResultConfiguration cannot be set together). {_OTHER}, {_CHANGE}"
        ]
    return []


def _key(workgroup: t.Mapping[str, t.Any], wanted: t.Any) -> tuple[str, list[str]]:
    """The customer key of the results in the workgroup's own location, and problems of it."""
    encryption = workgroup["encryption"] or {}
    kind, key = encryption.get("encryption_option"), encryption.get("kms_key") or ""
    option, given = "billing_data_results_kms_key_arn", wanted.results_kms_key_arn
    name = workgroup["name"]
    if kind == "CSE_KMS":
        return given, [
            f"billing_data_workgroup: '{name}' encrypts the results on the client's side (CSE_KMS), which the reader's "
            f"rights do not cover. {_OTHER}, {_CHANGE}"
        ]
    if kind != "SSE_KMS":
        return given, []  # the bucket's default encryption, which the user may know
    if not given:
        problems = problems_of(lambda: policies.check_key("billing_data_workgroup", key, wanted.region))
        if problems:
            return "", [
                f"billing_data_workgroup: '{name}' encrypts the results with the key '{key}', whose ARN is not known. "
                f"Write it in {option}"
            ]
        return key, []
    if key not in (given, given.rpartition("/")[2]) and "alias/" not in key:
        return given, [
            f"{option}: '{given}' is not the key with which the workgroup '{name}' encrypts the results, which is "
            f"'{key}'. Write that one, or leave it out"
        ]
    return given, []
