# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release that somebody else has installed would lose with our values.

Helm forgets all values of a release that it is not given again. They may be secrets, so only their keys are named.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

from ._identifiers import refuse
from .kubecost_chart import Values, service_account_name
from .kubecost_values import build, dotted_key

_NOTHING = object()
_ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"


def check_values(
    values: Values, wanted: t.Mapping[str, t.Any], caller: t.Callable[[], t.Mapping[str, str]]
) -> list[str]:
    """The problem that a release has values that would be lost or changed, where it has some.

    :param values: of the release, which this collection has not wired
    :param wanted: the option ``release`` of M(kubestrap.aws.preflight_info)
    :param caller: tells ``account`` and ``partition``, of which the ARN of the role is made
    """
    if wanted.get("change") or not wanted.get("wiring"):
        return []
    try:
        wiring = json.loads(wanted["wiring"])
    except ValueError:
        refuse("release.wiring", "...", "is not JSON", "Give it as one text, by the filter to_json")
    role_arn = ""
    if wanted.get("role"):
        role_arn = f"arn:{caller()['partition']}:iam::{caller()['account']}:role{wanted['role']}"
    planned = planned_values(wiring, role_arn)
    keys = [] if planned is None else lost(values, planned)
    if not keys:
        return []
    name, namespace = wanted["name"], wanted["namespace"]
    return [
        f"kubecost_values: the release {name} in namespace {namespace} was not installed by this collection and has "
        f"values that would be lost or changed: {', '.join(keys)}. Write them into kubecost_values (helm get values "
        f"{name} -n {namespace} shows them), or set kubecost_release_change: true to have them replaced"
    ]


def planned_values(wiring: t.Mapping[str, t.Any], role_arn: str) -> dict[str, t.Any] | None:
    """The values that will be installed, as far as they are known before the first write.

    :returns: ``None`` where the user's values contradict the wiring. That is told where they are put together.
    """
    account = dict(wiring.get("service_account") or {})
    try:
        if not account.get("name") and account.get("create") is False:
            account["name"] = service_account_name(
                str(wiring["generation"]), wiring["release"], wiring.get("user_values") or {}
            )
        if role_arn:
            account["annotations"] = {**(account.get("annotations") or {}), _ROLE_ANNOTATION: role_arn}
        return build({**wiring, "service_account": account})
    except AnsibleAWSError:
        return None


def lost(theirs: Values, planned: t.Any, path: tuple[str, ...] = ()) -> list[str]:
    """Dotted keys of the values that are not the same among the planned ones.

    ``null`` is a value: with it Helm forgets the chart's own. Where it, or an empty text, gets a value nothing is lost.
    """
    found = []
    for name, value in theirs.items():
        here = (*path, str(name))
        ours = planned.get(name, _NOTHING) if isinstance(planned, t.Mapping) else _NOTHING
        if isinstance(value, t.Mapping):
            found += lost(value, ours, here)
        elif value in (None, "") and ours not in (None, "", _NOTHING):
            continue
        elif not same(value, ours):
            found.append(dotted_key(here))
    return sorted(found)


def same(one: t.Any, other: t.Any) -> bool:
    """Whether two values are the same for Helm. For Python ``True`` is ``1``."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, t.Mapping) and isinstance(other, t.Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other
