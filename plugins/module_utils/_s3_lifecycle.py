# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lifecycle rules of a bucket: from the task's options to S3's form, merged by ID."""

from __future__ import annotations

import typing as t

from ._identifiers import refuse

Rule = dict[str, t.Any]  # as S3 has it: ID, Status, Filter, Expiration, ...

# Option -> key and sub-key of S3's rule.
_ACTIONS = {
    "expiration_days": ("Expiration", "Days"),
    "noncurrent_version_expiration_days": ("NoncurrentVersionExpiration", "NoncurrentDays"),
    "abort_incomplete_multipart_upload_days": ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
}


def check_rules(rules: t.Sequence[t.Mapping[str, t.Any]] | None) -> None:
    """Refuse rules that S3 would refuse.

    :raises AnsibleAWSError: names the rule and what to write
    """
    seen: set[str] = set()
    for rule in rules or []:
        identifier = rule["id"]
        if not 1 <= len(identifier) <= 255:
            refuse("lifecycle_rules", identifier, f"has {len(identifier)} characters as its id", "Write 1 to 255")
        if identifier in seen:
            refuse("lifecycle_rules", identifier, "is the id of two rules", "Give each rule an id of its own")
        seen.add(identifier)
        if all(rule.get(option) is None for option in _ACTIONS):
            refuse("lifecycle_rules", identifier, "does nothing", f"Set one of {', '.join(_ACTIONS)}")
        for option in _ACTIONS:
            if rule.get(option) is not None and rule[option] < 1:
                refuse("lifecycle_rules", identifier, f"has {option} {rule[option]}", "Write a number of days from 1")


def rule_of(option: t.Mapping[str, t.Any]) -> Rule:
    """S3's rule for one of the task."""
    rule: Rule = {"ID": option["id"], "Status": "Enabled", "Filter": {"Prefix": option.get("prefix") or ""}}
    for name, (key, unit) in _ACTIONS.items():
        if option.get(name) is not None:
            rule[key] = {unit: option[name]}
    return rule


def merge_rules(
    current: list[Rule], wanted: t.Iterable[Rule], purge: bool = False, absent: t.Collection[str] = ()
) -> list[Rule]:
    """The rules with the wanted ones in the place of those of the same ID, and without those of ``absent``.

    Strangers stay unless ``purge``.

    What says the same in another form stays as it is, so the result equals ``current`` when nothing differs.
    """
    by_id = {rule["ID"]: rule for rule in wanted}
    merged = []
    for rule in current:
        replacement = by_id.pop(rule.get("ID"), None)
        if replacement is not None:
            merged.append(rule if _normal(rule) == _normal(replacement) else replacement)
        elif not purge and rule.get("ID") not in absent:
            merged.append(rule)
    return merged + list(by_id.values())


def _normal(rule: Rule) -> Rule:
    """One form for what S3 says in several: no filter, an empty one, an empty prefix, a prefix outside the filter."""
    normal = {key: value for key, value in rule.items() if key != "Prefix"}
    normal["Filter"] = rule.get("Filter") or {"Prefix": rule.get("Prefix", "")}
    return normal
