# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a Cost and Usage Report as a task wants it, or takes it away. Pure: no call."""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list

from ._cur_report import DEFAULTS, PROPERTIES, Report, ReportId, check_tags, shape, with_defaults
from ._identifiers import refuse
from ._ownership import creation_tags, keep_foreign, kept_tags
from ._plan import Change, Plan, differing
from ._tags import plan_tags

# ModifyReportDefinition refuses another value of these.
FIXED = ("time_unit", "additional_schema_elements", "report_versioning")
_FINE_ENOUGH = ("DAILY", "HOURLY")  # clients ask for days

_BUCKET_HINT = (
    "Most likely AWS may not use the bucket: it must exist, belong to this account and lie in s3_region, and its "
    "policy must let billingreports.amazonaws.com do s3:GetBucketAcl, s3:GetBucketPolicy and s3:PutObject (statements: "
    "lookup kubestrap.aws.iam_document 'billing_report_delivery')"
)
_HINTS = {
    "ValidationException": _BUCKET_HINT,
    "DuplicateReportNameException": (
        "Someone has made a report of this name meanwhile. Run this again to compare it with the task"
    ),
    "ReportLimitReachedException": (
        "The account has as many reports as AWS allows. Delete one that nobody needs, or name one of them that is "
        "for Athena and has resource ids (kubestrap.aws.cur_report_definition_info lists them)"
    ),
}


def plan_present(
    report: ReportId,
    current: Report | None,
    wanted: t.Mapping[str, t.Any],
    tags: dict[str, str] | None = None,
    purge_tags: bool = True,
    ownership_tags: dict[str, str] | None = None,
) -> Plan:
    """What makes the report exist with these properties.

    A property that the task does not set is that of ``DEFAULTS`` in a new report. An existing report has to serve: it
    may have more than that (hours, further columns), and is left as it is.

    :param current: as read, with tags where ``tags`` are set
    :param wanted: the keys of ``PROPERTIES``; ``None`` where the task says nothing
    :param tags: ``None`` leaves the tags as they are
    :param ownership_tags: see ``_ownership``
    :raises AnsibleAWSError: the report exists with properties that AWS cannot change, or does not serve
    """
    if current is None:
        return _plan_create(report, with_defaults(wanted), tags, ownership_tags)
    given = {key: value for key, value in wanted.items() if value is not None}
    wanted = {key: sorted(value) if isinstance(value, list) else value for key, value in given.items()}
    _refuse_unfit(report, current, wanted)

    changes = []
    after = dict(current)
    if differing(current, wanted):
        definition = _definition(report, {**current, **wanted})
        after = {**shape(report, definition), "report_status": current["report_status"]}
        if "tags" in current:
            after["tags"] = current["tags"]
        params = {"ReportName": report.name, "ReportDefinition": definition}
        changes.append(_call(report, "change", "modify_report_definition", params, ("ValidationException",)))
    new_tags = kept_tags(tags, ownership_tags, current.get("tags", {}))
    if new_tags is not None:
        tagging, after["tags"] = _plan_tags(report, current["tags"], new_tags, purge_tags)
        check_tags("tags", after["tags"])
        changes += tagging
    return Plan(current, after, changes)


def plan_absent(report: ReportId, current: Report | None, ownership_tags: dict[str, str] | None = None) -> Plan:
    """What takes the report away, unless it lacks the ownership tags. What AWS has delivered stays."""
    if current is None:
        return Plan(None, None)
    kept = keep_foreign(current, current.get("tags", {}), ownership_tags, f"the Cost and Usage Report {report.name}")
    if kept:
        return kept
    return Plan(current, None, [_call(report, "delete", "delete_report_definition", {"ReportName": report.name})])


def _plan_create(
    report: ReportId,
    wanted: t.Mapping[str, t.Any],
    tags: dict[str, str] | None,
    ownership_tags: dict[str, str] | None,
) -> Plan:
    definition = _definition(report, wanted)
    params: dict[str, t.Any] = {"ReportDefinition": definition}
    after = shape(report, definition)
    all_tags = creation_tags(tags, ownership_tags)
    check_tags("tags", all_tags)
    if tags is not None:
        after["tags"] = all_tags
    if all_tags:
        params["Tags"] = ansible_dict_to_boto3_tag_list(all_tags)
    # The bucket's policy may have been written a moment ago; mostly it is wrong.
    return Plan(None, after, [_call(report, "define", "put_report_definition", params, ("ValidationException",))])


def _definition(report: ReportId, values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The whole ReportDefinition, without its status, which is read only."""
    definition = {"ReportName": report.name}
    definition |= {member: values[option] for option, member in PROPERTIES.items() if values.get(option) is not None}
    if values.get("billing_view_arn"):
        definition["BillingViewArn"] = values["billing_view_arn"]
    return definition


def _refuse_unfit(report: ReportId, current: Report, wanted: t.Mapping[str, t.Any]) -> None:
    """Refuse a report that is not what the task sets and cannot be made so, or does not serve where it sets nothing."""
    expected = {key: text for key, text in differences(current, wanted).items() if key in FIXED or key not in wanted}
    if not expected:
        return
    write = (
        "Nothing was changed. Choose another name, or delete the report first (a new report starts with the current "
        "month), or write what the report has"
    )
    changeable = [key for key in expected if key not in FIXED]
    if changeable:
        write += f", or write what it shall have: AWS can change {', '.join(changeable)}"
    refuse("name", report.name, f"is a report that exists and does not fit: {told(current, expected)}", write)


def differences(current: Report, wanted: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Where a report is not as a task wants it, or does not serve where the task says nothing.

    :param wanted: some of the keys of ``PROPERTIES``, lists sorted
    :returns: property -> what it should be, in words
    """
    expected = {key: _text(wanted[key]) for key in differing(current, wanted)}
    return expected | {key: text for key, text in _unserved(current).items() if key not in wanted}


def told(current: Report, expected: t.Mapping[str, str]) -> str:
    """Differences as a text: what each property is, and what it should be."""
    return "; ".join(f"{key} is {_text(current[key])}, not {text}" for key, text in expected.items())


def _unserved(current: Report) -> dict[str, str]:
    """Where a report is less than the one of ``DEFAULTS``: property -> what it should be."""
    expected = {}
    if current["time_unit"] not in _FINE_ENOUGH:
        expected["time_unit"] = " or ".join(_FINE_ENOUGH)
    if not set(current["additional_schema_elements"] or []) >= set(DEFAULTS["additional_schema_elements"]):
        expected["additional_schema_elements"] = _text(DEFAULTS["additional_schema_elements"])
    for key in ("format", "compression", "additional_artifacts", "report_versioning"):
        if current[key] != DEFAULTS[key]:
            expected[key] = _text(DEFAULTS[key])
    return expected


def _text(value: t.Any) -> str:
    return ", ".join(value) or "empty" if isinstance(value, list) else str(value)


def _plan_tags(
    report: ReportId, current: dict[str, str], wanted: dict[str, str], purge: bool
) -> tuple[list[Change], dict[str, str]]:
    def change(verb: str, method: str, **params: t.Any) -> Change:
        return _call(report, verb, method, {"ReportName": report.name, **params})

    return plan_tags(
        current,
        wanted,
        purge,
        tag=lambda tags: change("tag", "tag_resource", Tags=ansible_dict_to_boto3_tag_list(tags)),
        untag=lambda keys: change("remove tags from", "untag_resource", TagKeys=keys),
    )


def _call(
    report: ReportId,
    verb: str,
    method: str,
    params: dict[str, t.Any],
    retry_codes: tuple[str, ...] = (),
) -> Change:
    summary = f"{verb} the Cost and Usage Report {report.name}"
    hints = _HINTS if retry_codes else {}
    return Change(summary, "cur", method, params, report.region, retry_codes=retry_codes, attempts=5, hints=hints)
